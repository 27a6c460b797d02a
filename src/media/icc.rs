//! Colour profiles that JPEGs carry, and what any profile means for a decoded picture. (Decoders of other
//! formats hand theirs over; HEIF and JPEG XL convert while they decode.)

use super::jpeg_layout::segments;
use super::picture::{Channels, Picture};
use super::srgb::{self, Profile8};

/// What a JPEG's APP2 segments with a part of a profile start with (ICC.1, annex B.4).
const PREFIX: &[u8] = b"ICC_PROFILE\0";
/// Larger than any profile of a screen or a camera; those of printers are no use here.
const MOST: usize = 4 << 20;

/// A JPEG's profile, its parts in their order.
pub(super) fn of_jpeg(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<(u8, &[u8])> = segments(bytes)
        .filter(|(marker, ..)| *marker == 0xE2)
        .filter_map(|(_, body, _)| match body.strip_prefix(PREFIX)? {
            [number, _, part @ ..] => Some((*number, part)),
            _ => None,
        })
        .collect();
    parts.sort_by_key(|(number, _)| *number);
    let size: usize = parts.iter().map(|(_, part)| part.len()).sum();
    (size > 0 && size <= MOST).then(|| {
        parts
            .into_iter()
            .flat_map(|(_, part)| part)
            .copied()
            .collect()
    })
}

/// Brings a picture in the colours of `profile` to sRGB. One that is not for RGB, or broken, changes nothing.
pub(super) fn to_srgb(picture: &mut Picture, profile: &[u8]) {
    if picture.channels != Channels::Rgb || profile.len() > MOST || is_named_srgb(profile) {
        return;
    }
    if let Some(Profile8::Other(transform)) = Profile8::read(profile) {
        srgb::convert(&mut picture.data, 3, &transform);
    }
}

/// True if it calls itself sRGB, as most do: reading it and finding out takes half a millisecond.
fn is_named_srgb(profile: &[u8]) -> bool {
    let has = |name: &[u8]| memchr::memmem::find(profile, name).is_some();
    has(b"sRGB") || has(b"s\0R\0G\0B")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use moxcms::ColorProfile;

    fn p3() -> Vec<u8> {
        ColorProfile::new_display_p3().encode().unwrap()
    }

    fn segment(number: u8, of: u8, part: &[u8]) -> Vec<u8> {
        let body = [PREFIX, &[number, of], part].concat();
        let len = u16::try_from(body.len() + 2).unwrap();
        [&[0xFF, 0xE2][..], &len.to_be_bytes(), &body].concat()
    }

    fn picture(colour: [u8; 3]) -> Picture {
        Picture::new(1, 1, Channels::Rgb, colour.to_vec())
    }

    #[test]
    fn parts_of_a_profile_are_put_together_in_their_order() {
        let profile = p3();
        let (one, two) = profile.split_at(profile.len() / 2);
        let jpeg = [
            &[0xFF, 0xD8][..],
            &segment(2, 2, two),
            &segment(1, 2, one),
            &[0xFF, 0xD9],
        ]
        .concat();
        assert_eq!(of_jpeg(&jpeg), Some(profile));
        assert_eq!(of_jpeg(&[0xFF, 0xD8, 0xFF, 0xD9]), None);
    }

    #[test]
    fn display_p3_becomes_srgb_and_srgb_stays() {
        // sRGB (200, 100, 50) is (187, 105, 61) in Display P3.
        let mut found = picture([187, 105, 61]);
        to_srgb(&mut found, &p3());
        for (found, expected) in found.data.iter().zip([200u8, 100, 50]) {
            assert!(found.abs_diff(expected) <= 2, "{found} is not {expected}");
        }
        for profile in [
            ColorProfile::new_srgb().encode().unwrap(),
            b"broken".to_vec(),
        ] {
            let mut same = picture([187, 105, 61]);
            to_srgb(&mut same, &profile);
            assert_eq!(same.data, [187, 105, 61]);
        }
    }
}
