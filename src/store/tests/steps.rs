//! Everything that can happen to a library, as steps for property tests.

use std::path::Path;

use proptest::prelude::*;

use super::library::{Library, failure, hash, indexed, key};
use crate::photo::FileStamp;
use crate::store::{Change, Stage};

pub const TERMS: &[&str] = &["dog", "cat", "sea"];
pub const PATHS: &[&str] = &[
    "a/one.jpg",
    "a/two.jpg",
    "a/b/three.jpg",
    "four.jpg",
    "b/five.jpg",
];
pub const ROOTS: &[&str] = &["/p", "/p/a", "/q"];

#[derive(Debug, Clone)]
pub enum Step {
    Put(usize, usize, u64),
    Known(usize, usize, u64),
    Fail(usize, usize),
    Gone(usize, usize),
    Missing(usize, usize),
    Found(usize, usize),
    Release(usize),
    Forget(usize),
    Adopt(usize),
    Sweep,
    Fill,
    Tag(u64, u8, f32),
    CountFrom(f32),
    Move(u64, Option<i8>),
}

pub fn step() -> impl Strategy<Value = Step> {
    let (root, path, photo) = (0..ROOTS.len(), 0..PATHS.len(), 0..4u64);
    let place = (root.clone(), path);
    prop_oneof![
        6 => (place.clone(), photo.clone()).prop_map(|((r, p), n)| Step::Put(r, p, n)),
        3 => (place.clone(), photo).prop_map(|((r, p), n)| Step::Known(r, p, n)),
        2 => place.clone().prop_map(|(r, p)| Step::Fail(r, p)),
        3 => place.clone().prop_map(|(r, p)| Step::Gone(r, p)),
        2 => place.clone().prop_map(|(r, p)| Step::Missing(r, p)),
        1 => place.prop_map(|(r, p)| Step::Found(r, p)),
        1 => root.clone().prop_map(Step::Release),
        1 => root.clone().prop_map(Step::Forget),
        2 => root.prop_map(Step::Adopt),
        1 => Just(Step::Sweep),
        1 => Just(Step::Fill),
        3 => (0..4u64, 0..8u8, 0f32..1.0).prop_map(|(n, terms, c)| Step::Tag(n, terms, c)),
        1 => (0f32..1.0).prop_map(Step::CountFrom),
        2 => (0..4u64, prop::option::of(-1..8i8)).prop_map(|(n, at)| Step::Move(n, at)),
    ]
}

pub fn take(lib: &mut Library, step: &Step) {
    let root_of = |lib: &Library, r: &usize| {
        let row = lib.store.root_at(Path::new(ROOTS[*r])).unwrap();
        row.map(|row| row.id)
    };
    let place = match step {
        Step::Put(r, p, _)
        | Step::Known(r, p, _)
        | Step::Fail(r, p)
        | Step::Gone(r, p)
        | Step::Missing(r, p)
        | Step::Found(r, p) => root_of(lib, r).map(|root| key(root, PATHS[*p].as_bytes())),
        _ => None,
    };
    let stamp = FileStamp::default();
    match (step, place) {
        (Step::Put(_, p, n), Some(at)) => lib.apply(indexed(at.root, PATHS[*p].as_bytes(), *n)),
        (Step::Known(_, _, n), Some(key)) => lib.apply(Change::known(key, stamp, hash(*n))),
        (Step::Fail(..), Some(key)) => lib.apply(Change::Failed {
            key,
            stamp,
            hash: None,
            failure: failure(Stage::Read),
        }),
        (Step::Gone(..), Some(key)) => lib.apply(Change::Gone {
            key,
            excluded: false,
        }),
        (Step::Missing(..), Some(key)) => lib.apply(Change::Missing { key }),
        (Step::Found(..), Some(key)) => lib.apply(Change::Found { key }),
        (Step::Release(r), _) => {
            if let Some(root) = root_of(lib, r) {
                lib.store.release_missing(root).unwrap();
            }
        }
        (Step::Forget(r), _) => {
            lib.store.forget_root(Path::new(ROOTS[*r])).unwrap();
        }
        (Step::Adopt(r), _) => {
            lib.root(ROOTS[*r]);
        }
        (Step::Sweep, _) => {
            lib.store.sweep(std::time::Duration::ZERO, 2).unwrap();
        }
        (Step::Fill, _) => {
            lib.store.fill_words(2).unwrap();
        }
        (Step::Tag(n, terms, confidence), _) => {
            let named = TERMS
                .iter()
                .enumerate()
                .filter(|(at, _)| terms & (1 << at) != 0);
            let tags: Vec<_> = named.map(|(_, name)| (*name, *name, *confidence)).collect();
            if lib.reader().photo_id(&hash(*n)).unwrap().is_some() {
                lib.tag(*n, &tags);
            }
        }
        (Step::CountFrom(confidence), _) => lib.store.count_from(*confidence).unwrap(),
        (Step::Move(n, at), _) => {
            if let Some(photo) = lib.reader().photo_id(&hash(*n)).unwrap() {
                let lat = at.map_or("NULL".to_owned(), |at| (i32::from(at) * 10).to_string());
                lib.sql(&format!(
                    "UPDATE photos SET lat = {lat}, lon = 5 WHERE id = {photo}"
                ));
            }
        }
        (_, None) => {}
    }
}
