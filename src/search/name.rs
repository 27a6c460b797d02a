//! `--name`: files by their names, whatever their case, accents and spelling.
//!
//! A word means every name that has it in it; several words mean all of them. What has `*` or `?` in it
//! is a pattern for the whole name. All names of the index are looked at: 100,000 take a few hundredths
//! of a second, which an index of names, or of their parts, would cost with each photo instead.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use globset::{GlobBuilder, GlobMatcher};

use super::error::SearchError;
use crate::said::text::{bare, latin1};

/// What file names must be like.
pub(super) struct NamePattern(Vec<Part>);

enum Part {
    /// In it, without case and accents.
    Has(Vec<u8>),
    /// All of it; or what it would be if its brackets were none.
    Matches(GlobMatcher, Vec<u8>),
}

impl NamePattern {
    /// All of these.
    ///
    /// # Errors
    /// An empty name, or a pattern that is none.
    pub fn new(given: &[OsString]) -> Result<Self, SearchError> {
        let mut parts = Vec::new();
        for name in given {
            let plain = folded(name.as_bytes()).into_owned();
            if plain.iter().any(|b| b"*?[{".contains(b)) {
                let pattern = String::from_utf8_lossy(&plain);
                // A name with brackets that pair to nothing is a name.
                if let Ok(glob) = GlobBuilder::new(&pattern).build() {
                    parts.push(Part::Matches(glob.compile_matcher(), plain));
                    continue;
                }
            }
            let before = parts.len();
            let words = plain.split(u8::is_ascii_whitespace);
            parts.extend(
                words
                    .filter(|w| !w.is_empty())
                    .map(|w| Part::Has(w.to_vec())),
            );
            if parts.len() == before {
                return Err(SearchError::EmptyName {
                    given: name.to_string_lossy().into_owned(),
                });
            }
        }
        Ok(Self(parts))
    }

    /// Whether a file name is like all of it.
    pub fn fits(&self, name: &[u8]) -> bool {
        let name = folded(name);
        let has = |word: &[u8]| memchr::memmem::find(&name, word).is_some();
        self.0.iter().all(|part| match part {
            Part::Has(word) => has(word),
            Part::Matches(glob, literal) => {
                glob.is_match(std::ffi::OsStr::from_bytes(&name)) || has(literal)
            }
        })
    }
}

/// A name as it is compared: without case and accents; bytes that are no text are taken for Latin-1,
/// which such names mostly are.
fn folded(name: &[u8]) -> Cow<'_, [u8]> {
    if name.is_ascii() {
        if name.iter().any(u8::is_ascii_uppercase) {
            return Cow::Owned(name.to_ascii_lowercase());
        }
        return Cow::Borrowed(name);
    }
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|b| latin1(*b)));
    }
    Cow::Owned(bare(&text).into_bytes())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    fn fits(given: &[u8], name: &[u8]) -> bool {
        let given = [OsStr::from_bytes(given).to_owned()];
        NamePattern::new(&given).unwrap().fits(name)
    }

    #[test]
    fn names_are_found_whatever_their_spelling() {
        for (given, name) in [
            ("IMG_0001.jpg", "IMG_0001.jpg"),
            ("img_0001", "IMG_0001.JPG"),
            ("0001", "IMG_0001.jpg"),
            ("muenchen", "Muenchen.jpg"),
            ("munchen", "M\u{fc}nchen.jpg"),
            ("m\u{fc}nchen", "Mu\u{308}nchen.jpg"),
            ("mu\u{308}nchen.JPG", "M\u{dc}NCHEN.jpg"),
            ("strasse", "Stra\u{df}e.png"),
            ("STRA\u{df}E", "strasse.png"),
            ("beach party", "party_at_the_Beach.jpg"),
            ("IMG_*.jpg", "img_17.JPG"),
            ("img_?7.*", "IMG_17.heic"),
            ("*.{jpg,png}", "a.PNG"),
            ("a[1].jpg", "a[1].jpg"),
            ("a[1].jpg", "a1.jpg"),
            ("a[", "a[.jpg"),
            ("*", "anything"),
        ] {
            assert!(
                fits(given.as_bytes(), name.as_bytes()),
                "{given} finds {name}"
            );
        }
        for (given, name) in [
            ("IMG_0001.jpg", "IMG_0001.png"),
            ("IMG_*.jpg", "xIMG_1.jpg"),
            ("img_?7.*", "IMG_7.jpg"),
            ("beach party", "beach.jpg"),
            ("b", "a.jpg"),
        ] {
            assert!(
                !fits(given.as_bytes(), name.as_bytes()),
                "{given} finds no {name}"
            );
        }
        // Latin-1, however it is typed.
        for given in [&b"lat_\xe9.jpg"[..], "lat_\u{e9}.jpg".as_bytes(), b"lat_e"] {
            assert!(fits(given, b"lat_\xe9.jpg"), "{given:?}");
        }
        assert!(NamePattern::new(&[OsString::from(" ")]).is_err());
    }
}
