//! Photos of a few hundred bytes: one small JPEG, and a comment in it that makes each its own.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use image::{ExtendedColorType, ImageEncoder};

static MADE: AtomicU64 = AtomicU64::new(0);

/// The JPEG without its first two bytes, which come before the comment.
fn body() -> &'static [u8] {
    static BODY: OnceLock<Vec<u8>> = OnceLock::new();
    BODY.get_or_init(|| {
        let pixels: Vec<u8> = (0..16 * 16 * 3).map(|n: u32| (n * 7 % 251) as u8).collect();
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 60)
            .write_image(&pixels, 16, 16, ExtendedColorType::Rgb8)
            .unwrap();
        bytes.split_off(2)
    })
}

/// A JPEG whose comment is this number: all have the same length.
pub fn numbered(number: u64) -> Vec<u8> {
    let comment = format!("photo {number:016}");
    let length = u16::try_from(comment.len() + 2).unwrap();
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xfe];
    bytes.extend(length.to_be_bytes());
    bytes.extend(comment.bytes());
    bytes.extend(body());
    bytes
}

/// A JPEG like no other of this process.
pub fn fresh() -> Vec<u8> {
    numbered(1_000 + MADE.fetch_add(1, Ordering::Relaxed))
}

/// True for what [`numbered`] makes, whole.
pub fn is_whole(bytes: &[u8]) -> bool {
    let start = numbered(0).len() - body().len();
    // Two writers at once can make the comment another length than it says.
    let says = |b: &[u8]| {
        b.get(4..6)
            .map(|l| usize::from(l[0]) << 8 | usize::from(l[1]))
    };
    bytes.starts_with(&[0xff, 0xd8, 0xff, 0xfe])
        && says(bytes) == Some(start - 4)
        && bytes.get(start..) == Some(body())
}
