//! Photos of several files: a raw, and the JPEG or HEIC that the camera wrote beside it.
//!
//! They lie in one folder, their names differ in nothing but the ending, and they were taken at the same
//! time. Found when a photo is about to be shown: nothing is kept, so nothing can be out of date. A pair
//! is one result, shown as its *face*: the JPEG or HEIC where that is among what was asked for, else the
//! file that is. A photo that is not its pair's face is passed over, for the face comes by itself; so no
//! list of what was shown is needed, and the order is that of the faces.

use std::collections::{HashMap, HashSet};

use jiff::civil::DateTime;

use super::error::SearchError;
use crate::photo::Format;
use crate::store::{BesideRaw, Hit, StoreReader};

/// A result: the file that stands for it, and the others.
#[derive(Debug, Clone)]
pub struct Shot {
    /// What is shown.
    pub face: Hit,
    /// The photos that belong to it.
    pub members: Vec<Hit>,
}

/// Two clocks in one camera, or one that is read twice, differ by less than this many seconds; two
/// photos that happen to have one name, from two cameras, hardly do.
const SAME_TIME_S: i64 = 2;

/// What a file is in a pair, the best face first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Jpeg,
    Heic,
    Raw,
}

fn part(hit: &Hit) -> Option<Part> {
    match Format::from_name(&hit.photo.format)? {
        Format::Jpeg => Some(Part::Jpeg),
        Format::Heic => Some(Part::Heic),
        Format::Raw => Some(Part::Raw),
        _ => None,
    }
}

/// Whether two siblings are a raw and its picture.
fn belong_together(a: &Hit, b: &Hit) -> bool {
    let is_raw = |hit| part(hit).map(|part| part == Part::Raw);
    let (Some(a_raw), Some(b_raw)) = (is_raw(a), is_raw(b)) else {
        return false;
    };
    a_raw != b_raw && same_time(a, b)
}

fn same_time(a: &Hit, b: &Hit) -> bool {
    let captured = |hit: &Hit| Some(hit.photo.exif.captured_at.as_ref()?.local.clone());
    is_same_time(captured(a).as_deref(), captured(b).as_deref())
}

/// What has no date can be of any time.
fn is_same_time(a: Option<&str>, b: Option<&str>) -> bool {
    let time = |local: Option<&str>| local?.parse::<DateTime>().ok();
    let (Some(a), Some(b)) = (time(a), time(b)) else {
        return true;
    };
    a.duration_since(b).as_secs().abs() <= SAME_TIME_S
}

/// The face of every raw that is shown as another photo, of the whole library: what [`files_of`] says of each,
/// in one pass where a raw has one place and one picture beside it.
///
/// # Errors
/// The database.
pub fn faces_of_raws(reader: &StoreReader) -> Result<HashMap<i64, i64>, SearchError> {
    let mut faces = HashMap::new();
    let mut to_ask = Vec::new();
    let mut last: Option<BesideRaw> = None;
    reader.beside_raws(&mut |beside| {
        let is_second = last.as_ref().is_some_and(|last| last.raw == beside.raw);
        if is_second || beside.raw_places > 1 {
            to_ask.push(beside.raw);
        } else if is_same_time(beside.captured.0.as_deref(), beside.captured.1.as_deref()) {
            faces.insert(beside.raw, beside.other);
        }
        last = Some(beside);
    })?;
    to_ask.dedup();
    for raw in to_ask {
        faces.remove(&raw);
        faces.extend(face_of_raw(reader, raw)?.map(|face| (raw, face)));
    }
    Ok(faces)
}

fn face_of_raw(reader: &StoreReader, raw: i64) -> Result<Option<i64>, SearchError> {
    let Some(hit) = reader.photo_called(raw)? else {
        return Ok(None);
    };
    let face = files_of(reader, &hit)?.first().map(|face| face.photo.id);
    Ok(face.filter(|face| *face != raw))
}

/// The raws that a photo of one place belongs with, itself among them if it is one, and the face of each that has
/// another: what [`faces_of_raws`] says of them.
///
/// # Errors
/// The database.
pub fn raws_with(reader: &StoreReader, photo: i64) -> Result<Vec<(i64, i64)>, SearchError> {
    let Some(hit) = reader.photo_called(photo)? else {
        return Ok(Vec::new());
    };
    let mut raws = Vec::new();
    for file in files_of(reader, &hit)? {
        if part(&file) == Some(Part::Raw) {
            let raw = file.photo.id;
            raws.extend(face_of_raw(reader, raw)?.map(|face| (raw, face)));
        }
    }
    Ok(raws)
}

/// All files of the pair that a photo belongs to, the best face first; the photo alone if it is of one
/// file.
///
/// # Errors
/// The database.
pub fn files_of(reader: &StoreReader, hit: &Hit) -> Result<Vec<Hit>, SearchError> {
    let mut files = vec![hit.clone()];
    if part(hit).is_none() {
        return Ok(files);
    }
    let mut others = reader.siblings(hit.root_id, &hit.path)?;
    let mut at = 0;
    // Two raws may have one JPEG, and so belong together.
    while at < files.len() && !others.is_empty() {
        let (with, without) = others
            .into_iter()
            .partition(|other| belong_together(&files[at], other));
        others = without;
        files.extend::<Vec<Hit>>(with);
        at += 1;
    }
    files.sort_by(|a, b| (part(a), &a.path).cmp(&(part(b), &b.path)));
    Ok(files)
}

/// Results in which nothing belongs together, after which it is asked whether there is any raw at all: a
/// look through 100,000 photos costs what 20,000 of these look-ups cost.
const WORTH_ASKING: usize = 2000;

/// What one query shows.
pub(super) struct Shots<'a> {
    reader: &'a StoreReader,
    /// Photos of one file so far, until it is asked.
    alone: usize,
    /// Every photo is of one file, or is to be shown as if it were.
    each_file: bool,
    /// Each content is shown at every place.
    each_place: bool,
    /// What has been shown and lies at other places too: few do.
    shown: HashSet<i64>,
}

impl<'a> Shots<'a> {
    pub fn new(reader: &'a StoreReader, each_file: bool, each_place: bool) -> Self {
        Self {
            reader,
            alone: 0,
            each_file,
            each_place,
            shown: HashSet::new(),
        }
    }

    /// What is shown where the search comes to this photo; `None` if it has been shown at another place,
    /// or its pair is shown as another file, that `answers` the query too. The photo itself does.
    pub fn shot(
        &mut self,
        hit: Hit,
        answers: &mut dyn FnMut(&Hit) -> Result<bool, SearchError>,
    ) -> Result<Option<Shot>, SearchError> {
        let (photo, has_copies) = (hit.photo.id, hit.photo.places > 1);
        if self.shown.contains(&photo) {
            return Ok(None);
        }
        let shot = self.of_pair(hit, answers)?;
        if has_copies && !self.each_place && shot.is_some() {
            self.shown.insert(photo);
        }
        Ok(shot)
    }

    fn of_pair(
        &mut self,
        hit: Hit,
        answers: &mut dyn FnMut(&Hit) -> Result<bool, SearchError>,
    ) -> Result<Option<Shot>, SearchError> {
        if self.each_file {
            return Ok(Some(Shot::of_one(hit)));
        }
        let mut files = files_of(self.reader, &hit)?;
        if files.len() == 1 {
            self.alone += 1;
            if self.alone == WORTH_ASKING {
                self.each_file = !self.reader.has_format(Format::Raw)?;
            }
            return Ok(Some(Shot::of_one(hit)));
        }
        for at in 0..files.len() {
            if files[at].path == hit.path {
                let face = files.remove(at);
                return Ok(Some(Shot {
                    face,
                    members: files,
                }));
            }
            if answers(&files[at])? {
                break;
            }
        }
        Ok(None)
    }
}

impl Shot {
    /// A photo of one file, or a file shown by itself.
    fn of_one(face: Hit) -> Self {
        Self {
            face,
            members: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
