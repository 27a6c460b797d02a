//! `photond show`

use std::path::{Component, Path, PathBuf};

use anyhow::Context;
use serde_json::{Value, json};

use super::boxes;
use super::paths::{bytes_if_odd, with_path};
use super::words::KnownWords;
use super::{Context_, Exit};
use crate::photo::{ContentHash, RelPath};
use crate::search::{Member, Videos, files_of};
use crate::store::{Hit, Layer, PersonRow, StoreReader, ThumbStore};

/// Show all that is known of one photo, as JSON
///
/// A file that lies outside the watched folders is found by its content.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The photo
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Include the model's vector
    #[arg(long)]
    embedding: bool,
}

pub(super) fn run(context: &Context_, args: &Args) -> anyhow::Result<Exit> {
    let reader = StoreReader::open(&context.data_dir)?;
    let path = real_path(&args.file);
    for (root, rel) in below_roots(&reader, &path)? {
        if let Some((kind, message)) = reader.failure_at(root, &rel)? {
            let failed = with_path(&path, json!({ "failed": kind, "error": message }));
            context.out.line(&failed.to_string())?;
            return Ok(Exit::Done);
        }
    }
    let mut hit = at_path(&reader, &path)?;
    if hit.is_none() && path.is_file() {
        hit = reader.places(&content_of(&path)?)?.into_iter().next();
    }
    let Some(hit) = hit else {
        let why = if path.exists() {
            "is not indexed"
        } else {
            "is neither there nor indexed"
        };
        context
            .out
            .notice(&format!("photond: {} {why}", path.display()));
        return Ok(Exit::Nothing);
    };
    let known = KnownWords::read(context)?;
    let value = all_of(context, &known, &reader, (&hit, args.embedding))?;
    context.out.line(&serde_json::to_string_pretty(&value)?)?;
    Ok(Exit::Done)
}

/// Where a path lies: below which roots, and at which place of them.
fn below_roots(reader: &StoreReader, path: &Path) -> anyhow::Result<Vec<(i64, RelPath)>> {
    let roots = reader.roots()?.into_iter();
    let below = roots.filter_map(|root| Some((root.id, RelPath::below(&root.path, path)?)));
    Ok(below.collect())
}

/// The photo that the index has at a path without links in it.
pub(super) fn at_path(reader: &StoreReader, path: &Path) -> anyhow::Result<Option<Hit>> {
    for (root, rel) in below_roots(reader, path)? {
        let hit = reader.photo_at(root, &rel)?;
        if hit.is_some() {
            return Ok(hit);
        }
    }
    Ok(None)
}

/// All that is known of a photo; with the model's vectors themselves, if these are wanted.
pub(super) fn all_of(
    context: &Context_,
    known: &KnownWords,
    reader: &StoreReader,
    (hit, embedding): (&Hit, bool),
) -> anyhow::Result<Value> {
    let mut photo = known.searcher(context, reader)?.json(hit, 0.0)?;
    photo.members = members(reader, hit)?;
    let mut value = serde_json::to_value(photo)?;
    let exif = &hit.photo.exif;
    let Value::Object(fields) = &mut value else {
        anyhow::bail!("a photo's row is an object");
    };
    fields.insert("orientation".into(), json!(hit.photo.orientation));
    fields.insert("lens".into(), json!(exif.lens));
    fields.insert("exposure_s".into(), json!(exif.exposure_s));
    fields.insert("f_number".into(), json!(exif.f_number));
    fields.insert("iso".into(), json!(exif.iso));
    fields.insert("focal_length_mm".into(), json!(exif.focal_length_mm));
    fields.insert("altitude_m".into(), json!(exif.altitude_m));
    let people = reader.people_of(hit.photo.id)?;
    let people: Vec<_> = people.iter().map(person_json).collect();
    fields.insert("people_areas".into(), json!(people));
    let (things, faces) = boxes::found(reader, hit.photo.id, known.classifier.vocabulary())?;
    let lines = reader.picture_text(hit.photo.id)?;
    fields.insert("text_areas".into(), json!(lines));
    fields.insert("things".into(), things);
    fields.insert("faces".into(), faces);
    let sidecars = reader.sidecars_of(hit.root_id, &hit.path)?;
    let sidecars = sidecars.iter().map(|s| s.path.under(&hit.root));
    let sidecars: Vec<_> = sidecars.map(|s| s.to_string_lossy().into_owned()).collect();
    fields.insert("sidecars".into(), json!(sidecars));
    let said = reader.said(hit.photo.id, Layer::File)?;
    let beside = reader.said(hit.photo.id, Layer::Beside)?;
    let dropped: Vec<_> = said.dropped.iter().chain(&beside.dropped).collect();
    fields.insert("not_taken".into(), json!(dropped));
    let places: Vec<PathBuf> = reader
        .places(&hit.photo.hash)?
        .iter()
        .map(|p| p.path.under(&p.root))
        .collect();
    let shown: Vec<_> = places.iter().map(|p| p.to_string_lossy()).collect();
    fields.insert("places".into(), json!(shown));
    if let Some(bytes) = bytes_if_odd(places.iter().map(PathBuf::as_path)) {
        fields.insert("places_bytes".into(), json!(bytes));
    }
    let thumb = ThumbStore::open_read_only(&context.data_dir)
        .and_then(|t| t.size_of(&hit.photo.hash))
        .ok()
        .flatten();
    fields.insert(
        "thumbnail".into(),
        json!(thumb.map(|(w, h, bytes)| json!({ "width": w, "height": h, "bytes": bytes }))),
    );
    let embeddings: Vec<Value> = reader
        .embeddings_of(hit.photo.id)?
        .into_iter()
        .map(|(model, e)| {
            if embedding {
                json!({ "model": model.0, "dims": e.values.len(), "values": e.values })
            } else {
                json!({ "model": model.0, "dims": e.values.len() })
            }
        })
        .collect();
    fields.insert("embeddings".into(), json!(embeddings));
    Ok(value)
}

/// A person, where the face is, and who says so.
fn person_json(person: &PersonRow) -> Value {
    let layers = person.layers.iter().map(|layer| layer.name());
    let sources: Vec<_> = layers.chain(person.by_face.then_some("face")).collect();
    json!({ "name": person.name, "area": person.area, "sources": sources })
}

/// What a file holds.
pub(super) fn content_of(path: &Path) -> anyhow::Result<ContentHash> {
    let words = || format!("cannot read {}", path.display());
    let mut hasher = blake3::Hasher::new();
    let mut file = std::fs::File::open(path).with_context(words)?;
    std::io::copy(&mut file, &mut hasher).with_context(words)?;
    Ok(ContentHash(*hasher.finalize().as_bytes()))
}

/// The other files of the same photo.
fn members(reader: &StoreReader, hit: &Hit) -> anyhow::Result<Vec<Member>> {
    let files = files_of(reader, hit)?;
    let mut videos = Videos::default();
    let video = files.iter().find_map(|file| videos.beside(file));
    let others = files.iter().filter(|file| file.path != hit.path);
    Ok(others
        .map(Member::of)
        .chain(video.map(Member::video))
        .collect())
}

/// Links in the folders resolved, the name itself as it is: the file may be gone.
pub(super) fn real_path(given: &Path) -> PathBuf {
    if let Ok(path) = std::fs::canonicalize(given) {
        return path;
    }
    let absolute = std::path::absolute(given).unwrap_or_else(|_| given.to_path_buf());
    for above in absolute.ancestors().skip(1) {
        let Ok(mut path) = std::fs::canonicalize(above) else {
            continue;
        };
        for part in absolute
            .strip_prefix(above)
            .unwrap_or(&absolute)
            .components()
        {
            match part {
                Component::ParentDir => drop(path.pop()),
                part => path.push(part),
            }
        }
        return path;
    }
    absolute
}
