//! Symbolic links below a root, where a person wants them followed.
//!
//! A link to a folder is no way into it: the folder becomes a root of its own, under its own path, with
//! its own watch and volume. A link to a file is taken for the file, at the link's path. Each target
//! counts once: one that lies in a root is found there, and of several links to one file the first is
//! taken. A folder around a root is not followed, which is how there can be no circle.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustix::fd::AsFd;
use rustix::fs::{AtFlags, FileType, readlinkat, statat};

use super::open::{descend, open_root, stamp_of};
use crate::photo::{FileStamp, RelPath};

/// Whether the last name of a path may be a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// It is nothing then.
    Refused,
    /// It stands for what it leads to.
    Followed,
}

/// What a link leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkTarget {
    /// A folder, by its real path.
    Folder(PathBuf),
    /// A regular file, by its real path.
    File(PathBuf, FileStamp),
    /// Nothing now.
    Nowhere,
}

/// What is known of links, shared by all roots of a process.
#[derive(Debug, Default)]
pub struct SharedLinks {
    /// Folders that are looked at by themselves.
    roots: RwLock<Vec<PathBuf>>,
    /// Files that links lead to, and the link that each is taken at.
    taken: Mutex<HashMap<PathBuf, PathBuf>>,
}

/// The links of one root.
#[derive(Debug, Default)]
pub(super) struct RootLinks {
    shared: RwLock<Arc<SharedLinks>>,
    folders: Mutex<BTreeMap<RelPath, PathBuf>>,
}

impl SharedLinks {
    /// These folders are looked at by themselves.
    pub fn set_roots(&self, roots: Vec<PathBuf>) {
        *self.roots.write().unwrap_or_else(PoisonError::into_inner) = roots;
    }

    fn is_in_a_root(&self, target: &Path) -> bool {
        let roots = self.roots.read().unwrap_or_else(PoisonError::into_inner);
        roots.iter().any(|root| target.starts_with(root))
    }

    /// Whether a file is to be taken at this link.
    fn takes(&self, link: &Path, target: &Path) -> bool {
        if self.is_in_a_root(target) {
            return false;
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let first = taken
            .entry(target.to_path_buf())
            .or_insert_with(|| link.to_path_buf());
        if first != link && std::fs::canonicalize(&*first).is_ok_and(|leads_to| leads_to == target)
        {
            return false;
        }
        *first = link.to_path_buf();
        true
    }
}

impl RootLinks {
    pub(super) fn share(&self, shared: &Arc<SharedLinks>) {
        *self.shared.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(shared);
    }

    pub(super) fn takes(&self, link: &Path, target: &Path) -> bool {
        let shared = self.shared.read().unwrap_or_else(PoisonError::into_inner);
        shared.takes(link, target)
    }

    pub(super) fn folders(&self) -> Vec<PathBuf> {
        let folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        folders.values().cloned().collect()
    }

    /// The links to folders that were found at and below `dir`, all there are. True if that is news. One
    /// that leads nowhere now leads where it did: a disk may be away.
    pub(super) fn found(&self, dir: &RelPath, links: Vec<(RelPath, LinkTarget)>) -> bool {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let before = folders.clone();
        folders.retain(|link, _| !link.is_within(dir));
        for (link, target) in links {
            match (target, before.get(&link)) {
                (LinkTarget::Folder(target), _) => drop(folders.insert(link, target)),
                (LinkTarget::Nowhere, Some(target)) => drop(folders.insert(link, target.clone())),
                (LinkTarget::Nowhere, None) | (LinkTarget::File(..), _) => {}
            }
        }
        *folders != before
    }

    pub(super) fn is_known(&self, link: &RelPath) -> bool {
        let folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        folders.contains_key(link)
    }
}

/// Where the link at `rel` below `root` leads; `None`: there is no link, or no way to it without one.
pub(super) fn target_of(root: &Path, rel: &RelPath) -> Option<LinkTarget> {
    let base = open_root(root).ok()?;
    let parent = rel.parent().unwrap_or_default();
    let dir = descend(base.as_fd(), parent.as_bytes()).ok()?;
    readlinkat(&dir, rel.name(), Vec::new()).ok()?;
    let Ok(real) = std::fs::canonicalize(rel.under(root)) else {
        return Some(LinkTarget::Nowhere);
    };
    let Ok(found) = statat(&dir, rel.name(), AtFlags::empty()) else {
        return Some(LinkTarget::Nowhere);
    };
    Some(match FileType::from_raw_mode(found.st_mode) {
        FileType::Directory => LinkTarget::Folder(real),
        FileType::RegularFile => LinkTarget::File(real, stamp_of(&found)),
        _ => LinkTarget::Nowhere,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn rel(path: &str) -> RelPath {
        RelPath::from_bytes(path)
    }

    #[test]
    fn a_link_leads_to_a_folder_a_file_or_nowhere() {
        let t = tempfile::tempdir().unwrap();
        let t = std::fs::canonicalize(t.path()).unwrap();
        let root = t.join("root");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::create_dir(t.join("other")).unwrap();
        std::fs::write(t.join("p.jpg"), b"x").unwrap();
        symlink("../other", root.join("folder")).unwrap();
        symlink("../../p.jpg", root.join("sub/p.jpg")).unwrap();
        symlink("nothing", root.join("away")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        symlink("/dev/null", root.join("device.jpg")).unwrap();
        symlink("sub", root.join("in")).unwrap();
        let target = |path: &str| target_of(&root, &rel(path));
        assert_eq!(target("folder"), Some(LinkTarget::Folder(t.join("other"))));
        let Some(LinkTarget::File(real, stamp)) = target("sub/p.jpg") else {
            panic!("it is a file");
        };
        assert_eq!((real, stamp.size), (t.join("p.jpg"), 1));
        for nowhere in ["away", "loop", "device.jpg"] {
            assert_eq!(target(nowhere), Some(LinkTarget::Nowhere), "{nowhere}");
        }
        for none in ["sub", "nix", "in/p.jpg"] {
            assert_eq!(target(none), None, "{none}");
        }
    }

    #[test]
    fn each_target_is_taken_once() {
        let t = tempfile::tempdir().unwrap();
        let t = std::fs::canonicalize(t.path()).unwrap();
        let (file, one, two) = (t.join("p.jpg"), t.join("1.jpg"), t.join("2.jpg"));
        std::fs::write(&file, b"x").unwrap();
        symlink(&file, &one).unwrap();
        symlink(&file, &two).unwrap();
        let links = SharedLinks::default();
        assert!(links.takes(&one, &file) && !links.takes(&two, &file) && links.takes(&one, &file));
        std::fs::remove_file(&one).unwrap();
        assert!(links.takes(&two, &file), "the first one is gone");
        links.set_roots(vec![t.clone()]);
        assert!(!links.takes(&two, &file), "found where it lies");
    }

    #[test]
    fn a_link_that_leads_nowhere_for_now_is_kept() {
        let links = RootLinks::default();
        let folder = |path: &str| LinkTarget::Folder(path.into());
        assert!(links.found(
            &rel(""),
            vec![(rel("a"), folder("/x")), (rel("b/c"), folder("/y"))]
        ));
        assert!(!links.found(&rel("b"), vec![(rel("b/c"), LinkTarget::Nowhere)]));
        assert_eq!(links.folders(), [PathBuf::from("/x"), PathBuf::from("/y")]);
        assert!(links.found(&rel("b"), Vec::new()) && links.is_known(&rel("a")));
        assert!(!links.found(
            &rel(""),
            vec![
                (rel("a"), LinkTarget::Nowhere),
                (rel("z"), LinkTarget::Nowhere)
            ]
        ));
        assert_eq!(links.folders(), [PathBuf::from("/x")]);
    }
}
