//! Texts in, rows of token ids out, as the pack says.
//!
//! `tokenizer.json` says how a text is cut into tokens and which special ones stand around it. What
//! it stores of padding and truncation is what somebody once exported with, and is ignored: length
//! and padding are the manifest's. A text that is too long loses its end, never the special tokens
//! that close it (CLIP's vector is read off its last one). Special tokens written out in a text are
//! text, not special.

use tokenizers::utils::truncation::TruncationDirection;
use tokenizers::{Encoding, PostProcessor, Tokenizer};

use super::error::ModelError;
use super::manifest::TextSpec;
use super::pack::ModelPack;

/// A tokenizer with the pack's rules. Shared by reference.
pub(super) struct Tokens {
    tokenizer: Tokenizer,
    pack: String,
    length: usize,
    pad_id: Option<u32>,
    lowercase: bool,
    /// Special tokens around a text.
    added: usize,
}

/// One text, ready for the graph: three rows of equal length.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub ids: Vec<u32>,
    /// 1 for tokens, 0 for padding.
    pub mask: Vec<u32>,
    pub types: Vec<u32>,
}

impl Tokens {
    /// Reads the pack's tokenizer.
    ///
    /// # Errors
    /// If it is missing, not understood, or leaves no room for a text within the length.
    pub(super) fn new(pack: &ModelPack, spec: &TextSpec) -> Result<Self, ModelError> {
        let bad = |reason: String| ModelError::BadPack {
            pack: pack.id.to_string(),
            reason: format!("{} {reason}", spec.tokenizer),
        };
        let bytes = pack.file(&spec.tokenizer)?;
        let mut tokenizer = Tokenizer::from_bytes(bytes.as_ref())
            .map_err(|e| bad(format!("is not understood: {e}")))?;
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|e| bad(e.to_string()))?;
        tokenizer.set_encode_special_tokens(true);
        let added = tokenizer
            .get_post_processor()
            .map_or(0, |p| p.added_tokens(false));
        if added >= spec.length {
            return Err(bad(format!(
                "puts {added} special tokens around a text, but text.length in model.toml is {}",
                spec.length
            )));
        }
        Ok(Self {
            tokenizer,
            pack: pack.id.to_string(),
            length: spec.length,
            pad_id: spec.pad_id,
            lowercase: spec.lowercase,
            added,
        })
    }

    /// Tokens of the whole text, special ones included, before anything is cut off.
    pub(super) fn count(&self, text: &str) -> Result<usize, ModelError> {
        Ok(self.cut(text)?.len() + self.added)
    }

    /// Into how many pieces a word is cut.
    pub(super) fn pieces(&self, word: &str) -> Result<usize, ModelError> {
        Ok(self.cut(word)?.len())
    }

    /// How many pieces the tokenizer knows.
    pub(super) fn vocabulary(&self) -> usize {
        self.tokenizer.get_vocab_size(false)
    }

    /// The row of a text, cut off at the pack's length and padded if the pack says so.
    ///
    /// # Errors
    /// [`ModelError::Tokens`] if nothing of the text is left.
    pub(super) fn row(&self, text: &str) -> Result<Row, ModelError> {
        let mut content = self.cut(text)?;
        content.truncate(self.length - self.added, 0, TruncationDirection::Right);
        let whole = self
            .tokenizer
            .post_process(content, None, true)
            .map_err(|e| self.wrong(&e.to_string()))?;
        let mut row = Row {
            ids: whole.get_ids().to_vec(),
            mask: whole.get_attention_mask().to_vec(),
            types: whole.get_type_ids().to_vec(),
        };
        if row.ids.is_empty() {
            return Err(self.wrong("it has no tokens"));
        }
        if let Some(pad) = self.pad_id {
            row.ids.resize(self.length, pad);
            row.mask.resize(self.length, 0);
            row.types.resize(self.length, 0);
        }
        Ok(row)
    }

    /// The text's own tokens.
    fn cut(&self, text: &str) -> Result<Encoding, ModelError> {
        let lower = self.lowercase.then(|| text.to_lowercase());
        self.tokenizer
            .encode_fast(lower.as_deref().unwrap_or(text), false)
            .map_err(|e| self.wrong(&e.to_string()))
    }

    fn wrong(&self, reason: &str) -> ModelError {
        ModelError::Tokens {
            pack: self.pack.clone(),
            reason: reason.to_owned(),
        }
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
