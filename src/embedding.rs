//! Floor 0: vectors and the inputs they come from, in plain values.

/// How a model wants its picture: the part of a pack's manifest that image code needs.
#[derive(Debug, Clone, PartialEq)]
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

/// How a picture of any shape becomes a square.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fit {
    /// The centred square whose side is this fraction of the shorter side, then bicubic.
    CenterCrop(f32),
    /// The whole picture, squashed, bicubic.
    Squash,
}

/// One model input: `[3, size, size]`, channel-first RGB, normalised.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Width and height in pixels.
    pub size: u32,
    /// `3 · size · size` values, R plane, G plane, B plane.
    pub data: Vec<f32>,
}

/// Which model made a vector: pack name and content revision, e.g. `efficientnet-lite0@1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelId(pub String);

impl ModelId {
    /// The pack's name, without the revision.
    #[must_use]
    pub fn pack_name(&self) -> &str {
        pack_name(&self.0)
    }
}

/// The pack's name in `name@revision`.
#[must_use]
pub fn pack_name(id: &str) -> &str {
    id.split('@').next().unwrap_or(id)
}

impl std::fmt::Display for ModelId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A photo's vector as the model gave it, every value finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    /// `dims` values.
    pub values: Vec<f32>,
}

/// One tag of one photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    /// Stable key of the term in its vocabulary (`n02084071`).
    pub term: String,
    /// Name shown to people (`dog`).
    pub name: String,
    /// Calibrated confidence, 0…1.
    pub confidence: f32,
}
