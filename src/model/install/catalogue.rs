//! The packs that `model install NAME` knows, compiled in, and the published SHA-256 of their files.

use std::collections::BTreeMap;

use super::InstallError;
use crate::model::Manifest;

const ENTRIES: [&str; 4] = [
    include_str!("../../../models/catalogue/siglip-base-patch16-224.toml"),
    include_str!("../../../models/catalogue/siglip-base-patch16-384.toml"),
    include_str!("../../../models/catalogue/siglip2-base-patch16-224.toml"),
    include_str!("../../../models/catalogue/clip-vit-base-patch32.toml"),
];

const PUBLISHED: &str = include_str!("../../../models/catalogue/sha256.toml");

/// Stands for "first digits of the image graph's BLAKE3" until the file is here.
pub(super) const REVISION_AT_INSTALL: &str = "install";

/// Every pack of the catalogue, as it stands there (variants inside).
///
/// # Errors
/// Only if the binary itself is damaged.
pub fn catalogue() -> Result<Vec<Manifest>, InstallError> {
    ENTRIES
        .iter()
        .map(|text| Manifest::parse(text).map_err(InstallError::from))
        .collect()
}

/// SHA-256 that was published for a file of a repository.
pub(super) fn published(repo: &str, path: &str) -> Option<String> {
    let all: BTreeMap<String, BTreeMap<String, String>> = toml::from_str(PUBLISHED).ok()?;
    all.get(repo)?.get(path).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::install::digest::is_hex;

    #[test]
    fn every_entry_and_variant_makes_sense() {
        let all = catalogue().unwrap();
        assert_eq!(all.len(), ENTRIES.len());
        for entry in &all {
            assert!(entry.source.is_some(), "{}", entry.name);
            for variant in ["int8", "fp16"] {
                let made = entry.variant(variant).unwrap();
                assert_eq!(made.name, format!("{}-{variant}", entry.name));
                // Another file has another checksum, and makes another space.
                assert_eq!(made.revision, REVISION_AT_INSTALL, "{}", made.name);
                assert_eq!(made.files.len(), entry.files.len());
                let graph = &made.image.as_ref().unwrap().file;
                assert_eq!(made.files[graph].blake3, None, "{}", made.name);
                assert_ne!(made.files[graph].path, entry.files[graph].path);
            }
            // Dynamic quantisation ties a picture's result to its batch.
            assert_eq!(entry.variant("int8").unwrap().image.unwrap().batch, 1);
        }
    }

    #[test]
    fn no_two_packs_share_a_text_encoder() {
        let all = catalogue().unwrap();
        let mut repos: Vec<&str> = all
            .iter()
            .filter_map(|m| m.source.as_ref())
            .map(|s| s.repo.as_str())
            .collect();
        repos.sort_unstable();
        repos.dedup();
        assert_eq!(repos.len(), all.len());
    }

    #[test]
    fn published_sums_are_of_files_that_packs_have() {
        let all: BTreeMap<String, BTreeMap<String, String>> = toml::from_str(PUBLISHED).unwrap();
        let packs = catalogue().unwrap();
        for (repo, files) in &all {
            let pack = packs
                .iter()
                .find(|p| p.source.as_ref().is_some_and(|s| s.repo == *repo))
                .unwrap();
            // A published sum is of one commit's file.
            assert!(is_hex(&pack.source.as_ref().unwrap().revision, 40));
            let mut paths: Vec<String> = Vec::new();
            for form in [Some(pack.clone()), pack.variant("int8").ok()] {
                let form = form.unwrap();
                paths.extend(form.files.values().filter_map(|f| f.path.clone()));
            }
            for (path, sum) in files {
                assert!(is_hex(sum, 64), "{path}");
                assert!(paths.contains(path), "{path}");
                assert_eq!(published(repo, path).as_ref(), Some(sum));
            }
        }
        assert_eq!(published("a/b", "c"), None);
    }
}
