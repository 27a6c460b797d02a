//! From what the user said to what is to be installed: a manifest, and where its files come from.

use std::path::{Path, PathBuf};

use super::catalogue::{REVISION_AT_INSTALL, catalogue};
use super::error::io;
use super::name::{check_name, is_file_name};
use super::shelf::Shelf;
use super::{InstallError, fetched, is_built_in};
use crate::model::Manifest;

/// What `model install` was asked for.
#[derive(Debug, Clone, Default)]
pub struct InstallRequest {
    /// A pack's name, or the path of a `model.toml`.
    pub what: String,
    /// `int8`, `fp16`; `fp32` is the pack itself.
    pub variant: Option<String>,
    /// A folder or tar archive with the files.
    pub from: Option<PathBuf>,
}

/// What is to be done.
pub(super) struct Recipe {
    /// Sizes and checksums as far as they are known.
    pub manifest: Manifest,
    /// Where the files come from.
    pub origin: Origin,
}

/// Where files come from.
pub(super) enum Origin {
    /// The manifest's `[source]`.
    Hub,
    /// A folder or archive; `own`: one that has the pack's own manifest, and files under their
    /// names in the pack.
    Shelf { shelf: Shelf, own: bool },
    /// The project's script.
    Script,
}

impl Recipe {
    /// Finds out what a request means.
    pub fn find(request: &InstallRequest) -> Result<Self, InstallError> {
        let variant = request.variant.as_deref().filter(|v| *v != "fp32");
        let shelf = request.from.as_deref().map(Shelf::open).transpose()?;
        if is_path(&request.what) {
            return Self::from_file(Path::new(&request.what), variant, shelf);
        }
        check_name(&request.what)?;
        if let Some(manifest) = fetched::manifest(&request.what) {
            return partly_here(manifest?, variant, shelf);
        }
        if is_built_in(&request.what) {
            return Err(InstallError::BuiltIn {
                name: request.what.clone(),
                action: "install",
            });
        }
        let known = by_name(&request.what, variant)?;
        let Some(shelf) = shelf else {
            let manifest = known.ok_or_else(|| unknown(&request.what))?;
            return Ok(Self {
                manifest,
                origin: Origin::Hub,
            });
        };
        let own = own_manifest(&shelf)?;
        match (known, own) {
            // An installed pack, or one somebody made: what it says of itself counts, but where
            // the catalogue knows a checksum, that counts more.
            (known, Some(own)) if names_it(&own, request, variant) => {
                let manifest = match known {
                    Some(known) => pinned(own, &known),
                    None => own,
                };
                Ok(Self {
                    manifest,
                    origin: Origin::Shelf { shelf, own: true },
                })
            }
            (_, Some(own)) => Err(InstallError::BadManifest {
                path: format!("{}: model.toml", shelf.name()),
                reason: format!("it is of {}, not {}", own.name, request.what),
            }),
            (Some(manifest), None) => Ok(Self {
                manifest,
                origin: Origin::Shelf { shelf, own: false },
            }),
            (None, None) => Err(unknown(&request.what)),
        }
    }

    fn from_file(
        path: &Path,
        variant: Option<&str>,
        shelf: Option<Shelf>,
    ) -> Result<Self, InstallError> {
        let text = std::fs::read_to_string(path).map_err(io(path, "read"))?;
        let whole = usable(Manifest::parse(&text)?, &path.display().to_string())?;
        let manifest = match variant {
            Some(variant) => whole.variant(variant)?,
            None => whole,
        };
        let origin = match shelf {
            Some(shelf) => {
                let own = own_manifest(&shelf)?.is_some_and(|m| m.name == manifest.name);
                Origin::Shelf { shelf, own }
            }
            None if manifest.source.is_some() => Origin::Hub,
            None => {
                let dir = path.parent().filter(|p| !p.as_os_str().is_empty());
                Origin::Shelf {
                    shelf: Shelf::open(dir.unwrap_or(Path::new(".")))?,
                    own: true,
                }
            }
        };
        Ok(Self { manifest, origin })
    }
}

/// A `/` or an ending tells a path from a name.
fn is_path(what: &str) -> bool {
    what.contains('/') || Path::new(what).extension().is_some_and(|e| e == "toml")
}

/// A pack of which some files are compiled in.
fn partly_here(
    manifest: Manifest,
    variant: Option<&str>,
    shelf: Option<Shelf>,
) -> Result<Recipe, InstallError> {
    if let Some(variant) = variant {
        return Err(InstallError::NoVariant {
            name: manifest.name,
            variant: variant.to_owned(),
            known: Vec::new(),
        });
    }
    Ok(Recipe {
        manifest,
        origin: match shelf {
            Some(shelf) => Origin::Shelf { shelf, own: true },
            None => Origin::Script,
        },
    })
}

/// `NAME`, `NAME` with a variant, or `NAME-VARIANT`.
fn by_name(name: &str, variant: Option<&str>) -> Result<Option<Manifest>, InstallError> {
    let all = catalogue()?;
    if let Some(pack) = all.iter().find(|p| p.name == name) {
        let Some(variant) = variant else {
            return Ok(Some(pack.clone()));
        };
        if !pack.variants.contains_key(variant) {
            let mut known: Vec<String> = pack.variants.keys().cloned().collect();
            known.insert(0, "fp32".to_owned());
            return Err(InstallError::NoVariant {
                name: name.to_owned(),
                variant: variant.to_owned(),
                known,
            });
        }
        return Ok(Some(pack.variant(variant)?));
    }
    for pack in &all {
        let rest = name
            .strip_prefix(&pack.name)
            .and_then(|r| r.strip_prefix('-'));
        if let Some(in_name) = rest.filter(|r| pack.variants.contains_key(*r)) {
            if variant.is_some_and(|v| v != in_name) {
                break;
            }
            return Ok(Some(pack.variant(in_name)?));
        }
    }
    Ok(None)
}

fn unknown(name: &str) -> InstallError {
    let known = catalogue()
        .map(|all| all.into_iter().map(|p| p.name).collect())
        .unwrap_or_default();
    InstallError::Unknown {
        name: name.to_owned(),
        known,
    }
}

/// The manifest that lies with the files, if one does.
fn own_manifest(shelf: &Shelf) -> Result<Option<Manifest>, InstallError> {
    let Some(text) = shelf.manifest()? else {
        return Ok(None);
    };
    let label = format!("{}: model.toml", shelf.name());
    usable(Manifest::parse(&text)?, &label).map(Some)
}

fn names_it(own: &Manifest, request: &InstallRequest, variant: Option<&str>) -> bool {
    own.name == request.what || variant.is_some_and(|v| own.name == format!("{}-{v}", request.what))
}

/// A manifest of somebody else's: it may not take a name of ours, nor names that we use in folders.
fn usable(manifest: Manifest, label: &str) -> Result<Manifest, InstallError> {
    check_name(&manifest.name)?;
    if is_built_in(&manifest.name) {
        return Err(InstallError::BuiltIn {
            name: manifest.name,
            action: "install",
        });
    }
    if let Some(bad) = manifest.files.keys().find(|name| !is_file_name(name)) {
        return Err(InstallError::BadManifest {
            path: label.to_owned(),
            reason: format!("{bad:?} is no name for a file of a pack"),
        });
    }
    Ok(manifest)
}

/// `own` with the checksums that the catalogue knows.
fn pinned(mut own: Manifest, known: &Manifest) -> Manifest {
    for (name, entry) in &mut own.files {
        if let Some(pin) = known.files.get(name).and_then(|f| f.blake3.clone()) {
            entry.blake3 = Some(pin);
        }
    }
    own
}

/// The revision that stands for the installed image graph.
pub(super) fn settle_revision(manifest: &mut Manifest) {
    if manifest.revision != REVISION_AT_INSTALL {
        return;
    }
    let graph = manifest.image.as_ref().map(|image| image.file.clone());
    let sum = graph
        .and_then(|file| manifest.files.get(&file)?.blake3.clone())
        .unwrap_or_default();
    if sum.len() >= 12 {
        manifest.revision = sum[..12].to_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(what: &str, variant: Option<&str>) -> Result<Recipe, InstallError> {
        Recipe::find(&InstallRequest {
            what: what.to_owned(),
            variant: variant.map(str::to_owned),
            from: None,
        })
    }

    fn name(what: &str, variant: Option<&str>) -> String {
        find(what, variant).map(|r| r.manifest.name).unwrap()
    }

    #[test]
    fn a_variant_can_be_said_in_two_ways() {
        let base = "siglip-base-patch16-224";
        assert_eq!(name(base, None), base);
        assert_eq!(name(base, Some("fp32")), base);
        assert_eq!(name(base, Some("int8")), format!("{base}-int8"));
        assert_eq!(name(&format!("{base}-int8"), None), format!("{base}-int8"));
        assert_eq!(
            name(&format!("{base}-int8"), Some("int8")),
            format!("{base}-int8")
        );
        assert!(matches!(
            find(&format!("{base}-int8"), Some("fp16")).err().unwrap(),
            InstallError::Unknown { .. }
        ));
        assert!(matches!(
            find(base, Some("int4")).err().unwrap(),
            InstallError::NoVariant { known, .. } if known == ["fp32", "fp16", "int8"]
        ));
    }

    #[test]
    fn names_that_are_none_of_ours_are_refused_with_those_that_are() {
        let error = find("siglip", None).err().unwrap().to_string();
        assert!(error.contains("siglip-base-patch16-224"), "{error}");
        assert!(matches!(
            find("../no-such-folder/model.toml", None).err().unwrap(),
            InstallError::Io { .. }
        ));
        assert!(matches!(
            find("..", None).err().unwrap(),
            InstallError::BadName { .. }
        ));
        assert!(matches!(
            find("efficientnet-lite0", None).err().unwrap(),
            InstallError::BuiltIn { .. }
        ));
    }

    #[test]
    fn the_revision_is_the_image_graphs() {
        let mut manifest = find("clip-vit-base-patch32", None).unwrap().manifest;
        settle_revision(&mut manifest);
        assert_eq!(manifest.revision, REVISION_AT_INSTALL);
        manifest.files.get_mut("vision_model.onnx").unwrap().blake3 = Some("ab".repeat(32));
        settle_revision(&mut manifest);
        assert_eq!(manifest.revision, "abababababab");
        settle_revision(&mut manifest);
        assert_eq!(manifest.revision, "abababababab");
    }

    #[test]
    fn a_folder_of_another_pack_is_not_taken_for_this_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut manifest = find("clip-vit-base-patch32", None).unwrap().manifest;
        manifest.name = "my-clip".to_owned();
        let text = manifest.to_toml().unwrap();
        std::fs::write(dir.path().join("model.toml"), text).unwrap();
        let with = |what: &str| {
            Recipe::find(&InstallRequest {
                what: what.to_owned(),
                variant: None,
                from: Some(dir.path().to_path_buf()),
            })
        };
        assert_eq!(with("my-clip").unwrap().manifest.name, "my-clip");
        let error = with("clip-vit-base-patch32").err().unwrap().to_string();
        assert!(error.contains("it is of my-clip"), "{error}");
    }

    #[test]
    fn a_foreign_manifest_cannot_take_our_names() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.toml");
        let mut manifest = find("clip-vit-base-patch32", None).unwrap().manifest;
        manifest.name = "efficientnet-lite0".to_owned();
        std::fs::write(&path, manifest.to_toml().unwrap()).unwrap();
        assert!(matches!(
            find(path.to_str().unwrap(), None).err().unwrap(),
            InstallError::BuiltIn { .. }
        ));
    }

    #[test]
    fn what_the_catalogue_pins_stays_pinned() {
        let known = find("siglip-base-patch16-224", None).unwrap().manifest;
        let mut own = known.clone();
        own.files.get_mut("tokenizer.json").unwrap().blake3 = Some("0".repeat(64));
        assert_eq!(pinned(own, &known).files, known.files);
    }
}
