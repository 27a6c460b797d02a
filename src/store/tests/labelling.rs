//! Tags scored from stored vectors: written with their mark, replaced apart, forgotten whole.

use super::library::Library;
use crate::embedding::Tag;
use crate::store::{LabelBatch, Labelled, Labelling, OWN_TERMS, PoolRow, SpaceKind, StoreReader};

fn tags(names: &[&str]) -> Option<Vec<Tag>> {
    let tag = |name: &&str| Tag {
        term: format!("v.{name}"),
        name: (*name).to_owned(),
        confidence: 0.5,
    };
    Some(names.iter().map(tag).collect())
}

fn names(reader: &StoreReader, photo: i64) -> Vec<String> {
    let mut names: Vec<String> = reader
        .tags_of(photo, 0.0)
        .unwrap()
        .into_iter()
        .map(|t| t.name)
        .collect();
    names.sort();
    names
}

fn library() -> (Library, i64, Vec<i64>) {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let model = lib.model("a@1", SpaceKind::Search);
    let photos = (1..=5)
        .map(|n| {
            let photo = lib.put(root, &format!("{n}.jpg"), n);
            lib.embed(n, model);
            photo
        })
        .collect();
    (lib, model, photos)
}

fn batch(model: i64, photos: Vec<Labelled>, done: i64) -> LabelBatch {
    LabelBatch {
        model,
        bank: "bank".to_owned(),
        photos,
        mark: Labelling {
            scheme: "s".to_owned(),
            rows: 256,
            done,
            photos: 5,
            ..Labelling::default()
        },
        pools: vec![PoolRow {
            row: 7,
            pool: 1,
            hits: 3,
            last_hit: 4,
        }],
        muted: Vec::new(),
    }
}

#[test]
fn a_batch_is_written_with_its_mark() {
    let (mut lib, model, photos) = library();
    let labelled = |photo, all: &[&str], own: &[&str]| Labelled {
        photo,
        tags: tags(all),
        own: tags(own),
    };
    let first = batch(
        model,
        vec![
            labelled(photos[0], &["dog", "beach"], &["Rex"]),
            labelled(photos[1], &["cat"], &[]),
            labelled(999, &["nothing"], &[]),
        ],
        3,
    );
    lib.store.label(&first).unwrap();
    let reader = lib.reader();
    assert_eq!(names(&reader, photos[0]), ["Rex", "beach", "dog"]);
    assert_eq!(reader.labelling(model).unwrap(), Some(first.mark.clone()));
    assert_eq!(reader.label_pools(model).unwrap(), first.pools);
    assert_eq!(
        reader
            .vectors_after(model, reader.newest_seq(model).unwrap() - 2, 100)
            .unwrap(),
        2
    );
    // Each kind is replaced by itself.
    let own = Labelled {
        photo: photos[0],
        tags: None,
        own: tags(&[]),
    };
    lib.store.label(&batch(model, vec![own], 4)).unwrap();
    assert_eq!(names(&reader, photos[0]), ["beach", "dog"]);
    let bank = Labelled {
        photo: photos[0],
        tags: tags(&["sea"]),
        own: None,
    };
    lib.store.label(&batch(model, vec![bank], 5)).unwrap();
    assert_eq!(names(&reader, photos[0]), ["sea"]);
    assert_eq!(reader.labelling(model).unwrap().unwrap().done, 5);
    assert_ne!(OWN_TERMS, "bank");
}

#[test]
fn a_photo_without_the_models_vector_gets_no_tags() {
    let (mut lib, model, photos) = library();
    let other = lib.model("b@1", SpaceKind::Search);
    let labelled = Labelled {
        photo: photos[0],
        tags: tags(&["dog"]),
        own: None,
    };
    lib.store.label(&batch(other, vec![labelled], 1)).unwrap();
    assert_eq!(names(&lib.reader(), photos[0]), [""; 0]);
    assert_eq!(
        lib.reader().vectors_after(model, 0, 3).unwrap(),
        3,
        "no more are counted"
    );
}

#[test]
fn labels_of_a_model_are_forgotten_page_by_page() {
    let (mut lib, model, photos) = library();
    let all = photos.iter().map(|photo| Labelled {
        photo: *photo,
        tags: tags(&["dog"]),
        own: None,
    });
    lib.store.label(&batch(model, all.collect(), 5)).unwrap();
    assert_eq!(lib.reader().labelled_models().unwrap(), [model]);
    let mut after = 0;
    let mut pages = 0;
    while let Some(last) = lib.store.drop_labels(model, after, 2).unwrap() {
        after = last;
        pages += 1;
    }
    assert_eq!(pages, 3);
    let reader = lib.reader();
    assert!(photos.iter().all(|p| names(&reader, *p).is_empty()));
    assert_eq!(reader.labelled_models().unwrap(), [0i64; 0]);
    assert_eq!(reader.label_pools(model).unwrap(), []);
    assert!(reader.embedding(photos[0], model).unwrap().is_some());
}
