//! How many bytes of large files are in memory at once, whatever the settings allow one file and
//! however many workers there are.
//!
//! A worker has the file that it looks at in a buffer, and where processes decode, once more in the
//! memory that it shares with one. Files up to [`SMALL`] go freely: every worker keeps a buffer for one
//! anyway. Larger ones share [`LARGE`] and wait for each other, live ones before the others, else in the
//! order in which they came, so that none waits for ever; one that is larger than that goes alone.
//!
//! Nobody waits here with anything that another one needs. A worker that hangs in a disk loses what it
//! has taken to those that do not; its bytes come on top until the disk answers.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Files up to this need not ask: nearly all photos but raw ones and scans.
pub(super) const SMALL: u64 = 16 << 20;

/// What larger files may take together: with their copies, half a gigabyte, which any machine has that
/// decodes photos. It is five raws of 50 MB at once, some fifty a second, and so more than a disk gives.
pub(super) const LARGE: u64 = 256 << 20;

/// The files that are in memory, and those that wait.
#[derive(Default)]
pub(super) struct LargeFiles {
    state: Mutex<State>,
    turned: Condvar,
}

#[derive(Default)]
struct State {
    taken: u64,
    /// The one at the front goes next.
    waiting: VecDeque<Turn>,
    last: u64,
    is_closed: bool,
}

#[derive(PartialEq, Eq, Clone, Copy)]
struct Turn {
    number: u64,
    urgent: bool,
}

/// Bytes that a file may take until this is dropped.
pub(super) struct Taken {
    of: Arc<LargeFiles>,
    bytes: u64,
}

impl LargeFiles {
    /// Waits until a file of this size may be read; `None`: the pipeline ends.
    pub fn take(self: &Arc<Self>, size: u64, urgent: bool) -> Option<Taken> {
        let taken = |bytes| {
            Some(Taken {
                of: Arc::clone(self),
                bytes,
            })
        };
        if size <= SMALL {
            return taken(0);
        }
        let mut state = self.state();
        state.last += 1;
        let turn = Turn {
            number: state.last,
            urgent,
        };
        let waiting = &mut state.waiting;
        let backlog = waiting.iter().position(|other| urgent && !other.urgent);
        waiting.insert(backlog.unwrap_or(waiting.len()), turn);
        loop {
            if state.is_closed {
                return None;
            }
            let is_next = state.waiting.front() == Some(&turn);
            if is_next && (state.taken == 0 || state.taken + size <= LARGE) {
                state.waiting.pop_front();
                state.taken += size;
                // There may be room for the one behind it.
                self.turned.notify_all();
                return taken(size);
            }
            state = self
                .turned
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nobody waits any more.
    pub fn close(&self) {
        self.state().is_closed = true;
        self.turned.notify_all();
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.of.state().taken -= self.bytes;
            self.of.turned.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use crossbeam_channel::{Receiver, unbounded};

    use super::*;

    const HALF: u64 = LARGE / 2;

    /// Starts a thread that takes so much; it says when it has, and the guard.
    fn taking(files: &Arc<LargeFiles>, size: u64, urgent: bool) -> Receiver<Option<Taken>> {
        let (say, heard) = unbounded();
        let (shared, before) = (Arc::clone(files), files.state().last);
        std::thread::spawn(move || say.send(shared.take(size, urgent)));
        while files.state().last == before {
            std::thread::yield_now();
        }
        heard
    }

    fn is_waiting(heard: &Receiver<Option<Taken>>) -> bool {
        heard.try_recv().is_err_and(|e| e.is_empty())
    }

    #[test]
    fn large_files_wait_for_each_other_and_small_ones_for_nobody() {
        let files = Arc::<LargeFiles>::default();
        let first = files.take(HALF, false).unwrap();
        let second = files.take(HALF, false).unwrap();
        let third = taking(&files, SMALL + 1, false);
        assert!(is_waiting(&third));
        assert!(files.take(SMALL, false).is_some(), "nobody asks");
        drop(first);
        let third = third.recv().unwrap().unwrap();
        drop((second, third));
        assert_eq!(files.state().taken, 0);
    }

    #[test]
    fn a_file_beyond_all_of_it_goes_alone_and_is_not_overtaken() {
        let files = Arc::<LargeFiles>::default();
        let small = files.take(HALF, false).unwrap();
        let huge = taking(&files, 3 * LARGE, false);
        // There would be room for this one, for ever, if it did not wait its turn.
        let behind = taking(&files, HALF, false);
        let live = taking(&files, HALF, true);
        let live = live.recv().unwrap().unwrap();
        assert!(is_waiting(&huge) && is_waiting(&behind), "but a live one");
        drop(small);
        assert!(is_waiting(&huge));
        drop(live);
        let huge = huge.recv().unwrap().unwrap();
        assert!(is_waiting(&behind));
        drop(huge);
        assert!(behind.recv().unwrap().is_some());
    }

    #[test]
    fn an_end_sends_everybody_home() {
        let files = Arc::<LargeFiles>::default();
        let held = files.take(LARGE, false).unwrap();
        let waiting = [1, 2, 3].map(|n| taking(&files, n * HALF, n == 2));
        files.close();
        for heard in waiting {
            assert!(heard.recv().unwrap().is_none());
        }
        assert!(files.take(HALF, true).is_none());
        drop(held);
    }

    /// Many threads, sizes from small to huge: never more than allowed, and all of them come through.
    #[test]
    fn never_more_than_allowed_whoever_comes() {
        let files = Arc::<LargeFiles>::default();
        let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..8u64 {
                let (files, now, most) = (&files, &now, &most);
                scope.spawn(move || {
                    for round in 0..200 {
                        let size = SMALL + 1 + (thread * 7919 + round * 104_729) % 300 * (1 << 20);
                        let taken = files.take(size, round % 5 == 0).unwrap();
                        let sum = now.fetch_add(size, Ordering::SeqCst) + size;
                        assert!(sum <= LARGE || sum == size, "{size} beside {}", sum - size);
                        most.fetch_max(sum, Ordering::SeqCst);
                        std::thread::yield_now();
                        now.fetch_sub(size, Ordering::SeqCst);
                        drop(taken);
                    }
                });
            }
        });
        assert!(most.into_inner() > HALF, "several at once");
        assert_eq!(files.state().taken, 0);
    }
}
