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
    (SCREENSHOT, &["screen shot", "screenshots", "screen capture", "screengrab"]),
    (DOCUMENT, &["documents", "page", "scanned page"]),
    (PANORAMA, &["panoramas", "panoramic photo", "panoramic"]),
    (SELFIE, &["selfies", "self-portrait", "self portrait"]),
    (ANIMATION, &["animations", "animated gif", "animated", "moving picture"]),
    (
        BLACK_AND_WHITE,
        &["monochrome", "black-and-white", "b&w", "bw", "greyscale", "grayscale", "sepia"],
    ),
    (DRAWING, &["drawings", "illustration", "graphic", "graphics", "diagram", "clip art", "chart"]),
];

impl Vocabulary {
    /// The same with the kinds of picture.
    #[must_use]
    pub fn with_kinds(mut self) -> Self {
        for (name, synonyms) in KINDS {
            let synonyms: Vec<String> = synonyms.iter().map(|s| (*s).to_owned()).collect();
            self.known_or_new(name, Aspect::Scene, &synonyms);
        }
        self
    }
}

/// Adds what the rules say to what models say of each term. `face`: the height of the largest face, a share of
/// the picture's.
pub(super) fn add(words: &Vocabulary, looks: &Looks, face: Option<f32>, said: &mut [Said]) {
    let heard = [
        (SCREENSHOT, screenshot(looks)),
        (DOCUMENT, document(looks)),
        (PANORAMA, panorama(looks)),
        (SELFIE, selfie(looks, face)),
        (ANIMATION, animation(looks)),
        (BLACK_AND_WHITE, black_and_white(looks)),
        (DRAWING, drawing(looks)),
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
    let flat = PixelLooks::share(pixels.flat);
    let is_drawn = flat >= 0.25;
    match (signs.has(Signs::LOSSLESS), is_drawn) {
        (true, true) => Some(0.9),
        (false, true) => Some(0.8),
        _ => None,
    }
}

fn document(looks: &Looks) -> Option<f32> {
    let pixels = looks.pixels?;
    let is_paper = PixelLooks::share(pixels.paper) >= 0.6;
    let is_written = PixelLooks::mean(pixels.rough) >= 0.12;
    // Greys have few colours whatever they show.
    let is_plain = if pixels.tint < COLOURLESS {
        PixelLooks::share(pixels.common) >= 0.5
    } else {
        u32::from(pixels.colours) * 4 <= 120
    };
    let is_other = screenshot(looks).is_some() || looks.signs.has(Signs::MOVES);
    (is_paper && is_written && is_plain && !is_other).then_some(0.8)
}

fn panorama(looks: &Looks) -> Option<f32> {
    if looks.signs.has(Signs::PANORAMA) {
        return Some(0.97);
    }
    let is_wide = looks.width >= 3000 && f64::from(looks.width) >= 2.4 * f64::from(looks.height);
    (is_wide && looks.signs.has(Signs::CAMERA)).then_some(0.85)
}

fn selfie(looks: &Looks, face: Option<f32>) -> Option<f32> {
    let is_front = looks.signs.has(Signs::FRONT_CAMERA);
    match face {
        Some(face) if is_front && face >= 0.1 => Some(0.95),
        // Detectors are off, or have not seen it.
        None if is_front => Some(0.8),
        _ => None,
    }
}

fn animation(looks: &Looks) -> Option<f32> {
    looks.signs.has(Signs::MOVES).then_some(0.99)
}

/// Sixteenths of a level below which a picture has no colour of its own.
const COLOURLESS: u8 = 19;

/// Right 11 of 11 times among 378 photos of COCO and ImageNet, of 11 that are: the next one has a tint of 27.
fn black_and_white(looks: &Looks) -> Option<f32> {
    let pixels = looks.pixels?;
    let is_grey = pixels.tint < COLOURLESS && pixels.contrast >= 10;
    // Not what is written or drawn in black.
    let is_photo = drawing(looks).is_none() && document(looks).is_none() && screenshot(looks).is_none();
    (is_grey && is_photo).then_some(0.93)
}

fn drawing(looks: &Looks) -> Option<f32> {
    let pixels = looks.pixels?;
    let is_flat = PixelLooks::share(pixels.flat) >= 0.6 && u32::from(pixels.colours) * 4 <= 400;
    let is_other = looks.signs.has(Signs::CAMERA) || screenshot(looks).is_some();
    (is_flat && !is_other && looks.signs.has(Signs::LOSSLESS)).then_some(0.8)
}
