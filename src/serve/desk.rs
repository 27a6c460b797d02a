//! What answers are made with: readers, the tiles of all photos, the words that queries are understood
//! by. All of it is made when it is first wanted and let go when nobody has asked for a while.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::answer::Failed;
use super::export::Exports;
use super::view::{AllTiles, ViewHead};
use super::{Answers, GetAnswers};
use crate::model::ModelPack;
use crate::photo::hex;
use crate::search::{KeptText, TextSide};
use crate::source::Links;
use crate::store::{PreviewStore, StoreError, StoreReader, ThumbStore, TilesMark};

/// Without a request for so long, what answers have left behind is given back: of a million photos some 10 MB.
const QUIET: Duration = Duration::from_secs(5);
/// Without a request for so long, everything is let go.
const IDLE: Duration = Duration::from_secs(300);
/// Readers that are kept open.
const MOST_READERS: usize = 4;

/// Everything that answers are made with.
pub(super) struct Desk {
    data_dir: PathBuf,
    links: Links,
    most_previews: u64,
    get_answers: GetAnswers,
    exports: Exports,
    kept: Mutex<KeptOpen>,
    previews: Mutex<Option<PreviewStore>>,
    watching: Mutex<Option<Watching>>,
    /// Held while tiles are read, so that they are read once.
    tiles: Mutex<Option<Arc<ClockedTiles>>>,
    clock_from: u64,
    /// How long it took to have the tiles that there are, in milliseconds.
    reading_took: AtomicU64,
    last_asked: Mutex<Instant>,
    is_swept: AtomicBool,
}

#[derive(Default)]
struct KeptOpen {
    readers: Vec<StoreReader>,
    thumbs: Vec<ThumbStore>,
    answers: Option<Arc<dyn Answers>>,
    text: KeptText,
}

/// The tiles with the clock that they are of.
pub(super) struct ClockedTiles {
    pub all: AllTiles,
    pub clock: u64,
    pub epoch: String,
}

impl ClockedTiles {
    /// What stands above a view of them.
    pub fn head(&self) -> ViewHead {
        ViewHead {
            clock: self.clock,
            epoch: self.epoch.clone(),
            ..ViewHead::default()
        }
    }
}

/// Who looks whether tiles have changed.
struct Watching {
    reader: StoreReader,
    version: i64,
    mark: TilesMark,
    changes: u64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    pub fn new(
        data_dir: PathBuf,
        links: Links,
        most_previews: u64,
        get_answers: GetAnswers,
    ) -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            data_dir,
            links,
            most_previews,
            get_answers,
            exports: Exports::default(),
            kept: Mutex::default(),
            previews: Mutex::default(),
            watching: Mutex::default(),
            tiles: Mutex::default(),
            // A daemon that is started again goes on where no earlier clock has been.
            clock_from: since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(0)),
            reading_took: AtomicU64::new(0),
            last_asked: Mutex::new(Instant::now()),
            is_swept: AtomicBool::new(false),
        }
    }

    /// Has work done that reads the index, on a thread that may wait.
    pub async fn with<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self, &StoreReader) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, Failed> {
        self.touch();
        let desk = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            let reader = match locked(&desk.kept).readers.pop() {
                Some(reader) => reader,
                None => StoreReader::open(&desk.data_dir)?,
            };
            let result = work(&desk, &reader);
            let is_small = reader.let_go_of_pages().is_ok();
            let mut kept = locked(&desk.kept);
            // After an error of ours the next one begins anew.
            let is_well = result
                .as_ref()
                .err()
                .is_none_or(|e| !e.status.is_server_error());
            if is_well && is_small && kept.readers.len() < MOST_READERS {
                kept.readers.push(reader);
            }
            result
        });
        done.await
            .map_err(|_| Failed::of_ours("photond broke off; its log says why"))?
    }

    /// The same with the thumbnails.
    pub fn thumbs<T>(
        &self,
        work: impl FnOnce(&ThumbStore) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let kept = locked(&self.kept).thumbs.pop();
        let thumbs = kept.map_or_else(|| ThumbStore::open_read_only(&self.data_dir), Ok)?;
        let result = work(&thumbs)?;
        let mut kept = locked(&self.kept);
        if kept.thumbs.len() < MOST_READERS {
            kept.thumbs.push(thumbs);
        }
        Ok(result)
    }

    /// What is kept of larger pictures: none, if none are to be kept or they cannot be.
    pub fn previews<T>(
        &self,
        work: impl FnOnce(&mut PreviewStore) -> Result<Option<T>, StoreError>,
    ) -> Option<T> {
        if self.most_previews == 0 {
            return None;
        }
        let mut kept = locked(&self.previews);
        let opened = match kept.take() {
            Some(previews) => Ok(previews),
            None => PreviewStore::open(&self.data_dir, self.most_previews),
        };
        let done = opened.and_then(|previews| work(kept.insert(previews)));
        done.unwrap_or_else(|e| {
            tracing::debug!("previews are not kept: {e}");
            None
        })
    }

    /// The words that queries are understood by, and what commands say.
    pub fn answers(&self) -> Result<Arc<dyn Answers>, Failed> {
        if let Some(answers) = &locked(&self.kept).answers {
            return Ok(Arc::clone(answers));
        }
        let answers = (self.get_answers)()?;
        locked(&self.kept).answers = Some(Arc::clone(&answers));
        Ok(answers)
    }

    /// The text model of a pack, and whether it begins to be loaded now.
    pub fn text_side(&self, pack: &ModelPack) -> (Arc<TextSide>, bool) {
        let text = &mut locked(&self.kept).text;
        let is_new = !text.is_of(pack);
        (text.of(pack, &self.data_dir), is_new)
    }

    /// Looks whether tiles have changed, and gives the clock.
    pub fn clock(&self) -> Result<u64, Failed> {
        let mut watching = locked(&self.watching);
        match watching.as_mut() {
            Some(w) => {
                let version = w.reader.data_version()?;
                if version != w.version {
                    let mark = w.reader.tiles_mark()?;
                    w.changes += u64::from(mark != w.mark);
                    (w.version, w.mark) = (version, mark);
                }
                Ok(self.clock_from + w.changes)
            }
            None => {
                let reader = StoreReader::open(&self.data_dir)?;
                *watching = Some(Watching {
                    version: reader.data_version()?,
                    mark: reader.tiles_mark()?,
                    reader,
                    changes: 0,
                });
                Ok(self.clock_from)
            }
        }
    }

    /// How long it took to have the tiles that there are.
    pub fn reading_took(&self) -> Duration {
        Duration::from_millis(self.reading_took.load(Ordering::Relaxed))
    }

    /// Exports that wait to be fetched.
    pub fn exports(&self) -> &Exports {
        &self.exports
    }

    /// Whether the index follows links at the end of a path.
    pub fn links(&self) -> Links {
        self.links
    }

    /// Where the index lies.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// What the clock was at the start: earlier ones are not known here.
    pub fn clock_from(&self) -> u64 {
        self.clock_from
    }

    /// The tiles of all photos as they are now.
    pub fn tiles(&self, reader: &StoreReader) -> Result<Arc<ClockedTiles>, Failed> {
        let mut tiles = locked(&self.tiles);
        let clock = self.clock()?;
        if let Some(tiles) = tiles.as_ref().filter(|tiles| tiles.clock == clock) {
            return Ok(Arc::clone(tiles));
        }
        let began = Instant::now();
        let came = match tiles.as_ref() {
            Some(before) => before.all.with_what_came(reader)?,
            None => None,
        };
        // Two copies at once would be twice the memory.
        *tiles = None;
        let all = match came {
            Some(all) => all,
            None => AllTiles::read(reader)?,
        };
        let read = Arc::new(ClockedTiles {
            all,
            clock,
            epoch: epoch(reader)?,
        });
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.reading_took.store(took, Ordering::Relaxed);
        *tiles = Some(Arc::clone(&read));
        Ok(read)
    }

    /// Has the tiles read that a page is about to ask for: while its browser starts, or fetches the page.
    pub fn prepare(self: &Arc<Self>) {
        let desk = Arc::clone(self);
        tokio::spawn(async move {
            // Who asks for them is told what is wrong.
            let _ = desk.with(|desk, reader| desk.tiles(reader).map(drop)).await;
        });
    }

    /// Notes that somebody asks, and has everything let go when nobody does any more.
    fn touch(self: &Arc<Self>) {
        *locked(&self.last_asked) = Instant::now();
        if self.is_swept.swap(true, Ordering::AcqRel) {
            return;
        }
        let desk = Arc::clone(self);
        tokio::spawn(async move {
            let mut tidied_after = None;
            loop {
                let asked = *locked(&desk.last_asked);
                let idle = asked.elapsed();
                if idle >= IDLE {
                    break;
                }
                if idle >= QUIET && tidied_after != Some(asked) {
                    crate::index::give_memory_back();
                    tidied_after = Some(asked);
                }
                let rest = QUIET.checked_sub(idle).filter(|rest| !rest.is_zero());
                tokio::time::sleep(rest.unwrap_or(QUIET)).await;
            }
            desk.is_swept.store(false, Ordering::Release);
            desk.let_go();
        });
    }

    fn let_go(&self) {
        *locked(&self.kept) = KeptOpen::default();
        *locked(&self.previews) = None;
        *locked(&self.tiles) = None;
        crate::index::give_memory_back();
    }
}

/// Which index this is, for addresses that are kept for good: a photo's number is given once in it.
fn epoch(reader: &StoreReader) -> Result<String, Failed> {
    Ok(hex(&reader.identity()?[..6]))
}
