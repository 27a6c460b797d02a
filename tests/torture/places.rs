//! Killed, or failed by its disk, at every failpoint: the next run puts everything right.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use photond::failpoint::PLACES;

use crate::content;
use crate::env::TestEnv;
use crate::kills::pass;
use crate::world::{wait, without_model};

/// A run that hangs is a failure; nothing here takes longer on any machine.
const DEADLINE: Duration = Duration::from_secs(120);
const PHOTOS: u64 = 6;

/// A way to come by some places.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scenario {
    /// The first run ever.
    First,
    /// A run that finds new photos, and a backup that is two days old.
    Later,
    /// The index is damaged and its backup takes its place.
    Damaged,
    /// The daemon's daily upkeep.
    Upkeep,
    /// The first run with models.
    Model,
    /// The daemon that prepares what queries need.
    Pieces,
}

/// Where each place is come by.
fn scenario(place: &str) -> Scenario {
    match place.split('.').next().unwrap_or_default() {
        "restore" => Scenario::Damaged,
        "sweep" | "upkeep" => Scenario::Upkeep,
        "model" => Scenario::Model,
        "piece" => Scenario::Pieces,
        "backup" | "commit" | "thumbs" => Scenario::Later,
        _ => Scenario::First,
    }
}

impl Scenario {
    const ALL: [Self; 6] = [
        Self::First,
        Self::Later,
        Self::Damaged,
        Self::Upkeep,
        Self::Model,
        Self::Pieces,
    ];

    fn needs_model(self) -> bool {
        matches!(self, Self::Model | Self::Pieces)
    }

    /// Everything before the run that is to fail.
    fn prepare(self) -> TestEnv {
        let env = TestEnv::new();
        for n in 0..PHOTOS {
            fs::write(env.photo(&format!("{n}.jpg")), content::fresh()).unwrap();
        }
        match self {
            Self::First | Self::Model => return env,
            Self::Pieces => {
                env.index();
                return env;
            }
            Self::Later | Self::Damaged | Self::Upkeep => {}
        }
        pass(&env, "before");
        for n in 0..PHOTOS {
            fs::write(env.photo(&format!("later-{n}.jpg")), content::fresh()).unwrap();
        }
        fs::remove_file(env.photo("0.jpg")).unwrap();
        let two_days_ago = std::time::SystemTime::now() - Duration::from_secs(2 * 86_400);
        let backup = fs::File::options()
            .append(true)
            .open(env.data().join("index.db.backup"))
            .unwrap();
        backup.set_modified(two_days_ago).unwrap();
        if self == Self::Damaged {
            let index = fs::File::options()
                .write(true)
                .open(env.data().join("index.db"))
                .unwrap();
            index.write_all_at(&[0x5a; 8192], 4096).unwrap();
        }
        env
    }

    /// The run itself. A daemon is told to stop when it has come by one of these places, and goes on
    /// if it is to be killed there.
    fn run(self, env: &TestEnv, points: &str, ends: &[&str], seen: &Path) -> ExitStatus {
        let photos = env.photos();
        let photos = photos.to_str().unwrap();
        let (way, points) = match self {
            Self::First | Self::Later | Self::Damaged | Self::Model => ("index", points.to_owned()),
            Self::Upkeep => ("watch", format!("upkeep.early=go,{points}")),
            Self::Pieces => ("watch", points.to_owned()),
        };
        let mut command = env.command(&[way, photos]);
        command
            .env("PHOTOND_FAILPOINTS", &points)
            .env("PHOTOND_FAILPOINTS_SEEN", seen)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if !self.needs_model() {
            without_model(&mut command);
        }
        wait(command, DEADLINE, way, || {
            let noted = noted(seen);
            way == "watch" && ends.iter().any(|end| noted.contains(*end))
        })
    }
}

fn noted(seen: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(seen).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn every_place_is_come_by() {
    let has_model = TestEnv::new().has_model();
    let mut seen = BTreeSet::new();
    for scenario in Scenario::ALL {
        if scenario.needs_model() && !has_model {
            continue;
        }
        let env = scenario.prepare();
        let file = env.outside("seen");
        let status = scenario.run(&env, "", &["sweep.after", "piece.after"], &file);
        assert_eq!(status.code(), Some(0), "{scenario:?}");
        seen.extend(noted(&file));
    }
    let all: BTreeSet<String> = PLACES
        .iter()
        .filter(|place| has_model || !scenario(place).needs_model())
        .map(|&p| p.to_owned())
        .collect();
    assert_eq!(
        all.difference(&seen).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}

/// The list and the code name the same places.
#[test]
fn the_list_of_places_is_whole() {
    fn look(dir: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                look(&path, found);
            } else if !path.ends_with("failpoint.rs") {
                let text = fs::read_to_string(&path).unwrap_or_default();
                for call in [
                    "failpoint::hit(\"",
                    "failpoint(\"",
                    "come_by(\"",
                    "is_ordered(\"",
                ] {
                    for rest in text.split(call).skip(1) {
                        found.insert(rest.split('"').next().unwrap_or_default().to_owned());
                    }
                }
            }
        }
    }
    let mut found = BTreeSet::new();
    look(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    let listed: BTreeSet<String> = PLACES.iter().map(|&p| p.to_owned()).collect();
    assert_eq!(found, listed);
}

#[test]
fn whatever_fails_where_the_next_run_puts_it_right() {
    let has_model = TestEnv::new().has_model();
    let mut trials = 0;
    for place in PLACES.iter().filter(|p| **p != "upkeep.early") {
        let scenario = scenario(place);
        if scenario.needs_model() && !has_model {
            continue;
        }
        for action in ["kill", "eio", "enospc"] {
            let what = format!("{place}={action} ({scenario:?})");
            let env = scenario.prepare();
            let seen = env.outside("seen");
            let ends: &[&str] = if action == "kill" { &[] } else { &[place] };
            let status = scenario.run(&env, &format!("{place}={action}@1"), ends, &seen);
            assert!(noted(&seen).contains(*place), "{what} was not come by");
            match action {
                "kill" => assert_eq!(status.signal(), Some(9), "{what}: {status}"),
                _ => assert_eq!(status.signal(), None, "{what}: {status}"),
            }
            let agreed = pass(&env, &what);
            assert!(agreed as u64 >= PHOTOS, "{what}: {agreed}");
            trials += 1;
        }
    }
    eprintln!("{trials} trials");
}
