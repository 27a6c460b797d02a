//! Floor 0: what tells the kind of a picture (a screenshot, a page, a drawing, black and white, how much sky
//! there is), in a few numbers: statistics of its pixels, and signs in its file and its name.
//!
//! They are made while the picture is decoded (`media`), kept with the photo (`photos.looks`), and read by
//! the rules of `tag`, which need no pixel for it. Kept in [`KEPT`] bytes, the first of which says how.

use serde::{Deserialize, Serialize};

/// Bytes of the kept form.
pub const KEPT: usize = 33;
/// The first of them. Another order or meaning needs another number.
const FORM: u8 = 1;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Looks {
    /// Pixels as displayed; 0: not known.
    pub width: u32,
    /// See `width`.
    pub height: u32,
    /// What file and name say.
    pub signs: Signs,
    /// What the pixels say; none without pixels.
    pub pixels: Option<PixelLooks>,
}

/// What a file and its name say of a picture's kind: a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Signs(pub u16);

impl Signs {
    /// Its metadata call it a screenshot, or name a program that makes these.
    pub const SAID_SCREENSHOT: Self = Self(1);
    /// Its name is what phones and desktops call screenshots.
    pub const NAMED_SCREENSHOT: Self = Self(2);
    /// Its metadata call it a panorama.
    pub const PANORAMA: Self = Self(4);
    /// The lens is a front camera's.
    pub const FRONT_CAMERA: Self = Self(8);
    /// It has several pictures that are shown one after the other.
    pub const MOVES: Self = Self(16);
    /// A camera is named, or how it exposed.
    pub const CAMERA: Self = Self(32);
    /// No detail was lost when it was saved, as its format goes: PNG, GIF, BMP.
    pub const LOSSLESS: Self = Self(64);

    /// Whether any of these is among them.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Adds these where they are so.
    #[must_use]
    pub fn with(self, other: Self, is_so: bool) -> Self {
        if is_so { Self(self.0 | other.0) } else { self }
    }

    /// What a file's name says of it.
    pub fn of_name(name: &[u8]) -> Self {
        Self::default().with(Self::NAMED_SCREENSHOT, is_named_screenshot(name))
    }
}

/// Statistics of a picture's pixels. Shares are of 255; where there are three, of the upper, the middle and the lower
/// third.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PixelLooks {
    /// Smooth and blue: sky, mostly, in the upper third.
    pub blue: [u8; 3],
    /// Smooth, bright and colourless: clouds, walls, paper.
    pub pale: [u8; 3],
    /// Greener than anything else.
    pub green: [u8; 3],
    /// Nearly black.
    pub dark: [u8; 3],
    /// At an edge.
    pub rough: [u8; 3],
    /// Pixels that are exactly like their left neighbour: drawn, not photographed.
    pub flat: u8,
    /// As bright as paper would be in the light of this picture, and without much colour.
    pub paper: u8,
    /// Share of the four most common of 4,096 colours.
    pub common: u8,
    /// How many of 4,096 colours occur, of at most 1,020, by fours.
    pub colours: u8,
    /// How far colours lie from the mean colour of what is as bright, in sixteenths of a level: 0 in
    /// grey, and in sepia too.
    pub tint: u8,
    /// How far brightness lies from its mean.
    pub contrast: u8,
}

impl PixelLooks {
    /// A share as a number from 0 to 1.
    pub fn share(value: u8) -> f32 {
        f32::from(value) / 255.0
    }

    /// The mean of three thirds.
    pub fn mean(thirds: [u8; 3]) -> f32 {
        thirds.into_iter().map(Self::share).sum::<f32>() / 3.0
    }

    fn bytes(&self) -> [u8; 21] {
        let mut bytes = [0; 21];
        let thirds = [self.blue, self.pale, self.green, self.dark, self.rough];
        bytes[..15].copy_from_slice(thirds.as_flattened());
        bytes[15..].copy_from_slice(&[
            self.flat,
            self.paper,
            self.common,
            self.colours,
            self.tint,
            self.contrast,
        ]);
        bytes
    }

    fn of_bytes(bytes: &[u8; 21]) -> Self {
        let third = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2]];
        Self {
            blue: third(0),
            pale: third(3),
            green: third(6),
            dark: third(9),
            rough: third(12),
            flat: bytes[15],
            paper: bytes[16],
            common: bytes[17],
            colours: bytes[18],
            tint: bytes[19],
            contrast: bytes[20],
        }
    }
}

impl Looks {
    /// As they are kept.
    pub fn kept(&self) -> [u8; KEPT] {
        let mut kept = [0; KEPT];
        kept[0] = FORM;
        kept[1..3].copy_from_slice(&self.signs.0.to_le_bytes());
        kept[3..7].copy_from_slice(&self.width.to_le_bytes());
        kept[7..11].copy_from_slice(&self.height.to_le_bytes());
        if let Some(pixels) = &self.pixels {
            kept[11] = 1;
            kept[12..33].copy_from_slice(&pixels.bytes());
        }
        kept
    }

    /// From what was kept; `None`: another photond's.
    pub fn of_kept(kept: &[u8]) -> Option<Self> {
        let kept: &[u8; KEPT] = kept.try_into().ok()?;
        if kept[0] != FORM {
            return None;
        }
        let number =
            |at: usize| u32::from_le_bytes([kept[at], kept[at + 1], kept[at + 2], kept[at + 3]]);
        let pixels = kept[12..33].try_into().ok().filter(|_| kept[11] == 1);
        Some(Self {
            width: number(3),
            height: number(7),
            signs: Signs(u16::from_le_bytes([kept[1], kept[2]])),
            pixels: pixels.map(PixelLooks::of_bytes),
        })
    }
}

/// What screenshots are called by the systems that make them, in lower case, without blanks and signs.
const NAMES: [&str; 19] = [
    "screenshot",         // Android, GNOME, Windows
    "screenclip",         // Windows' snipping tool
    "screencapture",      // browsers' extensions
    "scrnshot",           // ChromeOS tools
    "bildschirmfoto",     // German
    "bildschirmaufnahme", // German, older macOS
    "captureecran",       // French; accents are dropped
    "capturedecran",      // French
    "capturadepantalla",  // Spanish
    "capturadetela",      // Portuguese
    "capturadeecra",      // Portuguese
    "schermafbeelding",   // Dutch
    "schermata",          // Italian
    "istantaneaschermo",  // Italian
    "skarmavbild",        // Swedish
    "skjermbilde",        // Norwegian
    "skarmbillede",       // Danish
    "zrzutekranu",        // Polish
    "snimokekrana",       // Russian, in Latin letters
];
/// The same where letters are no Latin ones.
const FOREIGN_NAMES: [&str; 6] = [
    "снимок экрана",
    "スクリーンショット",
    "屏幕截图",
    "屏幕快照",
    "截屏",
    "스크린샷",
];

fn is_named_screenshot(name: &[u8]) -> bool {
    let name = String::from_utf8_lossy(name).to_lowercase();
    let plain: String = name.chars().filter_map(plain).collect();
    NAMES.iter().any(|known| plain.contains(known))
        || FOREIGN_NAMES.iter().any(|known| name.contains(known))
}

/// A letter without its accent; nothing else is one.
fn plain(letter: char) -> Option<char> {
    match letter {
        'a'..='z' => Some(letter),
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'æ' => Some('a'),
        'è' | 'é' | 'ê' | 'ë' => Some('e'),
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => Some('o'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_screenshots_are_known() {
        for name in [
            "Screenshot_20240703-180411_Maps.jpg",
            "Screenshot from 2024-07-03 18-04-11.png",
            "Screen Shot 2021-05-06 at 10.11.12.png",
            "Bildschirmfoto 2024-07-03 um 18.04.11.png",
            "Capture d\u{2019}écran 2024-07-03 à 18.04.11.png",
            "Captura de pantalla 2024-07-03.png",
            "Skärmavbild 2024-07-03 kl. 18.04.11.png",
            "Снимок экрана 2024-07-03.png",
            "スクリーンショット 2024-07-03.png",
        ] {
            assert!(
                Signs::of_name(name.as_bytes()).has(Signs::NAMED_SCREENSHOT),
                "{name}"
            );
        }
        for name in [
            "IMG_1034.HEIC",
            "screen door.jpg",
            "shot of the sea.jpg",
            "DSC_0001.NEF",
        ] {
            assert!(
                !Signs::of_name(name.as_bytes()).has(Signs::NAMED_SCREENSHOT),
                "{name}"
            );
        }
        assert_eq!(Signs::of_name(b"\xff\xfe"), Signs::default());
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_was(
            size in any::<(u32, u32)>(),
            signs in any::<u16>(),
            numbers in prop::option::of(any::<[u8; 21]>()),
        ) {
            let looks = Looks {
                width: size.0,
                height: size.1,
                signs: Signs(signs),
                pixels: numbers.map(|n| PixelLooks::of_bytes(&n)),
            };
            prop_assert_eq!(Looks::of_kept(&looks.kept()), Some(looks));
        }

        #[test]
        fn strange_bytes_are_nothing(kept in prop::collection::vec(any::<u8>(), 0..60)) {
            let known = Looks::of_kept(&kept);
            prop_assert_eq!(known.is_some(), kept.len() == KEPT && kept[0] == FORM);
        }
    }
}
