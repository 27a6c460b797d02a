//! Place names: from coordinates to the name that people would say, without network.
//!
//! `models/places/places.bin` has GeoNames' cities, towns and villages along a Z curve (squares of 153
//! metres, so that what is near on the map is near in memory), their regions and countries, and what
//! each is called in other languages; its README says what is in it.
//!
//! Promises: pure functions over data that never changes; [`Gazetteer::identity`] is another one
//! whenever the data is. Never: opens a file, knows borders or coastlines, is sure of a point's country
//! near a border.
//!
//! Cost: a gazetteer is made in about ten milliseconds and takes 2.8 MB: points and areas. Names are 8 MB
//! inflated, so they stay packed in groups of a thousand places, one of which is inflated (a third of a
//! millisecond) when a name is wanted; whoever asks for many keeps them. A look-up by coordinates takes
//! some ten microseconds, a look-up by name inflates all groups.

mod curve;
mod file;
mod names;
mod nearest;
#[cfg(test)]
mod tests;

pub use names::bare_name;
pub use nearest::Spot;

use file::Packed;

static PLACES: &[u8] = include_bytes!("../../models/places/places.bin");

/// The data cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the built-in place names are damaged: {0}")]
pub struct GeoError(&'static str);

/// All places, read-only.
pub struct Gazetteer {
    packed: Packed<'static>,
    /// Where each place is on the curve, ascending.
    points: Vec<u64>,
    /// How many live there, as a class: [`nearest::people_of`].
    sizes: Vec<u8>,
    /// Its line in `areas`.
    area_of: Vec<u16>,
    areas: Areas,
}

/// Countries, each followed by its regions.
struct Areas {
    text: String,
    /// Where each line starts, and the text's end.
    starts: Vec<u32>,
}

/// A country or region.
#[derive(Debug, Clone, Copy)]
struct Area<'a> {
    code: &'a str,
    name: &'a str,
    /// Other names, bare, with tabs between.
    others: &'a str,
}

impl Gazetteer {
    /// What tells the data in this program from another's. Costs nothing.
    ///
    /// # Errors
    /// The compiled-in data is damaged; a test holds that it is not.
    pub fn identity() -> Result<String, GeoError> {
        Ok(Packed::new(PLACES)?.identity())
    }

    /// The places compiled into the program.
    ///
    /// # Errors
    /// The compiled-in data is damaged; a test holds that it is not.
    pub fn built_in() -> Result<Self, GeoError> {
        file::read(PLACES)
    }
}

impl Areas {
    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn get(&self, line: usize) -> Area<'_> {
        let (from, to) = (self.starts[line] as usize, self.starts[line + 1] as usize);
        let mut columns = self.text[from..to].trim_end_matches('\n').splitn(3, '\t');
        let mut next = || columns.next().unwrap_or("");
        Area {
            code: next(),
            name: next(),
            others: next(),
        }
    }

    /// The country that this line is, or is in, and the region, if it is one.
    fn country_and_region(&self, line: usize) -> (Area<'_>, Option<Area<'_>>) {
        let area = self.get(line);
        if area.is_country() {
            return (area, None);
        }
        let above = (0..line).rev().map(|line| self.get(line));
        let country = above.into_iter().find(Area::is_country);
        (country.unwrap_or(area), Some(area))
    }
}

impl Area<'_> {
    /// A region's code has its country's before a full stop.
    fn is_country(&self) -> bool {
        !self.code.contains('.')
    }
}
