//! Why a path finds nothing: where it lies, and what it may have been meant for.

use std::path::PathBuf;

use super::given::{Given, GivenPath, clean};
use super::{Known, PathPattern, absolute};
use crate::said::text::bare;
use crate::search::error::SearchError;
use crate::search::query::Searcher;
use crate::store::{PhotoFilter, StoreReader};

/// Names offered at most.
const MOST: usize = 5;

/// What is to be said of a path that finds nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathHint {
    /// The whole path, if it is one and no pattern.
    pub path: Option<PathBuf>,
    /// The root that it lies in.
    pub root: Option<PathBuf>,
    /// All roots.
    pub roots: Vec<PathBuf>,
    /// Paths that differ from it in case or accents only.
    pub similar: Vec<PathBuf>,
}

impl Searcher<'_> {
    /// What is to be said of a path that no photo lies at; `None`: there are some, and it is other
    /// conditions that find nothing.
    ///
    /// # Errors
    /// A pattern that is none; the database.
    pub fn nothing_at(&self, given: &GivenPath) -> Result<Option<PathHint>, SearchError> {
        if PathPattern::new(self.reader, given)?.finds_any(self.reader)? {
            return Ok(None);
        }
        let known = Known {
            roots: self.reader.roots()?,
            folders: self.reader.folders()?,
        };
        let taken = Given::new(given);
        let path = (!taken.is_pattern() || taken.lies_in(&known.roots)).then(|| taken.absolute());
        let mut roots: Vec<PathBuf> = known.roots.iter().map(|row| row.path.clone()).collect();
        roots.dedup();
        let root = path.iter().flatten().find_map(|path| {
            let around = roots.iter().filter(|root| path.starts_with(root));
            around.max_by_key(|root| root.components().count()).cloned()
        });
        let similar = match taken.is_pattern() {
            true => Vec::new(),
            false => similar(self.reader, &known, given)?,
        };
        Ok(Some(PathHint {
            path: path.and_then(|paths| paths.into_iter().last()),
            root,
            roots,
            similar,
        }))
    }
}

/// Folders, else files, that end with the same names but for case and accents.
fn similar(
    reader: &StoreReader,
    known: &Known,
    given: &GivenPath,
) -> Result<Vec<PathBuf>, SearchError> {
    let typed = clean(std::path::Path::new(&given.typed));
    let tail = bare(&typed.to_string_lossy());
    let tail = format!("/{}", tail.trim_start_matches('/'));
    let mut found: Vec<PathBuf> = Vec::new();
    let mut offer = |path: PathBuf| {
        if found.len() < MOST && !found.contains(&path) {
            found.push(path);
        }
    };
    for row in &known.roots {
        let folders = known.folders.iter().filter(|folder| folder.root == row.id);
        for folder in folders {
            let whole = folder.path.under(&row.path);
            for above in whole.ancestors() {
                if bare(&above.to_string_lossy()).ends_with(&tail) {
                    offer(above.to_path_buf());
                }
            }
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let fits = |root: i64, path: &crate::photo::RelPath| {
        let row = known.roots.iter().find(|row| row.id == root);
        row.is_some_and(|row| {
            let whole = absolute(&row.path, path);
            bare(&String::from_utf8_lossy(&whole)).ends_with(&tail)
        })
    };
    let filter = PhotoFilter {
        path: Some(&fits),
        ..PhotoFilter::default()
    };
    reader.list(&filter, None, &mut |hit| {
        let path = hit.path.under(&hit.root);
        if !found.contains(&path) {
            found.push(path);
        }
        match found.len() < MOST {
            true => std::ops::ControlFlow::Continue(()),
            false => std::ops::ControlFlow::Break(()),
        }
    })?;
    Ok(found)
}
