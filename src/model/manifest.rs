//! `model.toml`: what a pack is, how it is fed, what its files are and where they come from.
//!
//! One format for all packs: compiled in, in the catalogue of those that can be installed, and on
//! disk. Promises: a [`Manifest`] that was parsed makes sense in itself (each key was looked at,
//! unknown ones are refused, names of files cannot leave the pack's folder), and every complaint
//! names the pack, the key, the reason and the remedy. Never opens a file.
//!
//! A catalogue entry may leave out sizes and checksums; [`Manifest::complete`] is what an installed
//! pack must satisfy. [`Manifest::variant`] makes the manifest of one of the variants.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::ModelError;
use super::manifest_check::check;
use crate::embedding::{Fit, InputSpec, ModelId};

/// What a pack can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Label rows are the classifier's own last layer; calibration is softmax.
    Classifier,
    /// Pictures and texts in one space, vectors of length one.
    DualEncoder,
    /// Things, people or faces with the boxes they lie in (`models/detection/README.md`).
    Detector,
    /// Vectors of faces (`models/dlib-face/README.md`).
    FaceEncoder,
    /// Finds lines of text and reads them.
    TextReader,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Classifier => "classifier",
            Self::DualEncoder => "dual-encoder",
            Self::Detector => "detector",
            Self::FaceEncoder => "face-encoder",
            Self::TextReader => "text-reader",
        })
    }
}

/// A parsed and checked `model.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Folder name of the pack, `a-z 0-9 . _ -`.
    pub name: String,
    /// Identity of the vector space.
    pub revision: String,
    /// Classifiers and detectors: identity of what turns their answers into tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_revision: Option<String>,
    /// What it can do.
    pub kind: Kind,
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// Length of its vectors; a detector has none, nor has a text reader.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dims: usize,
    /// Classifiers: number of classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
    /// Detectors: file with its classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<String>,
    /// Detectors: its only class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Image side: a graph of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageTable>,
    /// Image side: made from a classifier's probabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived: Option<DerivedTable>,
    /// Detectors: which boxes are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boxes: Option<BoxRules>,
    /// Detectors: how likely there are people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<PeopleOdds>,
    /// Detectors: where it is run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<After>,
    /// Face encoders: the graph, and which faces it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faces: Option<FacesTable>,
    /// Text readers: what finds lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finder: Option<FinderTable>,
    /// Text readers: what reads one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader: Option<ReaderTable>,
    /// Text side, dual encoders only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextSpec>,
    /// What its scores mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Which file is what, for people and tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, String>,
    /// Licence of the weights, and other notes.
    pub licence: Licence,
    /// Where `model install` gets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The pack's files by name.
    pub files: BTreeMap<String, FileEntry>,
    /// Tables laid over this manifest by [`Manifest::variant`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variants: BTreeMap<String, toml::Table>,
}

/// `[image]`: a graph that takes pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageTable {
    /// The graph's file.
    pub file: String,
    /// Name of its input, `[N, 3, size, size]`, float32 or float16.
    pub tensor: String,
    /// Name of its output, `[N, dims]`, float32 or float16. A detector has `scores` and `boxes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Detectors: name of the output `[N, classes, places]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<String>,
    /// Detectors: name of the output `[N, 4, places]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boxes: Option<String>,
    /// Detectors of faces: name of the output `[N, 10, places]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<String>,
    /// Width and height of its pictures in pixels; of a detector the longer side.
    pub size: u32,
    /// With `letterbox` only: what the sides of the tensor are multiples of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiple: Option<u32>,
    /// What of a picture is taken.
    pub fit: FitName,
    /// Fraction of the shorter side, with `center-crop` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<f32>,
    /// Subtracted from each 0…255 value (R, G, B); in a detector's graph itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<[f32; 3]>,
    /// Divides the difference (R, G, B); in a detector's graph itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<[f32; 3]>,
    /// Most pictures in one run; 1 where a picture's vector would depend on its neighbours.
    #[serde(default = "default_batch")]
    pub batch: usize,
}

/// Beyond eight pictures a run gains next to nothing on a CPU and costs memory.
const fn default_batch() -> usize {
    8
}

/// How a picture is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FitName {
    /// The centred square of `crop` of the shorter side.
    CenterCrop,
    /// The whole picture, squashed.
    Squash,
    /// The whole picture in its own shape.
    Letterbox,
}

/// `[boxes]`: which boxes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoxRules {
    /// Least score.
    pub least: f32,
    /// Of two of one class that overlap by more of their union the surer is kept.
    pub overlap: f32,
    /// At most so many, the surest.
    pub most: usize,
}

/// `[people]`: how likely there are people.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeopleOdds {
    /// Of the best person box's evidence, and of the best face's.
    pub weights: [f32; 2],
    /// Added to their sum.
    pub constant: f32,
    /// What each evidence is at least, and where nothing is found.
    pub least: [f32; 2],
    /// The share of the picture from which a face's size takes nothing from its evidence.
    pub face_area: f32,
}

/// `[after]`: the detector is run only where the other one saw this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// A class of the other one.
    pub class: String,
    /// Least score of a box of it.
    pub score: f32,
}

/// `[faces]`: a graph that takes faces, turned upright.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FacesTable {
    /// The graph's file.
    pub file: String,
    /// The file that its weights lie in.
    pub weights: String,
    /// Name of its input, `[N, side, side, 3]` of bytes (RGB).
    pub tensor: String,
    /// Name of its output, `[N, dims]`.
    pub output: String,
    /// Width and height of a face in pixels.
    pub side: u32,
    /// Where left eye, right eye, nose, left and right corner of the mouth are put, in shares of the side.
    pub points: [[f32; 2]; 5],
    /// The detector that finds faces, `name@revision`.
    pub detector: String,
    /// The longer side of the picture that it is shown.
    pub size: u32,
    /// What the sides of that picture's tensor are multiples of.
    pub multiple: u32,
    /// Least score of a face.
    pub least: f32,
    /// Least height of a face in pixels of that picture: smaller ones cannot be told apart.
    pub smallest: f32,
    /// The farthest that the points may lie from where they are put, root mean square in shares of the
    /// side: faces from the side cannot be told apart.
    pub askew: f32,
}

/// `[finder]`: a graph that says of each pixel how likely it lies in the heart of a line of text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinderTable {
    /// The graph's file.
    pub file: String,
    /// Name of its input, `[N, 3, height, width]`.
    pub tensor: String,
    /// Name of its output, `[N, 1, height, width]`.
    pub output: String,
    /// Longer side of its pictures in pixels; smaller ones are not enlarged.
    pub size: u32,
    /// What the sides of the tensor are multiples of.
    pub multiple: u32,
    /// Which channel comes first.
    pub channels: ChannelOrder,
    /// Subtracted from each 0…255 value, in the order of its channels.
    pub mean: [f32; 3],
    /// Divides the difference.
    pub std: [f32; 3],
    /// Above this a pixel is in a line.
    pub threshold: f32,
    /// Least mean of a line's pixels.
    pub box_score: f32,
    /// A rectangle grows on each side by its area, times this, over its circumference.
    pub unclip: f32,
    /// Least height of a rectangle in pixels.
    pub least_side: f32,
    /// Most lines of a picture, the surest.
    pub most: usize,
}

/// `[reader]`: a graph that reads one line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReaderTable {
    /// The graph's file.
    pub file: String,
    /// Name of its input, `[N, 3, height, width]`.
    pub tensor: String,
    /// Name of its output, `[N, steps, classes]`: probabilities, the first class is "none", the last a space.
    pub output: String,
    /// The graph's own property (metadata) that has its characters, one a line.
    pub keys: String,
    /// Longer side of the picture, in pixels, that lines are cut out of.
    pub picture: u32,
    /// Height of a line in pixels.
    pub height: u32,
    /// A longer line is squeezed into this width.
    pub most_width: u32,
    /// Which channel comes first.
    pub channels: ChannelOrder,
    /// Subtracted from each 0…255 value, in the order of its channels.
    pub mean: [f32; 3],
    /// Divides the difference.
    pub std: [f32; 3],
    /// Least mean of a line's characters.
    pub confidence: f32,
    /// Least letters and digits of a line.
    pub least_characters: usize,
}

/// Order of a picture's channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelOrder {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// `[derived]`: an image side without a graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DerivedTable {
    /// The classifier, `name@revision`.
    pub from: String,
    /// File with its classes' vectors, see [`super::projection`].
    pub class_vectors: String,
    /// How many of the likeliest classes count.
    pub top: usize,
}

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

/// `[calibration]`: what a score means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Calibration {
    /// Classifiers: the scores of all classes together, and what evidence is worth on people's own
    /// photos (slope and constant, from log odds of evidence to log odds of being right).
    Softmax {
        /// Divides the scores before the softmax.
        temperature: f32,
        /// Of a class.
        classes: [f32; 2],
        /// Of a kind of classes.
        kinds: [f32; 2],
        /// Of an everyday word.
        concepts: [f32; 2],
    },
    /// `sigmoid(scale · cosine + bias)`.
    Sigmoid {
        /// Multiplies the cosine.
        scale: f64,
        /// Added to it.
        bias: f64,
    },
    /// Detectors: a logistic function of a box's score and size.
    SizedLogistic {
        /// The share of the picture from which size takes nothing from the evidence for people.
        area: f32,
        /// What a smaller one takes, for each e-fold.
        per_area: f32,
        /// Slope and constant.
        alone: [f32; 2],
        /// Slope of the box's evidence, of the classifier's log odds, and constant.
        with_classifier: [f32; 3],
        /// `area` and `per_area` there.
        with_classifier_size: [f32; 2],
    },
    /// Detectors: a box counts from here on.
    Threshold {
        /// Least score.
        shown: f32,
    },
    /// Face encoders: two faces are the same person's up to this distance.
    Distance {
        /// Of two faces' vectors, or of one from the mean of a person's.
        same: f32,
    },
    /// The cosine itself, with named numbers for whoever judges it.
    Cosine {
        /// The numbers by name.
        #[serde(flatten)]
        values: BTreeMap<String, f64>,
    },
}

/// `[licence]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Licence {
    /// SPDX name of the weights' licence.
    pub weights: String,
    /// Licences of other parts and files with their texts.
    #[serde(flatten)]
    pub others: BTreeMap<String, String>,
}

/// `[source]`: where the files come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Repository, `owner/name`.
    pub repo: String,
    /// Branch, tag or commit.
    #[serde(default = "default_source_revision")]
    pub revision: String,
}

fn default_source_revision() -> String {
    "main".to_owned()
}

/// `[files."NAME"]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Where it lies in the source repository; absent: under its own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// BLAKE3 of its bytes, 64 lower-case hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
}

/// What a pack is called whose name cannot be read.
pub(super) const UNNAMED: &str = "(unnamed)";

/// The name in a text that may not even be TOML, for complaints about the rest.
fn name_of(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let value = line.trim().strip_prefix("name")?.trim_start();
        let name = value.strip_prefix('=')?.trim().strip_prefix('"')?;
        Some(name.split_once('"')?.0.to_owned())
    })
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// [`ModelError::Manifest`] for text that is not TOML, an unknown, missing or senseless key.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let manifest: Self = toml::from_str(text).map_err(|e| {
            let pack = name_of(text).unwrap_or_else(|| UNNAMED.to_owned());
            let line = e
                .span()
                .map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            ModelError::Manifest {
                remedy: remedy(&pack),
                pack,
                key: format!("line {line}"),
                reason: format!("is not understood: {}", e.message().replace('\n', ", ")),
            }
        })?;
        check(&manifest)?;
        Ok(manifest)
    }

    /// The manifest as text that [`Self::parse`] reads back.
    ///
    /// # Errors
    /// If a value has no form in TOML.
    pub fn to_toml(&self) -> Result<String, ModelError> {
        toml::to_string(self).map_err(|e| self.wrong("the whole", &format!("cannot be put: {e}")))
    }

    /// Key of everything the model makes.
    pub fn id(&self) -> ModelId {
        ModelId(format!("{}@{}", self.name, self.revision))
    }

    /// Whether every file has a size and a checksum, as an installed pack must.
    ///
    /// # Errors
    /// The first key that is missing.
    pub fn complete(&self) -> Result<(), ModelError> {
        for (name, entry) in &self.files {
            for (key, there) in [
                ("size", entry.size.is_some()),
                ("blake3", entry.blake3.is_some()),
            ] {
                if !there {
                    return Err(self.wrong(
                        &format!("files.{name:?}.{key}"),
                        "is missing (an installed pack has it)",
                    ));
                }
            }
        }
        Ok(())
    }

    /// The manifest of a variant: its table is laid over this one, key by key; an entry of `files`
    /// is replaced as a whole (another file has another checksum). It is called `NAME-VARIANT` and
    /// has no variants.
    ///
    /// # Errors
    /// If there is no such variant, or the result makes no sense.
    pub fn variant(&self, variant: &str) -> Result<Self, ModelError> {
        let Some(over) = self.variants.get(variant) else {
            let known: Vec<&str> = self.variants.keys().map(String::as_str).collect();
            return Err(ModelError::Manifest {
                pack: self.name.clone(),
                key: "variants".to_owned(),
                reason: format!("has no {variant:?}"),
                remedy: if known.is_empty() {
                    "this pack has only one form".to_owned()
                } else {
                    format!("there is {}", known.join(", "))
                },
            });
        };
        let name = format!("{}-{variant}", self.name);
        let plain = Self {
            name,
            variants: BTreeMap::new(),
            ..self.clone()
        };
        let table = toml::Table::try_from(&plain)
            .map_err(|e| self.wrong("the whole", &format!("cannot be put: {e}")))?;
        let merged = lay_over(table, over, "");
        let text = toml::to_string(&merged)
            .map_err(|e| self.wrong("variants", &format!("cannot be put: {e}")))?;
        Self::parse(&text)
    }

    /// A complaint about one of this manifest's keys.
    pub(super) fn wrong(&self, key: &str, reason: &str) -> ModelError {
        ModelError::Manifest {
            pack: self.name.clone(),
            key: key.to_owned(),
            reason: reason.to_owned(),
            remedy: remedy(&self.name),
        }
    }
}

impl ImageTable {
    /// How it wants its pictures. `crop` was checked against `fit`.
    pub fn spec(&self) -> InputSpec {
        InputSpec {
            size: self.size,
            fit: match self.fit {
                FitName::CenterCrop => Fit::CenterCrop(self.crop.unwrap_or(1.0)),
                FitName::Squash => Fit::Squash,
                FitName::Letterbox => Fit::Letterbox(self.multiple.unwrap_or(1)),
            },
            mean: self.mean.unwrap_or([0.0; 3]),
            std: self.std.unwrap_or([1.0; 3]),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde asks for it
fn is_zero(dims: &usize) -> bool {
    *dims == 0
}

/// What helps against a wrong manifest.
fn remedy(pack: &str) -> String {
    let name = if pack == UNNAMED { "NAME" } else { pack };
    format!("mend it, or run `photond model install {name}` again")
}

fn lay_over(mut base: toml::Table, over: &toml::Table, inside: &str) -> toml::Table {
    for (key, value) in over {
        let both = match (base.remove(key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) if inside != "files" => {
                toml::Value::Table(lay_over(below, above, key))
            }
            _ => value.clone(),
        };
        base.insert(key.clone(), both);
    }
    base
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
