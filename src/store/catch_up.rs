//! What a model has not seen yet, and how far it has come.

use rusqlite::{OptionalExtension, params};

use super::error::{At, StoreError};
use super::{FileKey, StoreReader, embeddings, tags};
use crate::embedding::Embedding;
use crate::photo::{ContentHash, RelPath};

/// How far a model has come with the photos that lie somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coverage {
    /// Distinct contents with a picture and a place that is not held as missing.
    pub photos: i64,
    /// Of those, the ones with a vector.
    pub embedded: i64,
    /// Of the rest, the ones that cannot have one: the model or the image code failed on them.
    pub failed: i64,
    /// Of the rest, the ones that lie only on volumes that are away.
    pub away: i64,
    /// Of those, the ones that the model which queries use now has seen: they would not be found
    /// any more if queries used this one.
    pub lost: i64,
}

impl Coverage {
    /// Photos that can get a vector now and have none.
    pub fn waiting(&self) -> i64 {
        self.photos - self.embedded - self.failed - self.away
    }

    /// True if queries lose nothing by using this model: nothing waits, nothing would be lost, and
    /// the model makes something of (nearly) everything. Of an empty library every model has seen
    /// all.
    pub fn is_whole(&self) -> bool {
        /// One photo in so many may be beyond a model before it is called broken rather than the
        /// photos.
        const FAILED: i64 = 10;
        self.waiting() <= 0
            && self.lost == 0
            && (self.embedded > 0 || self.photos == 0)
            && self.failed * FAILED <= self.photos
    }
}

/// Goes along `files_by_photo`: a page reads no more than its own rows and those between them.
const WITHOUT_EMBEDDING: &str = "SELECT p.id, p.hash, f.root, f.path
    FROM files f INDEXED BY files_by_photo JOIN photos p ON p.id = f.photo JOIN roots r ON r.id = f.root AND r.online = 1
    WHERE f.photo > ?2 AND f.missing_since IS NULL
      AND NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.model = ?1 AND e.photo = f.photo)
      AND NOT EXISTS (SELECT 1 FROM failures x WHERE x.hash = p.hash
                      AND (x.model IS NULL OR x.model = ?1))
      AND p.pixels <> 3
    GROUP BY f.photo ORDER BY f.photo LIMIT ?3";

/// The same from the newest on; other conditions on `f.photo` may take the place of `{wanted}`.
const WITHOUT_CLOSER_LOOK: &str = "SELECT p.id, p.hash, f.root, f.path
    FROM files f INDEXED BY files_by_photo JOIN photos p ON p.id = f.photo JOIN roots r ON r.id = f.root AND r.online = 1
    WHERE f.photo < ?2 AND f.missing_since IS NULL
      AND NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.model = ?1 AND e.photo = f.photo)
      AND NOT EXISTS (SELECT 1 FROM failures x WHERE x.hash = p.hash
                      AND (x.model IS NULL OR x.model = ?1))
      AND p.pixels <> 3 {wanted}
    GROUP BY f.photo ORDER BY f.photo DESC LIMIT ?3";

/// Goes along the classifier's vectors by photo.
const WITHOUT_DERIVED: &str =
    "SELECT p.id, p.hash, c.vector FROM embeddings c JOIN photos p ON p.id = c.photo
    WHERE c.model = ?1 AND c.photo > ?3
      AND NOT EXISTS (SELECT 1 FROM embeddings d WHERE d.model = ?2 AND d.photo = c.photo)
      AND NOT EXISTS (SELECT 1 FROM failures x WHERE x.hash = p.hash AND x.model = ?2)
    ORDER BY c.photo LIMIT ?4";

/// Goes along the photos that are not whole.
const PREVIEWS: &str = "SELECT p.id, f.root, f.path
    FROM photos p INDEXED BY photos_not_whole JOIN files f INDEXED BY files_by_photo ON f.photo = p.id
    JOIN roots r ON r.id = f.root AND r.online = 1
    WHERE p.pixels > 0 AND p.pixels = 4 AND p.id > ?1 AND f.missing_since IS NULL
    GROUP BY p.id ORDER BY p.id LIMIT ?2";

/// Goes along the photos of which nothing was read that is said.
const UNREAD: &str = "SELECT p.id, f.root, f.path
    FROM photos p INDEXED BY photos_unread JOIN files f INDEXED BY files_by_photo ON f.photo = p.id
    JOIN roots r ON r.id = f.root AND r.online = 1
    WHERE p.facts_by = 0 AND p.id > ?1 AND f.missing_since IS NULL
    GROUP BY p.id ORDER BY p.id LIMIT ?2";

impl StoreReader {
    /// Photos that an older photond indexed, which read less of what is said of them; as
    /// [`StoreReader::previews`].
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn unread(&self, after: i64, limit: usize) -> Result<Vec<(i64, FileKey)>, StoreError> {
        self.page(UNREAD, after, limit)
    }

    /// Photos seen by their small picture alone that lie on a volume that is there: up to `limit`, with
    /// one place each, ids above `after`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn previews(&self, after: i64, limit: usize) -> Result<Vec<(i64, FileKey)>, StoreError> {
        self.page(PREVIEWS, after, limit)
    }

    fn page(&self, sql: &str, after: i64, limit: usize) -> Result<Vec<(i64, FileKey)>, StoreError> {
        let mut stmt = self.conn.prepare_cached(sql).at(&self.path)?;
        let rows = stmt
            .query_map(params![after, limit as i64], |r| {
                let key = FileKey {
                    root: r.get(1)?,
                    path: RelPath::from_bytes(r.get::<_, Vec<u8>>(2)?),
                };
                Ok((r.get(0)?, key))
            })
            .at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }

    /// Whether some content is seen by its small picture alone.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn is_preview(&self, hash: &ContentHash) -> Result<bool, StoreError> {
        self.conn
            .prepare_cached("SELECT pixels = 4 FROM photos WHERE hash = ?1")
            .and_then(|mut s| s.query_row([&hash.0[..]], |r| r.get(0)).optional())
            .map(|found| found.unwrap_or(false))
            .at(&self.path)
    }

    /// How far a model has come. Reads two indices to the end: about a quarter of a second for
    /// each 100,000 photos at worst.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn coverage(&self, model: i64) -> Result<Coverage, StoreError> {
        let (photos, embedded) = self
            .conn
            .prepare_cached(
                "SELECT count(*) - (SELECT count(*) FROM photos INDEXED BY photos_not_whole
                                    WHERE pixels > 0 AND pixels = 3 AND places > 0), count(e.seq) FROM
                     (SELECT DISTINCT photo FROM files
                      WHERE photo IS NOT NULL AND missing_since IS NULL) f
                 LEFT JOIN embeddings e ON e.model = ?1 AND e.photo = f.photo",
            )
            .and_then(|mut s| s.query_row([model], |r| Ok((r.get(0)?, r.get(1)?))))
            .at(&self.path)?;
        if photos == embedded {
            return Ok(Coverage {
                photos,
                embedded,
                ..Coverage::default()
            });
        }
        let (failed, away, lost) = self
            .conn
            .prepare_cached(
                "SELECT coalesce(sum(failed), 0), coalesce(sum(NOT failed AND away), 0),
                        coalesce(sum(NOT failed AND away AND EXISTS (
                            SELECT 1 FROM embeddings e JOIN models m ON m.id = e.model
                            WHERE m.serving = 1 AND e.photo = lacking)), 0) FROM (
                     SELECT p.id AS lacking,
                            EXISTS (SELECT 1 FROM failures x
                                    WHERE x.hash = p.hash AND (x.model IS NULL OR x.model = ?1)) AS failed,
                            NOT EXISTS (SELECT 1 FROM files g INDEXED BY files_by_photo JOIN roots r ON r.id = g.root
                                        WHERE g.photo = p.id AND g.missing_since IS NULL
                                          AND r.online = 1) AS away
                     FROM (SELECT DISTINCT photo FROM files
                           WHERE photo IS NOT NULL AND missing_since IS NULL) f
                     JOIN photos p ON p.id = f.photo AND p.pixels <> 3
                     WHERE NOT EXISTS (SELECT 1 FROM embeddings e
                                       WHERE e.model = ?1 AND e.photo = f.photo))",
            )
            .and_then(|mut s| s.query_row([model], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))))
            .at(&self.path)?;
        Ok(Coverage {
            photos,
            embedded,
            failed,
            away,
            lost,
        })
    }

    /// Photos that lie on a volume that is there and that the model has not seen, without those
    /// that it or the image code failed on: up to `limit`, with one place each, ids above `after`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn without_embedding(
        &self,
        model: i64,
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, ContentHash, FileKey)>, StoreError> {
        self.lacking(WITHOUT_EMBEDDING, [model, after], limit)
    }

    /// The same, the newest first: ids below `before`. Where names of terms are given, only photos that carry
    /// one of them, from this confidence on.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn without_closer_look(
        &self,
        model: i64,
        before: i64,
        limit: usize,
        carrying: Option<(&[&str], f32)>,
    ) -> Result<Vec<(i64, ContentHash, FileKey)>, StoreError> {
        self.lacking(&closer_look(carrying), [model, before], limit)
    }

    fn lacking(
        &self,
        sql: &str,
        [model, from]: [i64; 2],
        limit: usize,
    ) -> Result<Vec<(i64, ContentHash, FileKey)>, StoreError> {
        let mut stmt = self.conn.prepare_cached(sql).at(&self.path)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = stmt
            .query_map(params![model, from, limit], |r| {
                Ok((
                    r.get(0)?,
                    ContentHash(r.get(1)?),
                    FileKey {
                        root: r.get(2)?,
                        path: RelPath::from_bytes(r.get::<_, Vec<u8>>(3)?),
                    },
                ))
            })
            .at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }

    /// Photos whose vector in a derived space can be made from the classifier's, and is not there
    /// nor failed: up to `limit` of them with the classifier's vector, ids above `after`. No photo
    /// has to be at hand for it.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn without_derived(
        &self,
        classifier: i64,
        derived: i64,
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, ContentHash, Embedding)>, StoreError> {
        let mut stmt = self.conn.prepare_cached(WITHOUT_DERIVED).at(&self.path)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = stmt
            .query_map(params![classifier, derived, after, limit], |r| {
                Ok((
                    r.get(0)?,
                    ContentHash(r.get(1)?),
                    embeddings::decode(r.get_ref(2)?.as_blob()?),
                ))
            })
            .at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }
}

fn closer_look(carrying: Option<(&[&str], f32)>) -> String {
    let wanted = carrying.map(|(names, least)| {
        let quoted = |name: &&str| format!("'{}'", name.replace('\'', "''"));
        let names: Vec<String> = names.iter().map(quoted).collect();
        format!(
            "AND EXISTS (SELECT 1 FROM tags g JOIN terms w ON w.id = g.term
                         WHERE g.photo = f.photo AND g.confidence >= {} AND w.name IN ({}))",
            tags::column(least),
            names.join(",")
        )
    });
    WITHOUT_CLOSER_LOOK.replace("{wanted}", &wanted.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn a_page_is_read_along_an_index() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(dir.path()).unwrap();
        for (sql, parameters) in [
            (WITHOUT_EMBEDDING, 3),
            (&closer_look(None), 3),
            (&closer_look(Some((&["menu", "it's"], 0.25))), 3),
            (WITHOUT_DERIVED, 4),
        ] {
            let mut stmt = store
                .conn
                .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
                .unwrap();
            assert_eq!(stmt.parameter_count(), parameters);
            let plan: Vec<String> = stmt
                .query_map(rusqlite::params_from_iter(vec![1; parameters]), |r| {
                    r.get(3)
                })
                .unwrap()
                .map(Result::unwrap)
                .collect();
            // Sorting or grouping apart would read all that is left for each page.
            assert!(
                !plan.iter().any(|step| step.contains("TEMP B-TREE")),
                "{plan:#?}"
            );
            assert!(
                plan[0].contains("photo>?") || plan[0].contains("photo<?"),
                "{plan:#?}"
            );
        }
    }
}
