//! From a query to photos: words to terms, dates and places to bounds, filters in SQL.
//!
//! Promises: a query reads only; a word that names nothing is an error with suggestions, never an
//! empty answer. Never: prints, or opens a photo.

mod dates;
mod error;
mod place;
mod query;
mod row;

pub use dates::{Edge, parse_date};
pub use error::SearchError;
pub use place::parse_place;
pub use query::{Query, Searcher};
pub use row::{PhotoJson, TagJson};
