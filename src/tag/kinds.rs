//! Kinds of picture by plain rules: what a file, its name and its pixels' statistics ([`Looks`]) say.
//!
//! Each rule is a pure function from what is known to a confidence. How often each was right stands beside it,
//! with what it was measured on; the confidence is that with a success and a failure more, and less where
//! what was measured on was made for it.

use super::classifier::Said;
use super::vocabulary::{Aspect, Vocabulary};
use crate::embedding::Sources;
use crate::looks::{Looks, PixelLooks, Signs};

const SCREENSHOT: &str = "screenshot";
const DOCUMENT: &str = "document";
const PANORAMA: &str = "panorama";
const SELFIE: &str = "selfie";
const ANIMATION: &str = "animation";
const BLACK_AND_WHITE: &str = "black and white";
const DRAWING: &str = "drawing";

/// Name and synonyms. The classifier has a document of its own, and its evidence counts beside the rule's.
const KINDS: [(&str, &[&str]); 7] = [
    (
        SCREENSHOT,
        &["screen shot", "screenshots", "screen capture", "screengrab"],
    ),
    (DOCUMENT, &["documents", "page", "scanned page"]),
    (PANORAMA, &["panoramas", "panoramic photo", "panoramic"]),
    (SELFIE, &["selfies", "self-portrait", "self portrait"]),
    (
        ANIMATION,
        &["animations", "animated gif", "animated", "moving picture"],
    ),
    (
        BLACK_AND_WHITE,
        &[
            "monochrome",
            "black-and-white",
            "b&w",
            "bw",
            "greyscale",
            "grayscale",
            "sepia",
        ],
    ),
    (
        DRAWING,
        &[
            "drawings",
            "illustration",
            "graphic",
            "graphics",
            "diagram",
            "clip art",
            "chart",
        ],
    ),
];

impl Vocabulary {
    /// The same with the kinds of picture.
    #[must_use]
    pub fn with_kinds(mut self) -> Self {
        self.know_all(&KINDS, Aspect::Scene);
        self
    }
}

/// Adds what the rules say to what models say of each term. `face`: the height of the largest face, a share of
/// the picture's.
pub(super) fn add(words: &Vocabulary, looks: &Looks, face: Option<f32>, said: &mut [Said]) {
    // A window is drawn too. The classifier tells some of them, of any size and name.
    let is_window = words
        .by_name(SCREENSHOT)
        .is_some_and(|at| said[at].confidence >= 0.5);
    let heard = [
        (SCREENSHOT, screenshot(looks)),
        (DOCUMENT, document(looks)),
        (PANORAMA, panorama(looks)),
        (SELFIE, selfie(looks, face)),
        (ANIMATION, animation(looks)),
        (BLACK_AND_WHITE, black_and_white(looks)),
        (DRAWING, drawing(looks).filter(|_| !is_window)),
    ];
    for (name, confidence) in heard {
        if let (Some(at), Some(confidence)) = (words.by_name(name), confidence) {
            said[at].hear(confidence, Sources::PICTURE);
        }
    }
}

/// Screens of phones, tablets and computers in pixels, the longer side first.
#[rustfmt::skip]
const SCREENS: [(u32, u32); 58] = [
    // iPhone
    (1136, 640), (1334, 750), (1792, 828), (2208, 1242), (2340, 1080), (2436, 1125), (2532, 1170), (2556, 1179),
    (2622, 1206), (2688, 1242), (2778, 1284), (2796, 1290), (2868, 1320),
    // iPad
    (2048, 1536), (2160, 1620), (2224, 1668), (2266, 1488), (2360, 1640), (2388, 1668), (2420, 1668), (2732, 2048),
    (2752, 2064),
    // Android
    (1280, 720), (1440, 720), (1520, 720), (1560, 720), (1600, 720), (1920, 1080), (2160, 1080), (2220, 1080),
    (2280, 1080), (2310, 1080), (2400, 1080), (2408, 1080), (2412, 1080), (2424, 1080), (2520, 1080), (2560, 1440),
    (2960, 1440), (2992, 1344), (3040, 1440), (3088, 1440), (3120, 1440), (3200, 1440),
    // computers
    (1024, 768), (1280, 800), (1280, 1024), (1366, 768), (1440, 900), (1600, 900), (1680, 1050), (1920, 1200),
    (2560, 1600), (2880, 1800), (3024, 1964), (3440, 1440), (3456, 2234), (3840, 2160),
];

fn is_of_a_screen(looks: &Looks) -> bool {
    let (long, short) = (looks.width.max(looks.height), looks.width.min(looks.height));
    SCREENS.contains(&(long, short))
}

/// By what is written in it or beside it, or by its size and flatness. All 8 that it found among 358 pictures out of
/// packages of programs were screenshots (windows that are smaller than a screen are left to the classifier); of 378
/// photos it took one for one, of the size of a screen and half of it black, before the bound for JPEGs.
fn screenshot(looks: &Looks) -> Option<f32> {
    let signs = looks.signs;
    if signs.has(Signs::SAID_SCREENSHOT) {
        return Some(0.98);
    }
    if signs.has(Signs::CAMERA) {
        return None;
    }
    if signs.has(Signs::NAMED_SCREENSHOT) {
        return Some(0.95);
    }
    let pixels = looks.pixels.filter(|_| is_of_a_screen(looks))?;
    // Messengers save it anew, as a JPEG, and cameras made photos of some of these sizes.
    let (least, confidence) = if signs.has(Signs::LOSSLESS) {
        (0.25, 0.9)
    } else {
        (0.6, 0.75)
    };
    (PixelLooks::share(pixels.flat) >= least).then_some(confidence)
}

/// Shorter side of what is a picture of its own, and no icon, button or texture.
const LARGE: u32 = 400;

fn is_large(looks: &Looks) -> bool {
    looks.width.min(looks.height) >= LARGE
}

/// Bright, written on, of few colours. Of 40 pages that were rendered for it (letters, tables, receipts; 32 of them
/// as if photographed, aslant on a table in uneven light) 39 have these statistics; of 378 photos none was taken
/// for one, of 358 pictures out of packages seven patterns and logos.
fn document(looks: &Looks) -> Option<f32> {
    let pixels = looks.pixels.filter(|_| is_large(looks))?;
    let is_paper = PixelLooks::share(pixels.paper) >= 0.6;
    let is_written = PixelLooks::mean(pixels.rough) >= 0.12;
    // Greys have few colours whatever they show.
    let is_plain = if pixels.tint < COLOURLESS {
        PixelLooks::share(pixels.flat) >= 0.3
    } else {
        u32::from(pixels.colours) * 4 <= 120
    };
    let is_other = screenshot(looks).is_some() || drawing(looks).is_some();
    let is_other = is_other || looks.signs.has(Signs::MOVES);
    (is_paper && is_written && is_plain && !is_other).then_some(0.8)
}

/// Said so, or much wider than any sensor. No panorama was at hand: the rule is the formats'.
fn panorama(looks: &Looks) -> Option<f32> {
    if looks.signs.has(Signs::PANORAMA) {
        return Some(0.97);
    }
    let is_wide = looks.width >= 3000 && f64::from(looks.width) >= 2.4 * f64::from(looks.height);
    (is_wide && looks.signs.has(Signs::CAMERA)).then_some(0.85)
}

/// By the lens and a face. No selfie was at hand: the rule is the makers'.
fn selfie(looks: &Looks, face: Option<f32>) -> Option<f32> {
    let is_front = looks.signs.has(Signs::FRONT_CAMERA);
    match face {
        Some(face) if is_front && face >= 0.1 => Some(0.95),
        // Detectors are off, or have not seen it.
        None if is_front => Some(0.8),
        _ => None,
    }
}

/// As its format says.
fn animation(looks: &Looks) -> Option<f32> {
    looks.signs.has(Signs::MOVES).then_some(0.99)
}

/// Sixteenths of a level below which a picture has no colour of its own.
const COLOURLESS: u8 = 19;

/// Right 10 of 10 times among 378 photos of COCO and ImageNet; one in sepia, in a frame, was not found. The next one has
/// a tint of 27.
fn black_and_white(looks: &Looks) -> Option<f32> {
    let pixels = looks
        .pixels
        .filter(|_| looks.width.min(looks.height) >= LARGE / 2)?;
    let is_grey = pixels.tint < COLOURLESS && pixels.contrast >= 10;
    // Not what is written or drawn in black.
    let is_photo = PixelLooks::share(pixels.flat) < 0.5 && !looks.signs.has(Signs::MOVES);
    (is_grey && is_photo && document(looks).is_none() && screenshot(looks).is_none())
        .then_some(0.93)
}

/// Flat, and saved without loss. Of 155 pictures in packages of programs that it found (icons, logos, diagrams, plots), all but
/// about ten were drawings; those were pictures of windows, or all black.
fn drawing(looks: &Looks) -> Option<f32> {
    let pixels = looks.pixels?;
    let is_flat = PixelLooks::share(pixels.flat) >= 0.6 && u32::from(pixels.colours) * 4 <= 400;
    let is_other = looks.signs.has(Signs::CAMERA) || screenshot(looks).is_some();
    (is_flat && !is_other && looks.signs.has(Signs::LOSSLESS)).then_some(0.8)
}

#[cfg(test)]
mod tests {
    use super::super::vocabulary::tests::vocabulary;
    use super::*;

    fn looks(signs: Signs, pixels: PixelLooks) -> Looks {
        Looks {
            width: 1080,
            height: 2340,
            signs,
            pixels: Some(pixels),
        }
    }

    const PHOTO: PixelLooks = PixelLooks {
        blue: [90, 30, 0],
        pale: [40, 20, 10],
        green: [0, 40, 90],
        dark: [3, 9, 20],
        rough: [30, 90, 70],
        flat: 4,
        paper: 90,
        common: 50,
        colours: 100,
        tint: 200,
        contrast: 50,
    };
    const DRAWN: PixelLooks = PixelLooks {
        flat: 210,
        colours: 20,
        ..PHOTO
    };
    const PAGE: PixelLooks = PixelLooks {
        rough: [60, 70, 60],
        paper: 190,
        colours: 15,
        flat: 20,
        tint: 60,
        ..PHOTO
    };

    fn names(looks: &Looks, face: Option<f32>) -> Vec<String> {
        let words = vocabulary().with_kinds();
        let mut said = vec![Said::default(); words.terms().len()];
        add(&words, looks, face, &mut said);
        let said = words.terms().iter().zip(said);
        let said = said.filter(|(_, said)| said.confidence > 0.6);
        said.inspect(|(_, said)| assert_eq!(said.sources, Sources::PICTURE))
            .map(|(term, _)| term.name.to_string())
            .collect()
    }

    #[test]
    fn a_photo_is_of_no_kind() {
        assert!(names(&looks(Signs::CAMERA, PHOTO), Some(0.4)).is_empty());
        assert!(names(&looks(Signs::default(), PHOTO), None).is_empty());
        assert!(names(&Looks::default(), None).is_empty());
    }

    #[test]
    fn each_kind_has_its_signs() {
        for (signs, pixels, face, name) in [
            (Signs::SAID_SCREENSHOT, PHOTO, None, SCREENSHOT),
            (Signs::NAMED_SCREENSHOT, PHOTO, None, SCREENSHOT),
            (Signs::LOSSLESS, DRAWN, None, SCREENSHOT),
            (Signs::default(), DRAWN, None, SCREENSHOT),
            (Signs::CAMERA, PAGE, None, DOCUMENT),
            (Signs::PANORAMA, PHOTO, None, PANORAMA),
            (Signs::FRONT_CAMERA, PHOTO, Some(0.3), SELFIE),
            (Signs::FRONT_CAMERA, PHOTO, None, SELFIE),
            (Signs::MOVES, PHOTO, None, ANIMATION),
            (
                Signs::CAMERA,
                PixelLooks { tint: 3, ..PHOTO },
                None,
                BLACK_AND_WHITE,
            ),
        ] {
            assert_eq!(names(&looks(signs, pixels), face), [name]);
        }
        assert!(
            names(&looks(Signs::FRONT_CAMERA, PHOTO), Some(0.0)).is_empty(),
            "of a room"
        );
        // A camera makes no screenshots, whatever its files are called.
        let signs = Signs::CAMERA.with(Signs::NAMED_SCREENSHOT, true);
        assert!(names(&looks(signs, PHOTO), None).is_empty());
        let of_no_screen = Looks {
            width: 1000,
            ..looks(Signs::LOSSLESS, DRAWN)
        };
        assert_eq!(names(&of_no_screen, None), [DRAWING]);
        let wide = Looks {
            width: 12_000,
            height: 3000,
            ..looks(Signs::CAMERA, PHOTO)
        };
        assert_eq!(names(&wide, None), [PANORAMA]);
    }

    #[test]
    fn all_black_is_no_black_and_white_photo() {
        let black = PixelLooks {
            dark: [255; 3],
            common: 255,
            flat: 254,
            ..PixelLooks::default()
        };
        assert!(!names(&looks(Signs::CAMERA, black), None).contains(&BLACK_AND_WHITE.to_owned()));
    }

    #[test]
    fn kinds_have_the_words_people_use() {
        let words = vocabulary().with_kinds();
        for (word, name) in [
            ("screen shot", SCREENSHOT),
            ("Monochrome", BLACK_AND_WHITE),
            ("black-and-white", BLACK_AND_WHITE),
            ("panoramas", PANORAMA),
            ("animated gif", ANIMATION),
        ] {
            let named = words.named(word);
            assert!(named.iter().any(|term| &*term.name == name), "{word}");
        }
    }
}
