//! Words of a person's own in the space of one search model.
//!
//! A word by its name is judged as a sentence is. One by examples is the mean of their vectors, and how
//! near is near enough comes from how far the library's photos are from it: photos are much closer to
//! photos than to words. Examples are found in the index by their content, or among the vectors that
//! `photond vocab add` made of files that are not in it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{TagPlan, TaggingError, stated};
use crate::model::{ModelPack, Runtime, TextEncoder, TextOptions};
use crate::photo::ContentHash;
use crate::safe_file;
use crate::store::StoreReader;
use crate::tag::{OWN_TERMS_DIR, OwnTerm, OwnTerms, OwnWord, Sigmoid};

/// Vectors that set the measure where the model says nothing of its cosines: those of the photos whose
/// content hashes are lowest, so that it does not matter in which order they came.
const SAMPLE: usize = 2000;
/// Photos from which the library's own spread is a measure.
const ENOUGH: usize = 30;
/// Standard deviations above the mean of the library from which a photo is as likely as not.
const KIN: f32 = 2.7;
/// The least cosine that can mean so. Two photos of the derived space are alike from 0.50 on; in
/// others, where all photos lie close together, the spread says more and this is a mere guard.
const ALIKE: f32 = 0.50;
/// The same in other spaces, of a library that is too small to say more.
const ALIKE_ELSEWHERE: f32 = 0.85;
/// The most that can be asked for, however alike the library's photos are.
const MOST: f32 = 0.90;
/// Cosine of a photo that is the same picture.
const SAME: f32 = 0.98;
/// What a sentence's cosine means in the derived space (mean 0.00, deviation 0.13 over random phrases
/// and photos): as likely as not from 3.3 deviations on, measured with some 280 sentences.
const DERIVED: Sigmoid = Sigmoid {
    scale: 20.0,
    bias: -8.58,
};

/// The words that can be said, and what is wrong with the others.
pub(super) struct OwnWords {
    pub words: Vec<OwnWord>,
    pub trouble: Option<String>,
}

impl OwnWords {
    /// Reads a person's file. A mistake in it is said, and there are no own words until it is mended.
    pub fn read(
        plan: &TagPlan,
        reader: &StoreReader,
        pack: &ModelPack,
        model: i64,
    ) -> Result<Self, TaggingError> {
        let mut own = Self {
            words: Vec::new(),
            trouble: None,
        };
        let terms = match OwnTerms::read(&plan.data_dir) {
            Ok(terms) => terms,
            Err(e) => {
                own.trouble = Some(e.to_string());
                return Ok(own);
            }
        };
        if terms.terms().is_empty() {
            return Ok(own);
        }
        let sample = reader.sample(model, SAMPLE)?;
        let mut texts = Texts {
            plan,
            pack,
            encoder: None,
        };
        let known = ExampleVectors::read(&plan.data_dir);
        let mut missing = 0;
        for term in terms.terms() {
            let made = if term.examples.is_empty() {
                match texts.vector(&term.name) {
                    Ok((vector, cut)) => {
                        own.trouble = own.trouble.or(cut);
                        by_name(pack, &vector, &sample).map(|sigmoid| (vector, sigmoid))
                    }
                    Err(e) => {
                        // Words by examples go without.
                        own.trouble = Some(e.to_string());
                        None
                    }
                }
            } else {
                let examples = examples(reader, &known, pack, model, term)?;
                missing += term.examples.len() - examples.len();
                centre(&examples).map(|vector| {
                    let sigmoid = by_examples(pack, &vector, &sample);
                    (vector, sigmoid)
                })
            };
            own.words.extend(made.map(|(vector, sigmoid)| OwnWord {
                key: term.key().into(),
                name: term.name.as_str().into(),
                vector,
                sigmoid,
            }));
        }
        if missing > 0 {
            own.trouble = Some(format!(
                "{missing} example photos of your own words are neither in the index nor known to {}: `photond vocab add` them again",
                pack.id
            ));
        }
        Ok(own)
    }
}

/// The model's text side, loaded when the first name wants it.
struct Texts<'a> {
    plan: &'a TagPlan,
    pack: &'a ModelPack,
    encoder: Option<TextEncoder>,
}

impl Texts<'_> {
    /// A name's vector, and a word about it if it is too long to be read whole.
    fn vector(
        &mut self,
        name: &str,
    ) -> Result<(Vec<f32>, Option<String>), crate::model::ModelError> {
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => {
                let options = TextOptions {
                    threads: self.plan.threads,
                    quick: true,
                };
                let runtime = Runtime::find(&self.plan.data_dir)?;
                none.insert(TextEncoder::new(&runtime, self.pack, options)?)
            }
        };
        let prompt = self.pack.text.as_ref().map_or("{}", |t| t.prompt.as_str());
        let text = prompt.replace("{}", name);
        let cut = (encoder.tokens(&text)? > encoder.limit()).then(|| {
            format!(
                "{name:?} is longer than {} reads: its end does not count; a shorter name, or examples, would",
                self.pack.id
            )
        });
        let vector = encoder.encode(&[&text])?.swap_remove(0);
        Ok((vector.values, cut))
    }
}

/// What a cosine with a name means: what the model says, or what is measured; `None`: not known yet.
fn by_name(pack: &ModelPack, vector: &[f32], sample: &[Vec<f32>]) -> Option<Sigmoid> {
    if let Some(stated) = stated(pack) {
        return Some(stated);
    }
    if pack.derived_from().is_some() {
        return Some(DERIVED);
    }
    let (mean, deviation) = spread(vector, sample)?;
    let half = mean + KIN * deviation;
    let scale = 2.2 / deviation.max(0.005);
    Some(rounded(scale, half))
}

/// What a cosine with the middle of examples means.
fn by_examples(pack: &ModelPack, vector: &[f32], sample: &[Vec<f32>]) -> Sigmoid {
    /// Least steepness: from half to nine in ten within a cosine of 0.18.
    const STEEP: f32 = 12.0;
    let Some((mean, deviation)) = spread(vector, sample) else {
        let derived = pack.derived_from().is_some();
        return rounded(STEEP, if derived { ALIKE } else { ALIKE_ELSEWHERE });
    };
    let half = (mean + KIN * deviation).clamp(ALIKE, MOST);
    // From half to nine in ten within one deviation, and surely for the same picture.
    let scale = (2.2 / deviation.max(0.02))
        .max(3.0 / (SAME - half))
        .max(STEEP);
    rounded(scale, half)
}

/// One half at `half`. Rounded, so that a library that has grown a little tags as it did.
fn rounded(scale: f32, half: f32) -> Sigmoid {
    let half = (half * 50.0).round() / 50.0;
    let scale = scale.round();
    Sigmoid {
        scale,
        bias: -half * scale,
    }
}

/// Mean and standard deviation of the library's cosines with a vector, if there are enough.
fn spread(vector: &[f32], sample: &[Vec<f32>]) -> Option<(f32, f32)> {
    if sample.len() < ENOUGH {
        return None;
    }
    let cosines: Vec<f32> = sample.iter().map(|v| dot(vector, v)).collect();
    let count = cosines.len() as f32;
    let mean = cosines.iter().sum::<f32>() / count;
    let variance = cosines.iter().map(|c| (c - mean).powi(2)).sum::<f32>() / count;
    Some((mean, variance.sqrt()))
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    use simsimd::SpatialSimilarity;
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

/// The vectors of a word's examples that can be had.
fn examples(
    reader: &StoreReader,
    known: &ExampleVectors,
    pack: &ModelPack,
    model: i64,
    term: &OwnTerm,
) -> Result<Vec<Vec<f32>>, TaggingError> {
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
/// words; derived from the example files, and of no other use.
#[derive(Debug, Default)]
pub struct ExampleVectors {
    vectors: HashMap<String, Vec<f32>>,
}

impl ExampleVectors {
    /// What is there; a file that cannot be read is as good as none.
    pub fn read(data_dir: &Path) -> Self {
        let vectors = std::fs::read(Self::path(data_dir))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Self { vectors }
    }

    /// The vector that a model gave some content.
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
        safe_file::write(&Self::path(data_dir), &serde_json::to_vec(&self.vectors)?)
    }

    fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(OWN_TERMS_DIR).join("examples.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{default_pack, lite0_minilm};

    fn vector(angle: f32) -> Vec<f32> {
        vec![angle.cos(), angle.sin(), 0.0]
    }

    #[test]
    fn a_photo_like_the_examples_is_one_and_others_are_not() {
        let derived = lite0_minilm(&[]).unwrap();
        let sample: Vec<Vec<f32>> = (0..200).map(|i| vector(0.9 + i as f32 / 200.0)).collect();
        let centre = centre(&[vector(0.0), vector(0.1)]).unwrap();
        let near = |sigmoid: Sigmoid, angle| sigmoid.of(dot(&centre, &vector(angle)));
        let measure = by_examples(&derived, &centre, &sample);
        assert!(near(measure, 0.05) > 0.9 && near(measure, 1.2) < 0.2);
        let alone = by_examples(&derived, &centre, &[]);
        assert!(near(alone, 0.05) > 0.9 && near(alone, 1.4) < 0.2);
    }

    #[test]
    fn a_name_is_judged_as_the_model_says_or_as_the_library_does() {
        let named = |pack: &ModelPack, sample: &[Vec<f32>]| by_name(pack, &vector(0.0), sample);
        let derived = lite0_minilm(&[]).unwrap();
        assert_eq!(named(&derived, &[]), Some(DERIVED));
        // A pack that says nothing of its cosines.
        let silent = default_pack().unwrap();
        let sample: Vec<Vec<f32>> = (0..200).map(|i| vector(1.2 + i as f32 / 600.0)).collect();
        assert_eq!(named(&silent, &[]), None);
        let sigmoid = named(&silent, &sample).unwrap();
        assert!(
            sigmoid.of(0.95) > 0.9 && sigmoid.of(0.2) < 0.2,
            "{sigmoid:?}"
        );
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
