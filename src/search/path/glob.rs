//! A pattern over whole paths, put to folders first.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use globset::{GlobBuilder, GlobMatcher};

use super::given::nfc;
use crate::search::error::SearchError;

/// See the module.
pub(super) struct Glob {
    whole: GlobMatcher,
    /// The same in two parts, if it can be put so.
    parts: Option<Parts>,
    /// A last `*` or `**` is about what lies in a folder.
    folders_match: bool,
}

struct Parts {
    /// `None`: any folder.
    folder: Option<GlobMatcher>,
    deeper: Option<GlobMatcher>,
    /// `None`: any name.
    name: Option<GlobMatcher>,
}

impl Glob {
    /// # Errors
    /// A pattern that is none.
    pub fn new(pattern: &str, typed: String) -> Result<Self, SearchError> {
        let matcher = |pattern: &str| {
            let built = GlobBuilder::new(pattern).literal_separator(true).build();
            built
                .map(|g| g.compile_matcher())
                .map_err(|e| SearchError::BadGlob {
                    given: typed.clone(),
                    reason: e.kind().to_string(),
                })
        };
        let whole = matcher(pattern)?;
        let last = pattern.rsplit('/').next().unwrap_or(pattern);
        let parts = match in_two(pattern) {
            None => None,
            Some((folder, name)) => {
                // `a/**` is what lies in a, at any depth; `a/**/x` may lie in a itself.
                let below = name == "**";
                let (folder, any_depth) = match folder.strip_suffix("/**") {
                    Some(upper) => (upper, true),
                    None => (folder, below),
                };
                let anywhere = folder == "**" || (folder.is_empty() && any_depth);
                let deeper = (any_depth && !anywhere).then(|| matcher(&format!("{folder}/**")));
                Some(Parts {
                    folder: (!anywhere).then(|| matcher(folder)).transpose()?,
                    deeper: deeper.transpose()?,
                    name: (!below && name != "*").then(|| matcher(name)).transpose()?,
                })
            }
        };
        Ok(Self {
            whole,
            parts,
            folders_match: last != "*" && last != "**",
        })
    }

    /// Whether a folder, or one above it, matches: then all that is in it is meant.
    pub fn takes_folder(&self, path: &[u8]) -> bool {
        if !self.folders_match {
            return false;
        }
        let ends = path.iter().enumerate().filter(|(_, b)| **b == b'/');
        let ends = ends.map(|(at, _)| at).chain([path.len()]);
        let mut above = ends.filter(|end| *end > 0).map(|end| &path[..end]);
        above.any(|folder| self.is_match(folder))
    }

    /// Whether a file in this very folder may match.
    pub fn may_be_in(&self, folder: &[u8]) -> bool {
        let Some(parts) = &self.parts else {
            return true;
        };
        let folder = OsStr::from_bytes(folder);
        let is = |glob: &Option<GlobMatcher>| glob.as_ref().is_some_and(|g| g.is_match(folder));
        parts.folder.is_none() || is(&parts.folder) || is(&parts.deeper)
    }

    /// Whether every file of the folders that [may have some](Self::may_be_in) matches.
    pub fn is_all_files(&self) -> bool {
        self.parts
            .as_ref()
            .is_some_and(|parts| parts.name.is_none())
    }

    /// Whether a file of such a folder matches, if its name tells.
    pub fn by_name(&self, name: &[u8]) -> Option<bool> {
        let glob = self.parts.as_ref()?.name.as_ref()?;
        Some(glob.is_match(OsStr::from_bytes(&nfc(name))))
    }

    /// Whether a whole path, in one Unicode form, matches.
    pub fn is_match(&self, path: &[u8]) -> bool {
        self.whole.is_match(OsStr::from_bytes(path))
    }
}

/// A pattern for the folder and one for the name, if it is that: no braces or brackets with a slash in
/// them, no `**` that is part of a name.
fn in_two(pattern: &str) -> Option<(&str, &str)> {
    let (folder, name) = pattern.rsplit_once('/')?;
    let is_whole = |part: &str| {
        let count = |c| part.matches(c).count();
        count('{') == count('}') && count('[') == count(']')
    };
    let plain = name == "**" || !name.contains("**");
    (plain && is_whole(folder) && is_whole(name) && !pattern.contains('\\'))
        .then_some((folder, name))
}
