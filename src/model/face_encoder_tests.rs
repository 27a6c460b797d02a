use ndarray::Array3;

use super::*;
use crate::model::testing::{FLOAT, Files, Graph, UINT8, pack, runtime, write};

const DETECTOR: &str = r#"
name = "tiny-faces"
revision = "r1"
label_revision = "l1"
kind = "detector"
class = "face"

[image]
file = "detector.onnx"
tensor = "image"
scores = "scores"
boxes = "boxes"
points = "points"
size = 64
fit = "letterbox"
multiple = 32

[boxes]
least = 0.2
overlap = 0.3
most = 500

[calibration]
kind = "threshold"
shown = 0.45

[licence]
weights = "CC0-1.0"

[files."detector.onnx"]
"#;

const ENCODER: &str = r#"
name = "tiny-encoder"
revision = "r1"
kind = "face-encoder"
dims = 128

[faces]
file = "encoder.onnx"
weights = "weights.bin"
tensor = "image"
output = "vector"
side = 16
points = [[0.3, 0.3], [0.7, 0.3], [0.5, 0.5], [0.35, 0.7], [0.65, 0.7]]
detector = "tiny-faces@r1"
size = 64
multiple = 32
least = 0.6
smallest = 8
askew = 0.1

[calibration]
kind = "distance"
same = 0.4

[licence]
weights = "CC0-1.0"

[files."encoder.onnx"]

[files."weights.bin"]
"#;

/// What the made-up detector says of a face: score, box, and by how much its points are pulled apart.
struct Said(f32, [f32; 4], f32);

/// Finds the same faces in every picture.
fn detector(found: &[Said]) -> ModelPack {
    let places = found.len() as u64;
    let mut graph = Graph::default();
    graph.input("image", UINT8, &[-1, -1, -1, 3]);
    let scores: Vec<f32> = found.iter().map(|f| f.0).collect();
    let boxes: Vec<f32> = (0..4)
        .flat_map(|edge| found.iter().map(move |f| f.1[edge]))
        .collect();
    let shares = [[0.3, 0.3], [0.7, 0.3], [0.5, 0.5], [0.35, 0.7], [0.65, 0.7]];
    let point = |n: usize| {
        let (point, axis) = (n / 2, n % 2);
        found.iter().map(move |Said(_, edges, pulled)| {
            let side = edges[axis + 2] - edges[axis];
            let pulled = if point == 0 { *pulled * side } else { 0.0 };
            edges[axis] + shares[point][axis] * side + pulled
        })
    };
    let points: Vec<f32> = (0..10).flat_map(point).collect();
    for (name, rows, values) in [
        ("scores", 1, scores),
        ("boxes", 4, boxes),
        ("points", 10, points),
    ] {
        let constant = format!("{name}.all");
        graph.floats(&constant, &[1, rows, places], &values);
        graph.node("Identity", &[&constant], name, &[]);
        graph.output(name, FLOAT, &[1, rows as i64, places as i64]);
    }
    pack(DETECTOR, &vec![("detector.onnx", graph.model())])
}

/// The sum of a face's pixels by weights that lie in another file.
fn encoder(weight: f32) -> Files {
    let mut graph = Graph::default();
    graph.input("image", UINT8, &[-1, 16, 16, 3]);
    graph.node("Cast", &["image"], "floats", &[("to", FLOAT)]);
    graph.node("Flatten", &["floats"], "flat", &[("axis", 1)]);
    graph.elsewhere("weights", &[768, 128], "weights.bin");
    graph.node("MatMul", &["flat", "weights"], "vector", &[]);
    graph.output("vector", FLOAT, &[-1, 128]);
    let weights = std::iter::repeat_n(weight.to_le_bytes(), 768 * 128);
    vec![
        ("encoder.onnx", graph.model()),
        ("weights.bin", weights.flatten().collect()),
    ]
}

/// White on black, so that what is cut out can be told.
fn picture() -> Letterbox {
    let mut picture = Letterbox::black((64, 48), 32);
    picture.pixels = Array3::from_elem(picture.pixels.dim(), 255);
    picture
}

/// All faces of a picture.
fn look(faces: &mut FaceEncoder, picture: &Letterbox) -> Result<Vec<Face>, ModelError> {
    let found = faces.find(picture)?;
    found
        .iter()
        .map(|face| faces.encode(picture, face))
        .collect()
}

#[test]
fn faces_that_can_be_told_apart_are_found_and_encoded() {
    let Some(runtime) = runtime() else { return };
    let nan = f32::NAN;
    let found = detector(&[
        Said(0.9, [8.0, 8.0, 24.0, 24.0], 0.0),
        Said(0.8, [40.0, 8.0, 56.0, 24.0], 0.0),
        // Not sure, too small, from the side, no numbers, outside of the picture.
        Said(0.5, [8.0, 30.0, 24.0, 46.0], 0.0),
        Said(0.9, [40.0, 40.0, 46.0, 46.0], 0.0),
        Said(0.9, [24.0, 0.0, 40.0, 16.0], 0.6),
        Said(0.9, [24.0, 30.0, 40.0, 46.0], nan),
        Said(0.9, [-50.0, -50.0, -10.0, -10.0], 0.0),
    ]);
    let mut faces = FaceEncoder::new(&runtime, &pack(ENCODER, &encoder(0.001)), &found).unwrap();
    let seen = look(&mut faces, &picture()).unwrap();
    let scores: Vec<f32> = seen.iter().map(|face| face.found.score).collect();
    assert_eq!(scores, [0.9, 0.8]);
    assert!((seen[0].found.left - 0.125).abs() < 1e-6);
    // All of the face is white: 255 · 768 · 0.001.
    let expected = 255.0 * 768.0 * 0.001;
    assert!(
        seen[0].vector.iter().all(|v| (v - expected).abs() < 0.1),
        "{:?}",
        seen[0].vector
    );
}

#[test]
fn a_crowd_is_bounded() {
    let Some(runtime) = runtime() else { return };
    let crowd: Vec<Said> = (0..500)
        .map(|n| ((n % 25) as f32 * 40.0, (n / 25) as f32 * 40.0))
        .map(|(x, y)| Said(0.9, [x, y, x + 16.0, y + 16.0], 0.0))
        .collect();
    let mut faces =
        FaceEncoder::new(&runtime, &pack(ENCODER, &encoder(0.001)), &detector(&crowd)).unwrap();
    let seen = look(&mut faces, &Letterbox::black((1000, 800), 32)).unwrap();
    assert_eq!(seen.len(), faces::MOST);
}

#[test]
fn what_is_no_vector_is_an_error_with_a_sentence() {
    let Some(runtime) = runtime() else { return };
    let found = detector(&[Said(0.9, [8.0, 8.0, 24.0, 24.0], 0.0)]);
    let refused = FaceEncoder::new(&runtime, &pack(ENCODER, &encoder(f32::NAN)), &found);
    let said = refused.err().unwrap().to_string();
    assert!(said.contains("a value that is not a number"), "{said}");
}

#[test]
fn weights_that_are_cut_short_or_missing_are_told() {
    let Some(runtime) = runtime() else { return };
    let found = detector(&[Said(0.9, [8.0, 8.0, 24.0, 24.0], 0.0)]);
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), ENCODER, &encoder(0.001));
    let whole = ModelPack::open_dir(dir.path()).unwrap();
    FaceEncoder::new(&runtime, &whole, &found).unwrap();
    let path = dir.path().join("weights.bin");
    let bytes = std::fs::read(&path).unwrap();
    for wrong in [bytes[..1000].to_vec(), vec![1; bytes.len()]] {
        std::fs::write(&path, &wrong).unwrap();
        let said = FaceEncoder::new(&runtime, &whole, &found).err().unwrap();
        assert!(matches!(said, ModelError::BadFile { .. }), "{said}");
    }
    assert!(matches!(
        ModelPack::open_dir(dir.path()),
        Err(ModelError::BadFile { .. })
    ));
    std::fs::remove_file(&path).unwrap();
    let said = FaceEncoder::new(&runtime, &whole, &found).err().unwrap();
    assert!(said.to_string().contains("weights.bin"), "{said}");
}

#[test]
fn another_detector_is_refused() {
    let Some(runtime) = runtime() else { return };
    let encoder = pack(
        &ENCODER.replace("tiny-faces@r1", "tiny-faces@r2"),
        &encoder(0.001),
    );
    let found = detector(&[Said(0.9, [8.0, 8.0, 24.0, 24.0], 0.0)]);
    let said = FaceEncoder::new(&runtime, &encoder, &found).err().unwrap();
    assert!(said.to_string().contains("tiny-faces@r2"), "{said}");
}

/// The real one, where its weights are here.
#[test]
fn the_encoder_that_people_on_fetches_runs() {
    let Some(runtime) = runtime() else { return };
    let places = [std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("runtime/models")];
    let pack = crate::model::face_encoder_pack(&places).unwrap();
    assert_eq!(pack.dims, faces::NUMBERS);
    let found = crate::model::faces_pack().unwrap();
    match FaceEncoder::new(&runtime, &pack, &found) {
        Ok(mut encoder) => {
            let seen = look(&mut encoder, &Letterbox::black((960, 640), 32)).unwrap();
            assert!(seen.is_empty());
        }
        Err(e) => {
            let said = e.to_string();
            assert!(said.contains("photond model install dlib-face"), "{said}");
        }
    }
}
