//! Places in queries.

use super::error::SearchError;
use crate::store::Circle;

/// Radius in kilometres where none is given: a town and its surroundings.
const DEFAULT_KM: f64 = 10.0;

/// Parses `LAT,LON` or `LAT,LON,KM`.
///
/// # Errors
/// [`SearchError::BadPlace`] with what is allowed.
pub fn parse_place(given: &str) -> Result<Circle, SearchError> {
    let bad = || SearchError::BadPlace {
        given: given.to_owned(),
    };
    let numbers: Vec<f64> = given
        .split(',')
        .map(|part| part.trim().parse::<f64>().ok().filter(|n| n.is_finite()))
        .collect::<Option<_>>()
        .ok_or_else(bad)?;
    let (lat, lon, km) = match numbers[..] {
        [lat, lon] => (lat, lon, DEFAULT_KM),
        [lat, lon, km] => (lat, lon, km),
        _ => return Err(bad()),
    };
    if !(-90.0..=90.0).contains(&lat) || !(-180.0..=180.0).contains(&lon) || km <= 0.0 {
        return Err(bad());
    }
    Ok(Circle { lat, lon, km })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn never_panics_and_stays_on_the_globe(text in "[-0-9.,eNa ]{0,30}") {
            if let Ok(place) = parse_place(&text) {
                prop_assert!(place.lat.abs() <= 90.0 && place.lon.abs() <= 180.0 && place.km > 0.0);
            }
        }

        #[test]
        fn what_is_written_is_read(lat in -90.0f64..=90.0, lon in -180.0f64..=180.0, km in 0.001f64..20000.0) {
            let place = parse_place(&format!("{lat},{lon},{km}")).unwrap();
            prop_assert_eq!(place, Circle { lat, lon, km });
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "", "48.8", "91,0", "0,181", "1,2,0", "1,2,-3", "a,b", "1,2,3,4", "NaN,0",
        ] {
            assert!(parse_place(text).is_err(), "{text}");
        }
    }
}
