//! Photos: one row a content, shared by every path where it lies.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::{At, StoreError};
use super::said::{self, Layer};
use super::{StoreReader, unix_now};
use crate::looks::Looks;
use crate::photo::{
    CapturedAt, ContentHash, Exif, Format, Inspection, PerceptualHash, PixelTrouble, Pixels,
    RelPath,
};
use crate::said::{DateField, SaidDate, WrittenDate};

/// A photo as stored.
#[derive(Debug, Clone)]
pub struct PhotoRow {
    /// `photos.id`.
    pub id: i64,
    /// BLAKE3 of the bytes.
    pub hash: ContentHash,
    /// `jpeg`, `png`, …
    pub format: String,
    /// Pixels as displayed.
    pub width: u32,
    /// Pixels as displayed.
    pub height: u32,
    /// EXIF orientation as found.
    pub orientation: u8,
    /// Camera metadata, but for the place: that is by whoever knows best.
    pub exif: Exif,
    /// The best date but for names' and files' ([`Hit::date`]).
    pub dated: Option<SaidDate>,
    /// A few words.
    pub title: Option<String>,
    /// Some sentences.
    pub caption: Option<String>,
    /// 0 to 5 stars; −1: rejected.
    pub rating: Option<i8>,
    /// How much of its picture could be had.
    pub pixels: Pixels,
    /// Perceptual hash; empty without pixels.
    pub phash: PerceptualHash,
    /// Places that it lies at, those held as missing not counted.
    pub places: i64,
}

/// A photo at one of its places.
#[derive(Debug, Clone)]
pub struct Hit {
    /// `roots.id` of the folder it lies in.
    pub root_id: i64,
    /// Folder it lies in.
    pub root: std::path::PathBuf,
    /// Path below it.
    pub path: RelPath,
    /// File size in bytes.
    pub size: u64,
    /// Modification time, nanoseconds since the Unix epoch.
    pub mtime_ns: i64,
    /// False while its volume is away.
    pub online: bool,
    /// The content.
    pub photo: PhotoRow,
}

/// Columns of [`Hit::read`], over `files f JOIN photos p JOIN roots r`.
pub(super) const HIT_COLUMNS: &str = "r.path, f.path, f.size, f.mtime_ns, r.online, \
     p.id, p.hash, p.format, p.width, p.height, p.orientation, p.captured_local, \
     p.captured_offset, p.camera, p.lens, p.exposure_s, p.f_number, p.iso, p.focal_length_mm, \
     p.lat, p.lon, p.altitude_m, p.phash, p.pixels, p.pixels_kind, p.pixels_why, f.root, \
     p.dated, p.dated_by, p.title, p.caption, p.rating, p.places";

/// The statement for the photo at one path.
pub(super) fn hit_at() -> String {
    format!(
        "SELECT {HIT_COLUMNS} FROM files f JOIN photos p ON p.id = f.photo
         JOIN roots r ON r.id = f.root WHERE f.root = ?1 AND f.path = ?2"
    )
}

impl Hit {
    /// Reads [`HIT_COLUMNS`].
    pub(super) fn read(r: &Row<'_>) -> rusqlite::Result<Self> {
        use std::os::unix::ffi::OsStringExt;
        let offset: Option<i32> = r.get(12)?;
        Ok(Self {
            root_id: r.get(26)?,
            root: std::ffi::OsString::from_vec(r.get(0)?).into(),
            path: RelPath::from_bytes(r.get::<_, Vec<u8>>(1)?),
            size: r.get::<_, i64>(2)?.cast_unsigned(),
            mtime_ns: r.get(3)?,
            online: r.get(4)?,
            photo: PhotoRow {
                id: r.get(5)?,
                hash: ContentHash(r.get(6)?),
                format: r.get(7)?,
                width: r.get(8)?,
                height: r.get(9)?,
                orientation: r.get(10)?,
                exif: Exif {
                    captured_at: r.get::<_, Option<String>>(11)?.map(|local| CapturedAt {
                        local,
                        offset_minutes: offset,
                    }),
                    camera: r.get(13)?,
                    lens: r.get(14)?,
                    exposure_s: r.get(15)?,
                    f_number: r.get(16)?,
                    iso: r.get(17)?,
                    focal_length_mm: r.get(18)?,
                    lat: r.get(19)?,
                    lon: r.get(20)?,
                    altitude_m: r.get(21)?,
                },
                phash: PerceptualHash(r.get(22)?),
                pixels: pixels((r.get(23)?, r.get(24)?, r.get(25)?)),
                dated: said_date(r.get(27)?, r.get(28)?),
                title: r.get(29)?,
                caption: r.get(30)?,
                rating: r.get(31)?,
                places: r.get(32)?,
            },
        })
    }
}

impl Hit {
    /// When it was taken: as said of it, by this place's name, or by the file's time of change.
    pub fn date(&self) -> SaidDate {
        SaidDate::of_place(self.photo.dated, self.path.as_bytes(), self.mtime_ns)
    }
}

/// What the columns `dated` and `dated_by` say.
fn said_date(date: Option<String>, by: Option<i64>) -> Option<SaidDate> {
    Some(SaidDate {
        field: DateField::of_number(by?)?,
        date: WrittenDate::parse(&date?)?,
    })
}

/// The best date of a photo but for names' and files'.
pub(super) fn dated(conn: &Connection, photo: i64) -> rusqlite::Result<Option<SaidDate>> {
    let found = conn
        .prepare_cached("SELECT dated, dated_by FROM photos WHERE id = ?1")?
        .query_row([photo], |r| Ok(said_date(r.get(0)?, r.get(1)?)))
        .optional()?;
    Ok(found.flatten())
}

impl StoreReader {
    /// Every place where the content of `hash` lies.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn places(&self, hash: &ContentHash) -> Result<Vec<Hit>, StoreError> {
        let sql = format!(
            "SELECT {HIT_COLUMNS} FROM photos p JOIN files f INDEXED BY files_by_photo ON f.photo = p.id
             JOIN roots r ON r.id = f.root WHERE p.hash = ?1 ORDER BY r.path, f.path"
        );
        let mut stmt = self.conn.prepare_cached(&sql).at(&self.path)?;
        let rows = stmt.query_map([&hash.0[..]], Hit::read).at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }

    /// The photo at one path, looked up by the path's place under any root.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn photo_at(&self, root: i64, path: &RelPath) -> Result<Option<Hit>, StoreError> {
        self.conn
            .prepare_cached(&hit_at())
            .and_then(|mut s| {
                s.query_row(params![root, path.as_bytes()], Hit::read)
                    .optional()
            })
            .at(&self.path)
    }

    /// Whether any photo has this format. Looks at all of them where none has.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn has_format(&self, format: Format) -> Result<bool, StoreError> {
        self.conn
            .prepare_cached("SELECT 1 FROM photos WHERE format = ?1")
            .and_then(|mut s| s.exists([format.name()]))
            .at(&self.path)
    }

    /// The failure recorded at one path: kind and message.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn failure_at(
        &self,
        root: i64,
        path: &RelPath,
    ) -> Result<Option<(String, String)>, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT x.kind, x.message FROM files f JOIN failures x ON x.id = f.failure
                 WHERE f.root = ?1 AND f.path = ?2",
            )
            .and_then(|mut s| {
                s.query_row(params![root, path.as_bytes()], |r| {
                    Ok((r.get(0)?, r.get(1)?))
                })
                .optional()
            })
            .at(&self.path)
    }
}

impl StoreReader {
    /// What tells a photo's kind; `None`: it has not been looked at for that.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn looks(&self, photo: i64) -> Result<Option<Looks>, StoreError> {
        let kept: Option<Option<Vec<u8>>> = self
            .conn
            .prepare_cached("SELECT looks FROM photos WHERE id = ?1")
            .and_then(|mut s| s.query_row([photo], |r| r.get(0)).optional())
            .at(&self.path)?;
        Ok(kept.flatten().and_then(|kept| Looks::of_kept(&kept)))
    }

    /// The key of some content, if it is indexed.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn photo_id(&self, hash: &ContentHash) -> Result<Option<i64>, StoreError> {
        id(&self.conn, hash).at(&self.path)
    }
}

/// `photos.pixels` of a photo without any.
pub(super) const NO_PIXELS: i64 = 3;
/// `photos.pixels` of a photo whose large picture waits.
const PREVIEW: i64 = 4;

/// What the columns `pixels`, `pixels_kind`, `pixels_why` say.
fn pixels((state, kind, why): (i64, Option<String>, Option<String>)) -> Pixels {
    let trouble = PixelTrouble {
        kind: kind.unwrap_or_default(),
        message: why.unwrap_or_default(),
    };
    match state {
        0 => Pixels::Whole,
        PREVIEW => Pixels::Preview,
        1 => Pixels::Damaged(trouble),
        2 => Pixels::Thumbnail(trouble),
        _ => Pixels::None(trouble),
    }
}

fn pixels_column(pixels: &Pixels) -> i64 {
    match pixels {
        Pixels::Whole => 0,
        Pixels::Damaged(_) => 1,
        Pixels::Thumbnail(_) => 2,
        Pixels::None(_) => NO_PIXELS,
        Pixels::Preview => PREVIEW,
    }
}

/// The key of some content.
pub(super) fn id(conn: &Connection, hash: &ContentHash) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached("SELECT id FROM photos WHERE hash = ?1")?
        .query_row([&hash.0[..]], |r| r.get(0))
        .optional()
}

/// What `photos.facts_by` is set to: the version of what reads [`crate::said::Said`] and [`Looks`] out of files. A
/// migration that sets it to 0 has all photos read again for it.
const FACTS_VERSION: i64 = 2;

/// Takes over what was read of some content again, for what is said of it and for what tells its kind, by which it
/// is tagged again; what was made of its picture stays. `None`: nothing can be read.
pub(super) fn read_again(
    conn: &Connection,
    photo: i64,
    seen: Option<&Inspection>,
) -> rusqlite::Result<()> {
    let captured = seen.and_then(|seen| seen.exif.captured_at.as_ref());
    conn.prepare_cached(
        "UPDATE photos SET facts_by = ?2, captured_local = coalesce(?3, captured_local),
             captured_offset = coalesce(?4, captured_offset) WHERE id = ?1",
    )?
    .execute(params![
        photo,
        FACTS_VERSION,
        captured.map(|c| c.local.as_str()),
        captured.and_then(|c| c.offset_minutes),
    ])?;
    let Some(seen) = seen else {
        return Ok(());
    };
    conn.prepare_cached("UPDATE photos SET looks = ?2, tagger = 0 WHERE id = ?1")?
        .execute(params![photo, seen.looks.kept()])?;
    said::put(conn, photo, Layer::File, &said::worth_keeping(&seen.said))?;
    said::settle(conn, photo, false)
}

/// Writes a photo and returns its key; a newer decoder's view replaces an older one's. A key is
/// never given twice, not even that of a photo that was swept: derived files may still hold it.
pub(super) fn put(
    conn: &Connection,
    hash: &ContentHash,
    seen: &Inspection,
    decoder_version: u32,
) -> rusqlite::Result<i64> {
    let captured = seen.exif.captured_at.as_ref();
    conn.prepare_cached(
        "INSERT INTO photos (id, hash, format, width, height, orientation, captured_local,
             captured_offset, camera, lens, exposure_s, f_number, iso,
             focal_length_mm, lat, lon, altitude_m, phash, decoder_version, indexed_at,
             pixels, pixels_kind, pixels_why, facts_by, looks)
         VALUES ((SELECT 1 + max(last_photo, coalesce((SELECT max(id) FROM photos), 0)) FROM database),
             ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
             ?20, ?21, ?22, ?23, ?24)
         ON CONFLICT (hash) DO UPDATE SET format = excluded.format, width = excluded.width,
             height = excluded.height, orientation = excluded.orientation,
             captured_local = excluded.captured_local, captured_offset = excluded.captured_offset,
             camera = excluded.camera, lens = excluded.lens,
             exposure_s = excluded.exposure_s, f_number = excluded.f_number, iso = excluded.iso,
             focal_length_mm = excluded.focal_length_mm, lat = excluded.lat, lon = excluded.lon,
             altitude_m = excluded.altitude_m, phash = excluded.phash,
             decoder_version = excluded.decoder_version, pixels = excluded.pixels,
             pixels_kind = excluded.pixels_kind, pixels_why = excluded.pixels_why,
             facts_by = excluded.facts_by, looks = excluded.looks
         RETURNING id",
    )?
    .query_row(
        params![
            &hash.0[..],
            seen.format.name(),
            seen.width,
            seen.height,
            seen.orientation,
            captured.map(|c| c.local.as_str()),
            captured.and_then(|c| c.offset_minutes),
            seen.exif.camera,
            seen.exif.lens,
            seen.exif.exposure_s,
            seen.exif.f_number,
            seen.exif.iso,
            seen.exif.focal_length_mm,
            seen.exif.lat,
            seen.exif.lon,
            seen.exif.altitude_m,
            seen.perceptual_hash.0,
            decoder_version,
            unix_now(),
            pixels_column(&seen.pixels),
            seen.pixels.trouble().map(|t| t.kind.as_str()),
            seen.pixels.trouble().map(|t| t.message.as_str()),
            FACTS_VERSION,
            seen.looks.kept(),
        ],
        |r| r.get(0),
    )
}
