use super::*;
use crate::model::testing::{CLASSIFIER, DUAL, Files, dual_files, sealed, write};

fn text(error: ModelError) -> String {
    error.to_string()
}

#[test]
fn what_is_in_memory_is_checked_and_read() {
    let files = dual_files();
    let open = |name: &str| {
        files
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, bytes)| Cow::Owned(bytes.clone()))
    };
    let manifest = sealed(DUAL, &files);
    let pack = ModelPack::load(&manifest, open).unwrap();
    assert_eq!(pack.id.0, "tiny-dual@r1");
    assert_eq!(pack.input().unwrap().size, 16);
    assert_eq!(pack.file("text.onnx").unwrap(), files[1].1);
    assert!(
        pack.text_file("tokenizer.json")
            .unwrap()
            .contains("WordLevel")
    );
    assert!(text(pack.text_file("vision.onnx").unwrap_err()).contains("no text"));
    assert!(text(pack.file("other.onnx").unwrap_err()).contains("other.onnx"));
    let total: u64 = files.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    assert_eq!(pack.files().map(|(_, n)| n).sum::<u64>(), total);
    assert_eq!(pack.verify().unwrap(), total);
    assert!(matches!(&pack.image, ImageSide::Graph(g) if g.normalise && g.batch == 4));

    let missing = |name: &str| (name != "text.onnx").then(|| open(name)).flatten();
    let error = text(ModelPack::load(&manifest, missing).unwrap_err());
    assert!(error.contains("tiny-dual: text.onnx is missing"), "{error}");
    let short = |name: &str| open(name).map(|b| Cow::Owned(b[1..].to_vec()));
    let error = text(ModelPack::load(&manifest, short).unwrap_err());
    assert!(error.contains("bytes, not"), "{error}");
    let other = |name: &str| {
        open(name).map(|b| {
            let mut bytes = b.into_owned();
            *bytes.last_mut().unwrap() ^= 1;
            Cow::Owned(bytes)
        })
    };
    let error = text(ModelPack::load(&manifest, other).unwrap_err());
    assert!(error.contains("has BLAKE3"), "{error}");
}

#[test]
fn a_classifier_reads_no_sentences_and_says_so() {
    let files: Files = vec![("vision.onnx", vec![1]), ("head.bin", vec![2])];
    let pack = crate::model::testing::pack(CLASSIFIER, &files);
    assert!(matches!(&pack.image, ImageSide::Graph(g) if !g.normalise && g.batch == 8));
    let error = text(pack.text_side().unwrap_err());
    assert!(
        error.contains("tiny-classifier@r1") && error.contains("classifier;"),
        "{error}"
    );
    assert!(error.contains("photond model list"), "{error}");
}

/// Puts other bytes of the same size and, if asked, of the same time into a file.
fn swap(path: &Path, same_time: bool) {
    let time = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
    let time = if same_time {
        time
    } else {
        time + std::time::Duration::from_nanos(1000)
    };
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(time).unwrap();
}

#[test]
fn a_stamp_stands_for_a_hash_while_size_and_time_fit() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), DUAL, &dual_files());
    let file = dir.path().join("vision.onnx");

    // Without a stamp every file is hashed.
    ModelPack::open_dir(dir.path()).unwrap();
    assert!(
        !dir.path().join("verified").exists(),
        "opening writes nothing"
    );
    swap(&file, true);
    let error = text(ModelPack::open_dir(dir.path()).unwrap_err());
    assert!(error.contains("vision.onnx has BLAKE3"), "{error}");
    assert!(error.contains("model install tiny-dual"), "{error}");
    let error = text(ModelPack::open_and_stamp(dir.path()).unwrap_err());
    assert!(error.contains("vision.onnx has BLAKE3"), "{error}");
    assert!(
        !dir.path().join("verified").exists(),
        "nothing false is stamped"
    );
    swap(&file, true);

    // With one that fits, the bytes are not looked at: that is what it is for.
    ModelPack::open_and_stamp(dir.path()).unwrap();
    swap(&file, true);
    let pack = ModelPack::open_dir(dir.path()).unwrap();
    let error = text(pack.verify().unwrap_err());
    assert!(error.contains("vision.onnx has BLAKE3"), "{error}");

    // A check that finds all well renews the stamp: a pack copied by hand is hashed once.
    swap(&file, true);
    fs::remove_file(dir.path().join("verified")).unwrap();
    ModelPack::open_dir(dir.path()).unwrap().verify().unwrap();
    swap(&file, true);
    ModelPack::open_dir(dir.path()).expect("not hashed");
    swap(&file, true);

    // A file that was touched since is hashed.
    swap(&file, false);
    let error = text(ModelPack::open_dir(dir.path()).unwrap_err());
    assert!(error.contains("vision.onnx has BLAKE3"), "{error}");
    swap(&file, false);
    ModelPack::open_dir(dir.path()).unwrap();

    // The size is looked at whatever the stamp says.
    ModelPack::open_and_stamp(dir.path()).unwrap();
    fs::File::options()
        .append(true)
        .open(&file)
        .and_then(|mut f| std::io::Write::write_all(&mut f, b"x"))
        .unwrap();
    let error = text(ModelPack::open_dir(dir.path()).unwrap_err());
    assert!(error.contains("bytes, not"), "{error}");
}

#[test]
fn a_stamp_vouches_for_its_own_checksum_only() {
    let dir = tempfile::tempdir().unwrap();
    let files = dual_files();
    write(dir.path(), DUAL, &files);
    ModelPack::open_and_stamp(dir.path()).unwrap();
    // The manifest now asks for other bytes of the same size.
    let asked = sealed(DUAL, &files).replace(
        &blake3::hash(&files[0].1).to_hex().to_string(),
        &"0".repeat(64),
    );
    fs::write(dir.path().join("model.toml"), asked).unwrap();
    let error = text(ModelPack::open_dir(dir.path()).unwrap_err());
    assert!(error.contains("has BLAKE3"), "{error}");
}

#[test]
fn a_broken_stamp_vouches_for_nothing() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), DUAL, &dual_files());
    ModelPack::open_and_stamp(dir.path()).unwrap();
    let stamp = dir.path().join("verified");
    let whole = fs::read_to_string(&stamp).unwrap();
    for broken in [&whole[..whole.len() / 2], "", "\u{0}", "files = 3"] {
        fs::write(&stamp, broken).unwrap();
        ModelPack::open_dir(dir.path()).unwrap();
        swap(&dir.path().join("text.onnx"), true);
        assert!(ModelPack::open_dir(dir.path()).is_err(), "{broken:?}");
        swap(&dir.path().join("text.onnx"), true);
    }
    let left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| n.ends_with(".tmp"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_folder_that_is_no_pack_says_which_file_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let error = text(ModelPack::open_dir(&dir.path().join("nobody")).unwrap_err());
    assert!(
        error.contains("nobody") && error.contains("model.toml"),
        "{error}"
    );
    write(dir.path(), DUAL, &dual_files());
    fs::remove_file(dir.path().join("text.onnx")).unwrap();
    let error = text(ModelPack::open_dir(dir.path()).unwrap_err());
    assert!(error.contains("text.onnx is missing"), "{error}");
    fs::create_dir(dir.path().join("text.onnx")).unwrap();
    let error = text(ModelPack::open_dir(dir.path()).unwrap_err());
    assert!(error.contains("no regular file"), "{error}");
    // A catalogue entry is not an installed pack.
    let mut manifest = Manifest::parse(DUAL).unwrap();
    manifest.files.get_mut("text.onnx").unwrap().size = None;
    fs::write(dir.path().join("model.toml"), manifest.to_toml().unwrap()).unwrap();
    let error = text(ModelPack::open_dir(dir.path()).unwrap_err());
    assert!(error.contains("files.\"text.onnx\".size"), "{error}");
    let error = text(ModelPack::open_and_stamp(dir.path()).unwrap_err());
    assert!(error.contains("files.\"text.onnx\".size"), "{error}");
}
