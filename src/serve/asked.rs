//! Queries as JSON: the long options of `photond query`, in snake case.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::Deserialize;

use super::answer::Failed;
use super::folders::FolderId;
use crate::search::{GivenPath, Query, Wish, negated};
use crate::store::StoreReader;

/// What `POST /api/v1/view` is asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ViewRequest {
    pub query: AskedQuery,
    pub sort: Option<SortBy>,
    /// Of a ranked view: at most so many.
    pub limit: Option<usize>,
}

/// The order of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SortBy {
    /// Newest first.
    Date,
    /// Closest first.
    Best,
}

/// One value or several.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Several<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> Default for Several<T> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl<T> Several<T> {
    fn all(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

/// A query.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AskedQuery {
    words: Several<String>,
    text: Several<String>,
    minus_text: Several<String>,
    /// Photos, by number.
    like: Several<i64>,
    minus_like: Several<i64>,
    tag: Several<String>,
    not_tag: Several<String>,
    keyword: Several<String>,
    person: Several<String>,
    place: Several<String>,
    in_picture: Several<String>,
    name: Several<String>,
    since: Option<String>,
    until: Option<String>,
    on: Option<String>,
    camera: Option<String>,
    lens: Option<String>,
    rating: Option<String>,
    near: Option<String>,
    path: Option<String>,
    /// A folder with all below it, by number.
    folder: Option<FolderId>,
    damaged: bool,
    no_place: bool,
    min_confidence: Option<f32>,
    all: bool,
}

impl AskedQuery {
    /// What the vectors are asked for, and the rest as the search room takes it.
    pub fn understood(self, reader: &StoreReader) -> Result<(Vec<Wish>, Query), Failed> {
        let mut wishes = Vec::new();
        let words = self.words.all().join(" ");
        if !words.trim().is_empty() {
            if negated(&words).is_some() {
                return Err(Failed::of_theirs(
                    "what is not wanted goes into not_tag or minus_text",
                ));
            }
            wishes.push(Wish::text(&words, true)?);
        }
        for (texts, wanted) in [(self.text, true), (self.minus_text, false)] {
            for text in texts.all() {
                wishes.push(Wish::text(&text, wanted)?);
            }
        }
        for (photos, wanted) in [(self.like, true), (self.minus_like, false)] {
            for photo in photos.all() {
                wishes.push(Wish::indexed(photo, wanted));
            }
        }
        let path = match (self.folder, self.path) {
            (Some(_), Some(_)) => {
                return Err(Failed::of_theirs("folder and path exclude each other"));
            }
            (Some(folder), None) => Some(folder.path(reader)?.into_os_string()),
            (None, path) => path.map(OsString::from),
        };
        let query = Query {
            tags: self.tag.all(),
            not_tags: self.not_tag.all(),
            since: self.since,
            until: self.until,
            on: self.on,
            camera: self.camera,
            lens: self.lens,
            damaged: self.damaged,
            keywords: self.keyword.all(),
            people: self.person.all(),
            in_picture: self.in_picture.all(),
            rating: self.rating,
            places: self.place.all(),
            no_place: self.no_place,
            near: self.near,
            path: path.map(|typed| GivenPath::new(typed, PathBuf::from("/"))),
            names: self.name.all().into_iter().map(OsString::from).collect(),
            min_confidence: self.min_confidence,
            all: self.all,
            ..Query::default()
        };
        Ok((wishes, query))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_as_good_as_a_list() {
        let one: AskedQuery = serde_json::from_str(r#"{"tag": "dog", "like": 7}"#).unwrap();
        let many: AskedQuery = serde_json::from_str(r#"{"tag": ["dog"], "like": [7]}"#).unwrap();
        assert_eq!(
            (one.tag.all(), one.like.all()),
            (many.tag.all(), many.like.all())
        );
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for wrong in [
            r#"{"query": {"tags": ["dog"]}}"#,
            r#"{"query": {"like": "/etc/passwd"}}"#,
            r#"{"query": {"folder": "../.."}}"#,
            r#"{"sort": "size"}"#,
            r#"{"query": []"#,
        ] {
            assert!(
                serde_json::from_str::<ViewRequest>(wrong).is_err(),
                "{wrong}"
            );
        }
    }
}
