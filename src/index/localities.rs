//! Who says where photos were taken: the built-in place names, for the writer.
//!
//! They are inflated when the first photo with coordinates is looked up, and what was found lately is kept,
//! since photos come in series.

use std::collections::HashMap;

use crate::geo::{Gazetteer, GeoError, Spot};
use crate::photo::{Locality, LocalityNames};
use crate::store::NamesLocalities;

/// Localities kept: a long journey has some hundred, and each takes a hundred bytes or two.
const KEPT: usize = 2048;

/// The built-in place names.
pub struct BuiltInNames {
    identity: String,
    gazetteer: Option<Gazetteer>,
    found: HashMap<Spot, Locality>,
}

impl BuiltInNames {
    /// Inflates nothing yet.
    ///
    /// # Errors
    /// The compiled-in data is damaged.
    pub fn new() -> Result<Self, GeoError> {
        Ok(Self {
            identity: Gazetteer::identity()?,
            gazetteer: None,
            found: HashMap::new(),
        })
    }

    fn gazetteer(&mut self) -> Result<&Gazetteer, GeoError> {
        match &mut self.gazetteer {
            Some(known) => Ok(known),
            none => Ok(none.insert(Gazetteer::built_in()?)),
        }
    }

    fn find(&mut self, lat: f64, lon: f64) -> Result<Option<Locality>, GeoError> {
        let Some(spot) = self.gazetteer()?.nearest(lat, lon) else {
            return Ok(None);
        };
        if let Some(known) = self.found.get(&spot) {
            return Ok(Some(known.clone()));
        }
        let locality = self.gazetteer()?.locality(spot)?;
        if self.found.len() >= KEPT {
            self.found.clear();
        }
        self.found.insert(spot, locality.clone());
        Ok(Some(locality))
    }

    fn say(&mut self, lat: f64, lon: f64) -> Result<LocalityNames, GeoError> {
        let gazetteer = self.gazetteer()?;
        match gazetteer.nearest(lat, lon) {
            Some(spot) => gazetteer.names(spot),
            None => Ok(LocalityNames::default()),
        }
    }
}

/// Data that is compiled in is not damaged, and if it were, photos would lack no more than their localities.
impl NamesLocalities for BuiltInNames {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn locality(&mut self, lat: f64, lon: f64) -> Option<Locality> {
        self.find(lat, lon).unwrap_or_else(|e| {
            tracing::error!("{e}");
            None
        })
    }

    fn words(&mut self, lat: f64, lon: f64) -> LocalityNames {
        self.say(lat, lon).unwrap_or_else(|e| {
            tracing::error!("{e}");
            LocalityNames::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_found_again() {
        let mut names = BuiltInNames::new().unwrap();
        assert!(
            names.gazetteer.is_none(),
            "nothing is inflated at the start"
        );
        for _ in 0..2 {
            let found = names.locality(35.0116, 135.7681).unwrap();
            assert_eq!(found.to_string(), "Kyoto, Japan");
            assert_eq!(names.locality(30.0, -40.0), None);
        }
        assert_eq!(names.found.len(), 1);
        assert!(
            names
                .words(35.0, 135.77)
                .country
                .contains(&"nippon".to_owned())
        );
        assert_eq!(names.words(30.0, -40.0), LocalityNames::default());
    }
}
