//! Vectors of what a query asks for: sentences through the pack's text side, example photos from
//! the index or, where they are not in it, through the same way as any photo.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::error::SearchError;
use super::language::{Foreign, foreign};
use super::sentence::is_stop_word;
use crate::embedding::{Embedding, ModelId, ModelInput};
use crate::media::{Inspector, Limits};
use crate::model::{
    EncoderOptions, ImageEncoder, ModelPack, Projection, Runtime, TextEncoder, TextOptions,
};
use crate::photo::ContentHash;
use crate::store::StoreReader;
use crate::tag::Classifier;

/// A text model that is being loaded while other things are done, and kept between queries for as long as this
/// is.
pub struct TextSide(Mutex<Stage>);

enum Stage {
    Loading(JoinHandle<Loaded>),
    Ready(Box<(Runtime, TextEncoder)>),
    /// In use, or it could not be loaded.
    Away,
}

type Loaded = Result<(Runtime, TextEncoder), SearchError>;

impl TextSide {
    /// Begins to load that of a pack, for one query or for many.
    pub fn begin(pack: &ModelPack, data_dir: &Path, uses: Uses) -> Self {
        let (pack, data_dir) = (pack.clone(), data_dir.to_path_buf());
        let load = move || {
            let runtime = Runtime::find(&data_dir)?;
            let encoder = TextEncoder::new(&runtime, &pack, uses.options())?;
            Ok((runtime, encoder))
        };
        let thread = std::thread::Builder::new().name("photond-text".to_owned());
        let begun = thread.spawn(load).map_or(Stage::Away, Stage::Loading);
        Self(Mutex::new(begun))
    }

    fn replaced(&self, by: Stage) -> Stage {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *stage, by)
    }

    /// What has been loaded, if nobody else has it.
    fn take(&self) -> Option<Loaded> {
        match self.replaced(Stage::Away) {
            Stage::Loading(begun) => begun.join().ok(),
            Stage::Ready(loaded) => Some(Ok(*loaded)),
            Stage::Away => None,
        }
    }

    fn give_back(&self, runtime: Runtime, encoder: TextEncoder) {
        self.replaced(Stage::Ready(Box::new((runtime, encoder))));
    }
}

/// The text model of the pack that searches now: loading it takes most of a search's time.
#[derive(Default)]
pub struct KeptText(Option<(ModelId, Arc<TextSide>)>);

impl KeptText {
    /// Whether it is that of this pack.
    pub fn is_of(&self, pack: &ModelPack) -> bool {
        self.0.as_ref().is_some_and(|(id, _)| *id == pack.id)
    }

    /// That of this pack, which is loaded if it is not the one that is kept.
    pub fn of(&mut self, pack: &ModelPack, data_dir: &Path) -> Arc<TextSide> {
        if let Some((id, text)) = &self.0
            && *id == pack.id
        {
            return Arc::clone(text);
        }
        let text = Arc::new(TextSide::begin(pack, data_dir, Uses::Many));
        self.0 = Some((pack.id.clone(), Arc::clone(&text)));
        text
    }
}

/// How often a text model is used once it is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uses {
    /// For one query: loaded in 50 ms, and 50 ms for the sentence (MiniLM on two cores).
    One,
    /// Loaded in 0.2 s, and 3 ms for each sentence. It takes 150 MB, where the other takes 40 and 140 while it runs.
    Many,
}

impl Uses {
    fn options(self) -> TextOptions {
        TextOptions {
            threads: threads(),
            quick: self == Self::One,
        }
    }
}

/// Makes vectors of one space, loading only what it takes.
pub struct Examples<'a> {
    reader: &'a StoreReader,
    /// The search model.
    pack: &'a ModelPack,
    /// `models.id` of the search model.
    model: i64,
    /// What a derived space is made from.
    classifier: &'a ModelPack,
    words: &'a Classifier,
    data_dir: PathBuf,
    /// Largest file read, in bytes.
    max_file: u64,
    stop: Option<&'a AtomicBool>,
    begun: Option<&'a TextSide>,
    runtime: Option<Runtime>,
    text: Option<TextEncoder>,
    image: Option<ImageEncoder>,
}

impl Drop for Examples<'_> {
    fn drop(&mut self) {
        if let (Some(begun), Some(runtime), Some(encoder)) =
            (self.begun, self.runtime.take(), self.text.take())
        {
            begun.give_back(runtime, encoder);
        }
    }
}

impl<'a> Examples<'a> {
    /// Loads nothing yet.
    pub fn new(
        reader: &'a StoreReader,
        (pack, model): (&'a ModelPack, i64),
        (classifier, words): (&'a ModelPack, &'a Classifier),
        (data_dir, max_file): (&Path, u64),
        stop: Option<&'a AtomicBool>,
    ) -> Self {
        Self {
            reader,
            pack,
            model,
            classifier,
            words,
            data_dir: data_dir.to_path_buf(),
            max_file,
            stop,
            begun: None,
            runtime: None,
            text: None,
            image: None,
        }
    }

    /// With a text model that is being loaded already.
    pub fn with_text(mut self, begun: Option<&'a TextSide>) -> Self {
        self.begun = begun;
        self
    }

    /// The vector of a sentence, of length one.
    ///
    /// # Errors
    /// A pack without text side, a sentence longer than the model reads, a missing runtime.
    pub fn sentence(&mut self, text: &str) -> Result<Embedding, SearchError> {
        let encoder = self.encoder()?;
        let (tokens, limit) = (encoder.tokens(text)?, encoder.limit());
        if tokens > limit {
            return Err(SearchError::TooLong {
                words: text.split_whitespace().count(),
                tokens,
                limit,
            });
        }
        first(encoder.encode(&[text])?)
    }

    /// What speaks against a sentence being in the language that the model reads.
    ///
    /// # Errors
    /// As [`Self::sentence`].
    pub fn foreign(
        &mut self,
        text: &str,
        knows: &dyn Fn(&str) -> bool,
    ) -> Result<Option<Foreign>, SearchError> {
        let encoder = self.encoder()?;
        if !encoder.reads_english_only() {
            return Ok(None);
        }
        let mut pieces = |word: &str| encoder.pieces(word).unwrap_or(1);
        Ok(foreign(text, &mut pieces, knows, &is_stop_word))
    }

    /// The vectors of many short texts, of length one.
    ///
    /// # Errors
    /// As [`Self::sentence`].
    pub fn phrases(&mut self, texts: &[&str]) -> Result<Vec<Embedding>, SearchError> {
        self.pack.text_side()?;
        let pack = self.pack;
        let mut encoder = TextEncoder::new(self.runtime()?, pack, Uses::Many.options())?;
        let mut vectors = Vec::with_capacity(texts.len());
        for text in texts {
            if self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                return Err(SearchError::Stopped);
            }
            vectors.extend(encoder.encode(&[text])?);
        }
        Ok(vectors)
    }

    /// The vector of a picture that is no file, by whatever name it goes.
    ///
    /// # Errors
    /// A file that cannot be read or is no picture, a missing runtime, a model that fails on it.
    pub fn picture(&mut self, name: &Path, bytes: &[u8]) -> Result<Embedding, SearchError> {
        self.of_bytes(name, bytes).map(|(_, vector, _)| vector)
    }

    /// The vector of a photo, of length one: the stored one if the index knows its bytes.
    ///
    /// # Errors
    /// A file that cannot be read or is no picture, a missing runtime, a model that fails on it.
    pub fn photo(&mut self, path: &Path) -> Result<Embedding, SearchError> {
        self.identified(path).map(|(_, vector, _)| vector)
    }

    /// The stored vector of a photo of the index.
    ///
    /// # Errors
    /// The model has not seen it; the database.
    pub fn indexed(&self, photo: i64) -> Result<Embedding, SearchError> {
        let stored = self.reader.embedding(photo, self.model)?;
        stored.ok_or_else(|| SearchError::NotSeen {
            photo,
            model: self.pack.id.to_string(),
        })
    }

    /// The content of a photo, its vector, and whether that is stored in the index.
    ///
    /// # Errors
    /// As [`Self::photo`].
    pub fn identified(
        &mut self,
        path: &Path,
    ) -> Result<(ContentHash, Embedding, bool), SearchError> {
        let bytes = self.read(path)?;
        self.of_bytes(path, &bytes)
    }

    fn of_bytes(
        &mut self,
        name: &Path,
        bytes: &[u8],
    ) -> Result<(ContentHash, Embedding, bool), SearchError> {
        let hash = ContentHash(*blake3::hash(bytes).as_bytes());
        if let Some(photo) = self.reader.photo_id(&hash)?
            && let Some(stored) = self.reader.embedding(photo, self.model)?
        {
            return Ok((hash, stored, true));
        }
        Ok((hash, self.see(name, bytes)?, false))
    }

    fn see(&mut self, path: &Path, bytes: &[u8]) -> Result<Embedding, SearchError> {
        let seeing = if self.pack.derived_from().is_some() {
            self.classifier
        } else {
            self.pack
        };
        let Some(input) = seeing.input() else {
            return Err(SearchError::Example {
                path: path.to_path_buf(),
                reason: format!("{} sees no pictures", seeing.id),
            });
        };
        let extension = path
            .extension()
            .map(|e| e.to_string_lossy().to_ascii_lowercase());
        let tensors = Inspector::new(Limits::default())
            .tensors(bytes, extension.as_deref(), std::slice::from_ref(input))
            .map_err(|e| SearchError::Example {
                path: path.to_path_buf(),
                reason: e.to_string(),
            })?;
        let tensors: Vec<_> = tensors.iter().filter_map(ModelInput::square).collect();
        let seen = first(self.image_encoder(seeing)?.encode(&tensors)?)?;
        if self.pack.derived_from().is_none() {
            return Ok(seen);
        }
        let p = self.words.probabilities(&self.words.logits(&seen.values)?);
        Ok(Projection::new(self.pack)?.project(&p)?)
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, SearchError> {
        let bad = |reason: String| SearchError::Example {
            path: path.to_path_buf(),
            reason,
        };
        let words = |e: std::io::Error| match e.kind() {
            std::io::ErrorKind::NotFound => bad("there is no such file".to_owned()),
            _ => bad(e.to_string()),
        };
        // Looked at before it is opened: opening a pipe would wait for its other end.
        let metadata = std::fs::metadata(path).map_err(words)?;
        if !metadata.is_file() {
            return Err(bad("it is not a file".to_owned()));
        }
        let mut bytes = Vec::new();
        File::open(path)
            .map_err(words)?
            .take(self.max_file + 1)
            .read_to_end(&mut bytes)
            .map_err(words)?;
        if bytes.len() as u64 > self.max_file {
            return Err(bad(format!(
                "it is larger than the {} MiB that max_file_mib allows",
                self.max_file >> 20
            )));
        }
        Ok(bytes)
    }

    fn runtime(&mut self) -> Result<&Runtime, SearchError> {
        if self.runtime.is_none() {
            self.runtime = Some(Runtime::find(&self.data_dir)?);
        }
        Ok(self.runtime.as_ref().expect("just set"))
    }

    /// Of the one model that sees pictures for this space.
    fn image_encoder(&mut self, seeing: &ModelPack) -> Result<&mut ImageEncoder, SearchError> {
        if self.image.is_none() {
            let options = EncoderOptions { threads: threads() };
            self.image = Some(ImageEncoder::new(self.runtime()?, seeing, options)?);
        }
        Ok(self.image.as_mut().expect("just set"))
    }

    fn encoder(&mut self) -> Result<&mut TextEncoder, SearchError> {
        if self.text.is_none() {
            // Before the runtime: a missing text side is the better thing to say.
            self.pack.text_side()?;
            let encoder = if let Some(begun) = self.begun.and_then(TextSide::take) {
                let (runtime, encoder) = begun?;
                self.runtime.get_or_insert(runtime);
                encoder
            } else {
                let pack = self.pack;
                TextEncoder::new(self.runtime()?, pack, Uses::One.options())?
            };
            self.text = Some(encoder);
        }
        Ok(self.text.as_mut().expect("just set"))
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

fn first(mut vectors: Vec<Embedding>) -> Result<Embedding, SearchError> {
    vectors.pop().ok_or(SearchError::NoDirection)
}
