//! Which way a query goes: past all places, newest first, or to those that one of its conditions names.
//!
//! Each condition says how many photos it lets through (kept numbers, or a count that is broken off), and
//! the way that looks at fewest places is taken.

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::{PhotoFilter, TagCondition};
use crate::store::StoreReader;
use crate::store::circle::Circle;
use crate::store::said_filter::with_keyword;
use crate::store::tags::column;
use crate::store::when::{self, YearlyDay};

/// Photos that let a condition through are counted up to this: so many are quicker walked past.
const COUNTED: i64 = 200_000;
/// Looking at a gathered place costs so many times what a step of a walk does: it is looked up.
const GATHERING: f64 = 3.0;

/// Where places come from, as the start of a statement over `files f`.
pub(super) struct Way {
    pub from: String,
    pub values: Vec<Value>,
    /// Places that it gives.
    pub places: f64,
}

impl StoreReader {
    /// The way that looks at fewest places.
    pub(super) fn way(
        &self,
        filter: &PhotoFilter<'_>,
        limit: Option<usize>,
    ) -> rusqlite::Result<Way> {
        let all: i64 = self.one("SELECT photos FROM database", [])?;
        let all = all.max(1) as f64;
        let mut gatherings = Vec::new();
        for condition in &filter.tags {
            gatherings.push(self.by_tag(condition, filter.min_confidence)?);
        }
        if let Some(folders) = &filter.folders {
            gatherings.push(self.by_folder(folders)?);
        }
        if let Some(place) = filter.near {
            gatherings.push(self.by_place(place)?);
        }
        if filter.damaged {
            gatherings.push(self.by_damage()?);
        }
        for gear in filter.gear() {
            let (from, names) = self.photos_with(gear)?;
            gatherings.push(self.by_ids(&from, vec![names])?);
        }
        if let Some(on) = filter.on {
            gatherings.push(self.by_day(on)?);
        }
        for photos in filter
            .said
            .photos()
            .into_iter()
            .chain(filter.taken.photos())
        {
            gatherings.push(self.by_photos(&photos)?);
        }
        let mut walk = self.by_time(filter, all)?;
        // As if conditions had nothing to do with each other: the share that passes them all.
        let share: f64 = gatherings
            .iter()
            .map(|way| (way.places / all).min(1.0))
            .product();
        let mut cost = walk.places;
        if let Some(limit) = limit {
            cost = cost.min((limit.max(1) as f64) / share.max(1.0 / all));
        }
        for way in gatherings {
            if way.places * GATHERING < cost {
                cost = way.places * GATHERING;
                walk = way;
            }
        }
        Ok(walk)
    }

    fn by_tag(&self, condition: &TagCondition, min_confidence: f32) -> rusqlite::Result<Way> {
        self.by_photos(&self.carried_by(condition, min_confidence)?)
    }

    /// A statement that gives the photos that carry a tag or keyword, some twice.
    pub(super) fn carried_by(
        &self,
        condition: &TagCondition,
        least: f32,
    ) -> rusqlite::Result<String> {
        let terms = self.terms(condition)?;
        Ok(format!(
            "SELECT photo FROM tags INDEXED BY tags_by_term WHERE term IN ({terms}) AND confidence >= {}
             UNION ALL {}",
            column(least),
            with_keyword(&condition.keywords)
        ))
    }

    /// The photos that a statement gives, whatever it gives twice.
    fn by_photos(&self, from: &str) -> rusqlite::Result<Way> {
        Ok(Way {
            places: self.counted(from, &[])?,
            from: format!(
                "(SELECT DISTINCT photo FROM ({from})) d CROSS JOIN files f INDEXED BY files_by_photo ON f.photo = d.photo"
            ),
            values: Vec::new(),
        })
    }

    fn by_folder(&self, folders: &[i64]) -> rusqlite::Result<Way> {
        let ids = format!("{folders:?}");
        let places: i64 = self.one(
            "SELECT coalesce(sum(photos), 0) FROM folders WHERE id IN (SELECT value FROM json_each(?1))",
            [&ids],
        )?;
        Ok(Way {
            // Read off the index, in long runs.
            places: places as f64 / GATHERING,
            from: "json_each(?) d CROSS JOIN files f INDEXED BY files_by_folder
                ON f.folder = d.value AND f.photo IS NOT NULL AND f.missing_since IS NULL"
                .to_owned(),
            values: vec![Value::Text(ids)],
        })
    }

    fn by_place(&self, place: Circle) -> rusqlite::Result<Way> {
        let from = "SELECT id FROM photos INDEXED BY photos_by_place
                    WHERE lat BETWEEN ? AND ? AND lon BETWEEN ? AND ?";
        self.by_ids(from, place.box_around().map(Value::Real).to_vec())
    }

    fn by_damage(&self) -> rusqlite::Result<Way> {
        let from =
            "SELECT id FROM photos INDEXED BY photos_not_whole WHERE pixels > 0 AND pixels <> 4";
        self.by_ids(from, Vec::new())
    }

    /// The photos that a statement gives, each once.
    fn by_ids(&self, from: &str, values: Vec<Value>) -> rusqlite::Result<Way> {
        Ok(Way {
            places: self.counted(from, &values)?,
            from: format!(
                "({from}) d CROSS JOIN files f INDEXED BY files_by_photo ON f.photo = d.id"
            ),
            values,
        })
    }

    fn by_day(&self, on: YearlyDay) -> rusqlite::Result<Way> {
        // One at a time, either end is read off the index; both at once are looked for in all of it.
        let ends = "SELECT
            (SELECT min(taken) FROM files INDEXED BY files_by_taken WHERE photo IS NOT NULL AND missing_since IS NULL),
            (SELECT max(taken) FROM files INDEXED BY files_by_taken WHERE photo IS NOT NULL AND missing_since IS NULL)";
        let ends = self.conn.prepare_cached(ends)?.query_row([], |r| {
            Ok((r.get::<_, Option<i64>>(0)?, r.get::<_, Option<i64>>(1)?))
        })?;
        let (first, last) = (ends.0.unwrap_or(0), ends.1.unwrap_or(0));
        let from = "json_each(?) d CROSS JOIN files f INDEXED BY files_by_taken
            ON f.taken >= d.value ->> 0 AND f.taken < d.value ->> 1
            AND f.photo IS NOT NULL AND f.missing_since IS NULL";
        let values = vec![Value::Text(when::every_year(on, first, last))];
        Ok(Way {
            // Read off the index, in a run for each year.
            places: self.counted(&format!("SELECT 1 FROM {from}"), &values)? / GATHERING,
            from: from.to_owned(),
            values,
        })
    }

    fn by_time(&self, filter: &PhotoFilter<'_>, all: f64) -> rusqlite::Result<Way> {
        let mut places = all;
        if !filter.since.is_empty() || !filter.until.is_empty() {
            let only = PhotoFilter {
                since: filter.since.clone(),
                until: filter.until.clone(),
                ..PhotoFilter::default()
            };
            let (wheres, values) = self.conditions(&only)?;
            let sql = format!("SELECT 1 FROM files f INDEXED BY files_by_taken WHERE {wheres}");
            places = places.min(self.counted(&sql, &values)?);
        }
        Ok(Way {
            from: "files f INDEXED BY files_by_taken".to_owned(),
            values: Vec::new(),
            places,
        })
    }

    /// How many rows a statement gives, counted up to [`COUNTED`].
    fn counted(&self, sql: &str, values: &[Value]) -> rusqlite::Result<f64> {
        let sql = format!("SELECT count(*) FROM ({sql} LIMIT {COUNTED})");
        let count: i64 = self.one(&sql, params_from_iter(values))?;
        Ok(count as f64)
    }

    fn one(&self, sql: &str, parameters: impl rusqlite::Params) -> rusqlite::Result<i64> {
        self.conn
            .prepare_cached(sql)?
            .query_row(parameters, |r| r.get(0))
    }
}
