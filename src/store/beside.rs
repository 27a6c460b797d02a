//! What lies beside photos counts: the sidecars of each photo, put together into one layer of what is
//! said of it ([`Layer::Beside`]).
//!
//! The layer is a function of the rows of `files` and `sidecars`: whoever changes one of them tells
//! [`Touched`], and before the transaction ends [`Touched::settle`] makes the layers of all photos
//! concerned again, each once. So the order in which photos and sidecars come, change and go makes no
//! difference. Names are matched in *families* of a few rows ([`crate::sidecar::group`]).
//!
//! Cost of a path without sidecars: two look-ups. A layer that turns out as it was costs no more than
//! reading it.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreReader;
use super::error::{At, StoreError};
use super::files::{FileKey, folder_of};
use super::said::{self, Layer};
use crate::photo::RelPath;
use crate::said::text::line;
use crate::said::{DateField, MAX_TITLE, Said, SaidDate};
use crate::sidecar::{Bond, Bonded, SidecarName, bonds, group};

/// Places of one photo whose sidecars are looked at: thousands of copies add nothing.
const MAX_PLACES: i64 = 64;

/// What a transaction has changed that may change what counts.
#[derive(Default)]
pub(super) struct Touched {
    /// Folder and family.
    families: BTreeSet<(i64, String)>,
    photos: BTreeSet<i64>,
}

impl Touched {
    /// A sidecar of this family has come, changed or gone.
    pub fn family(&mut self, folder: i64, family: String) {
        self.families.insert((folder, family));
    }

    /// The row of a path is about to come, change or go. True if there are sidecars that may be its.
    pub fn place(&mut self, conn: &Connection, key: &FileKey) -> rusqlite::Result<bool> {
        let Some(folder) = known_folder(conn, key)? else {
            return Ok(false);
        };
        let family = group(key.path.name());
        // One of its sidecars may have left in this very transaction, and its words are still there.
        let any = self.families.contains(&(folder, family.clone()))
            || conn
                .prepare_cached(
                    "SELECT 1 FROM sidecars INDEXED BY sidecars_by_family
                     WHERE folder = ?1 AND family = ?2",
                )?
                .exists(params![folder, family])?;
        if any {
            let leaves: Option<i64> = conn
                .prepare_cached("SELECT photo FROM files WHERE root = ?1 AND path = ?2")?
                .query_row(params![key.root, key.path.as_bytes()], |r| r.get(0))
                .optional()?
                .flatten();
            self.photos.extend(leaves);
            self.families.insert((folder, family));
        }
        Ok(any)
    }

    /// Places of a photo have gone, or its file says something else.
    pub fn photo(&mut self, conn: &Connection, photo: i64) -> rusqlite::Result<()> {
        if stored(conn, photo)?.is_some() {
            self.photos.insert(photo);
        }
        Ok(())
    }

    /// Makes what has been touched count.
    pub fn settle(mut self, conn: &Connection) -> rusqlite::Result<()> {
        let mut families = Families::default();
        for (folder, family) in std::mem::take(&mut self.families) {
            let family = families.get(conn, folder, family)?;
            self.photos
                .extend(family.places.iter().filter_map(|place| place.photo));
        }
        for photo in self.photos {
            if renew(conn, photo, None, &mut families)? {
                said::settle(conn, photo, false)?;
            }
        }
        Ok(())
    }
}

/// Makes the layer of a photo whose row at this path is about to be written, for [`said::settle`].
pub(super) fn renew_before(
    conn: &Connection,
    photo: i64,
    key: &FileKey,
    mtime_ns: i64,
) -> rusqlite::Result<()> {
    renew(conn, photo, Some((key, mtime_ns)), &mut Families::default()).map(|_| ())
}

/// Photos of these that have words from beside them are looked at again.
pub(super) fn refresh_all(conn: &Connection, photos: Vec<i64>) -> rusqlite::Result<()> {
    let any = conn
        .prepare_cached("SELECT 1 FROM said WHERE layer = 1")?
        .exists([])?;
    let mut touched = Touched::default();
    if any {
        for photo in photos {
            touched.photo(conn, photo)?;
        }
    }
    touched.settle(conn)
}

/// A place of a photo.
struct Place {
    path: RelPath,
    photo: Option<i64>,
    missing: bool,
}

/// A sidecar as its row has it.
struct Sidecar {
    path: RelPath,
    mtime_ns: i64,
    said: Said,
    trouble: Option<String>,
}

/// Photos and sidecars of one folder that may belong together, and how they do.
pub(super) struct Family {
    /// In the order of their paths.
    places: Vec<Place>,
    sidecars: Vec<Sidecar>,
    /// In the order of the places.
    bonds: Vec<Bonded>,
}

impl Family {
    /// Reads it; `also` is a path whose row is yet to come.
    pub fn read(
        conn: &Connection,
        folder: i64,
        family: &str,
        also: Option<&RelPath>,
    ) -> rusqlite::Result<Self> {
        let mut places: Vec<Place> = conn
            .prepare_cached(
                "SELECT path, photo, missing_since IS NOT NULL FROM files INDEXED BY files_by_family
                 WHERE folder = ?1 AND family = ?2",
            )?
            .query_map(params![folder, family], |r| {
                Ok(Place {
                    path: RelPath::from_bytes(r.get::<_, Vec<u8>>(0)?),
                    photo: r.get(1)?,
                    missing: r.get(2)?,
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
        if let Some(path) = also.filter(|also| places.iter().all(|place| place.path != **also)) {
            places.push(Place {
                path: path.clone(),
                photo: None,
                missing: false,
            });
        }
        places.sort_by(|a, b| a.path.cmp(&b.path));
        let mut names = Vec::new();
        let mut sidecars = Vec::new();
        let mut stmt = conn.prepare_cached(
            "SELECT path, mtime_ns, said, derived_from, trouble FROM sidecars INDEXED BY sidecars_by_family
             WHERE folder = ?1 AND family = ?2",
        )?;
        let mut rows = stmt.query(params![folder, family])?;
        while let Some(row) = rows.next()? {
            let path = RelPath::from_bytes(row.get::<_, Vec<u8>>(0)?);
            let json: Option<String> = row.get(2)?;
            names.push(SidecarName {
                name: path.name().to_vec(),
                derived_from: row.get(3)?,
            });
            sidecars.push(Sidecar {
                path,
                mtime_ns: row.get(1)?,
                // Written by this program; what cannot be read all the same says nothing.
                said: json
                    .and_then(|json| serde_json::from_str(&json).ok())
                    .unwrap_or_default(),
                trouble: row.get(4)?,
            });
        }
        let photos: Vec<&[u8]> = places.iter().map(|place| place.path.name()).collect();
        let mut bonds = bonds(&photos, &names);
        bonds.sort_by_key(|bonded| bonded.photo);
        Ok(Self {
            places,
            sidecars,
            bonds,
        })
    }

    /// The places that a sidecar speaks of.
    fn places_of(&self, sidecar: &RelPath) -> impl Iterator<Item = &Place> {
        let its = self
            .bonds
            .iter()
            .filter(move |bonded| self.sidecars[bonded.sidecar].path == *sidecar);
        its.map(|bonded| &self.places[bonded.photo])
    }

    fn photos_of(&self, sidecar: &RelPath) -> Vec<RelPath> {
        let photos = self
            .places_of(sidecar)
            .filter(|place| place.photo.is_some());
        photos.map(|place| place.path.clone()).collect()
    }

    /// True if this sidecar speaks of photos, and all of them are held as missing.
    pub fn is_held(&self, sidecar: &RelPath) -> bool {
        let mut its = self.places_of(sidecar).peekable();
        its.peek().is_some() && its.all(|place| place.missing)
    }

    /// The sidecars of the photo at a path, those that are believed first first.
    fn of(&self, path: &RelPath) -> Vec<(Bond, &Sidecar)> {
        let Ok(place) = self.places.binary_search_by(|place| place.path.cmp(path)) else {
            return Vec::new();
        };
        let start = self.bonds.partition_point(|bonded| bonded.photo < place);
        let its = self.bonds[start..].iter();
        let mut its: Vec<_> = its
            .take_while(|bonded| bonded.photo == place)
            .map(|bonded| (bonded.bond, &self.sidecars[bonded.sidecar]))
            .collect();
        its.sort_by(|(a, x), (b, y)| (a, &x.path).cmp(&(b, &y.path)));
        its
    }
}

/// Families, each read once.
#[derive(Default)]
struct Families(HashMap<(i64, String), Rc<Family>>);

impl Families {
    fn get(
        &mut self,
        conn: &Connection,
        folder: i64,
        family: String,
    ) -> rusqlite::Result<Rc<Family>> {
        let key = (folder, family);
        if let Some(known) = self.0.get(&key) {
            return Ok(Rc::clone(known));
        }
        let read = Rc::new(Family::read(conn, key.0, &key.1, None)?);
        self.0.insert(key, Rc::clone(&read));
        Ok(read)
    }
}

/// A sidecar's words on a photo at one of its places.
struct Word<'a> {
    bond: Bond,
    sidecar: &'a Sidecar,
    /// It was written after the photo's file.
    is_newer: bool,
}

/// Makes the layer of a photo again; `also` is a place whose row is yet to come, with the file's time of
/// change. True if it says something else than before.
fn renew(
    conn: &Connection,
    photo: i64,
    also: Option<(&FileKey, i64)>,
    families: &mut Families,
) -> rusqlite::Result<bool> {
    let mut places: Vec<(RelPath, i64, i64, String)> = conn
        .prepare_cached(
            "SELECT path, mtime_ns, folder, family FROM files INDEXED BY files_by_photo
             WHERE photo = ?1 ORDER BY root, path LIMIT ?2",
        )?
        .query_map([photo, MAX_PLACES], |r| {
            let path = RelPath::from_bytes(r.get::<_, Vec<u8>>(0)?);
            Ok((path, r.get(1)?, r.get(2)?, r.get(3)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut beside = Vec::new();
    if let Some((key, mtime_ns)) = also
        && let Some(folder) = known_folder(conn, key)?
    {
        places.retain(|(path, _, at, _)| (*at, path) != (folder, &key.path));
        let family = group(key.path.name());
        let read = Family::read(conn, folder, &family, Some(&key.path))?;
        beside.push((key.path.clone(), mtime_ns, Rc::new(read)));
    }
    for (path, mtime_ns, folder, family) in places {
        beside.push((path, mtime_ns, families.get(conn, folder, family)?));
    }
    let mut words: Vec<Word<'_>> = Vec::new();
    for (path, mtime_ns, family) in &beside {
        words.extend(family.of(path).into_iter().map(|(bond, sidecar)| Word {
            bond,
            sidecar,
            is_newer: sidecar.mtime_ns > *mtime_ns,
        }));
    }
    words.sort_by_key(|word| word.bond);
    let before = stored(conn, photo)?;
    if words.is_empty() && before.is_none() {
        return Ok(false);
    }
    let file = said::said(conn, photo, Layer::File)?;
    let said = united(&words, &file);
    let json = serde_json::to_string(&said).unwrap_or_default();
    if before.as_deref().unwrap_or("{}") == json {
        return Ok(false);
    }
    said::put(conn, photo, Layer::Beside, &said)?;
    Ok(true)
}

/// What all sidecars of a photo say together: of each thing what the first of them says that says
/// anything, keywords and people of all.
fn united(words: &[Word<'_>], file: &Said) -> Said {
    let mut all = Said::default();
    for word in words {
        let said = &word.sidecar.said;
        let tell = |why: &String| told(&word.sidecar.path, why);
        let told = said.dropped.iter().chain(&word.sidecar.trouble);
        all.dropped.extend(told.filter_map(tell));
        all.keywords.extend(said.keywords.iter().cloned());
        all.people.extend(said.people.iter().cloned());
        if word.bond == Bond::Version {
            continue;
        }
        all.title = all.title.or_else(|| said.title.clone());
        all.caption = all.caption.or_else(|| said.caption.clone());
        all.position = all.position.or(said.position);
        let is_note = matches!(word.bond, Bond::Note | Bond::Original);
        // A heart in Google Photos does not undo the stars that were given elsewhere.
        let stars = said.rating.filter(|_| !is_note || file.rating.is_none());
        all.rating = all.rating.or(stars);
        if let Some(first) = said.dates.first() {
            let field = match first.field {
                DateField::Takeout => DateField::Takeout,
                _ if word.is_newer && corrects(first, file.dates.first()) => DateField::Corrected,
                _ => DateField::Sidecar,
            };
            // One of a kind: what comes first is believed.
            if all.dates.iter().all(|known| known.field != field) {
                all.dates.push(SaidDate {
                    field,
                    date: first.date,
                });
            }
        }
    }
    all.tidied()
}

/// What is wrong with something in a sidecar, or with all of it, with the file's name.
fn told(sidecar: &RelPath, why: &str) -> Option<String> {
    // The name says what kind it is.
    let why = ["xmp: ", "takeout: "]
        .iter()
        .find_map(|kind| why.strip_prefix(kind))
        .unwrap_or(why);
    let name = String::from_utf8_lossy(sidecar.name());
    line(&format!("{name}: {why}"), MAX_TITLE)
}

/// Whether a newer sidecar's date is somebody's who knew better than the file. The file's own, copied,
/// is not; nor is the date of the sidecar itself, which some programs write.
fn corrects(sidecar: &SaidDate, file: Option<&SaidDate>) -> bool {
    let when_taken = matches!(
        sidecar.field,
        DateField::XmpOriginal | DateField::XmpCreated
    );
    when_taken && file.is_some_and(|file| !file.date.covers(&sidecar.date))
}

/// The layer as it is kept.
fn stored(conn: &Connection, photo: i64) -> rusqlite::Result<Option<String>> {
    conn.prepare_cached("SELECT said FROM said WHERE photo = ?1 AND layer = ?2")?
        .query_row([photo, Layer::Beside as i64], |r| r.get(0))
        .optional()
}

fn known_folder(conn: &Connection, key: &FileKey) -> rusqlite::Result<Option<i64>> {
    let path = folder_of(key.path.as_bytes());
    conn.prepare_cached("SELECT id FROM folders WHERE root = ?1 AND path = ?2")?
        .query_row(params![key.root, path], |r| r.get(0))
        .optional()
}

/// A sidecar of a photo.
#[derive(Debug, Clone, PartialEq)]
pub struct SidecarOf {
    /// Path below the root.
    pub path: RelPath,
    /// How it belongs to the photo.
    pub bond: Bond,
    /// Why it cannot be read, if it cannot.
    pub trouble: Option<String>,
}

/// What is known of a file that may speak of photos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SidecarState {
    /// It is one, and not JSON of another kind.
    pub speaks: bool,
    /// Why it cannot be read, if it cannot.
    pub trouble: Option<String>,
    /// The photos that it speaks of.
    pub photos: Vec<RelPath>,
}

impl StoreReader {
    /// The sidecars of the photo at a path, those that are believed first first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn sidecars_of(&self, root: i64, path: &RelPath) -> Result<Vec<SidecarOf>, StoreError> {
        let key = FileKey {
            root,
            path: path.clone(),
        };
        let Some(folder) = known_folder(&self.conn, &key).at(&self.path)? else {
            return Ok(Vec::new());
        };
        let family = group(path.name());
        let family = Family::read(&self.conn, folder, &family, None).at(&self.path)?;
        let its = family.of(path).into_iter();
        Ok(its
            .map(|(bond, sidecar)| SidecarOf {
                path: sidecar.path.clone(),
                bond,
                trouble: sidecar.trouble.clone(),
            })
            .collect())
    }

    /// What is known of a sidecar; `None`: it has not been read.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn sidecar_state(
        &self,
        root: i64,
        path: &RelPath,
    ) -> Result<Option<SidecarState>, StoreError> {
        let known: Option<(i64, Option<String>, Option<String>)> = self
            .conn
            .prepare_cached(
                "SELECT folder, family, trouble FROM sidecars WHERE root = ?1 AND path = ?2",
            )
            .and_then(|mut s| {
                s.query_row(params![root, path.as_bytes()], |r| {
                    Ok((r.get(0)?, r.get(1)?, r.get(2)?))
                })
                .optional()
            })
            .at(&self.path)?;
        let Some((folder, family, trouble)) = known else {
            return Ok(None);
        };
        let photos = match &family {
            Some(family) => Family::read(&self.conn, folder, family, None)
                .at(&self.path)?
                .photos_of(path),
            None => Vec::new(),
        };
        Ok(Some(SidecarState {
            speaks: family.is_some(),
            trouble,
            photos,
        }))
    }
}
