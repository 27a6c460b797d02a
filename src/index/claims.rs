//! Photos on their way to a model that had not seen them, so that none is sent twice.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Who is under way.
#[derive(Clone, Default)]
pub(super) struct Claims(Arc<Mutex<HashSet<i64>>>);

/// One photo under way, until dropped.
pub(super) struct PhotoClaim {
    claims: Claims,
    photo: i64,
}

impl Claims {
    /// `None`: it is under way already.
    pub fn claim(&self, photo: i64) -> Option<PhotoClaim> {
        let new = self.with(|set| set.insert(photo));
        new.then(|| PhotoClaim {
            claims: self.clone(),
            photo,
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashSet<i64>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for PhotoClaim {
    fn drop(&mut self) {
        self.claims.with(|set| set.remove(&self.photo));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photo_is_under_way_once_until_it_ends() {
        let claims = Claims::default();
        let first = claims.claim(7);
        assert!(first.is_some() && claims.claim(7).is_none() && claims.claim(8).is_some());
        drop(first);
        assert!(claims.claim(7).is_some());
    }
}
