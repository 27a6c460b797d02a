use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::faces::distance;

const SAME: f32 = 0.4;

/// A face of one of a few people (a direction each), a little off.
fn face(person: usize, off: f32) -> Vec<f32> {
    let mut vector = vec![0.0; DIMS];
    vector[person] = 1.0;
    vector[DIMS - 1 - person % 7] = off;
    vector
}

fn nobody() -> HashSet<i64> {
    HashSet::new()
}

#[test]
fn two_that_resemble_each_other_make_a_look_and_more_join_it() {
    let mut looks = Looks::new(SAME);
    let (first, second) = (face(1, 0.1), face(1, -0.1));
    assert_eq!(
        looks.belongs(&first, &nobody(), &nobody()),
        Belongs::Nowhere
    );
    looks.keep_loose(7, &first);
    // Somebody else does not.
    let other = looks.belongs(&face(2, 0.0), &nobody(), &nobody());
    assert_eq!(other, Belongs::Nowhere);
    let Belongs::With(7, apart) = looks.belongs(&second, &nobody(), &nobody()) else {
        panic!("it belongs with the first");
    };
    assert!((apart - 0.2).abs() < 0.01, "{apart}");
    // Not if that one lies in the same photo, or the like.
    let not = looks.belongs(&second, &nobody(), &HashSet::from([7]));
    assert_eq!(not, Belongs::Nowhere);
    let back = looks.take_loose(7).unwrap();
    assert!(distance(&back, &first) < 0.001);
    assert_eq!(looks.take_loose(7), None);
    looks.join(3, &back);
    looks.join(3, &second);
    assert!(
        matches!(looks.belongs(&face(1, 0.3), &nobody(), &nobody()), Belongs::Look(3, d) if d < 0.31)
    );
    let banned = looks.belongs(&face(1, 0.0), &HashSet::from([3]), &nobody());
    assert_eq!(banned, Belongs::Nowhere);
}

#[test]
fn loose_faces_near_a_look_are_told_nearest_first() {
    let mut looks = Looks::new(SAME);
    looks.join(3, &face(1, 0.0));
    looks.keep_loose(5, &face(1, 0.3));
    looks.keep_loose(6, &face(1, 0.1));
    looks.keep_loose(8, &face(2, 0.0));
    let near: Vec<i64> = looks.near(3).into_iter().map(|(id, _)| id).collect();
    assert_eq!(near, [6, 5]);
    assert!(looks.near(4).is_empty());
}

#[test]
fn two_people_in_one_look_are_divided() {
    let faces: Vec<Vec<f32>> = [(1, 0.1), (2, 0.1), (1, 0.0), (1, -0.1), (2, 0.0)]
        .map(|(person, off)| face(person, off))
        .to_vec();
    assert_eq!(divide(&faces), [false, true, false, false, true]);
    assert!(divide(&[]).is_empty());
    assert_eq!(divide(&faces[..1]), [false]);
    // Even what cannot be told apart is divided: somebody said that it is two.
    let alike = vec![face(1, 0.0); 5];
    let second = divide(&alike);
    assert_eq!(second.iter().filter(|s| **s).count(), 1, "{second:?}");
}

proptest! {
    #[test]
    fn both_parts_have_somebody_and_the_larger_is_first(
        faces in prop::collection::vec(prop::collection::vec(-1.0f32..1.0, 4), 2..40),
    ) {
        let second = divide(&faces);
        let away = second.iter().filter(|s| **s).count();
        prop_assert!(away >= 1 && 2 * away <= faces.len(), "{} of {}", away, faces.len());
    }

    /// What is nearest is found whatever came before, and what was left out is not.
    #[test]
    fn the_nearest_look_that_may_be_is_found(
        people in prop::collection::vec((0..5usize, -0.2f32..0.2), 1..30),
        asked in (0..5usize, -0.2f32..0.2),
        banned in prop::collection::hash_set(0..5i64, 0..4),
    ) {
        let mut looks = Looks::new(SAME);
        for (person, off) in &people {
            looks.join(*person as i64, &face(*person, *off));
        }
        let found = looks.belongs(&face(asked.0, asked.1), &banned, &nobody());
        let there = people.iter().any(|(person, _)| *person == asked.0);
        if there && !banned.contains(&(asked.0 as i64)) {
            prop_assert!(matches!(found, Belongs::Look(look, _) if look == asked.0 as i64), "{:?}", found);
        } else {
            prop_assert_eq!(found, Belongs::Nowhere);
        }
    }

    #[test]
    fn vectors_of_anything_are_borne(values in prop::collection::vec(any::<f32>(), DIMS)) {
        let mut looks = Looks::new(SAME);
        looks.join(1, &values);
        looks.keep_loose(2, &values);
        let belongs = looks.belongs(&face(1, 0.0), &nobody(), &nobody());
        prop_assert!(belongs.distance() >= 0.0);
        prop_assert!(looks.near(1).len() <= 1);
    }
}
