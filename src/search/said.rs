//! What people say of photos, in queries and results.

use std::ops::RangeInclusive;

use super::error::SearchError;
use super::evidence::forms_of_each;
use super::query::{Query, Searcher};
use super::row::TagJson;
use crate::said::text::bare;
use crate::store::{KeywordRow, SaidCount, SaidFilter};
use crate::tag::near;

/// The most stars.
const MOST: i8 = 5;

impl Searcher<'_> {
    pub(super) fn said_filter(&self, query: &Query) -> Result<SaidFilter, SearchError> {
        let keywords = query.keywords.iter().map(|typed| self.keywords(typed));
        let people = query.people.iter().map(|typed| self.people(typed));
        Ok(SaidFilter {
            keywords: keywords.collect::<Result<_, _>>()?,
            people: people.collect::<Result<_, _>>()?,
            rating: query.rating.as_deref().map(stars).transpose()?,
            in_picture: in_picture(&query.in_picture)?,
        })
    }

    fn keywords(&self, typed: &str) -> Result<Vec<i64>, SearchError> {
        let ids = self.reader.keywords_called(typed)?;
        if !ids.is_empty() {
            return Ok(ids);
        }
        Err(SearchError::UnknownKeyword {
            keyword: typed.to_owned(),
            suggestions: close(typed, &self.reader.keyword_counts()?),
        })
    }

    fn people(&self, typed: &str) -> Result<Vec<i64>, SearchError> {
        let ids = self.reader.people_called(typed)?;
        if !ids.is_empty() {
            return Ok(ids);
        }
        Err(SearchError::UnknownPerson {
            name: typed.to_owned(),
            suggestions: close(typed, &self.reader.people_counts()?),
        })
    }
}

/// The words that must stand in the picture, with their forms.
fn in_picture(given: &[String]) -> Result<Vec<Vec<String>>, SearchError> {
    let mut words = Vec::new();
    for given in given {
        let each = given.split_whitespace().map(str::to_owned);
        let each: Vec<String> = each
            .filter(|w| w.chars().any(char::is_alphanumeric))
            .collect();
        if each.is_empty() {
            return Err(SearchError::EmptyText {
                given: given.clone(),
            });
        }
        words.extend(forms_of_each(&each));
    }
    Ok(words)
}

/// Names that are nearly what was typed.
fn close(typed: &str, counts: &[SaidCount]) -> Vec<String> {
    let last = |name: &str| name.rsplit('|').next().unwrap_or_default().to_owned();
    let names: Vec<String> = counts.iter().map(|count| last(&count.name)).collect();
    near(&bare(typed), &names)
}

/// `4`; `4-` or `4+` for four and more; `2-3`.
fn stars(given: &str) -> Result<RangeInclusive<i8>, SearchError> {
    let bad = || SearchError::BadRating {
        given: given.to_owned(),
    };
    let number = |text: &str| {
        let stars = text.trim().parse::<i8>().ok();
        stars
            .filter(|stars| (-1..=MOST).contains(stars))
            .ok_or_else(bad)
    };
    let given = given.trim();
    if let Ok(exactly) = number(given) {
        return Ok(exactly..=exactly);
    }
    if let Some(least) = given.strip_suffix(['-', '+']) {
        return Ok(number(least)?..=MOST);
    }
    // Not the sign of a first number.
    let at = given
        .char_indices()
        .skip(1)
        .find(|(_, c)| *c == '-')
        .map(|(at, _)| at);
    let (least, most) = at
        .and_then(|at| Some((given.get(..at)?, given.get(at + 1..)?)))
        .ok_or_else(bad)?;
    let (least, most) = (number(least)?, number(most)?);
    if least > most {
        return Err(bad());
    }
    Ok(least..=most)
}

/// Keywords among the tags: a word that people gave is certain, whatever a model says of it.
pub(super) fn add(tags: &mut Vec<TagJson>, keywords: &[KeywordRow]) {
    let mut given = Vec::new();
    for keyword in keywords {
        let sources = keyword.layers.iter().map(|layer| layer.name().to_owned());
        let told = tags.iter().position(|tag| keyword.is(&tag.name));
        let mut tag = match told {
            Some(at) => tags.remove(at),
            None => TagJson {
                name: keyword.word().to_owned(),
                confidence: 1.0,
                term: format!("k.{}", bare(&keyword.name)),
                sources: Vec::new(),
                shown: true,
            },
        };
        tag.sources = sources.chain(tag.sources).collect();
        (tag.confidence, tag.shown) = (1.0, true);
        given.push(tag);
    }
    tags.splice(0..0, given);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Layer;

    #[test]
    fn stars_are_read_as_they_are_typed() {
        for (typed, range) in [
            ("4", 4..=4),
            ("4-", 4..=5),
            ("4+", 4..=5),
            ("2-3", 2..=3),
            ("0", 0..=0),
            ("-1", -1..=-1),
            ("-1-2", -1..=2),
        ] {
            assert_eq!(stars(typed).ok(), Some(range), "{typed}");
        }
        for typed in ["", "6", "5-2", "-", "four", "1-2-3", "4 stars"] {
            assert!(stars(typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn a_keyword_and_a_tag_of_one_name_are_one() {
        let tag = |name: &str, confidence| TagJson {
            name: name.to_owned(),
            confidence,
            term: format!("c.{name}"),
            sources: vec!["model".to_owned()],
            shown: false,
        };
        let keyword = |name: &str| KeywordRow {
            name: name.to_owned(),
            layers: vec![Layer::File, Layer::Mark],
        };
        let mut tags = vec![tag("dog", 0.8), tag("beach", 0.4)];
        add(&mut tags, &[keyword("Animals|Dog"), keyword("Küste")]);
        let seen: Vec<_> = tags
            .iter()
            .map(|t| {
                (
                    t.name.as_str(),
                    t.confidence,
                    t.term.as_str(),
                    t.sources.join(" "),
                    t.shown,
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("dog", 1.0, "c.dog", "file mark model".to_owned(), true),
                ("Küste", 1.0, "k.kuste", "file mark".to_owned(), true),
                ("beach", 0.4, "c.beach", "model".to_owned(), false),
            ]
        );
    }
}
