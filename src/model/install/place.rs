//! Where installed packs lie, and how they get there and away in one step.
//!
//! `DATA_DIR/models/NAME/` is an installed pack, always whole. Beside it may lie `.partial-NAME/`
//! (an installation under way or broken off; kept, to go on with), `.old-NAME/` and
//! `.removed-NAME/` (about to be deleted). A pack is put in place by one rename, or where one is
//! replaced, by one exchange of the two; where the file system cannot exchange, by two renames, and
//! [`PackPlace::take`] mends what a crash between them left. A lock file a pack keeps two processes from
//! the same names; readers need no lock.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use rustix::io::Errno;

use super::InstallError;
use super::error::io;
use super::name::check_name;

/// The right to change one pack.
pub(super) struct PackPlace {
    models: PathBuf,
    name: String,
    _lock: File,
}

impl PackPlace {
    /// Makes `DATA_DIR/models` if need be, locks the pack, and finishes what a crash left.
    ///
    /// # Errors
    /// [`InstallError::Busy`] while another process works on it.
    pub fn take(data_dir: &Path, name: &str) -> Result<Self, InstallError> {
        check_name(name)?;
        let models = data_dir.join("models");
        fs::create_dir_all(&models).map_err(io(&models, "make"))?;
        let path = models.join(format!(".lock-{name}"));
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io(&path, "open"))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(InstallError::Busy {
                    name: name.to_owned(),
                });
            }
            Err(e) => return Err(io(&path, "lock")(e.into())),
        }
        let place = Self {
            models,
            name: name.to_owned(),
            _lock: lock,
        };
        place.recover()?;
        Ok(place)
    }

    /// The installed pack's folder.
    pub fn installed(&self) -> PathBuf {
        self.models.join(&self.name)
    }

    /// The folder that an installation works in, made if need be.
    pub fn partial(&self) -> Result<PathBuf, InstallError> {
        let dir = self.beside("partial");
        fs::create_dir_all(&dir).map_err(io(&dir, "make"))?;
        Ok(dir)
    }

    /// The partial folder becomes the installed one. Its files must be on the disk already.
    pub fn put_in_place(&self) -> Result<PathBuf, InstallError> {
        let (new, installed) = (self.beside("partial"), self.installed());
        sync_dir(&new)?;
        if installed.exists() {
            self.exchange(&new, &installed)?;
        } else {
            fs::rename(&new, &installed).map_err(io(&new, "rename"))?;
        }
        sync_dir(&self.models)?;
        Ok(installed)
    }

    /// The new folder takes the old one's name; the old one is deleted.
    fn exchange(&self, new: &Path, installed: &Path) -> Result<(), InstallError> {
        let old = self.beside("old");
        match renameat_with(CWD, new, CWD, installed, RenameFlags::EXCHANGE) {
            Ok(()) => {
                // The old pack is now under the partial name, where nothing may go on with it.
                fs::rename(new, &old).map_err(io(new, "rename"))?;
            }
            Err(_) => {
                fs::rename(installed, &old).map_err(io(installed, "rename"))?;
                fs::rename(new, installed).map_err(io(new, "rename"))?;
            }
        }
        remove_tree(&old)
    }

    /// The installed pack is no more.
    pub fn remove(&self) -> Result<(), InstallError> {
        let (installed, removed) = (self.installed(), self.beside("removed"));
        fs::rename(&installed, &removed).map_err(io(&installed, "remove"))?;
        sync_dir(&self.models)?;
        remove_tree(&removed)?;
        remove_tree(&self.beside("partial"))
    }

    fn recover(&self) -> Result<(), InstallError> {
        let old = self.beside("old");
        if old.exists() && !self.installed().exists() {
            // Between the two renames: the old pack is whole, the new one is still partial.
            fs::rename(&old, self.installed()).map_err(io(&old, "rename"))?;
        }
        remove_tree(&old)?;
        remove_tree(&self.beside("removed"))?;
        // Between the exchange and the rename behind it: an installed pack under the partial name.
        let partial = self.beside("partial");
        if partial.join("verified").exists() && same_pack_as_new(&partial, &self.installed()) {
            remove_tree(&partial)?;
        }
        Ok(())
    }

    fn beside(&self, what: &str) -> PathBuf {
        self.models.join(format!(".{what}-{}", self.name))
    }
}

/// True if the installed pack is finished too: then the partial folder is what it replaced, or what
/// was about to be put in place; either way it can be made again, and must not be gone on with.
fn same_pack_as_new(partial: &Path, installed: &Path) -> bool {
    partial.join("model.toml").exists() && installed.join("verified").exists()
}

/// Deletes a folder that may not be there.
pub(super) fn remove_tree(dir: &Path) -> Result<(), InstallError> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(io(dir, "remove")(e)),
        _ => Ok(()),
    }
}

/// Names in a folder are on the disk.
pub(super) fn sync_dir(dir: &Path) -> Result<(), InstallError> {
    File::open(dir)
        .and_then(|d| d.sync_all())
        .map_err(io(dir, "write"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(dir: &Path, what: &str) {
        fs::create_dir_all(dir).unwrap();
        for name in ["model.toml", "verified", "f"] {
            fs::write(dir.join(name), what).unwrap();
        }
    }

    fn read(dir: &Path) -> String {
        fs::read_to_string(dir.join("f")).unwrap()
    }

    fn hidden(models: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(models)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .filter(|n| !n.starts_with(".lock"))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_pack_appears_and_is_replaced_as_a_whole() {
        let data = tempfile::tempdir().unwrap();
        let place = PackPlace::take(data.path(), "p").unwrap();
        for what in ["one", "two", "three"] {
            pack(&place.partial().unwrap(), what);
            let installed = place.put_in_place().unwrap();
            assert_eq!(read(&installed), what);
            assert_eq!(hidden(&data.path().join("models")), ["p"]);
        }
        place.remove().unwrap();
        assert!(hidden(&data.path().join("models")).is_empty());
    }

    #[test]
    fn one_at_a_time() {
        let data = tempfile::tempdir().unwrap();
        let first = PackPlace::take(data.path(), "p").unwrap();
        assert!(matches!(
            PackPlace::take(data.path(), "p"),
            Err(InstallError::Busy { .. })
        ));
        PackPlace::take(data.path(), "q").unwrap();
        drop(first);
        PackPlace::take(data.path(), "p").unwrap();
    }

    #[test]
    fn a_crash_between_two_renames_leaves_the_old_pack() {
        let data = tempfile::tempdir().unwrap();
        let models = data.path().join("models");
        pack(&models.join(".old-p"), "old");
        fs::create_dir_all(models.join(".partial-p")).unwrap();
        fs::write(models.join(".partial-p/f.part"), "half").unwrap();
        let place = PackPlace::take(data.path(), "p").unwrap();
        assert_eq!(read(&place.installed()), "old");
        assert_eq!(hidden(&models), [".partial-p", "p"]);
    }

    #[test]
    fn a_crash_after_the_exchange_leaves_the_new_pack() {
        let data = tempfile::tempdir().unwrap();
        let models = data.path().join("models");
        pack(&models.join("p"), "new");
        pack(&models.join(".partial-p"), "old");
        pack(&models.join(".removed-p"), "older");
        let place = PackPlace::take(data.path(), "p").unwrap();
        assert_eq!(read(&place.installed()), "new");
        assert_eq!(hidden(&models), ["p"]);
    }
}
