use super::*;
use crate::model::testing::{self, CLASSIFIER, DUAL, Files, Head, dual_files, runtime, vision};

const OPTIONS: EncoderOptions = EncoderOptions { threads: 1 };

fn dual(head: Head) -> ModelPack {
    let mut files = dual_files();
    files[0].1 = vision(head);
    testing::pack(DUAL, &files)
}

/// A picture of one colour.
fn plain(colour: [f32; 3]) -> Tensor {
    Tensor::from_shape_fn((3, 16, 16), |(channel, _, _)| colour[channel])
}

fn unit(values: [f32; 3]) -> Vec<f32> {
    let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
    values.iter().map(|v| v / length).collect()
}

fn near(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= tolerance, "{found:?} is not {expected:?}");
    }
}

#[test]
fn a_dual_encoders_vectors_have_length_one_a_classifiers_stay() {
    let Some(runtime) = runtime() else { return };
    let picture = plain([0.5, -1.0, 2.0]);
    let mut encoder = ImageEncoder::new(&runtime, &dual(Head::Mean), OPTIONS).unwrap();
    let vectors = encoder.encode(&[&picture]).unwrap();
    near(&vectors[0].values, &unit([1.5, 1.0, 5.0]), 1e-6);
    let files: Files = vec![("vision.onnx", vision(Head::Mean)), ("head.bin", vec![0])];
    let classifier = testing::pack(CLASSIFIER, &files);
    let mut encoder = ImageEncoder::new(&runtime, &classifier, OPTIONS).unwrap();
    let vectors = encoder.encode(&[&picture]).unwrap();
    near(&vectors[0].values, &[1.5, 1.0, 5.0], 1e-5);
}

#[test]
fn any_number_of_pictures_keeps_its_order() {
    let Some(runtime) = runtime() else { return };
    let mut encoder = ImageEncoder::new(&runtime, &dual(Head::Mean), OPTIONS).unwrap();
    assert_eq!(encoder.batch(), 4);
    assert!(encoder.encode(&[]).unwrap().is_empty());
    let pictures: Vec<Tensor> = (0..11).map(|i| plain([i as f32, 0.0, 1.0])).collect();
    let all: Vec<&Tensor> = pictures.iter().collect();
    let together = encoder.encode(&all).unwrap();
    for (i, vector) in together.iter().enumerate() {
        near(&vector.values, &unit([i as f32 + 1.0, 2.0, 4.0]), 1e-6);
        assert_eq!(encoder.encode(&[all[i]]).unwrap()[0], *vector);
    }
}

#[test]
fn a_pack_that_allows_one_picture_a_run_gets_one() {
    let Some(runtime) = runtime() else { return };
    let pictures = [plain([1.0, 0.0, 0.0]), plain([0.0, 5.0, 0.0])];
    let both: Vec<&Tensor> = pictures.iter().collect();
    // This graph's answers depend on the neighbours, as after dynamic quantisation.
    let mut pack = dual(Head::Batch);
    let mut encoder = ImageEncoder::new(&runtime, &pack, OPTIONS).unwrap();
    let alone = encoder.encode(&both[..1]).unwrap()[0].clone();
    assert_ne!(encoder.encode(&both).unwrap()[0], alone);
    if let ImageSide::Graph(graph) = &mut pack.image {
        graph.batch = 1;
    }
    let mut encoder = ImageEncoder::new(&runtime, &pack, OPTIONS).unwrap();
    assert_eq!(encoder.encode(&both).unwrap()[0], alone);
    // A graph that declares it need not be told.
    let mut encoder = ImageEncoder::new(&runtime, &dual(Head::Single), OPTIONS).unwrap();
    assert_eq!(encoder.batch(), 1);
    assert_eq!(encoder.encode(&both).unwrap().len(), 2);
}

#[test]
fn float16_graphs_are_fed_and_read() {
    let Some(runtime) = runtime() else { return };
    let mut encoder = ImageEncoder::new(&runtime, &dual(Head::Half), OPTIONS).unwrap();
    let pictures = [plain([0.5, -1.0, 2.0]), plain([3.0, 0.0, -0.25])];
    let vectors = encoder.encode(&[&pictures[0], &pictures[1]]).unwrap();
    near(&vectors[0].values, &unit([1.5, 1.0, 5.0]), 1e-3);
    near(&vectors[1].values, &unit([4.0, 2.0, 2.75]), 1e-3);
}

#[test]
fn answers_that_are_no_vectors_are_refused() {
    let Some(runtime) = runtime() else { return };
    let mut encoder = ImageEncoder::new(&runtime, &dual(Head::Root), OPTIONS).unwrap();
    let (fine, dark) = (plain([0.0; 3]), plain([0.0, -9.0, 0.0]));
    let error = encoder.encode(&[&fine, &dark]).unwrap_err();
    assert!(matches!(error, ModelError::BadOutput { .. }));
    assert!(error.to_string().contains("value 1 is NaN"), "{error}");
    assert_eq!(encoder.encode(&[&fine]).unwrap().len(), 1, "it goes on");
    let error = ImageEncoder::new(&runtime, &dual(Head::Zero), OPTIONS)
        .err()
        .unwrap();
    assert!(error.to_string().contains("zeros"), "{error}");
    let small = Tensor::zeros((3, 8, 8));
    let error = encoder.encode(&[&small]).unwrap_err().to_string();
    assert!(error.contains("16×16"), "{error}");
}

#[test]
fn a_graph_of_other_dimensions_is_refused_with_both_numbers() {
    let Some(runtime) = runtime() else { return };
    for head in [Head::Double, Head::Unsaid] {
        let error = ImageEncoder::new(&runtime, &dual(head), OPTIONS)
            .err()
            .unwrap();
        assert!(matches!(
            error,
            ModelError::Dimensions {
                expected: 3,
                found: 6,
                ..
            }
        ));
        let text = error.to_string();
        assert!(
            text.contains("tiny-dual@r1") && text.contains("vision.onnx"),
            "{text}"
        );
    }
}

#[test]
fn a_graph_that_does_not_fit_the_manifest_is_refused() {
    let Some(runtime) = runtime() else { return };
    let cases: [(&str, &str, &[&str]); 4] = [
        ("size = 16", "size = 32", &["16×16", "32"]),
        (
            "\"pixel_values\"",
            "\"pixels\"",
            &["pixels", "pixel_values"],
        ),
        (
            "\"image_embeds\"",
            "\"embeds\"",
            &["embeds", "image_embeds"],
        ),
        (
            "\"vision.onnx\"\ntensor",
            "\"tokenizer.json\"\ntensor",
            &["tokenizer.json", "load"],
        ),
    ];
    for (from, to, words) in cases {
        assert!(DUAL.contains(from));
        let pack = testing::pack(&DUAL.replacen(from, to, 1), &dual_files());
        let text = ImageEncoder::new(&runtime, &pack, OPTIONS)
            .err()
            .unwrap()
            .to_string();
        assert!(text.contains("tiny-dual@r1"), "{text}");
        for word in words {
            assert!(text.contains(word), "{text}");
        }
    }
}

#[test]
fn a_graph_on_disk_is_loaded_from_its_path() {
    let Some(runtime) = runtime() else { return };
    let dir = tempfile::tempdir().unwrap();
    testing::write(dir.path(), DUAL, &dual_files());
    let pack = ModelPack::open_dir(dir.path()).unwrap();
    let mut encoder = ImageEncoder::new(&runtime, &pack, OPTIONS).unwrap();
    let vectors = encoder.encode(&[&plain([0.5, -1.0, 2.0])]).unwrap();
    near(&vectors[0].values, &unit([1.5, 1.0, 5.0]), 1e-6);
    std::fs::remove_file(dir.path().join("vision.onnx")).unwrap();
    assert!(ImageEncoder::new(&runtime, &pack, OPTIONS).is_err());
}

#[test]
fn the_embedded_classifier_runs() {
    let Some(runtime) = runtime() else { return };
    let pack = crate::model::default_pack().unwrap();
    let mut encoder = ImageEncoder::new(&runtime, &pack, OPTIONS).unwrap();
    let grey = Tensor::from_elem((3, 224, 224), 0.25);
    let vectors = encoder.encode(&[&grey, &grey]).unwrap();
    assert_eq!(vectors[0].values.len(), 1280);
    assert_eq!(vectors[0], vectors[1]);
}
