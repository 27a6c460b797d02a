//! Reading a photo's bytes: once, into one buffer, and only if they held still meanwhile.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::photo::{ContentHash, FileStamp, RelPath};
use crate::source::{Links, OpenError, open_beneath};

/// What reading gave.
pub(super) enum Bytes {
    /// The buffer holds the file; stamp and hash belong together.
    Read {
        stamp: FileStamp,
        hash: ContentHash,
        /// As the system gives it, also where `stamp` is not to be trusted.
        found: FileStamp,
        /// The file has other names.
        linked: bool,
    },
    /// It changed while it was read: look again later.
    Changing,
    /// It is larger than photond reads.
    TooLarge { stamp: FileStamp, limit: u64 },
    /// Nothing, or no regular file, lies there.
    Gone,
    /// It is there but cannot be read.
    Unreadable { error: std::io::Error },
}

/// Read at a time: a disk that brings this much has not hung.
const PIECE: u64 = 4 << 20;

/// Reads `rel` below `root` into `buffer`, where there is `room` for so many bytes; calls `goes_on`
/// whenever the disk has answered.
pub(super) fn read(
    root: &Path,
    (rel, links): (&RelPath, Links),
    (limit, room): (u64, u64),
    buffer: &mut Vec<u8>,
    goes_on: &dyn Fn(),
) -> Bytes {
    buffer.clear();
    let (mut file, before) = match open_beneath(root, rel, links) {
        Ok(opened) => opened,
        Err(OpenError::Unreadable { source, .. }) => return Bytes::Unreadable { error: source },
        Err(_) => return Bytes::Gone,
    };
    if before.size > limit {
        return Bytes::TooLarge {
            stamp: before,
            limit,
        };
    }
    if before.size > room {
        return Bytes::Changing;
    }
    // One byte more than expected shows growth without reading on for ever.
    let wanted = before.size + 1;
    let room = usize::try_from(wanted).unwrap_or(usize::MAX);
    if buffer.try_reserve_exact(room).is_err() {
        return Bytes::Unreadable {
            error: std::io::ErrorKind::OutOfMemory.into(),
        };
    }
    if let Err(error) = crate::failpoint::hit("read.photo") {
        return Bytes::Unreadable { error };
    }
    loop {
        let left = wanted - buffer.len() as u64;
        let piece = left.min(PIECE);
        match (&mut file).take(piece).read_to_end(buffer) {
            Ok(n) if n as u64 == piece && piece < left => goes_on(),
            Ok(_) => break,
            Err(error) => return Bytes::Unreadable { error },
        }
    }
    if buffer.len() as u64 != before.size {
        return Bytes::Changing;
    }
    let linked = match file.metadata() {
        Ok(after) if FileStamp::of(&after) == before => after.nlink() > 1,
        _ => return Bytes::Changing,
    };
    Bytes::Read {
        stamp: trusted(before, SystemTime::now()),
        hash: ContentHash(*blake3::hash(buffer).as_bytes()),
        found: before,
        linked,
    }
}

/// A stamp so fresh that another write could leave it as it is must not be trusted by the next
/// scan: its ctime is stored as 0, which makes that scan hash the file again. The time of the last
/// change counts, which is the younger one if somebody has set the time of modification back.
///
/// Kernel timestamps advance every few milliseconds; file systems with whole-second or
/// two-second stamps (FAT) show no fraction.
pub(super) fn trusted(stamp: FileStamp, now: SystemTime) -> FileStamp {
    let now_ns = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX));
    let fresh = |time: i64| {
        let granularity = if time % 1_000_000_000 == 0 {
            2_000_000_000
        } else {
            20_000_000
        };
        (0..granularity).contains(&now_ns.saturating_sub(time))
    };
    if fresh(stamp.mtime_ns) || fresh(stamp.ctime_ns) {
        FileStamp {
            ctime_ns: 0,
            ..stamp
        }
    } else {
        stamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn fresh_stamps_are_looked_at_again() {
        let at = |ns: i64| FileStamp {
            size: 1,
            mtime_ns: ns,
            ctime_ns: 77,
            inode: 1,
        };
        let now = UNIX_EPOCH + Duration::from_nanos(50_000_000_123);
        assert_eq!(trusted(at(50_000_000_100), now).ctime_ns, 0);
        assert_eq!(trusted(at(49_000_000_100), now).ctime_ns, 77);
        assert_eq!(
            trusted(at(49_000_000_000), now).ctime_ns,
            0,
            "whole seconds: coarse clock"
        );
        assert_eq!(
            trusted(at(60_000_000_100), now).ctime_ns,
            77,
            "a future stamp is not fresh"
        );
        let set_back = FileStamp {
            ctime_ns: 50_000_000_100,
            ..at(7)
        };
        assert_eq!(trusted(set_back, now).ctime_ns, 0, "written a moment ago");
    }
}
