//! Crops and turns of a picture (`clap`, `irot`, `imir`), folded into one crop and one of eight turns, so
//! that decoded rows can be written where they belong at once.

/// Which part of a coded picture is shown, and how it is turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    /// Left edge of the part shown, in coded pixels.
    pub(super) left: u32,
    /// Top edge of the part shown, in coded pixels.
    pub(super) top: u32,
    /// Width of the part shown, in coded pixels (before turning).
    pub(super) width: u32,
    /// Height of the part shown, in coded pixels (before turning).
    pub(super) height: u32,
    pub(super) turn: Turn,
}

/// One of the eight ways to lay down a picture: first rows and columns are exchanged, then the result is
/// flipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Turn {
    pub(super) transposes: bool,
    pub(super) flips_left_right: bool,
    pub(super) flips_top_bottom: bool,
}

/// A `clap` box: the size of the part shown and how far its centre lies from the picture's, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Aperture {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) right_of_centre: f64,
    pub(super) below_centre: f64,
}

impl Turn {
    /// The EXIF orientation (1 to 8) that asks for the same turn.
    pub(super) fn exif_orientation(self) -> u8 {
        match (
            self.transposes,
            self.flips_left_right,
            self.flips_top_bottom,
        ) {
            (false, false, false) => 1,
            (false, true, false) => 2,
            (false, true, true) => 3,
            (false, false, true) => 4,
            (true, false, false) => 5,
            (true, true, false) => 6,
            (true, true, true) => 7,
            (true, false, true) => 8,
        }
    }

    /// This turn and then another quarter turn anti-clockwise.
    fn then_quarter_left(self) -> Self {
        Self {
            transposes: !self.transposes,
            flips_left_right: self.flips_top_bottom,
            flips_top_bottom: !self.flips_left_right,
        }
    }
}

impl View {
    /// All of a picture of this size, as it is.
    pub(super) fn whole(width: u32, height: u32) -> Self {
        Self {
            left: 0,
            top: 0,
            width,
            height,
            turn: Turn::default(),
        }
    }

    /// The same at half the size, if its edges lie between pixels of that size.
    pub(super) fn halved(self) -> Option<Self> {
        let edges = [self.left, self.top, self.width, self.height];
        edges
            .iter()
            .all(|edge| edge.is_multiple_of(2))
            .then_some(Self {
                left: self.left / 2,
                top: self.top / 2,
                width: self.width / 2,
                height: self.height / 2,
                turn: self.turn,
            })
    }

    /// Width and height of what is shown.
    pub(super) fn shown_size(&self) -> (u32, u32) {
        if self.turn.transposes {
            (self.height, self.width)
        } else {
            (self.width, self.height)
        }
    }

    /// This view turned anti-clockwise by so many quarters (`irot`).
    pub(super) fn rotated_left(mut self, quarters: u8) -> Self {
        for _ in 0..quarters % 4 {
            self.turn = self.turn.then_quarter_left();
        }
        self
    }

    /// This view mirrored (`imir`): top and bottom change places, or left and right.
    pub(super) fn mirrored(mut self, exchanges_top_and_bottom: bool) -> Self {
        if exchanges_top_and_bottom {
            self.turn.flips_top_bottom ^= true;
        } else {
            self.turn.flips_left_right ^= true;
        }
        self
    }

    /// This view cropped (`clap`, ISO/IEC 14496-12, 12.1.4). `None` if nothing is left of it.
    pub(super) fn cropped(self, aperture: &Aperture) -> Option<Self> {
        let (width, height) = self.shown_size();
        let edge = |size: u32, kept: f64, offset: f64| -> Option<(u32, u32)> {
            let first = offset + (f64::from(size) - kept) / 2.0;
            if !first.is_finite() || !kept.is_finite() {
                return None;
            }
            // Saturating casts: an edge far outside is moved to the picture's edge.
            let start = (first.round().max(0.0) as u32).min(size);
            let end = ((first + kept).round().max(0.0) as u32).min(size);
            (start < end).then_some((start, end - start))
        };
        let (mut x, mut kept_width) = edge(width, aperture.width, aperture.right_of_centre)?;
        let (mut y, mut kept_height) = edge(height, aperture.height, aperture.below_centre)?;
        // From what is shown back to the coded picture: undo the flips, then the transposition.
        if self.turn.flips_left_right {
            x = width - x - kept_width;
        }
        if self.turn.flips_top_bottom {
            y = height - y - kept_height;
        }
        if self.turn.transposes {
            (x, y) = (y, x);
            (kept_width, kept_height) = (kept_height, kept_width);
        }
        Some(Self {
            left: self.left + x,
            top: self.top + y,
            width: kept_width,
            height: kept_height,
            turn: self.turn,
        })
    }
}
