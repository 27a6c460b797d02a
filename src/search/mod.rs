//! From a query to photos: words to terms, dates and places to bounds, filters in SQL, vectors in
//! SIMD.
//!
//! Promises: a query changes nothing but derived files; a tag that names nothing is an error with
//! suggestions, never an empty answer; a ranked answer says whether it is confident; files that are one
//! photo are one result. Never: prints, or opens a photo but for the examples that it was given.

mod allowed;
mod background;
mod best;
mod count;
mod dates;
mod error;
mod evidence;
mod example;
mod judge;
mod language;
mod locality;
mod name;
mod pairs;
mod path;
mod place;
mod plain;
mod query;
mod ranked;
mod row;
mod said;
mod sentence;
mod space;
mod spelled;
mod vectors;
mod videos;
mod wish;

pub use allowed::Allowed;
pub use dates::{Edge, OnDay, parse_date, parse_on};
pub use error::SearchError;
pub use example::{Examples, KeptText, TextSide, Uses};
pub use judge::{Standing, Why};
pub use language::Foreign;
pub use locality::localities;
pub use pairs::{Shot, faces_of_raws, files_of, raws_with};
pub use path::{GivenPath, PathHint};
pub use place::parse_place;
pub use query::{Query, Searcher, SourceNames, negated};
pub use ranked::{DEFAULT_LIMIT, Ranked, RankedHit, Space, prepare};
pub use row::{Member, PhotoJson, TagJson};
pub use space::{Chosen, Instead, choose};
pub use vectors::{NotWritten, VectorIndex, Vectors, vectors_dir};
pub use videos::Videos;
pub use wish::{Like, Wish};
