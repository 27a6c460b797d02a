//! What there is most of: in the library, or among what a query finds.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::answer::{Failed, as_json};
use super::asked::ViewRequest;
use super::desk::Desk;
use super::finding::Matching;
use super::routes::{MaxFile, read};
use crate::photo::Locality;
use crate::store::StoreReader;

/// Rows of each kind.
const FACETS: usize = 50;
/// Photos among which is counted, at most: the answer says how many they are.
const COUNTED: usize = 50_000;

/// `GET /api/v1/facets`: what there is most of in the whole library.
pub(super) async fn of_all(State(desk): State<Arc<Desk>>) -> Result<Response, Failed> {
    let facets = desk.with(all);
    Ok(as_json(&facets.await?))
}

/// `POST /api/v1/facets`: the same among what a query finds.
pub(super) async fn among(
    State(desk): State<Arc<Desk>>,
    Extension(MaxFile(max_file)): Extension<MaxFile>,
    body: Bytes,
) -> Result<Response, Failed> {
    let request: ViewRequest = read(&body)?;
    let facets = desk.with(move |desk, reader| {
        let asked = (request.query, request.limit);
        let mut ids = match Matching::find(desk, reader, asked, 0, max_file)? {
            Matching::Everything => return all(desk, reader),
            found => found.ids(desk, reader)?,
        };
        ids.truncate(COUNTED);
        let cutoff = desk.answers()?.searcher(reader)?.cutoff;
        let facets = reader.facets_among(&ids, cutoff, FACETS)?;
        Ok(json!({
            "counted": ids.len(),
            "tags": rows(facets.tags),
            "people": rows(facets.people),
            "places": rows(by_name(facets.places)),
            "cameras": rows(facets.cameras),
            "years": rows(facets.years.into_iter().map(|(year, n)| (year.to_string(), n))),
        }))
    });
    Ok(as_json(&facets.await?))
}

fn all(desk: &Desk, reader: &StoreReader) -> Result<Value, Failed> {
    let cutoff = desk.answers()?.searcher(reader)?.cutoff;
    let tags = reader.tag_counts(cutoff)?.into_iter().take(FACETS);
    let people = reader.persons()?.into_iter().take(FACETS);
    let places = reader.locality_counts()?;
    let places = places
        .into_iter()
        .map(|count| (count.locality, count.photos));
    Ok(json!({
        "tags": rows(tags.map(|tag| (tag.name, tag.photos))),
        "people": rows(people.map(|person| (person.name, person.photos))),
        "places": rows(by_name(places)),
        "cameras": rows(reader.cameras(FACETS)?),
    }))
}

fn rows(counts: impl IntoIterator<Item = (String, i64)>) -> Vec<Value> {
    let row = |(name, photos)| json!({ "name": name, "photos": photos });
    counts.into_iter().map(row).collect()
}

/// Places under names that a query understands, those with most photos.
fn by_name(places: impl IntoIterator<Item = (Locality, i64)>) -> Vec<(String, i64)> {
    let mut counts: HashMap<String, i64> = HashMap::new();
    for (locality, photos) in places {
        let name = locality.to_string();
        // What was taken near a city is found under its name too.
        let name = name.strip_prefix("near ").unwrap_or(&name);
        *counts.entry(name.to_owned()).or_default() += photos;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts.truncate(FACETS);
    counts
}
