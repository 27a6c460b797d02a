//! Tags: what a vector says in words.
//!
//! Image vector · label rows (+ bias) → calibration → confidence → terms a person would use.
//! Two kinds: the classifier's own last layer ([`LabelBank`], [`Tagger`]), and a lexicon of tens of
//! thousands of terms encoded by a dual encoder ([`Lexicon`], [`TermBank`], [`best`], [`Pools`]),
//! with terms of a person's own beside it ([`OwnTerms`]). [`Words`] puts all of them together.
//!
//! Promises: scores are the same for the same vector, whatever the batch; every confidence lies
//! in 0…1. Never: runs a model, opens a photo, or touches the database; the only files are a bank
//! and a person's own terms.
//!
//! Cost: one pass of dot products over a resident bank, shared by several photos, then what is kept;
//! nothing is sorted but that.

mod calibration;
mod choice;
mod error;
mod hierarchy;
mod label_bank;
mod lexicon;
mod own_terms;
mod relevance;
mod scan;
mod score;
mod term_bank;
mod vocabulary;
mod words;

pub use calibration::softmax;
pub use choice::{
    Background, CANDIDATES, Candidate, Kept, Kinship, LEAST_KEPT, Loudness, MOST_KEPT, Measure,
    choose,
};
pub use error::TagError;
pub use label_bank::LabelBank;
pub use lexicon::{LexTerm, Lexicon};
pub use own_terms::{
    Example, LONGEST_NAME, OWN_TERMS_DIR, OWN_TERMS_FILE, OwnTerm, OwnTerms, OwnTermsError,
    put_whole,
};
pub use relevance::{
    Pool, PoolSettings, Pools, Progress as PoolProgress, RowState, Scope, SettingsError, Sizes,
    Sweep,
};
pub use scan::{Hit, Rows, ScanError, best};
pub use score::{Keep, Tagger};
pub use term_bank::{BankError, BankIdentity, BankWriter, Began, TermBank, text_key};
pub use vocabulary::{Lookup, Term, Vocabulary};
pub use words::{MOST_SHOWN, Said, Words};
