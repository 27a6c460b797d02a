//! The settler against a simulated file and clock.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn stamp(n: u64) -> FileStamp {
    FileStamp {
        size: n,
        mtime_ns: i64::try_from(n).unwrap(),
        ctime_ns: 0,
        inode: 1,
    }
}

/// One file, a clock in milliseconds, and everything that settled with its time.
struct World {
    t0: Instant,
    now: u64,
    settler: Settler<&'static str>,
    file: Option<u64>,
    settled: Vec<(u64, Option<FileStamp>)>,
}

impl World {
    fn new() -> Self {
        let settler = Settler::new(SettleConfig::default());
        Self {
            t0: Instant::now(),
            now: 0,
            settler,
            file: None,
            settled: Vec::new(),
        }
    }

    fn at(&self, ms: u64) -> Instant {
        self.t0 + MS * u32::try_from(ms).unwrap()
    }

    /// Lets time pass as the owner thread does: sleeping to each deadline, whole milliseconds.
    fn run_to(&mut self, end: u64) {
        while let Some(next) = self.settler.next_deadline() {
            let next = u64::try_from((next - self.t0).as_micros().div_ceil(1000))
                .unwrap()
                .max(self.now);
            if next > end {
                break;
            }
            self.now = next;
            let (now, file) = (self.at(next), self.file);
            for s in self.settler.due(now, &mut |_| file.map(stamp)) {
                self.settled.push((next, s.stamp));
            }
        }
        self.now = end;
    }

    fn note(&mut self, hint: Hint) {
        assert!(self.settler.note("f", hint, self.at(self.now)));
    }

    fn write(&mut self) {
        self.file = Some(self.file.unwrap_or(0) + 1);
        self.note(Hint::Written);
    }
}

#[test]
fn a_plain_copy_settles_once_200_ms_after_its_close() {
    let mut w = World::new();
    for t in [0, 3, 6] {
        w.run_to(t);
        w.write();
    }
    w.note(Hint::Closed);
    w.run_to(60_000);
    assert_eq!(w.settled, [(206, Some(stamp(3)))]);
    assert!(w.settler.pending.is_empty() && w.settler.next_deadline().is_none());
}

#[test]
fn appending_with_open_and_close_every_100_ms_settles_once_in_the_final_form() {
    let mut w = World::new();
    for i in 0..300 {
        w.run_to(i * 100);
        w.write();
        w.note(Hint::Closed);
    }
    w.run_to(60_000);
    assert_eq!(w.settled, [(29_900 + 200, Some(stamp(300)))]);
}

#[test]
fn growing_without_a_close_settles_once_in_the_final_form() {
    let mut w = World::new();
    for i in 0..300 {
        w.run_to(i * 100);
        w.write();
    }
    w.run_to(120_000);
    assert_eq!(w.settled.len(), 1);
    let (at, last) = w.settled[0];
    assert_eq!(last, Some(stamp(300)));
    // Half a second of rest, and at most an eighth of the thirty seconds it took.
    assert!((29_900 + 500..29_900 + 500 + 4_500).contains(&at), "{at}");
}

#[test]
fn a_hard_link_which_nobody_closes_is_due_half_a_second_later() {
    let mut w = World::new();
    w.write();
    w.run_to(5_000);
    assert_eq!(w.settled, [(500, Some(stamp(1)))]);
}

#[test]
fn moves_and_removals_are_due_at_once() {
    let mut w = World::new();
    w.file = Some(7);
    w.note(Hint::MovedIn);
    w.run_to(10);
    w.file = None;
    w.note(Hint::Removed);
    w.run_to(5_000);
    assert_eq!(w.settled, [(0, Some(stamp(7))), (10, None)]);
}

#[test]
fn a_create_that_is_removed_settles_as_gone_and_not_before() {
    let mut w = World::new();
    w.write();
    w.run_to(50);
    w.file = None;
    w.note(Hint::Removed);
    w.run_to(5_000);
    assert_eq!(w.settled, [(50, None)]);
}

#[test]
fn removed_and_written_again_waits_for_the_new_file() {
    let mut w = World::new();
    w.file = Some(1);
    w.note(Hint::Removed); // the new file is already there, and growing
    for t in 1..20 {
        w.run_to(t * 50);
        w.write();
    }
    w.note(Hint::Closed);
    w.run_to(9_000);
    assert_eq!(w.settled, [(950 + 200, Some(stamp(20)))]);
}

#[test]
fn a_file_that_changes_for_ever_is_looked_at_every_ten_seconds_and_starves_nobody() {
    let t0 = Instant::now();
    let mut s = Settler::new(SettleConfig::default());
    let (mut looks, mut others) = (0u32, 0u32);
    for ms in (0..600_000u32).step_by(50) {
        let now = t0 + MS * ms;
        assert!(s.note(0u32, Hint::Written, now));
        if ms % 1000 == 0 {
            assert!(s.note(1 + ms, Hint::MovedIn, now));
        }
        for done in s.due(now, &mut |k| {
            looks += u32::from(*k == 0);
            Some(stamp(u64::from(if *k == 0 { ms } else { 1 })))
        }) {
            assert_ne!(done.key, 0);
            others += 1;
        }
    }
    assert_eq!(others, 600);
    // Twice a second at first, every ten seconds in the end.
    assert!((60..120).contains(&looks), "{looks} looks in ten minutes");
}

#[test]
fn a_full_settler_says_so_and_keeps_what_it_has() {
    let t0 = Instant::now();
    let mut s = Settler::new(SettleConfig {
        capacity: 3,
        ..SettleConfig::default()
    });
    for k in 0..3 {
        assert!(s.note(k, Hint::MovedIn, t0));
    }
    assert!(!s.note(3, Hint::MovedIn, t0));
    assert!(s.note(0, Hint::MovedIn, t0), "a known path needs no room");
    s.retain(|k| *k != 1);
    assert_eq!(s.pending.len(), 2);
    let keys: Vec<i32> = s
        .due(t0, &mut |_| None)
        .into_iter()
        .map(|d| d.key)
        .collect();
    assert_eq!(keys, [0, 2]);
    assert!(s.next_deadline().is_none());
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Write,
    Close,
    Touch,
    Delete,
    MoveIn,
}

fn acts() -> impl Strategy<Value = Vec<(Act, u64)>> {
    let act = prop_oneof![
        4 => Just(Act::Write),
        3 => Just(Act::Close),
        1 => Just(Act::Touch),
        1 => Just(Act::Delete),
        1 => Just(Act::MoveIn),
    ];
    prop::collection::vec((act, 0u64..2_000), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever happens to a file, in whatever rhythm: the last thing said of it is said after its
    /// last event and is the truth, and then the settler is idle.
    #[test]
    fn the_last_word_is_true_and_comes_after_the_last_event(acts in acts()) {
        let mut w = World::new();
        for (act, gap) in acts {
            w.run_to(w.now + gap);
            match act {
                Act::Write => w.write(),
                Act::Close => w.note(Hint::Closed),
                Act::Touch => w.note(Hint::Doubt),
                Act::Delete => { w.file = None; w.note(Hint::Removed); }
                Act::MoveIn => { w.file = Some(w.now + 10_000_000); w.note(Hint::MovedIn); }
            }
        }
        let last_event = w.now;
        w.run_to(w.now + 60_000);
        let (at, truth) = *w.settled.last().expect("something settles");
        prop_assert!(at >= last_event);
        prop_assert_eq!(truth, w.file.map(stamp));
        prop_assert!(w.settler.pending.is_empty());
    }

    /// While writes and closes come faster than the quiet time, nothing settles; then exactly one.
    #[test]
    fn nothing_settles_while_it_is_being_written(
        steps in prop::collection::vec((any::<bool>(), 1u64..200), 1..200)
    ) {
        let mut w = World::new();
        w.write();
        for (close, gap) in steps {
            w.run_to(w.now + gap);
            prop_assert!(w.settled.is_empty(), "settled at {:?}", w.settled);
            if close { w.note(Hint::Closed) } else { w.write() }
        }
        w.run_to(w.now + 60_000);
        prop_assert_eq!(w.settled.len(), 1);
        prop_assert_eq!(w.settled[0].1, w.file.map(stamp));
    }

    /// Two paths do not disturb each other: each has the word it would have alone.
    #[test]
    fn paths_are_independent(a in acts(), b in acts()) {
        let alone = |acts: &[(Act, u64)]| {
            let mut w = World::new();
            drive(&mut w, acts);
            w.settled
        };
        let t0 = Instant::now();
        let mut both = Settler::new(SettleConfig::default());
        let mut events: Vec<(u64, &'static str, Act)> = Vec::new();
        for (name, acts) in [("a", &a), ("b", &b)] {
            let mut t = 0;
            for (act, gap) in acts {
                t += gap;
                events.push((t, name, *act));
            }
        }
        events.sort_by_key(|e| e.0);
        let mut files: HashMap<&str, Option<u64>> = HashMap::from([("a", None), ("b", None)]);
        let mut settled: HashMap<&str, Vec<(u64, Option<FileStamp>)>> = HashMap::new();
        let mut now = 0;
        let end = (u64::MAX, "", Act::Touch);
        for (t, name, act) in events.into_iter().chain([end]) {
            while let Some(next) = both.next_deadline() {
                let next = u64::try_from((next - t0).as_micros().div_ceil(1000)).unwrap().max(now);
                if next > t {
                    break;
                }
                now = next;
                for s in both.due(t0 + MS * u32::try_from(now).unwrap(), &mut |k| files[k].map(stamp)) {
                    settled.entry(s.key).or_default().push((now, s.stamp));
                }
            }
            if t == u64::MAX {
                break;
            }
            now = t;
            let file = files.get_mut(name).unwrap();
            let hint = apply(file, act, now);
            prop_assert!(both.note(name, hint, t0 + MS * u32::try_from(now).unwrap()));
        }
        prop_assert_eq!(settled.remove("a").unwrap_or_default(), alone(&a));
        prop_assert_eq!(settled.remove("b").unwrap_or_default(), alone(&b));
    }
}

fn apply(file: &mut Option<u64>, act: Act, now: u64) -> Hint {
    match act {
        Act::Write => {
            *file = Some(file.unwrap_or(0) + 1);
            Hint::Written
        }
        Act::Close => Hint::Closed,
        Act::Touch => Hint::Doubt,
        Act::Delete => {
            *file = None;
            Hint::Removed
        }
        Act::MoveIn => {
            *file = Some(now + 10_000_000);
            Hint::MovedIn
        }
    }
}

fn drive(w: &mut World, acts: &[(Act, u64)]) {
    for (act, gap) in acts {
        w.run_to(w.now + gap);
        let hint = apply(&mut w.file, *act, w.now);
        w.note(hint);
    }
    w.run_to(w.now + 600_000);
}
