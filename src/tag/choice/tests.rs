//! What a photo's crowd of labels becomes.

use proptest::prelude::*;

use super::*;

/// Two wide kinds of 24 labels each, of which the first eight are of a narrow kind; rows 48 and 49
/// are the wide kinds, 50 and 51 the narrow ones, 52 is above all.
fn kinship() -> (Kinship, Vec<Vec<u32>>) {
    let mut parents: Vec<Vec<u32>> = (0..48u32)
        .map(|row| match (row / 24, row % 24 < 2) {
            (0, true) => vec![50],
            (0, false) => vec![48],
            (_, true) => vec![51],
            _ => vec![49],
        })
        .collect();
    parents.extend([vec![52], vec![52], vec![48], vec![49], vec![]]);
    let kinship = Kinship::of(parents.len(), 48, |row| &parents[row]);
    (kinship, parents)
}

/// A vector with these leading values, of length one.
fn vector(values: &[f32]) -> Vec<f32> {
    let mut all = [0.0; 16];
    all[..values.len()].copy_from_slice(values);
    let length = all.iter().map(|v| v * v).sum::<f32>().sqrt();
    all.iter().map(|v| v / length).collect()
}

fn measure() -> Measure {
    Measure::Cosine(Background::derived_space())
}

/// The tags of a photo, with labels at these rows.
fn tags(photo: &[f32], labels: &[(u32, Vec<f32>)], kinship: &Kinship) -> Vec<(u32, f32)> {
    let candidates: Vec<Candidate<'_>> = labels
        .iter()
        .map(|(row, vector)| Candidate {
            row: Some(*row),
            cosine: photo.iter().zip(vector).map(|(a, b)| a * b).sum(),
            vector,
        })
        .collect();
    let kept = choose(kinship, &measure(), &candidates, |_| false);
    kept.iter()
        .map(|k| (k.row.unwrap(), k.confidence))
        .collect()
}

#[test]
fn kin_are_found_whatever_the_distance() {
    let (kinship, _) = kinship();
    assert!(kinship.is_above(50, 0) && kinship.is_above(48, 0) && kinship.is_above(52, 0));
    assert!(!kinship.is_above(0, 50) && !kinship.is_above(49, 0) && !kinship.is_above(0, 0));
    assert!(kinship.are_rivals(0, 1), "a narrow kind");
    assert!(!kinship.are_rivals(0, 5), "only a wide one");
    assert!(!kinship.are_rivals(0, 50) && !kinship.are_rivals(0, 0));
    assert!(
        !kinship.is_above(50, 99) && !kinship.are_rivals(99, 98),
        "no such rows"
    );
    // A circle and a parent that is not there do no harm.
    let odd: [&[u32]; 3] = [&[1], &[0, 77], &[]];
    let odd = Kinship::of(3, 3, |row| odd[row]);
    assert!(odd.is_above(1, 0) && odd.is_above(0, 1) && !odd.is_above(0, 0));
}

#[test]
fn rivals_lose_kinds_win_and_a_second_thing_is_seen() {
    let (kinship, _) = kinship();
    let finch = vector(&[1.0, 0.0, 0.0, 0.3]);
    let other_finch = vector(&[0.8, 0.35, 0.0, 0.3]);
    let bird = vector(&[0.8, 0.0, 0.0, 0.5, 0.4]);
    let mug = vector(&[0.0, 0.0, 1.0]);
    let labels = [
        (0, finch.clone()),
        (1, other_finch),
        (50, bird),
        (30, mug.clone()),
    ];
    let both: Vec<f32> = finch
        .iter()
        .zip(&mug)
        .map(|(a, b)| 0.7 * a + 0.55 * b)
        .collect();
    let of = |photo: &[f32], row| {
        let tags = tags(photo, &labels, &kinship);
        tags.iter().find(|t| t.0 == row).map_or(0.0, |t| t.1)
    };
    let photo = vector(&both);
    assert!(of(&photo, 0) > 0.8, "{}", of(&photo, 0));
    assert!(
        of(&photo, 50) > 0.8,
        "the kind of what is there: {}",
        of(&photo, 50)
    );
    assert!(of(&photo, 1) < 0.5, "a relative: {}", of(&photo, 1));
    assert!(of(&photo, 30) > 0.5, "another thing: {}", of(&photo, 30));
    // Without the mug in it, it is not said.
    assert!(of(&finch, 30) < LEAST_KEPT && of(&finch, 0) > 0.8);
}

#[test]
fn a_common_word_wins_over_a_rare_one() {
    let label = vector(&[0.0, 1.0]);
    let candidate = |row, cosine| Candidate {
        row,
        cosine,
        vector: &label,
    };
    let kinship = Kinship::of(20_000, 20_000, |_| &[]);
    let first = |row| choose(&kinship, &measure(), &[candidate(row, 0.5)], |_| false)[0].confidence;
    assert!(first(Some(10)) > first(Some(15_000)) + 0.1);
    assert!(
        first(None) >= first(Some(0)),
        "a person's own word is as common as any"
    );
    // The same cosine: the more common one is the nearest.
    let crowd = [candidate(Some(15_000), 0.5), candidate(Some(10), 0.5)];
    assert_eq!(
        choose(&kinship, &measure(), &crowd, |_| false)[0].row,
        Some(10)
    );
    let quiet = choose(&kinship, &measure(), &crowd, |row| row == 10);
    assert_eq!(quiet[0].row, Some(15_000));
    assert!(quiet[0].confidence > 0.3, "it is the nearest now");
}

#[test]
fn a_model_with_a_calibration_decides_alone() {
    let (kinship, _) = kinship();
    let siglip = Measure::Sigmoid {
        scale: 117.33,
        bias: -12.93,
    };
    let candidate = |row, cosine| Candidate {
        row: Some(row),
        cosine,
        vector: &[],
    };
    let crowd = [
        candidate(0, 0.13),
        candidate(1, 0.115),
        candidate(2, f32::NAN),
        candidate(3, 0.05),
    ];
    let kept = choose(&kinship, &siglip, &crowd, |_| false);
    let confidences: Vec<f32> = kept.iter().map(|k| k.confidence).collect();
    assert_eq!(kept.iter().map(|k| k.at).collect::<Vec<_>>(), [0, 1]);
    assert!((confidences[0] - 0.911).abs() < 0.002, "{confidences:?}");
    assert!((confidences[1] - 0.638).abs() < 0.002, "{confidences:?}");
}

#[test]
fn the_background_is_there_from_the_first_photo_and_settles() {
    let mut one = Background::unknown();
    assert!(one.deviation() > 0.0 && one.mean().abs() < 1e-9);
    one.add(&[0.1, 0.3, f32::NAN]);
    assert!((one.mean() - 0.2).abs() < 1e-6 && (one.deviation() - 0.1).abs() < 1e-6);
    one.add(&[]);
    assert_eq!(one.photos(), 1);

    let mut prior = Background::derived_space();
    assert!((prior.deviation() - 0.13).abs() < 1e-9);
    prior.add(&[0.9; 256]);
    assert!(
        prior.mean() < 0.06,
        "one odd photo changes little: {}",
        prior.mean()
    );
    for photo in 0..2_000u16 {
        let near = f32::from(photo % 10) * 0.01;
        prior.add(&[0.05 + near, 0.15 + near]);
    }
    assert!(prior.is_settled());
    let before = prior;
    prior.add(&[-0.9; 256]);
    assert_eq!(prior, before);
    let json = serde_json::to_string(&prior).unwrap();
    assert_eq!(serde_json::from_str::<Background>(&json).unwrap(), prior);
    assert!(prior.is_sound());
    let odd = json.replace("\"pairs\":", "\"pairs\":-");
    assert!(!serde_json::from_str::<Background>(&odd).unwrap().is_sound());
    // Rows to look at are spread, and each is there.
    assert_eq!(Background::rows(0).count(), 0);
    assert_eq!(
        Background::rows(100).collect::<Vec<_>>(),
        (0..100).collect::<Vec<_>>()
    );
    let rows: Vec<usize> = Background::rows(68_000).collect();
    assert!(rows.len() == 256 && rows.windows(2).all(|w| w[1] - w[0] > 200) && rows[255] < 68_000);
}

fn kept(row: u32, cosine: f32, confidence: f32) -> Kept {
    Kept {
        at: 0,
        row: Some(row),
        cosine,
        confidence,
    }
}

#[test]
fn what_fires_on_everything_is_muted_and_dogs_in_a_library_of_dogs_are_not() {
    let background = Background::derived_space();
    let mut loudness = Loudness::default();
    for photo in 0..400u32 {
        let mut tags = vec![
            kept(7, 0.25, 0.75),
            kept(8, 0.6, 0.3),
            kept(100 + photo, 0.5, 0.4),
        ];
        if photo % 2 == 0 {
            tags.push(kept(9, 0.6, 0.97));
        }
        let own = Kept {
            row: None,
            ..kept(0, 0.1, 0.1)
        };
        tags.push(own);
        loudness.record(&tags);
        if photo == 100 {
            assert!(loudness.mute(Some(&background)).is_empty(), "too early");
        }
    }
    let mut stated = loudness.clone();
    assert_eq!(stated.mute(None), [8], "the model's word stands");
    assert_eq!(loudness.mute(Some(&background)), [7, 8], "far, or unsure");
    assert!(loudness.is_muted(7) && !loudness.is_muted(9));
    assert_eq!(loudness.muted().collect::<Vec<_>>(), [7, 8]);
    let json = serde_json::to_string(&loudness).unwrap();
    assert!(json.len() < 200, "rare terms are forgotten: {json}");
    let mut again: Loudness = serde_json::from_str(&json).unwrap();
    assert_eq!(again, loudness);
    // It stays so, though it does not fire any more, and memory is bounded.
    for _ in 0..30_000 {
        again.record(&[kept(9, 0.6, 0.97)]);
        again.mute(Some(&background));
    }
    assert!(again.is_muted(7) && !again.is_muted(9));
    let photos = serde_json::to_value(&again).unwrap()["photos"].as_u64();
    assert!(photos.unwrap() < 11_000, "older photos count less");
}

proptest! {
    #[test]
    fn any_crowd_gives_sound_tags_and_the_order_does_not_matter(
        crowd in prop::collection::vec((0u32..53, -1.0f32..1.0, prop::collection::vec(-1.0f32..1.0, 4)), 0..70),
        turn in 0usize..70,
    ) {
        let (kinship, _) = kinship();
        let mut seen = std::collections::HashSet::new();
        let crowd: Vec<_> = crowd.into_iter().filter(|c| seen.insert(c.0)).collect();
        let candidates: Vec<Candidate<'_>> = crowd
            .iter()
            .map(|(row, cosine, vector)| Candidate { row: Some(*row), cosine: *cosine, vector })
            .collect();
        let kept = choose(&kinship, &measure(), &candidates, |_| false);
        prop_assert!(kept.len() <= MOST_KEPT);
        prop_assert!(kept.windows(2).all(|w| w[0].confidence >= w[1].confidence));
        for tag in &kept {
            prop_assert!((LEAST_KEPT..=1.0).contains(&tag.confidence));
            prop_assert_eq!(candidates[tag.at].row, tag.row);
        }
        let mut turned = candidates.clone();
        if !turned.is_empty() {
            let by = turn % turned.len();
            turned.rotate_left(by);
        }
        let again = choose(&kinship, &measure(), &turned, |_| false);
        let plain = |kept: &[Kept]| kept.iter().map(|k| (k.row, k.confidence.to_bits())).collect::<Vec<_>>();
        prop_assert_eq!(plain(&kept), plain(&again));
    }
}
