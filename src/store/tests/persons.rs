//! Faces that are given to people, and a person's word on that.

use super::library::{Library, hash, indexed, key};
use crate::boxes::DetectedBox;
use crate::faces::{self, DIMS, Face};
use crate::said::{FaceArea, Person, Said};
use crate::store::{
    Change, ModelResult, PersonChanged, PersonWord, Results, SpaceKind, forget_all_persons,
    say_of_persons,
};

const ANNA: usize = 3;
const BEN: usize = 5;

/// Somebody's face at a place of the picture, so far from how they usually look.
fn face(who: usize, left: f32, off: f32) -> Face {
    let mut vector = vec![0.0; DIMS];
    vector[who] = 1.0;
    vector[100] = off;
    Face {
        found: DetectedBox {
            class: 0,
            score: 0.9,
            left,
            top: 0.25,
            right: left + 0.125,
            bottom: 0.5,
        },
        vector,
    }
}

struct People {
    lib: Library,
    root: i64,
    model: i64,
}

impl People {
    fn new() -> Self {
        let mut lib = Library::new();
        let root = lib.root("/p");
        let model = lib
            .store
            .adopt_model(
                &super::library::id("faces@1"),
                faces::NUMBERS,
                SpaceKind::Faces,
            )
            .unwrap();
        lib.store.tell_faces_apart(0.4);
        Self { lib, root, model }
    }

    /// Photo `n` comes, and the model sees these faces.
    fn photo(&mut self, n: u64, found: &[Face]) {
        self.lib.put(self.root, &format!("{n}.jpg"), n);
        self.see(n, self.model, found);
    }

    fn see(&mut self, n: u64, model: i64, found: &[Face]) {
        self.lib.apply(Change::Embedded {
            hash: hash(n),
            results: Box::new(Results {
                made: vec![ModelResult {
                    model,
                    embedding: faces::kept(found),
                }],
                ..Results::default()
            }),
        });
    }

    fn say(&self, word: PersonWord) -> PersonChanged {
        say_of_persons(self.lib.dir.path(), &word).unwrap()
    }

    fn name(&self, number: i64, name: &str) -> PersonChanged {
        self.say(PersonWord::Name(number, name.to_owned()))
    }

    /// Everybody with the number of photos.
    fn all(&self) -> Vec<(String, i64)> {
        let all = self.lib.reader().persons().unwrap();
        all.into_iter().map(|p| (p.name, p.photos)).collect()
    }

    /// Who is on photo `n`, from left to right.
    fn on(&self, n: u64) -> Vec<String> {
        let faces = self.lib.reader().known_faces(self.lib.photo(n)).unwrap();
        let who = |number: Option<i64>, name: Option<String>| {
            name.or(number.map(|n| n.to_string())).unwrap_or_default()
        };
        faces.into_iter().map(|f| who(f.number, f.name)).collect()
    }

    fn marked(&mut self, n: u64, people: &[(&str, Option<f64>)]) {
        let people = people.iter().map(|(name, left)| Person {
            name: (*name).to_owned(),
            area: left.map(|left| FaceArea {
                left,
                top: 0.23,
                width: 0.15,
                height: 0.3,
            }),
        });
        let said = Said {
            people: people.collect(),
            ..Said::default()
        };
        self.lib.sidecar(self.root, &format!("{n}.jpg.xmp"), said);
    }
}

fn named(pairs: &[(&str, i64)]) -> Vec<(String, i64)> {
    let own = |(name, photos): &(&str, i64)| ((*name).to_owned(), *photos);
    pairs.iter().map(own).collect()
}

#[test]
fn faces_that_resemble_each_other_are_one_person_whose_number_stays() {
    let mut p = People::new();
    p.photo(1, &[face(ANNA, 0.1, 0.1)]);
    assert_eq!((p.all(), p.on(1)), (Vec::new(), vec![String::new()]));
    p.photo(2, &[face(BEN, 0.1, 0.0), face(ANNA, 0.5, 0.0)]);
    assert_eq!(p.all(), named(&[("person 1", 2)]));
    p.photo(3, &[face(BEN, 0.1, 0.1), face(ANNA, 0.5, -0.1)]);
    assert_eq!(p.all(), named(&[("person 1", 3), ("person 2", 2)]));
    assert_eq!(
        (p.on(2), p.on(3)),
        (p.on(3), vec!["2".to_owned(), "1".to_owned()])
    );
    // As after a restart: from the index alone.
    p.lib.store.tell_faces_apart(0.4);
    p.photo(4, &[face(BEN, 0.1, 0.0)]);
    assert_eq!(p.on(4), ["2"]);
    // Seen once more, nothing changes.
    p.see(3, p.model, &[face(BEN, 0.1, 0.1), face(ANNA, 0.5, -0.1)]);
    assert_eq!(p.all(), named(&[("person 1", 3), ("person 2", 3)]));
}

#[test]
fn nobody_is_twice_in_a_photo() {
    let mut p = People::new();
    p.photo(1, &[face(ANNA, 0.1, 0.0)]);
    // The nearer of the two is.
    p.photo(2, &[face(ANNA, 0.1, 0.2), face(ANNA, 0.5, 0.05)]);
    assert_eq!(p.on(2), ["", "1"]);
    p.photo(3, &[face(ANNA, 0.1, 0.0), face(ANNA, 0.5, 0.0)]);
    assert_eq!(p.on(3).iter().filter(|who| *who == "1").count(), 1);
}

#[test]
fn a_name_is_one_with_the_names_that_files_have() {
    let mut p = People::new();
    p.photo(1, &[face(ANNA, 0.1, 0.1)]);
    p.photo(2, &[face(ANNA, 0.1, 0.0)]);
    p.photo(3, &[]);
    p.marked(3, &[("Anna Berg", None)]);
    assert_eq!(p.all(), named(&[("person 1", 2), ("Anna Berg", 1)]));
    assert_eq!(p.name(1, "anna berg"), PersonChanged::Done(2));
    assert_eq!(p.all(), named(&[("anna berg", 3)]));
    let reader = p.lib.reader();
    assert_eq!(reader.people_called("berg").unwrap().len(), 1);
    assert_eq!(
        reader.people_called("1").unwrap(),
        reader.people_called("person 1").unwrap()
    );
    assert_eq!(
        reader.people_called("person 1").unwrap(),
        reader.people_called("Anna").unwrap()
    );
    // Another one of that name is the same one.
    p.photo(4, &[face(BEN, 0.1, 0.1)]);
    p.photo(5, &[face(BEN, 0.1, 0.0)]);
    assert_eq!(p.name(2, "Anna Berg"), PersonChanged::Merged(1));
    assert_eq!(p.all(), named(&[("Anna Berg", 5)]));
    // And both looks go on.
    p.photo(6, &[face(BEN, 0.1, 0.05)]);
    assert_eq!(p.all(), named(&[("Anna Berg", 6)]));
    assert_eq!(p.name(7, "Ben"), PersonChanged::Nobody(7));
    // A name that nobody has any more goes.
    assert_eq!(p.name(1, "Bea"), PersonChanged::Done(5));
    assert_eq!(p.all(), named(&[("Bea", 5), ("Anna Berg", 1)]));
}

#[test]
fn regions_in_files_name_whose_faces_lie_in_them() {
    let mut p = People::new();
    // Before anybody has looked for faces,
    p.lib.put(p.root, "1.jpg", 1);
    p.marked(1, &[("Anna", Some(0.09))]);
    p.see(1, p.model, &[face(ANNA, 0.1, 0.1), face(BEN, 0.5, 0.0)]);
    assert_eq!(p.on(1), ["Anna", ""]);
    p.photo(2, &[face(ANNA, 0.3, 0.0), face(BEN, 0.6, 0.1)]);
    assert_eq!(p.on(2), ["Anna", "2"]);
    // and after that.
    p.marked(2, &[("Ben", Some(0.58))]);
    assert_eq!(
        (p.on(1), p.on(2)),
        (vec!["Anna".to_owned(), "Ben".to_owned()], p.on(1))
    );
    assert_eq!(p.all(), named(&[("Anna", 2), ("Ben", 2)]));
    // Where vectors say Ben and the file says Anna, the file is right of that face and no other.
    p.photo(3, &[face(BEN, 0.1, 0.05)]);
    assert_eq!(p.on(3), ["Ben"]);
    p.marked(3, &[("Anna", Some(0.11))]);
    assert_eq!((p.on(3), p.on(1)), (vec!["Anna".to_owned()], p.on(2)));
    // Unless a person says no.
    assert_eq!(p.say(PersonWord::Not(1, hash(3))), PersonChanged::Done(1));
    p.marked(3, &[("Anna", Some(0.10))]);
    assert_eq!(p.on(3), [""]);
}

#[test]
fn two_who_are_one_and_one_who_is_two() {
    let mut p = People::new();
    for (n, who) in [(1, ANNA), (2, ANNA), (3, BEN), (4, BEN), (5, BEN)] {
        p.photo(n, &[face(who, 0.1, n as f32 / 50.0)]);
    }
    p.name(2, "Ben");
    assert_eq!(p.say(PersonWord::Merge(1, 2)), PersonChanged::Done(5));
    assert_eq!(p.all(), named(&[("Ben", 5)]));
    // Its looks are what it is split into; the larger one keeps number and name.
    assert_eq!(p.say(PersonWord::Split(1)), PersonChanged::Split(vec![3]));
    assert_eq!(p.all(), named(&[("Ben", 3), ("person 3", 2)]));
    // One look is divided.
    assert_eq!(p.say(PersonWord::Split(3)), PersonChanged::Split(vec![4]));
    assert_eq!(p.on(1).len() + p.on(2).len(), 2);
    assert_ne!(p.on(1), p.on(2));
    assert_eq!(p.say(PersonWord::Split(4)), PersonChanged::TooFew);
    // New photos go by it.
    p.photo(6, &[face(BEN, 0.1, 0.0)]);
    assert_eq!(p.on(6), ["Ben"]);
}

#[test]
fn a_word_against_a_photo_stays_when_it_is_seen_again_and_by_another_model() {
    let mut p = People::new();
    for n in 1..=3 {
        p.photo(n, &[face(ANNA, 0.1, n as f32 / 50.0)]);
    }
    p.name(1, "Anna");
    assert_eq!(p.say(PersonWord::Not(1, hash(2))), PersonChanged::Done(1));
    assert_eq!(p.on(2), [""]);
    assert_eq!(p.say(PersonWord::Not(1, hash(2))), PersonChanged::NotThere);
    assert_eq!(p.say(PersonWord::Not(1, hash(9))), PersonChanged::NotThere);
    p.photo(4, &[face(ANNA, 0.1, 0.0)]);
    p.see(2, p.model, &[face(ANNA, 0.11, 0.0)]);
    assert_eq!(
        (p.on(2), p.all()),
        (vec![String::new()], named(&[("Anna", 3)]))
    );
    // A model that comes later sees other vectors at the same places.
    let next = super::library::id("faces@2");
    let next = p
        .lib
        .store
        .adopt_model(&next, faces::NUMBERS, SpaceKind::Faces)
        .unwrap();
    for n in [2, 3, 1] {
        p.see(n, next, &[face(9, 0.12, n as f32 / 50.0)]);
    }
    assert_eq!(
        (p.on(1), p.on(2), p.on(3)),
        (vec!["Anna".to_owned()], vec![String::new()], p.on(1))
    );
    p.photo(5, &[]);
    p.see(5, next, &[face(9, 0.1, 0.0)]);
    assert_eq!(p.on(5), ["Anna"]);
}

#[test]
fn who_is_forgotten_leaves_nothing_and_stays_away() {
    let mut p = People::new();
    p.photo(1, &[face(ANNA, 0.1, 0.1), face(BEN, 0.5, 0.1)]);
    p.photo(2, &[face(ANNA, 0.1, 0.0), face(BEN, 0.5, 0.0)]);
    let both = p.on(1);
    assert_eq!(both, ["1", "2"]);
    p.name(1, "Anna");
    assert_eq!(p.say(PersonWord::Forget(1)), PersonChanged::Done(2));
    assert_eq!(p.all(), named(&[("person 2", 2)]));
    let kept = |p: &People, n| {
        let vectors = p.lib.reader().embeddings_of(p.lib.photo(n)).unwrap();
        faces::of(&vectors[0].1.values).len()
    };
    assert_eq!((kept(&p, 1), p.on(1)), (1, vec!["2".to_owned()]));
    assert!(p.lib.reader().people_called("Anna").unwrap().is_empty());
    // Not even when the photo is looked at again.
    p.see(1, p.model, &[face(ANNA, 0.1, 0.1), face(BEN, 0.5, 0.1)]);
    assert_eq!((kept(&p, 1), p.on(1)), (1, vec!["2".to_owned()]));
    // Numbers do not come back.
    p.photo(3, &[face(ANNA, 0.1, 0.1)]);
    p.photo(4, &[face(ANNA, 0.1, 0.0)]);
    assert_eq!(p.on(4), ["3"]);
}

#[test]
fn all_can_be_forgotten() {
    let mut p = People::new();
    for n in 1..=5 {
        p.photo(n, &[face(ANNA, 0.1, 0.0), face(BEN, 0.5, 0.0)]);
    }
    p.marked(1, &[("Zoe", Some(0.49))]);
    p.name(1, "Anna");
    p.say(PersonWord::Not(1, hash(2)));
    assert_eq!(forget_all_persons(p.lib.dir.path()).unwrap(), 5);
    // What the file says is the file's.
    assert_eq!(p.all(), named(&[("Zoe", 1)]));
    for table in ["faces", "looks", "persons", "face_marks", "embeddings"] {
        let count: i64 = p
            .lib
            .store
            .conn
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |r| r.get(0))
            .unwrap();
        assert_eq!(count, 0, "{table}");
    }
    assert_eq!(forget_all_persons(p.lib.dir.path()).unwrap(), 0);
    assert!(p.lib.reader().people_called("Anna").unwrap().is_empty());
}

#[test]
fn a_photo_that_goes_takes_its_faces_along_and_the_mark_stays() {
    let mut p = People::new();
    p.photo(1, &[face(ANNA, 0.1, 0.1)]);
    p.photo(2, &[face(ANNA, 0.1, 0.0)]);
    p.say(PersonWord::Not(1, hash(2)));
    p.lib.gone(p.root, "2.jpg");
    p.lib.store.sweep(std::time::Duration::ZERO, 100).unwrap();
    assert_eq!(p.all(), named(&[("person 1", 1)]));
    p.lib
        .apply(indexed(p.root, key(p.root, b"2.jpg").path.as_bytes(), 2));
    p.see(2, p.model, &[face(ANNA, 0.1, 0.0)]);
    assert_eq!(p.on(2), [""]);
}

#[test]
fn a_transaction_that_fails_leaves_nothing_in_memory() {
    let mut p = People::new();
    p.photo(1, &[face(ANNA, 0.1, 0.1)]);
    p.lib
        .sql("CREATE TRIGGER no BEFORE INSERT ON looks BEGIN SELECT RAISE(ABORT, 'no'); END");
    p.lib.put(p.root, "2.jpg", 2);
    let results = Results {
        made: vec![ModelResult {
            model: p.model,
            embedding: faces::kept(&[face(ANNA, 0.1, 0.0)]),
        }],
        ..Results::default()
    };
    let change = Change::Embedded {
        hash: hash(2),
        results: Box::new(results),
    };
    assert!(p.lib.store.apply(&[change]).is_err());
    p.lib.sql("DROP TRIGGER no");
    p.see(2, p.model, &[face(ANNA, 0.1, 0.0)]);
    assert_eq!(p.all(), named(&[("person 1", 2)]));
}

#[test]
fn five_hundred_faces_are_bounded() {
    let mut p = People::new();
    let many: Vec<Face> = (0..500)
        .map(|n| face(n % 90, 0.001 * n as f32, 0.0))
        .collect();
    p.photo(1, &many);
    let kept = p.lib.reader().known_faces(p.lib.photo(1)).unwrap().len();
    assert_eq!(kept, faces::MOST);
}
