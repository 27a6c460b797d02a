//! Killed at random moments: what was shown before is shown after, and the next run finds the rest.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::env::TestEnv;
use crate::oracle::{self, Lies};
use crate::rng::{Rng, first_seed, number};
use crate::tree::Tree;
use crate::world::{bind_to_permissions, truth, verdict, without_model};

/// Path below the root and content, as a query shows them.
type Shown = BTreeSet<(String, String)>;

fn shown(env: &TestEnv) -> Shown {
    let rows = env.query(&[]);
    let paths = env.names(&rows);
    let hashes = rows.iter().map(|r| r["hash"].as_str().unwrap().to_owned());
    paths.into_iter().zip(hashes).collect()
}

/// Starts `watch` or `index` on the folder.
fn start(env: &TestEnv, way: &str) -> Child {
    let photos = env.photos();
    let mut command = env.command(&[way, photos.to_str().unwrap(), "--parallel", "2"]);
    bind_to_permissions(&mut command);
    without_model(&mut command);
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    command.spawn().unwrap()
}

/// One pass that nobody disturbs, after which index and folder must agree.
pub fn pass(env: &TestEnv, what: &str) -> usize {
    let before = truth(env);
    let photos = env.photos();
    let one = || {
        let mut command = env.command(&["index", photos.to_str().unwrap()]);
        bind_to_permissions(&mut command);
        without_model(&mut command);
        let output = command.output().unwrap();
        assert!(
            matches!(output.status.code(), Some(0 | 1)),
            "{what}: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    };
    one();
    let mut found = verdict(env, &before, false);
    if found.held > 0 {
        env.run(&["confirm"]);
        found = verdict(env, &before, false);
    }
    assert!(
        found.wrong.is_empty() && found.held == 0,
        "{what}: {found:#?}"
    );
    let unsound = oracle::sound(&env.data());
    assert!(unsound.is_empty(), "{what}: {unsound:#?}");
    assert_eq!(truth(env), before, "{what}: a photo was changed");
    found.agreed
}

#[test]
fn killed_at_random_moments_nothing_shown_is_lost() {
    let kills = number("PHOTOND_TORTURE_KILLS", 100);
    let seed = first_seed();
    eprintln!("PHOTOND_SEED={seed}");
    let mut rng = Rng::new(seed);
    let env = TestEnv::new();
    let mut tree = Tree::new(&env.photos(), &env.outside("out"));
    for _ in 0..100 {
        tree.step(&mut rng);
    }
    tree.finish();
    pass(&env, "the first pass");
    let (mut in_time, mut acknowledged) = (0, 0);
    for n in 0..kills {
        let what = format!("PHOTOND_SEED={seed}, kill {n}");
        for _ in 0..rng.below(40) {
            tree.step(&mut rng);
        }
        tree.finish();
        // Every other time the folder is changed while photond works.
        let before = truth(&env);
        let way = if rng.once_in(2) { "watch" } else { "index" };
        let mut child = start(&env, way);
        std::thread::sleep(Duration::from_micros(rng.next() % 400_000));
        let known = shown(&env);
        in_time += u64::from(child.try_wait().unwrap().is_none());
        let _ = child.kill();
        let _ = child.wait();
        let after = shown(&env);
        // What was shown and lies there still must be shown still.
        let lost: Vec<_> = known
            .difference(&after)
            .filter(|(path, hash)| {
                let lies = before.get(path.as_bytes());
                matches!(lies, Some(Lies::File { hash: Some(h), .. })
                    if blake3::Hash::from(*h).to_hex().as_str() == hash)
            })
            .collect();
        assert!(lost.is_empty(), "{what} ({way}): {lost:?}");
        acknowledged += known.len();
        pass(&env, &what);
    }
    eprintln!(
        "{kills} kills, {in_time} of them while it ran, {acknowledged} acknowledgements held, {} operations",
        tree.done
    );
    assert!(in_time > 0, "none of the kills met a living process");
}
