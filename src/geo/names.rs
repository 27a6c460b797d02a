//! What places, regions and countries are called, and what a word means.

use memchr::memmem::Finder;
use unicode_normalization::UnicodeNormalization;

use super::file::GROUP;
use super::nearest::How;
use super::{Area, Gazetteer, GeoError, Spot};
use crate::photo::{Locality, LocalityNames};
use crate::said::text::bare;

impl Gazetteer {
    /// How to say where this is.
    ///
    /// # Errors
    /// The compiled-in data is damaged.
    pub fn locality(&self, spot: Spot) -> Result<Locality, GeoError> {
        let name = match spot.how {
            How::Area => None,
            How::Here | How::Near => Some(first_column(&self.line(spot.place)?).to_owned()),
        };
        Ok(self.said(spot.place as usize, name, spot.how == How::Near))
    }

    /// All words for where this is.
    ///
    /// # Errors
    /// The compiled-in data is damaged.
    pub fn names(&self, spot: Spot) -> Result<LocalityNames, GeoError> {
        let place = match spot.how {
            How::Area => Vec::new(),
            How::Here | How::Near => {
                let line = self.line(spot.place)?;
                let (name, others) = line.split_once('\t').unwrap_or((&line, ""));
                words(name, others)
            }
        };
        let line = usize::from(self.area_of[spot.place as usize]);
        let (country, region) = self.areas.country_and_region(line);
        Ok(LocalityNames {
            place,
            region: region.map(|area| area.words()).unwrap_or_default(),
            country: country.words(),
        })
    }

    /// Everything on Earth that a word means, countries and regions first, then the largest places.
    ///
    /// # Errors
    /// The compiled-in data is damaged.
    pub fn named(&self, word: &str) -> Result<Vec<Locality>, GeoError> {
        let word = bare_name(word);
        if word.is_empty() {
            return Ok(Vec::new());
        }
        let sought = Sought::new(&word);
        let mut found = Vec::new();
        for line in 0..self.areas.len() {
            let area = self.areas.get(line);
            if sought.is(area.name, area.others) {
                let (country, region) = self.areas.country_and_region(line);
                found.push(Locality {
                    name: None,
                    near: false,
                    region: region.map(|area| area.name.to_owned()),
                    country: country.name.to_owned(),
                    code: country.code.to_owned(),
                });
            }
        }
        found.sort_by_key(|area| area.region.is_some());
        let mut places = Vec::new();
        for group in 0..self.packed.groups() {
            let text = self.packed.group(group)?;
            for (at, line) in text.lines().enumerate() {
                let (name, others) = line.split_once('\t').unwrap_or((line, ""));
                if sought.is(name, others) {
                    let place = group * GROUP as usize + at;
                    places.push((place, name.to_owned()));
                }
            }
        }
        places.retain(|(place, _)| *place < self.sizes.len());
        places.sort_by_key(|(place, _)| std::cmp::Reverse(self.sizes[*place]));
        let places = places.into_iter();
        found.extend(places.map(|(place, name)| self.said(place, Some(name), false)));
        Ok(found)
    }

    fn said(&self, place: usize, name: Option<String>, near: bool) -> Locality {
        let line = usize::from(self.area_of[place]);
        let (country, region) = self.areas.country_and_region(line);
        Locality {
            name,
            near,
            region: region.map(|area| area.name.to_owned()),
            country: country.name.to_owned(),
            code: country.code.to_owned(),
        }
    }

    /// A place's name and its others.
    fn line(&self, place: u32) -> Result<String, GeoError> {
        let group = self.packed.group((place / GROUP) as usize)?;
        let line = group.lines().nth((place % GROUP) as usize);
        line.map(str::to_owned).ok_or(GeoError("a name is missing"))
    }
}

impl Area<'_> {
    fn words(&self) -> Vec<String> {
        words(self.name, self.others)
    }
}

fn first_column(line: &str) -> &str {
    line.split('\t').next().unwrap_or(line)
}

fn words(name: &str, others: &str) -> Vec<String> {
    let others = others.split('\t').filter(|other| !other.is_empty());
    std::iter::once(bare_name(name))
        .chain(others.map(str::to_owned))
        .collect()
}

/// A bare word that is looked for in very many names.
struct Sought<'a> {
    word: &'a str,
    within: Finder<'a>,
}

impl<'a> Sought<'a> {
    fn new(word: &'a str) -> Self {
        Self {
            word,
            within: Finder::new(word),
        }
    }

    /// Whether something of that name, and of these others, is called so.
    fn is(&self, name: &str, others: &str) -> bool {
        let is_name = || {
            // Most are told apart by their first letter, which no folding changes.
            let first = name.as_bytes().first().map(u8::to_ascii_lowercase);
            let differs = first.is_some_and(|first| {
                first.is_ascii_lowercase() && !self.word.as_bytes().starts_with(&[first])
            });
            !differs && bare_name(name) == self.word
        };
        let is_other = || {
            self.within.find(others.as_bytes()).is_some()
                && others.split('\t').any(|other| other == self.word)
        };
        is_other() || is_name()
    }
}

/// What is left of a name for somebody who types it: no case, no accents, blanks for hyphens and the like;
/// nothing for apostrophes and full stops ("N'Djamena", "St. Louis"). The script that makes the file has
/// the same rule.
pub fn bare_name(name: &str) -> String {
    const SILENT: [char; 9] = ['\'', '’', '‘', 'ʻ', 'ʼ', 'ʽ', '`', '′', '.'];
    let spoken = bare(name)
        .replace(SILENT, "")
        .replace(|c: char| !c.is_alphanumeric(), " ");
    // Composed again: Hangul taken apart is three times as long.
    let spoken: String = spoken.nfc().collect();
    spoken.split_whitespace().collect::<Vec<_>>().join(" ")
}
