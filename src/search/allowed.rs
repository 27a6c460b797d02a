//! Which photos a scan may show.

/// A set of photos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// Every photo but these: ids, sorted.
    AllBut(Vec<i64>),
    /// Few: ids, sorted, each once.
    Sorted(Vec<i64>),
    /// Many: a bit for each id from `first` on.
    Bits {
        /// Id of the lowest bit of the first word.
        first: i64,
        /// 64 ids a word.
        bits: Vec<u64>,
    },
}

impl Allowed {
    /// Those with these ids, in any order; as bits where that takes no more memory than the list
    /// (one photo in 64 or more of the range is allowed).
    pub fn these(mut ids: Vec<i64>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        let (Some(first), Some(last)) = (ids.first().copied(), ids.last().copied()) else {
            return Self::Sorted(ids);
        };
        let words = usize::try_from(last.abs_diff(first) / 64).unwrap_or(usize::MAX);
        if words >= ids.len() {
            return Self::Sorted(ids);
        }
        let mut bits = vec![0; words + 1];
        for id in ids {
            if let Some((word, bit)) = place(first, id) {
                bits[word] |= 1 << bit;
            }
        }
        Self::Bits { first, bits }
    }

    /// Whether a photo is in the set.
    #[inline]
    pub fn contains(&self, photo: i64) -> bool {
        match self {
            Self::AllBut(ids) => ids.is_empty() || ids.binary_search(&photo).is_err(),
            Self::Sorted(ids) => ids.binary_search(&photo).is_ok(),
            Self::Bits { first, bits } => place(*first, photo)
                .and_then(|(word, bit)| bits.get(word).map(|w| w >> bit & 1 == 1))
                .unwrap_or(false),
        }
    }
}

#[inline]
fn place(first: i64, id: i64) -> Option<(usize, u64)> {
    if id < first {
        return None;
    }
    let offset = id.abs_diff(first);
    Some((usize::try_from(offset / 64).ok()?, offset % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn holds_what_it_was_given(
            ids in prop_oneof![
                prop::collection::vec(0..500i64, 0..300),
                prop::collection::vec(any::<i64>(), 0..50),
            ],
            others in prop::collection::vec(-10..600i64, 50),
        ) {
            let set = Allowed::these(ids.clone());
            for id in ids.iter().chain(&others) {
                prop_assert_eq!(set.contains(*id), ids.contains(id), "{}", id);
            }
        }
    }

    #[test]
    fn takes_the_smaller_form() {
        assert!(
            matches!(Allowed::these((0..1000).collect()), Allowed::Bits { bits, .. } if bits.len() == 16)
        );
        let sparse: Vec<i64> = (0..1000).map(|i| i * 1000).collect();
        assert_eq!(Allowed::these(sparse.clone()), Allowed::Sorted(sparse));
        let ends = Allowed::these(vec![i64::MAX, i64::MIN]);
        assert!(ends.contains(i64::MIN) && ends.contains(i64::MAX) && !ends.contains(0));
        assert!(!Allowed::these(Vec::new()).contains(1));
    }
}
