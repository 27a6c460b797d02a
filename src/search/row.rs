//! The JSON row of a photo: the contract of `query` and `show`.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::query::SourceNames;
use crate::embedding::{Sources, Tag};
use crate::photo::{Locality, Pixels, hex};
use crate::store::Hit;

/// One tag in JSON.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct TagJson {
    /// Name shown to people.
    pub name: String,
    /// 0 to 1, rounded to four digits.
    pub confidence: f64,
    /// Key in its vocabulary: a WordNet id, or `c.`, `v.` or `u.` and a name.
    pub term: String,
    /// Who says so: models by name and revision, `picture` for rules over its pixels and metadata, `own` for a
    /// word of one's own.
    pub sources: Vec<String>,
    /// Whether it is among the few that are shown of the photo; left out where not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub shown: bool,
}

impl TagJson {
    /// A tag, and whether it is one of those shown.
    pub fn new(tag: &Tag, names: &SourceNames, shown: bool) -> Self {
        let sources = [
            (Sources::CLASSIFIER, names.classifier.as_str()),
            (Sources::VOCABULARY, names.search.as_str()),
            (Sources::THINGS, names.things.as_str()),
            (Sources::FACES, names.faces.as_str()),
            (Sources::PICTURE, "picture"),
            (Sources::OWN, "own"),
        ];
        let sources = sources
            .into_iter()
            .filter(|(source, _)| tag.sources.has(*source));
        Self {
            name: tag.name.to_string(),
            confidence: (f64::from(tag.confidence) * 1e4).round() / 1e4,
            term: tag.key.to_string(),
            sources: sources.map(|(_, name)| name.to_owned()).collect(),
            shown,
        }
    }
}

/// A file that belongs to a photo.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Member {
    /// Absolute path; lossy where the name is not UTF-8.
    pub path: String,
    /// The path's bytes in hex, where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_bytes: Option<String>,
    /// What the bytes are; of a video, which is not looked into, how its name ends.
    pub format: String,
    /// The same as it is.
    #[serde(skip)]
    pub file: PathBuf,
}

impl Member {
    /// A file of this format.
    pub fn new(file: PathBuf, format: String) -> Self {
        let (path, path_bytes) = as_text(&file);
        Self {
            path,
            path_bytes,
            format,
            file,
        }
    }

    /// A photo that belongs to another one.
    pub fn of(hit: &Hit) -> Self {
        Self::new(hit.path.under(&hit.root), hit.photo.format.clone())
    }

    /// A video.
    pub fn video(file: PathBuf) -> Self {
        let ending = file.extension().unwrap_or_default().to_string_lossy();
        let format = ending.to_ascii_lowercase();
        Self::new(file, format)
    }
}

/// A path as text, and in hex where it is none.
fn as_text(path: &Path) -> (String, Option<String>) {
    match path.to_str() {
        Some(text) => (text.to_owned(), None),
        None => (
            path.to_string_lossy().into_owned(),
            Some(hex(path.as_os_str().as_bytes())),
        ),
    }
}

/// Where a photo was taken, in JSON.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct LocalityJson {
    /// City, town or village; none where only the region is known.
    pub name: Option<String>,
    /// The photo was taken some way outside of it.
    pub near: bool,
    /// The country's first-level division.
    pub region: Option<String>,
    /// The country.
    pub country: String,
    /// Its ISO 3166 code.
    pub code: String,
}

/// One photo at one of its places.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct PhotoJson {
    /// Absolute path; lossy where the name is not UTF-8.
    pub path: String,
    /// The path's bytes in hex, where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_bytes: Option<String>,
    /// BLAKE3 of the content, 64 hex digits.
    pub hash: String,
    /// What the bytes are.
    pub format: String,
    /// Pixels as displayed.
    pub width: u32,
    /// Pixels as displayed.
    pub height: u32,
    /// True if part of the picture is missing or wrong.
    pub damaged: bool,
    /// How much of the picture could be had: `whole`, `damaged`, `thumbnail`, `none`.
    pub pixels: &'static str,
    /// What is wrong with the picture, in a sentence; left out where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixels_why: Option<String>,
    /// Bytes.
    pub size: u64,
    /// When the file itself says that it was taken: ISO 8601, with offset where it says so.
    pub captured_at: Option<String>,
    /// When it was taken, by the best there is, as exactly as is known: `1985-06`,
    /// `2019-05-03T10:11:12.789+05:30`.
    pub date: String,
    /// Where that is from: `exif`, `xmp`, `iptc`, `sidecar`, `takeout`, `gps`, `png`, `name` or `file`.
    pub date_source: &'static str,
    /// Maker and model.
    pub camera: Option<String>,
    /// Degrees north.
    pub lat: Option<f64>,
    /// Degrees east.
    pub lon: Option<f64>,
    /// Where that is: `Kyoto, Japan`, `near Uji, Kyoto, Japan`.
    pub place: Option<String>,
    /// The same in parts.
    pub locality: Option<LocalityJson>,
    /// Keywords that people gave, a hierarchy as `Places|Portugal|Lisbon`.
    pub keywords: Vec<String>,
    /// 0 to 5 stars; −1: rejected.
    pub rating: Option<i8>,
    /// A few words.
    pub title: Option<String>,
    /// Some sentences.
    pub caption: Option<String>,
    /// Names of people on it.
    pub people: Vec<String>,
    /// Lines of text that were read in the picture, from above to below.
    pub text: Vec<String>,
    /// Perceptual hash in hex.
    pub phash: String,
    /// Most confident first.
    pub tags: Vec<TagJson>,
    /// Places that its content lies at, if they are several: `show` lists them.
    #[serde(skip_serializing_if = "is_one")]
    pub copies: i64,
    /// The other files of the same photo: the raw of a JPEG, the video of a Live Photo.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
    /// Only in ranked results: higher is closer, comparable within one query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Only in ranked results: whether this is an answer, or merely the best there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confident: Option<bool>,
    /// Only with `--explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<super::judge::Why>,
    /// False while the volume is away; left out where true.
    #[serde(skip_serializing_if = "is_true")]
    pub online: bool,
}

fn is_true(b: &bool) -> bool {
    *b
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde asks for it
fn is_one(copies: &i64) -> bool {
    *copies <= 1
}

/// Degrees to a tenth of a metre: more digits are noise.
fn degrees(of: f64) -> f64 {
    (of * 1e6).round() / 1e6
}

impl PhotoJson {
    /// With where it was taken.
    #[must_use]
    pub fn taken_at(mut self, locality: Option<Locality>) -> Self {
        self.place = locality.as_ref().map(ToString::to_string);
        self.locality = locality.map(|at| LocalityJson {
            name: at.name,
            near: at.near,
            region: at.region,
            country: at.country,
            code: at.code,
        });
        self
    }

    /// With what was read in the picture.
    #[must_use]
    pub fn reads(mut self, text: Vec<String>) -> Self {
        self.text = text;
        self
    }

    /// From a hit, its tags and what people say of it.
    pub fn new(hit: &Hit, tags: Vec<TagJson>, keywords: Vec<String>, people: Vec<String>) -> Self {
        let (text, bytes) = as_text(&hit.path.under(&hit.root));
        let (photo, date) = (&hit.photo, hit.date());
        Self {
            path: text,
            path_bytes: bytes,
            hash: photo.hash.to_hex(),
            format: photo.format.clone(),
            width: photo.width,
            height: photo.height,
            damaged: matches!(photo.pixels, Pixels::Damaged(_)),
            pixels: photo.pixels.name(),
            pixels_why: photo
                .pixels
                .trouble()
                .map(|trouble| trouble.message.clone()),
            size: hit.size,
            captured_at: photo
                .exif
                .captured_at
                .as_ref()
                .map(crate::photo::CapturedAt::to_iso),
            date: date.date.to_string(),
            date_source: date.field.source(),
            camera: photo.exif.camera.clone(),
            lat: photo.exif.lat.map(degrees),
            lon: photo.exif.lon.map(degrees),
            place: None,
            locality: None,
            keywords,
            rating: photo.rating,
            title: photo.title.clone(),
            caption: photo.caption.clone(),
            people,
            text: Vec::new(),
            phash: photo.phash.to_hex(),
            tags,
            copies: photo.places,
            members: Vec::new(),
            score: None,
            confident: None,
            why: None,
            online: hit.online,
        }
    }
}
