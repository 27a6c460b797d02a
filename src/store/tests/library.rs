//! A small library to write into: photos are numbers, and so are their hashes.

use std::path::Path;
use std::rc::Rc;

use crate::embedding::{Embedding, ModelId, Sources, Tag};
use crate::photo::{
    ContentHash, Exif, FileStamp, Format, Inspection, PerceptualHash, Pixels, RelPath, Thumbnail,
};
use crate::said::Said;
use crate::sidecar::SidecarWords;
use crate::store::{
    Change, Failure, FileKey, ModelResult, Results, SpaceKind, Stage, Store, StoreReader, Tagged,
};

pub struct Library {
    pub store: Store,
    reader: Rc<StoreReader>,
    pub dir: tempfile::TempDir,
}

impl Library {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (store, recovery) = Store::open(dir.path()).unwrap();
        assert_eq!(recovery, None);
        let reader = Rc::new(store.reader().unwrap());
        Self { store, reader, dir }
    }

    /// Closes it in peace: the reader first, so that the log is taken over.
    pub fn close(self) -> tempfile::TempDir {
        let Self { store, reader, dir } = self;
        drop(reader);
        drop(store);
        dir
    }

    pub fn reader(&self) -> Rc<StoreReader> {
        Rc::clone(&self.reader)
    }

    pub fn root(&mut self, path: &str) -> i64 {
        let path = Path::new(path);
        let known = self.store.root_at(path).unwrap().map(|row| row.id);
        let row = self.store.adopt_root(path, ("volume", ""), known).unwrap();
        row.id
    }

    pub fn model(&mut self, name: &str, kind: SpaceKind) -> i64 {
        self.store.adopt_model(&id(name), 4, kind).unwrap()
    }

    pub fn apply(&mut self, change: Change) {
        self.store.apply(&[change]).unwrap();
    }

    /// Photo `n` lies at `path`; returns its id.
    pub fn put(&mut self, root: i64, path: &str, n: u64) -> i64 {
        self.apply(indexed(root, path.as_bytes(), n));
        self.photo(n)
    }

    pub fn photo(&self, n: u64) -> i64 {
        self.reader().photo_id(&hash(n)).unwrap().unwrap()
    }

    pub fn gone(&mut self, root: i64, path: &str) {
        self.apply(Change::Gone {
            key: key(root, path.as_bytes()),
            excluded: false,
        });
    }

    /// A sidecar lies at `path` and says this.
    pub fn sidecar(&mut self, root: i64, path: &str, said: Said) {
        let words = SidecarWords {
            said,
            derived_from: None,
        };
        self.apply(sidecar(root, path, 0, Ok(Some(words))));
    }

    pub fn sidecar_gone(&mut self, root: i64, path: &str) {
        self.apply(Change::SidecarGone {
            key: key(root, path.as_bytes()),
            excluded: false,
        });
    }

    /// What no change does.
    pub fn sql(&self, text: &str) {
        self.store.conn.execute_batch(text).unwrap();
    }

    /// How SQLite goes about a statement, step by step.
    pub fn plan(&self, sql: &str) -> String {
        let mut stmt = self
            .store
            .conn
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let steps = stmt.raw_query().mapped(|r| r.get::<_, String>(3));
        let steps: Vec<String> = steps.map(Result::unwrap).collect();
        steps.join("; ")
    }

    /// The model sees photo `n`.
    pub fn embed(&mut self, n: u64, model: i64) {
        self.apply(Change::Embedded {
            hash: hash(n),
            results: Box::new(Results {
                made: vec![result(model, n)],
                tagged: None,
                text: None,
            }),
        });
    }

    /// Photo `n` is tagged by some snapshot.
    pub fn tag(&mut self, n: u64, tags: &[(&str, &str, f32)]) {
        let tagger = self.store.adopt_tagger("some").unwrap();
        let tags = tags.iter().map(|(key, name, confidence)| Tag {
            key: (*key).into(),
            name: (*name).into(),
            confidence: *confidence,
            sources: Sources::CLASSIFIER,
        });
        let tags = tags.collect();
        self.apply(Change::Embedded {
            hash: hash(n),
            results: Box::new(Results {
                made: Vec::new(),
                tagged: Some(Tagged { tagger, tags }),
                text: None,
            }),
        });
    }

    /// The model (or for `None` the image code) fails on photo `n`.
    pub fn fail(&mut self, n: u64, model: Option<i64>) {
        self.apply(Change::NotEmbedded {
            hash: hash(n),
            model,
            failure: failure(Stage::Embed),
        });
    }
}

/// Photos that the full-text index has a row of.
pub fn named(reader: &StoreReader) -> i64 {
    reader
        .conn
        .query_row("SELECT count(*) FROM path_words_docsize", [], |r| r.get(0))
        .unwrap()
}

pub fn numbers(lib: &Library, sql: &str) -> Vec<(String, i64)> {
    let mut stmt = lib.store.conn.prepare(sql).unwrap();
    let rows = stmt.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

pub fn id(name: &str) -> ModelId {
    ModelId(name.to_owned())
}

pub fn hash(n: u64) -> ContentHash {
    ContentHash(*blake3::hash(&n.to_le_bytes()).as_bytes())
}

pub fn key(root: i64, path: &[u8]) -> FileKey {
    FileKey {
        root,
        path: RelPath::from_bytes(path),
    }
}

pub fn failure(stage: Stage) -> Failure {
    Failure {
        stage,
        kind: "truncated".to_owned(),
        message: "it ends too soon".to_owned(),
        decoder_version: 1,
    }
}

pub fn indexed(root: i64, path: &[u8], n: u64) -> Change {
    Change::Indexed {
        place: Some((key(root, path), FileStamp::default())),
        hash: hash(n),
        inspection: Some(Box::new(inspection())),
        decoder_version: 1,
        results: None,
    }
}

/// A sidecar at `path` with this time of change has been read.
pub fn sidecar(
    root: i64,
    path: &str,
    mtime_ns: i64,
    read: Result<Option<SidecarWords>, String>,
) -> Change {
    Change::Sidecar {
        key: key(root, path.as_bytes()),
        stamp: FileStamp {
            mtime_ns,
            ..FileStamp::default()
        },
        read,
        read_by: 1,
    }
}

/// A vector that names its photo.
pub fn result(model: i64, n: u64) -> ModelResult {
    let values = vec![n as f32, 1.0, -0.5, 0.25];
    ModelResult {
        model,
        embedding: Embedding { values },
    }
}

pub fn inspection() -> Inspection {
    Inspection {
        format: Format::Jpeg,
        width: 4,
        height: 3,
        orientation: 1,
        exif: Exif::default(),
        said: Said::default(),
        pixels: Pixels::Whole,
        perceptual_hash: PerceptualHash(vec![0; 32]),
        looks: crate::looks::Looks::default(),
        thumbnail: Some(Thumbnail {
            width: 1,
            height: 1,
            mime: "image/jpeg",
            bytes: Vec::new(),
        }),
        tensors: Vec::new(),
    }
}
