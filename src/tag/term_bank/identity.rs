//! Whose rows a bank holds. All of it must be the same, or the bank is not used.

use serde::{Deserialize, Serialize};

/// What a bank's rows were made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BankIdentity {
    /// Text encoder: pack name and revision.
    pub model: String,
    /// How a term becomes the text that is encoded (the templates).
    pub texts: String,
    /// Version of the lexicon.
    pub vocabulary: String,
    /// BLAKE3 of the tokenizer's file.
    pub tokenizer: String,
    /// Values in a row.
    pub dims: usize,
    /// Rows of the whole bank.
    pub rows: usize,
}

impl BankIdentity {
    /// As it stands in the file: readable, and the same bytes for the same identity.
    pub(super) fn text(&self) -> String {
        // Strings and integers always have a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// How `self`, found in a file, differs from what is wanted; `None` if it does not.
    pub(super) fn differs(&self, wanted: &Self) -> Option<String> {
        let differences: Vec<String> = [
            ("model", &self.model, &wanted.model),
            ("label texts", &self.texts, &wanted.texts),
            ("vocabulary", &self.vocabulary, &wanted.vocabulary),
            ("tokenizer", &self.tokenizer, &wanted.tokenizer),
            (
                "dimensions",
                &self.dims.to_string(),
                &wanted.dims.to_string(),
            ),
            ("rows", &self.rows.to_string(), &wanted.rows.to_string()),
        ]
        .into_iter()
        .filter(|(_, found, wanted)| found != wanted)
        .map(|(what, found, wanted)| format!("{what}: {}, not {}", short(found), short(wanted)))
        .collect();
        (!differences.is_empty()).then(|| differences.join("; "))
    }

    /// Whether the same text has the same vector in both, so that rows may be taken over.
    pub(super) fn same_space(&self, other: &Self) -> bool {
        self.model == other.model && self.tokenizer == other.tokenizer && self.dims == other.dims
    }
}

/// At most 40 characters of it.
fn short(text: &str) -> String {
    let mut chars = text.chars();
    let head: String = chars.by_ref().take(40).collect();
    if chars.next().is_some() {
        format!("{head}…")
    } else {
        head
    }
}
