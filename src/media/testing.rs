//! What the tests of several formats share.

use crate::media::picture::{Channels, Picture};

/// The size of the picture that all samples show.
pub(crate) const WIDTH: usize = 24;
pub(crate) const HEIGHT: usize = 16;

/// The colour that the sample script drew at a place.
pub(crate) fn colour(x: usize, y: usize) -> [u8; 3] {
    [x * 10, y * 15, (x + y) * 6].map(|v| v as u8)
}

/// The script's picture as RGB.
pub(crate) fn drawn() -> Vec<u8> {
    (0..WIDTH * HEIGHT)
        .flat_map(|i| colour(i % WIDTH, i / WIDTH))
        .collect()
}

/// The same with the script's alpha, over white.
pub(crate) fn drawn_over_white() -> Vec<u8> {
    let over = |v: u8, x: usize| {
        let alpha = (x * 11) as u32;
        ((u32::from(v) * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    (0..WIDTH * HEIGHT)
        .flat_map(|i| colour(i % WIDTH, i / WIDTH).map(|v| over(v, i % WIDTH)))
        .collect()
}

/// The script's grey picture.
pub(crate) fn drawn_grey() -> Vec<u8> {
    (0..WIDTH * HEIGHT)
        .map(|i| (i % WIDTH * 10) as u8)
        .collect()
}

/// The same size and kind, and no byte further off than `tolerance`.
#[track_caller]
pub(crate) fn assert_close(picture: &Picture, channels: Channels, data: &[u8], tolerance: u8) {
    assert_eq!(
        (picture.width, picture.height),
        (WIDTH as u32, HEIGHT as u32)
    );
    assert_eq!(picture.channels, channels);
    assert_data_close(&picture.data, data, tolerance);
}

#[track_caller]
pub(crate) fn assert_data_close(data: &[u8], expected: &[u8], tolerance: u8) {
    assert_eq!(data.len(), expected.len());
    let pairs = || data.iter().zip(expected).map(|(a, b)| a.abs_diff(*b));
    let (at, most) = pairs()
        .enumerate()
        .max_by_key(|(_, d)| *d)
        .unwrap_or((0, 0));
    assert!(most <= tolerance, "byte {at} is off by {most}");
}

/// Every beginning of a file (every seventh of a long one), and many copies with a few bytes changed, the same each
/// time.
pub(crate) fn damaged(file: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let step = if file.len() > 600 { 7 } else { 1 };
    let cut = (0..file.len())
        .step_by(step)
        .map(|len| file[..len].to_vec());
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let changed = (0..400).map(move |i| {
        let mut copy = file.to_vec();
        for _ in 0..1 + i % 3 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let at = (state >> 8) as usize % copy.len();
            copy[at] = if state & 1 == 0 {
                0xFF
            } else {
                (state >> 40) as u8
            };
        }
        copy
    });
    cut.chain(changed)
}
