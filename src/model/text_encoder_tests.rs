use super::*;
use crate::model::testing::{
    self, CLASSIFIER, DUAL, INT32, INT64, dual_files, runtime, text, token_vector,
};

const OPTIONS: TextOptions = TextOptions {
    threads: 1,
    quick: false,
};

fn pack(manifest: &str, graph: Vec<u8>) -> ModelPack {
    let mut files = dual_files();
    files[1].1 = graph;
    testing::pack(manifest, &files)
}

/// The normalised mean of these tokens' vectors.
fn expected(ids: &[u32]) -> Vec<f32> {
    let mut sum = [0f32; 3];
    for id in ids {
        for (total, value) in sum.iter_mut().zip(token_vector(*id)) {
            *total += value;
        }
    }
    let length = sum.iter().map(|v| v * v).sum::<f32>().sqrt();
    sum.iter().map(|v| v / length).collect()
}

fn near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= 1e-6, "{found:?} is not {expected:?}");
    }
}

#[test]
fn the_mean_leaves_padding_out() {
    let Some(runtime) = runtime() else { return };
    let mut encoder = TextEncoder::new(&runtime, &pack(DUAL, text(&[], INT64)), OPTIONS).unwrap();
    assert_eq!(encoder.limit(), 8);
    assert_eq!(encoder.tokens("a dog of beach").unwrap(), 6);
    let vectors = encoder.encode(&["dog", "a photo of beach"]).unwrap();
    near(&vectors[0].values, &expected(&[2, 7, 3]));
    near(&vectors[1].values, &expected(&[2, 4, 5, 6, 8, 3]));
    assert_eq!(
        encoder.encode(&["a photo of beach"]).unwrap()[0],
        vectors[1]
    );
}

#[test]
fn what_the_graph_has_pooled_is_taken_as_it_is() {
    let Some(runtime) = runtime() else { return };
    let pooled = DUAL
        .replace("\"last_hidden_state\"", "\"pooler_output\"")
        .replace("pooling = \"mean\"", "pooling = \"none\"");
    let mut encoder =
        TextEncoder::new(&runtime, &pack(&pooled, text(&[], INT64)), OPTIONS).unwrap();
    let vectors = encoder.encode(&["dog"]).unwrap();
    // This graph knows no mask: the padding to eight counts, as in SigLIP.
    near(&vectors[0].values, &expected(&[2, 7, 3, 1, 1, 1, 1, 1]));
    let own = pooled.replace("pad_id = 1\n", "");
    let mut encoder = TextEncoder::new(&runtime, &pack(&own, text(&[], INT64)), OPTIONS).unwrap();
    near(
        &encoder.encode(&["dog"]).unwrap()[0].values,
        &expected(&[2, 7, 3]),
    );
}

#[test]
fn inputs_are_those_the_graph_declares() {
    let Some(runtime) = runtime() else { return };
    let named = DUAL.replace(
        "mask = \"attention_mask\"",
        "mask = \"attention_mask\"\ntypes = \"token_type_ids\"",
    );
    for (inputs, element) in [
        (&["attention_mask", "token_type_ids"][..], INT64),
        (&["token_type_ids"], INT32),
        (&[], INT32),
    ] {
        let pack = pack(&named, text(inputs, element));
        let mut encoder = TextEncoder::new(&runtime, &pack, OPTIONS).unwrap();
        let vectors = encoder.encode(&["dog"]).unwrap();
        near(&vectors[0].values, &expected(&[2, 7, 3]));
    }
    let unnamed = pack(DUAL, text(&["position_ids"], INT64));
    let error = TextEncoder::new(&runtime, &unnamed, OPTIONS)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("tiny-dual@r1: text.onnx wants an input position_ids"),
        "{error}"
    );
}

#[test]
fn quick_and_thorough_sessions_agree() {
    let Some(runtime) = runtime() else { return };
    let pack = pack(DUAL, text(&["attention_mask"], INT64));
    let quick = TextOptions {
        quick: true,
        ..OPTIONS
    };
    let a = TextEncoder::new(&runtime, &pack, OPTIONS)
        .unwrap()
        .encode(&["tree"])
        .unwrap();
    let b = TextEncoder::new(&runtime, &pack, quick)
        .unwrap()
        .encode(&["tree"])
        .unwrap();
    near(&a[0].values, &b[0].values);
}

#[test]
fn a_graph_that_does_not_fit_the_manifest_is_refused() {
    let Some(runtime) = runtime() else { return };
    let cases: [(&str, &str, &[&str]); 5] = [
        (
            "ids = \"input_ids\"",
            "ids = \"tokens\"",
            &["input_ids", "[text]"],
        ),
        (
            "\"last_hidden_state\"",
            "\"pooler\"",
            &["pooler", "last_hidden_state"],
        ),
        (
            "pooling = \"mean\"",
            "pooling = \"none\"",
            &["text.pooling", "last_hidden_state"],
        ),
        ("dims = 3", "dims = 4", &["3 dimensions", "says 4"]),
        (
            "file = \"text.onnx\"",
            "file = \"tokenizer.json\"",
            &["tokenizer.json does not load"],
        ),
    ];
    for (from, to, words) in cases {
        assert!(DUAL.contains(from));
        let pack = pack(&DUAL.replacen(from, to, 1), text(&[], INT64));
        for quick in [false, true] {
            let options = TextOptions { quick, threads: 1 };
            let error = TextEncoder::new(&runtime, &pack, options)
                .err()
                .unwrap()
                .to_string();
            assert!(error.contains("tiny-dual@r1"), "{error}");
            for word in words {
                assert!(error.contains(word), "{error}");
            }
        }
    }
}

#[test]
fn a_classifier_has_no_text_encoder() {
    let Some(runtime) = runtime() else { return };
    let files = vec![("vision.onnx", vec![1]), ("head.bin", vec![2])];
    let pack = testing::pack(CLASSIFIER, &files);
    let error = TextEncoder::new(&runtime, &pack, OPTIONS).err().unwrap();
    assert!(matches!(error, ModelError::NoText { .. }), "{error}");
}
