//! `photond query --follow`: photos that come to fit, as they come.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::search::SearchError;
use crate::store::StoreReader;

/// How often it is looked whether anything has been written, which costs microseconds.
const LOOK: Duration = Duration::from_millis(300);
/// A query that takes long is not asked all the time: it rests this many times what it took.
const REST: u32 = 10;
/// However long it takes: somebody waits for photos to come.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// Hands photos that fit now and did not before to `show`, until that fails. What fits at first is not shown;
/// `begun` is called when it is known.
///
/// # Errors
/// Those of `matching` at first, and those of `show`; later ones of the database pass.
pub(super) fn follow(
    reader: &StoreReader,
    matching: &mut dyn FnMut() -> Result<Vec<i64>, SearchError>,
    begun: impl FnOnce(),
    show: &mut dyn FnMut(&HashSet<i64>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut version = reader.data_version()?;
    let mut known: HashSet<i64> = at_first(matching())?.into_iter().collect();
    begun();
    let mut rest = Duration::ZERO;
    loop {
        std::thread::sleep(LOOK.max(rest));
        // A database that is busy or being put in place again is there at the next look.
        let Ok(now) = reader.data_version() else {
            continue;
        };
        if now == version {
            continue;
        }
        let begun = Instant::now();
        let Ok(found) = matching() else {
            continue;
        };
        version = now;
        rest = (begun.elapsed() * REST).min(LONGEST_REST);
        let found: HashSet<i64> = found.into_iter().collect();
        let new: HashSet<i64> = found.difference(&known).copied().collect();
        known = found;
        if !new.is_empty() {
            show(&new)?;
        }
    }
}

/// What is not there yet may come.
fn at_first(found: Result<Vec<i64>, SearchError>) -> Result<Vec<i64>, SearchError> {
    match found {
        Err(
            SearchError::NothingSeen { .. }
            | SearchError::UnknownKeyword { .. }
            | SearchError::UnknownPerson { .. }
            | SearchError::NotTakenThere { .. },
        ) => Ok(Vec::new()),
        other => other,
    }
}
