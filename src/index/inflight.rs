//! Content in work: the second path with the same bytes waits for the first instead of being
//! decoded again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::job::FilePlace;
use crate::photo::ContentHash;

/// The table of content between "hashed" and "committed".
#[derive(Default)]
pub(super) struct InFlight(Mutex<HashMap<ContentHash, Vec<FilePlace>>>);

/// The answer to a claim.
pub(super) enum Claim {
    /// The caller works on this content and must release it.
    Mine(FilePlace),
    /// Somebody else does; the place will be written when they are done.
    Waits,
}

impl InFlight {
    /// Claims content for a place.
    pub fn claim(&self, hash: ContentHash, place: FilePlace) -> Claim {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match table.entry(hash) {
            std::collections::hash_map::Entry::Occupied(mut e) => {
                e.get_mut().push(place);
                Claim::Waits
            }
            std::collections::hash_map::Entry::Vacant(e) => {
                e.insert(Vec::new());
                Claim::Mine(place)
            }
        }
    }

    /// Takes content off the table and returns the places that waited for it.
    pub fn release(&self, hash: &ContentHash) -> Vec<FilePlace> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.remove(hash).unwrap_or_default()
    }
}
