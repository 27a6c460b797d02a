//! Places in queries by their names: `Kyoto`, `japan`, `Paris, Texas`.
//!
//! The index knows what the localities of its photos are called, in every language, so the place names
//! themselves are asked only about a word that it does not know.

use super::error::SearchError;
use super::place::parse_place;
use super::query::{Query, Searcher};
use crate::geo::{Gazetteer, bare_name};
use crate::photo::Locality;
use crate::store::{LocalityCount, LocalityFilter, StoreReader};
use crate::tag::near;

impl Searcher<'_> {
    pub(super) fn taken(&self, query: &Query) -> Result<LocalityFilter, SearchError> {
        let mut within: Option<Vec<i64>> = None;
        for typed in &query.places {
            let ids = localities(self.reader, typed)?;
            within = Some(match within {
                Some(known) => both(&known, &ids),
                None => ids,
            });
        }
        Ok(LocalityFilter {
            within,
            nowhere: query.no_place,
        })
    }
}

/// The localities with photos that a typed name means.
///
/// # Errors
/// There are none, with what the name means elsewhere or what is spelt like it; or the database.
pub fn localities(reader: &StoreReader, typed: &str) -> Result<Vec<i64>, SearchError> {
    let parts: Vec<String> = typed.split(',').map(bare_name).collect();
    let parts: Vec<&str> = parts.iter().map(|part| &**part).collect();
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let mut found: Option<Vec<i64>> = None;
    for part in &parts {
        let ids = meant(reader, part)?;
        found = Some(match found {
            Some(known) => both(&known, &ids),
            None => ids,
        });
    }
    match found.filter(|ids| !ids.is_empty()) {
        Some(ids) => Ok(ids),
        None => Err(unknown(reader, typed, &parts)?),
    }
}

/// What a name means; two names if it is none itself: `paris texas`.
fn meant(reader: &StoreReader, name: &str) -> Result<Vec<i64>, SearchError> {
    let ids = reader.localities_called(name)?;
    if !ids.is_empty() {
        return Ok(ids);
    }
    for (at, _) in name.match_indices(' ') {
        let (first, second) = (&name[..at], &name[at + 1..]);
        let ids = both(
            &reader.localities_called(first)?,
            &reader.localities_called(second)?,
        );
        if !ids.is_empty() {
            return Ok(ids);
        }
    }
    Ok(Vec::new())
}

/// What two ascending lists have in common.
fn both(one: &[i64], other: &[i64]) -> Vec<i64> {
    let in_other = |id: &&i64| other.binary_search(id).is_ok();
    one.iter().filter(in_other).copied().collect()
}

/// Why nothing is found by a name.
fn unknown(reader: &StoreReader, typed: &str, parts: &[&str]) -> Result<SearchError, SearchError> {
    if parse_place(typed).is_ok() {
        return Ok(SearchError::CoordinatesAsPlace {
            given: typed.to_owned(),
        });
    }
    if let Some((first, others)) = parts.split_first() {
        let named = Gazetteer::built_in()?.named(first)?;
        let fits = |place: &&Locality| others.iter().all(|part| is_in(place, part));
        if let Some(place) = named.iter().find(fits) {
            return Ok(SearchError::NotTakenThere {
                place: place.to_string(),
            });
        }
    }
    let counts = reader.locality_counts()?;
    let names = counts.iter().flat_map(|count| names(&count.locality));
    let names: Vec<String> = names.map(str::to_owned).collect();
    Ok(SearchError::UnknownPlace {
        given: typed.to_owned(),
        suggestions: near(typed, &names),
    })
}

/// Whether a region or country has this bare name.
fn is_in(place: &Locality, part: &str) -> bool {
    let region = place.region.as_deref();
    region.is_some_and(|region| bare_name(region) == part)
        || bare_name(&place.country) == part
        || place.code.eq_ignore_ascii_case(part)
}

fn names(place: &Locality) -> impl Iterator<Item = &str> {
    let (name, region) = (place.name.as_deref(), place.region.as_deref());
    name.into_iter().chain(region).chain([&*place.country])
}

/// Localities that some of these words name, by the words that do: the place, the region or the country
/// as it is shown, all of its words.
pub(super) fn said<'w>(
    counts: &[LocalityCount],
    words: &[&'w str],
) -> Vec<(Vec<&'w str>, Vec<i64>)> {
    let bare: Vec<String> = words.iter().map(|word| bare_name(word)).collect();
    let mut found: Vec<(Vec<&str>, Vec<i64>)> = Vec::new();
    for count in counts {
        let mut said = vec![false; words.len()];
        for name in names(&count.locality) {
            let name = bare_name(name);
            let parts = name
                .split(' ')
                .map(|part| bare.iter().position(|b| b == part));
            if let Some(at) = parts.collect::<Option<Vec<usize>>>() {
                at.into_iter().for_each(|at| said[at] = true);
            }
        }
        let said = words.iter().zip(said).filter(|(_, said)| *said);
        let said: Vec<&str> = said.map(|(word, _)| *word).collect();
        if said.is_empty() {
            continue;
        }
        match found.iter_mut().find(|(known, _)| *known == said) {
            Some((_, ids)) => ids.push(count.id),
            None => found.push((said, vec![count.id])),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(id: i64, name: Option<&str>, region: Option<&str>, country: &str) -> LocalityCount {
        LocalityCount {
            id,
            photos: 1,
            locality: Locality {
                name: name.map(str::to_owned),
                near: false,
                region: region.map(str::to_owned),
                country: country.to_owned(),
                code: "XX".to_owned(),
            },
        }
    }

    #[test]
    fn words_name_a_place_when_all_of_its_name_is_there() {
        let counts = [
            count(1, Some("New York City"), Some("New York"), "United States"),
            count(2, Some("Kyoto"), Some("Kyoto"), "Japan"),
            count(3, Some("Uji"), Some("Kyōto"), "Japan"),
            count(4, None, Some("Tamanrasset"), "Algeria"),
        ];
        assert_eq!(
            said(&counts, &["pizza", "new", "york"]),
            [(vec!["new", "york"], vec![1])]
        );
        assert_eq!(said(&counts, &["new", "car"]), []);
        assert_eq!(
            said(&counts, &["temple", "kyoto"]),
            [(vec!["kyoto"], vec![2, 3])]
        );
        assert_eq!(
            said(&counts, &["Uji", "JAPAN"]),
            [(vec!["JAPAN"], vec![2]), (vec!["Uji", "JAPAN"], vec![3])]
        );
        assert_eq!(said(&counts, &["algeria"]), [(vec!["algeria"], vec![4])]);
    }
}
