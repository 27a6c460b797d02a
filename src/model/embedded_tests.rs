use std::path::Path;

use super::*;
use crate::model::testing::{dual_files, runtime, sealed};
use crate::model::{Kind, Projection, TextEncoder, TextOptions};

const DERIVED: &str = r#"
name = "tiny-derived"
revision = "r1"
kind = "dual-encoder"
dims = 3

[derived]
from = "someone@1"
class_vectors = "class_vectors.bin"
top = 10

[text]
file = "text.onnx"
tokenizer = "tokenizer.json"
ids = "input_ids"
output = "last_hidden_state"
pooling = "mean"
length = 8

[licence]
weights = "Apache-2.0"

[files."class_vectors.bin"]
[files."text.onnx"]
[files."tokenizer.json"]
"#;

/// One class, μ = (0.5, 0.25, 0).
fn class_vectors() -> Vec<u8> {
    let mut out = b"PHCV".to_vec();
    for word in [1u32, 1, 3] {
        out.extend(word.to_le_bytes());
    }
    out.extend([0.5f32, 0.25, 0.0].iter().flat_map(|v| v.to_le_bytes()));
    out.extend(
        [0.0f32, 0.0, 2.0]
            .iter()
            .flat_map(|v| half::f16::from_f32(*v).to_le_bytes()),
    );
    out
}

fn text_files() -> Vec<(&'static str, Vec<u8>)> {
    dual_files()
        .into_iter()
        .filter(|(n, _)| *n != "vision.onnx")
        .collect()
}

fn open(places: &[PathBuf]) -> ModelPack {
    let mut files = text_files();
    files.push(("class_vectors.bin", class_vectors()));
    let own: &'static [u8] = Box::leak(class_vectors().into_boxed_slice());
    partly_compiled_in(
        &sealed(DERIVED, &files),
        &[("class_vectors.bin", own)],
        places,
    )
    .unwrap()
}

fn put(place: &Path) -> PathBuf {
    let dir = place.join("tiny-derived");
    std::fs::create_dir_all(&dir).unwrap();
    for (name, bytes) in text_files() {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
    dir
}

#[test]
fn without_its_text_files_the_image_side_works_and_the_text_side_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let places = [dir.path().join("a"), dir.path().join("b")];
    let pack = open(&places);
    assert_eq!(pack.derived_from().unwrap().0, "someone@1");
    assert!(pack.input().is_none());
    let vector = Projection::new(&pack).unwrap().project(&[0.5]).unwrap();
    assert_eq!(vector.values, [0.0, 0.0, 1.0]);
    let text = pack.text_side().unwrap_err().to_string();
    assert!(
        text.contains("`photond model install tiny-derived`"),
        "{text}"
    );
    for place in &places {
        assert!(
            text.contains(&*place.join("tiny-derived").to_string_lossy()),
            "{text}"
        );
    }
    // One of two files is as good as none.
    std::fs::remove_file(put(&places[0]).join("text.onnx")).unwrap();
    assert!(open(&places).text_side().is_err());
    if let Some(runtime) = runtime() {
        let options = TextOptions {
            threads: 1,
            quick: true,
        };
        let error = TextEncoder::new(&runtime, &pack, options).err().unwrap();
        assert!(matches!(error, ModelError::NoText { .. }), "{error}");
    }
}

#[test]
fn the_first_place_that_is_whole_counts() {
    let dir = tempfile::tempdir().unwrap();
    let places = [dir.path().join("a"), dir.path().join("b")];
    let first = put(&places[0]);
    std::fs::write(first.join("text.onnx"), "not a graph").unwrap();
    let damaged = open(&places);
    let text = damaged.text_side().unwrap_err().to_string();
    assert!(text.contains("text.onnx has 11 bytes, not"), "{text}");
    assert!(text.contains("model install tiny-derived"), "{text}");
    put(&places[1]);
    let pack = open(&places);
    pack.text_side().unwrap();
    pack.verify().unwrap();
}

#[test]
fn sentences_of_a_derived_pack_are_taken_from_its_centre() {
    let Some(runtime) = runtime() else { return };
    let dir = tempfile::tempdir().unwrap();
    put(dir.path());
    let pack = open(&[dir.path().to_path_buf()]);
    let options = TextOptions {
        threads: 1,
        quick: false,
    };
    let mut encoder = TextEncoder::new(&runtime, &pack, options).unwrap();
    let found = encoder.encode(&["dog"]).unwrap();
    // [CLS] dog [SEP]: the mean of the three tokens' vectors, at length one, minus μ.
    let mut sum = [0f32; 3];
    for id in [2, 7, 3] {
        for (total, value) in sum.iter_mut().zip(crate::model::testing::token_vector(id)) {
            *total += value;
        }
    }
    let unit = |v: [f32; 3]| {
        let length = v.iter().map(|x| x * x).sum::<f32>().sqrt();
        v.map(|x| x / length)
    };
    let text = unit(sum);
    let expected = unit([text[0] - 0.5, text[1] - 0.25, text[2]]);
    for (a, b) in found[0].values.iter().zip(expected) {
        assert!((a - b).abs() < 1e-6, "{found:?} is not {expected:?}");
    }
}

#[test]
fn the_embedded_classifier_keeps_the_identity_of_stored_vectors() {
    let pack = default_pack().unwrap();
    assert_eq!(pack.id.0, "efficientnet-lite0@1f00cbc6439d");
    assert_eq!(
        pack.manifest.label_revision.as_deref(),
        Some("a09bf844da41")
    );
    assert_eq!((pack.kind, pack.dims), (Kind::Classifier, 1280));
    let input = pack.input().unwrap();
    assert_eq!(
        (input.size, input.mean, input.std),
        (224, [127.0; 3], [128.0; 3])
    );
}

#[test]
fn the_embedded_detectors_keep_the_identity_of_stored_boxes() {
    let (things, faces) = (things_pack().unwrap(), faces_pack().unwrap());
    assert_eq!(things.id.0, "nanodet-g@9f407d066701");
    assert_eq!(faces.id.0, "centerface@6be1fe1af85a");
    for (pack, size) in [(&things, 416), (&faces, 480)] {
        assert_eq!(
            (pack.kind, pack.dims),
            (Kind::Detector, crate::boxes::NUMBERS)
        );
        let input = pack.input().unwrap();
        assert_eq!(
            (input.size, input.fit),
            (size, crate::embedding::Fit::Letterbox(32))
        );
        assert!(pack.verify().unwrap() > 1_000_000);
    }
    let classes = things.text_file("classes.tsv").unwrap();
    assert_eq!(
        classes
            .lines()
            .filter(|line| !line.starts_with('#'))
            .count(),
        80
    );
    assert_eq!(faces.manifest.after.unwrap().class, "person");
}

#[test]
fn a_detector_that_is_cut_short_is_not_used() {
    let cut = |name: &str| {
        let bytes = compiled_in(NANODET_FILES, name)?;
        let end = if name == "detector.onnx" {
            bytes.len() / 2
        } else {
            bytes.len()
        };
        Some(Cow::Borrowed(&bytes[..end]))
    };
    let e = ModelPack::load(NANODET, cut).unwrap_err().to_string();
    assert!(e.contains("detector.onnx") && e.contains("3893339"), "{e}");
}

#[test]
fn the_embedded_dual_encoder_belongs_to_the_embedded_classifier() {
    let pack = lite0_minilm(&[]).unwrap();
    assert_eq!(pack.derived_from(), Some(&default_pack().unwrap().id));
    assert_eq!((pack.kind, pack.dims), (Kind::DualEncoder, 384));
    let projection = Projection::new(&pack).unwrap();
    let mut dog = vec![0.0; default_pack().unwrap().manifest.rows.unwrap()];
    dog[207] = 1.0;
    let vector = projection.project(&dog).unwrap();
    assert_eq!(vector.values.len(), 384);
    let text = pack.text_side().unwrap_err().to_string();
    assert!(
        text.contains("`photond model install lite0-minilm`"),
        "{text}"
    );
}
