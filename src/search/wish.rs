//! What ranked photos should be like: sentences and example photos, each with a weight, wanted or
//! not wanted.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::error::SearchError;

/// Heaviest and lightest weight: beyond these one wish is all there is, or nothing.
const MOST: f32 = 100.0;
const LEAST: f32 = 0.01;

/// What a photo is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Like {
    /// A sentence.
    Text(String),
    /// Another photo, indexed or not.
    Photo(PathBuf),
    /// A photo of the index (`photos.id`), by what is stored of it: no file is opened.
    Indexed(i64),
    /// A picture that is no file.
    Picture(std::sync::Arc<[u8]>),
}

/// One part of a ranked query.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// What it is about.
    pub like: Like,
    /// How much it counts beside the others; negative: photos should not be like this.
    pub weight: f32,
}

impl Wish {
    /// A sentence as given, perhaps with a weight before it: `2:golden retriever`.
    ///
    /// # Errors
    /// An empty sentence, or a weight out of range.
    pub fn text(given: &str, wanted: bool) -> Result<Self, SearchError> {
        let (weight, rest) = weighted(given, wanted)?;
        let text = rest.split_whitespace().collect::<Vec<_>>().join(" ");
        if !text.chars().any(char::is_alphanumeric) {
            return Err(SearchError::EmptyText {
                given: given.to_owned(),
            });
        }
        Ok(Self {
            like: Like::Text(text),
            weight,
        })
    }

    /// A file as given, perhaps with a weight before it: `0.5:beach.jpg`. A file that is really
    /// called so is taken as it is.
    ///
    /// # Errors
    /// An empty name, or a weight out of range.
    pub fn photo(given: &OsStr, wanted: bool) -> Result<Self, SearchError> {
        let whole = PathBuf::from(given);
        // A weight is plain text, and what follows need not be text at all.
        let colon = given.as_bytes().iter().position(|b| *b == b':');
        if colon.is_some() && whole.exists() {
            return Ok(Self {
                like: Like::Photo(whole),
                weight: if wanted { 1.0 } else { -1.0 },
            });
        }
        let (head, tail) = given.as_bytes().split_at(colon.map_or(0, |at| at + 1));
        let (weight, rest) = match std::str::from_utf8(head) {
            Ok(head) => weighted(head, wanted)?,
            Err(_) => (if wanted { 1.0 } else { -1.0 }, "no weight"),
        };
        let rest = if rest.is_empty() {
            tail
        } else {
            given.as_bytes()
        };
        if rest.is_empty() {
            return Err(SearchError::Example {
                path: PathBuf::from(given),
                reason: "no file is named".to_owned(),
            });
        }
        Ok(Self {
            like: Like::Photo(PathBuf::from(OsStr::from_bytes(rest))),
            weight,
        })
    }

    /// A photo of the index.
    pub fn indexed(photo: i64, wanted: bool) -> Self {
        Self {
            like: Like::Indexed(photo),
            weight: if wanted { 1.0 } else { -1.0 },
        }
    }

    /// The sentence that is all that is wanted, if one is.
    pub fn only_sentence(wishes: &[Self]) -> Option<&str> {
        let mut wanted = wishes.iter().filter(|w| w.weight > 0.0);
        let first = wanted.next().and_then(Self::sentence);
        first.filter(|_| wanted.next().is_none())
    }

    /// The sentence, if it is one.
    pub fn sentence(&self) -> Option<&str> {
        match &self.like {
            Like::Text(text) => Some(text),
            Like::Photo(_) | Like::Indexed(_) | Like::Picture(_) => None,
        }
    }
}

/// `N:rest` with a plain decimal number, else weight 1 and everything.
fn weighted(given: &str, wanted: bool) -> Result<(f32, &str), SearchError> {
    let sign = if wanted { 1.0 } else { -1.0 };
    let number = given.split_once(':').filter(|(n, _)| {
        n.bytes().any(|b| b.is_ascii_digit()) && n.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    });
    let Some((number, rest)) = number else {
        return Ok((sign, given));
    };
    match number.parse::<f32>() {
        Ok(weight) if (LEAST..=MOST).contains(&weight) => Ok((sign * weight, rest)),
        _ => Err(SearchError::BadWeight {
            given: given.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn weights_come_before_a_colon() {
        let text = |given| Wish::text(given, true).map(|w| (w.weight, w.like));
        let is = |weight, text: &str| (weight, Like::Text(text.to_owned()));
        assert_eq!(
            text("2:golden  retriever").unwrap(),
            is(2.0, "golden retriever")
        );
        assert_eq!(text("0.5:dog").unwrap(), is(0.5, "dog"));
        assert_eq!(text("1:3:10 to Yuma").unwrap(), is(1.0, "3:10 to Yuma"));
        assert_eq!(text("note: a dog").unwrap(), is(1.0, "note: a dog"));
        assert_eq!(Wish::text("3:dog", false).unwrap().weight, -3.0);
        for bad in [
            "",
            "  ",
            "2:",
            "2: ",
            "...",
            "0:dog",
            "1000:dog",
            "1.2.3:dog",
        ] {
            assert!(text(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_file_with_a_colon_in_its_name_is_itself() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("2:beach.jpg");
        std::fs::write(&path, b"x").unwrap();
        assert_eq!(
            Wish::photo(path.as_os_str(), true).unwrap().like,
            Like::Photo(path.clone())
        );
        let photo = |given: &[u8]| {
            let wish = Wish::photo(OsStr::from_bytes(given), true).unwrap();
            let Like::Photo(path) = wish.like else {
                panic!("a photo is a photo");
            };
            (wish.weight, path.into_os_string().into_vec())
        };
        let is = |weight, path: &[u8]| (weight, path.to_vec());
        assert_eq!(photo(b"2:beach.jpg"), is(2.0, b"beach.jpg"));
        assert_eq!(photo(b"beach.jpg"), is(1.0, b"beach.jpg"));
        assert_eq!(photo(b"a:b.jpg"), is(1.0, b"a:b.jpg"));
        assert_eq!(photo(b"0.5:caf\xe9:1.jpg"), is(0.5, b"caf\xe9:1.jpg"));
        assert_eq!(photo(b"caf\xe9:1.jpg"), is(1.0, b"caf\xe9:1.jpg"));
        assert!(Wish::photo(OsStr::new("2:"), true).is_err());
    }

    proptest! {
        #[test]
        fn any_sentence_is_kept_or_refused(text in "\\PC{0,40}") {
            if let Ok(wish) = Wish::text(&text, true) {
                prop_assert!(wish.weight > 0.0 && wish.weight <= MOST);
                prop_assert!(wish.sentence().is_some_and(|s| !s.is_empty()));
            }
        }
    }
}
