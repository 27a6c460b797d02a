//! `--path`: folders and files as a person names them, found in the index.
//!
//! Only what the index holds is asked, so that the answer is the same whether a disk is there or not;
//! links and `..` are resolved where the way exists. In this order:
//!
//! 1. a folder or file of just that path, from here or from the root of all folders, whatever
//!    characters it has;
//! 2. if it does not begin with a slash or a dot: folders of that name at any depth, else files;
//! 3. a pattern: `*` and `?` stay in a folder, `**` crosses folders; one that does not begin with a
//!    slash may match at any depth. A folder that matches means all that is in it, but for a last `*`,
//!    which is what lies in a folder and not below.
//!
//! Names are compared in one Unicode form; upper and lower case are different names, as on the disk.
//! Mostly folders are looked at, of which there are few, and then the photos in those that match.

mod given;
mod glob;
mod nothing;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

pub use given::GivenPath;
pub use nothing::PathHint;

use super::error::SearchError;
use crate::photo::RelPath;
use crate::store::{FolderRow, PhotoFilter, RootRow, StoreReader};
use given::{Given, nfc};
use glob::Glob;

/// What a path means in this index.
pub(super) struct PathPattern {
    /// The folders (`folders.id`) that photos must lie in; `None`: any.
    pub folders: Option<Vec<i64>>,
    /// Folders that are meant with all photos in them.
    whole: HashSet<(i64, Vec<u8>)>,
    /// Which files of the others are meant.
    files: Files,
    roots: Vec<RootRow>,
}

/// Files that are meant by themselves.
enum Files {
    /// All of the folders, which are all there is to check.
    All,
    None,
    /// Just this one.
    One(i64, RelPath),
    /// Whose whole path ends with this, a slash first.
    EndingWith(Vec<u8>),
    Matching(Box<Glob>),
}

impl PathPattern {
    /// # Errors
    /// A pattern that is none; the database.
    pub fn new(reader: &StoreReader, given: &GivenPath) -> Result<Self, SearchError> {
        let known = Known {
            roots: reader.roots()?,
            folders: reader.folders()?,
        };
        let given = Given::new(given);
        for path in given.absolute() {
            if let Some(found) = known.exactly(reader, &path)? {
                return Ok(found);
            }
        }
        if let Some(tail) = given.tail() {
            if let Some(found) = known.named(&tail) {
                return Ok(found);
            }
            let ending = [b"/", &tail[..]].concat();
            let found = known.with(Files::EndingWith(ending), None);
            if !given.is_pattern() || found.finds_any(reader)? {
                return Ok(found);
            }
        }
        if !given.is_pattern() || given.lies_in(&known.roots) {
            return Ok(known.with(Files::None, Some(Vec::new())));
        }
        let mut first = None;
        for pattern in given.patterns() {
            let found = known.matching(Glob::new(&pattern, given.typed())?);
            if found.finds_any(reader)? {
                return Ok(found);
            }
            first.get_or_insert(found);
        }
        Ok(first.unwrap_or_else(|| known.with(Files::None, Some(Vec::new()))))
    }

    /// Whether [`Self::fits`] has anything to say beside the folders.
    pub fn is_checked(&self) -> bool {
        !matches!(self.files, Files::All)
    }

    /// Whether a path in one of the folders is meant.
    pub fn fits(&self, root: i64, path: &RelPath) -> bool {
        let whole = || {
            let folder = path.parent().unwrap_or_default();
            !self.whole.is_empty() && self.whole.contains(&(root, folder.as_bytes().to_vec()))
        };
        let absolute = || {
            let row = self.roots.iter().find(|row| row.id == root)?;
            Some(absolute(&row.path, path))
        };
        let named = match &self.files {
            Files::All => true,
            Files::None => false,
            Files::One(of, this) => (*of, this) == (root, path),
            Files::EndingWith(tail) => {
                // Most names tell by their last letters.
                let ends = |path: &[u8]| path.ends_with(tail);
                absolute().is_some_and(|path| ends(&nfc(&path)))
            }
            Files::Matching(glob) => match glob.by_name(path.name()) {
                Some(matches) => matches,
                None => absolute().is_some_and(|path| glob.is_match(&nfc(&path))),
            },
        };
        named || whole()
    }

    /// Whether it means any photo.
    fn finds_any(&self, reader: &StoreReader) -> Result<bool, SearchError> {
        if matches!(self.files, Files::All | Files::None) && self.whole.is_empty() {
            return Ok(self.folders.as_ref().is_none_or(|ids| !ids.is_empty()));
        }
        let fits = |root, path: &RelPath| self.fits(root, path);
        let filter = PhotoFilter {
            folders: self.folders.clone(),
            path: Some(&fits),
            ..PhotoFilter::default()
        };
        let mut any = false;
        reader.list(&filter, None, &mut |_| {
            any = true;
            std::ops::ControlFlow::Break(())
        })?;
        Ok(any)
    }
}

/// The folders that the index has photos in.
struct Known {
    roots: Vec<RootRow>,
    folders: Vec<FolderRow>,
}

impl Known {
    fn with(&self, files: Files, folders: Option<Vec<i64>>) -> PathPattern {
        PathPattern {
            folders,
            whole: HashSet::new(),
            files,
            roots: self.roots.clone(),
        }
    }

    /// The whole path of a folder, in one Unicode form.
    fn path_of(&self, folder: &FolderRow) -> Option<Vec<u8>> {
        let root = self.roots.iter().find(|row| row.id == folder.root)?;
        Some(nfc(&absolute(&root.path, &folder.path)).into_owned())
    }

    fn ids(&self, matches: impl Fn(&[u8]) -> bool) -> Vec<i64> {
        let folders = self.folders.iter();
        let matching = folders.filter(|folder| self.path_of(folder).is_some_and(|p| matches(&p)));
        matching.map(|folder| folder.id).collect()
    }

    /// A folder, or a file, of just this path.
    fn exactly(
        &self,
        reader: &StoreReader,
        path: &Path,
    ) -> Result<Option<PathPattern>, SearchError> {
        use std::os::unix::ffi::OsStrExt;
        let bytes = path.as_os_str().as_bytes();
        let form = nfc(bytes);
        let below = [form.strip_suffix(b"/").unwrap_or(&form), b"/"].concat();
        let ids = self.ids(|folder| folder == &*form || folder.starts_with(&below));
        if !ids.is_empty() {
            return Ok(Some(self.with(Files::All, Some(ids))));
        }
        for row in &self.roots {
            for spelling in given::spellings(path) {
                let Some(rel) = RelPath::below(&row.path, &spelling) else {
                    continue;
                };
                if reader.photo_at(row.id, &rel)?.is_none() {
                    continue;
                }
                let dir = rel.parent().unwrap_or_default();
                let mut folders = self.folders.iter();
                let folder = folders.find(|f| f.root == row.id && f.path == dir);
                let folders = folder.map(|folder| vec![folder.id]);
                return Ok(Some(self.with(Files::One(row.id, rel), folders)));
            }
        }
        Ok(None)
    }

    /// Folders that end with these names, at any depth, with all in them.
    fn named(&self, tail: &[u8]) -> Option<PathPattern> {
        let within = [b"/", tail, b"/"].concat();
        let ids = self.ids(|folder| {
            let closed = [folder, b"/"].concat();
            memchr::memmem::find(&closed, &within).is_some()
        });
        (!ids.is_empty()).then(|| self.with(Files::All, Some(ids)))
    }

    fn matching(&self, glob: Glob) -> PathPattern {
        let mut whole = HashSet::new();
        let mut candidates = Vec::new();
        for folder in &self.folders {
            let Some(path) = self.path_of(folder) else {
                continue;
            };
            if glob.takes_folder(&path) {
                whole.insert((folder.root, folder.path.as_bytes().to_vec()));
                candidates.push(folder.id);
            } else if glob.may_be_in(&path) {
                candidates.push(folder.id);
            }
        }
        let everywhere = candidates.len() == self.folders.len();
        let files = if glob.is_all_files() {
            Files::All
        } else {
            Files::Matching(Box::new(glob))
        };
        PathPattern {
            whole,
            ..self.with(files, (!everywhere).then_some(candidates))
        }
    }
}

/// The bytes of a path below a root.
fn absolute(root: &Path, path: &RelPath) -> Vec<u8> {
    use std::os::unix::ffi::OsStringExt;
    let whole: PathBuf = path.under(root);
    whole.into_os_string().into_vec()
}

#[cfg(test)]
mod tests;
