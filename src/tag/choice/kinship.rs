//! Who is above whom, and who is a near relative, as lists that are fast to compare.

/// Labels have a *narrow* kind in common if at most one label in so many belongs to it: relatives in
/// a narrow kind are rivals (two finches), those in a wide one are not (two instruments). With one
/// in 80 or in 8 as many of the tags are true, within a hundredth.
const NARROW: usize = 24;

/// The hierarchy of a lexicon.
#[derive(Debug)]
pub struct Kinship {
    /// All rows above each, ascending.
    above: Lists,
    /// Those of them that are narrow.
    narrow: Lists,
}

/// A list of rows for each row, in one allocation.
#[derive(Debug, Default)]
struct Lists {
    rows: Vec<u32>,
    ends: Vec<u32>,
}

impl Lists {
    #[allow(clippy::cast_possible_truncation)]
    fn push(&mut self, list: impl Iterator<Item = u32>) {
        self.rows.extend(list);
        self.ends.push(self.rows.len() as u32);
    }

    fn of(&self, row: u32) -> &[u32] {
        let row = row as usize;
        let Some(end) = self.ends.get(row) else {
            return &[];
        };
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.rows[start as usize..*end as usize]
    }
}

impl Kinship {
    /// Of `rows` terms, the first `labels` of which are labels; `parents` names the rows directly
    /// above a row. Rows out of range have no kin; a circle does no harm.
    #[must_use]
    pub fn of<'a>(rows: usize, labels: usize, parents: impl Fn(usize) -> &'a [u32]) -> Self {
        let mut above = Lists::default();
        let mut below = vec![0usize; rows];
        for row in 0..rows {
            let mut found: Vec<u32> = Vec::new();
            let mut next = 0;
            let mut from = row;
            loop {
                for parent in parents(from) {
                    let known = *parent as usize >= rows || *parent as usize == row;
                    if !known && !found.contains(parent) {
                        found.push(*parent);
                    }
                }
                let Some(parent) = found.get(next) else { break };
                from = *parent as usize;
                next += 1;
            }
            if row < labels {
                for kind in &found {
                    below[*kind as usize] += 1;
                }
            }
            found.sort_unstable();
            above.push(found.into_iter());
        }
        let most = (labels / NARROW).max(2);
        let mut narrow = Lists::default();
        for row in (0u32..).take(rows) {
            let kinds = above.of(row).iter().copied();
            narrow.push(kinds.filter(|kind| below[*kind as usize] <= most));
        }
        Self { above, narrow }
    }

    /// Whether `upper` is a kind that `lower` belongs to, at any distance.
    #[must_use]
    pub fn is_above(&self, upper: u32, lower: u32) -> bool {
        self.above.of(lower).binary_search(&upper).is_ok()
    }

    /// Whether two terms have a narrow kind in common, and neither is above the other.
    #[must_use]
    pub fn are_rivals(&self, a: u32, b: u32) -> bool {
        a != b
            && !self.is_above(a, b)
            && !self.is_above(b, a)
            && common(self.narrow.of(a), self.narrow.of(b))
    }
}

/// Whether two ascending lists have something in common.
fn common(mut a: &[u32], mut b: &[u32]) -> bool {
    while let ([x, more_a @ ..], [y, more_b @ ..]) = (a, b) {
        match x.cmp(y) {
            std::cmp::Ordering::Less => a = more_a,
            std::cmp::Ordering::Greater => b = more_b,
            std::cmp::Ordering::Equal => return true,
        }
    }
    false
}
