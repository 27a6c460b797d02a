//! `[text]`: how a dual encoder comes to a sentence's vector.

use serde::{Deserialize, Serialize};

use super::Manifest;
use super::rules::{listed, named, within};
use crate::model::error::ModelError;

/// Tokens of a text.
const LENGTHS: std::ops::RangeInclusive<usize> = 1..=8192;

/// `[text]`: a graph that takes tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextSpec {
    /// The graph's file.
    pub file: String,
    /// `tokenizer.json`. Padding and truncation stored in it are ignored: what stands here counts.
    pub tokenizer: String,
    /// Name of the graph's input for token ids, `[N, L]`, int64 or int32.
    pub ids: String,
    /// Name of its attention mask. Not fed if this export of the graph has no such input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<String>,
    /// Name of its token types. Not fed if this export of the graph has no such input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub types: Option<String>,
    /// Name of its output: `[N, dims]`, or `[N, L, dims]` with mean pooling.
    pub output: String,
    /// From tokens to one vector.
    #[serde(default)]
    pub pooling: Pooling,
    /// Most tokens, special ones included.
    pub length: usize,
    /// Texts are padded to `length` with this token, on the right; absent: no padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pad_id: Option<u32>,
    /// Whether texts are put in lower case before they meet the tokenizer.
    #[serde(default)]
    pub lowercase: bool,
    /// What a label becomes before it is encoded; `{}` stands for the label. Sentences of people
    /// are encoded as they are.
    #[serde(default = "default_prompt")]
    pub prompt: String,
}

fn default_prompt() -> String {
    "{}".to_owned()
}

/// How a text graph's output becomes one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// The graph has done it.
    #[default]
    None,
    /// The mean over the tokens that are not padding.
    Mean,
}

pub(super) fn check(m: &Manifest, text: &TextSpec) -> Result<(), ModelError> {
    listed(m, "text.file", &text.file)?;
    listed(m, "text.tokenizer", &text.tokenizer)?;
    named(m, "text.ids", &text.ids)?;
    named(m, "text.output", &text.output)?;
    let inputs: Vec<&String> = [Some(&text.ids), text.mask.as_ref(), text.types.as_ref()]
        .into_iter()
        .flatten()
        .collect();
    for (i, input) in inputs.iter().enumerate() {
        named(m, "text.mask or text.types", input)?;
        if inputs[..i].contains(input) {
            return Err(m.wrong(
                "text",
                &format!("gives the input {input:?} two meanings among ids, mask and types"),
            ));
        }
    }
    within(m, "text.length", text.length, &LENGTHS)?;
    if text.prompt.matches("{}").count() != 1 {
        return Err(m.wrong(
            "text.prompt",
            &format!("is {:?}; it needs one {{}} for the label", text.prompt),
        ));
    }
    Ok(())
}
