//! One model's vectors in the database, as a vector file wants them.

use super::VectorSource;
use crate::store::{StoreError, StoreReader};

/// The vectors of one model. Each call sees the database as it is then.
pub struct ModelVectors<'a> {
    reader: &'a StoreReader,
    model: i64,
}

impl<'a> ModelVectors<'a> {
    /// `model` is the key that the store gave it.
    #[must_use]
    pub fn new(reader: &'a StoreReader, model: i64) -> Self {
        Self { reader, model }
    }
}

impl VectorSource for ModelVectors<'_> {
    fn since(
        &mut self,
        after: i64,
        limit: usize,
        visit: &mut dyn FnMut(i64, i64, &[u8]),
    ) -> Result<(), StoreError> {
        self.reader
            .embeddings_since(self.model, after, limit, visit)
            .map(|_| ())
    }

    fn newest(&mut self) -> Result<i64, StoreError> {
        self.reader.last_seq()
    }

    fn live(&mut self) -> Result<u64, StoreError> {
        self.reader
            .embedding_count(self.model)
            .map(|count| u64::try_from(count).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use half::f16;

    use super::*;
    use crate::embedding::{Embedding, ModelId};
    use crate::store::{SpaceKind, Store, VectorFile, Vectors, embeddings};

    fn put(store: &Store, model: i64, photo: i64, first: f32) {
        let values = vec![first, 1.0, 0.0];
        embeddings::put(&store.conn, photo, model, &Embedding { values }).unwrap();
    }

    fn firsts(vectors: &Vectors, source: &mut ModelVectors<'_>) -> BTreeMap<i64, f16> {
        let mut all = BTreeMap::new();
        vectors
            .visit(source, &mut |rows| {
                all.extend(
                    (0..rows.len()).filter_map(|r| Some((rows.photo(r)?, rows.vector(r)[0]))),
                );
            })
            .unwrap();
        all
    }

    #[test]
    fn a_file_follows_its_model_in_the_database_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(dir.path()).unwrap();
        // Vectors alone, without the photos they are of.
        store
            .conn
            .pragma_update(None, "foreign_keys", "OFF")
            .unwrap();
        let names = ["a@1", "b@1"].map(|name| ModelId(name.to_owned()));
        let [a, b] = names
            .each_ref()
            .map(|name| store.adopt_model(name, 3, SpaceKind::Search).unwrap());
        let reader = store.reader().unwrap();
        let mut source = ModelVectors::new(&reader, a);
        let file = VectorFile::new(dir.path(), reader.identity().unwrap(), &names[0], 3);

        for photo in 1..=20 {
            put(&store, a, photo, 0.0);
            put(&store, b, photo, 9.0);
        }
        let vectors = file.refresh(&mut source, 5).unwrap();
        assert!(vectors.is_resident() && file.path().exists());
        let zeros = BTreeMap::from_iter((1..=20).map(|photo| (photo, f16::ZERO)));
        assert_eq!(firsts(&vectors, &mut source), zeros);

        // Another model's vectors are nothing new, even where none may stay in memory.
        put(&store, b, 21, 9.0);
        let size = || std::fs::metadata(file.path()).unwrap().len();
        let before = size();
        assert_eq!(
            firsts(&file.refresh(&mut source, 0).unwrap(), &mut source),
            zeros
        );
        assert_eq!(size(), before);

        // One that is written again is.
        put(&store, a, 7, 1e4);
        let mut expected = zeros;
        expected.insert(7, f16::ONE);
        for tail_limit in [5, 0, 5] {
            let vectors = file.refresh(&mut source, tail_limit).unwrap();
            assert_eq!(firsts(&vectors, &mut source), expected);
        }
        assert_eq!(size(), before + 64);
    }
}
