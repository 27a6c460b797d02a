//! What can be wrong with a query.

use std::path::PathBuf;

use crate::geo::GeoError;
use crate::matrix::ScanError;
use crate::model::{InstallError, ModelError};
use crate::store::StoreError;
use crate::tag::TagError;

/// A query that cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// A tag that names nothing.
    #[error("no tag is called {tag:?}{}", hint(.suggestions))]
    UnknownTag {
        /// As given.
        tag: String,
        /// Names that are close.
        suggestions: Vec<String>,
    },
    /// A keyword that no photo has.
    #[error("no photo has the keyword {keyword:?}{}", hint(.suggestions))]
    UnknownKeyword {
        /// As given.
        keyword: String,
        /// Keywords that are close.
        suggestions: Vec<String>,
    },
    /// A name that nobody on a photo has.
    #[error("nobody is called {name:?} on any photo{}", .suggestions.first().map_or_else(
        || "; `photond people` lists everybody".to_owned(), |_| hint(.suggestions)))]
    UnknownPerson {
        /// As given.
        name: String,
        /// Names that are close.
        suggestions: Vec<String>,
    },
    /// A name of nothing on Earth.
    #[error("no place is called {given:?}{}", .suggestions.first().map_or_else(
        || "; `photond places` lists where photos were taken".to_owned(), |_| hint(.suggestions)))]
    UnknownPlace {
        /// As given.
        given: String,
        /// Places with photos that are spelt nearly so.
        suggestions: Vec<String>,
    },
    /// A place where no photo was taken.
    #[error("no photo was taken in {place}; `photond places` lists where photos were taken")]
    NotTakenThere {
        /// Its name.
        place: String,
    },
    /// Coordinates where a name belongs.
    #[error("--place takes a name; for coordinates there is --near {given}")]
    CoordinatesAsPlace {
        /// As given.
        given: String,
    },
    /// Stars that cannot be.
    #[error("--rating {given:?}: give 4, 4- (four or more) or 2-3; 0 is none, -1 is rejected")]
    BadRating {
        /// As given.
        given: String,
    },
    /// A tag that is not wanted, said in the place of one that is.
    #[error("{given:?}: to leave photos with {word:?} out, say --not-tag {word:?}")]
    Negated {
        /// As given.
        given: String,
        /// What may not be there.
        word: String,
    },
    /// A date that is none.
    #[error(
        "{given:?} is no date: give 2019, 2019-05, 2019-05-03, 3 May 2019, 2019-05-03T10:15 (with +02:00 or Z: that instant), today, monday, last week, or how long ago it was: 30d, 6 weeks, 3m, 2y"
    )]
    BadDate {
        /// As given.
        given: String,
    },
    /// A date that may be two.
    #[error("{given:?} may be {one} or {other}: give it like that")]
    AmbiguousDate {
        /// As given.
        given: String,
        /// With the day first.
        one: String,
        /// With the month first.
        other: String,
    },
    /// Nothing is at or after the one and before the other.
    #[error("{after} and {before}: no photo can be both")]
    EmptySpan {
        /// `--since …`
        after: String,
        /// `--until …`
        before: String,
    },
    /// A place that is none.
    #[error(
        "{given:?} is no place: give LAT,LON or LAT,LON,KM in degrees and kilometres, like 48.86,2.35,5"
    )]
    BadPlace {
        /// As given.
        given: String,
    },
    /// A glob that is none.
    #[error("--path {given:?}: {reason}")]
    BadGlob {
        /// As given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file name without anything in it.
    #[error("--name {given:?}: give a file's name, a part of it, or a pattern like \"IMG_*.jpg\"")]
    EmptyName {
        /// As given.
        given: String,
    },
    /// A sentence without words.
    #[error("{given:?} says nothing: give a few words, like \"waves on a beach\"")]
    EmptyText {
        /// As given.
        given: String,
    },
    /// More than the text model reads.
    #[error(
        "the text has {words} words ({tokens} tokens), and the model reads at most {limit} tokens: say it shorter, or give several --text"
    )]
    TooLong {
        /// Words of the text.
        words: usize,
        /// What the tokenizer makes of it.
        tokens: usize,
        /// What the model reads.
        limit: usize,
    },
    /// A weight that is none.
    #[error(
        "{given:?}: a weight is a number from 0.01 to 100 before a colon, like 2:golden retriever"
    )]
    BadWeight {
        /// As given.
        given: String,
    },
    /// An example photo that is none.
    #[error("{}: {reason}", .path.display())]
    Example {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Only what is not wanted.
    #[error(
        "--minus-text and --minus-like say what photos should not be like: give a --text or --like beside them"
    )]
    OnlyMinus,
    /// Wishes that cancel each other.
    #[error("what is wanted and what is not wanted cancel each other: nothing is left to look for")]
    NoDirection,
    /// No photo has a vector of the search model yet.
    #[error("{model} has seen no photo yet: `photond status` shows how far it is")]
    NothingSeen {
        /// The search model.
        model: String,
    },
    /// A stop came first.
    #[error("stopped")]
    Stopped,
    /// The models.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A photo of the index that has no vector.
    #[error("{model} has not seen photo {photo} yet, so nothing can be compared with it")]
    NotSeen {
        /// `photos.id`.
        photo: i64,
        /// The search model.
        model: String,
    },
    /// The search model's pack.
    #[error(transparent)]
    Pack(#[from] InstallError),
    /// The place names.
    #[error(transparent)]
    Geo(#[from] GeoError),
    /// The words.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// The scan.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SearchError {
    /// Whether it is the model that cannot answer, and not the question that is wrong.
    pub fn is_of_the_model(&self) -> bool {
        matches!(
            self,
            Self::Model(_) | Self::Pack(_) | Self::NothingSeen { .. }
        )
    }
}

fn hint(suggestions: &[String]) -> String {
    if suggestions.is_empty() {
        " among the things that the model knows; `photond tags` lists those in use".to_owned()
    } else {
        format!("; did you mean {}?", suggestions.join(", "))
    }
}
