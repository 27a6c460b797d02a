//! Boxes of things and faces in a photo's JSON.

use serde_json::{Value, json};

use crate::boxes::{self, DetectedBox};
use crate::daemon::detectors;
use crate::model::{faces_pack, things_pack};
use crate::store::StoreReader;
use crate::tag::{LEAST_KEPT, Vocabulary};

/// What the detectors found in a photo, surest first, as far as it is worth something: things with
/// their confidence, faces with the network's score. `null` where a detector has not seen the photo.
pub(super) fn found(
    reader: &StoreReader,
    photo: i64,
    words: &Vocabulary,
) -> anyhow::Result<(Value, Value)> {
    let (things, faces) = (things_pack()?, faces_pack()?);
    let odds = detectors(Some(&things), Some(&faces))?;
    let kept = |id| -> anyhow::Result<Option<Vec<DetectedBox>>> {
        let Some(row) = reader.model(id)? else {
            return Ok(None);
        };
        let kept = reader.embedding(photo, row.id)?;
        Ok(kept.map(|kept| boxes::of(&kept.values)))
    };
    let in_words = |found: &DetectedBox| {
        let thing = words.things().get(found.class)?;
        let confidence = odds.things.as_ref()?.confidence(found);
        (confidence >= LEAST_KEPT).then(|| {
            json!({
                "name": &*words.terms()[thing.term].name,
                "class": thing.class,
                "confidence": rounded(confidence),
                "area": area(found),
            })
        })
    };
    let things =
        kept(&things.id)?.map(|found| found.iter().filter_map(in_words).collect::<Vec<_>>());
    let shown = odds.faces.as_ref().map_or(1.0, |faces| faces.shown);
    let faces = kept(&faces.id)?.map(|found| {
        let shown = found.iter().filter(|face| face.score >= shown);
        let face = |face: &DetectedBox| json!({ "score": rounded(face.score), "area": area(face) });
        shown.map(face).collect::<Vec<_>>()
    });
    Ok((json!(things), json!(faces)))
}

/// Shares of the upright picture, as those of people's areas are.
fn area(found: &DetectedBox) -> Value {
    json!({
        "left": rounded(found.left),
        "top": rounded(found.top),
        "width": rounded(found.right - found.left),
        "height": rounded(found.height()),
    })
}

fn rounded(value: f32) -> f64 {
    (f64::from(value) * 1e4).round() / 1e4
}
