//! From coordinates to a place.
//!
//! GeoNames knows points, not borders. So each place reaches as far as its people would at 4,000 to the
//! square kilometre. Of all places that a point lies within, the one in whose middle it lies deepest
//! gives the name: in the middle of Paris it is Paris, though a suburb's point may be nearer, and in
//! the middle of the suburb it is the suburb. Outside of all, it is the one whose edge is nearest.

use super::{Gazetteer, curve};

/// A radius is at least this, for hamlets and where nobody was counted …
const LEAST_KM: f64 = 0.5;
/// … and at most this: beyond it people are counted for a whole county.
const MOST_KM: f64 = 25.0;
/// People to a square kilometre.
const DENSITY: f64 = 4000.0;
/// So far from its edge a place still gives its name: a village has fields.
const HERE_KM: f64 = 3.0;
/// So far it is a place nearby.
const NEAR_KM: f64 = 25.0;
/// So far a point is thought to be in the same region and country.
const AREA_KM: f64 = 100.0;
/// How far is looked, one after the other: most points have a place within the first.
const LOOKS_KM: [f64; 3] = [32.0, 61.0, AREA_KM + MOST_KM];
/// Radius of the sphere, as `query --near` has it.
const EARTH_KM: f64 = 6371.0;

/// A place as seen from a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spot {
    /// Which, in the order of the file.
    pub(super) place: u32,
    pub(super) how: How,
}

/// How a point belongs to a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum How {
    /// It is there.
    Here,
    /// It is some way outside.
    Near,
    /// It is so far that only region and country are known.
    Area,
}

/// How much of a place there is in a class of sizes: the reverse of the script's.
pub(super) fn people_of(size: u8) -> f64 {
    (f64::from(size) / 2.0).exp2() - 1.0
}

fn radius_km(size: u8) -> f64 {
    let km = (people_of(size) / DENSITY / std::f64::consts::PI).sqrt();
    km.clamp(LEAST_KM, MOST_KM)
}

/// How well a place suits a point: the least is best. Whoever is within any is not outside of another.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(super) enum Fit {
    /// Within: by distance over radius.
    Within(f64),
    /// Outside: by the distance to the edge, in kilometres.
    Outside(f64),
}

impl Fit {
    pub(super) fn new(distance_km: f64, size: u8) -> Self {
        let radius = radius_km(size);
        if distance_km <= radius {
            Self::Within(distance_km / radius)
        } else {
            Self::Outside(distance_km - radius)
        }
    }

    pub(super) fn how(self) -> Option<How> {
        match self {
            Self::Within(_) => Some(How::Here),
            Self::Outside(km) if km <= HERE_KM => Some(How::Here),
            Self::Outside(km) if km <= NEAR_KM => Some(How::Near),
            Self::Outside(km) if km <= AREA_KM => Some(How::Area),
            Self::Outside(_) => None,
        }
    }
}

impl Gazetteer {
    /// The place that a point belongs to; `None` out on the sea, on the ice, and where there is no such
    /// point.
    pub fn nearest(&self, lat: f64, lon: f64) -> Option<Spot> {
        if !(-90.0..=90.0).contains(&lat) || !(-180.0..=180.0).contains(&lon) {
            return None;
        }
        let mut best = None;
        for look_km in LOOKS_KM {
            best = self.best_within(lat, lon, look_km);
            match best {
                // A place beyond has its edge no nearer than this.
                Some((Fit::Outside(km), _)) if km > look_km - MOST_KM => {}
                Some(_) => break,
                None => {}
            }
        }
        let (fit, place) = best?;
        fit.how().map(|how| Spot { place, how })
    }

    fn best_within(&self, lat: f64, lon: f64, km: f64) -> Option<(Fit, u32)> {
        let around = curve::box_around(lat, lon, (km / EARTH_KM).to_degrees());
        let from = Point::new(lat, lon);
        let mut best: Option<(Fit, u32)> = None;
        for run in around.runs() {
            let first = self.points.partition_point(|point| *point < run.start);
            for (place, point) in self.points.iter().enumerate().skip(first) {
                if *point >= run.end {
                    break;
                }
                if !around.holds(*point) {
                    continue;
                }
                let (north, east) = curve::middle(*point);
                let fit = Fit::new(
                    from.distance_km(&Point::new(north, east)),
                    self.sizes[place],
                );
                // A run is shorter than 2^32 places.
                let candidate = (fit, place as u32);
                if best.is_none_or(|best| candidate < best) {
                    best = Some(candidate);
                }
            }
        }
        best
    }
}

/// A point on the unit sphere.
pub(super) struct Point([f64; 3]);

impl Point {
    pub(super) fn new(lat: f64, lon: f64) -> Self {
        let ((z, ring), (y, x)) = (lat.to_radians().sin_cos(), lon.to_radians().sin_cos());
        Self([ring * x, ring * y, z])
    }

    /// Along the great circle, by the chord, which is exact where points are near each other.
    pub(super) fn distance_km(&self, other: &Self) -> f64 {
        let apart = self.0.iter().zip(&other.0).map(|(a, b)| (a - b).powi(2));
        let chord = apart.sum::<f64>().sqrt();
        2.0 * EARTH_KM * (chord / 2.0).min(1.0).asin()
    }
}
