//! Whatever is done to the folder, however fast, the index says the same a moment later.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::content;
use crate::env::TestEnv;
use crate::rng::{Rng, first_seed, number};
use crate::tree::Tree;
use crate::world::{
    FewDescriptors, bind_to_permissions, logged, settle, truth, verdict, wait_for, without_model,
};

/// The kernel's queue of events holds this many by default.
const QUEUE: usize = 16_384;

/// What is special about a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    /// The daemon stands still until its events have overflowed.
    Overflow,
    /// The same, with 20,000 new files.
    LargeOverflow,
    /// It can open nothing more for a while.
    Descriptors,
    /// It is killed in the middle and started again.
    Restart,
}

/// What a run has done.
#[derive(Debug, Default)]
struct Tally {
    seeds: u64,
    operations: u64,
    rounds: u64,
    agreed: usize,
    held: usize,
    overflows: u64,
    descriptors: u64,
    restarts: u64,
}

/// The daemon of a trial, however it is started.
fn of_trial(env: &TestEnv, model: bool) -> impl FnOnce(&mut Command) {
    move |command| {
        bind_to_permissions(command);
        logged(env, command);
        if !model {
            without_model(command);
        }
    }
}

/// Makes more events than the queue holds, and leaves nothing behind.
fn flood(env: &TestEnv) {
    let (one, other) = (env.photo("flood-1.jpg"), env.photo("flood-2.jpg"));
    fs::write(&one, content::fresh()).unwrap();
    for _ in 0..QUEUE / 4 + 200 {
        fs::rename(&one, &other).unwrap();
        fs::rename(&other, &one).unwrap();
    }
    fs::remove_file(&one).unwrap();
}

fn overflows(env: &TestEnv) -> u64 {
    env.status()["daemon"]["watch"]["overflows"]
        .as_u64()
        .unwrap_or(0)
}

fn trial(seed: u64, rounds: &[Trouble], operations: u64, model: bool, tally: &mut Tally) {
    eprintln!("PHOTOND_SEED={seed} {rounds:?}");
    let mut rng = Rng::new(seed);
    let env = TestEnv::new();
    let mut tree = Tree::new(&env.photos(), &env.outside("out"));
    // Something is there before the daemon is.
    for _ in 0..60 {
        tree.step(&mut rng);
    }
    let mut daemon = env.watch_with(&[], of_trial(&env, model));
    for (n, trouble) in rounds.iter().enumerate() {
        if matches!(trouble, Trouble::Overflow | Trouble::LargeOverflow) {
            // After a want of descriptors folders are polled for a while, without events to overflow.
            wait_for(&env, seed, "everything is watched", || {
                env.status()["daemon"]["watch"]["polled"] == 0
            });
        }
        let before = overflows(&env);
        let mut few = None;
        match trouble {
            Trouble::Overflow => {
                daemon.hold();
                flood(&env);
            }
            Trouble::LargeOverflow => {
                // In a folder that is watched by then: others cause no events.
                let folder = env.photo("twenty-thousand");
                fs::create_dir_all(&folder).unwrap();
                fs::write(folder.join("first.jpg"), content::fresh()).unwrap();
                settle(&env, seed, "before the overflow", model);
                daemon.hold();
                for _ in 0..20_000 / 100 {
                    for i in 0..100 {
                        let name = format!("{}-{i}.jpg", rng.next());
                        fs::write(folder.join(name), content::numbered(rng.next() % 50)).unwrap();
                    }
                }
            }
            Trouble::Descriptors => few = Some(FewDescriptors::of(&daemon, rng.below(4) as u64)),
            Trouble::None | Trouble::Restart => {}
        }
        for i in 0..operations {
            tree.step(&mut rng);
            if rng.once_in(12) {
                // The pace only: some of it is to meet the daemon at work.
                std::thread::sleep(Duration::from_millis(rng.next() % 25));
            }
            if *trouble == Trouble::Restart && i == operations / 2 {
                daemon.kill();
                daemon = env.start(&[], of_trial(&env, model));
                tally.restarts += 1;
            }
        }
        tree.finish();
        if rng.once_in(2) {
            tree.reopen();
        }
        match trouble {
            Trouble::Overflow | Trouble::LargeOverflow => {
                daemon.signal("CONT");
                tally.overflows += 1;
            }
            Trouble::Descriptors => {
                // Until it has met its want of them: all it has heard of has been tried.
                std::thread::sleep(Duration::from_millis(400));
                tally.descriptors += 1;
            }
            Trouble::None | Trouble::Restart => {}
        }
        drop(few);
        let (agreed, held) = settle(&env, seed, &format!("round {n} ({trouble:?})"), model);
        if matches!(trouble, Trouble::Overflow | Trouble::LargeOverflow) {
            wait_for(&env, seed, "the overflow is reported", || {
                overflows(&env) > before
            });
        }
        if *trouble == Trouble::LargeOverflow {
            // It may have gone or moved by itself.
            let _ = fs::remove_dir_all(env.photo("twenty-thousand"));
        }
        tally.agreed += agreed;
        tally.held += held;
        tally.rounds += 1;
    }
    tree.reopen();
    let (agreed, held) = settle(&env, seed, "the end, with all permissions back", model);
    tally.agreed += agreed;
    tally.held += held;
    assert_eq!(daemon.stop(), Some(0), "seed {seed}");
    // Nothing is left for a scan to find.
    let again = env.index();
    assert_eq!(again["gone"], 0, "seed {seed}: {again}");
    let found = verdict(&env, &truth(&env), model);
    assert!(
        found.wrong.is_empty() && found.held == 0,
        "seed {seed}: {found:#?}"
    );
    tally.operations += tree.done;
    tally.seeds += 1;
}

#[test]
fn random_operations_end_in_the_truth() {
    let operations = number("PHOTOND_TORTURE_OPERATIONS", 2_000);
    let seeds = number("PHOTOND_TORTURE_SEEDS", 3);
    let large = number("PHOTOND_TORTURE_OVERFLOWS", 0);
    let first = first_seed();
    let has_model = TestEnv::new().has_model();
    let mut tally = Tally::default();
    // To repeat a late trial alone.
    for n in number("PHOTOND_TORTURE_SKIP", 0)..seeds {
        let mut rounds = match n % 4 {
            0 => vec![Trouble::None, Trouble::Overflow, Trouble::None],
            1 => vec![Trouble::Descriptors, Trouble::None, Trouble::Overflow],
            2 => vec![Trouble::None, Trouble::Restart, Trouble::Descriptors],
            _ => vec![Trouble::Restart, Trouble::Overflow, Trouble::None],
        };
        if n < large {
            rounds.push(Trouble::LargeOverflow);
        }
        let each = operations / seeds / rounds.len() as u64;
        let model = has_model && n % 3 == 0;
        trial(
            first.wrapping_add(n),
            &rounds,
            each.max(1),
            model,
            &mut tally,
        );
    }
    eprintln!("{tally:#?}");
}
