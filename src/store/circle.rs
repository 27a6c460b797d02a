//! A circle on the map: the box that an index is asked for, and the distance that decides.

/// Length of a degree of latitude on the sphere of [`distance_km`], rounded down.
const KM_PER_DEGREE: f64 = 111.194;
/// A circle on the map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circle {
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
    /// Radius in kilometres.
    pub km: f64,
}

impl Circle {
    /// Whether coordinates lie in it; those that are not known do not.
    pub(super) fn holds(self, lat: Option<f64>, lon: Option<f64>) -> bool {
        let at = lat.zip(lon);
        at.is_some_and(|(lat, lon)| distance_km(self.lat, self.lon, lat, lon) <= self.km)
    }

    /// The box around a circle, from south to north and from west to east; the circle itself is checked row
    /// by row. Around a pole, and across the line where days change, it goes all the way round.
    pub(super) fn box_around(self) -> [f64; 4] {
        let reach = self.km / KM_PER_DEGREE;
        let furthest = self.lat.abs() + reach;
        let aside = reach / furthest.to_radians().cos();
        let (west, east) = (self.lon - aside, self.lon + aside);
        let (west, east) = if furthest < 90.0 && west >= -180.0 && east <= 180.0 {
            (west, east)
        } else {
            (-180.0, 180.0)
        };
        [self.lat - reach, self.lat + reach, west, east]
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_box_holds_its_circle(
            lat in -90.0..90.0f64, lon in -180.0..180.0f64, km in 0.1..3000.0f64,
            near in (-40.0..40.0f64, -40.0..40.0f64),
        ) {
            let [south, north, west, east] = (Circle { lat, lon, km }).box_around();
            let (other, aside) = ((lat + near.0).clamp(-90.0, 90.0), lon + near.1);
            let aside = (aside + 540.0).rem_euclid(360.0) - 180.0;
            if distance_km(lat, lon, other, aside) <= km {
                prop_assert!((south..=north).contains(&other), "{other}");
                prop_assert!((west..=east).contains(&aside), "{aside}");
            }
        }
    }

    #[test]
    fn distances_are_those_of_the_globe() {
        // Berlin to Paris is 878 km; across the date line, 0.2 degrees at the equator are 22 km.
        assert!((distance_km(52.52, 13.405, 48.8566, 2.3522) - 878.0).abs() < 2.0);
        assert!((distance_km(0.0, 179.9, 0.0, -179.9) - 22.2).abs() < 0.2);
    }
}
