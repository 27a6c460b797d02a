//! Which packs there are, where they lie, and which search model is in use.
//!
//! A pack is looked for by name in `DATA_DIR/models/`, then beside the binary
//! (`../lib/photond/models/`), then in the build tree (`runtime/models/`); four are compiled in.
//! `DATA_DIR/models/in-use` holds the name of the search model in use; absent, it is
//! [`LITE0_MINILM`]. The file is replaced in one step, so a reader sees the old name or the new one.
//! Nothing here is cached: a pack installed meanwhile is seen by the next call.

use std::fs;
use std::path::{Path, PathBuf};

use super::install::{
    CLASSIFIER, FACE_ENCODER, FACES, InstallError, LITE0_MINILM, TEXT_READER, THINGS, check_name,
    is_built_in,
};
use super::pack::ModelPack;
use super::{
    ModelError, default_pack, face_encoder_pack, faces_pack, lite0_minilm, text_pack, things_pack,
};
use crate::safe_file;

/// The file that is there while faces are told apart; no pack can have its name.
const PEOPLE: &str = "people-on";

/// Where packs are looked for.
#[derive(Debug, Clone)]
pub struct Packs {
    data_dir: PathBuf,
    places: Vec<PathBuf>,
}

/// A pack that is here.
#[derive(Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Where it lies; `None` for one that is compiled in.
    pub dir: Option<PathBuf>,
    /// The pack, or why it cannot be used.
    pub pack: Result<ModelPack, ModelError>,
}

impl Packs {
    /// Looks for packs around this data directory and this binary.
    pub fn new(data_dir: &Path) -> Self {
        let exe = std::env::current_exe().ok();
        Self::around(data_dir, exe.as_deref().and_then(Path::parent))
    }

    fn around(data_dir: &Path, bin: Option<&Path>) -> Self {
        let mut places = vec![data_dir.join("models")];
        if let Some(bin) = bin {
            // Installed; a build tree's target/release/; its tests' target/debug/deps/.
            for beside in [
                "../lib/photond/models",
                "../../runtime/models",
                "../../../runtime/models",
            ] {
                let place = bin.join(beside);
                if let Ok(place) = fs::canonicalize(&place) {
                    places.push(place);
                }
            }
        }
        Self {
            data_dir: data_dir.to_path_buf(),
            places,
        }
    }

    /// The folders that packs lie in, in the order that they are looked at.
    pub fn places(&self) -> &[PathBuf] {
        &self.places
    }

    /// Opens a pack by name.
    ///
    /// # Errors
    /// [`InstallError::NotInstalled`], or what is wrong with it.
    pub fn open(&self, name: &str) -> Result<ModelPack, InstallError> {
        check_name(name)?;
        match name {
            CLASSIFIER => Ok(default_pack()?),
            LITE0_MINILM => Ok(lite0_minilm(&self.places)?),
            THINGS => Ok(things_pack()?),
            FACES => Ok(faces_pack()?),
            TEXT_READER => Ok(text_pack(&self.places)?),
            FACE_ENCODER => Ok(face_encoder_pack(&self.places)?),
            _ => {
                let dir = self
                    .dir_of(name)
                    .ok_or_else(|| InstallError::NotInstalled {
                        name: name.to_owned(),
                    })?;
                Ok(open_named(&dir, name)?)
            }
        }
    }

    /// The name of the search model in use.
    ///
    /// # Errors
    /// If the file that says so cannot be read, or holds no name.
    pub fn in_use(&self) -> Result<String, InstallError> {
        let path = self.in_use_file();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Ok(LITE0_MINILM.to_owned());
            }
            Err(source) => {
                return Err(InstallError::Io {
                    path,
                    action: "read",
                    source,
                });
            }
        };
        let name = text.trim();
        check_name(name)?;
        Ok(name.to_owned())
    }

    /// Whether faces are told apart (`photond people on`).
    pub fn tells_people(&self) -> bool {
        self.people_file().is_file()
    }

    /// Has faces told apart from now on, or not.
    ///
    /// # Errors
    /// If that cannot be written; then nothing has changed.
    pub fn tell_people(&self, on: bool) -> Result<(), InstallError> {
        let path = self.people_file();
        let done = if on {
            safe_file::write(&path, b"on\n")
        } else {
            match fs::remove_file(&path) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
                done => done,
            }
        };
        done.map_err(|source| InstallError::Io {
            path,
            action: "write",
            source,
        })
    }

    fn people_file(&self) -> PathBuf {
        self.data_dir.join("models").join(PEOPLE)
    }

    /// Says which search model is in use from now on. Whether it can be is the caller's to know.
    ///
    /// # Errors
    /// If the file cannot be written; then nothing has changed.
    pub fn set_in_use(&self, name: &str) -> Result<(), InstallError> {
        check_name(name)?;
        let path = self.in_use_file();
        safe_file::write(&path, format!("{name}\n").as_bytes()).map_err(|source| InstallError::Io {
            path,
            action: "write",
            source,
        })
    }

    /// Every pack that is here: those compiled in, then the others by name.
    pub fn list(&self) -> Vec<Entry> {
        let built_in = |name: &str, pack| Entry {
            name: name.to_owned(),
            dir: None,
            pack,
        };
        let mut entries = vec![
            built_in(CLASSIFIER, default_pack()),
            built_in(THINGS, things_pack()),
            built_in(FACES, faces_pack()),
            built_in(LITE0_MINILM, lite0_minilm(&self.places)),
            built_in(TEXT_READER, text_pack(&self.places)),
            built_in(FACE_ENCODER, face_encoder_pack(&self.places)),
        ];
        let mut found: Vec<(String, PathBuf)> = Vec::new();
        for place in &self.places {
            let Ok(list) = fs::read_dir(place) else {
                continue;
            };
            for entry in list.filter_map(Result::ok) {
                let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                    continue;
                };
                let known = found.iter().any(|(n, _)| *n == name);
                if check_name(&name).is_ok()
                    && !is_built_in(&name)
                    && !known
                    && entry.path().is_dir()
                {
                    found.push((name, entry.path()));
                }
            }
        }
        found.sort();
        entries.extend(found.into_iter().map(|(name, dir)| Entry {
            pack: open_named(&dir, &name),
            name,
            dir: Some(dir),
        }));
        entries
    }

    fn dir_of(&self, name: &str) -> Option<PathBuf> {
        self.places
            .iter()
            .map(|place| place.join(name))
            .find(|dir| dir.is_dir())
    }

    fn in_use_file(&self) -> PathBuf {
        self.data_dir.join("models").join("in-use")
    }
}

/// The name of the search model in use; where the file that says so is damaged, the built-in one.
pub fn in_use(data_dir: &Path) -> String {
    Packs::new(data_dir).in_use().unwrap_or_else(|e| {
        tracing::warn!("{e}; {LITE0_MINILM} is used");
        LITE0_MINILM.to_owned()
    })
}

/// Opens a pack by name.
///
/// # Errors
/// As [`Packs::open`].
pub fn open(data_dir: &Path, name: &str) -> Result<ModelPack, InstallError> {
    Packs::new(data_dir).open(name)
}

/// Opens the search model that needs no image graph of its own.
///
/// # Errors
/// Only if the binary itself is damaged: without its text files it still opens.
pub fn derived(data_dir: &Path) -> Result<ModelPack, ModelError> {
    lite0_minilm(Packs::new(data_dir).places())
}

/// A pack whose folder has its name: vectors are stored under the name, so it must be the one that
/// it was asked for by.
fn open_named(dir: &Path, name: &str) -> Result<ModelPack, ModelError> {
    let pack = ModelPack::open_dir(dir)?;
    if pack.name() != name {
        return Err(ModelError::BadPack {
            pack: name.to_owned(),
            reason: format!(
                "{} has the pack {}; rename the folder or install it again",
                dir.display(),
                pack.name()
            ),
        });
    }
    Ok(pack)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packs(dir: &Path) -> Packs {
        Packs::around(dir, None)
    }

    #[test]
    fn the_built_in_search_model_is_in_use_until_another_is() {
        let dir = tempfile::tempdir().unwrap();
        let packs = packs(dir.path());
        assert_eq!(packs.in_use().unwrap(), LITE0_MINILM);
        packs.set_in_use("my-clip").unwrap();
        assert_eq!(packs.in_use().unwrap(), "my-clip");
        packs.set_in_use(LITE0_MINILM).unwrap();
        assert_eq!(packs.in_use().unwrap(), LITE0_MINILM);
        assert_eq!(
            fs::read_dir(dir.path().join("models")).unwrap().count(),
            1,
            "nothing temporary is left"
        );
    }

    #[test]
    fn a_name_in_the_file_cannot_lead_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let packs = packs(dir.path());
        fs::create_dir(dir.path().join("models")).unwrap();
        fs::write(dir.path().join("models/in-use"), "../../etc\n").unwrap();
        assert!(matches!(packs.in_use(), Err(InstallError::BadName { .. })));
        assert!(matches!(
            packs.open("../x"),
            Err(InstallError::BadName { .. })
        ));
        assert!(packs.set_in_use("../x").is_err());
    }

    #[test]
    fn folders_that_are_no_packs_are_listed_as_damaged_and_hidden_ones_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let packs = packs(dir.path());
        for name in ["broken", ".partial-other", ".removed-x"] {
            fs::create_dir_all(dir.path().join("models").join(name)).unwrap();
        }
        let list = packs.list();
        let names: Vec<&str> = list.iter().map(|e| e.name.as_str()).collect();
        let built_in = [
            CLASSIFIER,
            THINGS,
            FACES,
            LITE0_MINILM,
            TEXT_READER,
            FACE_ENCODER,
        ];
        let (here, others) = list.split_at(built_in.len());
        assert_eq!(names[..built_in.len()], built_in);
        assert_eq!(names[built_in.len()..], ["broken"]);
        assert!(here.iter().all(|entry| entry.pack.is_ok()));
        assert!(others[0].pack.is_err());
        assert!(matches!(
            packs.open("nothing"),
            Err(InstallError::NotInstalled { .. })
        ));
    }
}
