use proptest::prelude::*;

use super::super::things::tests::with_things;
use super::*;

const ODDS: ThingOdds = ThingOdds {
    size: [0.02, 0.25],
    alone: [2.3, 0.7],
    with_classifier: [2.2, 0.35, 1.6],
    with_classifier_size: [0.02, 0.25],
    people: [3.2, 0.8],
    people_constant: 1.5,
    people_least: [-2.7, -1.0],
    face_area: 0.004,
};

fn both() -> Detectors {
    Detectors {
        things: Some(ODDS),
        faces: Some(FaceOdds {
            shown: 0.45,
            after: Some((PERSON.to_owned(), 0.25)),
        }),
        label_revision: "l1".to_owned(),
    }
}

const PEOPLE: usize = 0;
const DOG: usize = 1;
const KITE: usize = 2;

/// A box as large as the picture is in shares of it.
fn found(class: usize, score: f32, (width, height): (f32, f32)) -> DetectedBox {
    DetectedBox {
        class,
        score,
        left: 0.0,
        top: 0.0,
        right: width,
        bottom: height,
    }
}

fn large(class: usize, score: f32) -> DetectedBox {
    found(class, score, (0.5, 0.5))
}

fn face(score: f32, height: f32) -> DetectedBox {
    found(0, score, (0.1, height))
}

/// What is said where the classifier says this of a dog, by name.
fn said(
    detectors: &Detectors,
    dog: f32,
    things: Option<&[DetectedBox]>,
    faces: Option<&[DetectedBox]>,
) -> impl Fn(&str) -> Said + use<> {
    let words = with_things();
    let mut said = vec![Said::default(); words.terms().len()];
    said[words.by_name("dog").unwrap()] = Said {
        confidence: dog,
        sources: Sources::CLASSIFIER,
    };
    let boxes = Boxes {
        things: things.map(<[_]>::to_vec),
        faces: faces.map(<[_]>::to_vec),
    };
    detectors.add(&words, &boxes, true, &mut said);
    move |name| said[words.by_name(name).unwrap()]
}

fn near(found: f32, expected: f32) {
    assert!((found - expected).abs() < 1e-3, "{found} is not {expected}");
}

#[test]
fn a_box_alone_goes_by_its_score() {
    let sure = said(&both(), 0.0, Some(&[large(KITE, 0.7)]), None)("kite");
    near(sure.confidence, logistic(2.3 * (0.7f32 / 0.3).ln() + 0.7));
    assert_eq!(sure.sources, Sources::THINGS);
    // A kite is small wherever it flies.
    let small = found(KITE, 0.7, (0.05, 0.05));
    let small = said(&both(), 0.0, Some(&[small]), None)("kite");
    assert_eq!(small.confidence, sure.confidence);
    // What is true where a kite is.
    let beach = said(&both(), 0.0, Some(&[large(KITE, 0.7)]), None)("beach");
    near(beach.confidence, 0.8 * sure.confidence);
}

#[test]
fn a_box_and_the_classifier_are_one_number() {
    let of =
        |classified, boxes: &[DetectedBox]| said(&both(), classified, Some(boxes), None)("dog");
    let one = of(0.5, &[large(DOG, 0.6)]);
    near(one.confidence, logistic(2.2 * 1.5f32.ln() + 1.6));
    assert_eq!(one.sources, Sources::CLASSIFIER | Sources::THINGS);
    assert!(of(0.9, &[large(DOG, 0.6)]).confidence > one.confidence);
    // Of 0.0025 of the picture it is an eighth of the area from which size takes nothing.
    let small = of(0.5, &[found(DOG, 0.6, (0.05, 0.05))]);
    let evidence = 1.5f32.ln() + 0.25 * 0.125f32.ln();
    near(small.confidence, logistic(2.2 * evidence + 1.6));
    // The best box of several counts; without any, the classifier's word.
    assert_eq!(of(0.5, &[large(DOG, 0.6), large(DOG, 0.3)]), one);
    assert_eq!(of(0.5, &[]).confidence, 0.5);
    assert_eq!(of(0.5, &[]).sources, Sources::CLASSIFIER);
    // A weak box takes nothing from it.
    assert_eq!(of(0.8, &[large(DOG, 0.2)]).confidence, 0.8);
}

#[test]
fn people_go_by_the_best_person_and_the_best_face() {
    let people = |things: &[DetectedBox], faces: Option<&[DetectedBox]>| {
        said(&both(), 0.0, Some(things), faces)("people")
    };
    let e = |s: f32| (s / (1.0 - s)).ln();
    let (person, some) = ([large(PEOPLE, 0.6)], [found(0, 0.7, (0.1, 0.1))]);
    near(
        people(&person, None).confidence,
        logistic(3.2 * e(0.6) - 0.8 + 1.5),
    );
    near(
        people(&person, Some(&some)).confidence,
        logistic(3.2 * e(0.6) + 0.8 * e(0.7) + 1.5),
    );
    near(
        people(&[], None).confidence,
        logistic(-3.2 * 2.7 - 0.8 + 1.5),
    );
    assert_eq!(
        people(&person, Some(&some)).sources,
        Sources::THINGS | Sources::FACES
    );
    // A face where nobody is, is none; where only faces are looked for, it is somebody.
    assert_eq!(people(&[], Some(&some)), people(&[], None));
    let faces_alone = Detectors {
        things: None,
        ..both()
    };
    let alone = said(&faces_alone, 0.0, Some(&person), Some(&some));
    assert_eq!(alone("people").confidence, PEOPLE_BY_A_FACE);
    assert_eq!(alone("people").sources, Sources::FACES);
}

#[test]
fn kinds_of_picture_go_by_rule() {
    let kinds = |persons: usize, faces: &[DetectedBox]| {
        let persons = vec![large(PEOPLE, 0.5); persons.max(1)];
        let said = said(&both(), 0.0, Some(&persons), Some(faces));
        [PORTRAIT, GROUP, CROWD].map(|kind| said(kind).confidence > 0.0)
    };
    assert_eq!(kinds(1, &[face(0.5, 0.3)]), [true, false, false]);
    assert_eq!(kinds(1, &[face(0.4, 0.3)]), [false; 3], "not sure enough");
    assert_eq!(kinds(1, &[face(0.5, 0.2)]), [false; 3], "too small");
    assert_eq!(kinds(1, &[face(0.5, 0.3), face(0.5, 0.2)]), [false; 3]);
    assert_eq!(
        kinds(1, &[face(0.5, 0.3), face(0.5, 0.1)]),
        [true, false, false]
    );
    assert_eq!(kinds(3, &[face(0.5, 0.1); 3]), [false, true, false]);
    let far = [face(0.5, 0.1), face(0.5, 0.1), face(0.5, 0.02)];
    assert_eq!(kinds(3, &far), [false; 3]);
    assert_eq!(kinds(8, &[]), [false, false, true]);
    assert_eq!(kinds(1, &[face(0.5, 0.05); 8]), [false, true, true]);
    assert_eq!(kinds(1, &[face(0.5, 0.05); 500]), [false, true, true]);
}

#[test]
fn what_is_off_says_nothing() {
    let things = [large(KITE, 0.9), large(PEOPLE, 0.9)];
    let off = said(
        &Detectors::default(),
        0.5,
        Some(&things),
        Some(&[face(0.9, 0.5)]),
    );
    for name in ["kite", "people", PORTRAIT] {
        assert_eq!(off(name), Said::default(), "{name}");
    }
    assert_eq!(off("dog").confidence, 0.5);
}

#[test]
fn faces_are_looked_for_where_somebody_is() {
    let words = with_things();
    let wanted =
        |detectors: &Detectors, things: &[DetectedBox]| detectors.faces_wanted(&words, things);
    assert!(wanted(&both(), &[large(DOG, 0.9), large(PEOPLE, 0.25)]));
    assert!(!wanted(&both(), &[large(DOG, 0.9), large(PEOPLE, 0.24)]));
    assert!(!wanted(&both(), &[large(99, 0.9)]), "a class nobody knows");
    let alone = Detectors {
        things: None,
        ..both()
    };
    assert!(wanted(&alone, &[]));
}

proptest! {
    #[test]
    fn confidences_lie_in_their_range(
        boxes in prop::collection::vec((0..4usize, 0.0f32..=1.0, 0.0001f32..=1.0, 0.0001f32..=1.0), 0..20),
        dog in 0.0f32..=1.0,
    ) {
        let boxes: Vec<DetectedBox> =
            boxes.into_iter().map(|(class, score, w, h)| found(class, score, (w, h))).collect();
        let said = said(&both(), dog, Some(&boxes), Some(&boxes));
        for name in ["people", "dog", "kite", "beach", PORTRAIT, GROUP, CROWD] {
            let confidence = said(name).confidence;
            prop_assert!((0.0..=1.0).contains(&confidence), "{}: {}", name, confidence);
        }
        prop_assert!(said("dog").confidence >= dog);
    }
}
