//! Floor 0: named places where a test can make the process die or an operation fail.
//!
//! In a release build there is nothing of it. In a debug build, or with the feature `failpoints`,
//! the environment variable `PHOTOND_FAILPOINTS` says what is to happen where, for instance
//! `commit.before=kill@3,file.synced=enospc`: at the third time `commit.before` is come by the
//! process is killed, and each time a file has been synced the disk is full. `PHOTOND_FAILPOINTS_SEEN`
//! names a file that gets the name of every place that was come by.
//!
//! Actions: `kill` (SIGKILL, as a power cut for this process), `stop` (SIGSTOP: the test goes on
//! while the process stands still), `hang` (this thread never comes back), `eio`, `enospc`; `go` only says that the place is
//! ordered, for places that ask by [`is_ordered`].

use std::io;

/// Every place, in the order of the code they lie in. `tests/torture` proves that each is come by.
pub const PLACES: &[&str] = &[
    "file.begun",
    "file.written",
    "file.synced",
    "file.renamed",
    "file.placed",
    "migrate.before",
    "migrate.after",
    "adopt.before",
    "adopt.after",
    "commit.before",
    "commit.after",
    "thumbs.before",
    "thumbs.after",
    "sweep.before",
    "sweep.after",
    "backup.before",
    "backup.copied",
    "backup.checked",
    "backup.between",
    "backup.after",
    "restore.before",
    "restore.copied",
    "restore.after",
    "piece.before",
    "piece.after",
    "read.photo",
    "model.run",
    "upkeep.early",
];

/// Comes by a place: goes on, fails, or does not return.
///
/// # Errors
/// What the test wants the system to have said.
#[cfg(any(debug_assertions, feature = "failpoints"))]
pub(crate) fn hit(place: &'static str) -> io::Result<()> {
    switched::hit(place)
}

/// Comes by a place.
///
/// # Errors
/// None in this build.
#[cfg(not(any(debug_assertions, feature = "failpoints")))]
#[inline(always)]
pub(crate) fn hit(_place: &'static str) -> io::Result<()> {
    Ok(())
}

/// True if a test has ordered something at this place.
pub(crate) fn is_ordered(place: &'static str) -> bool {
    #[cfg(any(debug_assertions, feature = "failpoints"))]
    return switched::is_ordered(place);
    #[cfg(not(any(debug_assertions, feature = "failpoints")))]
    {
        let _ = place;
        false
    }
}

#[cfg(any(debug_assertions, feature = "failpoints"))]
mod switched {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs::File;
    use std::io::{self, Write};
    use std::str::FromStr;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{LazyLock, Mutex, PoisonError};

    use rustix::process::{Signal, getpid, kill_process};

    static ORDERS: LazyLock<Orders> = LazyLock::new(Orders::from_environment);

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum Action {
        Kill,
        Stop,
        Hang,
        Eio,
        Enospc,
        Go,
    }

    /// What happens at one place.
    pub(super) struct Order {
        pub action: Action,
        /// At this time only; `None`: each time.
        pub only: Option<u64>,
        seen: AtomicU64,
    }

    #[derive(Default)]
    pub(super) struct Orders {
        pub by_place: BTreeMap<String, Order>,
        /// Where the places that are come by are noted, and those noted by now.
        seen: Option<Mutex<(File, BTreeSet<&'static str>)>>,
    }

    impl FromStr for Action {
        type Err = String;

        fn from_str(word: &str) -> Result<Self, String> {
            match word {
                "kill" => Ok(Self::Kill),
                "stop" => Ok(Self::Stop),
                "hang" => Ok(Self::Hang),
                "eio" => Ok(Self::Eio),
                "enospc" => Ok(Self::Enospc),
                "go" => Ok(Self::Go),
                _ => Err(format!("{word} is no action of a failpoint")),
            }
        }
    }

    impl Orders {
        /// A mistake in the variable would make a test prove nothing: it ends the process.
        fn from_environment() -> Self {
            let text = std::env::var("PHOTOND_FAILPOINTS").unwrap_or_default();
            let mut orders = Self::parse(&text).unwrap_or_else(|why| {
                tracing::error!("PHOTOND_FAILPOINTS: {why}");
                std::process::abort();
            });
            let seen = std::env::var_os("PHOTOND_FAILPOINTS_SEEN");
            orders.seen = seen
                .and_then(|path| File::options().append(true).create(true).open(path).ok())
                .map(|file| Mutex::new((file, BTreeSet::new())));
            orders
        }

        pub fn parse(text: &str) -> Result<Self, String> {
            let mut orders = Self::default();
            for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
                let (place, action) = part
                    .split_once('=')
                    .ok_or_else(|| format!("{part} is not PLACE=ACTION"))?;
                if !super::PLACES.contains(&place) {
                    return Err(format!("there is no place {place}"));
                }
                let (action, only) = match action.split_once('@') {
                    Some((action, n)) => {
                        let n = n.parse().map_err(|_| format!("{n} is no number"))?;
                        (action, Some(n))
                    }
                    None => (action, None),
                };
                let order = Order {
                    action: action.parse()?,
                    only,
                    seen: AtomicU64::new(0),
                };
                orders.by_place.insert(place.to_owned(), order);
            }
            Ok(orders)
        }

        /// What is to be done at this place now.
        pub fn due(&self, place: &str) -> Option<Action> {
            let order = self.by_place.get(place)?;
            let nth = order.seen.fetch_add(1, Ordering::Relaxed) + 1;
            let due = order.only.is_none_or(|only| only == nth);
            due.then_some(order.action)
        }

        fn note(&self, place: &'static str) {
            if let Some(seen) = &self.seen {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                if seen.1.insert(place) {
                    let _ = seen.0.write_all(format!("{place}\n").as_bytes());
                }
            }
        }
    }

    pub(super) fn is_ordered(place: &'static str) -> bool {
        let ordered = ORDERS.by_place.contains_key(place);
        if ordered {
            ORDERS.note(place);
        }
        ordered
    }

    pub(super) fn hit(place: &'static str) -> io::Result<()> {
        debug_assert!(super::PLACES.contains(&place), "{place} is not listed");
        ORDERS.note(place);
        match ORDERS.due(place) {
            None | Some(Action::Go) => Ok(()),
            Some(Action::Eio) => Err(rustix::io::Errno::IO.into()),
            Some(Action::Enospc) => Err(rustix::io::Errno::NOSPC.into()),
            Some(Action::Hang) => loop {
                std::thread::park();
            },
            Some(Action::Stop) => {
                let _ = kill_process(getpid(), Signal::STOP);
                Ok(())
            }
            Some(Action::Kill) => {
                let _ = kill_process(getpid(), Signal::KILL);
                loop {
                    std::thread::park();
                }
            }
        }
    }
}

#[cfg(all(test, any(debug_assertions, feature = "failpoints")))]
mod tests {
    use super::switched::{Action, Orders};

    #[test]
    fn orders_are_for_one_time_or_for_each() {
        let orders = Orders::parse("commit.before=kill@2, file.synced=enospc").unwrap();
        assert_eq!(orders.due("commit.before"), None);
        assert_eq!(orders.due("commit.before"), Some(Action::Kill));
        assert_eq!(orders.due("commit.before"), None);
        assert_eq!(orders.due("file.synced"), Some(Action::Enospc));
        assert_eq!(orders.due("file.synced"), Some(Action::Enospc));
        assert_eq!(orders.due("commit.after"), None);
    }

    #[test]
    fn mistakes_are_not_taken_for_nothing() {
        for text in [
            "commit.befor=kill",
            "commit.before",
            "commit.before=die",
            "commit.before=eio@x",
        ] {
            assert!(Orders::parse(text).is_err(), "{text}");
        }
    }
}
