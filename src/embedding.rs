//! Floor 0: vectors, the inputs they come from and the tags they become, in plain values.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How a model wants its picture: the part of a pack's manifest that image code needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputSpec {
    /// Input width and height in pixels.
    pub size: u32,
    /// What of the picture is taken.
    pub fit: Fit,
    /// Subtracted from each 0…255 channel value (R, G, B).
    pub mean: [f32; 3],
    /// Divides the difference (R, G, B).
    pub std: [f32; 3],
}

impl InputSpec {
    /// For a graph that takes pixels as they are.
    pub fn bytes(size: u32, fit: Fit) -> Self {
        Self {
            size,
            fit,
            mean: [0.0; 3],
            std: [1.0; 3],
        }
    }
}

/// How a picture of any shape becomes a square.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Fit {
    /// The centred square whose side is this fraction of the shorter side, then bicubic.
    CenterCrop(f32),
    /// The whole picture, squashed, bicubic.
    Squash,
    /// The whole picture in its own shape, see [`Letterbox`]; sides are multiples of this.
    Letterbox(u32),
    /// The same, and never enlarged.
    Within(u32),
}

/// One model input: `[3, size, size]`, channel-first RGB, normalised.
pub type Tensor = ndarray::Array3<f32>;

/// The whole upright picture, its longer side scaled to `size`, at the left and top of a black tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Letterbox {
    /// `[height, width, 3]`, RGB as it lies in memory; both sides multiples of what the graph wants.
    pub pixels: ndarray::Array3<u8>,
    /// The picture's own width in it.
    pub width: u32,
    /// The picture's own height in it.
    pub height: u32,
}

impl Letterbox {
    /// Width and height that a picture of this size has in one.
    pub fn scaled(size: u32, (width, height): (f64, f64)) -> (u32, u32) {
        let scale = f64::from(size) / width.max(height);
        // Halves to the even side, as Python rounds.
        let side = |v: f64| ((v * scale).round_ties_even() as u32).clamp(1, size);
        (side(width), side(height))
    }

    /// A black one with room for a picture of this size.
    pub fn black((width, height): (u32, u32), multiple: u32) -> Self {
        let [rows, columns] = [height, width].map(|v| v.next_multiple_of(multiple.max(1)) as usize);
        Self {
            pixels: ndarray::Array3::zeros((rows, columns, 3)),
            width,
            height,
        }
    }
}

/// What a model is shown of a picture.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelInput {
    /// An encoder's.
    Square(Tensor),
    /// A detector's.
    Whole(Letterbox),
}

impl ModelInput {
    /// An encoder's, if it is one.
    pub fn square(&self) -> Option<&Tensor> {
        match self {
            Self::Square(tensor) => Some(tensor),
            Self::Whole(_) => None,
        }
    }

    /// A detector's, if it is one.
    pub fn whole(&self) -> Option<&Letterbox> {
        match self {
            Self::Square(_) => None,
            Self::Whole(whole) => Some(whole),
        }
    }
}

/// Which model made a vector: pack name and content revision, e.g. `efficientnet-lite0@1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelId(pub String);

impl ModelId {
    /// The pack's name, without the revision.
    pub fn pack_name(&self) -> &str {
        pack_name(&self.0)
    }

    /// A name for files and folders of this model: readable, safe, and no other model's.
    pub fn file_name(&self) -> String {
        let safe = |c: char| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => c,
            _ => '-',
        };
        let name: String = self.0.chars().take(80).map(safe).collect();
        let hash = blake3::hash(self.0.as_bytes()).to_hex();
        format!("{name}-{}", &hash[..8])
    }
}

/// The pack's name in `name@revision`.
pub fn pack_name(id: &str) -> &str {
    id.split('@').next().unwrap_or(id)
}

impl std::fmt::Display for ModelId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A photo's vector, every value finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    /// `dims` values; of a detector that many for each box ([`crate::boxes`]).
    pub values: Vec<f32>,
}

impl Embedding {
    /// The vector as the index keeps it, in half precision: what is made of it now is then what
    /// will be made of it later.
    pub fn as_kept(mut self) -> Self {
        for value in &mut self.values {
            *value = half::f16::from_f32(*value).to_f32();
        }
        self
    }
}

/// One tag of one photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    /// Stable key of the term (`n02084071`).
    pub key: Arc<str>,
    /// Name shown to people (`dog`).
    pub name: Arc<str>,
    /// Calibrated confidence, 0…1.
    pub confidence: f32,
    /// Who said so.
    pub sources: Sources,
}

/// Who says a tag: a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sources(pub u8);

impl Sources {
    /// The classifier.
    pub const CLASSIFIER: Self = Self(1);
    /// The search model, by its vocabulary.
    pub const VOCABULARY: Self = Self(2);
    /// A word of a person's own.
    pub const OWN: Self = Self(4);
    /// The detector of things and people.
    pub const THINGS: Self = Self(8);
    /// The detector of faces.
    pub const FACES: Self = Self(16);

    /// The picture itself: rules over its pixels' statistics and its metadata.
    pub const PICTURE: Self = Self(32);

    /// Whether any of these is among them.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl std::ops::BitOr for Sources {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl std::ops::BitOrAssign for Sources {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
