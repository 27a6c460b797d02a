//! Terms of the user's own in the space of one model.
//!
//! A term by its name is judged as a sentence is. A term by examples is the mean of their vectors,
//! and how near is near enough comes from how far the library's photos are from it: photos are much
//! closer to photos than to words. Examples are found in the index by their content, or among the
//! vectors that `photond vocab add` made of files that are not in it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{LabelError, LabelPlan};
use crate::embedding::Tag;
use crate::model::ModelPack;
use crate::photo::ContentHash;
use crate::store::{StoreReader, decode_vector};
use crate::tag::{OWN_TERMS_DIR, OwnTerm, OwnTerms, put_whole};

/// Vectors that set the measure for a term by examples, at most.
const SAMPLE: usize = 2000;
/// Photos from which the library's own spread is a measure.
const ENOUGH: usize = 30;
/// Standard deviations above the mean of the library from which a photo is as likely as not.
const KIN: f32 = 2.7;
/// The least cosine that can mean so. Two photos of the derived space are alike from 0.50 on; in
/// others, where all photos lie close together, the spread says more and this is a mere guard.
const ALIKE: f32 = 0.50;
/// The most that can be asked for, however alike the library's photos are.
const MOST: f32 = 0.90;
/// Cosine of a photo that is the same picture.
const SAME: f32 = 0.98;
/// Confidence from which a tag is kept.
const FLOOR: f32 = 0.2;

#[derive(Default)]
pub(super) struct Own {
    version: String,
    terms: Vec<Ready>,
    trouble: Option<String>,
}

struct Ready {
    key: String,
    name: String,
    vector: Vec<f32>,
    /// `None`: a term by its name.
    measure: Option<Measure>,
}

/// What a cosine with the middle of examples means: one half at `half`, and how steep from there.
#[derive(Clone, Copy)]
struct Measure {
    half: f32,
    slope: f32,
}

impl Measure {
    fn confidence(self, cosine: f32) -> f32 {
        1.0 / (1.0 + (-(cosine - self.half) * self.slope).exp())
    }
}

impl Own {
    pub fn len(&self) -> usize {
        self.terms.len()
    }

    /// Which terms these are.
    pub fn version(&self) -> String {
        self.version.clone()
    }

    /// What is wrong with some.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }

    /// Reads the file again if it is another.
    pub fn refresh(
        &mut self,
        plan: &LabelPlan,
        reader: &StoreReader,
        pack: &ModelPack,
        model: i64,
    ) -> Result<(), LabelError> {
        let own = match OwnTerms::read(&plan.data_dir) {
            Ok(own) => own,
            Err(e) => {
                // What was there stays: nothing is lost by a slip of the pen.
                self.trouble = Some(e.to_string());
                if self.version.is_empty() {
                    self.version = OwnTerms::default().version();
                }
                return Ok(());
            }
        };
        let version = own.version();
        if version == self.version {
            return Ok(());
        }
        self.trouble = None;
        let mut encoder = None;
        let mut terms = Vec::new();
        let mut missing = 0;
        let sample = if own.terms().iter().any(|t| !t.examples.is_empty()) {
            sample(reader, model, pack.dims)?
        } else {
            Vec::new()
        };
        for term in own.terms() {
            let (vector, measure) = if term.examples.is_empty() {
                if encoder.is_none() {
                    match super::encode::encoder(plan, pack) {
                        Ok(made) => encoder = Some(made),
                        Err(e) => {
                            // Terms by examples go without.
                            self.trouble = Some(e.to_string());
                            continue;
                        }
                    }
                }
                let Some(encoder) = &mut encoder else {
                    continue;
                };
                let prompt = pack.text.as_ref().map_or("{}", |t| t.prompt.as_str());
                let text = prompt.replace("{}", &term.name);
                if encoder.tokens(&text)? > encoder.limit() {
                    self.trouble = Some(format!(
                        "{:?} is longer than {} reads: its end does not count; a shorter name, or examples, would",
                        term.name, pack.id
                    ));
                }
                let vector = super::encode::one(encoder, &text)?;
                (vector, None)
            } else {
                let examples = examples(plan, reader, pack, model, term)?;
                missing += term.examples.len() - examples.len();
                let Some(vector) = centre(&examples) else {
                    continue;
                };
                let measure = among(&vector, &sample, pack.derived_from().is_some());
                (vector, Some(measure))
            };
            terms.push(Ready {
                key: term.key(),
                name: term.name.clone(),
                vector,
                measure,
            });
        }
        if missing > 0 {
            self.trouble = Some(format!(
                "{missing} example photos of your own terms are neither in the index nor known to {}: `photond vocab add` them again",
                pack.id
            ));
        }
        self.version = version;
        self.terms = terms;
        Ok(())
    }

    /// Cosines of a photo with the terms by name.
    pub fn named(&self, photo: &[f32]) -> Vec<f32> {
        let named = self.terms.iter().filter(|t| t.measure.is_none());
        named.map(|t| dot(&t.vector, photo)).collect()
    }

    /// A photo's tags: terms by name as they were chosen (by their place in what [`Own::named`] gave), and terms by examples.
    pub fn tags(&self, photo: &[f32], chosen: &[(usize, f32)]) -> Vec<Tag> {
        let tag = |term: &Ready, confidence| Tag {
            term: term.key.clone(),
            name: term.name.clone(),
            confidence,
        };
        let named: Vec<&Ready> = self.terms.iter().filter(|t| t.measure.is_none()).collect();
        let by_name = chosen
            .iter()
            .filter_map(|(at, confidence)| Some(tag(named.get(*at)?, *confidence)));
        let by_examples = self.terms.iter().filter_map(|term| {
            let confidence = term.measure?.confidence(dot(&term.vector, photo));
            (confidence >= FLOOR).then(|| tag(term, confidence))
        });
        by_name.chain(by_examples).collect()
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    use simsimd::SpatialSimilarity;
    #[allow(clippy::cast_possible_truncation)]
    f32::dot(a, b).map_or(f32::NAN, |d| d as f32)
}

/// The middle of some vectors, of length one.
fn centre(vectors: &[Vec<f32>]) -> Option<Vec<f32>> {
    let mut sum = vectors.first()?.clone();
    for vector in &vectors[1..] {
        sum.iter_mut().zip(vector).for_each(|(a, b)| *a += b);
    }
    let length = dot(&sum, &sum).sqrt();
    (length > 0.0).then(|| sum.iter().map(|v| v / length).collect())
}

/// Some of the library's vectors, the first ones.
fn sample(reader: &StoreReader, model: i64, dims: usize) -> Result<Vec<Vec<f32>>, LabelError> {
    let mut vectors = Vec::new();
    reader.embeddings_since(model, 0, SAMPLE, &mut |_, _, bytes| {
        if bytes.len() == dims * 2 {
            vectors.push(decode_vector(bytes).values);
        }
    })?;
    Ok(vectors)
}

fn among(vector: &[f32], sample: &[Vec<f32>], derived: bool) -> Measure {
    let cosines: Vec<f32> = sample.iter().map(|v| dot(vector, v)).collect();
    let steep = 12.0;
    if cosines.len() < ENOUGH {
        let half = if derived { ALIKE } else { 0.85 };
        return Measure { half, slope: steep };
    }
    #[allow(clippy::cast_precision_loss)]
    let count = cosines.len() as f32;
    let mean = cosines.iter().sum::<f32>() / count;
    let deviation = (cosines.iter().map(|c| (c - mean).powi(2)).sum::<f32>() / count).sqrt();
    let half = (mean + KIN * deviation).clamp(ALIKE, MOST);
    Measure {
        half,
        // From half to nine in ten within one deviation, and surely for the same picture.
        slope: (2.2 / deviation.max(0.02))
            .max(3.0 / (SAME - half))
            .max(steep),
    }
}

/// The vectors of a term's examples that can be had.
fn examples(
    plan: &LabelPlan,
    reader: &StoreReader,
    pack: &ModelPack,
    model: i64,
    term: &OwnTerm,
) -> Result<Vec<Vec<f32>>, LabelError> {
    let known = ExampleVectors::read(&plan.data_dir);
    let mut vectors = Vec::new();
    for example in &term.examples {
        let photo = match ContentHash::from_hex(&example.hash) {
            Some(hash) => reader.photo_id(&hash)?,
            None => None,
        };
        let stored = match photo {
            Some(photo) => reader.embedding(photo, model)?.map(|e| e.values),
            None => None,
        };
        let vector = stored.or_else(|| known.get(&example.hash, &pack.id.0).cloned());
        vectors.extend(vector.filter(|v| v.len() == pack.dims));
    }
    Ok(vectors)
}

/// Vectors of examples that are not in the index, by content and model. A small file beside the
/// terms; derived from the example files, and of no other use.
#[derive(Debug, Default)]
pub struct ExampleVectors {
    vectors: HashMap<String, Vec<f32>>,
}

impl ExampleVectors {
    /// What is there; a file that cannot be read is as good as none.
    #[must_use]
    pub fn read(data_dir: &Path) -> Self {
        let vectors = std::fs::read(Self::path(data_dir))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Self { vectors }
    }

    /// The vector that a model gave some content.
    #[must_use]
    pub fn get(&self, hash: &str, model: &str) -> Option<&Vec<f32>> {
        self.vectors.get(&format!("{hash} {model}"))
    }

    /// Adds one.
    pub fn put(&mut self, hash: &str, model: &str, vector: Vec<f32>) {
        self.vectors.insert(format!("{hash} {model}"), vector);
    }

    /// Writes them, whole or not at all; only those of content that `keep` wants.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&mut self, data_dir: &Path, keep: impl Fn(&str) -> bool) -> std::io::Result<()> {
        self.vectors
            .retain(|key, _| keep(key.split(' ').next().unwrap_or_default()));
        put_whole(&Self::path(data_dir), &serde_json::to_vec(&self.vectors)?)
    }

    fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(OWN_TERMS_DIR).join("examples.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(angle: f32) -> Vec<f32> {
        vec![angle.cos(), angle.sin(), 0.0]
    }

    #[test]
    fn a_photo_like_the_examples_is_one_and_others_are_not() {
        let sample: Vec<Vec<f32>> = (0..200).map(|i| vector(0.9 + i as f32 / 200.0)).collect();
        let centre = centre(&[vector(0.0), vector(0.1)]).unwrap();
        let measure = among(&centre, &sample, true);
        assert!(measure.confidence(dot(&centre, &vector(0.05))) > 0.9);
        assert!(measure.confidence(dot(&centre, &vector(1.2))) < 0.2);
        let alone = among(&centre, &[], true);
        assert!(alone.confidence(dot(&centre, &vector(0.05))) > 0.9);
        assert!(alone.confidence(dot(&centre, &vector(1.4))) < 0.2);
    }

    #[test]
    fn vectors_of_examples_are_kept_while_they_are_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let mut vectors = ExampleVectors::read(dir.path());
        vectors.put("aa", "m@1", vec![0.5, 0.5]);
        vectors.put("bb", "m@1", vec![0.1, 0.2]);
        vectors.write(dir.path(), |hash| hash == "aa").unwrap();
        let again = ExampleVectors::read(dir.path());
        assert_eq!(again.get("aa", "m@1"), Some(&vec![0.5, 0.5]));
        assert!(again.get("aa", "m@2").is_none() && again.get("bb", "m@1").is_none());
    }
}
