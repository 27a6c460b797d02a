//! Cameras and lenses: which there are, and the photos that were taken with those that a person means.

use rusqlite::params;
use rusqlite::types::Value;

use super::StoreReader;
use super::error::{At, StoreError};

/// What photos are taken with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gear {
    Camera,
    Lens,
}

impl Gear {
    /// Its column of `photos`; `photos_by_` and this is its index.
    fn column(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Lens => "lens",
        }
    }
}

/// Whether a camera's or lens's name is what a person typed: all its words, in any order, case, spacing
/// and hyphens aside.
pub fn is_gear(name: &str, typed: &str) -> bool {
    let squeezed = |text: &str| text.replace([' ', '-', '_'], "").to_lowercase();
    let name = squeezed(name);
    typed
        .split_whitespace()
        .all(|word| name.contains(&squeezed(word)))
}

impl StoreReader {
    /// Makers and models with their number of photos, most photos first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn cameras(&self, limit: usize) -> Result<Vec<(String, i64)>, StoreError> {
        self.gear(Gear::Camera, limit)
    }

    /// The same of lenses. Looks at all photos that tell theirs.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn lenses(&self, limit: usize) -> Result<Vec<(String, i64)>, StoreError> {
        self.gear(Gear::Lens, limit)
    }

    fn gear(&self, gear: Gear, limit: usize) -> Result<Vec<(String, i64)>, StoreError> {
        let column = gear.column();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.conn
            .prepare_cached(&format!(
                "SELECT {column}, count(*) FROM photos INDEXED BY photos_by_{column}
                 WHERE {column} IS NOT NULL AND places > 0 GROUP BY {column} ORDER BY 2 DESC, 1 LIMIT ?1"
            ))
            .and_then(|mut s| {
                s.query_map(params![limit], |r| Ok((r.get(0)?, r.get(1)?)))?
                    .collect()
            })
            .at(&self.path)
    }

    /// The names that a person means, as a JSON array. From one name to the next: many photos have each.
    fn gear_meant(&self, gear: Gear, typed: &str) -> rusqlite::Result<String> {
        let column = gear.column();
        let from = format!("FROM photos INDEXED BY photos_by_{column} WHERE {column}");
        let mut stmt = self.conn.prepare_cached(&format!(
            "WITH RECURSIVE each (name) AS (
                 SELECT min({column}) {from} IS NOT NULL
                 UNION ALL
                 SELECT (SELECT min({column}) {from} > each.name) FROM each WHERE each.name IS NOT NULL)
             SELECT name FROM each WHERE name IS NOT NULL"
        ))?;
        let names = stmt.query_map([], |r| r.get::<_, String>(0))?;
        let names: Vec<String> = names.collect::<rusqlite::Result<_>>()?;
        let meant: Vec<&String> = names.iter().filter(|name| is_gear(name, typed)).collect();
        Ok(serde_json::to_string(&meant).unwrap_or_else(|_| "[]".to_owned()))
    }

    /// That the photo of a place was taken with what a person means, as a condition over `files f`.
    pub(super) fn taken_with(
        &self,
        (gear, typed): (Gear, &str),
    ) -> rusqlite::Result<(String, Value)> {
        // The photo is looked up, and not those of the name for each place: hence the `+`.
        let condition = format!(
            "EXISTS (SELECT 1 FROM photos c WHERE c.id = f.photo
                     AND +c.{} IN (SELECT value FROM json_each(?)))",
            gear.column()
        );
        Ok((condition, Value::Text(self.gear_meant(gear, typed)?)))
    }

    /// A statement that gives those photos as `id`.
    pub(super) fn photos_with(
        &self,
        (gear, typed): (Gear, &str),
    ) -> rusqlite::Result<(String, Value)> {
        let column = gear.column();
        let statement = format!(
            "SELECT id FROM photos INDEXED BY photos_by_{column}
             WHERE {column} IN (SELECT value FROM json_each(?)) AND {column} IS NOT NULL"
        );
        Ok((statement, Value::Text(self.gear_meant(gear, typed)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gear_is_known_by_parts_of_its_name() {
        let name = "Canon EOS-1D X Mark III";
        for typed in ["canon", "eos 1d", "EOS1DX", "iii mark", ""] {
            assert!(is_gear(name, typed), "{typed}");
        }
        for typed in ["nikon", "canon ii x2"] {
            assert!(!is_gear(name, typed), "{typed}");
        }
    }
}
