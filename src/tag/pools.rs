//! Which terms are worth scoring on every photo: Active, Warm and Cold.
//!
//! A person's photos show a few thousand things of the tens of thousands there are words for. Terms
//! that nobody's photo had for a while are looked for on every 100th photo only (Warm), later on every
//! 1,000th (Cold); one that turns up is Active at once and brings its siblings back to Warm: who has one
//! kind of bird may have another.
//!
//! Used only where a scan of all terms costs more than [`WORTH`] of a photo's processor time, which
//! a vocabulary of 24,000 terms does with no model measured so far. What a photo was not set against
//! is made up for when there is nothing else to do, so that pools put tags off and lose none.
//!
//! Never: scores, reads a clock, or keeps anything. Cost: five bytes a row.

/// Share of a photo's processor time from which looking at fewer terms is worth it.
pub const WORTH: f64 = 0.05;
/// Photos without a hit until a term is Warm …
const TO_WARM: u32 = 1_000;
/// … and until it is Cold.
const TO_COLD: u32 = 11_000;
/// Warm terms take part in every so-manieth photo …
const WARM_EVERY: u32 = 100;
/// … and all of them in every so-manieth. Rows are put where they belong as often.
const COLD_EVERY: u32 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pool {
    Active,
    Warm,
    Cold,
}

/// The pools of one vocabulary.
#[derive(Debug, Default)]
pub struct Pools {
    pool: Vec<Pool>,
    last_hit: Vec<u32>,
    photos: u32,
}

impl Pools {
    /// Of so many rows, all Active.
    pub fn new(rows: usize) -> Self {
        Self {
            pool: vec![Pool::Active; rows],
            last_hit: vec![0; rows],
            photos: 0,
        }
    }

    /// Whether the next photo is to be set against a row.
    pub fn wants(&self, row: u32) -> bool {
        self.pool
            .get(row as usize)
            .is_none_or(|p| *p <= self.scope())
    }

    /// Whether the next photo is set against every row.
    pub fn wants_all(&self) -> bool {
        self.scope() == Pool::Cold || self.pool.iter().all(|p| *p <= self.scope())
    }

    fn scope(&self) -> Pool {
        if self.photos.is_multiple_of(COLD_EVERY) {
            Pool::Cold
        } else if self.photos.is_multiple_of(WARM_EVERY) {
            Pool::Warm
        } else {
            Pool::Active
        }
    }

    /// A photo was tagged, and had these rows; `siblings` names the rows beside a row.
    pub fn record(&mut self, hits: &[u32], siblings: impl Fn(u32) -> Vec<u32>) {
        self.photos = self.photos.wrapping_add(1);
        for hit in hits {
            let Some(pool) = self.pool.get_mut(*hit as usize) else {
                continue;
            };
            self.last_hit[*hit as usize] = self.photos;
            if std::mem::replace(pool, Pool::Active) == Pool::Active {
                continue;
            }
            for sibling in siblings(*hit) {
                if self.pool.get(sibling as usize) == Some(&Pool::Cold) {
                    self.pool[sibling as usize] = Pool::Warm;
                    self.last_hit[sibling as usize] = self.photos.saturating_sub(TO_WARM);
                }
            }
        }
        if self.photos.is_multiple_of(COLD_EVERY) {
            self.sweep();
        }
    }

    fn sweep(&mut self) {
        for (pool, last) in self.pool.iter_mut().zip(&self.last_hit) {
            *pool = match self.photos - last {
                0..TO_WARM => Pool::Active,
                TO_WARM..TO_COLD => Pool::Warm,
                TO_COLD.. => Pool::Cold,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is looked for on the next photo.
    fn scored(pools: &Pools) -> Vec<u32> {
        (0..5).filter(|row| pools.wants(*row)).collect()
    }

    #[test]
    fn rows_cool_down_and_come_back_with_their_siblings() {
        let mut pools = Pools::new(5);
        assert!(pools.wants_all());
        // Row 0 is on every photo; the others never are.
        for _ in 0..11_001 {
            pools.record(&[0], |_| Vec::new());
        }
        assert_eq!(scored(&pools), [0]);
        assert!(!pools.wants_all());
        for _ in 0..99 {
            pools.record(&[0], |_| Vec::new());
        }
        assert_eq!(
            pools.photos, 11_100,
            "Warm rows are looked for, and these are Cold"
        );
        assert_eq!(scored(&pools), [0]);
        while !pools.photos.is_multiple_of(1_000) {
            pools.record(&[0], |_| Vec::new());
        }
        assert!(pools.wants_all());
        pools.record(&[0, 3], |row| if row == 3 { vec![4] } else { Vec::new() });
        assert_eq!(scored(&pools), [0, 3]);
        while !pools.photos.is_multiple_of(100) {
            pools.record(&[0], |_| Vec::new());
        }
        assert_eq!(
            scored(&pools),
            [0, 3, 4],
            "a sibling is looked for more often again"
        );
    }

    #[test]
    fn a_row_that_is_not_there_is_no_trouble() {
        let mut pools = Pools::new(2);
        pools.record(&[7], |_| vec![9]);
        assert!(pools.wants(7));
    }
}
