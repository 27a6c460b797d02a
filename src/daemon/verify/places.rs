//! Which photos a verification is about, and whether their folders are there.

use std::path::PathBuf;

use super::VerifyError;
use crate::index::Marks;
use crate::photo::RelPath;
use crate::source::{RootPresence, VolumeIdentity, identify, is_certain};
use crate::store::{IndexedFile, RootRow, StoreReader};

/// Rows read from the index at a time; no reading transaction lasts longer than that takes.
const PAGE: usize = 256;

/// One stretch of the index: a root, or a folder or a file in it.
pub(super) struct Place {
    pub root: RootRow,
    pub below: RelPath,
}

pub(super) fn places(reader: &StoreReader, paths: &[PathBuf]) -> Result<Vec<Place>, VerifyError> {
    let roots = reader.roots()?;
    if paths.is_empty() {
        let whole = |root| Place {
            root,
            below: RelPath::root(),
        };
        return Ok(roots.into_iter().map(whole).collect());
    }
    let mut places = Vec::new();
    for path in paths {
        let before = places.len();
        for root in &roots {
            // A folder around roots means all of them.
            let below = if root.path.starts_with(path) {
                Some(RelPath::root())
            } else {
                RelPath::below(&root.path, path)
            };
            places.extend(below.map(|below| Place {
                root: root.clone(),
                below,
            }));
        }
        if places.len() == before {
            return Err(VerifyError::NotIndexed(path.clone()));
        }
    }
    Ok(places)
}

/// Calls `each` for the photos of a place after a path, in order, until it says false. Whether it
/// came to the end.
pub(super) fn each_file(
    reader: &StoreReader,
    place: &Place,
    after: Option<RelPath>,
    each: &mut dyn FnMut(IndexedFile) -> Result<bool, VerifyError>,
) -> Result<bool, VerifyError> {
    let mut after = after;
    if after.is_none()
        && !place.below.is_root()
        && let Some(file) = reader.indexed_file(place.root.id, &place.below)?
        && !each(file)?
    {
        return Ok(false);
    }
    // A place that is a file sorts before all that lies below it.
    after = after.filter(|path| *path != place.below);
    loop {
        let page = reader.indexed_files(place.root.id, &place.below, after.as_ref(), PAGE)?;
        let Some(last) = page.last() else {
            return Ok(true);
        };
        after = Some(last.path.clone());
        for file in page {
            if !each(file)? {
                return Ok(false);
            }
        }
    }
}

/// Why a root's photos cannot be looked at now. A folder that another volume has taken the place of
/// is as good as none: its files would all be missing, or worse, others.
pub(super) fn why_offline(
    reader: &StoreReader,
    root: &RootRow,
) -> Result<Option<String>, VerifyError> {
    let facts = match identify(&root.path) {
        RootPresence::Present(facts) => facts,
        RootPresence::Missing => return Ok(Some("it is not there".to_owned())),
        RootPresence::NotADirectory => return Ok(Some("it is no folder".to_owned())),
        RootPresence::Unreadable(e) => return Ok(Some(e.to_string())),
    };
    let VolumeIdentity(now) = &facts.identity;
    let before = root.volume_name();
    if now == before {
        return Ok(None);
    }
    let other = Ok(Some("another volume is in its place".to_owned()));
    if is_certain(now) && is_certain(before) {
        return other;
    }
    // A name that changes with the device number: the photos themselves tell.
    let sample = reader.sample_files(root.id)?;
    match Marks::of(&root.path, &sample) {
        Marks::Same | Marks::Unknown => Ok(None),
        Marks::Other => other,
    }
}
