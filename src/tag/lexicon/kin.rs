//! What is a kind of what, as rows.

use std::collections::VecDeque;

use super::Lexicon;

/// For each row some other rows, in one list: row r's are `rows[starts[r]..starts[r + 1]]`.
#[derive(Debug)]
pub(super) struct Kin {
    starts: Vec<u32>,
    rows: Vec<u32>,
}

impl Kin {
    pub(super) fn with_capacity(rows: usize, pairs: usize) -> Self {
        let mut starts = Vec::with_capacity(rows + 1);
        starts.push(0);
        Self {
            starts,
            rows: Vec::with_capacity(pairs),
        }
    }

    /// One more for the row that is being written.
    pub(super) fn push(&mut self, row: u32) {
        self.rows.push(row);
    }

    /// The row is written; the next begins.
    #[allow(clippy::cast_possible_truncation)] // pairs come out of a text under 4 GiB
    pub(super) fn close(&mut self) {
        self.starts.push(self.rows.len() as u32);
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub(super) fn of(&self, row: usize) -> &[u32] {
        &self.rows[self.starts[row] as usize..self.starts[row + 1] as usize]
    }

    /// The other way round, each list ascending.
    pub(super) fn turned(&self) -> Self {
        let mut starts = vec![0u32; self.len() + 1];
        for to in &self.rows {
            starts[*to as usize + 1] += 1;
        }
        for row in 0..self.len() {
            starts[row + 1] += starts[row];
        }
        let mut next = starts.clone();
        let mut rows = vec![0u32; self.rows.len()];
        for (from, number) in (0..self.len()).zip(0u32..) {
            for to in self.of(from) {
                let place = &mut next[*to as usize];
                rows[*place as usize] = number;
                *place += 1;
            }
        }
        Self { starts, rows }
    }

    /// All rows reached from `row`, nearest first, without itself.
    pub(super) fn reached(&self, row: usize) -> Vec<u32> {
        let mut seen = Seen::new(self.len());
        seen.add(row);
        let mut found = Vec::new();
        let mut todo = VecDeque::from([row]);
        while let Some(row) = todo.pop_front() {
            for next in self.of(row) {
                if seen.add(*next as usize) {
                    found.push(*next);
                    todo.push_back(*next as usize);
                }
            }
        }
        found
    }

    /// A row that reaches itself, if there is one.
    #[cfg(test)]
    pub(super) fn cycle(&self) -> Option<usize> {
        // Rows that nothing is left to point at are taken away until none is left, or a cycle.
        let turned = self.turned();
        let mut left: Vec<usize> = (0..self.len()).map(|row| turned.of(row).len()).collect();
        let mut free: Vec<usize> = (0..self.len()).filter(|row| left[*row] == 0).collect();
        while let Some(row) = free.pop() {
            for next in self.of(row) {
                let next = *next as usize;
                left[next] -= 1;
                if left[next] == 0 {
                    free.push(next);
                }
            }
        }
        // What is left is on a cycle or above one.
        (0..self.len()).find(|row| left[*row] > 0 && self.reached_again(*row))
    }

    #[cfg(test)]
    fn reached_again(&self, row: usize) -> bool {
        let mut seen = Seen::new(self.len());
        let mut todo: Vec<u32> = self.of(row).to_vec();
        while let Some(next) = todo.pop() {
            if next as usize == row {
                return true;
            }
            if seen.add(next as usize) {
                todo.extend(self.of(next as usize));
            }
        }
        false
    }
}

/// A set of rows, a bit each.
struct Seen(Vec<u64>);

impl Seen {
    fn new(rows: usize) -> Self {
        Self(vec![0; rows.div_ceil(64)])
    }

    /// False if it was there.
    fn add(&mut self, row: usize) -> bool {
        let (word, bit) = (&mut self.0[row / 64], 1u64 << (row % 64));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

impl Lexicon {
    /// All kinds above a term along every sense chain, nearest first, nodes included.
    pub fn ancestors(&self, row: usize) -> Vec<u32> {
        self.parents.reached(row)
    }

    /// Labels directly under one of the term's direct parents, ascending, without itself.
    pub fn siblings(&self, row: usize) -> Vec<u32> {
        let mut found: Vec<u32> = self
            .parents
            .of(row)
            .iter()
            .flat_map(|parent| self.children().of(*parent as usize))
            .copied()
            .filter(|other| *other as usize != row && (*other as usize) < self.labels())
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// True if `upper` is a kind that `lower` belongs to, at any distance; false for itself.
    pub fn is_above(&self, upper: usize, lower: usize) -> bool {
        // Chains are short (under 20) and branch little, so a small list is quicker than a set.
        let mut seen: Vec<u32> = self.parents.of(lower).to_vec();
        let mut next = 0;
        while next < seen.len() {
            let row = seen[next] as usize;
            if row == upper {
                return true;
            }
            for parent in self.parents.of(row) {
                if !seen.contains(parent) {
                    seen.push(*parent);
                }
            }
            next += 1;
        }
        false
    }

    fn children(&self) -> &Kin {
        self.children.get_or_init(|| self.parents.turned())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// A graph in which every row points to earlier rows only, so without cycles.
    fn graphs() -> impl Strategy<Value = Vec<Vec<u32>>> {
        prop::collection::vec(prop::collection::btree_set(any::<u32>(), 0..4), 1..60).prop_map(
            |lists| {
                lists
                    .into_iter()
                    .zip(0u32..)
                    .map(|(list, row)| {
                        let earlier: BTreeSet<u32> = list
                            .into_iter()
                            .filter(|_| row > 0)
                            .map(|n| n % row.max(1))
                            .collect();
                        earlier.into_iter().collect()
                    })
                    .collect()
            },
        )
    }

    fn kin(lists: &[Vec<u32>]) -> Kin {
        let mut kin = Kin::with_capacity(lists.len(), 0);
        for list in lists {
            list.iter().for_each(|row| kin.push(*row));
            kin.close();
        }
        kin
    }

    fn reached_slowly(lists: &[Vec<u32>], row: usize) -> BTreeSet<u32> {
        let mut found: BTreeSet<u32> = lists[row].iter().copied().collect();
        for next in &lists[row] {
            found.extend(reached_slowly(lists, *next as usize));
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn turned_twice_is_the_same(lists in graphs()) {
            let kin = kin(&lists);
            let back = kin.turned().turned();
            for (row, list) in lists.iter().enumerate() {
                prop_assert_eq!(back.of(row), &list[..]);
            }
        }

        #[test]
        fn every_row_above_is_reached_once(lists in graphs().prop_filter("small", |l| l.len() < 16)) {
            let kin = kin(&lists);
            for row in 0..lists.len() {
                let found = kin.reached(row);
                let set: BTreeSet<u32> = found.iter().copied().collect();
                prop_assert_eq!(set.len(), found.len());
                prop_assert_eq!(set, reached_slowly(&lists, row));
            }
        }

        #[test]
        fn a_cycle_is_found_where_there_is_one(lists in graphs(), from in any::<prop::sample::Index>()) {
            prop_assert_eq!(kin(&lists).cycle(), None);
            let low = from.index(lists.len());
            let Some(top) = kin(&lists).reached(low).last().copied() else { return Ok(()) };
            let mut lists = lists;
            lists[top as usize].push(u32::try_from(low).unwrap());
            let on_it = kin(&lists).cycle();
            prop_assert!(on_it.is_some_and(|row| kin(&lists).reached_again(row)));
        }
    }
}
