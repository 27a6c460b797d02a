//! A simulated life in photos: events of 30 with 20 things around, one to three of them on a photo;
//! 1,500 different things come up at all, some often and most hardly ever (Zipf), by fours of a
//! kind. A photo's vector is a mixture of its things' label vectors and noise.

use photond::embedding::Embedding;
use photond::tag::{Lexicon, TermBank};

use crate::library::Random;

/// Photos of one event, and things around there.
const EVENT: u64 = 30;
const AROUND: usize = 20;
/// Things that come up at all, and how many of them are of a kind.
const THINGS: usize = 1500;
const OF_A_KIND: usize = 4;
/// Shares of a photo's things in its vector, how likely each is there, and the noise.
const MIXTURE: [(f32, f32); 3] = [(1.0, 1.0), (0.6, 0.5), (0.4, 0.25)];
const NOISE: f32 = 0.3;
/// What photos show, in the order in which they come in.
pub struct Life<'a> {
    bank: &'a TermBank,
    random: Random,
    /// Rows of the things, the most frequent first, and the sums of their weights.
    things: Vec<usize>,
    sums: Vec<f32>,
    around: Vec<usize>,
    taken: u64,
}

impl<'a> Life<'a> {
    pub fn new(bank: &'a TermBank, lexicon: &Lexicon) -> Self {
        let mut random = Random::new(4);
        let mut things: Vec<usize> = Vec::with_capacity(THINGS);
        while things.len() < THINGS {
            // Everyday words come first in the bank, and are more likely here.
            let first = (random.share().powi(2) * bank.len() as f32) as usize;
            let first = first.min(bank.len() - 1);
            let siblings = lexicon.siblings(first);
            let kind = std::iter::once(first)
                .chain(siblings.into_iter().map(|row| row as usize))
                .filter(|row| *row < bank.len());
            for row in kind.take(OF_A_KIND) {
                if !things.contains(&row) {
                    things.push(row);
                }
            }
        }
        // The kinds lie together, as somebody who photographs one bird photographs others.
        things.truncate(THINGS);
        let mut sum = 0.0;
        let sums = (1..=THINGS)
            .map(|rank| {
                sum += 1.0 / rank as f32;
                sum
            })
            .collect();
        Self {
            bank,
            random,
            things,
            sums,
            around: Vec::new(),
            taken: 0,
        }
    }

    fn thing(&mut self) -> usize {
        let all = self.sums[THINGS - 1];
        let at = self.random.share() * all;
        let rank = self.sums.partition_point(|sum| *sum < at);
        self.things[rank.min(THINGS - 1)]
    }

    /// The vector of the next one.
    pub fn photo(&mut self) -> Embedding {
        if self.taken.is_multiple_of(EVENT) {
            self.around = (0..AROUND).map(|_| self.thing()).collect();
        }
        self.taken += 1;
        let dims = self.bank.dims();
        let mut values: Vec<f32> = (0..dims)
            .map(|_| {
                let noise: f32 = (0..4).map(|_| self.random.share() - 0.5).sum();
                // Four of variance 1/12 each.
                NOISE * noise * (3.0 / dims as f32).sqrt()
            })
            .collect();
        for (share, likely) in MIXTURE {
            let thing = self.random.draw() as usize >> 16;
            if self.random.share() > likely {
                continue;
            }
            let row = self.around[thing % AROUND];
            let label = self.bank.row(row).expect("a whole bank");
            for (value, label) in values.iter_mut().zip(label) {
                *value += share * label.to_f32();
            }
        }
        let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
        values.iter_mut().for_each(|v| *v /= length);
        Embedding { values }
    }
}
