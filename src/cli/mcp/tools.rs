//! The three tools: `search`, `show`, `overview`.
//!
//! Answers are short, since whoever reads them pays by the word: what is not known of a photo is left out.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::protocol::ToolBox;
use crate::cli::output::plural;
use crate::cli::show::{all_of, at_path, real_path};
use crate::cli::words::KnownWords;
use crate::cli::{Context_, places};
use crate::search::{
    GivenPath, KeptText, Query, SearchError, Searcher, Shot, Standing, Wish, choose,
};
use crate::store::{Hit, StoreReader, ThumbStore};

/// Pictures of one answer: a dozen kilobytes each.
const MOST_PICTURES: usize = 8;
/// Photos of one answer, and how many if nothing is said.
const MOST_PHOTOS: usize = 100;
const SOME_PHOTOS: usize = 20;
/// Lines of text of a photo in a list, and of one that is shown: a scanned book has thousands.
const FEW_LINES: usize = 5;
const MANY_LINES: usize = 200;
/// Rows of each kind in an overview.
const TAGS: usize = 60;
const PEOPLE: usize = 40;
const BRANCHES: usize = 12;
const CAMERAS: usize = 10;

/// Answers from the index; opened anew for each call, so that an answer is of now.
pub(super) struct PhotoTools {
    context: Context_,
    known: KnownWords,
    text: RefCell<KeptText>,
}

/// What `search` is asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wanted {
    words: Option<String>,
    like: Option<i64>,
    tags: Vec<String>,
    not_tags: Vec<String>,
    people: Vec<String>,
    keywords: Vec<String>,
    place: Option<String>,
    since: Option<String>,
    until: Option<String>,
    on: Option<String>,
    in_picture: Option<String>,
    folder: Option<String>,
    name: Option<String>,
    camera: Option<String>,
    rating: Option<String>,
    limit: Option<usize>,
    pictures: usize,
}

/// What `show` is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    id: Option<i64>,
    path: Option<PathBuf>,
    #[serde(default = "yes")]
    picture: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl ToolBox for PhotoTools {
    fn list(&self) -> Value {
        let text = |about: &str| json!({ "type": "string", "description": about });
        let texts = |about: &str| json!({ "type": "array", "items": { "type": "string" }, "description": about });
        let number = |about: &str, least: usize, most: usize| json!({ "type": "integer", "minimum": least, "maximum": most, "description": about });
        let tool = |name: &str, title: &str, about: &str, fields: Value| {
            json!({
                "name": name,
                "title": title,
                "description": about,
                "inputSchema": { "type": "object", "properties": fields, "additionalProperties": false },
                "annotations": {
                    "title": title, "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true,
                    "openWorldHint": false,
                },
            })
        };
        json!([
            tool(
                "search",
                "Search photos",
                "Find photos on this machine. All conditions hold at once; without `words` and `like` the newest come \
                 first, with them the closest. Each photo has an `id` for `show`. A tag matches its synonyms and all \
                 below it (`dog` finds a beagle).",
                json!({
                    "words": text("What should be seen, as a short description in English: \"dog on a beach\""),
                    "like": { "type": "integer", "description": "Looking like the photo with this id" },
                    "tags": texts("With all of these tags; `overview` has the most frequent"),
                    "not_tags": texts("With none of these tags"),
                    "people": texts("With all of these people on it, by name"),
                    "keywords": texts("With all of these keywords, which people gave"),
                    "place": text("Taken in this city, region or country: Kyoto, japan, \"Paris, Texas\""),
                    "since": text("Taken on or after: 2019, 2019-05, 2019-05-03, \"last week\", 30d"),
                    "until": text("Taken on or before (a year or month counts whole)"),
                    "on": text("Taken on that day, or in that month or year; 12-24 is that day of any year"),
                    "in_picture": text("In whose picture these words can be read"),
                    "folder": text("In this folder, at any depth: a path, or a folder's name"),
                    "name": text("Whose file name has this in it"),
                    "camera": text("Taken with a camera whose name contains this"),
                    "rating": text("With so many stars: `4`, `4-` (four or more), `2-3`"),
                    "limit": number("At most so many photos (20 if not said)", 1, MOST_PHOTOS),
                    "pictures": number("Thumbnails of so many of them, from the first (none if not said)", 0, MOST_PICTURES),
                })
            ),
            tool(
                "show",
                "Show a photo",
                "All that is known of one photo, with its thumbnail: when, where and how it was taken, tags with \
                 confidence, people, text in the picture, where things and faces are (left, top, width, height from 0 \
                 to 1). Say either `id` or `path`.",
                json!({
                    "id": { "type": "integer", "description": "The photo's id, as `search` has it" },
                    "path": text("The photo's absolute path"),
                    "picture": { "type": "boolean", "description": "With its thumbnail (true if not said)" },
                })
            ),
            tool(
                "overview",
                "Overview of all photos",
                "How many photos there are, in which folders, from which years, and the tags, people, places and \
                 cameras with most photos.",
                json!({})
            ),
        ])
    }

    fn call(&self, name: &str, arguments: Value) -> Option<Result<Vec<Value>, String>> {
        let content = match name {
            "search" => understood(arguments).and_then(|wanted| self.search(wanted)),
            "show" => understood(arguments).and_then(|which| self.show(&which)),
            "overview" => understood(arguments).and_then(|Nothing {}| self.overview()),
            _ => return None,
        };
        Some(content.map_err(|e| format!("{e:#}")))
    }
}

fn understood<T: DeserializeOwned>(arguments: Value) -> anyhow::Result<T> {
    serde_json::from_value(arguments).map_err(|e| anyhow!("the arguments are not understood: {e}"))
}

impl PhotoTools {
    pub fn new(context: &Context_) -> anyhow::Result<Self> {
        Ok(Self {
            context: context.clone(),
            known: KnownWords::read(context)?,
            text: RefCell::default(),
        })
    }

    fn search(&self, wanted: Wanted) -> anyhow::Result<Vec<Value>> {
        let limit = wanted.limit.unwrap_or(SOME_PHOTOS);
        if !(1..=MOST_PHOTOS).contains(&limit) {
            bail!("limit is a number from 1 to {MOST_PHOTOS}");
        }
        if wanted.pictures > MOST_PICTURES {
            bail!("pictures is a number from 0 to {MOST_PICTURES}");
        }
        let reader = StoreReader::open(&self.context.data_dir)?;
        let searcher = self.known.searcher(&self.context, &reader)?;
        let (mut rows, mut pictures) = (Vec::new(), Vec::new());
        let mut thumbs = Thumbs::new(&self.context.data_dir, wanted.pictures);
        let (wishes, query) = asked(wanted, limit)?;
        let mut failed = None;
        let mut take =
            |shot: &Shot, standing: Option<&Standing>| match row(&searcher, &shot.face, standing) {
                Ok(mut row) => {
                    if let Some(picture) = thumbs.next(&shot.face) {
                        pictures.push(picture);
                        row["picture"] = json!(pictures.len());
                    }
                    rows.push(row);
                    ControlFlow::Continue(())
                }
                Err(e) => {
                    failed = Some(e);
                    ControlFlow::Break(())
                }
            };
        let note = if wishes.is_empty() {
            searcher.run(&query, &mut |shot| take(shot, None))?;
            None
        } else {
            self.rank(&searcher, (&query, &wishes), &mut take)?
        };
        if let Some(e) = failed {
            return Err(e.into());
        }
        let said = shortened(json!({
            "photos": rows.len(),
            "note": note,
            "more": (rows.len() == limit).then_some("there may be more: narrow the search, or raise limit"),
            "results": rows,
        }));
        Ok(with_pictures(&said, pictures))
    }

    /// By how close they are; where no model reads sentences, by tags and names. Gives what is to be known about
    /// the answer.
    fn rank(
        &self,
        searcher: &Searcher<'_>,
        (query, wishes): (&Query, &[Wish]),
        take: &mut dyn FnMut(&Shot, Option<&Standing>) -> ControlFlow<()>,
    ) -> Result<Option<String>, SearchError> {
        let data_dir = &self.context.data_dir;
        let sentence = wishes.iter().find_map(Wish::sentence);
        let ranked = choose(searcher.reader, data_dir).and_then(|chosen| {
            let text = sentence.map(|_| self.text.borrow_mut().of(&chosen.pack, data_dir));
            let space = self.known.space(&self.context, (&chosen, text.as_deref()));
            searcher.rank(&space, query, wishes, &mut |_, _| {}, &mut |found| {
                take(found.shot, Some(found.standing))
            })
        });
        match (ranked, sentence) {
            (Ok(ranked), _) if ranked.shown == 0 => Ok(Some(format!(
                "nothing of {} photos looks like that",
                ranked.compared
            ))),
            (Ok(ranked), _) => {
                let (one, many) = (
                    "photo is a confident answer",
                    "photos are confident answers",
                );
                Ok(Some(plural(ranked.confident, one, many)))
            }
            (Err(e), Some(text)) if e.is_of_the_model() => {
                let found = searcher.by_words(query, text, &mut |shot| take(shot, None))?;
                let found = plural(found, "photo says", "photos say");
                Ok(Some(format!("{e}; {found} {text:?} in tags or names")))
            }
            (Err(e), _) => Err(e),
        }
    }

    fn show(&self, which: &Which) -> anyhow::Result<Vec<Value>> {
        let reader = StoreReader::open(&self.context.data_dir)?;
        let hit = match (which.id, &which.path) {
            (Some(id), None) => reader
                .photo_called(id)?
                .ok_or_else(|| anyhow!("there is no photo with the id {id}"))?,
            (None, Some(path)) => at_path(&reader, &real_path(path))?
                .ok_or_else(|| anyhow!("{} is not indexed", path.display()))?,
            _ => bail!("say either id or path"),
        };
        let mut known = all_of(&self.context, &self.known, &reader, (&hit, false))?;
        known["id"] = json!(hit.photo.id);
        if let Value::Object(fields) = &mut known {
            // Of no use without the program.
            for field in [
                "phash",
                "embeddings",
                "thumbnail",
                "path_bytes",
                "places_bytes",
            ] {
                fields.remove(field);
            }
            for field in ["text", "text_areas"] {
                if let Some(Value::Array(lines)) = fields.get_mut(field) {
                    lines.truncate(MANY_LINES);
                }
            }
        }
        let mut thumbs = Thumbs::new(&self.context.data_dir, usize::from(which.picture));
        let picture = thumbs.next(&hit);
        Ok(with_pictures(&shortened(known), picture))
    }

    fn overview(&self) -> anyhow::Result<Vec<Value>> {
        let reader = StoreReader::open(&self.context.data_dir)?;
        let counts = reader.counts()?;
        let row = |name: &str, photos: i64| json!({ "name": name, "photos": photos });
        let tags = reader.tag_counts(self.context.config.min_confidence)?;
        let tags = tags.iter().take(TAGS).map(|t| row(&t.name, t.photos));
        let keywords = reader.keyword_counts()?;
        let keywords = keywords.iter().take(TAGS).map(|k| row(&k.name, k.photos));
        let people = reader.persons()?;
        let people = people.iter().take(PEOPLE).map(|p| row(&p.name, p.photos));
        let cameras = reader.cameras(CAMERAS)?;
        let cameras = cameras.iter().map(|(name, photos)| row(name, *photos));
        let folders = reader.roots()?.into_iter();
        let folders = folders.map(|root| root.path.to_string_lossy().into_owned());
        let said = shortened(json!({
            "photos": counts.photos,
            "failed_files": counts.failed,
            "folders": folders.collect::<Vec<_>>(),
            "years": years(&reader)?,
            "tags": tags.collect::<Vec<_>>(),
            "keywords": keywords.collect::<Vec<_>>(),
            "people": people.collect::<Vec<_>>(),
            "places": places::largest(&reader.locality_counts()?, BRANCHES)?,
            "cameras": cameras.collect::<Vec<_>>(),
        }));
        Ok(with_pictures(&said, None))
    }
}

/// What the vectors are asked for, and the rest as the search room takes it.
fn asked(wanted: Wanted, limit: usize) -> Result<(Vec<Wish>, Query), SearchError> {
    let words = wanted.words.filter(|words| !words.trim().is_empty());
    let words = words.map(|words| Wish::text(&words, true)).transpose()?;
    let like = wanted.like.map(|id| Wish::indexed(id, true));
    let one = |of: Option<String>| of.into_iter().collect();
    let folder = wanted.folder.map(OsString::from);
    let query = Query {
        tags: wanted.tags,
        not_tags: wanted.not_tags,
        since: wanted.since,
        until: wanted.until,
        on: wanted.on,
        camera: wanted.camera,
        keywords: wanted.keywords,
        people: wanted.people,
        rating: wanted.rating,
        in_picture: one(wanted.in_picture),
        places: one(wanted.place),
        path: folder.map(|typed| GivenPath::new(typed, PathBuf::from("/"))),
        names: wanted.name.into_iter().map(OsString::from).collect(),
        limit: Some(limit),
        ..Query::default()
    };
    Ok((words.into_iter().chain(like).collect(), query))
}

/// A photo in a list.
fn row(
    searcher: &Searcher<'_>,
    hit: &Hit,
    standing: Option<&Standing>,
) -> Result<Value, SearchError> {
    let photo = searcher.json(hit, searcher.cutoff)?;
    let tags = photo
        .tags
        .iter()
        .filter(|tag| tag.shown)
        .map(|tag| &tag.name);
    let text = &photo.text[..photo.text.len().min(FEW_LINES)];
    Ok(shortened(json!({
        "id": hit.photo.id,
        "path": photo.path,
        "date": photo.date,
        "date_from": (photo.date_source != "exif").then_some(photo.date_source),
        "place": photo.place,
        "title": photo.title,
        "caption": photo.caption,
        "tags": tags.collect::<Vec<_>>(),
        "keywords": photo.keywords,
        "people": photo.people,
        "rating": photo.rating.filter(|stars| *stars != 0),
        "text": text,
        "score": standing.map(|s| (f64::from(s.score) * 100.0).round() / 100.0),
        "away": (!photo.online).then_some("its drive is not connected"),
    })))
}

/// Photos of each year, each counted once.
fn years(reader: &StoreReader) -> anyhow::Result<BTreeMap<i16, u64>> {
    let (mut years, mut seen) = (BTreeMap::new(), HashSet::new());
    reader.moments(&mut |photo, taken_ms| {
        let when = Timestamp::from_millisecond(taken_ms);
        if let Some(when) = when.ok().filter(|_| seen.insert(photo)) {
            *years
                .entry(when.to_zoned(TimeZone::UTC).year())
                .or_default() += 1;
        }
    })?;
    Ok(years)
}

/// What is known of it.
fn shortened(value: Value) -> Value {
    let Value::Object(fields) = value else {
        return value;
    };
    let says = |value: &Value| match value {
        Value::Null => false,
        Value::Array(values) => !values.is_empty(),
        _ => true,
    };
    fields
        .into_iter()
        .filter(|(_, value)| says(value))
        .collect()
}

fn with_pictures(said: &Value, pictures: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let text = json!({ "type": "text", "text": said.to_string() });
    std::iter::once(text).chain(pictures).collect()
}

/// The thumbnails of the first few photos.
struct Thumbs {
    store: Option<ThumbStore>,
    left: usize,
}

impl Thumbs {
    fn new(data_dir: &Path, most: usize) -> Self {
        let store = (most > 0).then(|| ThumbStore::open_read_only(data_dir));
        Self {
            // Without them an answer is one still; the daemon makes them anew.
            store: store.and_then(Result::ok),
            left: most,
        }
    }

    fn next(&mut self, hit: &Hit) -> Option<Value> {
        if self.left == 0 {
            return None;
        }
        let (mime, bytes) = self.store.as_ref()?.image_of(&hit.photo.hash).ok()??;
        self.left -= 1;
        Some(json!({ "type": "image", "data": STANDARD.encode(bytes), "mimeType": mime }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_a_query() {
        let wanted = json!({
            "words": "a dog", "like": 7, "tags": ["beach"], "place": "Kyoto", "since": "2019", "in_picture": "open"
        });
        let (wishes, query) = asked(understood(wanted).unwrap(), 5).unwrap();
        assert_eq!(wishes.len(), 2);
        assert_eq!(wishes[0].sentence(), Some("a dog"));
        assert_eq!(
            (query.tags, query.places),
            (vec!["beach".into()], vec!["Kyoto".into()])
        );
        assert_eq!(
            (query.limit, query.in_picture),
            (Some(5), vec!["open".into()])
        );
        let blank = understood(json!({ "words": " " })).unwrap();
        assert!(asked(blank, 5).unwrap().0.is_empty());
        for wrong in [
            json!({ "tag": "dog" }),
            json!({ "tags": "dog" }),
            json!({ "pictures": -1 }),
        ] {
            let said = understood::<Wanted>(wrong).unwrap_err().to_string();
            assert!(said.contains("not understood"), "{said}");
        }
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let short = shortened(json!({ "a": null, "b": [], "c": 0, "d": false, "e": "" }));
        assert_eq!(short, json!({ "c": 0, "d": false, "e": "" }));
    }
}
