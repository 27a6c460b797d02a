//! Where what is kept of a photo comes from: which graphs, with which inputs and outputs, and how they want
//! their picture.

use crate::embedding::{Fit, InputSpec, ModelId};
use crate::model::error::ModelError;
use crate::model::manifest::{BoxRules, FacesTable, FinderTable, Kind, Manifest, ReaderTable};

/// Where a photo's vector comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum ImageSide {
    /// A graph of the pack's own.
    Graph(ImageGraph),
    /// A classifier's probabilities, see [`crate::model::Projection`].
    Derived(DerivedImage),
    /// A graph from pictures to boxes, which are kept instead of a vector.
    Boxes(BoxGraph),
    /// A graph from faces to vectors, which are kept with their boxes.
    Faces(FaceGraph),
    /// Two graphs that find lines of text and read them; the lines' boxes are kept instead of a vector.
    Text(TextGraphs),
}

/// A graph from faces to vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct FaceGraph {
    /// The graph, and which faces it is shown.
    pub table: FacesTable,
    /// How the picture is wanted in which faces are looked for.
    pub spec: InputSpec,
}

/// Two graphs that find lines of text and read them.
#[derive(Debug, Clone, PartialEq)]
pub struct TextGraphs {
    /// What finds them.
    pub finder: FinderTable,
    /// What reads one.
    pub reader: ReaderTable,
    /// How the picture is wanted that lines are cut out of.
    pub spec: InputSpec,
}

/// A graph from pictures to boxes.
#[derive(Debug, Clone, PartialEq)]
pub struct BoxGraph {
    /// Name of the file among the pack's.
    pub file: String,
    /// Name of the input, `[N, height, width, 3]` of bytes.
    pub input_name: String,
    /// Name of the output `[N, classes, places]`.
    pub scores: String,
    /// Name of the output `[N, 4, places]`.
    pub boxes: String,
    /// Name of the output `[N, 10, places]`, where a detector of faces has it.
    pub points: Option<String>,
    /// How it wants its pictures.
    pub spec: InputSpec,
    /// Which boxes are kept.
    pub rules: BoxRules,
}

/// A graph from pictures to vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageGraph {
    /// Name of the file among the pack's.
    pub file: String,
    /// Name of the input, `[N, 3, size, size]`.
    pub input_name: String,
    /// Name of the output, `[N, dims]`.
    pub output_name: String,
    /// How it wants its pictures.
    pub spec: InputSpec,
    /// Most pictures in one run.
    pub batch: usize,
    /// Whether vectors are scaled to length one (dual encoders; a classifier's stay as they are).
    pub normalise: bool,
}

/// An image side without a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct DerivedImage {
    /// The classifier whose probabilities it takes.
    pub from: ModelId,
    /// Name of the file with its classes' vectors among the pack's.
    pub class_vectors: String,
    /// How many of the likeliest classes count.
    pub top: usize,
}

impl ImageSide {
    /// How a graph wants its pictures; what is derived sees none.
    pub(super) fn input(&self) -> Option<&InputSpec> {
        match self {
            Self::Graph(graph) => Some(&graph.spec),
            Self::Boxes(graph) => Some(&graph.spec),
            Self::Text(graphs) => Some(&graphs.spec),
            Self::Faces(graph) => Some(&graph.spec),
            Self::Derived(_) => None,
        }
    }

    /// As a manifest says.
    pub(super) fn of(manifest: &Manifest) -> Result<Self, ModelError> {
        if let Some(faces) = &manifest.faces {
            return Ok(Self::Faces(FaceGraph {
                spec: InputSpec::bytes(faces.size, Fit::Letterbox(faces.multiple)),
                table: faces.clone(),
            }));
        }
        if let (Some(finder), Some(reader)) = (&manifest.finder, &manifest.reader) {
            return Ok(Self::Text(TextGraphs {
                spec: InputSpec::bytes(reader.picture, Fit::Within(finder.multiple)),
                finder: finder.clone(),
                reader: reader.clone(),
            }));
        }
        match (&manifest.image, &manifest.derived) {
            (Some(image), None) if manifest.kind == Kind::Detector => {
                let missing = |key: &str| manifest.wrong(key, "is missing (a detector needs it)");
                let name =
                    |key: &str, name: &Option<String>| name.clone().ok_or_else(|| missing(key));
                Ok(Self::Boxes(BoxGraph {
                    file: image.file.clone(),
                    input_name: image.tensor.clone(),
                    scores: name("image.scores", &image.scores)?,
                    boxes: name("image.boxes", &image.boxes)?,
                    points: image.points.clone(),
                    spec: image.spec(),
                    rules: manifest.boxes.ok_or_else(|| missing("boxes"))?,
                }))
            }
            (Some(image), None) => Ok(Self::Graph(ImageGraph {
                file: image.file.clone(),
                input_name: image.tensor.clone(),
                output_name: image.output.clone().unwrap_or_default(),
                spec: image.spec(),
                batch: image.batch,
                normalise: manifest.kind == Kind::DualEncoder,
            })),
            (None, Some(derived)) => Ok(Self::Derived(DerivedImage {
                from: ModelId(derived.from.clone()),
                class_vectors: derived.class_vectors.clone(),
                top: derived.top,
            })),
            _ => Err(manifest.wrong("image", "must be there, or derived, and not both")),
        }
    }
}
