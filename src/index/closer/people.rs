//! Faces in a picture: found in one step, then told apart one after the other. Whose they are the store finds,
//! in the transaction that writes them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::{CloserLook, CloserPlan, Looked};
use crate::embedding::Letterbox;
use crate::faces::{self, Face};
use crate::index::runner::{Graph, Outcome, Runner, Starting};
use crate::index::spaces::Role;
use crate::model::packs::Packs;
use crate::model::{
    Calibration, FaceEncoder, FacePoints, ModelError, ModelPack, Runtime, face_encoder_pack,
    faces_pack,
};

impl CloserPlan {
    /// Tells faces apart, whenever that is asked for; and how far those of one person may be apart.
    ///
    /// # Errors
    /// Only if the binary itself is damaged: what is not installed shows when it is loaded.
    pub fn people(packs: Packs) -> Result<(Self, f32), ModelError> {
        let pack = face_encoder_pack(packs.places())?;
        let bad = |reason: &str| ModelError::BadPack {
            pack: pack.id.to_string(),
            reason: reason.to_owned(),
        };
        let Some(Calibration::Distance { same }) = pack.calibration else {
            return Err(bad("it does not say which faces are one person's"));
        };
        let input = pack.input().cloned();
        let plan = Self {
            role: Role::People,
            id: pack.id.clone(),
            dims: pack.dims,
            input: input.ok_or_else(|| bad("it wants no picture"))?,
            look: Box::new(PeopleLook {
                places: packs.places().to_vec(),
                packs,
                pack,
                encoder: None,
            }),
        };
        Ok((plan, same))
    }
}

struct PeopleLook {
    packs: Packs,
    places: Vec<PathBuf>,
    pack: ModelPack,
    encoder: Option<Runner<FaceAsk, FaceAnswer>>,
}

/// A picture; and one of the faces in it, if they have been found.
pub(in crate::index) struct FaceAsk {
    picture: Arc<Letterbox>,
    face: Option<FacePoints>,
}

pub(in crate::index) enum FaceAnswer {
    Found(Vec<FacePoints>),
    Told(Face),
}

impl Graph for FaceEncoder {
    type Ask = FaceAsk;
    type Answer = FaceAnswer;

    fn batch(&self) -> usize {
        1
    }

    fn see(&mut self, asked: &[FaceAsk]) -> Result<Vec<FaceAnswer>, ModelError> {
        let mut answers = Vec::with_capacity(asked.len());
        for FaceAsk { picture, face } in asked {
            answers.push(match face {
                None => FaceAnswer::Found(self.find(picture)?),
                Some(face) => FaceAnswer::Told(self.encode(picture, face)?),
            });
        }
        Ok(answers)
    }
}

impl CloserLook for PeopleLook {
    fn is_off(&self) -> bool {
        !self.packs.tells_people()
    }

    fn is_there(&mut self) -> Result<(), ModelError> {
        self.pack = face_encoder_pack(&self.places)?;
        self.pack.whole()
    }

    fn load(
        &mut self,
        runtime: &Runtime,
        background: bool,
        stop: &AtomicBool,
    ) -> Result<(), ModelError> {
        if self.encoder.is_some() {
            return Ok(());
        }
        let (runtime, pack) = (runtime.clone(), self.pack.clone());
        let detector = faces_pack()?;
        let starting = Starting::begin(pack.id.to_string(), background, move || {
            FaceEncoder::new(&runtime, &pack, &detector)
        })?;
        self.encoder = Some(starting.wait(stop)?);
        Ok(())
    }

    fn rest(&mut self) {
        self.encoder = None;
    }

    fn look(
        &mut self,
        picture: Letterbox,
        calm: &mut dyn FnMut() -> bool,
        stop: &AtomicBool,
    ) -> Result<Option<Looked>, ModelError> {
        let Some(encoder) = &mut self.encoder else {
            return Ok(None);
        };
        let picture = Arc::new(picture);
        let mut ask = |face| {
            let asked = FaceAsk {
                picture: Arc::clone(&picture),
                face,
            };
            match encoder.see(vec![asked], stop)? {
                Outcome::Answer((_, answered)) => Ok::<_, ModelError>(answered?.pop()),
                Outcome::Stopped => Ok(None),
            }
        };
        let Some(FaceAnswer::Found(found)) = ask(None)? else {
            return Ok(None);
        };
        let mut told = Vec::with_capacity(found.len());
        for face in found {
            if !calm() {
                return Ok(None);
            }
            let Some(FaceAnswer::Told(face)) = ask(Some(face))? else {
                return Ok(None);
            };
            told.push(face);
        }
        Ok(Some(Looked {
            vector: faces::kept(&told).values,
            lines: None,
        }))
    }
}
