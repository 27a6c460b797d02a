//! Whether a manifest makes sense as a whole: names, files, and which tables each kind of pack has.
//! What stands in a table is checked where the table is.

use super::rules::{absent, is_path, is_plain, listed};
use super::{FileEntry, Kind, Manifest, boxes, calibration, faces, image, text, text_reader};
use crate::model::error::ModelError;

/// Most dimensions of a vector: four times the largest published dual encoders.
const MOST_DIMS: usize = 1 << 14;
/// Names that mean something else in a folder of packs or in a pack.
const TAKEN: [&str; 4] = ["in-use", "people-on", "model.toml", "verified"];

/// Looks at every key.
pub(super) fn check(m: &Manifest) -> Result<(), ModelError> {
    names(m)?;
    if m.kind == Kind::Detector {
        boxes::check(m)?;
    } else if m.kind == Kind::TextReader {
        text_reader::check(m)?;
    } else if m.dims == 0 || m.dims > MOST_DIMS {
        return Err(m.wrong("dims", &format!("is {}, not 1 to {MOST_DIMS}", m.dims)));
    }
    sides(m)?;
    files(m)?;
    if let Some(image) = &m.image {
        image::picture(m, image)?;
    }
    if let Some(faces) = &m.faces {
        faces::check(m, faces)?;
    }
    if let Some(derived) = &m.derived {
        image::probabilities(m, derived)?;
    }
    if let Some(text) = &m.text {
        text::check(m, text)?;
    }
    for (role, file) in &m.roles {
        listed(m, &format!("roles.{role}"), file)?;
    }
    calibration::check(m)
}

fn names(m: &Manifest) -> Result<(), ModelError> {
    let lower = m
        .name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
    if !lower || !is_plain(&m.name) || TAKEN.contains(&m.name.as_str()) {
        return Err(m.wrong(
            "name",
            "must be 1 to 64 of a-z 0-9 . _ - with a letter or digit first, and no reserved word",
        ));
    }
    if !is_plain(&m.revision) {
        return Err(m.wrong("revision", "must be 1 to 64 of A-Z a-z 0-9 . _ -"));
    }
    if m.licence.weights.trim().is_empty() {
        return Err(m.wrong("licence.weights", "is empty"));
    }
    if let Some(source) = &m.source {
        if !is_path(&source.repo) || source.repo.split('/').count() != 2 {
            return Err(m.wrong(
                "source.repo",
                &format!("is {:?}, not owner/name", source.repo),
            ));
        }
        if !is_path(&source.revision) {
            return Err(m.wrong(
                "source.revision",
                &format!("is {:?}, no branch or commit", source.revision),
            ));
        }
    }
    if let Some(bad) = m.variants.keys().find(|v| !is_plain(v)) {
        return Err(m.wrong("variants", &format!("has {bad:?}, which is no plain name")));
    }
    Ok(())
}

/// Which tables each kind has.
fn sides(m: &Manifest) -> Result<(), ModelError> {
    match m.kind {
        Kind::Classifier => {
            let others = [(m.derived.is_some(), "derived"), (m.text.is_some(), "text")];
            absent(m, &others, "a classifier has none")?;
            if m.image.is_none() {
                return Err(m.wrong("image", "is missing (a classifier needs it)"));
            }
        }
        Kind::DualEncoder => {
            match (&m.image, &m.derived) {
                (Some(_), Some(_)) => {
                    return Err(m.wrong(
                        "image",
                        "and derived are both there (a pack has one image side)",
                    ));
                }
                (None, None) => {
                    return Err(m.wrong(
                        "image",
                        "is missing, and so is derived (a dual encoder needs one of them)",
                    ));
                }
                _ => {}
            }
            if m.text.is_none() {
                return Err(m.wrong("text", "is missing (a dual encoder needs it)"));
            }
        }
        Kind::Detector => {
            let others = [
                (m.derived.is_some(), "derived"),
                (m.text.is_some(), "text"),
                (m.faces.is_some(), "faces"),
            ];
            absent(m, &others, "a detector has none")?;
            return Ok(());
        }
        Kind::FaceEncoder => {
            if m.faces.is_none() {
                return Err(m.wrong("faces", "is missing (a face encoder needs it)"));
            }
            let others = [
                (m.image.is_some(), "image"),
                (m.derived.is_some(), "derived"),
                (m.text.is_some(), "text"),
            ];
            absent(m, &others, "a face encoder has none")?;
        }
        Kind::TextReader => {
            let others = [
                (m.image.is_some(), "image"),
                (m.derived.is_some(), "derived"),
                (m.text.is_some(), "text"),
                (m.calibration.is_some(), "calibration"),
            ];
            absent(m, &others, "a text reader has none")?;
        }
    }
    if m.kind != Kind::TextReader {
        let own = [
            (m.finder.is_some(), "finder"),
            (m.reader.is_some(), "reader"),
        ];
        absent(m, &own, "only a text reader has it")?;
    }
    if m.kind != Kind::FaceEncoder {
        let own = [(m.faces.is_some(), "faces")];
        absent(m, &own, "only a face encoder has it")?;
    }
    let own = [
        (m.classes.is_some(), "classes"),
        (m.class.is_some(), "class"),
        (m.boxes.is_some(), "boxes"),
        (m.people.is_some(), "people"),
        (m.after.is_some(), "after"),
    ];
    absent(m, &own, "only a detector has it")
}

fn files(m: &Manifest) -> Result<(), ModelError> {
    for (name, FileEntry { path, size, blake3 }) in &m.files {
        let key = |part: &str| format!("files.{name:?}{part}");
        if !is_plain(name) || TAKEN.contains(&name.as_str()) {
            return Err(m.wrong(
                &key(""),
                "is no file name (A-Z a-z 0-9 . _ - only, a letter or digit first)",
            ));
        }
        if path.as_ref().is_some_and(|p| !is_path(p)) {
            return Err(m.wrong(
                &key(".path"),
                &format!("is {path:?}, which is no path in a repository"),
            ));
        }
        if *size == Some(0) {
            return Err(m.wrong(&key(".size"), "is 0"));
        }
        let hex = |h: &String| {
            h.len() == 64
                && h.bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        if blake3.as_ref().is_some_and(|h| !hex(h)) {
            return Err(m.wrong(&key(".blake3"), "is not 64 lower-case hex digits"));
        }
    }
    Ok(())
}
