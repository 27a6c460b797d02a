//! Terms of the user's own: a pet, a house, a hobby. By their name alone, or by example photos.
//!
//! They lie in a small file that a person may edit by hand, read as a whole and replaced as a whole.
//! A file with a mistake is refused with its line, and never changed. Cost: one read.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::safe_file;

/// Folder of the file in the data directory.
pub const OWN_TERMS_DIR: &str = "vocabulary";
/// Name of the file.
pub const OWN_TERMS_FILE: &str = "own.toml";
/// Most terms: each is set against every photo.
pub const MOST_OWN_TERMS: usize = 10_000;
/// Longest name in characters; text models read about as much.
pub const LONGEST_NAME: usize = 100;

/// A photo that shows what a term means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// Where it lay when it was given.
    pub path: PathBuf,
    /// BLAKE3 of its bytes, 64 hex digits: it is found again wherever it lies.
    pub hash: String,
}

/// One term.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnTerm {
    /// What people call it.
    pub name: String,
    /// What kind of thing it is, for the eye alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Photos of it; without any, its name says what it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
}

impl OwnTerm {
    /// Stable key among all terms: `u.` and the name, made plain.
    pub fn key(&self) -> String {
        key_of(&self.name)
    }
}

fn key_of(name: &str) -> String {
    let plain: String = name
        .trim()
        .to_lowercase()
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '-' })
        .collect();
    let words: Vec<&str> = plain.split('-').filter(|w| !w.is_empty()).collect();
    format!("u.{}", words.join("-"))
}

/// What can be wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum OwnTermsError {
    /// It cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It says something that makes no sense.
    #[error("{path}, line {line}: {reason}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A name that cannot be a term's.
    #[error("{name:?} cannot be a term: {reason}")]
    Name {
        /// As given.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnTerms {
    terms: Vec<OwnTerm>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "term")]
    terms: Vec<toml::Spanned<OwnTerm>>,
}

#[derive(Serialize)]
struct Written<'a> {
    term: &'a [OwnTerm],
}

impl OwnTerms {
    /// Reads the file of a data directory; none there: no terms.
    ///
    /// # Errors
    /// If it cannot be read, or with the first bad line.
    pub fn read(data_dir: &Path) -> Result<Self, OwnTermsError> {
        let path = Self::path(data_dir);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, &path),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(OwnTermsError::Io { path, source }),
        }
    }

    /// Reads the file's text; `path` is named in errors.
    ///
    /// # Errors
    /// With the line of the first mistake.
    pub fn parse(text: &str, path: &Path) -> Result<Self, OwnTermsError> {
        let at = |offset: usize, reason: String| OwnTermsError::Line {
            path: path.to_path_buf(),
            line: text[..offset.min(text.len())].matches('\n').count() + 1,
            reason,
        };
        let file: File = toml::from_str(text).map_err(|e| {
            at(
                e.span().map_or(0, |span| span.start),
                e.message().to_owned(),
            )
        })?;
        let mut terms = Self::default();
        for spanned in file.terms {
            let offset = spanned.span().start;
            let term = spanned.into_inner();
            check_name(&term.name).map_err(|e| at(offset, e.to_string()))?;
            for example in &term.examples {
                let hex =
                    example.hash.len() == 64 && example.hash.bytes().all(|b| b.is_ascii_hexdigit());
                if !hex {
                    let reason = format!("{:?} is no BLAKE3 of 64 hex digits", example.hash);
                    return Err(at(offset, reason));
                }
            }
            if terms.find(&term.name).is_some() {
                return Err(at(offset, format!("{:?} is there twice", term.name)));
            }
            terms.terms.push(term);
        }
        if terms.terms.len() > MOST_OWN_TERMS {
            return Err(at(
                0,
                format!("more than {MOST_OWN_TERMS} terms, the most there can be"),
            ));
        }
        Ok(terms)
    }

    /// Reads the file, changes it and writes it, one process at a time; a change that fails, or changes
    /// nothing, leaves the file as it is.
    ///
    /// # Errors
    /// As [`Self::read`] and [`Self::write`], and what `change` says.
    pub fn change<T, E: From<OwnTermsError>>(
        data_dir: &Path,
        change: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let folder = data_dir.join(OWN_TERMS_DIR);
        let lock = || -> std::io::Result<std::fs::File> {
            std::fs::create_dir_all(&folder)?;
            // The folder itself is locked: it is always there, and holds nothing of the lock's.
            let folder = std::fs::File::open(&folder)?;
            rustix::fs::flock(&folder, rustix::fs::FlockOperation::LockExclusive)?;
            Ok(folder)
        };
        let _lock = lock().map_err(|source| OwnTermsError::Io {
            path: folder.clone(),
            source,
        })?;
        let before = Self::read(data_dir)?;
        let mut terms = before.clone();
        let done = change(&mut terms)?;
        if terms != before {
            terms.write(data_dir)?;
        }
        Ok(done)
    }

    /// Puts the file in place whole; what was there before stays until then.
    ///
    /// # Errors
    /// If it cannot be written.
    fn write(&self, data_dir: &Path) -> Result<(), OwnTermsError> {
        let path = Self::path(data_dir);
        let text = toml::to_string(&Written { term: &self.terms }).map_err(|e| {
            let source = std::io::Error::other(e);
            OwnTermsError::Io {
                path: path.clone(),
                source,
            }
        })?;
        safe_file::write(&path, format!("{HEAD}{text}").as_bytes())
            .map_err(|source| OwnTermsError::Io { path, source })
    }

    /// Where the file of a data directory lies.
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(OWN_TERMS_DIR).join(OWN_TERMS_FILE)
    }

    /// In the order in which they were added.
    pub fn terms(&self) -> &[OwnTerm] {
        &self.terms
    }

    /// The one of this name, whatever its case and punctuation.
    pub fn find(&self, name: &str) -> Option<&OwnTerm> {
        let key = key_of(name);
        self.terms.iter().find(|t| t.key() == key)
    }

    /// Adds a term, or replaces the one of its name; true: it replaced one.
    ///
    /// # Errors
    /// [`OwnTermsError::Name`].
    pub fn put(&mut self, term: OwnTerm) -> Result<bool, OwnTermsError> {
        check_name(&term.name)?;
        let key = term.key();
        if let Some(old) = self.terms.iter_mut().find(|t| t.key() == key) {
            *old = term;
            return Ok(true);
        }
        if self.terms.len() >= MOST_OWN_TERMS {
            return Err(OwnTermsError::Name {
                name: term.name,
                reason: "there are 10,000 terms already, the most there can be",
            });
        }
        self.terms.push(term);
        Ok(false)
    }

    /// Takes a term out, and returns it.
    pub fn remove(&mut self, name: &str) -> Option<OwnTerm> {
        let key = key_of(name);
        let at = self.terms.iter().position(|t| t.key() == key)?;
        Some(self.terms.remove(at))
    }
}

/// What stands above the terms.
const HEAD: &str = "# Terms of your own for `photond`. `photond vocab add`, `list` and `remove` look after them;\n# edited by hand they count from the next look, a few seconds later.\n\n";

fn check_name(name: &str) -> Result<(), OwnTermsError> {
    let bad = |reason| {
        Err(OwnTermsError::Name {
            name: name.to_owned(),
            reason,
        })
    };
    if key_of(name) == "u." {
        return bad("it has no letter or digit");
    }
    if name.chars().count() > LONGEST_NAME {
        return bad("it is longer than 100 characters");
    }
    if name.chars().any(char::is_control) {
        return bad("it has control characters");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn term(name: &str) -> OwnTerm {
        OwnTerm {
            name: name.to_owned(),
            category: None,
            examples: Vec::new(),
        }
    }

    fn parse(text: &str) -> Result<OwnTerms, String> {
        OwnTerms::parse(text, Path::new("own.toml")).map_err(|e| e.to_string())
    }

    #[test]
    fn mistakes_name_their_line() {
        let hash = "ab".repeat(32);
        let good = format!(
            "[[term]]\nname = 'Rex'\ncategory = 'pet'\nexamples = [{{ path = '/p/a.jpg', hash = '{hash}' }}]\n"
        );
        assert_eq!(parse(&good).unwrap().terms().len(), 1);
        for (text, line, why) in [
            (
                format!("{good}\n[[term]]\nname = 'rex!'\n"),
                "line 6",
                "twice",
            ),
            (format!("{good}\n[[term]]\nnam = 'x'\n"), "line 7", "nam"),
            (good.replace(&hash, "abc"), "line 1", "BLAKE3"),
            ("[[term]]\nname = '  '\n".to_owned(), "line 1", "no letter"),
            ("[[term]]\nname = \n".to_owned(), "line 2", ""),
        ] {
            let e = parse(&text).unwrap_err();
            assert!(e.contains(line) && e.contains(why), "{e}");
        }
    }

    #[test]
    fn a_name_is_the_same_in_any_case() {
        let mut own = OwnTerms::default();
        assert!(!own.put(term("Grandma's house")).unwrap());
        assert!(own.put(term("grandma S HOUSE")).unwrap());
        assert_eq!(own.terms()[0].key(), "u.grandma-s-house");
        assert!(own.find("Grandma's House").is_some());
        assert!(own.put(term("\u{1b}[31m")).is_err());
        assert!(own.put(term(&"x".repeat(101))).is_err());
        assert!(own.remove("GRANDMA'S house").is_some() && own.terms().is_empty());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(names in prop::collection::vec("[^\\p{C}]{1,20}", 0..8)) {
            let dir = tempfile::tempdir().unwrap();
            let mut own = OwnTerms::default();
            for name in &names {
                let _ = own.put(OwnTerm {
                    category: Some(name.clone()),
                    examples: vec![Example { path: PathBuf::from(name), hash: "0f".repeat(32) }],
                    ..term(name)
                });
            }
            own.write(dir.path()).unwrap();
            prop_assert_eq!(&OwnTerms::read(dir.path()).unwrap(), &own);
        }
    }
}
