//! What is known of a photo, and who says so.

use serde_json::{Value, json};

use super::{Asked, Explanation, Inside};
use crate::cli::output::plural;
use crate::cli::words::KnownWords;
use crate::photo::Pixels;
use crate::search::{PhotoJson, TagJson};
use crate::store::{Hit, Layer};

/// Copies named one by one.
const MOST_COPIES: usize = 5;

impl Asked<'_> {
    pub(super) fn known(
        &self,
        explanation: &mut Explanation,
        inside: &Inside<'_>,
    ) -> anyhow::Result<()> {
        let (Some(reader), Some(row)) = (self.reader, inside.row) else {
            return Ok(());
        };
        let Some(hit) = reader.photo_at(row.id, &inside.rel)? else {
            return Ok(());
        };
        let known = KnownWords::read(self.context)?;
        let searcher = known.searcher(self.context, reader)?;
        let row = searcher.json(&hit, 0.0)?;
        picture(explanation, &hit);
        facts(explanation, &hit);
        said(explanation, &row);
        for layer in [Layer::File, Layer::Beside] {
            for reason in reader.said(hit.photo.id, layer)?.dropped {
                explanation.say(format!("not taken from what is written of it: {reason}"));
            }
        }
        self.copies(explanation, inside, &hit)?;
        for sidecar in reader.sidecars_of(hit.root_id, &hit.path)? {
            let name = String::from_utf8_lossy(sidecar.path.name());
            explanation.say(match &sidecar.trouble {
                None => format!("{name} beside it speaks of it"),
                Some(why) => format!("{name} beside it cannot be read: {why}"),
            });
        }
        self.tags(explanation, &row.tags);
        for (model, failure) in reader.failures_of(&hit.photo.hash)? {
            let by = match model {
                Some(_) => "one of the models",
                None => "the models",
            };
            explanation.say(format!(
                "{by} could make nothing of it: {}",
                failure.message
            ));
        }
        let seen_by: Vec<String> = reader
            .embeddings_of(hit.photo.id)?
            .into_iter()
            .map(|(model, _)| model.0)
            .collect();
        if !seen_by.is_empty() {
            explanation.say(format!("seen by {}", seen_by.join(" and ")));
        }
        explanation.put("seen_by", json!(seen_by));
        explanation.put("photo", serde_json::to_value(row)?);
        Ok(())
    }

    fn copies(
        &self,
        explanation: &mut Explanation,
        inside: &Inside<'_>,
        hit: &Hit,
    ) -> anyhow::Result<()> {
        let Some(reader) = self.reader else {
            return Ok(());
        };
        let places = reader.places(&hit.photo.hash)?;
        let others: Vec<String> = places
            .iter()
            .map(|place| place.path.under(&place.root))
            .filter(|place| place != inside.path)
            .map(|place| place.display().to_string())
            .collect();
        if !others.is_empty() {
            let more = if others.len() > MOST_COPIES {
                ", …"
            } else {
                ""
            };
            explanation.say(format!(
                "the same photo lies at {}: {}{more}",
                plural(others.len() as u64, "other place", "other places"),
                others[..others.len().min(MOST_COPIES)].join(", ")
            ));
        }
        Ok(())
    }

    fn tags(&self, explanation: &mut Explanation, tags: &[TagJson]) {
        let cutoff = self.context.config.min_confidence;
        if tags.is_empty() {
            explanation.say("it has no tags: no model has seen anything in it, or none has seen it yet (`photond doctor`)".to_owned());
            return;
        }
        let percent = f64::from(cutoff) * 100.0;
        let (sure, others): (Vec<&TagJson>, Vec<&TagJson>) = tags
            .iter()
            .partition(|tag| tag.confidence >= f64::from(cutoff));
        if sure.is_empty() {
            explanation.say(format!(
                "no tag is sure enough to count (from {percent:.0}% on, `min_confidence`)"
            ));
        } else {
            explanation.say(format!(
                "tags that count (from {percent:.0}% on, `min_confidence`):"
            ));
        }
        for tag in sure {
            let shown = if tag.shown { ", shown" } else { "" };
            explanation.say(format!("  {}{shown}", evidence(tag)));
        }
        if !others.is_empty() {
            let others: Vec<String> = others.into_iter().map(evidence).collect();
            explanation.say(format!("below that: {}", others.join("; ")));
        }
    }
}

fn evidence(tag: &TagJson) -> String {
    let percent = tag.confidence * 100.0;
    format!(
        "{} {percent:.0}% by {}",
        tag.name,
        tag.sources.join(" and ")
    )
}

/// What people and programs have written of it.
fn said(explanation: &mut Explanation, row: &PhotoJson) {
    let lists = [("keywords", &row.keywords), ("people", &row.people)];
    for (what, names) in lists.into_iter().filter(|(_, names)| !names.is_empty()) {
        explanation.say(format!("{what}: {}", names.join(", ")));
    }
    if let Some(title) = &row.title {
        explanation.say(format!("title: {title}"));
    }
    if let Some(stars) = row.rating {
        explanation.say(match stars {
            -1 => "rejected by its rating".to_owned(),
            stars => format!("rating: {stars} of 5 stars"),
        });
    }
}

fn picture(explanation: &mut Explanation, hit: &Hit) {
    let photo = &hit.photo;
    let state = match &photo.pixels {
        Pixels::Whole => "all of the picture is there".to_owned(),
        Pixels::Preview => {
            "seen by the small picture in it until there is time for the large one".to_owned()
        }
        Pixels::Damaged(why) => format!("shown as far as it goes: {}", why.message),
        Pixels::Thumbnail(why) => format!("only the small picture in it is shown: {}", why.message),
        Pixels::None(why) => format!("known without its picture: {}", why.message),
    };
    explanation.say(format!(
        "{} of {} × {} pixels; {state}",
        photo.format, photo.width, photo.height
    ));
}

fn facts(explanation: &mut Explanation, hit: &Hit) {
    let exif = &hit.photo.exif;
    let date = hit.date();
    let who = match date.field.source() {
        "exif" => "as the camera's data in it (EXIF) say",
        "xmp" => "as XMP in it says",
        "iptc" => "as IPTC in it says",
        "sidecar" => "as the sidecar beside it says",
        "takeout" => "as Google's note beside it says",
        "gps" => "by the satellites' clock",
        "png" => "as the PNG says",
        "name" => "by its name, for nothing better says it",
        _ => "the file's own time, for nothing says when it was taken",
    };
    explanation.say(format!("taken {}: {who}", date.date));
    let mut parts = Vec::new();
    parts.extend(exif.camera.clone());
    parts.extend(exif.lens.clone());
    if !parts.is_empty() {
        explanation.say(format!("camera: {}", parts.join(", ")));
    }
    if let (Some(lat), Some(lon)) = (exif.lat, exif.lon) {
        explanation.say(format!("place: {lat:.6}, {lon:.6}"));
    }
    explanation.put("hash", Value::String(hit.photo.hash.to_hex()));
}
