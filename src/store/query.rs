//! Listing photos by what the index knows of them.

use std::ops::ControlFlow;

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::StoreReader;
use super::error::{At, StoreError};
use super::photos::{HIT_COLUMNS, Hit};

/// Any of these terms, at or above the filter's confidence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagCondition {
    /// Term keys; a photo that carries one of them matches.
    pub keys: Vec<String>,
}

/// A circle on the map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
    /// Radius in kilometres.
    pub km: f64,
}

/// What the photos must be like; all parts hold at once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PhotoFilter {
    /// Each must match.
    pub tags: Vec<TagCondition>,
    /// None may match.
    pub not_tags: Vec<TagCondition>,
    /// Confidence from which a tag counts.
    pub min_confidence: f32,
    /// Taken at or after this local time (`YYYY-MM-DDTHH:MM:SS`).
    pub since: Option<String>,
    /// Taken before this local time.
    pub until: Option<String>,
    /// Part of the camera's name, any case.
    pub camera: Option<String>,
    /// Taken near here.
    pub near: Option<Place>,
}

/// How a listing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    /// Rows shown to the caller.
    pub seen: usize,
}

/// When a photo was taken for ordering and dates: the camera's clock, else the file's time.
const TAKEN: &str = "coalesce(p.captured_local, \
     strftime('%Y-%m-%dT%H:%M:%S', f.mtime_ns / 1000000000, 'unixepoch', 'localtime'))";

/// Mean length of a degree of latitude.
const KM_PER_DEGREE: f64 = 111.195;

impl StoreReader {
    /// Shows every place of every photo that matches to `visit`, newest first, until it breaks.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn list(
        &self,
        filter: &PhotoFilter,
        visit: &mut dyn FnMut(Hit) -> ControlFlow<()>,
    ) -> Result<Listing, StoreError> {
        let (wheres, values) = conditions(filter);
        let sql = format!(
            "SELECT {HIT_COLUMNS} FROM files f JOIN photos p ON p.id = f.photo
             JOIN roots r ON r.id = f.root WHERE {wheres} ORDER BY {TAKEN} DESC, r.path, f.path"
        );
        let mut stmt = self.conn.prepare(&sql).at(&self.path)?;
        let mut rows = stmt.query(params_from_iter(values)).at(&self.path)?;
        let mut seen = 0;
        while let Some(row) = rows.next().at(&self.path)? {
            let hit = Hit::read(row).at(&self.path)?;
            if !within(hit.photo.exif.lat, hit.photo.exif.lon, filter.near) {
                continue;
            }
            seen += 1;
            if visit(hit).is_break() {
                break;
            }
        }
        Ok(Listing { seen })
    }

    /// The photos with a place that [`Self::list`] would show, ascending, each once. Without any
    /// condition an index alone is read.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn photo_ids(&self, filter: &PhotoFilter) -> Result<Vec<i64>, StoreError> {
        let (wheres, values) = conditions(filter);
        // Only what is asked for: a join would read every photo's row.
        let sql = if values.is_empty() {
            "SELECT DISTINCT photo, NULL, NULL FROM files INDEXED BY files_by_photo
             WHERE photo IS NOT NULL AND missing_since IS NULL ORDER BY photo"
                .to_owned()
        } else {
            format!(
                "SELECT DISTINCT p.id, p.lat, p.lon FROM files f JOIN photos p ON p.id = f.photo
                 WHERE {wheres} ORDER BY p.id"
            )
        };
        let mut stmt = self.conn.prepare(&sql).at(&self.path)?;
        let mut rows = stmt.query(params_from_iter(values)).at(&self.path)?;
        let mut ids = Vec::new();
        while let Some(row) = rows.next().at(&self.path)? {
            let (lat, lon) = (row.get(1).at(&self.path)?, row.get(2).at(&self.path)?);
            if within(lat, lon, filter.near) {
                ids.push(row.get(0).at(&self.path)?);
            }
        }
        Ok(ids)
    }

    /// The places of these photos that [`Self::list`] would show, by photo, folder and path.
    /// Proportional to the photos asked for.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn hits_of(&self, photos: &[i64], filter: &PhotoFilter) -> Result<Vec<Hit>, StoreError> {
        // So many ids at once that a common tag's photos are not read for each of them.
        const CHUNK: usize = 10_000;
        let (wheres, values) = conditions(filter);
        let sql = format!(
            "SELECT {HIT_COLUMNS} FROM json_each(?) ids CROSS JOIN photos p ON p.id = ids.value
             CROSS JOIN files f ON f.photo = p.id JOIN roots r ON r.id = f.root
             WHERE {wheres} ORDER BY p.id, r.path, f.path"
        );
        let mut sorted = photos.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut stmt = self.conn.prepare(&sql).at(&self.path)?;
        let mut hits = Vec::new();
        for chunk in sorted.chunks(CHUNK) {
            let ids = Value::Text(format!("{chunk:?}"));
            let bound = std::iter::once(&ids).chain(&values);
            let rows = stmt
                .query_map(params_from_iter(bound), Hit::read)
                .at(&self.path)?;
            for hit in rows {
                let hit = hit.at(&self.path)?;
                if within(hit.photo.exif.lat, hit.photo.exif.lon, filter.near) {
                    hits.push(hit);
                }
            }
        }
        Ok(hits)
    }
}

/// The filter as conditions over `files f` and `photos p`, with their values. What the conditions
/// let through, [`within`] must let through too.
fn conditions(filter: &PhotoFilter) -> (String, Vec<Value>) {
    let mut wheres = vec!["f.missing_since IS NULL".to_owned()];
    let mut values: Vec<Value> = Vec::new();
    let mut tag = |condition: &TagCondition, negate: &str| {
        values.push(Value::Text(
            serde_json::to_string(&condition.keys).unwrap_or_else(|_| "[]".to_owned()),
        ));
        values.push(Value::Real(f64::from(filter.min_confidence)));
        wheres.push(format!(
            "p.id {negate} IN (SELECT g.photo FROM tags g WHERE g.term IN (SELECT t.id FROM terms t
               WHERE t.key IN (SELECT value FROM json_each(?))) AND (g.confidence >= ? OR g.source <> 0))"
        ));
    };
    for condition in &filter.tags {
        tag(condition, "");
    }
    for condition in &filter.not_tags {
        tag(condition, "NOT");
    }
    if let Some(since) = &filter.since {
        wheres.push(format!("{TAKEN} >= ?"));
        values.push(Value::Text(since.clone()));
    }
    if let Some(until) = &filter.until {
        wheres.push(format!("{TAKEN} < ?"));
        values.push(Value::Text(until.clone()));
    }
    if let Some(camera) = &filter.camera {
        wheres.push("instr(lower(p.camera), lower(?)) > 0".to_owned());
        values.push(Value::Text(camera.clone()));
    }
    if let Some(place) = filter.near {
        // The box around the circle, from the index; the circle itself is checked row by row.
        let dlat = place.km / KM_PER_DEGREE;
        wheres.push("p.lat BETWEEN ? AND ?".to_owned());
        values.push(Value::Real(place.lat - dlat));
        values.push(Value::Real(place.lat + dlat));
    }
    (wheres.join(" AND "), values)
}

fn within(lat: Option<f64>, lon: Option<f64>, near: Option<Place>) -> bool {
    let Some(place) = near else {
        return true;
    };
    match (lat, lon) {
        (Some(lat), Some(lon)) => distance_km(place.lat, place.lon, lat, lon) <= place.km,
        _ => false,
    }
}

/// Great-circle distance (haversine) on a sphere of the Earth's mean radius, 6371 km.
fn distance_km(lat1: f64, lon1: f64, lat2: f64, lon2: f64) -> f64 {
    let (phi1, phi2) = (lat1.to_radians(), lat2.to_radians());
    let dphi = (lat2 - lat1).to_radians();
    let dlambda = (lon2 - lon1).to_radians();
    let a = (dphi / 2.0).sin().powi(2) + phi1.cos() * phi2.cos() * (dlambda / 2.0).sin().powi(2);
    2.0 * 6371.0 * a.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_globe() {
        // Berlin to Paris is 878 km; across the date line, 0.2 degrees at the equator are 22 km.
        assert!((distance_km(52.52, 13.405, 48.8566, 2.3522) - 878.0).abs() < 2.0);
        assert!((distance_km(0.0, 179.9, 0.0, -179.9) - 22.2).abs() < 0.2);
    }
}
