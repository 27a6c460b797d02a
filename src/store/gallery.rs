//! What a gallery shows of all photos at once: few columns of very many rows, read in one pass.

use rusqlite::{OptionalExtension, params};

use super::error::{At, StoreError};
use super::localities::locality_of;
use super::tags::column;
use super::thumbs::ThumbStore;
use super::{Hit, PhotoFilter, StoreReader};
use crate::photo::{ContentHash, Format, Locality};

/// The shape of a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhotoShape {
    /// `photos.id`.
    pub photo: i64,
    /// Pixels as displayed.
    pub width: u32,
    /// Pixels as displayed.
    pub height: u32,
    /// A camera's own format, which may be shown as another file.
    pub is_raw: bool,
}

/// Read off the index alone: among a million photos 0.3 instead of 3 seconds.
pub(super) const POSITIONS: &str = "SELECT id, lat, lon FROM photos INDEXED BY photos_by_place
     WHERE lat IS NOT NULL AND lon IS NOT NULL AND places > 0";

/// Where a photo was taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PhotoPosition {
    /// `photos.id`.
    pub photo: i64,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
}

/// What a photo looks like, as far as copies are told by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appearance<'a> {
    /// `photos.id`.
    pub photo: i64,
    /// Perceptual hash: copies differ in few of its bits.
    pub hash: &'a [u8],
    /// Width times height.
    pub pixels: i64,
    /// Files that hold it.
    pub places: i64,
}

/// What some photos have most of, as `(name, photos)`, most photos first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PhotoFacets {
    /// Names of tags.
    pub tags: Vec<(String, i64)>,
    /// Names of people.
    pub people: Vec<(String, i64)>,
    /// Cities, regions, countries.
    pub places: Vec<(Locality, i64)>,
    /// Makers and models.
    pub cameras: Vec<(String, i64)>,
    /// Years in which they were taken.
    pub years: Vec<(i64, i64)>,
}

/// What tells the tiles of one moment from those of another: equal values mean equal tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TilesMark {
    /// Photos there are.
    pub photos: i64,
    /// The largest of their numbers.
    pub newest: i64,
    /// Counts every place of a photo that comes or goes, and all else that changes a tile.
    pub changes: i64,
}

/// A photo that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewPhoto {
    /// What it looks like.
    pub shape: PhotoShape,
    /// When it was taken, at its newest place: milliseconds, as if the clock that says so were UTC.
    pub taken_ms: i64,
    /// How many places it has.
    pub places: i64,
}

impl PhotoShape {
    fn read(r: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            photo: r.get(0)?,
            width: r.get(1)?,
            height: r.get(2)?,
            is_raw: r.get_ref(3)?.as_str()? == Format::Raw.name(),
        })
    }
}

impl StoreReader {
    /// Shows the shape of every photo to `visit`, in the order of their numbers.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn shapes(&self, visit: &mut dyn FnMut(PhotoShape)) -> Result<(), StoreError> {
        self.each(
            "SELECT id, width, height, format FROM photos NOT INDEXED ORDER BY id",
            [],
            &mut |r| {
                visit(PhotoShape::read(r)?);
                Ok(())
            },
        )
    }

    /// Shows every photo to `visit`, newest first, with the milliseconds at which it was taken (as if the clock
    /// that says so were UTC); one that lies at several places comes several times. One index holds all of
    /// this: together with [`Self::shapes`] it takes a tenth of a query that joins the two.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn moments(&self, visit: &mut dyn FnMut(i64, i64)) -> Result<(), StoreError> {
        self.each(
            "SELECT photo, taken FROM files INDEXED BY files_by_taken
             WHERE photo IS NOT NULL AND missing_since IS NULL
             ORDER BY taken DESC, photo DESC",
            [],
            &mut |r| {
                visit(r.get(0)?, r.get(1)?);
                Ok(())
            },
        )
    }

    /// The photos whose numbers are larger than this one, newest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn come_after(&self, photo: i64) -> Result<Vec<NewPhoto>, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT p.id, p.width, p.height, p.format, max(f.taken), count(*) FROM photos p
                 CROSS JOIN files f INDEXED BY files_by_photo ON f.photo = p.id AND f.missing_since IS NULL
                 WHERE p.id > ?1 GROUP BY p.id ORDER BY 5 DESC, 1 DESC",
            )
            .and_then(|mut s| {
                s.query_map([photo], |r| {
                    Ok(NewPhoto {
                        shape: PhotoShape::read(r)?,
                        taken_ms: r.get(4)?,
                        places: r.get(5)?,
                    })
                })?
                .collect()
            })
            .at(&self.path)
    }

    /// When a photo was taken, at its newest place; `None` if it has none.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn moment_of(&self, photo: i64) -> Result<Option<i64>, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT max(taken) FROM files INDEXED BY files_by_photo
                 WHERE photo = ?1 AND missing_since IS NULL",
            )
            .and_then(|mut s| s.query_row([photo], |r| r.get(0)))
            .at(&self.path)
    }

    /// Has everything read that `work` reads as it is at one moment.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn at_one_moment<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let _moment = self.conn.unchecked_transaction().at(&self.path)?;
        work()
    }

    /// Shows each row of a statement to `visit`.
    pub(super) fn each(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        visit: &mut dyn FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let mut stmt = self.conn.prepare_cached(sql).at(&self.path)?;
        let mut rows = stmt.query(values).at(&self.path)?;
        while let Some(r) = rows.next().at(&self.path)? {
            visit(r).at(&self.path)?;
        }
        Ok(())
    }

    /// Shows what each photo with a whole picture looks like to `visit`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn appearances(&self, visit: &mut dyn FnMut(Appearance<'_>)) -> Result<(), StoreError> {
        self.each(
            "SELECT id, phash, width * height, places FROM photos WHERE places > 0 AND pixels = 0
             AND length(phash) > 0",
            [],
            &mut |r| {
                visit(Appearance {
                    photo: r.get(0)?,
                    hash: r.get_ref(1)?.as_blob()?,
                    pixels: r.get(2)?,
                    places: r.get(3)?,
                });
                Ok(())
            },
        )
    }

    /// Shows every photo whose coordinates are known to `visit`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn positions(&self, visit: &mut dyn FnMut(PhotoPosition)) -> Result<(), StoreError> {
        self.each(POSITIONS, [], &mut |r| {
            visit(PhotoPosition {
                photo: r.get(0)?,
                lat: r.get(1)?,
                lon: r.get(2)?,
            });
            Ok(())
        })
    }

    /// A number that is another one whenever somebody has written, to be compared with what the same
    /// reader said before. Costs some microseconds.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn data_version(&self) -> Result<i64, StoreError> {
        self.conn
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut s| s.query_row([], |r| r.get(0)))
            .at(&self.path)
    }

    /// What tells the tiles there are now from those of another moment. Costs some microseconds.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn tiles_mark(&self) -> Result<TilesMark, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT photos, coalesce((SELECT max(id) FROM photos), 0), tiles FROM database",
            )
            .and_then(|mut s| {
                s.query_row([], |r| {
                    Ok(TilesMark {
                        photos: r.get(0)?,
                        newest: r.get(1)?,
                        changes: r.get(2)?,
                    })
                })
            })
            .at(&self.path)
    }

    /// What these photos have most of, `limit` of each. A tag counts from `min_confidence` on. Proportional to
    /// the photos.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn facets_among(
        &self,
        photos: &[i64],
        min_confidence: f32,
        limit: usize,
    ) -> Result<PhotoFacets, StoreError> {
        let ids = format!("{photos:?}");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let counted = "FROM json_each(?1) ids CROSS JOIN";
        Ok(PhotoFacets {
            tags: self.most(
                &format!(
                    "SELECT t.name, count(*) {counted} tags g ON g.photo = ids.value AND g.confidence >= ?3
                     JOIN terms t ON t.id = g.term GROUP BY t.id ORDER BY 2 DESC, 1 LIMIT ?2"
                ),
                params![ids, limit, column(min_confidence)],
                |r| r.get(0),
            )?,
            people: self.most(
                &format!(
                    "SELECT n.name, count(*) {counted} photo_people w ON w.photo = ids.value
                     JOIN people n ON n.id = w.person GROUP BY n.id ORDER BY 2 DESC, 1 LIMIT ?2"
                ),
                params![ids, limit],
                |r| r.get(0),
            )?,
            places: self.most(
                &format!(
                    "SELECT l.id, count(*), l.code, l.region, l.name, l.near, l.country
                     {counted} photos p ON p.id = ids.value JOIN localities l ON l.id = p.locality
                     GROUP BY l.id ORDER BY 2 DESC, l.country, l.region, l.name LIMIT ?2"
                ),
                params![ids, limit],
                |r| locality_of(r, 2),
            )?,
            cameras: self.most(
                &format!(
                    "SELECT p.camera, count(*) {counted} photos p ON p.id = ids.value
                     WHERE p.camera IS NOT NULL GROUP BY p.camera ORDER BY 2 DESC, 1 LIMIT ?2"
                ),
                params![ids, limit],
                |r| r.get(0),
            )?,
            years: self.most(
                &format!(
                    "SELECT CAST(strftime('%Y', f.taken / 1000, 'unixepoch') AS INTEGER) y, count(DISTINCT f.photo)
                     {counted} files f INDEXED BY files_by_photo ON f.photo = ids.value
                     WHERE f.missing_since IS NULL GROUP BY y ORDER BY 2 DESC, 1 DESC LIMIT ?2"
                ),
                params![ids, limit],
                |r| r.get(0),
            )?,
        })
    }

    /// Rows of what is counted and how often.
    fn most<T>(
        &self,
        sql: &str,
        params: &[&dyn rusqlite::ToSql],
        what: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<(T, i64)>, StoreError> {
        self.conn
            .prepare_cached(sql)
            .and_then(|mut s| {
                s.query_map(params, |r| Ok((what(r)?, r.get(1)?)))?
                    .collect()
            })
            .at(&self.path)
    }

    /// A photo at one of its places, one whose volume is there if there is any.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn photo_called(&self, id: i64) -> Result<Option<Hit>, StoreError> {
        let mut hits = self.hits_of(&[id], &PhotoFilter::default())?;
        let online = hits.iter().position(|hit| hit.online).unwrap_or(0);
        Ok((!hits.is_empty()).then(|| hits.swap_remove(online)))
    }

    /// The content of a photo.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn content_of_photo(&self, id: i64) -> Result<Option<ContentHash>, StoreError> {
        self.conn
            .prepare_cached("SELECT hash FROM photos WHERE id = ?1")
            .and_then(|mut s| s.query_row([id], |r| Ok(ContentHash(r.get(0)?))).optional())
            .at(&self.path)
    }
}

impl ThumbStore {
    /// A photo's thumbnail as it is stored: its type and its bytes.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn image_of(&self, hash: &ContentHash) -> Result<Option<(String, Vec<u8>)>, StoreError> {
        self.conn
            .prepare_cached("SELECT mime, image FROM thumbs WHERE hash = ?1")
            .and_then(|mut s| {
                s.query_row(params![&hash.0[..]], |r| Ok((r.get(0)?, r.get(1)?)))
                    .optional()
            })
            .at(&self.path)
    }
}
