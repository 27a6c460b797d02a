//! Listing photos by what the index knows of them: newest first, along whichever index is shortest.
//!
//! A query is a *walk* over all places, newest first, until there are enough; or a *gathering* of the
//! places that one of its conditions names (a tag, folders, a circle on the map), which are then put
//! in order; `way` chooses. Either way the other conditions are checked place by place.

mod sets;
mod way;

use std::ops::ControlFlow;

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params_from_iter};

use self::way::Way;
use super::StoreReader;
use super::circle::Circle;
use super::error::{At, StoreError};
use super::gear::Gear;
use super::localities::LocalityFilter;
use super::photos::{HIT_COLUMNS, Hit, hit_at};
use super::said_filter::{SaidFilter, carries};
use super::tags::column;
use super::when::{self, Moment, YearlyDay};
use crate::photo::RelPath;

/// Any of these terms at or above the filter's confidence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagCondition {
    /// Term keys; a photo that carries one of them matches …
    pub keys: Vec<String>,
    /// … or one of these keywords that people gave (`keywords.id`).
    pub keywords: Vec<i64>,
}

/// Whether a path below a root fits: the root's key and the path.
pub type FitsPath<'a> = &'a (dyn Fn(i64, &RelPath) -> bool + 'a);

/// What the photos must be like; all parts hold at once.
#[derive(Clone, Default)]
pub struct PhotoFilter<'a> {
    /// Each must match.
    pub tags: Vec<TagCondition>,
    /// None may match.
    pub not_tags: Vec<TagCondition>,
    /// Confidence from which a wanted tag counts …
    pub min_confidence: f32,
    /// … and one that may not be there.
    pub not_confidence: f32,
    /// Taken at or after each of these.
    pub since: Vec<Moment>,
    /// Taken before each of these.
    pub until: Vec<Moment>,
    /// Taken on this day of any year.
    pub on: Option<YearlyDay>,
    /// Taken with a camera that a person means by this ([`super::is_gear`]).
    pub camera: Option<String>,
    /// Taken with such a lens.
    pub lens: Option<String>,
    /// Of whose picture less than all could be had.
    pub damaged: bool,
    /// Of which people say so.
    pub said: SaidFilter,
    /// Taken where.
    pub taken: LocalityFilter,
    /// Taken near here.
    pub near: Option<Circle>,
    /// In one of these folders (`folders.id`).
    pub folders: Option<Vec<i64>>,
    /// At a path that fits.
    pub path: Option<FitsPath<'a>>,
    /// Listed the other way round; the same photos fit.
    pub oldest_first: bool,
}

impl PhotoFilter<'_> {
    /// What they must be taken with.
    fn gear(&self) -> impl Iterator<Item = (Gear, &str)> {
        let gear = [(Gear::Camera, &self.camera), (Gear::Lens, &self.lens)];
        gear.into_iter()
            .filter_map(|(gear, typed)| Some((gear, typed.as_deref()?)))
    }

    /// Whether every photo fits.
    pub fn is_empty(&self) -> bool {
        let conditions = [
            !self.tags.is_empty(),
            !self.not_tags.is_empty(),
            !self.since.is_empty(),
            !self.until.is_empty(),
            self.on.is_some(),
            self.camera.is_some(),
            self.lens.is_some(),
            self.damaged,
            !self.said.is_empty(),
            !self.taken.is_empty(),
            self.near.is_some(),
            self.folders.is_some(),
            self.path.is_some(),
        ];
        !conditions.contains(&true)
    }
}

/// A folder with photos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderRow {
    /// `folders.id`.
    pub id: i64,
    /// `roots.id`.
    pub root: i64,
    /// Path below the root.
    pub path: RelPath,
    /// Photos in it, those in folders below it not counted.
    pub photos: i64,
}

impl StoreReader {
    /// Shows places of photos that match to `visit`, in the order of their dates, until it breaks. `limit` says how
    /// many will be looked at, if that is known.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn list(
        &self,
        filter: &PhotoFilter<'_>,
        limit: Option<usize>,
        visit: &mut dyn FnMut(Hit) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let way = self.way(filter, limit).at(&self.path)?;
        let (wheres, values) = self.conditions(filter).at(&self.path)?;
        // What is checked here and not in SQL may turn some of them down, and some are shown with others:
        // a few more than are wanted, and in the rare case that these do not do, all the rest.
        let enough = limit.filter(|_| filter.path.is_none() && filter.near.is_none());
        let enough = enough.and_then(|n| i64::try_from(n).ok()?.checked_mul(4));
        let mut pages = vec![(-1, 0)];
        if let Some(enough) = enough {
            pages = vec![(enough, 0), (-1, enough)];
        }
        let order = if filter.oldest_first { "ASC" } else { "DESC" };
        // Both are to see the same index.
        let snapshot = self.conn.unchecked_transaction().at(&self.path)?;
        let mut hit = snapshot.prepare(&hit_at()).at(&self.path)?;
        for (most, from) in pages {
            let sql = format!(
                "SELECT f.root, f.path FROM {} WHERE {wheres}
                 ORDER BY f.taken {order}, f.photo {order} LIMIT {most} OFFSET {from}",
                way.from
            );
            let mut stmt = snapshot.prepare(&sql).at(&self.path)?;
            let mut rows = stmt
                .query(params_from_iter(way.values.iter().chain(&values)))
                .at(&self.path)?;
            let mut seen = 0;
            while let Some(row) = rows.next().at(&self.path)? {
                seen += 1;
                let (root, path): (i64, Vec<u8>) =
                    (row.get(0).at(&self.path)?, row.get(1).at(&self.path)?);
                let path = RelPath::from_bytes(path);
                if filter.path.is_some_and(|fits| !fits(root, &path)) {
                    continue;
                }
                let found = hit
                    .query_row(rusqlite::params![root, path.as_bytes()], Hit::read)
                    .optional()
                    .at(&self.path)?;
                let Some(found) = found.filter(|hit| is_within(hit, filter.near)) else {
                    continue;
                };
                if visit(found).is_break() {
                    return Ok(());
                }
            }
            if seen < most {
                break;
            }
        }
        Ok(())
    }

    /// Photos that lie nowhere any more or are held as missing, ascending: they are kept for a while.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn nowhere(&self) -> Result<Vec<i64>, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT id FROM photos INDEXED BY photos_nowhere WHERE places = 0 ORDER BY id",
            )
            .and_then(|mut s| s.query_map([], |r| r.get(0))?.collect())
            .at(&self.path)
    }

    /// What [`Self::photo_ids`] gives, by asking each place on this way.
    fn ids_by_places(&self, filter: &PhotoFilter<'_>, way: &Way) -> Result<Vec<i64>, StoreError> {
        let mut ids = Vec::new();
        let (wheres, values) = self.conditions(filter).at(&self.path)?;
        let near = match filter.near {
            Some(_) => {
                "(SELECT p.lat FROM photos p WHERE p.id = f.photo), (SELECT p.lon FROM photos p WHERE p.id = f.photo)"
            }
            None => "NULL, NULL",
        };
        let sql = format!(
            "SELECT f.photo, f.root, f.path, {near} FROM {} WHERE {wheres}",
            way.from
        );
        let mut stmt = self.conn.prepare(&sql).at(&self.path)?;
        let mut rows = stmt
            .query(params_from_iter(way.values.iter().chain(&values)))
            .at(&self.path)?;
        while let Some(row) = rows.next().at(&self.path)? {
            if let Some(fits) = filter.path {
                let path: Vec<u8> = row.get(2).at(&self.path)?;
                if !fits(row.get(1).at(&self.path)?, &RelPath::from_bytes(path)) {
                    continue;
                }
            }
            let (lat, lon) = (row.get(3).at(&self.path)?, row.get(4).at(&self.path)?);
            if filter.near.is_none_or(|circle| circle.holds(lat, lon)) {
                ids.push(row.get(0).at(&self.path)?);
            }
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// The places of these photos that [`Self::list`] would show, by photo, folder and path.
    /// Proportional to the photos asked for.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn hits_of(
        &self,
        photos: &[i64],
        filter: &PhotoFilter<'_>,
    ) -> Result<Vec<Hit>, StoreError> {
        let (wheres, values) = self.conditions(filter).at(&self.path)?;
        let sql = format!(
            "SELECT {HIT_COLUMNS} FROM json_each(?) ids CROSS JOIN photos p ON p.id = ids.value
             CROSS JOIN files f INDEXED BY files_by_photo ON f.photo = p.id
             CROSS JOIN roots r ON r.id = f.root
             WHERE {wheres} ORDER BY p.id, r.path, f.path"
        );
        let mut sorted = photos.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let ids = Value::Text(format!("{sorted:?}"));
        let mut stmt = self.conn.prepare(&sql).at(&self.path)?;
        let rows = stmt
            .query_map(
                params_from_iter(std::iter::once(&ids).chain(&values)),
                Hit::read,
            )
            .at(&self.path)?;
        let mut hits = Vec::new();
        for row in rows {
            let hit = row.at(&self.path)?;
            if is_at(&hit, filter) {
                hits.push(hit);
            }
        }
        Ok(hits)
    }

    /// Every folder with photos.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn folders(&self) -> Result<Vec<FolderRow>, StoreError> {
        self.conn
            .prepare_cached("SELECT id, root, path, photos FROM folders WHERE photos > 0")
            .and_then(|mut s| {
                s.query_map([], |r| {
                    Ok(FolderRow {
                        id: r.get(0)?,
                        root: r.get(1)?,
                        path: RelPath::from_bytes(r.get::<_, Vec<u8>>(2)?),
                        photos: r.get(3)?,
                    })
                })?
                .collect()
            })
            .at(&self.path)
    }

    /// The ids of a condition's terms, for `IN (…)`.
    fn terms(&self, condition: &TagCondition) -> rusqlite::Result<String> {
        let keys = serde_json::to_string(&condition.keys).unwrap_or_else(|_| "[]".to_owned());
        let mut stmt = self.conn.prepare_cached(
            "SELECT id FROM terms WHERE key IN (SELECT value FROM json_each(?1))",
        )?;
        let ids = stmt.query_map([keys], |r| r.get::<_, i64>(0))?;
        let ids: Vec<String> = ids
            .map(|id| id.map(|n| n.to_string()))
            .collect::<Result<_, _>>()?;
        Ok(ids.join(","))
    }

    /// The filter as conditions over `files f`, with their values. What they let through, the filter's
    /// path and circle must let through too.
    pub(super) fn conditions(
        &self,
        filter: &PhotoFilter<'_>,
    ) -> rusqlite::Result<(String, Vec<Value>)> {
        let mut wheres = vec!["f.photo IS NOT NULL AND f.missing_since IS NULL".to_owned()];
        let mut values: Vec<Value> = Vec::new();
        let wanted = filter
            .tags
            .iter()
            .map(|tag| (tag, "", filter.min_confidence));
        let unwanted = filter
            .not_tags
            .iter()
            .map(|tag| (tag, "NOT ", filter.not_confidence));
        for (tag, not, least) in wanted.chain(unwanted) {
            let least = column(least);
            let terms = self.terms(tag)?;
            wheres.push(format!(
                "{not}(EXISTS (SELECT 1 FROM tags g WHERE g.photo = f.photo AND g.term IN ({terms}) AND g.confidence >= {least})
                    OR {})",
                carries(&tag.keywords)
            ));
        }
        wheres.extend(filter.said.conditions());
        wheres.extend(filter.taken.conditions());
        let when = when::conditions((&filter.since, &filter.until), filter.on);
        wheres.extend(when.0);
        values.extend(when.1);
        for gear in filter.gear() {
            let (condition, names) = self.taken_with(gear)?;
            wheres.push(condition);
            values.push(names);
        }
        if filter.damaged {
            wheres.push(
                "EXISTS (SELECT 1 FROM photos w WHERE w.id = f.photo AND w.pixels > 0 AND w.pixels <> 4)".to_owned(),
            );
        }
        if let Some(place) = filter.near {
            wheres.push(
                "EXISTS (SELECT 1 FROM photos n WHERE n.id = f.photo
                         AND n.lat BETWEEN ? AND ? AND n.lon BETWEEN ? AND ?)"
                    .to_owned(),
            );
            values.extend(place.box_around().map(Value::Real));
        }
        if let Some(folders) = &filter.folders {
            wheres.push("f.folder IN (SELECT value FROM json_each(?))".to_owned());
            values.push(Value::Text(format!("{folders:?}")));
        }
        Ok((wheres.join(" AND "), values))
    }
}

/// What is not asked of SQL.
pub(super) fn is_at(hit: &Hit, filter: &PhotoFilter<'_>) -> bool {
    filter.path.is_none_or(|fits| fits(hit.root_id, &hit.path)) && is_within(hit, filter.near)
}

fn is_within(hit: &Hit, near: Option<Circle>) -> bool {
    near.is_none_or(|circle| circle.holds(hit.photo.exif.lat, hit.photo.exif.lon))
}
