//! The pools as a whole: what never breaks, and what they save and lose.

use proptest::prelude::*;

use super::*;

fn settings() -> PoolSettings {
    PoolSettings {
        sweep_every: 50,
        active_patience: 100,
        warm_patience: 400,
        warm_every: 10,
        cold_every: 40,
        start_wide: 0,
        ..PoolSettings::default()
    }
}

fn nobody(_: u32) -> Vec<u32> {
    Vec::new()
}

/// `photos` photos with these tags; sweeps where they are due.
fn run(pools: &mut Pools, photos: u64, hits: &[u32]) {
    for _ in 0..photos {
        let scope = pools.scope(0);
        pools.record(scope, hits, nobody);
        if pools.sweep_due() {
            pools.sweep();
        }
    }
}

#[test]
fn a_term_without_a_hit_goes_from_pool_to_pool_and_a_hit_brings_it_back() {
    let mut pools = Pools::new(settings(), 4);
    run(&mut pools, 99, &[0]);
    assert_eq!(pools.sizes().active, 4);
    run(&mut pools, 1, &[0]);
    assert_eq!(pools.pool(1), Some(Pool::Warm));
    assert_eq!(pools.list(Scope::Active).as_deref(), Some(&[0][..]));
    assert_eq!(pools.list(Scope::Warm), None, "all of them");
    run(&mut pools, 400, &[0]);
    assert_eq!(pools.pool(1), Some(Pool::Cold));
    assert_eq!(pools.list(Scope::Warm).as_deref(), Some(&[0][..]));
    let held = pools.list(Scope::Active);
    pools.record(Scope::All, &[1, 99], |row| {
        assert_eq!(row, 1);
        vec![1, 2, 77]
    });
    assert_eq!(pools.pool(1), Some(Pool::Active));
    assert_eq!(pools.pool(2), Some(Pool::Warm), "a sibling");
    assert_eq!(pools.pool(3), Some(Pool::Cold));
    assert_eq!(pools.list(Scope::Active).as_deref(), Some(&[0, 1][..]));
    assert_eq!(held.as_deref(), Some(&[0][..]), "a scan's list stays");
    // The sibling has as much time as any Warm row.
    run(&mut pools, 350, &[0]);
    assert_eq!(pools.pool(2), Some(Pool::Warm));
    run(&mut pools, 100, &[0]);
    assert_eq!(pools.pool(2), Some(Pool::Cold));
}

#[test]
fn what_a_photo_is_scored_against_follows_its_number() {
    let mut pools = Pools::new(settings(), 4);
    let ahead: Vec<Scope> = (0..120).map(|n| pools.scope(n)).collect();
    for (number, scope) in ahead.iter().enumerate() {
        assert_eq!(pools.scope(0), *scope);
        assert_eq!(*scope == Scope::All, number % 40 == 0);
        assert_eq!(*scope == Scope::Active, number % 10 != 0);
        pools.record(*scope, &[0], nobody);
    }
    let off = PoolSettings {
        enabled: false,
        ..settings()
    };
    let pools = Pools::new(off, 4);
    assert!((0..50).all(|n| pools.scope(n) == Scope::All));
}

#[test]
fn a_persons_own_terms_stay() {
    let mut pools = Pools::new(settings(), 4);
    pools.pin(&[2, 50]);
    run(&mut pools, 700, &[]);
    assert_eq!(pools.list(Scope::Warm).as_deref(), Some(&[2][..]));
    // Of the old ones none is left, and a Cold row becomes one.
    pools.changes();
    pools.pin(&[3]);
    assert_eq!(pools.pool(3), Some(Pool::Active));
    assert_eq!(pools.changes().len(), 1);
    run(&mut pools, 50, &[]);
    assert_eq!(pools.list(Scope::Active).as_deref(), Some(&[3][..]));
}

#[test]
fn missing_too_much_widens_and_missing_nothing_narrows() {
    let mut pools = Pools::new(settings(), 100);
    run(&mut pools, 20, &[0, 9]);
    run(&mut pools, 180, &[0]);
    assert_eq!(pools.sizes().warm, 98, "what was a tag before stays longer");
    assert_eq!(pools.missed().map(|m| m.0), Some(0.0));
    // Four misses may be an accident, a fifth is none.
    let scopes: Vec<Scope> = (0..20).map(|n| pools.scope(n)).collect();
    for row in 1..=4 {
        assert_eq!(pools.record(Scope::Warm, &[0, row], nobody), [row]);
    }
    assert!(!pools.sweep().widened);
    pools.record(Scope::Warm, &[0, 5], nobody);
    let (share, seen) = pools.missed().unwrap();
    assert_eq!(seen, 20 + 2 + 10);
    // One photo in ten was scored against the Warm ones too, and lost nothing.
    assert!((share - 5.0 / 32.0 * 0.9).abs() < 1e-9, "{share}");
    let sweep = pools.sweep();
    assert_eq!((sweep.widened, sweep.narrowed), (true, false));
    assert_eq!(pools.missed(), None);
    let often = (0..200)
        .filter(|n| pools.scope(*n) != Scope::Active)
        .count();
    assert_eq!(often, 40, "every fifth photo instead of every tenth");
    assert_eq!(
        pools.sizes().warm,
        93,
        "what never was a tag does not come back"
    );

    // 2,000 kept tags on photos that were scored against more, and none of them new.
    run(&mut pools, 9_900, &[0]);
    assert!(!pools.sweep().narrowed);
    run(&mut pools, 150, &[0]);
    assert_eq!(pools.progress().width, 0);
    let number = pools.progress().photos;
    let ahead = number.next_multiple_of(200) - number;
    let again: Vec<Scope> = (0..20).map(|n| pools.scope(ahead + n)).collect();
    assert_eq!(again, scopes, "as at the beginning");
}

#[test]
fn in_the_end_everything_is_scored() {
    let mut pools = Pools::new(settings(), 3000);
    run(&mut pools, 100, &[]);
    for row in 0..1500u32 {
        pools.record(pools.scope(0), &[row], nobody);
        if pools.sweep_due() {
            pools.sweep();
        }
    }
    assert!((0..100).all(|n| pools.scope(n) != Scope::Active));
    assert!(pools.missed().unwrap().0 <= settings().most_missed);
}

#[test]
fn misses_of_the_cold_count_by_their_own_photos() {
    let mut pools = Pools::new(settings(), 3);
    run(&mut pools, 550, &[0]);
    assert_eq!(pools.sizes().cold, 2);
    let full = 550u64.div_ceil(40);
    pools.record(Scope::All, &[1], nobody);
    #[allow(clippy::cast_precision_loss)]
    let expected = 1.0 / (full + 1) as f64 * (1.0 - 1.0 / 40.0);
    let (share, _) = pools.missed().unwrap();
    assert!((share - expected).abs() < 1e-9, "{share} {expected}");
}

#[test]
fn growing_restoring_and_saving_only_what_changed() {
    let mut pools = Pools::new(settings(), 10);
    run(&mut pools, 60, &[0, 1]);
    pools.grow(20);
    run(&mut pools, 60, &[0]);
    let changed: Vec<u32> = pools.changes().iter().map(|s| s.row).collect();
    assert_eq!(changed, (0..10).collect::<Vec<u32>>(), "hit, or demoted");
    assert_eq!(pools.changes(), []);
    let json = serde_json::to_string(&pools.progress()).unwrap();
    assert!(json.len() < 300, "{json}");

    run(&mut pools, 10, &[3]);
    let saved = pools.changes();
    assert_eq!(saved.len(), 1);
    let progress: Progress =
        serde_json::from_str(&serde_json::to_string(&pools.progress()).unwrap()).unwrap();
    // Saved rows that are not there any more do no harm.
    let foreign = RowState {
        row: 400,
        ..saved[0]
    };
    let mut again = Pools::restore(settings(), 30, progress, [saved[0], foreign]);
    assert_eq!(
        again.sizes().active,
        30,
        "the others' states were not given"
    );
    // Their age is known all the same: the last ten are new.
    run(&mut again, 90, &[]);
    again.sweep();
    assert_eq!(again.pool(15), Some(Pool::Warm), "from before photo 60");
    assert_eq!(again.pool(25), Some(Pool::Active));
    assert_eq!(again.pool(3), Some(Pool::Active));
}

#[test]
fn settings_are_checked() {
    let parse = |text: &str| toml::from_str::<PoolSettings>(text).map_err(|e| e.to_string());
    assert_eq!(parse("").unwrap(), PoolSettings::default());
    assert!(PoolSettings::default().check().is_ok());
    assert!(
        parse("activ_patience = 3")
            .unwrap_err()
            .contains("activ_patience")
    );
    for (text, says) in [
        (
            "sweep_every = 0",
            "pools.sweep_every = 0 is out of range; allowed: 1 to",
        ),
        ("warm_every = 2000", "pools.cold_every = 1000"),
        ("start_wide = 21", "0 to 20"),
        ("most_missed = 0.0", "above 0"),
        ("most_missed = nan", "above 0"),
    ] {
        let error = parse(text).unwrap().check().unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

/// Numbers that look random, the same on every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % n
    }
}

/// Events of 30 photos with 20 things around, 8 of them on each photo; things come up as words do
/// (Zipf), 1,500 of the 20,000 that there are words for can at all.
#[test]
#[allow(clippy::cast_precision_loss)]
fn a_library_like_a_persons_shrinks_and_loses_little() {
    const WORDS: usize = 20_000;
    const SHOWN: usize = 1_500;
    let mut sums = Vec::new();
    let mut sum = 0.0;
    for rank in 1..=SHOWN {
        sum += 1.0 / rank as f64;
        sums.push(sum);
    }
    let mut dice = Dice(7);
    let mut pools = Pools::new(PoolSettings::default(), WORDS);
    let mut things = Vec::new();
    let (mut kept, mut lost, mut scored) = (0, 0, 0);
    let mut last = (0.0, 0.0, 0.0);
    for photo in 0..60_000 {
        if photo % 30 == 0 {
            things = (0..20)
                .map(|_| {
                    let at = dice.below(1 << 30) as f64 / f64::from(1 << 30) * sum;
                    // Scattered over the vocabulary, siblings side by side.
                    let rank = sums.partition_point(|s| *s < at);
                    u32::try_from((rank / 4 * 52 + rank % 4) % WORDS).unwrap()
                })
                .collect();
        }
        let mut tags: Vec<u32> = (0..8).map(|_| things[dice.below(20)]).collect();
        tags.sort_unstable();
        tags.dedup();
        let scope = pools.scope(0);
        scored += pools.list(scope).map_or(WORDS, |list| list.len());
        let reach = match scope {
            Scope::Active => Pool::Active,
            Scope::Warm => Pool::Warm,
            Scope::All => Pool::Cold,
        };
        let all = tags.len();
        tags.retain(|row| pools.pool(*row).is_some_and(|pool| pool <= reach));
        kept += all;
        lost += all - tags.len();
        pools.record(scope, &tags, |row| (row / 4 * 4..row / 4 * 4 + 4).collect());
        if pools.sweep_due() {
            pools.sweep();
        }
        if photo % 20_000 == 19_999 {
            last = (
                f64::from(lost as u32) / f64::from(kept as u32),
                pools.missed().map_or(0.0, |m| m.0),
                scored as f64 / 20_000.0,
            );
            (kept, lost, scored) = (0, 0, 0);
        }
    }
    let (lost, measured, scored) = last;
    assert!(pools.sizes().active <= SHOWN, "{:?}", pools.sizes());
    assert!(lost <= PoolSettings::default().most_missed, "{lost}");
    assert!(measured < 0.02, "{measured}");
    assert!(scored < WORDS as f64 / 4.0, "{scored}");
}

proptest! {
    #[test]
    fn pools_partition_the_rows_whatever_happens(
        steps in prop::collection::vec((0u8..6, 0u32..60), 1..400),
    ) {
        let quick = PoolSettings {
            sweep_every: 3,
            active_patience: 4,
            warm_patience: 8,
            warm_every: 2,
            cold_every: 5,
            ..PoolSettings::default()
        };
        let mut pools = Pools::new(quick, 10);
        let mut rows = 10;
        let mut saved = std::collections::HashMap::new();
        for (step, n) in steps {
            match step {
                0 => {
                    pools.grow(n as usize);
                    rows = rows.max(n as usize);
                }
                1 => {
                    pools.sweep();
                }
                2 => pools.pin(&[n]),
                3 => {
                    for state in pools.changes() {
                        saved.insert(state.row, state);
                    }
                    let before: Vec<_> = (0..60).map(|r| pools.pool(r)).collect();
                    let sizes = pools.sizes();
                    pools = Pools::restore(quick, rows, pools.progress(), saved.values().copied());
                    let after: Vec<_> = (0..60).map(|r| pools.pool(r)).collect();
                    prop_assert_eq!(before, after);
                    prop_assert_eq!(sizes, pools.sizes());
                }
                _ => {
                    let (scope, before) = (pools.scope(0), pools.pool(n));
                    let back = pools.record(scope, &[n], |row| vec![row ^ 1]);
                    if (n as usize) < rows {
                        prop_assert_eq!(pools.pool(n), Some(Pool::Active));
                    }
                    if before.is_some_and(|pool| pool != Pool::Active) {
                        prop_assert_eq!(back, vec![n]);
                        prop_assert_ne!(pools.pool(n ^ 1), Some(Pool::Cold));
                    } else {
                        prop_assert_eq!(back, Vec::<u32>::new());
                    }
                }
            }
            let sizes = pools.sizes();
            prop_assert_eq!(sizes.active + sizes.warm + sizes.cold, rows);
            let whole = || (0..u32::try_from(rows).unwrap()).collect::<Vec<_>>();
            for (scope, hottest) in [(Scope::Active, Pool::Active), (Scope::Warm, Pool::Warm)] {
                let list = pools.list(scope).map_or_else(whole, |l| l.to_vec());
                prop_assert!(list.windows(2).all(|w| w[0] < w[1]));
                let wanted: Vec<u32> = whole()
                    .into_iter()
                    .filter(|r| pools.pool(*r).is_some_and(|p| p <= hottest))
                    .collect();
                prop_assert_eq!(list, wanted);
            }
        }
    }

    #[test]
    fn nothing_shrinks_where_everything_is_hit(rows in 1u32..40, photos in 1u64..400) {
        let mut pools = Pools::new(settings(), rows as usize);
        let all: Vec<u32> = (0..rows).collect();
        run(&mut pools, photos, &all);
        prop_assert_eq!(pools.sizes().active, rows as usize);
        prop_assert_eq!(pools.list(Scope::Active), None);
    }
}
