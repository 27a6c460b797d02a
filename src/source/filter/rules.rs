//! The files in a directory that say what of it is looked at: `.photondignore`, and the marks that close it.
//!
//! An ignore file that is there and cannot be read closes its directory: what it would leave out is not known.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder, Glob};
use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, statat};

use crate::photo::RelPath;
use crate::source::error::is_passing;
use crate::source::open::read_small_at;

/// The name of the file with a directory's own rules, in gitignore syntax.
pub const IGNORE_FILE: &str = ".photondignore";

/// Files that say of their directory, and of all below it, that nothing in it is for programs that
/// collect pictures: Android's, and the one for pictures alone.
pub const MARKS: [&str; 2] = [".nomedia", ".noimage"];

/// True if files of this name say what is looked at in their directory.
pub(in crate::source) fn is_rule_file(name: &[u8]) -> bool {
    name == IGNORE_FILE.as_bytes() || MARKS.iter().any(|mark| name == mark.as_bytes())
}

/// Largest ignore file read, in bytes: thousands of rules; more is no ignore file.
const IGNORE_FILE_LIMIT: u64 = 1 << 20;

/// One ignore file: its text, to see a change, and what it means.
#[derive(Debug)]
pub(super) struct Rules {
    text: Vec<u8>,
    matcher: Gitignore,
    /// The file is there and cannot be read: what it would leave out is not known, so nothing in its
    /// directory is looked at.
    unusable: Option<Unusable>,
    /// The one of [`MARKS`] that closes the directory; its ignore file is not read then.
    pub mark: Option<&'static str>,
}

/// Why an ignore file cannot be used.
#[derive(Debug, Clone)]
struct Unusable {
    /// The system's number of an error that says nothing of the file.
    passing: Option<i32>,
    text: String,
}

/// The ignore files that apply in one directory, nearest first.
#[derive(Debug, Clone, Default)]
pub(in crate::source) struct Scope(Option<Arc<ScopeNode>>);

#[derive(Debug)]
pub(super) struct ScopeNode {
    /// Bytes of a path below the root to skip to make it relative to the rules' directory.
    skip: usize,
    rules: Arc<Rules>,
    outer: Scope,
}

impl Rules {
    /// What the files of an open directory say; `None`: it has none of them.
    pub(super) fn read(fd: BorrowedFd<'_>, at: (&Path, &RelPath)) -> Option<Self> {
        let there = |mark: &&&str| statat(fd, **mark, AtFlags::SYMLINK_NOFOLLOW).is_ok();
        if let Some(mark) = MARKS.iter().find(there) {
            return Some(Self {
                mark: Some(mark),
                ..Self::none()
            });
        }
        match read_small_at(fd, c".photondignore", IGNORE_FILE_LIMIT) {
            Ok(text) => text.map(|text| Self::parse(at, text)),
            Err(error) => Some(Self::unusable(&error)),
        }
    }

    fn none() -> Self {
        Self {
            text: Vec::new(),
            matcher: Gitignore::empty(),
            unusable: None,
            mark: None,
        }
    }

    pub(super) fn unusable(error: &std::io::Error) -> Self {
        Self {
            unusable: Some(Unusable {
                passing: error.raw_os_error().filter(|_| is_passing(error)),
                text: error.to_string(),
            }),
            ..Self::none()
        }
    }

    pub(super) fn is_unusable(&self) -> bool {
        self.unusable.is_some()
    }

    /// Why they cannot be used, if they cannot.
    pub(super) fn why_unusable(&self) -> Option<std::io::Error> {
        let why = self.unusable.as_ref()?;
        Some(match why.passing {
            Some(errno) => std::io::Error::from_raw_os_error(errno),
            None => std::io::Error::other(format!("its {IGNORE_FILE}: {}", why.text)),
        })
    }

    /// The rules in an ignore file; a line that is no valid pattern is reported and skipped, so
    /// that one typing error does not bring back everything the other lines leave out.
    fn parse((root, dir): (&Path, &RelPath), text: Vec<u8>) -> Self {
        let mut builder = GitignoreBuilder::new("");
        let lines = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        for line in lines.split(|b| *b == b'\n') {
            let line = String::from_utf8_lossy(line);
            if let Err(error) = builder.add_line(None, line.trim_end_matches('\r')) {
                let at = dir.join(IGNORE_FILE.as_bytes());
                tracing::warn!(root = %root.display(), file = ?at, %error, "a rule is skipped");
            }
        }
        let matcher = builder.build().unwrap_or_else(|error| {
            tracing::warn!(root = %root.display(), ?dir, %error, "an ignore file is skipped");
            Gitignore::empty()
        });
        Self {
            text,
            matcher,
            ..Self::none()
        }
    }

    /// Whether they leave out what these do.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.text == other.text
            && self.is_unusable() == other.is_unusable()
            && self.mark == other.mark
    }

    /// The line that a pattern stands in, counted from 1; of several alike the last, which decides.
    fn line_of(&self, pattern: &str) -> Option<usize> {
        let lines: Vec<_> = self.text.split(|b| *b == b'\n').collect();
        let stands = |line: &&[u8]| {
            let line = String::from_utf8_lossy(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line));
            line.trim_end() == pattern.trim_end()
        };
        lines.iter().rposition(stands).map(|at| at + 1)
    }
}

/// A pattern that leaves a path out.
pub(super) struct Ruling<'a> {
    pub glob: &'a Glob,
    /// The ignore file it stands in; `None`: the settings.
    pub by: Option<&'a ScopeNode>,
}

impl ScopeNode {
    /// The ignore file, and the line of it that a pattern stands in. `path`: one below its directory.
    pub(super) fn place_of(&self, pattern: &str, path: &RelPath) -> (RelPath, Option<usize>) {
        let dir = &path.as_bytes()[..self.skip.saturating_sub(1)];
        let file = RelPath::from_bytes(dir).join(IGNORE_FILE.as_bytes());
        (file, self.rules.line_of(pattern))
    }
}

impl Scope {
    pub(super) fn inside(&self, dir: &RelPath, rules: &Arc<Rules>) -> Self {
        let skip = if dir.is_root() {
            0
        } else {
            dir.as_bytes().len() + 1
        };
        Self(Some(Arc::new(ScopeNode {
            skip,
            rules: Arc::clone(rules),
            outer: self.clone(),
        })))
    }

    /// The pattern that leaves a path out, if one does: of these files, the nearest first, or of the
    /// settings.
    pub(super) fn ruling<'a>(
        &'a self,
        configured: &'a Gitignore,
        path: &[u8],
        is_dir: bool,
    ) -> Option<Ruling<'a>> {
        let mut at = &self.0;
        while let Some(node) = at {
            let relative = path.get(node.skip..).unwrap_or_default();
            let relative = OsStr::from_bytes(relative);
            match node.rules.matcher.matched(relative, is_dir) {
                Match::Ignore(glob) => {
                    let by = Some(node.as_ref());
                    return Some(Ruling { glob, by });
                }
                Match::Whitelist(_) => return None,
                Match::None => at = &node.outer.0,
            }
        }
        match configured.matched(OsStr::from_bytes(path), is_dir) {
            Match::Ignore(glob) => Some(Ruling { glob, by: None }),
            Match::Whitelist(_) | Match::None => None,
        }
    }
}
