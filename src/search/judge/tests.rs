//! Thresholds and standings, from made-up cosines and tags.

use super::*;

use crate::model::testing;
use crate::search::Like;
use crate::search::evidence::Phrase;
use std::path::PathBuf;

const PHRASES: Against = Against {
    median_best: 0.4,
    mean: 0.02,
    deviation: 0.03,
};

#[test]
fn quantiles_are_those_of_the_normal_distribution() {
    for (p, z) in [(0.05, 1.6449), (0.01, 2.3263), (1e-6, 4.7534)] {
        assert!((upper_quantile(p) - z).abs() < 1e-3, "{p}");
    }
    assert_eq!(deviations(1), 2.5);
    assert_eq!(deviations(1_000_000), 3.7);
    assert!((deviations(10) - 2.878).abs() < 1e-2);
}

#[test]
fn a_calibration_forbids_and_permits() {
    let siglip = Calibration::Sigmoid {
        scale: 117.33,
        bias: -12.93,
    };
    let with = |deviation| {
        let b = Against {
            deviation,
            ..PHRASES
        };
        needed(Some(&siglip), 1000, Some(b))
    };
    // Probability one half is at a cosine of 0.110, one in a hundred at 0.071.
    assert!((with(0.2) - 0.1102).abs() < 1e-3, "a wide background");
    assert!((with(0.001) - 0.0710).abs() < 1e-3, "a narrow one");
    assert!((with(0.02) - (0.02 + 3.7 * 0.02)).abs() < 1e-3);
    assert_eq!(needed(None, 1000, None), f32::INFINITY);
    assert!((needed(None, 1, Some(PHRASES)) - 0.095).abs() < 1e-6);
}

fn wish(text: bool, weight: f32) -> Wish {
    let like = if text {
        Like::Text("a dog".to_owned())
    } else {
        Like::Photo(PathBuf::from("dog.jpg"))
    };
    Wish { like, weight }
}

fn graph() -> ModelPack {
    testing::pack(testing::DUAL, &testing::dual_files())
}

/// Photos are far closer to each other than to any sentence.
const GAP: Background = Background {
    photos: 1000,
    phrases: Some(Against {
        median_best: 0.08,
        mean: 0.01,
        deviation: 0.02,
    }),
    pictures: Some(Against {
        median_best: 0.85,
        mean: 0.55,
        deviation: 0.08,
    }),
};

fn judge(pack: &ModelPack, wishes: &[Wish], whole: bool) -> Judge {
    let thresholds = Thresholds::new(pack, Some(&GAP));
    let derived = pack.derived_from().is_some();
    let phrase = || Phrase {
        words: "dog".to_owned(),
        keys: Vec::new(),
    };
    Judge {
        wanted: Reading {
            whole: whole.then(phrase),
            ..Reading::default()
        },
        unwanted: Reading::default(),
        needed: thresholds.wanted(wishes, derived),
        forbidden: thresholds.forbidden(wishes),
        saying: 0.01,
        derived,
        tag: SURE_TAG,
        spelled: None,
    }
}

fn words(tags: &[(i64, f32)]) -> WordEvidence {
    WordEvidence {
        spelled: HashMap::new(),
        wanted: TagEvidence::of(tags),
        unwanted: TagEvidence::default(),
        names: NameEvidence::default(),
    }
}

#[test]
fn examples_are_judged_by_what_photos_score_against_photos() {
    let pack = graph();
    let like = judge(&pack, &[wish(false, 1.0)], false);
    let none = words(&[]);
    let confident =
        |judge: &Judge, scores: &[f32]| judge.standing(1, judge.closeness(scores), &none).confident;
    // Any photo is this close to any other here.
    assert!(!confident(&like, &[0.60]));
    assert!(confident(&like, &[0.90]));
    // A sentence's answer would be far from an example's.
    let text = judge(&pack, &[wish(true, 1.0)], false);
    assert!(confident(&text, &[0.12]) && !confident(&text, &[0.05]));

    // What is not wanted goes by its own kind: 0.6 to a photo is nothing, to a sentence a lot.
    let but = |unwanted| judge(&pack, &[wish(true, 1.0), wish(unwanted, -1.0)], false);
    assert!(confident(&but(false), &[0.1, 0.12, 0.60]));
    assert!(!confident(&but(false), &[0.1, 0.12, 0.90]));
    assert!(!confident(&but(true), &[0.1, 0.12, 0.60]));
    assert!(confident(&but(true), &[0.1, 0.12, 0.05]));

    // A sentence and a photo: near both, not near one alone.
    let both = judge(&pack, &[wish(true, 1.0), wish(false, 1.0)], false);
    let sum = |text: f32, photo: f32| (text + photo) / 2f32.sqrt();
    assert!(confident(&both, &[sum(0.13, 0.90)]));
    assert!(!confident(&both, &[sum(0.0, 0.60)]));
    // Without photos to compare with, or where all are alike, the example itself is found.
    let alone = Thresholds::new(&pack, None);
    assert_eq!(alone.wanted(&[wish(false, 1.0)], false), SAME);
    let uniform = Background {
        pictures: GAP.pictures.map(|b| Against {
            deviation: 0.3,
            ..b
        }),
        ..GAP
    };
    assert_eq!(Thresholds::new(&pack, Some(&uniform)).picture, SAME);
}

#[test]
fn the_derived_space_has_its_own_thresholds() {
    let pack = crate::model::lite0_minilm(&[]).unwrap();
    let thresholds = Thresholds::new(&pack, Some(&GAP));
    assert_eq!(thresholds.of(&wish(false, -1.0)), ALIKE);
    assert_eq!(thresholds.of(&wish(true, -1.0)), thresholds.sentence);
    assert!(thresholds.sentence < ALIKE);
    assert!(!asks(&[wish(false, 1.0)], true).pictures);
    assert!(asks(&[wish(false, 1.0)], false).pictures);
    assert!(
        !asks(&[wish(false, 1.0)], false).phrases,
        "no text model is loaded for it"
    );
}

#[test]
fn a_tag_decides_alone_only_where_the_vectors_come_from_the_tags() {
    let said = words(&[(1, 0.9), (2, 0.1)]);
    let of = |judge: &Judge, photo, cosine: f32| {
        judge.standing(photo, judge.closeness(&[cosine]), &said)
    };
    let derived = crate::model::lite0_minilm(&[]).unwrap();
    let derived = judge(&derived, &[wish(true, 1.0)], true);
    assert!(of(&derived, 1, 0.0).confident);
    assert!(
        !of(&derived, 3, 0.9).confident,
        "the tags know nothing of it"
    );

    let graph = judge(&graph(), &[wish(true, 1.0)], true);
    let (tagged, seen) = (of(&graph, 1, 0.0), of(&graph, 3, 0.2));
    assert!(tagged.confident, "a sure tag is an answer too");
    assert!(seen.confident, "and so is what only the model sees");
    assert!(seen.score > tagged.score, "which comes first");
    assert!(!of(&graph, 2, 0.0).confident);
    assert!(
        of(&graph, 2, 0.05).score > of(&graph, 3, 0.05).score,
        "tags help"
    );
    let why = graph.why(&tagged, &said);
    assert_eq!((why.by_tag, why.tag_suffices), (false, Some(0.6)));
}
