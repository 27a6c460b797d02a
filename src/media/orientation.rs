//! The eight EXIF orientations. Applied to reduced pictures only: turning twelve million pixels
//! costs more than everything else done with them.

use super::picture::Picture;

/// EXIF orientation 1 to 8, as stored in the file.
///
/// The value says how to turn the stored picture upright: 1 nothing, 2 mirror left-right,
/// 3 half turn, 4 mirror top-bottom, 5 transpose, 6 quarter turn clockwise, 7 transverse,
/// 8 quarter turn counter-clockwise (EXIF 2.32, tag 0x0112).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Orientation(u8);

impl Orientation {
    pub(super) const UPRIGHT: Self = Self(1);

    /// Anything that is not 1 to 8 counts as upright, as viewers do.
    pub(super) fn from_exif(value: u32) -> Self {
        match u8::try_from(value) {
            Ok(v @ 1..=8) => Self(v),
            _ => Self::UPRIGHT,
        }
    }

    pub(super) fn value(self) -> u8 {
        self.0
    }

    /// Width and height as displayed, of a picture stored as `width`×`height`.
    pub(super) fn displayed<T>(self, width: T, height: T) -> (T, T) {
        if self.0 >= 5 {
            (height, width)
        } else {
            (width, height)
        }
    }

    /// The stored pixel that is shown at `(x, y)` of the upright picture; `width` and `height` are
    /// the stored picture's.
    fn stored(self, x: usize, y: usize, width: usize, height: usize) -> (usize, usize) {
        let (right, bottom) = (width - 1, height - 1);
        match self.0 {
            2 => (right - x, y),
            3 => (right - x, bottom - y),
            4 => (x, bottom - y),
            5 => (y, x),
            6 => (y, bottom - x),
            7 => (right - y, bottom - x),
            8 => (right - y, x),
            _ => (x, y),
        }
    }

    /// The picture turned upright.
    pub(super) fn upright(self, picture: Picture) -> Picture {
        if self == Self::UPRIGHT {
            return picture;
        }
        let (w, h) = (picture.width as usize, picture.height as usize);
        let (out_w, out_h) = self.displayed(w, h);
        let n = picture.channels.count();
        let mut data = Vec::with_capacity(picture.data.len());
        for y in 0..out_h {
            for x in 0..out_w {
                let (sx, sy) = self.stored(x, y, w, h);
                let at = (sy * w + sx) * n;
                data.extend_from_slice(&picture.data[at..at + n]);
            }
        }
        let (width, height) = self.displayed(picture.width, picture.height);
        Picture {
            width,
            height,
            channels: picture.channels,
            data,
            content: (f64::from(width), f64::from(height)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::picture::Channels;
    use super::*;

    #[test]
    fn each_orientation_puts_the_top_left_corner_where_the_standard_says() {
        // Stored 3×2:  a b c / d e f
        let stored = |()| Picture::new(3, 2, Channels::Grey, b"abcdef".to_vec());
        for (value, w, expected) in [
            (1, 3, "abcdef"),
            (2, 3, "cbafed"),
            (3, 3, "fedcba"),
            (4, 3, "defabc"),
            (5, 2, "adbecf"),
            (6, 2, "daebfc"),
            (7, 2, "fcebda"),
            (8, 2, "cfbead"),
        ] {
            let up = Orientation::from_exif(value).upright(stored(()));
            assert_eq!(
                String::from_utf8_lossy(&up.data),
                expected,
                "orientation {value}"
            );
            assert_eq!((up.width, up.height), (w, 6 / w), "orientation {value}");
        }
    }

    #[test]
    fn nonsense_is_upright() {
        for v in [0, 9, 256, 65_537, u32::MAX] {
            assert_eq!(Orientation::from_exif(v), Orientation::UPRIGHT, "{v}");
        }
    }
}
