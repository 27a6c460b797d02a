//! The units of an AV1 stream (AV1 specification, 5.3): as much as it takes to find the sequence header.

use super::boxes::Fields;
use crate::media::facts::NoPixels;

/// `OBU_SEQUENCE_HEADER`.
const SEQUENCE_HEADER: u8 = 1;

/// The unit with the sequence header. Refused if there is none, or if a later one differs: frames of another
/// depth or form would take more memory than was reckoned.
pub(super) fn sequence_header(data: &[u8]) -> Result<&[u8], NoPixels> {
    let mut rest = data;
    let mut found: Option<&[u8]> = None;
    while !rest.is_empty() {
        let Some((kind, length)) = unit(rest) else {
            break; // padding or damage, which is the decoder's to judge
        };
        let (unit, after) = rest.split_at(length);
        rest = after;
        if kind == SEQUENCE_HEADER {
            match found {
                None => found = Some(unit),
                Some(first) if first == unit => {}
                Some(_) => {
                    return Err(NoPixels::Unsupported(
                        "AV1 with several sequence headers".into(),
                    ));
                }
            }
        }
    }
    found.ok_or_else(|| NoPixels::Corrupt("its AV1 sequence header is missing".into()))
}

/// The kind of the first unit and its length in bytes, header included.
fn unit(data: &[u8]) -> Option<(u8, usize)> {
    let mut fields = Fields::new(data);
    let first = fields.u8()?;
    if first & 4 != 0 {
        fields.u8()?; // layer numbers
    }
    let kind = first >> 3 & 15;
    if first & 2 == 0 {
        return Some((kind, data.len())); // no length: the last one
    }
    let mut length = 0u64;
    for index in 0..8 {
        let byte = fields.u8()?;
        length |= u64::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            let payload = usize::try_from(length).ok()?;
            fields.bytes(payload)?;
            return Some((kind, data.len() - fields.rest().len()));
        }
    }
    None
}
