//! What is kept of a background, and when it fits.

use super::*;
use crate::store::tests::library::Library;

#[test]
fn phrases_are_many_and_none_is_there_twice() {
    let mut lines: Vec<&str> = PHRASES.lines().filter(|l| !l.is_empty()).collect();
    assert!(lines.len() >= 200);
    lines.sort_unstable();
    assert!(lines.windows(2).all(|w| w[0] != w[1]));
}

fn spread(scores: &[f32]) -> Spread {
    let mut spread = Spread::NONE;
    scores.iter().for_each(|score| spread.add(*score));
    spread
}

#[test]
fn the_summary_pools_all_phrases() {
    let b = summary(&[spread(&[-0.5, 0.5]), spread(&[0.3, 0.7, 0.9, 0.1])]);
    assert!((b.median_best - 0.9).abs() < 1e-6);
    assert!((b.mean - 0.25).abs() < 1e-6, "{b:?}");
    let variance = f32::midpoint(0.25, 0.10) + 0.25 * 0.25;
    assert!((b.deviation - variance.sqrt()).abs() < 1e-6, "{b:?}");
    assert_eq!(summary(&[]).median_best, 0.0);
}

#[test]
fn a_sample_is_of_the_size_that_is_asked_for() {
    for every in [1, 7, 123] {
        let sampled = (1..=100_000)
            .filter(|photo| is_sampled(*photo, every))
            .count() as u64;
        let wanted = 100_000 / every;
        assert!(
            sampled.abs_diff(wanted) * 8 <= wanted,
            "{sampled} of one in {every}"
        );
    }
}

#[test]
fn a_kept_background_fits_its_own_library_and_version() {
    let lib = Library::new();
    let reader = lib.reader();
    let model = ModelId("clip@1".to_owned());
    let index = VectorIndex::new(&reader, lib.dir.path(), (1, &model, 4)).unwrap();
    let of = Of {
        model: &model,
        identity: [1; 16],
        index: &index,
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
    assert!(phrases(false).len() * FEWER >= phrases(true).len());
    assert!(phrases(false).len() >= 30);
}
