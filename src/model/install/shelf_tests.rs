use super::*;
use crate::model::install::Silent;

fn header(name: &str, size: u64, kind: EntryType) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    // Written as bytes: the crate's own setter refuses what is tested here.
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(size);
    header.set_mode(0o644);
    header.set_entry_type(kind);
    header.set_cksum();
    header
}

fn archive(dir: &Path, entries: &[(&str, EntryType, &[u8])]) -> PathBuf {
    let path = dir.join("pack.tar");
    let mut builder = tar::Builder::new(File::create(&path).unwrap());
    for (name, kind, body) in entries {
        builder
            .append(&header(name, body.len() as u64, *kind), *body)
            .unwrap();
    }
    builder.finish().unwrap();
    path
}

fn contents(shelf: &Shelf, name: &str, path: Option<&str>, own: bool, dir: &Path) -> Vec<u8> {
    let to = dir.join("out");
    shelf
        .find(name, path, own)
        .unwrap()
        .copy(&to, &Silent, &mut |_| {})
        .unwrap();
    std::fs::read(to).unwrap()
}

const F: EntryType = EntryType::Regular;

#[test]
fn an_archive_is_read_flat_as_a_repository_and_with_a_folder_around() {
    let dir = tempfile::tempdir().unwrap();
    for (vision, tokenizer) in [
        ("vision_model.onnx", "tokenizer.json"),
        ("onnx/vision_model.onnx", "tokenizer.json"),
        ("./siglip/onnx/vision_model.onnx", "./siglip/tokenizer.json"),
        ("siglip/vision_model.onnx", "siglip/tokenizer.json"),
    ] {
        let path = archive(
            dir.path(),
            &[
                ("siglip/", EntryType::Directory, b""),
                (vision, F, b"graph"),
                (tokenizer, F, b"{}"),
            ],
        );
        let shelf = Shelf::open(&path).unwrap();
        let found = contents(
            &shelf,
            "vision_model.onnx",
            Some("onnx/vision_model.onnx"),
            false,
            dir.path(),
        );
        assert_eq!(found, b"graph", "{vision}");
        assert_eq!(
            contents(&shelf, "tokenizer.json", None, false, dir.path()),
            b"{}"
        );
    }
}

#[test]
fn the_fp32_graph_is_not_taken_for_the_int8_one() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("vision_model.onnx"), "fp32").unwrap();
    let shelf = Shelf::open(dir.path()).unwrap();
    let path = Some("onnx/vision_model_quantized.onnx");
    let error = shelf.find("vision_model.onnx", path, false).unwrap_err();
    assert!(
        error.to_string().contains("vision_model_quantized.onnx"),
        "{error}"
    );
    // In an installed int8 pack, that is its name.
    assert!(shelf.find("vision_model.onnx", path, true).is_ok());
}

#[test]
fn an_archive_that_tries_something_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (name, kind) in [
        ("/etc/passwd", F),
        ("../../x", F),
        ("a/../../x", F),
        ("link", EntryType::Symlink),
        ("link", EntryType::Link),
        ("fifo", EntryType::Fifo),
        ("device", EntryType::Block),
        ("device", EntryType::Char),
        ("sparse", EntryType::GNUSparse),
    ] {
        let path = archive(dir.path(), &[("good", F, b"x"), (name, kind, b"")]);
        let error = Shelf::open(&path).err().unwrap();
        assert!(
            matches!(&error, InstallError::Archive { .. }),
            "{name}: {error}"
        );
    }
}

#[test]
fn a_cut_off_archive_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let body = vec![7u8; 100_000];
    let path = archive(dir.path(), &[("a", F, &body), ("b", F, &body)]);
    let whole = std::fs::read(&path).unwrap();
    for cut in [50_000, 100_864, 101_500, 150_000, 300] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let shelf = Shelf::open(&path);
        // Cut exactly between two entries it is a shorter archive, without the second file.
        let refused = shelf.map_or(true, |s| s.find("b", None, false).is_err());
        assert!(refused, "cut at {cut}");
    }
}

#[test]
fn a_size_beyond_the_archive_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pack.tar");
    let mut bytes = header("a", 1 << 40, F).as_bytes().to_vec();
    bytes.extend_from_slice(&[0u8; 2048]);
    std::fs::write(&path, bytes).unwrap();
    assert!(Shelf::open(&path).is_err());
}

#[test]
fn what_is_no_archive_is_said_to_be_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pack.tar");
    for bytes in [vec![], vec![b'x'; 100], vec![b'x'; 5000], vec![0u8; 4096]] {
        std::fs::write(&path, &bytes).unwrap();
        let error = Shelf::open(&path).err().unwrap().to_string();
        assert!(error.contains("no tar archive"), "{error}");
    }
    assert!(Shelf::open(&dir.path().join("nowhere")).is_err());
}
