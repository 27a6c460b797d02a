//! Floor 1: a folder of symbolic links to photos.
//!
//! It is a new or an empty folder, and what is in it meanwhile stays: making a link never replaces a file. Photos
//! keep their names; of several with one name the later ones get a number.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::photo::split_name;

/// A folder that is being filled with links.
pub(crate) struct LinkFolder {
    folder: PathBuf,
    names: FreeNames,
    links: usize,
}

impl LinkFolder {
    /// The folder is made, with those above it, when it gets its first link; one that is there must be empty.
    ///
    /// # Errors
    /// [`io::ErrorKind::DirectoryNotEmpty`] if there is something in it; else what the system says.
    pub fn begin(folder: &Path) -> io::Result<Self> {
        match fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
            Ok(true) => return Err(io::ErrorKind::DirectoryNotEmpty.into()),
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        Ok(Self {
            folder: folder.to_path_buf(),
            names: FreeNames::default(),
            links: 0,
        })
    }

    /// Adds a link to a photo under this name, or the next that is free. The error says at which path.
    ///
    /// # Errors
    /// What the system says.
    pub fn add(&mut self, name: &[u8], photo: &Path) -> io::Result<()> {
        let said =
            |at: &Path, e: &io::Error| io::Error::new(e.kind(), format!("{}: {e}", at.display()));
        if self.links == 0 {
            fs::create_dir_all(&self.folder).map_err(|e| said(&self.folder, &e))?;
        }
        loop {
            let link = self.folder.join(self.names.free(name));
            match symlink(photo, &link) {
                Ok(()) => break,
                // Somebody else's, or one that differs from ours in a way that this file system does not see.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(said(&link, &e)),
            }
        }
        self.links += 1;
        Ok(())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Links made.
    pub fn links(&self) -> usize {
        self.links
    }
}

/// File names that are given once: `IMG_1.jpg`, `IMG_1 (2).jpg`.
#[derive(Default)]
pub(crate) struct FreeNames(HashSet<Vec<u8>>);

impl FreeNames {
    /// This name, or the next that has not been given.
    pub fn free(&mut self, name: &[u8]) -> OsString {
        let mut free = name.to_vec();
        let mut nth = 1;
        // Case aside: archives are unpacked on any system.
        while !self.0.insert(free.to_ascii_lowercase()) {
            nth += 1;
            let (stem, ending) = split_name(name).map_or((name, &b""[..]), |(s, e)| (s, e));
            free = [stem, format!(" ({nth})").as_bytes()].concat();
            if !ending.is_empty() {
                free.push(b'.');
                free.extend_from_slice(ending);
            }
        }
        OsString::from_vec(free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_given_once() {
        let mut names = FreeNames::default();
        let mut free = |name: &str| names.free(name.as_bytes()).into_string().unwrap();
        assert_eq!(free("a.jpg"), "a.jpg");
        assert_eq!(free("A.JPG"), "A (2).JPG");
        assert_eq!(free("a.jpg"), "a (3).jpg");
        assert_eq!(free("a (3).jpg"), "a (3) (2).jpg");
        assert_eq!(
            (free(".x"), free(".x")),
            (".x".to_owned(), ".x (2)".to_owned())
        );
    }

    #[test]
    fn nothing_that_is_there_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("new/dogs");
        let mut links = LinkFolder::begin(&folder).unwrap();
        assert!(!folder.exists(), "nothing was found yet");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a.jpg"), "somebody's").unwrap();
        links.add(b"a.jpg", Path::new("/p/a.jpg")).unwrap();
        links.add(b"a.jpg", Path::new("/q/a.jpg")).unwrap();
        assert_eq!(links.links(), 2);
        assert_eq!(fs::read(folder.join("a.jpg")).unwrap(), b"somebody's");
        let led = |name: &str| fs::read_link(folder.join(name)).unwrap();
        assert_eq!(led("a (2).jpg"), Path::new("/p/a.jpg"));
        assert_eq!(led("a (3).jpg"), Path::new("/q/a.jpg"));
        let refused = LinkFolder::begin(&folder).err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::DirectoryNotEmpty);
    }
}
