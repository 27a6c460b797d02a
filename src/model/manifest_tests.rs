use super::*;
use crate::embedding::Fit;
use crate::model::testing::{CLASSIFIER, DUAL};

#[test]
fn a_good_manifest_is_read_whole() {
    let manifest = Manifest::parse(DUAL).unwrap();
    assert_eq!(manifest.id(), ModelId("tiny-dual@r1".to_owned()));
    assert_eq!(manifest.kind, Kind::DualEncoder);
    let image = manifest.image.as_ref().unwrap();
    assert_eq!(image.spec().fit, Fit::Squash);
    assert_eq!(image.batch, 4);
    let text = manifest.text.as_ref().unwrap();
    assert_eq!((text.length, text.pad_id), (8, Some(1)));
    assert_eq!(text.prompt, "a photo of a {}");
    assert_eq!(
        manifest.calibration,
        Some(Calibration::Sigmoid {
            scale: 117.33,
            bias: -12.93
        })
    );
    let source = manifest.source.as_ref().unwrap();
    assert_eq!((&*source.repo, &*source.revision), ("someone/tiny", "main"));
    let classifier = Manifest::parse(CLASSIFIER).unwrap();
    assert_eq!(classifier.image.unwrap().spec().fit, Fit::CenterCrop(0.875));
    assert_eq!(classifier.licence.others["vocabulary"], "WordNet-3.0");
}

#[test]
fn what_is_written_reads_back_the_same() {
    for text in [DUAL, CLASSIFIER] {
        let manifest = Manifest::parse(text).unwrap();
        assert_eq!(
            Manifest::parse(&manifest.to_toml().unwrap()).unwrap(),
            manifest
        );
    }
    let values = BTreeMap::from([("floor".to_owned(), 0.25), ("slope".to_owned(), 11.0)]);
    let cosine = Manifest {
        calibration: Some(Calibration::Cosine { values }),
        ..Manifest::parse(DUAL).unwrap()
    };
    assert_eq!(Manifest::parse(&cosine.to_toml().unwrap()).unwrap(), cosine);
}

#[test]
fn a_variant_lies_over_the_rest() {
    let int8 = Manifest::parse(DUAL).unwrap().variant("int8").unwrap();
    assert_eq!(int8.name, "tiny-dual-int8");
    assert_eq!(int8.image.as_ref().unwrap().batch, 1);
    assert_eq!(int8.image.as_ref().unwrap().tensor, "pixel_values");
    let entry = &int8.files["vision.onnx"];
    assert_eq!(entry.path.as_deref(), Some("onnx/vision_quantized.onnx"));
    assert_eq!(entry.size, None, "another file, another size");
    assert!(int8.files["tokenizer.json"].blake3.is_some());
    assert!(int8.variants.is_empty());
    let text = Manifest::parse(DUAL)
        .unwrap()
        .variant("fp8")
        .unwrap_err()
        .to_string();
    assert!(text.contains("tiny-dual") && text.contains("\"fp8\"") && text.contains("int8"));
}

#[test]
fn an_installed_pack_needs_sizes_and_checksums() {
    let mut manifest = Manifest::parse(DUAL).unwrap();
    manifest.complete().unwrap();
    manifest.files.get_mut("vision.onnx").unwrap().blake3 = None;
    let text = manifest.complete().unwrap_err().to_string();
    assert!(text.contains("files.\"vision.onnx\".blake3"), "{text}");
    assert!(text.contains("model install tiny-dual"), "{text}");
}

/// A change to a good manifest, and the words its complaint must have.
fn refused(base: &str, from: &str, to: &str, words: &[&str]) {
    assert!(base.contains(from), "{from:?} is not in the manifest");
    let text = Manifest::parse(&base.replacen(from, to, 1))
        .expect_err(to)
        .to_string();
    for word in words {
        assert!(text.contains(word), "{to:?}: {text}");
    }
    assert!(text.contains("model install"), "no remedy: {text}");
}

#[test]
fn nonsense_is_refused_with_pack_key_reason_and_remedy() {
    let dual: &[(&str, &str, &[&str])] = &[
        ("dims = 3", "dims = 0", &["tiny-dual", "dims", "is 0"]),
        ("dims = 3", "dims = 100000", &["dims", "100000"]),
        ("dims = 3", "dims = -3", &["tiny-dual", "line 5"]),
        ("name = \"tiny-dual\"", "name = \"../x\"", &["name"]),
        ("name = \"tiny-dual\"", "name = \"in-use\"", &["name"]),
        ("name = \"tiny-dual\"", "name = \"\"", &["name"]),
        ("name = \"tiny-dual\"", "", &["(unnamed)", "`name`"]),
        ("revision = \"r1\"", "revision = \"a b\"", &["revision"]),
        ("\"dual-encoder\"", "\"tri-encoder\"", &["tri-encoder"]),
        (
            "\"dual-encoder\"",
            "\"classifier\"",
            &["text", "classifier"],
        ),
        (
            "fit = \"squash\"",
            "fit = \"stretch\"",
            &["stretch", "squash"],
        ),
        (
            "fit = \"squash\"",
            "fit = \"center-crop\"",
            &["image.crop", "missing"],
        ),
        (
            "fit = \"squash\"",
            "fit = \"squash\"\ncrop = 0.5",
            &["image.crop"],
        ),
        (
            "fit = \"squash\"",
            "fit = \"center-crop\"\ncrop = 1.5",
            &["1.5"],
        ),
        ("pooling = \"mean\"", "pooling = \"max\"", &["max", "mean"]),
        ("size = 16", "size = 8", &["image.size", "is 8"]),
        ("batch = 4", "batch = 0", &["image.batch", "is 0"]),
        ("batch = 4", "bach = 4", &["unknown field", "bach"]),
        ("std = [127.5,", "std = [0.0,", &["image.std"]),
        ("mean = [127.5,", "mean = [nan,", &["image.mean"]),
        (
            "tensor = \"pixel_values\"",
            "tensor = \"\"",
            &["image.tensor"],
        ),
        (
            "file = \"vision.onnx\"",
            "file = \"x.onnx\"",
            &["image.file", "x.onnx"],
        ),
        (
            "[image]",
            "[derived]\nfrom = \"a@b\"\nclass_vectors = \"tokenizer.json\"\ntop = 3\n[image]",
            &["image", "derived", "both"],
        ),
        ("length = 8", "length = 0", &["text.length"]),
        (
            "mask = \"attention_mask\"",
            "mask = \"input_ids\"",
            &["two meanings"],
        ),
        ("a photo of a {}", "a photo", &["text.prompt", "{}"]),
        ("scale = 117.33", "scale = 0.0", &["calibration.scale"]),
        ("bias = -12.93", "bias = inf", &["calibration"]),
        (
            "kind = \"sigmoid\"",
            "kind = \"softmax\"\ntemperature = 1.0\nclasses = [1.0, 0.0]\nkinds = [1.0, 0.0]\nconcepts = [1.0, 0.0]",
            &["calibration"],
        ),
        ("kind = \"sigmoid\"", "kind = \"sigmoidal\"", &["sigmoidal"]),
        (
            "weights = \"Apache-2.0\"",
            "weights = \"\"",
            &["licence.weights"],
        ),
        (
            "repo = \"someone/tiny\"",
            "repo = \"someone\"",
            &["source.repo"],
        ),
        (
            "repo = \"someone/tiny\"",
            "repo = \"https://x/y\"",
            &["source.repo"],
        ),
        (
            "path = \"onnx/vision.onnx\"",
            "path = \"../vision.onnx\"",
            &[".path"],
        ),
        (
            "path = \"onnx/vision.onnx\"",
            "path = \"/vision.onnx\"",
            &[".path"],
        ),
        (
            "[files.\"text.onnx\"]",
            "[files.\"../text.onnx\"]",
            &["files.\"../text.onnx\""],
        ),
        (
            "[files.\"text.onnx\"]",
            "[files.\"a/text.onnx\"]",
            &["files.\"a/text.onnx\""],
        ),
        (
            "[files.\"text.onnx\"]",
            "[files.\".text.onnx\"]",
            &["files.\".text.onnx\""],
        ),
        (
            "[files.\"text.onnx\"]",
            "[files.\"model.toml\"]",
            &["files.\"model.toml\""],
        ),
        ("blake3 = \"0", "blake3 = \"X", &["blake3", "hex"]),
        ("size = 11", "size = 0", &[".size", "is 0"]),
        (
            "[variants.int8",
            "[variants.\"in t8\"",
            &["variants", "in t8"],
        ),
        ("dims = 3", "dims = 3\n[[[", &["tiny-dual"]),
    ];
    for (from, to, words) in dual {
        refused(DUAL, from, to, words);
    }
    refused(
        CLASSIFIER,
        "[image]",
        "[other]",
        &["tiny-classifier", "other"],
    );
    refused(
        CLASSIFIER,
        "\"softmax\"",
        "\"cosine\"",
        &["tiny-classifier", "line", "expected f64"],
    );
    refused(
        CLASSIFIER,
        "temperature = 1.0",
        "temperature = 0.0",
        &["above 0"],
    );
    refused(
        CLASSIFIER,
        "kinds = [1.0",
        "kinds = [nan",
        &["not a number"],
    );
    refused(
        CLASSIFIER,
        "label_bank = \"head.bin\"",
        "label_bank = \"tail.bin\"",
        &["roles.label_bank"],
    );
}

#[test]
fn a_detector_has_its_own_tables() {
    const THINGS: &str = include_str!("../../models/nanodet/model.toml");
    const FACES: &str = include_str!("../../models/centerface/model.toml");
    for text in [THINGS, FACES] {
        let manifest = Manifest::parse(text).unwrap();
        assert_eq!(manifest.kind, Kind::Detector);
        let again = Manifest::parse(&manifest.to_toml().unwrap()).unwrap();
        assert_eq!(again, manifest);
    }
    let wrong: &[(&str, &str, &[&str])] = &[
        (
            "classes = \"classes.tsv\"",
            "dims = 6\nclass = \"x\"",
            &["dims"],
        ),
        ("classes = \"classes.tsv\"", "", &["classes", "not both"]),
        (
            "classes = \"classes.tsv\"",
            "classes = \"other.tsv\"",
            &["classes", "other.tsv"],
        ),
        (
            "kind = \"detector\"",
            "kind = \"classifier\"\ndims = 6",
            &["classes", "only a detector"],
        ),
        ("scores = \"scores\"", "", &["image.scores", "missing"]),
        ("boxes = \"boxes\"", "boxes = \"\"", &["image.boxes"]),
        (
            "boxes = \"boxes\"",
            "boxes = \"boxes\"\noutput = \"x\"",
            &["image.output"],
        ),
        ("fit = \"letterbox\"", "fit = \"squash\"", &["image.fit"]),
        ("multiple = 32", "multiple = 0", &["image.multiple", "0"]),
        (
            "multiple = 32",
            "mean = [1.0, 1.0, 1.0]\nmultiple = 32",
            &["image.mean"],
        ),
        ("least = 0.2", "least = 0.0", &["boxes.least"]),
        ("overlap = 0.5", "overlap = nan", &["boxes.overlap"]),
        ("most = 100", "most = 100000", &["boxes.most"]),
        ("area = 0.02", "area = 2.0", &["calibration.area"]),
        (
            "alone = [2.18, 0.92]",
            "alone = [nan, 0.7]",
            &["not a number"],
        ),
        ("constant = 1.5", "constant = inf", &["people"]),
        ("face_area = 0.004", "face_area = 0", &["people.face_area"]),
    ];
    for (from, to, words) in wrong {
        refused(THINGS, from, to, words);
    }
    refused(FACES, "shown = 0.45", "shown = 1.5", &["calibration.shown"]);
    refused(FACES, "score = 0.25", "score = -1.0", &["after.score"]);
    refused(
        FACES,
        "kind = \"threshold\"",
        "kind = \"cosine\"",
        &["calibration.kind"],
    );
    refused(
        DUAL,
        "[image]",
        "[after]\nclass = \"x\"\nscore = 0.5\n[image]",
        &["after"],
    );
}

#[test]
fn a_dual_encoder_needs_both_sides() {
    let mut manifest = Manifest::parse(DUAL).unwrap();
    manifest.text = None;
    let text = Manifest::parse(&manifest.to_toml().unwrap())
        .unwrap_err()
        .to_string();
    assert!(text.contains("text in model.toml is missing"), "{text}");
    let mut manifest = Manifest::parse(DUAL).unwrap();
    manifest.image = None;
    let text = Manifest::parse(&manifest.to_toml().unwrap())
        .unwrap_err()
        .to_string();
    assert!(text.contains("image in model.toml is missing"), "{text}");
    manifest.derived = Some(DerivedTable {
        from: "nobody".to_owned(),
        class_vectors: "tokenizer.json".to_owned(),
        top: 10,
    });
    let text = Manifest::parse(&manifest.to_toml().unwrap())
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("derived.from") && text.contains("nobody"),
        "{text}"
    );
    let derived = manifest.derived.as_mut().unwrap();
    derived.from = "someone@1".to_owned();
    derived.top = 0;
    let text = Manifest::parse(&manifest.to_toml().unwrap())
        .unwrap_err()
        .to_string();
    assert!(text.contains("derived.top"), "{text}");
}

#[test]
fn a_face_encoder_has_its_own_table() {
    let good = include_str!("../../models/dlib-face/model.toml");
    let pack = Manifest::parse(good).unwrap();
    assert_eq!(
        (pack.kind, pack.dims),
        (Kind::FaceEncoder, crate::faces::DIMS)
    );
    for (from, to, says) in [
        ("weights = \"face", "weights = \"other", "faces.weights"),
        ("size = 960", "size = 9600", "faces.size"),
        ("multiple = 32", "multiple = 0", "faces.multiple"),
        ("least = 0.6", "least = 6.0", "faces.least"),
        ("least = 0.6", "least = nan", "faces.least"),
        ("smallest = 32", "smallest = 0", "faces.smallest"),
        ("askew = 0.08", "askew = 1.0", "faces.askew"),
        ("[0.316995, ", "[1.316995, ", "faces.points"),
        ("[0.316995, ", "[0.9, ", "faces.points"),
        ("\"centerface@", "\"centerface ", "faces.detector"),
        ("same = 0.41", "same = 0.0", "calibration.same"),
        ("same = 0.41", "same = inf", "calibration"),
        (
            "kind = \"distance\"\nsame = 0.41",
            "kind = \"cosine\"",
            "calibration.kind",
        ),
        (
            "kind = \"face-encoder\"",
            "kind = \"dual-encoder\"",
            "image",
        ),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let said = Manifest::parse(&text).unwrap_err().to_string();
        assert!(said.contains(says), "{from} → {to}: {said}");
    }
}
