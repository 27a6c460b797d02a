//! What a value in a manifest may be. Each rule is given the key, for its complaint.

use super::Manifest;
use crate::model::error::ModelError;

/// Side of an input in pixels.
pub(super) const SIDES: std::ops::RangeInclusive<u32> = 16..=1024;
/// What the sides of a letterbox are multiples of.
pub(super) const MULTIPLES: std::ops::RangeInclusive<u32> = 1..=128;
/// Boxes of one picture.
pub(super) const MOST_BOXES: std::ops::RangeInclusive<usize> = 1..=1000;

/// That none of these keys is there.
pub(super) fn absent(m: &Manifest, keys: &[(bool, &str)], why: &str) -> Result<(), ModelError> {
    match keys.iter().find(|(there, _)| *there) {
        Some((_, key)) => Err(m.wrong(key, &format!("is there, but {why}"))),
        None => Ok(()),
    }
}

/// A file of the pack.
pub(super) fn listed(m: &Manifest, key: &str, file: &str) -> Result<(), ModelError> {
    if m.files.contains_key(file) {
        Ok(())
    } else {
        Err(m.wrong(key, &format!("is {file:?}, which is not among [files]")))
    }
}

/// A name in a graph.
pub(super) fn named(m: &Manifest, key: &str, name: &str) -> Result<(), ModelError> {
    if name.is_empty() || name.contains('\0') {
        Err(m.wrong(key, "is empty or no name"))
    } else {
        Ok(())
    }
}

/// `name@revision`.
pub(super) fn identity(m: &Manifest, key: &str, id: &str) -> Result<(), ModelError> {
    let parts = id.split_once('@');
    if parts.is_some_and(|(name, revision)| is_plain(name) && is_plain(revision)) {
        return Ok(());
    }
    Err(m.wrong(key, &format!("is {id:?}, not name@revision")))
}

/// A number between the ends, which are allowed.
pub(super) fn within<T: PartialOrd + std::fmt::Display>(
    m: &Manifest,
    key: &str,
    found: T,
    allowed: &std::ops::RangeInclusive<T>,
) -> Result<(), ModelError> {
    if allowed.contains(&found) {
        return Ok(());
    }
    let (least, most) = (allowed.start(), allowed.end());
    Err(m.wrong(key, &format!("is {found}, not {least} to {most}")))
}

/// A number between 0 and 1, which are not allowed.
pub(super) fn share(m: &Manifest, key: &str, found: f32) -> Result<(), ModelError> {
    if found > 0.0 && found < 1.0 {
        Ok(())
    } else {
        Err(m.wrong(key, &format!("is {found}, not between 0 and 1")))
    }
}

/// Numbers that bytes are scaled with.
pub(super) fn scaling(
    m: &Manifest,
    table: &str,
    mean: &[f32; 3],
    std: &[f32; 3],
) -> Result<(), ModelError> {
    if mean.iter().any(|v| !v.is_finite()) {
        let key = format!("{table}.mean");
        return Err(m.wrong(&key, "has a value that is not a number"));
    }
    if std.iter().any(|v| !v.is_finite() || *v <= 0.0) {
        let key = format!("{table}.std");
        return Err(m.wrong(&key, "has a value that is not above 0"));
    }
    Ok(())
}

/// One component: cannot climb, hide, or mean anything to a shell.
pub(super) fn is_plain(name: &str) -> bool {
    name.len() <= 64
        && name
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// Components with `/` between them, relative.
pub(super) fn is_path(path: &str) -> bool {
    path.len() <= 512 && path.split('/').all(is_plain)
}
