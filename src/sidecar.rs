//! Floor 0: files beside a photo that speak of it, known by their names. No I/O.
//!
//! Three programs' habits, and no more: XMP beside the file (`photo.xmp`, `photo.jpg.xmp`), the
//! versions that darktable keeps of one photo (`photo_01.jpg.xmp`), and the notes of a Google Takeout
//! (`photo.jpg.json`, with the many forms of that name in [`takeout`]). Letters' case and Unicode form
//! do not count, unless two photos differ in nothing else.
//!
//! [`bonds`] decides for all photos and sidecars of one folder that share a [`group`]; names of
//! different groups never belong together, so that whoever looks for partners looks at few names.

mod takeout;

use std::borrow::Cow;
use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

use crate::said::Said;

/// What a sidecar is by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SidecarKind {
    /// An XMP packet in a file of its own.
    Xmp,
    /// JSON: a note of a Google Takeout, or nothing to do with photos at all.
    Note,
}

impl SidecarKind {
    /// What files of this name are; `None`: no sidecar.
    pub fn of(name: &[u8]) -> Option<Self> {
        let is = |ending: &str| {
            let at = name.len().checked_sub(ending.len()).filter(|at| *at > 0);
            at.is_some_and(|at| name[at..].eq_ignore_ascii_case(ending.as_bytes()))
        };
        match () {
            () if is(XMP) => Some(Self::Xmp),
            () if is(JSON) => Some(Self::Note),
            () => None,
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Xmp => XMP,
            Self::Note => JSON,
        }
    }
}

const XMP: &str = ".xmp";
const JSON: &str = ".json";

/// A sidecar, as far as it takes to tell whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SidecarName {
    /// The name of the file.
    pub name: Vec<u8>,
    /// See [`SidecarWords::derived_from`].
    pub derived_from: Option<String>,
}

/// What a sidecar says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SidecarWords {
    /// Of the photo. Dates stand under the fields that XMP has for them.
    pub said: Said,
    /// The file that it says it was made for (`xmpMM:DerivedFrom`).
    pub derived_from: Option<String>,
}

/// How a sidecar belongs to a photo. What comes first is believed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bond {
    /// `photo.jpg.xmp` and `photo.jpg`.
    Named,
    /// `photo.xmp` and `photo.jpg`; a raw file and its JPEG share one.
    Stem,
    /// A Takeout's note on this very file.
    Note,
    /// A Takeout's note on the file that this one was edited from.
    Original,
    /// Of a version that darktable keeps beside the photo: `photo_01.jpg.xmp`. Its keywords are true of
    /// the picture; its stars, title and date are that version's.
    Version,
}

/// A sidecar and a photo that belong together, by their places in what [`bonds`] was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bonded {
    /// Which photo.
    pub photo: usize,
    /// Which sidecar.
    pub sidecar: usize,
    /// How they belong together.
    pub bond: Bond,
}

/// Who belongs together, of the photos and the sidecars of one folder and group. By sidecar, then by
/// photo.
pub fn bonds(photos: &[&[u8]], sidecars: &[SidecarName]) -> Vec<Bonded> {
    let folded: Vec<String> = photos.iter().map(|name| fold(name)).collect();
    let mut alike: HashMap<(String, String), Vec<usize>> = HashMap::new();
    for (photo, name) in photos.iter().enumerate() {
        alike.entry(core(name)).or_default().push(photo);
    }
    let everyone: Vec<usize> = (0..photos.len()).collect();
    let mut all = Vec::new();
    for (sidecar, name) in sidecars.iter().enumerate() {
        let Some(kind) = SidecarKind::of(&name.name) else {
            continue;
        };
        let (of, as_spelled) = (fold(&name.name), text(&name.name));
        let of = &of[..of.len() - kind.ending().len()];
        let as_spelled = &as_spelled[..as_spelled.len() - kind.ending().len()];
        let derived = name.derived_from.as_deref();
        let candidates = if kind == SidecarKind::Note && takeout::is_cut(of) {
            &everyone[..]
        } else {
            alike.get(&core(&name.name)).map_or(&[][..], Vec::as_slice)
        };
        let mut found: Vec<(Bonded, bool)> = Vec::new();
        for photo in candidates.iter().copied() {
            if let Some(bond) = bond(kind, of, derived, &folded[photo]) {
                let bonded = Bonded {
                    photo,
                    sidecar,
                    bond,
                };
                let spelled = text(photos[photo]);
                let exactly = self::bond(kind, as_spelled, derived, &spelled).is_some();
                found.push((bonded, exactly));
            }
        }
        // `a.jpg.xmp` is of `a.jpg` and not of `a.jpg.png` beside it, and not of `A.jpg`.
        if found.iter().any(|(b, _)| b.bond == Bond::Named) {
            found.retain(|(b, _)| b.bond == Bond::Named);
        }
        if found.iter().any(|(_, exactly)| *exactly) {
            found.retain(|(_, exactly)| *exactly);
        }
        all.extend(found.into_iter().map(|(bonded, _)| bonded));
    }
    all
}

/// How the sidecar of this kind, whose name is `of` before its ending, belongs to `photo`.
fn bond(kind: SidecarKind, of: &str, derived_from: Option<&str>, photo: &str) -> Option<Bond> {
    if kind == SidecarKind::Note {
        return takeout::bond(of, photo);
    }
    let stem = split_extension(photo).0;
    let is_version = || {
        let original =
            derived_from.is_some_and(|name| fold(name.as_bytes()) == fold(photo.as_bytes()));
        original && without_version(of).is_some_and(|of| of == photo)
    };
    if of == photo {
        Some(Bond::Named)
    } else if of == stem {
        Some(Bond::Stem)
    } else {
        is_version().then_some(Bond::Version)
    }
}

/// What the names of photos and sidecars that may belong together have in common. Other names may
/// have it too.
pub fn group(name: &[u8]) -> String {
    /// Takeout cuts names after 46 characters; what is at their ends may be taken off before that.
    const LONGEST: usize = 40;
    let (stem, number) = core(name);
    let end = stem
        .char_indices()
        .nth(LONGEST)
        .map_or(stem.len(), |(i, _)| i);
    format!("{}{number}", &stem[..end])
}

/// A name without all that may differ between a photo's and its sidecar's, and the number that tells
/// it from others. Only where a note's name was cut, a photo that belongs to it may have another.
fn core(name: &[u8]) -> (String, String) {
    let folded = fold(name);
    let ending = SidecarKind::of(name).map_or("", SidecarKind::ending);
    let mut rest = &folded[..folded.len() - ending.len()];
    let mut number = "";
    loop {
        let (before, n) = takeout::split_number(rest);
        rest = if number.is_empty() && !n.is_empty() {
            number = n;
            before
        } else if let Some(shorter) = takeout::without_supplement(rest)
            .or_else(|| without_extension(rest))
            .or_else(|| takeout::without_begun_edited(rest))
            .or_else(|| stem_of_version(rest))
        {
            shorter
        } else {
            break;
        };
    }
    (rest.to_owned(), number.to_owned())
}

/// The file that `photo_01.jpg` is a version of.
fn without_version(name: &str) -> Option<String> {
    let (stem, extension) = split_extension(name);
    Some(format!("{}{extension}", stem_of_version(stem)?))
}

/// `photo` of `photo_01`.
fn stem_of_version(stem: &str) -> Option<&str> {
    let (before, digits) = stem.rsplit_once('_')?;
    let two = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
    (two && !before.is_empty()).then_some(before)
}

/// What is before the extension, and the rest with its dot. An extension is short and not all digits, as
/// the parts of a time are; a name that begins with its only dot has none.
fn split_extension(name: &str) -> (&str, &str) {
    let (stem, end) = split_dot(name);
    let letters = || end.chars().skip(1);
    let is_one = (1..=5).contains(&letters().count())
        && letters().all(char::is_alphanumeric)
        && !letters().all(|c| c.is_ascii_digit());
    if is_one { (stem, end) } else { (name, "") }
}

fn split_dot(name: &str) -> (&str, &str) {
    let dot = name.rfind('.').filter(|dot| *dot > 0);
    name.split_at(dot.unwrap_or(name.len()))
}

fn without_extension(name: &str) -> Option<&str> {
    let (stem, extension) = split_extension(name);
    (!extension.is_empty()).then_some(stem)
}

/// True for a file that is named as no other program than Google's names its own.
pub fn is_surely_note(name: &[u8]) -> bool {
    let folded = fold(name);
    let of = folded.strip_suffix(JSON).unwrap_or_default();
    takeout::has_supplement(takeout::split_number(of).0)
}

/// A name as text: what is no UTF-8 is taken as Latin-1, so that different bytes stay different.
fn text(name: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(name) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => name.iter().map(|b| char::from(*b)).collect(),
    }
}

/// A name without what does not count.
fn fold(name: &[u8]) -> String {
    let text = text(name);
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.to_lowercase().nfc().collect()
}

#[cfg(test)]
mod tests;
