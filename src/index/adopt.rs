//! Taking a folder on: is it one that is known, perhaps by another volume name or another path?
//!
//! A certain name (a UUID, where a share comes from) decides. A name that another volume may have
//! as well (a device number) is believed if the folder is the very one, or if the content does not
//! speak against it. What nobody knows by name is recognised by its content: a NAS export with a new
//! number, a folder that was moved. Rows never change hands without one of these.

use std::path::Path;

use super::marks::Marks;
use crate::source::{self, RootFacts, RootPlace, is_certain};
use crate::store::{RootRow, StoreError, StoreReader};

/// What lies at a root's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootState {
    /// A folder on this volume.
    Online {
        /// Volume identity.
        volume: String,
        /// Where the folder is.
        place: RootPlace,
        /// On a network file system: no events from other machines, so it is scanned more often.
        network: bool,
        /// The row that it is known by.
        known: Option<i64>,
    },
    /// Not there now; nothing that was indexed is touched.
    Offline {
        /// For people.
        why: String,
    },
}

/// Looks at a root's path. Asks its disk: call it where that may take as long as it likes.
pub(super) fn look(path: &Path, reader: &StoreReader) -> Result<RootState, StoreError> {
    let offline = |why: &str| {
        Ok(RootState::Offline {
            why: why.to_owned(),
        })
    };
    let facts = match source::identify(path) {
        source::RootPresence::Present(facts) => facts,
        source::RootPresence::Missing => return offline("the folder is not there"),
        source::RootPresence::NotADirectory => return offline("it is not a folder"),
        source::RootPresence::Unreadable(e) => return offline(&format!("it cannot be read: {e}")),
    };
    let (mut here, elsewhere): (Vec<RootRow>, Vec<RootRow>) = reader
        .roots()?
        .into_iter()
        .partition(|row| row.path == path);
    // Of two that would do, the one that was there last.
    here.sort_by_key(|row| (!row.online, -row.id));
    let known = match known_here(path, &facts, &here, reader)? {
        Some(id) => Some(id),
        None if facts.empty && here.iter().any(|row| row.files() > 0) => {
            return offline("its volume is not mounted (an empty folder is there)");
        }
        None if here.is_empty() => moved_here(path, &elsewhere, reader)?,
        None => None,
    };
    Ok(RootState::Online {
        volume: facts.identity.0,
        place: facts.place,
        network: facts.network_fs,
        known,
    })
}

/// Which of the rows at this path it is.
fn known_here(
    path: &Path,
    facts: &RootFacts,
    here: &[RootRow],
    reader: &StoreReader,
) -> Result<Option<i64>, StoreError> {
    let volume = facts.identity.0.as_str();
    let mark = facts.place.mark();
    let same_name = || here.iter().filter(|row| row.volume_name() == volume);
    // The same name and the very folder; or a name that says it all.
    let very = same_name().find(|row| !mark.is_empty() && row.mark == mark);
    let by_name = very.or_else(|| same_name().find(|_| is_certain(volume)));
    if let Some(row) = by_name {
        return Ok(Some(row.id));
    }
    for row in same_name() {
        // An empty folder is no other volume's: whatever was in it has been taken out.
        if facts.empty || marks(path, row, reader)? != Marks::Other {
            return Ok(Some(row.id));
        }
    }
    for row in here.iter().filter(|row| row.volume_name() != volume) {
        if marks(path, row, reader)? == Marks::Same {
            return Ok(Some(row.id));
        }
    }
    Ok(None)
}

/// The row of a folder that has been moved to this path: it is not where it was, and what it held
/// is here.
fn moved_here(
    path: &Path,
    elsewhere: &[RootRow],
    reader: &StoreReader,
) -> Result<Option<i64>, StoreError> {
    for row in elsewhere {
        let related = row.path.starts_with(path) || path.starts_with(&row.path);
        if row.files() > 0
            && !related
            && marks(path, row, reader)? == Marks::Same
            && !row.path.exists()
        {
            return Ok(Some(row.id));
        }
    }
    Ok(None)
}

fn marks(path: &Path, row: &RootRow, reader: &StoreReader) -> Result<Marks, StoreError> {
    Ok(Marks::of(path, &reader.sample_files(row.id)?))
}
