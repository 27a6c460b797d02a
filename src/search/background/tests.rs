//! What is kept of a background, and when it fits.

use super::*;

#[test]
fn phrases_are_many_and_none_is_there_twice() {
    let mut lines: Vec<&str> = PHRASES.lines().filter(|l| !l.is_empty()).collect();
    assert!(lines.len() >= 200);
    lines.sort_unstable();
    assert!(lines.windows(2).all(|w| w[0] != w[1]));
}

#[test]
fn a_kept_file_is_read_back_and_a_damaged_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b.phrases");
    let key = [7u8; 32];
    let mut body = key.to_vec();
    for v in [1.0f32, -2.0, 3.5, 0.25] {
        body.extend(v.to_le_bytes());
    }
    let check = blake3::hash(&body);
    body.extend(check.as_bytes());
    keep(&path, &body);
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(
        parse(&bytes, &key, 2, 2),
        Some(vec![vec![1.0, -2.0], vec![3.5, 0.25]])
    );
    assert_eq!(parse(&bytes, &[8; 32], 2, 2), None);
    assert_eq!(parse(&bytes, &key, 3, 2), None);
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        assert_eq!(parse(&bad, &key, 2, 2), None, "byte {at}");
        assert_eq!(parse(&bytes[..at], &key, 2, 2), None, "cut at {at}");
    }
}

#[test]
fn the_summary_pools_all_phrases() {
    let spread = |mean, deviation, highest| Spread {
        photos: 10,
        mean,
        deviation,
        highest,
    };
    let b = summary(&[spread(0.0, 0.3, 0.5), spread(0.8, 0.3, 0.9)]);
    assert_eq!(b.median_best, 0.9);
    assert!((b.mean - 0.4).abs() < 1e-6 && (b.deviation - 0.5).abs() < 1e-6);
    assert_eq!(summary(&[]).median_best, 0.0);
}

#[test]
fn a_kept_background_fits_its_own_library_and_version() {
    let dir = tempfile::tempdir().unwrap();
    let model = ModelId("clip@1".to_owned());
    let file = VectorFile::new(dir.path(), [1; 16], &model, 4);
    let of = Of {
        model: &model,
        identity: [1; 16],
        file: &file,
    };
    let against = summary(&[]);
    let background = Background {
        photos: 100,
        phrases: None,
        pictures: Some(against),
    };
    of.keep(background);
    assert_eq!(of.kept(100), Some(background));
    assert_eq!((of.kept(90), of.kept(111)), (None, Some(background)));
    assert_eq!(of.kept(112), None);
    let identity = [2; 16];
    assert_eq!(Of { identity, ..of }.kept(100), None);
    let text = std::fs::read_to_string(of.path()).unwrap();
    let older = text.replace("\"version\":2", "\"version\":1");
    assert_ne!(older, text);
    std::fs::write(of.path(), older).unwrap();
    assert_eq!(of.kept(100), None);
}

#[test]
fn where_nothing_can_be_kept_fewer_phrases_do() {
    let dir = tempfile::tempdir().unwrap();
    assert!(can_keep(&dir.path().join("vectors/a.vec")));
    assert_eq!(
        std::fs::read_dir(dir.path().join("vectors"))
            .unwrap()
            .count(),
        0
    );
    std::fs::write(dir.path().join("file"), b"").unwrap();
    assert!(!can_keep(&dir.path().join("file/a.vec")));
    assert!(phrases(false).len() * FEWER >= phrases(true).len());
    assert!(phrases(false).len() >= 30);
}
