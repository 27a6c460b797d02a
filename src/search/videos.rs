//! The videos of Live Photos. photond does not index videos, so the folder of a photo is asked whether
//! there is one of the photo's name.
//!
//! Promises: one listing a folder, however many of its photos are shown; a disk that does not answer
//! costs a query [`PATIENCE`] once, and its photos are shown without their videos.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::photo::{Format, RelPath, split_name};
use crate::store::Hit;

/// How long a disk is waited for. One that has to spin up takes longer; what is waited for is an
/// addition to an answer that the index has already given.
const PATIENCE: Duration = Duration::from_secs(2);

/// Phones write `.MOV`; what is fetched back from Google Photos is called `.MP4`.
const ENDINGS: [&str; 2] = ["mov", "mp4"];

/// Names of videos in a folder, by their names without ending, in lower case.
type Names = HashMap<Vec<u8>, OsString>;

/// Finds videos beside photos.
#[derive(Default)]
pub struct Videos {
    folders: HashMap<PathBuf, Names>,
    /// Who lists folders; absent until the first one.
    lister: Option<(Sender<PathBuf>, Receiver<Names>)>,
    /// A disk did not answer, and whoever waits for it still does.
    is_silent: bool,
}

impl Videos {
    /// The video that belongs to a photo, if its disk has one and says so.
    pub fn beside(&mut self, hit: &Hit) -> Option<PathBuf> {
        let format = Format::from_name(&hit.photo.format);
        if !hit.online || !matches!(format, Some(Format::Jpeg | Format::Heic)) {
            return None;
        }
        let folder = hit.path.parent()?.under(&hit.root);
        if !self.folders.contains_key(&folder) {
            let names = self.list(&folder).unwrap_or_default();
            self.folders.insert(folder.clone(), names);
        }
        let stem = stem(hit.path.name())?;
        let name = self.folders.get(&folder)?.get(&stem)?;
        Some(folder.join(name))
    }

    fn list(&mut self, folder: &Path) -> Option<Names> {
        if self.is_silent {
            return None;
        }
        if self.lister.is_none() {
            self.lister = lister();
        }
        let (ask, answers) = self.lister.as_ref()?;
        ask.send(folder.to_path_buf()).ok()?;
        let names = answers.recv_timeout(PATIENCE);
        if names.is_err() {
            tracing::debug!("{} does not answer", folder.display());
            self.is_silent = true;
        }
        names.ok()
    }
}

/// A thread for the disk, since it may never come back from there. It ends with whoever asks.
fn lister() -> Option<(Sender<PathBuf>, Receiver<Names>)> {
    // One question at a time.
    let (ask, asked) = bounded::<PathBuf>(1);
    let (answer, answers) = bounded(1);
    std::thread::Builder::new()
        .name("videos".to_owned())
        .spawn(move || {
            for folder in asked {
                if answer.send(videos_in(&folder)).is_err() {
                    break;
                }
            }
        })
        .ok()?;
    Some((ask, answers))
}

fn videos_in(folder: &Path) -> Names {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Names::new();
    };
    let mut names = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name().into_vec();
        let extension = RelPath::from_bytes(&*name).extension();
        let is_video = extension.is_some_and(|e| ENDINGS.contains(&e.as_str()));
        if is_video && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            names.push(name);
        }
    }
    // Of several, the first: the order of a folder is nobody's.
    names.sort_unstable_by(|a, b| b.cmp(a));
    let stemmed = names
        .into_iter()
        .filter_map(|name| Some((stem(&name)?, OsString::from_vec(name))));
    stemmed.collect()
}

fn stem(name: &[u8]) -> Option<Vec<u8>> {
    split_name(name).map(|(stem, _)| stem.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::library::Library;

    #[test]
    fn the_video_of_a_live_photo_is_found_whatever_its_case() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("trip");
        std::fs::create_dir_all(folder.join("IMG_4.mov")).unwrap();
        for name in ["IMG_1.MOV", "img_2.mp4", "IMG_2.mov", "IMG_3.avi", ".mov"] {
            std::fs::write(folder.join(name), b"a video").unwrap();
        }
        let mut lib = Library::new();
        let root = lib.root(dir.path().to_str().unwrap());
        let mut videos = Videos::default();
        let mut beside = |lib: &Library, name: &str| {
            let path = RelPath::from_bytes(name.as_bytes());
            let hit = lib.reader().photo_at(root, &path).unwrap().unwrap();
            videos.beside(&hit)
        };
        for n in 1..=4 {
            lib.put(root, &format!("trip/img_{n}.HEIC"), n);
            lib.sql(&format!("UPDATE photos SET format = 'heic' WHERE id = {n}"));
        }
        assert_eq!(
            beside(&lib, "trip/img_1.HEIC"),
            Some(folder.join("IMG_1.MOV"))
        );
        assert_eq!(
            beside(&lib, "trip/img_2.HEIC"),
            Some(folder.join("IMG_2.mov")),
            "the first of two"
        );
        assert_eq!(beside(&lib, "trip/img_3.HEIC"), None);
        assert_eq!(beside(&lib, "trip/img_4.HEIC"), None, "a folder");
        lib.sql("UPDATE photos SET format = 'png'");
        assert_eq!(beside(&lib, "trip/img_1.HEIC"), None, "no Live Photo");
        // A disk that is away is not asked.
        lib.sql("UPDATE photos SET format = 'jpeg'");
        assert!(beside(&lib, "trip/img_1.HEIC").is_some());
        lib.store.root_offline(root, "away").unwrap();
        assert_eq!(beside(&lib, "trip/img_1.HEIC"), None);
    }
}
