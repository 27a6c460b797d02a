//! The hash by which near-duplicates find each other: DoubleGradient over 16×16.
//!
//! The algorithm looks at nine by nine averaged pixels, so a picture of [`SIDE`] gives the same
//! hash as the full one at a fraction of its cost.

use image_hasher::{HashAlg, Hasher, HasherConfig};

use super::orientation::Orientation;
use super::picture::Picture;
use crate::photo::PerceptualHash;

/// Longer side of the picture that is hashed.
pub(super) const SIDE: u32 = 512;

/// Hash configuration, made once.
pub(super) fn hasher() -> Hasher<Vec<u8>> {
    HasherConfig::with_bytes_type::<Vec<u8>>()
        .hash_alg(HashAlg::DoubleGradient)
        .hash_size(16, 16)
        .to_hasher()
}

/// Hash of `picture` turned upright.
pub(super) fn hash(
    hasher: &Hasher<Vec<u8>>,
    picture: Picture,
    orientation: Orientation,
) -> PerceptualHash {
    let (width, height) = (picture.width, picture.height);
    let luma = Picture::new(
        width,
        height,
        super::picture::Channels::Grey,
        picture.into_luma(),
    );
    let upright = orientation.upright(luma);
    let image = image::GrayImage::from_raw(upright.width, upright.height, upright.data)
        .expect("a picture holds width times height bytes of luma");
    PerceptualHash(hasher.hash_image(&image).into_inner())
}
