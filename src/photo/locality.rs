//! Where on Earth a photo was taken, as people say it.

use std::fmt;

/// A named place with its region and country; or, far from any, these alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Locality {
    /// The city, town or village.
    pub name: Option<String>,
    /// The photo was taken some way outside of it.
    pub near: bool,
    /// The country's first-level division, where it has any.
    pub region: Option<String>,
    /// Name of the country.
    pub country: String,
    /// Its ISO 3166 code ("JP").
    pub code: String,
}

/// All words for a locality, without case and accents: in all languages that are known, and other spellings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalityNames {
    /// For the city, town or village; none where only the region is known.
    pub place: Vec<String>,
    /// For the region; none where there is no region.
    pub region: Vec<String>,
    /// For the country.
    pub country: Vec<String>,
}

/// `Kyoto, Japan`; `near Anaa, French Polynesia`; `Springfield, Illinois, United States`. A region that
/// only says the place's name again is left out.
impl fmt::Display for Locality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.near {
            f.write_str("near ")?;
        }
        let name = self.name.as_deref();
        let region = self.region.as_deref();
        let region = region.filter(|region| name.is_none_or(|name| !region.contains(name)));
        let country = Some(&*self.country).filter(|country| name.or(region) != Some(country));
        let mut parts = [name, region, country].into_iter().flatten();
        if let Some(first) = parts.next() {
            f.write_str(first)?;
        }
        for part in parts {
            write!(f, ", {part}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_says_the_name_again_is_left_out() {
        let say = |name: Option<&str>, near, region: Option<&str>, country: &str| {
            Locality {
                name: name.map(str::to_owned),
                near,
                region: region.map(str::to_owned),
                country: country.to_owned(),
                code: "XX".to_owned(),
            }
            .to_string()
        };
        assert_eq!(
            say(Some("Kyoto"), false, Some("Kyoto"), "Japan"),
            "Kyoto, Japan"
        );
        assert_eq!(
            say(Some("Austin"), true, Some("Texas"), "United States"),
            "near Austin, Texas, United States"
        );
        assert_eq!(say(Some("Monaco"), false, None, "Monaco"), "Monaco");
        assert_eq!(
            say(
                Some("Monaco"),
                false,
                Some("Municipality of Monaco"),
                "Monaco"
            ),
            "Monaco"
        );
        assert_eq!(
            say(Some("Lisbon"), false, Some("Lisbon District"), "Portugal"),
            "Lisbon, Portugal"
        );
        assert_eq!(
            say(None, false, Some("Tamanrasset"), "Algeria"),
            "Tamanrasset, Algeria"
        );
        assert_eq!(
            say(Some("Luxembourg"), false, Some("Luxembourg"), "Luxembourg"),
            "Luxembourg"
        );
    }
}
