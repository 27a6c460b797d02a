//! A small TIFF structure with nothing but facts: what common EXIF readers look for, out of places
//! where they do not.

use super::bytes::Order;
use super::ifd::{Directory, View, unit};
use super::tags;
use super::tree::{Role, Tree};

/// Bytes of one value that is taken over. Camera facts are below a hundred.
const MAX_VALUE: usize = 4096;
/// Bytes of the whole structure.
const MAX_TOTAL: usize = 256 << 10;

/// The three directories that EXIF 2.32 has facts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Root,
    Exif,
    Gps,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    tag: u16,
    kind: u16,
    count: u32,
    /// Little-endian.
    data: Vec<u8>,
}

/// Gathers fields and lays them out.
#[derive(Debug, Default)]
pub(super) struct Compact {
    fields: [Vec<Field>; 3],
    total: usize,
}

impl Compact {
    /// Everything worth having of `tree`.
    pub(super) fn of_tree(tree: &Tree<'_>) -> Self {
        let mut compact = Self::default();
        let places = [
            (Role::Exif, Place::Exif),
            (Role::Gps, Place::Gps),
            (Role::Main, Place::Root),
        ];
        for (role, place) in places {
            if let Some(directory) = tree.with_role(role).next() {
                compact.add_directory(place, &tree.view, directory);
            }
        }
        compact
    }

    /// Takes over the entries of `directory` that are facts; the first of two with one tag counts.
    pub(super) fn add_directory(&mut self, place: Place, view: &View<'_>, directory: &Directory) {
        for entry in &directory.entries {
            let Some(place) = home(place, entry.tag) else {
                continue;
            };
            if entry.len > MAX_VALUE {
                continue;
            }
            if let Some(value) = view.value(entry) {
                let data = little_endian(view.order, entry.kind, value);
                self.add(place, entry.tag, entry.kind, entry.count, data);
            }
        }
    }

    /// Adds text, as far as it is ASCII, up to its first NUL.
    pub(super) fn add_text(&mut self, place: Place, tag: u16, text: &[u8]) {
        let end = text.iter().position(|b| *b == 0).unwrap_or(text.len());
        let mut data: Vec<u8> = text
            .iter()
            .take(end.min(MAX_VALUE))
            .copied()
            .filter(u8::is_ascii)
            .collect();
        if data.is_empty() {
            return;
        }
        data.push(0);
        if let Ok(count) = u32::try_from(data.len()) {
            self.add(place, tag, 2, count, data);
        }
    }

    pub(super) fn add_short(&mut self, place: Place, tag: u16, value: u16) {
        self.add(place, tag, 3, 1, value.to_le_bytes().to_vec());
    }

    pub(super) fn add_rational(&mut self, place: Place, tag: u16, over: u32, under: u32) {
        let mut data = over.to_le_bytes().to_vec();
        data.extend(under.to_le_bytes());
        self.add(place, tag, 5, 1, data);
    }

    fn add(&mut self, place: Place, tag: u16, kind: u16, count: u32, data: Vec<u8>) {
        let fields = &mut self.fields[place as usize];
        let cost = 12 + data.len() + 1;
        if self.total + cost <= MAX_TOTAL && fields.iter().all(|f| f.tag != tag) {
            self.total += cost;
            fields.push(Field {
                tag,
                kind,
                count,
                data,
            });
        }
    }

    /// The structure, little-endian, if there is anything in it and it is not over `max` bytes.
    pub(super) fn into_bytes(mut self, max: usize) -> Option<Vec<u8>> {
        if self.fields.iter().all(Vec::is_empty) {
            return None;
        }
        for (place, pointer) in [(Place::Exif, tags::EXIF_IFD), (Place::Gps, tags::GPS_IFD)] {
            if !self.fields[place as usize].is_empty() {
                self.fields[Place::Root as usize].push(Field {
                    tag: pointer,
                    kind: 4,
                    count: 1,
                    data: vec![0; 4],
                });
            }
        }
        for fields in &mut self.fields {
            fields.sort_by_key(|f| f.tag);
        }
        let mut starts = [0; 3];
        let mut at = 8;
        for (start, fields) in starts.iter_mut().zip(&self.fields) {
            *start = at;
            at += laid_out_len(fields);
        }
        for field in &mut self.fields[Place::Root as usize] {
            let start = match field.tag {
                tags::EXIF_IFD => starts[Place::Exif as usize],
                tags::GPS_IFD => starts[Place::Gps as usize],
                _ => continue,
            };
            field.data = u32::try_from(start).ok()?.to_le_bytes().to_vec();
        }
        if at > max {
            return None;
        }
        let mut out = Vec::with_capacity(at);
        out.extend(b"II*\0\x08\0\0\0");
        for fields in self.fields.iter().filter(|f| !f.is_empty()) {
            lay_out(fields, &mut out)?;
        }
        Some(out)
    }
}

/// The directory in which readers look for `tag` when it was found in `place`; `None`: no fact, but a
/// pointer into the file or picture data. Some cameras keep EXIF's tags in the first directory.
fn home(place: Place, tag: u16) -> Option<Place> {
    match (place, tag) {
        (_, tags::EXIF_IFD | tags::GPS_IFD | tags::SUB_IFDS | tags::INTEROP_IFD) => None,
        (_, tags::MAKER_NOTE | tags::XMP | tags::DNG_PRIVATE_DATA) => None,
        (Place::Root, tags::STRIP_OFFSETS | tags::STRIP_BYTE_COUNTS) => None,
        (Place::Root, tags::TILE_OFFSETS | tags::TILE_BYTE_COUNTS) => None,
        (Place::Root, tags::JPEG_OFFSET | tags::JPEG_LENGTH) => None,
        // Panasonic's own.
        (Place::Root, 0..tags::NEW_SUBFILE_TYPE) => None,
        (Place::Root, 0x829A | 0x829D | 0x8822..=0x8835 | 0x9000..=0x92FF | 0xA000..=0xA4FF) => {
            Some(Place::Exif)
        }
        _ => Some(place),
    }
}

fn little_endian(order: Order, kind: u16, value: &[u8]) -> Vec<u8> {
    let mut data = value.to_vec();
    // A rational is two numbers of four bytes.
    let width = match kind {
        5 | 10 => 4,
        _ => unit(kind).unwrap_or(1),
    };
    if order == Order::Big {
        data.chunks_exact_mut(width).for_each(<[u8]>::reverse);
    }
    data
}

/// Bytes of a directory: count, entries, next; then the values that do not fit, each on an even offset.
fn laid_out_len(fields: &[Field]) -> usize {
    if fields.is_empty() {
        return 0;
    }
    let values: usize = fields.iter().map(outside_len).sum();
    2 + 12 * fields.len() + 4 + values
}

fn outside_len(field: &Field) -> usize {
    match field.data.len() {
        0..=4 => 0,
        n => n.next_multiple_of(2),
    }
}

/// Appends a directory to `out`, whose length is its offset.
fn lay_out(fields: &[Field], out: &mut Vec<u8>) -> Option<()> {
    let mut value_at = out.len() + 2 + 12 * fields.len() + 4;
    out.extend(u16::try_from(fields.len()).ok()?.to_le_bytes());
    for field in fields {
        out.extend(field.tag.to_le_bytes());
        out.extend(field.kind.to_le_bytes());
        out.extend(field.count.to_le_bytes());
        if outside_len(field) == 0 {
            let mut inline = [0; 4];
            inline[..field.data.len()].copy_from_slice(&field.data);
            out.extend(inline);
        } else {
            out.extend(u32::try_from(value_at).ok()?.to_le_bytes());
            value_at += outside_len(field);
        }
    }
    out.extend([0; 4]);
    for field in fields.iter().filter(|f| outside_len(f) > 0) {
        out.extend(&field.data);
        out.resize(out.len() + field.data.len() % 2, 0);
    }
    Some(())
}

/// A time in seconds since 1970 as EXIF writes it, "YYYY:MM:DD HH:MM:SS". Cameras that store such a
/// number count in their own local time.
pub(super) fn exif_time(seconds: u32) -> Option<String> {
    if seconds == 0 {
        return None;
    }
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's civil-from-days: eras of 400 years (146,097 days) from 1 March of year 0.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u32::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    Some(format!(
        "{year:04}:{month:02}:{day:02} {hour:02}:{minute:02}:{second:02}"
    ))
}
