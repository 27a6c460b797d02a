//! What can be wrong with a query.

use crate::store::StoreError;

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
    /// A date that is none.
    #[error(
        "{given:?} is no date: give YYYY, YYYY-MM, YYYY-MM-DD, YYYY-MM-DDTHH:MM, today, yesterday, or an age like 30d, 6w, 3m, 2y"
    )]
    BadDate {
        /// As given.
        given: String,
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
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn hint(suggestions: &[String]) -> String {
    if suggestions.is_empty() {
        " among the things that the model knows; `photond tags` lists those in use".to_owned()
    } else {
        format!("; did you mean {}?", suggestions.join(", "))
    }
}
