//! Sky and grass: what the classifier says of them and of their surroundings, and what the pixels show.
//!
//! A logistic function of the log odds of the classifier's confidence in some words, a third of them, and of the square
//! roots of shares of pixels by thirds of the picture (`models/detection/README.md` has the way to the numbers).

use super::classifier::{Said, logistic};
use super::detectors::log_odds;
use super::vocabulary::Vocabulary;
use crate::embedding::Sources;
use crate::looks::{Looks, PixelLooks};

/// Between which the classifier's confidence counts.
const CLASSIFIED: (f32, f32) = (0.05, 0.97);

/// One of the shares.
type Share = fn(&PixelLooks) -> u8;

/// What a scene is told by.
struct Scene {
    name: &'static str,
    constant: f32,
    /// Words and their weights.
    words: &'static [(&'static str, f32)],
    /// Shares of pixels and their weights.
    pixels: &'static [(Share, f32)],
}

const SCENES: [Scene; 2] = [
    Scene {
        name: "sky",
        constant: 1.01,
        words: &[
            ("sky", 1.09),
            ("landscape", 0.42),
            ("airplane", 0.12),
            ("city", 1.15),
            ("mountain", 0.14),
            ("sea", 1.24),
            ("room", -0.47),
            ("architecture", 1.27),
        ],
        pixels: &[
            (|p| p.blue[0], 2.31),
            (|p| p.pale[0], 1.26),
            (|p| p.blue[1], 1.02),
            (|p| p.rough[0], -1.12),
            (|p| p.green[0], -0.86),
            (|p| p.dark[0], -0.89),
        ],
    },
    Scene {
        name: "grass",
        constant: -3.48,
        words: &[
            ("grass", 0.93),
            ("sport", 0.31),
            ("animal", -0.23),
            ("dog", 0.98),
            ("food", -0.84),
        ],
        pixels: &[
            (|p| p.green[0], 1.26),
            (|p| p.green[1], 0.98),
            (|p| p.green[2], 2.97),
            (|p| p.rough[2], 0.94),
        ],
    },
];

/// Puts what both say in the place of what the classifier says; `said` is the classifier's.
pub(super) fn add(words: &Vocabulary, looks: &Looks, said: &mut [Said]) {
    let Some(pixels) = &looks.pixels else {
        return;
    };
    let confidence = |scene: &Scene| {
        let classified = scene.words.iter().map(|(name, weight)| {
            let known = words.by_name(name).map_or(0.0, |at| said[at].confidence);
            let known = known.clamp(CLASSIFIED.0, CLASSIFIED.1);
            weight * log_odds(known) / 3.0
        });
        let seen = scene.pixels.iter();
        let seen = seen.map(|(share, weight)| weight * PixelLooks::share(share(pixels)).sqrt());
        logistic(classified.chain(seen).sum::<f32>() + scene.constant)
    };
    let found = SCENES
        .each_ref()
        .map(|scene| (scene.name, confidence(scene)));
    for (name, confidence) in found {
        if let Some(at) = words.by_name(name) {
            said[at] = Said {
                confidence,
                sources: Sources::CLASSIFIER | Sources::PICTURE,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::spelling::normalise;
    use super::super::vocabulary::Aspect;
    use super::super::vocabulary::tests::vocabulary;
    use super::*;

    fn with_scenes() -> Vocabulary {
        let mut words = vocabulary();
        for scene in &SCENES {
            words.known_or_new(scene.name, Aspect::Scene, &[]);
        }
        words
    }

    fn confidence(
        words: &Vocabulary,
        classified: f32,
        pixels: Option<PixelLooks>,
        name: &str,
    ) -> Said {
        let mut said = vec![Said::default(); words.terms().len()];
        let at = words.by_name(name).unwrap();
        said[at] = Said {
            confidence: classified,
            sources: Sources::CLASSIFIER,
        };
        let looks = Looks {
            pixels,
            ..Looks::default()
        };
        add(words, &looks, &mut said);
        said[at]
    }

    #[test]
    fn pixels_and_classifier_speak_together() {
        let words = with_scenes();
        let blue = PixelLooks {
            blue: [240, 160, 0],
            ..PixelLooks::default()
        };
        let wall = PixelLooks {
            rough: [120; 3],
            dark: [90; 3],
            ..PixelLooks::default()
        };
        let sky =
            |classified, pixels| confidence(&words, classified, Some(pixels), "sky").confidence;
        assert!(sky(0.6, blue) > sky(0.6, wall) + 0.1);
        assert!(sky(0.9, blue) > sky(0.1, blue));
        let lawn = PixelLooks {
            green: [60, 200, 255],
            rough: [40, 90, 120],
            ..PixelLooks::default()
        };
        let grass = |pixels| confidence(&words, 0.5, Some(pixels), "grass").confidence;
        assert!(grass(lawn) > grass(blue));
        let said = confidence(&words, 0.5, Some(lawn), "grass");
        assert_eq!(said.sources, Sources::CLASSIFIER | Sources::PICTURE);
    }

    #[test]
    fn without_pixels_the_classifier_speaks_alone() {
        let words = with_scenes();
        let said = confidence(&words, 0.7, None, "sky");
        assert_eq!((said.confidence, said.sources), (0.7, Sources::CLASSIFIER));
    }

    #[test]
    fn the_built_in_tables_have_all_words() {
        let table = include_str!("../../models/efficientnet-lite0/concepts.tsv");
        let other = include_str!("../../models/efficientnet-lite0/vocabulary.tsv");
        let names: Vec<String> = table
            .lines()
            .filter_map(|line| line.split('\t').nth(1))
            .chain(other.lines().filter_map(|line| line.split('\t').nth(3)))
            .map(normalise)
            .collect();
        for scene in &SCENES {
            for word in scene
                .words
                .iter()
                .map(|(word, _)| *word)
                .chain([scene.name])
            {
                assert!(names.contains(&word.to_owned()), "{word}");
            }
        }
    }
}
