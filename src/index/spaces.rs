//! The spaces that the pipeline fills: the classifier's vectors, those derived from them, those of
//! search models with a graph of their own, and the detectors' boxes.
//!
//! One table, replaced as a whole whenever something changes; a worker takes the current one for
//! each photo. During a switch the old search model stays in it until the new space is whole, so
//! that photos that come in meanwhile are found in both.

use std::sync::{Arc, Mutex, PoisonError};

use crate::embedding::{InputSpec, ModelId, ModelInput};
use crate::store::SpaceKind;

/// How a model is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ModelState {
    /// Not looked for yet.
    #[default]
    Loading,
    /// Running.
    Ready {
        /// The runtime's library.
        runtime: std::path::PathBuf,
    },
    /// Not running; why, and what to do.
    Missing(String),
    /// Not wanted.
    Off,
}

/// What a space is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The classifier: its vectors become tags.
    Tags,
    /// Made from the classifier's answer, without a picture.
    Derived,
    /// A search model with an image graph of its own.
    Search,
    /// The detector of things and people: its boxes become tags.
    Things,
    /// The detector of faces.
    Faces,
    /// Reads what is written in the picture, behind everything else.
    Text,
    /// Tells faces apart, likewise.
    People,
}

impl Role {
    pub fn kind(self) -> SpaceKind {
        match self {
            Self::Tags => SpaceKind::Classifier,
            Self::Derived | Self::Search => SpaceKind::Search,
            Self::Things | Self::Faces => SpaceKind::Boxes,
            Self::Text => SpaceKind::Text,
            Self::People => SpaceKind::Faces,
        }
    }
}

impl Role {
    /// Of what looks closer: names of the tags that a photo has in which it is likely to find something, and
    /// the confidence from which they count; `None`: that cannot be told.
    ///
    /// Of text these say yes to 45 of 46 pages, receipts, screenshots and whiteboards and to 3 of 128
    /// photos of people's lives. They know no more than 1 of 8 signs in a street, so everything is
    /// looked at in the end.
    pub fn likely(self) -> Option<(&'static [&'static str], f32)> {
        const WRITTEN: &[&str] = &[
            "document",
            "website",
            "screenshot",
            "menu",
            "book jacket",
            "envelope",
            "sign",
            "street sign",
        ];
        /// Of the same photos 51 of 54 with people and 7 of 74 without.
        const PEOPLE: &[&str] = &["people"];
        match self {
            Self::Text => Some((WRITTEN, 0.25)),
            Self::People => Some((PEOPLE, 0.25)),
            _ => None,
        }
    }

    /// Whether its answers are boxes.
    pub fn is_detector(self) -> bool {
        matches!(self, Self::Things | Self::Faces)
    }
}

/// Names a space's place in the pipeline for as long as the process lives.
pub(super) type LaneId = u32;

/// One space.
#[derive(Debug, Clone)]
pub(super) struct LaneSpace {
    pub lane: LaneId,
    pub id: ModelId,
    pub role: Role,
    /// `models.id`; `None` until the writer has given it.
    pub model: Option<i64>,
    /// How its graph wants its pictures.
    pub input: Option<InputSpec>,
    pub state: ModelState,
}

impl LaneSpace {
    pub fn is_ready(&self) -> bool {
        matches!(self.state, ModelState::Ready { .. })
    }
}

/// All spaces at one moment.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub spaces: Vec<LaneSpace>,
    /// The search model that is to be used; a space of this table, or one that failed to open.
    pub in_use: Option<ModelId>,
}

impl Table {
    /// The spaces that want to see pictures.
    pub fn seeing(&self) -> impl Iterator<Item = (&LaneSpace, &InputSpec)> {
        self.spaces
            .iter()
            .filter(|s| !matches!(s.state, ModelState::Missing(_) | ModelState::Off))
            .filter_map(|s| Some((s, s.input.as_ref()?)))
    }

    pub fn with_role(&self, role: Role) -> Option<&LaneSpace> {
        self.spaces.iter().find(|s| s.role == role)
    }
}

/// A picture as one lane wants it.
pub(super) struct LaneTensor {
    pub lane: LaneId,
    pub tensor: ModelInput,
}

/// The current table.
#[derive(Default)]
pub(super) struct Spaces(Mutex<Arc<Table>>);

impl Spaces {
    pub fn get(&self) -> Arc<Table> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn set(&self, table: Table) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }
}
