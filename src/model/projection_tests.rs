use super::*;
use crate::embedding::ModelId;

/// A file of class vectors as the module's documentation has it.
pub(crate) fn class_vectors(centre: &[f32], rows: &[&[f32]]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    for word in [VERSION, rows.len() as u32, centre.len() as u32] {
        out.extend(word.to_le_bytes());
    }
    out.extend(centre.iter().flat_map(|v| v.to_le_bytes()));
    for row in rows {
        out.extend(row.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()));
    }
    out
}

fn parse(bytes: &[u8], dims: usize, top: usize) -> Result<Projection, ModelError> {
    let derived = DerivedImage {
        from: ModelId("someone@1".to_owned()),
        class_vectors: "class_vectors.bin".to_owned(),
        top,
    };
    Projection::parse(bytes, "tiny@1".to_owned(), dims, &derived)
}

const ROWS: [&[f32]; 4] = [&[1.0, 0.0], &[0.0, 1.0], &[-1.0, 0.0], &[0.0, -2.0]];

#[test]
fn the_likeliest_classes_are_weighted_by_their_probabilities() {
    let bytes = class_vectors(&[0.25, -0.5], &ROWS);
    let two = parse(&bytes, 2, 2).unwrap();
    // 0.4·(1,0) + 0.3·(0,1); the other two do not count.
    let vector = two.project(&[0.4, 0.3, 0.1, 0.2]).unwrap();
    assert!((vector.values[0] - 0.8).abs() < 1e-6, "{vector:?}");
    assert!((vector.values[1] - 0.6).abs() < 1e-6, "{vector:?}");
    // With all four: (0.4 − 0.1, 0.3 − 0.4).
    let all = parse(&bytes, 2, 10).unwrap();
    let vector = all.project(&[0.4, 0.3, 0.1, 0.2]).unwrap();
    assert!(
        (vector.values[0] / vector.values[1] + 3.0).abs() < 1e-5,
        "{vector:?}"
    );
}

#[test]
fn equally_likely_classes_have_an_order() {
    let one = parse(&class_vectors(&[0.0, 0.0], &ROWS), 2, 1).unwrap();
    assert_eq!(one.project(&[0.25; 4]).unwrap().values, [1.0, 0.0]);
    assert_eq!(
        one.project(&[0.0, 0.5, 0.5, 0.0]).unwrap().values,
        [0.0, 1.0]
    );
}

#[test]
fn probabilities_that_are_none_are_refused() {
    let all = parse(&class_vectors(&[0.0, 0.0], &ROWS), 2, 4).unwrap();
    let text = all.project(&[0.5; 3]).unwrap_err().to_string();
    assert!(text.contains("4 classes, got 3"), "{text}");
    for bad in [f32::NAN, -0.1, 1.5, f32::INFINITY] {
        let text = all.project(&[0.5, bad, 0.0, 0.0]).unwrap_err().to_string();
        assert!(text.contains("class 1"), "{text}");
    }
    assert!(
        all.project(&[0.0; 4])
            .unwrap_err()
            .to_string()
            .contains("zeros")
    );
}

#[test]
fn a_file_that_is_not_as_documented_is_refused() {
    let good = class_vectors(&[0.25, -0.5], &ROWS);
    assert_eq!(good.len(), 16 + 4 * 2 + 2 * 4 * 2);
    let error = parse(&good, 3, 2).unwrap_err();
    assert!(
        matches!(
            error,
            ModelError::Dimensions {
                expected: 3,
                found: 2,
                ..
            }
        ),
        "{error}"
    );
    let with = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let mut long = good.clone();
    long.push(0);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "no file of class vectors"),
        (good[..10].to_vec(), "no file of class vectors"),
        (with(0, b"PHCX"), "no file of class vectors"),
        (with(4, &2u32.to_le_bytes()), "version 2"),
        (with(8, &5u32.to_le_bytes()), "5 classes"),
        (with(8, &u32::MAX.to_le_bytes()), "bytes, not"),
        (with(8, &0u32.to_le_bytes()), "0 classes"),
        (good[..good.len() - 1].to_vec(), "bytes, not"),
        (long, "bytes, not"),
        (with(16, &f32::NAN.to_le_bytes()), "centre"),
        (with(24 + 2 * 5, &f16::INFINITY.to_le_bytes()), "class 2"),
    ];
    for (bytes, words) in cases {
        let text = parse(&bytes, 2, 2).unwrap_err().to_string();
        assert!(text.contains(words), "{words}: {text}");
        assert!(
            text.contains("tiny@1") && text.contains("class_vectors.bin"),
            "{text}"
        );
    }
}
