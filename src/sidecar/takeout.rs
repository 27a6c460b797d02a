//! The names of the notes in a Google Takeout.
//!
//! The note on `canal.jpg` is `canal.jpg.json` or, since 2024, `canal.jpg.supplemental-metadata.json`.
//! The whole name is cut to 51 characters, of which `.json` is kept. A number that tells files of one
//! name apart stands before the photo's extension and at the end of the note's name:
//! `canal(1).jpg`, `canal.jpg(1).json`, `canal.jpg.supplemental-metadata(1).json`. A copy that was
//! edited in Google Photos (`canal-edited.jpg`, in the words of the account's language) has no note:
//! the original's is its own.

use super::{Bond, split_dot, split_extension};

/// What stands between the photo's name and `.json`, as far as there is room for it.
const SUPPLEMENT: &str = ".supplemental-metadata";

/// Characters that are left for the name without `.json`.
const ROOM: usize = 46;

/// What is put behind the names of edited copies, in lower case.
#[rustfmt::skip]
const EDITED: &[&str] = &[
    // These are made by Google itself and named in English everywhere.
    "-animation", "-collage", "-effects", "-mix", "-motion", "-smile",
    // Edited by a person: English, Danish, German, Spanish, Catalan, French, Italian, Dutch, Polish,
    // Portuguese, Swedish, Finnish, Norwegian, Turkish, Indonesian, Vietnamese, Russian, Chinese,
    // Japanese, Korean.
    "-edited", "-redigeret", "-bearbeitet", "-ha editado", "-editado", "-editada", "-editat",
    "-modifié", "-modifiée", "-modificato", "-modificata", "-bewerkt", "-edytowane", "-edytowano",
    "-redigerad", "-muokattu", "-redigert", "-düzenlendi", "-diedit", "-đã chỉnh sửa",
    "-отредактировано", "-已编辑", "-编辑", "-已編輯", "-編集済み", "-편집됨",
];

/// How the note named `of` (without `.json`) belongs to `photo`.
pub(super) fn bond(of: &str, photo: &str) -> Option<Bond> {
    let (stem, extension) = split_extension(photo);
    let names = |of: &str, stem: &str| is_named(of, stem, extension);
    // The number may be part of the name that the photo had.
    if names(of, stem) {
        return Some(Bond::Note);
    }
    let (bare, number) = split_number(of);
    let (photo_bare, photo_number) = split_number(stem);
    if !number.is_empty() && number == photo_number && names(bare, photo_bare) {
        return Some(Bond::Note);
    }
    let edited = [
        (without_edited(stem, photo), ""),
        (without_edited(photo_bare, photo), photo_number),
    ];
    for (original, its_number) in edited {
        let Some(original) = original else { continue };
        // `canal(1)-edited.jpg`.
        let (inner, inner_number) = split_number(original);
        let of_original =
            |of: &str, original: &str| names(of, original) || is_named_otherwise(of, original);
        let matches = if its_number.is_empty() {
            of_original(of, original)
                || (!inner_number.is_empty() && inner_number == number && of_original(bare, inner))
        } else {
            its_number == number && of_original(bare, original)
        };
        if matches {
            return Some(Bond::Original);
        }
    }
    None
}

/// True if a note of this name is on a file of this stem and extension.
fn is_named(of: &str, stem: &str, extension: &str) -> bool {
    let is_whole = |of: &str| {
        let rest = of.strip_prefix(stem);
        // Without the extension, with all or with the beginning of it.
        rest.is_some_and(|rest| extension.starts_with(rest))
    };
    // Cut within the name, which the photo's own name may be too, a character later.
    let is_begun = || is_full(of) && stem.starts_with(of);
    is_whole(of) || without_supplement(of).is_some_and(is_whole) || is_begun()
}

/// True if a note named `of` may be on a file of which its name has but the beginning.
pub(super) fn is_cut(of: &str) -> bool {
    is_full(of) || is_full(split_number(of).0)
}

/// Nothing more has room.
fn is_full(of: &str) -> bool {
    of.len() == ROOM || of.chars().count() == ROOM || of.encode_utf16().count() == ROOM
}

/// True if a note of this name is on a file of this stem and any other extension: a copy of a HEIC is
/// a JPEG.
fn is_named_otherwise(of: &str, stem: &str) -> bool {
    let of = without_supplement(of).unwrap_or(of);
    split_extension(of).0 == stem
}

/// `canal.jpg` of `canal.jpg.suppl`.
pub(super) fn without_supplement(name: &str) -> Option<&str> {
    let (before, end) = split_dot(name);
    let is_one = !end.is_empty() && SUPPLEMENT.starts_with(end);
    is_one.then_some(before)
}

/// True if enough of it is there to be nothing else.
pub(super) fn has_supplement(name: &str) -> bool {
    let end = split_dot(name).1;
    end.len() >= ".supp".len() && SUPPLEMENT.starts_with(end)
}

/// `canal` and `(1)` of `canal(1)`; without a number, all of it and nothing.
pub(super) fn split_number(name: &str) -> (&str, &str) {
    let number = || {
        let inner = name.strip_suffix(')')?;
        let at = inner.rfind('(').filter(|at| *at > 0)?;
        let digits = &inner[at + 1..];
        let is_one = (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        is_one.then_some(at)
    };
    name.split_at(number().unwrap_or(name.len()))
}

/// `canal` of `canal-edited`.
fn without_edited<'a>(stem: &'a str, photo: &str) -> Option<&'a str> {
    let stem_of = |suffix: &&str| stem.strip_suffix(*suffix).filter(|rest| !rest.is_empty());
    let whole = EDITED.iter().find_map(stem_of);
    // Where the photo's name was cut, the beginning of the word may be all there is.
    let cut = || without_begun_edited(stem).filter(|_| photo.chars().count() >= ROOM);
    whole.or_else(cut)
}

/// `canal` of `canal-edited`, `canal-edi` and `canal-`.
pub(super) fn without_begun_edited(stem: &str) -> Option<&str> {
    let begins = |dash: &usize| {
        EDITED
            .iter()
            .any(|suffix| suffix.starts_with(&stem[*dash..]))
    };
    let dash = stem.rfind('-').filter(|dash| *dash > 0);
    dash.filter(begins).map(|dash| &stem[..dash])
}
