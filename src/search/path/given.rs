//! A path as it was typed: from here or from the root, with dots and links, whole or in part.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

use crate::store::RootRow;

/// What was typed, and the folder it was typed in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GivenPath {
    /// Bytes as they were given; `~` is resolved.
    pub typed: OsString,
    /// The working directory.
    pub here: PathBuf,
}

/// The same, taken apart.
pub(super) struct Given<'a> {
    from: &'a GivenPath,
    /// Begins with a slash.
    rooted: bool,
    /// Has `.` or `..` in front: it is told from here.
    from_here: bool,
}

impl<'a> Given<'a> {
    pub fn new(from: &'a GivenPath) -> Self {
        let path = Path::new(&from.typed);
        let first = path.components().next();
        let dots = matches!(first, Some(Component::CurDir | Component::ParentDir));
        Self {
            from,
            rooted: path.has_root(),
            from_here: dots || path.components().any(|c| c == Component::ParentDir),
        }
    }

    /// For a person.
    pub fn typed(&self) -> String {
        self.from.typed.to_string_lossy().into_owned()
    }

    /// What it is as a whole path: as it is told, then with links resolved as far as the way exists.
    pub fn absolute(&self) -> Vec<PathBuf> {
        let told = self.from.here.join(&self.from.typed);
        let mut paths = vec![clean(&told)];
        let real = real(&told);
        if !paths.contains(&real) {
            paths.push(real);
        }
        paths
    }

    /// Its names, in one Unicode form, if it can mean a folder or file at any depth.
    pub fn tail(&self) -> Option<Vec<u8>> {
        let free = !self.rooted && !self.from_here;
        let names = clean(Path::new(&self.from.typed));
        let bytes = names.as_os_str().as_bytes();
        (free && !bytes.is_empty()).then(|| nfc(bytes).into_owned())
    }

    /// Whether anything in it can stand for other letters.
    pub fn is_pattern(&self) -> bool {
        is_special(self.from.typed.as_bytes())
    }

    /// Whether there is such a file or folder in one of these: then it is no pattern.
    pub fn lies_in(&self, roots: &[RootRow]) -> bool {
        let real = std::fs::canonicalize(self.from.here.join(&self.from.typed));
        real.is_ok_and(|path| roots.iter().any(|row| path.starts_with(&row.path)))
    }

    /// The patterns that it may be, over whole paths: from here, if what it begins with is there, then
    /// at any depth.
    pub fn patterns(&self) -> Vec<String> {
        let free = !self.rooted && !self.from_here;
        let mut patterns = self.anchored(free);
        if free {
            let pattern = as_pattern(&nfc(self.from.typed.as_bytes()), false);
            let deep = pattern.starts_with("**");
            patterns.push(if deep {
                pattern
            } else {
                format!("**/{pattern}")
            });
        }
        patterns
    }

    /// As a path up to the first part that is none, then as a pattern.
    fn anchored(&self, only_if_there: bool) -> Vec<String> {
        let whole = self.from.here.join(&self.from.typed);
        let here = if self.rooted {
            0
        } else {
            self.from.here.components().count()
        };
        let mut plain = PathBuf::new();
        let mut parts = whole.components().enumerate();
        while let Some((at, part)) = parts.next() {
            let next = plain.join(part);
            let is_pattern = at >= here && is_special(part.as_os_str().as_bytes());
            if !is_pattern || std::fs::symlink_metadata(&next).is_ok() {
                plain = next;
                continue;
            }
            if only_if_there && at == here {
                break;
            }
            let rest: PathBuf = std::iter::once(part).chain(parts.map(|(_, p)| p)).collect();
            let rest = as_pattern(&nfc(rest.as_os_str().as_bytes()), false);
            let mut patterns: Vec<String> = [clean(&plain), real(&plain)]
                .iter()
                .map(|way| {
                    let way = as_pattern(&nfc(way.as_os_str().as_bytes()), true);
                    format!("{}/{rest}", way.trim_end_matches('/'))
                })
                .collect();
            patterns.dedup();
            return patterns;
        }
        Vec::new()
    }
}

/// Whether anything in it can stand for other letters.
fn is_special(bytes: &[u8]) -> bool {
    bytes.iter().any(|b| b"*?[{".contains(b))
}

/// Without `.`, `..` and a slash at its end; what the names stand for is not asked.
pub(super) fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    clean
}

/// With links resolved as far as the way exists.
fn real(path: &Path) -> PathBuf {
    for above in path.ancestors() {
        if let Ok(real) = std::fs::canonicalize(above) {
            let rest = path.strip_prefix(above).unwrap_or(Path::new(""));
            return clean(&real.join(rest));
        }
    }
    clean(path)
}

/// One Unicode form of what is text in it (NFC).
pub(super) fn nfc(bytes: &[u8]) -> Cow<'_, [u8]> {
    if bytes.is_ascii() {
        return Cow::Borrowed(bytes);
    }
    let mut form = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        form.extend(chunk.valid().nfc().collect::<String>().into_bytes());
        form.extend_from_slice(chunk.invalid());
    }
    Cow::Owned(form)
}

/// The ways that one path can be written on disks: as it is, composed, and decomposed as macOS does.
pub(super) fn spellings(path: &Path) -> Vec<PathBuf> {
    let mut ways = vec![path.to_path_buf()];
    if let Some(text) = path.to_str().filter(|text| !text.is_ascii()) {
        for form in [text.nfc().collect::<String>(), text.nfd().collect()] {
            let form = PathBuf::from(form);
            if !ways.contains(&form) {
                ways.push(form);
            }
        }
    }
    ways
}

/// A pattern, which is text, that matches these bytes: those that are no text match any byte.
fn as_pattern(path: &[u8], escape: bool) -> String {
    let mut pattern = String::new();
    for chunk in path.utf8_chunks() {
        if escape {
            pattern.push_str(&globset::escape(chunk.valid()));
        } else {
            pattern.push_str(chunk.valid());
        }
        pattern.extend(chunk.invalid().iter().map(|_| '?'));
    }
    pattern
}

impl GivenPath {
    /// Typed in this folder.
    pub fn new(typed: impl AsRef<OsStr>, here: impl Into<PathBuf>) -> Self {
        Self {
            typed: OsString::from_vec(typed.as_ref().as_bytes().to_vec()),
            here: here.into(),
        }
    }
}
