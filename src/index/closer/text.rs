//! Text in a picture: lines are found, cut out and read one after the other.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::{CloserLook, CloserPlan, Looked};
use crate::boxes::{self, DetectedBox};
use crate::embedding::Letterbox;
use crate::index::runner::{Graph, Outcome, Runner, Starting};
use crate::index::spaces::Role;
use crate::model::reading::{LinePicture, LineReader, LineText, TextBox, TextFinder, cut_line};
use crate::model::{ImageSide, ModelError, ModelPack, Runtime, text_pack};
use crate::picture_text::{ReadLine, worth_keeping};

/// How long the lines of one picture may take, those that wait for others not counted: three full pages.
/// What is not read by then is left out, the largest lines come first.
const DEADLINE: Duration = Duration::from_secs(30);

impl CloserPlan {
    /// Reads text; `places` are the folders that packs lie in.
    ///
    /// # Errors
    /// Only if the binary itself is damaged: what is not installed shows when it is loaded.
    pub fn text(places: &[PathBuf], threads: usize) -> Result<Self, ModelError> {
        let pack = text_pack(places)?;
        let no_input = || ModelError::BadPack {
            pack: pack.id.to_string(),
            reason: "it wants no picture".to_owned(),
        };
        Ok(Self {
            role: Role::Text,
            id: pack.id.clone(),
            dims: pack.dims,
            input: pack.input().cloned().ok_or_else(no_input)?,
            look: Box::new(TextLook {
                places: places.to_vec(),
                threads,
                pack,
                sessions: None,
            }),
        })
    }
}

struct TextLook {
    places: Vec<PathBuf>,
    threads: usize,
    pack: ModelPack,
    sessions: Option<Sessions>,
}

struct Sessions {
    finder: Runner<Letterbox, Vec<TextBox>>,
    reader: Runner<LinePicture, LineText>,
}

impl Graph for TextFinder {
    type Ask = Letterbox;
    type Answer = Vec<TextBox>;

    fn batch(&self) -> usize {
        1
    }

    fn see(&mut self, pictures: &[Letterbox]) -> Result<Vec<Vec<TextBox>>, ModelError> {
        pictures.iter().map(|picture| self.find(picture)).collect()
    }
}

impl Graph for LineReader {
    type Ask = LinePicture;
    type Answer = LineText;

    fn batch(&self) -> usize {
        1
    }

    fn see(&mut self, lines: &[LinePicture]) -> Result<Vec<LineText>, ModelError> {
        lines.iter().map(|line| self.read(line)).collect()
    }
}

impl CloserLook for TextLook {
    fn is_there(&mut self) -> Result<(), ModelError> {
        self.pack = text_pack(&self.places)?;
        self.pack.whole()
    }

    fn load(
        &mut self,
        runtime: &Runtime,
        background: bool,
        stop: &AtomicBool,
    ) -> Result<(), ModelError> {
        if self.sessions.is_some() {
            return Ok(());
        }
        let name = self.pack.id.to_string();
        let (rt, pack, threads) = (runtime.clone(), self.pack.clone(), self.threads);
        let finder = Starting::begin(name.clone(), background, move || {
            TextFinder::new(&rt, &pack, threads)
        })?;
        let (rt, pack) = (runtime.clone(), self.pack.clone());
        let reader = Starting::begin(name, background, move || {
            LineReader::new(&rt, &pack, threads)
        })?;
        self.sessions = Some(Sessions {
            finder: finder.wait(stop)?,
            reader: reader.wait(stop)?,
        });
        Ok(())
    }

    fn rest(&mut self) {
        self.sessions = None;
    }

    fn look(
        &mut self,
        picture: Letterbox,
        calm: &mut dyn FnMut() -> bool,
        stop: &AtomicBool,
    ) -> Result<Option<Looked>, ModelError> {
        let (Some(Sessions { finder, reader }), ImageSide::Text(graphs)) =
            (&mut self.sessions, &self.pack.image)
        else {
            return Ok(None);
        };
        let Outcome::Answer((mut shown, found)) = finder.see(vec![picture], stop)? else {
            return Ok(None);
        };
        let (Some(picture), Some(mut found)) = (shown.pop(), found?.pop()) else {
            return Ok(None);
        };
        found.sort_by(|a, b| b.height.total_cmp(&a.height));
        let mut spent = Duration::ZERO;
        let mut lines = Vec::new();
        for line in &found {
            if spent >= DEADLINE {
                tracing::debug!(
                    "some of {} lines are not read: it takes too long",
                    found.len()
                );
                break;
            }
            // A column may run upwards too: read both ways, the surer one counts.
            let other_way = line.is_column().then(|| line.reversed());
            let mut best = LineText::default();
            for way in std::iter::once(*line).chain(other_way) {
                if !calm() {
                    return Ok(None);
                }
                let begun = Instant::now();
                let cut = cut_line(&picture, &way, &graphs.reader);
                let Outcome::Answer((_, read)) = reader.see(vec![cut], stop)? else {
                    return Ok(None);
                };
                spent += begun.elapsed();
                let sure = |read: &LineText| read.confidence > best.confidence;
                best = read?.pop().filter(sure).unwrap_or(best);
            }
            let letters = best.text.chars().filter(|c| c.is_alphanumeric()).count();
            if best.confidence >= graphs.reader.confidence
                && letters >= graphs.reader.least_characters
            {
                lines.push(ReadLine {
                    text: best.text,
                    confidence: best.confidence,
                    area: area(line, &picture),
                });
            }
        }
        let lines = worth_keeping(lines);
        let boxes: Vec<DetectedBox> = lines.iter().map(as_box).collect();
        Ok(Some(Looked {
            vector: boxes::kept(&boxes).values,
            lines: Some(lines),
        }))
    }
}

/// Where a line lies, as shares of the picture.
fn area(line: &TextBox, picture: &Letterbox) -> [f32; 4] {
    let [left, top, right, bottom] = line.bounds();
    let share = |v: f32, side: u32| (v / side.max(1) as f32).clamp(0.0, 1.0);
    [
        share(left, picture.width),
        share(top, picture.height),
        share(right, picture.width),
        share(bottom, picture.height),
    ]
}

fn as_box(line: &ReadLine) -> DetectedBox {
    let [left, top, right, bottom] = line.area;
    DetectedBox {
        class: 0,
        score: line.confidence.clamp(0.0, 1.0),
        left,
        top,
        right,
        bottom,
    }
}
