//! Picture sequences (`msf1`, `hevc`, `avis`): the first frame of the first track that shows pictures, told
//! as if it were a still picture's item.

use super::boxes::{Fields, Kind, find, pieces};
use super::container::Container;
use super::properties::Property;
use crate::media::facts::NoPixels;

/// The first frame that a `moov` box tells of.
pub(super) fn first_frame<'a>(file: &'a [u8], film: &'a [u8]) -> Result<Container<'a>, NoPixels> {
    let tracks = pieces(film).filter(|piece| piece.kind == *b"trak");
    tracks
        .filter_map(|track| frame_of_track(file, track.body))
        .next()
        .ok_or_else(|| NoPixels::Corrupt("it has no picture in it".into()))
}

fn frame_of_track<'a>(file: &'a [u8], track: &'a [u8]) -> Option<Container<'a>> {
    let media = find(track, b"mdia")?;
    // `pict` is a sequence of pictures, `vide` a film. `auxv` (alpha) and sound are neither.
    let handler: Kind = find(media, b"hdlr")?.get(8..12)?.try_into().ok()?;
    if !matches!(&handler, b"pict" | b"vide") {
        return None;
    }
    let table = find(find(media, b"minf")?, b"stbl")?;

    let mut entries = Fields::new(find(table, b"stsd")?);
    entries.version()?;
    entries.u32()?;
    let entry =
        pieces(entries.rest()).find(|entry| matches!(&entry.kind, b"hvc1" | b"hev1" | b"av01"))?;
    let mut fields = Fields::new(entry.body);
    fields.bytes(24)?; // six reserved bytes, the data reference, and sixteen bytes of film fields
    let (width, height) = (fields.u16()?, fields.u16()?);
    fields.bytes(50)?; // resolution, frames a sample, name, depth

    let mut properties = vec![Property::Size(width.into(), height.into())];
    properties.extend(
        pieces(fields.rest())
            .take(64)
            .map(|piece| Property::read(&piece)),
    );
    if let Some(quarters) = find(track, b"tkhd").and_then(quarter_turns_left) {
        properties.push(Property::Rotation(quarters));
    }

    let start = first_chunk(table)?;
    let length = first_sample_size(table)?;
    Some(Container::of_one_item(
        file,
        entry.kind,
        start..start.checked_add(length)?,
        properties,
    ))
}

/// Where in the file the first sample is.
fn first_chunk(table: &[u8]) -> Option<u64> {
    let (body, size) = match find(table, b"stco") {
        Some(body) => (body, 4),
        None => (find(table, b"co64")?, 8),
    };
    let mut fields = Fields::new(body);
    fields.version()?;
    fields.u32().filter(|&count| count > 0)?;
    fields.number(size)
}

fn first_sample_size(table: &[u8]) -> Option<u64> {
    let mut fields = Fields::new(find(table, b"stsz")?);
    fields.version()?;
    let common = fields.u32()?;
    fields.u32().filter(|&count| count > 0)?;
    let size = if common == 0 { fields.u32()? } else { common };
    (size > 0).then_some(u64::from(size))
}

/// The turn that a track header's matrix asks for, in quarters anti-clockwise. Other matrices are ignored.
fn quarter_turns_left(header: &[u8]) -> Option<u8> {
    let mut fields = Fields::new(header);
    let (version, _) = fields.version()?;
    // Times and numbers (longer in version 1), then layer, group and volume.
    fields.bytes(if version == 1 { 32 } else { 20 } + 16)?;
    let mut matrix = [0; 5];
    for cell in &mut matrix {
        *cell = fields.u32()? as i32;
    }
    let [a, b, _, c, d] = matrix.map(i32::signum);
    match [a, b, c, d] {
        [0, 1, -1, 0] => Some(3),
        [-1, 0, 0, -1] => Some(2),
        [0, -1, 1, 0] => Some(1),
        _ => None,
    }
}
