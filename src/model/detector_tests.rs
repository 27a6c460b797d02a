use ndarray::Array2;
use proptest::prelude::*;

use super::*;
use crate::model::testing::{self, DUAL, dual_files, runtime};
use crate::model::{faces_pack, things_pack};

const RULES: BoxRules = BoxRules {
    least: 0.2,
    overlap: 0.5,
    most: 3,
};

/// Boxes of one class: score and edges in a tensor of 100 × 50 pixels.
fn kept(places: &[(f32, [f32; 4])]) -> Vec<DetectedBox> {
    let scores = Array2::from_shape_fn((1, places.len()), |(_, at)| places[at].0);
    let edges = Array2::from_shape_fn((4, places.len()), |(edge, at)| places[at].1[edge]);
    let found = boxes(scores.view(), edges.view(), (100.0, 50.0), RULES);
    found.into_iter().map(|(found, _)| found).collect()
}

#[test]
fn of_boxes_that_overlap_the_surest_stays() {
    let found = kept(&[
        (0.5, [0.0, 0.0, 50.0, 25.0]),
        (0.9, [2.0, 0.0, 52.0, 25.0]),
        (0.19, [60.0, 0.0, 90.0, 20.0]),
        (0.3, [60.0, 20.0, 90.0, 50.0]),
    ]);
    let scores: Vec<f32> = found.iter().map(|b| b.score).collect();
    assert_eq!(scores, [0.9, 0.3]);
    let DetectedBox {
        left,
        top,
        right,
        bottom,
        ..
    } = found[1];
    assert_eq!([left, top, right, bottom], [0.6, 0.4, 0.9, 1.0]);
    // Of equals the first place stays.
    let same = kept(&[(0.5, [0.0, 0.0, 50.0, 25.0]), (0.5, [1.0, 0.0, 51.0, 25.0])]);
    assert_eq!((same.len(), same[0].left), (1, 0.0));
}

#[test]
fn what_is_no_number_or_lies_outside_is_no_box() {
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    let edges = [10.0, 10.0, 20.0, 20.0];
    for (score, edges) in [
        (nan, edges),
        (0.5, [nan, 10.0, 20.0, 20.0]),
        (0.5, [10.0, -inf, 20.0, 20.0]),
        (0.5, [10.0, 10.0, inf, 20.0]),
        (0.5, [20.0, 10.0, 10.0, 20.0]),
        (0.5, [10.0, 20.0, 20.0, 20.0]),
        (0.5, [-50.0, 10.0, -10.0, 20.0]),
        (0.5, [101.0, 10.0, 400.0, 20.0]),
    ] {
        assert!(kept(&[(score, edges)]).is_empty(), "{score} {edges:?}");
    }
    let cut = kept(&[(7.0, [-1e30, -5.0, 1e30, 60.0])]);
    assert_eq!(
        (cut[0].score, cut[0].left, cut[0].right, cut[0].area()),
        (1.0, 0.0, 1.0, 1.0)
    );
}

#[test]
fn no_more_than_so_many_are_kept() {
    let many: Vec<(f32, [f32; 4])> = (0..40)
        .map(|n| n as f32)
        .map(|n| (0.3 + n / 100.0, [2.0 * n, 0.0, 2.0 * n + 2.0, 50.0]))
        .collect();
    let found = kept(&many);
    assert_eq!(found.len(), 3);
    assert!((found[0].score - 0.69).abs() < 1e-6, "{found:?}");
}

proptest! {
    #[test]
    fn boxes_are_sound_whatever_the_network_says(
        values in prop::collection::vec(any::<f32>(), 5 * 12), most in 1..9usize,
    ) {
        let values: Vec<f32> = values;
        let scores = Array2::from_shape_vec((3, 4), values[..12].to_vec()).unwrap();
        let edges = Array2::from_shape_vec((4, 4), values[12..28].to_vec()).unwrap();
        let rules = BoxRules { most, ..RULES };
        let found = boxes(scores.view(), edges.view(), (3.0, 500.0), rules);
        prop_assert!(found.len() <= most);
        prop_assert!(found.iter().all(|(found, _)| found.is_sound()), "{found:?}");
        prop_assert!(found.windows(2).all(|w| w[0].0.score >= w[1].0.score));
        prop_assert!(found.iter().all(|(_, place)| *place < 4));
    }
}

/// The first columns and rows of a drawing with a stop sign and a person, see `make_scene.py`.
fn drawing(width: u32, height: u32) -> Letterbox {
    let drawing = image::load_from_memory(include_bytes!("../../tests/samples/scene.png"));
    let drawing = drawing.unwrap().to_rgb8();
    let mut whole = Letterbox::black((width, height), 32);
    for (x, y, pixel) in drawing.enumerate_pixels() {
        if x < width && y < height {
            for (channel, value) in pixel.0.into_iter().enumerate() {
                whole.pixels[[y as usize, x as usize, channel]] = value;
            }
        }
    }
    whole
}

/// As `models/detection/boxes.py` has them of the same pixels, but for what another processor's
/// kernels change.
fn same(found: &[DetectedBox], reference: &[(usize, f32, [f32; 4])]) {
    assert_eq!(found.len(), reference.len(), "{found:?}");
    for (found, (class, score, edges)) in found.iter().zip(reference) {
        assert_eq!(found.class, *class, "{found:?}");
        let DetectedBox {
            left,
            top,
            right,
            bottom,
            ..
        } = *found;
        let pairs = [left, top, right, bottom].into_iter().zip(*edges);
        for (a, b) in pairs.chain([(found.score, *score)]) {
            assert!((a - b).abs() < 0.002, "{found:?} is not {edges:?}, {score}");
        }
    }
}

#[test]
fn things_and_people_are_found_as_by_the_reference() {
    let Some(runtime) = runtime() else { return };
    let mut detector = Detector::new(&runtime, &things_pack().unwrap()).unwrap();
    let found = detector.detect(&drawing(416, 312)).unwrap();
    let reference = [
        (0, 0.7543, [0.5599, 0.2022, 1.0, 0.9871]),
        (11, 0.7462, [0.0858, 0.1558, 0.4719, 0.6768]),
    ];
    same(&found[..2], &reference);
    // Two more are of next to no worth: a tie and a doughnut, of 0.2225.
    assert!(found[2..].iter().all(|b| b.score < 0.25), "{found:?}");
    // Neighbours in the queue change nothing.
    detector.detect(&drawing(416, 100)).unwrap();
    assert_eq!(detector.detect(&drawing(416, 312)).unwrap(), found);
}

#[test]
fn faces_are_found_as_by_the_reference() {
    let Some(runtime) = runtime() else { return };
    let mut detector = Detector::new(&runtime, &faces_pack().unwrap()).unwrap();
    let found = detector.detect(&drawing(480, 360)).unwrap();
    same(&found, &[(0, 0.6428, [0.5992, 0.2272, 0.7596, 0.5177])]);
}

#[test]
fn thin_black_and_misshapen_pictures_are_bounded() {
    let Some(runtime) = runtime() else { return };
    for pack in [things_pack().unwrap(), faces_pack().unwrap()] {
        let size = pack.input().unwrap().size;
        let mut detector = Detector::new(&runtime, &pack).unwrap();
        for picture in [(size, 1), (1, size), (size, size)] {
            let found = detector.detect(&Letterbox::black(picture, 32)).unwrap();
            assert!(found.iter().all(DetectedBox::is_sound));
        }
        let mut wrong = Letterbox::black((size, 40), 32);
        wrong.height = 200;
        let e = detector.detect(&wrong).unwrap_err();
        assert!(matches!(e, ModelError::BadOutput { .. }), "{e}");
        assert!(e.to_string().contains("224"), "{e}");
    }
}

#[test]
fn a_graph_that_is_no_detectors_is_refused() {
    let Some(runtime) = runtime() else { return };
    let mut pack = testing::pack(DUAL, &dual_files());
    let e = Detector::new(&runtime, &pack).err().unwrap();
    assert!(e.to_string().contains("no detector"), "{e}");
    let mut things = things_pack().unwrap();
    let ImageSide::Boxes(graph) = &mut things.image else {
        panic!("it is one");
    };
    graph.file = "vision.onnx".to_owned();
    graph.input_name = "pixel_values".to_owned();
    pack.image = things.image.clone();
    let e = Detector::new(&runtime, &pack).err().unwrap();
    assert!(e.to_string().contains("not bytes"), "{e}");
}
