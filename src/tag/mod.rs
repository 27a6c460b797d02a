//! Tags: what vectors say in words.
//!
//! [`Tagger::tags`] is the one way, a pure function over a snapshot: the classifier's classes with the
//! kinds and everyday words over them ([`Classifier`], [`Vocabulary`]), boxes of things, people and faces
//! ([`Detectors`]), terms of the [`Lexicon`]
//! encoded by a search model ([`Bank`]), words of a person's own ([`OwnTerms`], [`OwnWord`]). [`Words`]
//! is the way back, from what people type to terms, and says which tags are worth showing.
//!
//! Promises: every confidence lies in 0…1 and is calibrated; the same vectors give the same tags,
//! whatever the batch and the order. Never: runs a model, opens a photo, or touches the database; the
//! only file is that of a person's own words.

mod bank;
mod classifier;
mod detectors;
mod error;
mod head;
mod kinds;
mod lexicon;
mod own_terms;
mod pools;
mod scenes;
mod spelling;
mod tables;
mod tagger;
mod things;
mod vocabulary;
mod words;

pub use bank::{Bank, Sigmoid};
pub use classifier::{ClassOdds, Classifier};
pub use detectors::{Detectors, FaceOdds, ThingOdds};
pub use error::TagError;
pub use head::Head;
pub use lexicon::{LexTerm, Lexicon};
pub use own_terms::{Example, LONGEST_NAME, OWN_TERMS_DIR, OwnTerm, OwnTerms, OwnTermsError};
pub use pools::{Pools, WORTH};
pub use spelling::{forms, near};
pub use tagger::{OwnWord, SearchWords, SeenByModels, Tagger};
pub use things::ThingClass;
pub use vocabulary::{Aspect, Group, Term, Vocabulary};
pub use words::{Lookup, MOST_SHOWN, Words};

/// Confidence from which a tag is stored: of those below, one in twenty is right.
pub const LEAST_KEPT: f32 = 0.1;
/// Most tags stored of one photo: with the classifier alone a dozen are, seldom thirty.
pub const MOST_KEPT: usize = 40;
