//! Wounds to ONNX Runtime: cut off, zeroed, flipped bits, a constructor that never ends or crashes,
//! a run that never ends. Photos are indexed in any case, without tags; nothing crashes, nothing hangs.

use std::fs;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::content;
use crate::env::TestEnv;
use crate::rng::{Rng, first_seed, number};
use crate::world::wait;

/// A run that takes longer has not ended: the trial of a library takes half a minute at most.
const DEADLINE: Duration = Duration::from_secs(170);
const PHOTOS: usize = 5;

/// The library and what is noted of it, if the tests have one.
fn library() -> Option<(PathBuf, PathBuf)> {
    let runtime = Path::new(env!("CARGO_MANIFEST_DIR")).join("runtime");
    let (library, stamp) = (
        runtime.join("libonnxruntime.so"),
        runtime.join("onnxruntime.stamp"),
    );
    if library.is_file() && stamp.is_file() {
        return Some((library, stamp));
    }
    eprintln!("skipped: no ONNX Runtime (`make runtime` fetches it)");
    None
}

fn some_photos() -> TestEnv {
    let env = TestEnv::new();
    for n in 0..PHOTOS {
        fs::write(env.photo(&format!("{n}.jpg")), content::fresh()).unwrap();
    }
    env
}

/// One pass with this library: it must end by itself, without a crash, and index all photos. Gives
/// how many have tags.
fn pass(env: &TestEnv, library: &Path, points: &str, what: &str) -> u64 {
    let mut command = env.command(&["index", env.photos().to_str().unwrap()]);
    command
        .env("ORT_DYLIB_PATH", library)
        .env("PHOTOND_FAILPOINTS", points)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let status = wait(command, DEADLINE, what, || false);
    assert_eq!(status.signal(), None, "{what}: it crashed: {status}");
    assert_eq!(status.code(), Some(0), "{what}");
    let counts = &env.status()["counts"];
    assert_eq!(counts["indexed"], PHOTOS, "{what}: {counts}");
    counts["tagged"].as_u64().unwrap()
}

/// Wounds a library, and says how.
fn wound(rng: &mut Rng, path: &Path) -> String {
    let file = fs::File::options().write(true).open(path).unwrap();
    let len = file.metadata().unwrap().len();
    let at = rng.next() % len;
    match rng.below(4) {
        0 => {
            file.set_len(at).unwrap();
            format!("cut off at {at}")
        }
        1 => {
            let zeros = vec![0; 1 + rng.below(1 << 20)];
            file.write_all_at(&zeros, at.min(len - zeros.len() as u64))
                .unwrap();
            format!("{} zeros at {at}", zeros.len())
        }
        2 => {
            // In the head, where the loader looks.
            let at = rng.next() % 4096;
            file.write_all_at(&[(rng.next() % 256) as u8; 8], at)
                .unwrap();
            format!("eight other bytes at {at}")
        }
        _ => {
            for _ in 0..200 {
                let at = rng.next() % (len - 1);
                file.write_all_at(&[(rng.next() % 256) as u8], at).unwrap();
            }
            "200 other bytes".to_owned()
        }
    }
}

#[test]
fn a_wounded_runtime_costs_tags_and_nothing_else() {
    let Some((library, stamp)) = library() else {
        return;
    };
    let seed = first_seed();
    eprintln!("PHOTOND_SEED={seed}");
    let mut rng = Rng::new(seed);
    let wounds = number("PHOTOND_TORTURE_WOUNDS", 8);
    let (mut refused, mut ran) = (0, 0);
    for n in 0..wounds {
        let env = some_photos();
        let copy = env.outside("libonnxruntime.so");
        fs::copy(&library, &copy).unwrap();
        // Fetched by photond's own tool, or somebody else's.
        let noted = n % 2 == 0;
        if noted {
            fs::copy(&stamp, env.outside("onnxruntime.stamp")).unwrap();
        }
        let how = wound(&mut rng, &copy);
        let what = format!("PHOTOND_SEED={seed}, wound {n}, {how}, noted: {noted}");
        let tagged = pass(&env, &copy, "", &what);
        if noted {
            assert_eq!(tagged, 0, "{what}: it was loaded");
        }
        if tagged == 0 {
            refused += 1;
        } else {
            ran += 1;
        }
        if n == 0 {
            // A sound one, noted or not, tags what the wounded one could not.
            assert_eq!(pass(&env, &library, "", &what), PHOTOS as u64, "{what}");
        }
    }
    eprintln!("{wounds} wounds: {refused} refused, {ran} hit nothing that is used");
}

#[test]
fn somebody_elses_sound_library_is_tried_once_and_used() {
    let Some((library, _)) = library() else {
        return;
    };
    let env = some_photos();
    let copy = env.outside("libonnxruntime.so");
    fs::copy(&library, &copy).unwrap();
    assert_eq!(pass(&env, &copy, "", "a sound copy"), PHOTOS as u64);
    let tried = fs::read_to_string(env.data().join("runtime.tried")).unwrap();
    assert!(tried.trim_end().ends_with("good"), "{tried}");
}

/// A library of some C.
fn compiled(env: &TestEnv, code: &str) -> Option<PathBuf> {
    let (source, library) = (env.outside("made.c"), env.outside("libonnxruntime.so"));
    // As large as a real one, so that its size does not give it away.
    fs::write(&source, format!("{code}\nchar room[2 << 20] = {{1}};\n")).unwrap();
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .status();
    if made.is_ok_and(|s| s.success()) {
        return Some(library);
    }
    eprintln!("skipped: no C compiler");
    None
}

#[test]
fn a_constructor_that_never_ends_or_crashes_costs_a_child_only() {
    for (code, says) in [
        (
            "#include <unistd.h>\n__attribute__((constructor)) static void f(void) { for (;;) sleep(1); }",
            "did not come back",
        ),
        (
            "#include <stdlib.h>\n__attribute__((constructor)) static void f(void) { abort(); }",
            "SIGABRT",
        ),
    ] {
        let env = some_photos();
        let Some(library) = compiled(&env, code) else {
            return;
        };
        assert_eq!(pass(&env, &library, "", says), 0);
        let tried = fs::read_to_string(env.data().join("runtime.tried")).unwrap();
        assert!(tried.contains(says), "{tried}");
        let doctor = env
            .command(&["doctor"])
            .env("ORT_DYLIB_PATH", &library)
            .output()
            .unwrap();
        let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
        assert!(doctor.contains(says), "{doctor}");
    }
}

#[test]
fn a_run_that_never_ends_costs_tags_and_nothing_else() {
    let Some((library, _)) = library() else {
        return;
    };
    // The first run is the check of the model when it is loaded; the second is of photos.
    let env = some_photos();
    env.configure("[detect]\nthings = false\nfaces = false\ntext = false\n");
    assert_eq!(pass(&env, &library, "model.run=hang@2", "a run hangs"), 0);
    assert_eq!(pass(&env, &library, "", "it runs again"), PHOTOS as u64);
    // With two detectors beside it, whose run hangs is chance; the photos are there anyway.
    let env = some_photos();
    pass(&env, &library, "model.run=hang@4", "some run hangs");
    assert_eq!(pass(&env, &library, "", "it runs again"), PHOTOS as u64);
}

#[test]
fn a_stop_does_not_wait_for_a_run_that_never_ends() {
    let Some((library, _)) = library() else {
        return;
    };
    for nth in [1, 4] {
        let env = some_photos();
        let seen = env.outside("seen");
        let daemon = env.start(&[], |command| {
            command
                .env("ORT_DYLIB_PATH", &library)
                .env("PHOTOND_FAILPOINTS", format!("model.run=hang@{nth}"))
                .env("PHOTOND_FAILPOINTS_SEEN", &seen);
        });
        env.wait_until("a run hangs", || {
            fs::read_to_string(&seen).is_ok_and(|s| s.contains("model.run"))
        });
        assert_eq!(daemon.stop(), Some(0));
        env.index();
        assert_eq!(env.status()["counts"]["tagged"], PHOTOS);
    }
}
