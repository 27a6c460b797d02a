//! The tree of folders, with how many photos are in each with all that lies below.
//!
//! The index has a row for a folder with photos and none for one that holds only folders. Such a folder is
//! told by one that has a row, and by how far above that it lies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::answer::Failed;
use crate::photo::RelPath;
use crate::store::{FolderRow, StoreReader};

/// Folders above one with a row that can be told: the deepest tree that is shown whole.
const MOST_ABOVE: u64 = 64;

/// A folder: 64 × `folders.id`, and how many levels above that one it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct FolderId(u64);

impl FolderId {
    fn above(row: i64, levels: usize) -> Self {
        let levels = (levels as u64).min(MOST_ABOVE - 1);
        Self(u64::try_from(row).unwrap_or(0) * MOST_ABOVE + levels)
    }

    /// The folder among these: its root, and its path below that.
    fn find(self, rows: &[FolderRow]) -> Result<(i64, RelPath), Failed> {
        let id = i64::try_from(self.0 / MOST_ABOVE).unwrap_or(-1);
        let row = rows.iter().find(|row| row.id == id);
        let row = row.ok_or_else(|| Failed::not_there("there is no such folder with photos"))?;
        let mut path = row.path.clone();
        for _ in 0..self.0 % MOST_ABOVE {
            path = path
                .parent()
                .ok_or_else(|| Failed::not_there("there is no such folder"))?;
        }
        Ok((row.root, path))
    }

    /// Its whole path.
    pub fn path(self, reader: &StoreReader) -> Result<PathBuf, Failed> {
        let (root, path) = self.find(&reader.folders()?)?;
        let row = reader.roots()?.into_iter().find(|row| row.id == root);
        let row = row.ok_or_else(|| Failed::not_there("there is no such folder"))?;
        Ok(path.under(&row.path))
    }
}

/// A folder in a list.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct ListedFolder {
    id: FolderId,
    name: String,
    /// Lossy where the name is not UTF-8.
    path: String,
    /// Photos in it and in all folders below.
    photos: i64,
    /// Folders right below.
    folders: usize,
}

/// What is known of a child while rows are looked through.
struct Child {
    id: FolderId,
    levels: usize,
    photos: i64,
    folders: BTreeSet<Vec<u8>>,
}

/// The folders right below one; without one, the roots.
pub(super) fn list(
    reader: &StoreReader,
    under: Option<FolderId>,
) -> Result<Vec<ListedFolder>, Failed> {
    let rows = reader.folders()?;
    let roots = reader.roots()?;
    let mut listed = Vec::new();
    let Some(under) = under else {
        for root in roots {
            let children = children(&rows, root.id, None);
            listed.extend(children.into_values().map(|child| ListedFolder {
                id: child.id,
                name: root.path.to_string_lossy().into_owned(),
                path: root.path.to_string_lossy().into_owned(),
                photos: child.photos,
                folders: child.folders.len(),
            }));
        }
        return Ok(listed);
    };
    let (root, path) = under.find(&rows)?;
    let root = roots.iter().find(|row| row.id == root);
    let root = root.ok_or_else(|| Failed::not_there("there is no such folder"))?;
    for (name, child) in children(&rows, root.id, Some(&path)) {
        listed.push(ListedFolder {
            id: child.id,
            name: String::from_utf8_lossy(&name).into_owned(),
            path: path
                .join(&name)
                .under(&root.path)
                .to_string_lossy()
                .into_owned(),
            photos: child.photos,
            folders: child.folders.len(),
        });
    }
    Ok(listed)
}

/// The folders right below `parent` by name; without a parent, the root itself under no name.
fn children(rows: &[FolderRow], root: i64, parent: Option<&RelPath>) -> BTreeMap<Vec<u8>, Child> {
    let mut children: BTreeMap<Vec<u8>, Child> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.root == root) {
        let (name, below) = match parent {
            None => (Vec::new(), row.path.as_bytes()),
            Some(parent) => {
                if row.path == *parent || !row.path.is_within(parent) {
                    continue;
                }
                let skip = parent.as_bytes().len() + usize::from(!parent.is_root());
                let rest = &row.path.as_bytes()[skip..];
                let end = rest.iter().position(|b| *b == b'/').unwrap_or(rest.len());
                let below = rest.get(end + 1..).unwrap_or_default();
                (rest[..end].to_vec(), below)
            }
        };
        let names = below.split(|b| *b == b'/').filter(|name| !name.is_empty());
        let levels = names.clone().count();
        let id = FolderId::above(row.id, levels);
        let child = children.entry(name).or_insert_with(|| Child {
            id,
            levels,
            photos: 0,
            folders: BTreeSet::new(),
        });
        // The nearest row tells it: the folder's own if it has one.
        if levels < child.levels {
            (child.id, child.levels) = (id, levels);
        }
        child.photos += row.photos;
        child.folders.extend(names.take(1).map(<[u8]>::to_vec));
    }
    children
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, path: &str, photos: i64) -> FolderRow {
        FolderRow {
            id,
            root: 1,
            path: RelPath::from_bytes(path),
            photos,
        }
    }

    fn named(children: BTreeMap<Vec<u8>, Child>) -> Vec<(String, u64, i64, usize)> {
        let name = |bytes| String::from_utf8(bytes).unwrap();
        let children = children.into_iter();
        children
            .map(|(n, c)| (name(n), c.id.0, c.photos, c.folders.len()))
            .collect()
    }

    #[test]
    fn folders_without_photos_are_told_by_those_below() {
        let rows = [
            row(1, "2019/05", 3),
            row(2, "2019/06/a", 2),
            row(3, "2019/06", 4),
            row(4, "2019x", 1),
        ];
        let root = children(&rows, 1, None);
        assert_eq!(named(root), [(String::new(), 4 * 64 + 1, 10, 2)]);
        let top = RelPath::root();
        let below = named(children(&rows, 1, Some(&top)));
        assert_eq!(
            below,
            [
                ("2019".to_owned(), 64 + 1, 9, 2),
                ("2019x".to_owned(), 4 * 64, 1, 0)
            ]
        );
        let year = FolderId(64 + 1).find(&rows).unwrap();
        assert_eq!(year, (1, RelPath::from_bytes("2019")));
        let months = named(children(&rows, 1, Some(&year.1)));
        assert_eq!(
            months,
            [("05".to_owned(), 64, 3, 0), ("06".to_owned(), 3 * 64, 6, 1)]
        );
        assert_eq!(
            FolderId(2 * 64).find(&rows).unwrap().1.as_bytes(),
            b"2019/06/a"
        );
        for wrong in [0, 9 * 64, 64 + 3, u64::MAX] {
            assert!(FolderId(wrong).find(&rows).is_err(), "{wrong}");
        }
    }
}
