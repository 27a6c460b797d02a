//! A reader's view of a vector file.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use memmap2::{Advice, Mmap, MmapOptions};

use super::header::{self, HEADER, Owner, Progress, USED};
use super::rows::Rows;

/// A header read while it is being written fails its checksum; the next look finds it whole.
const LOOKS: u32 = 3;

/// The rows that counted when it was opened. Later appends do not show, and a file that took this
/// one's place leaves it as it is.
pub(super) struct Mapped {
    map: Mmap,
    owner: Owner,
    progress: Progress,
}

/// Why there is no view.
#[derive(Debug)]
pub(super) enum Unusable {
    /// There is no file.
    Absent,
    /// It cannot be trusted.
    Distrusted(&'static str),
    /// The system would not let us read it.
    Io(std::io::Error),
}

impl Mapped {
    /// Opens the file if it is `owner`'s.
    pub(super) fn open(path: &Path, owner: &Owner) -> Result<Self, Unusable> {
        let file = File::open(path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => Unusable::Absent,
            _ => Unusable::Io(e),
        })?;
        let mut look = 1;
        let progress = loop {
            match read_header(&file, owner) {
                Err(Unusable::Distrusted(_)) if look < LOOKS => {
                    look += 1;
                    std::thread::sleep(Duration::from_millis(1));
                }
                other => break other?,
            }
        };
        let end = usize::try_from(progress.count)
            .ok()
            .and_then(|count| count.checked_mul(owner.stride()))
            .and_then(|bytes| bytes.checked_add(HEADER))
            .ok_or(Unusable::Distrusted("it counts more rows than memory has"))?;
        let size = file.metadata().map_err(Unusable::Io)?.len();
        if size < end as u64 {
            return Err(Unusable::Distrusted("it is cut short"));
        }
        // SAFETY: nobody changes the mapped vectors. Every writer of this program appends behind
        // the rows that count or puts another file in this one's place, and none truncates. The
        // one field that may change under us, a row's superseding sequence number, is an aligned
        // integer for which each value is valid, and both old and new value mean the same to the
        // progress read above.
        let map = unsafe { MmapOptions::new().len(end).map(&file) }.map_err(Unusable::Io)?;
        // Starts reading what is not in memory yet, in large pieces; a hint, so it may fail.
        let _ = map.advise(Advice::WillNeed);
        Ok(Self {
            map,
            owner: *owner,
            progress,
        })
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress
    }

    /// The rows, without those of the photos in `hidden` (sorted).
    pub(super) fn rows<'a>(&'a self, hidden: &'a [i64]) -> Rows<'a> {
        // SAFETY: every bit pattern is a `u16`. The map begins on a page and the rows on the next,
        // so that nothing is cut off in front; strides are even, so nothing is behind either.
        let (_, bits, _) = unsafe { self.map[HEADER..].align_to::<u16>() };
        Rows::new(
            bits,
            self.owner.dims,
            self.owner.stride(),
            self.progress.seq,
            hidden,
        )
    }
}

/// Reads how far the file has come.
pub(super) fn read_header(file: &File, owner: &Owner) -> Result<Progress, Unusable> {
    let mut bytes = [0; USED];
    file.read_exact_at(&mut bytes, 0)
        .map_err(|e| match e.kind() {
            ErrorKind::UnexpectedEof => Unusable::Distrusted("it is cut short"),
            _ => Unusable::Io(e),
        })?;
    header::read(&bytes, owner).map_err(Unusable::Distrusted)
}
