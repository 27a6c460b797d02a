//! Bad files, bad settings, bad surroundings: a clear message each, and the rest goes on.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use crate::env::{TestEnv, jpeg, permissions_bind, save};

fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut ihdr = b"IHDR".to_vec();
    ihdr.extend(width.to_be_bytes());
    ihdr.extend(height.to_be_bytes());
    ihdr.extend([8, 2, 0, 0, 0]);
    let crc = ihdr.iter().fold(!0u32, |mut c, b| {
        c ^= u32::from(*b);
        (0..8).for_each(|_| c = (c >> 1) ^ (0xedb8_8320 & (c & 1).wrapping_neg()));
        c
    });
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    png.extend(ihdr);
    png.extend((!crc).to_be_bytes());
    png.extend(b"\0\0\0\x10IDAT");
    png.extend([0; 40]);
    png
}

#[test]
fn bad_files_are_recorded_and_the_rest_goes_on() {
    let env = TestEnv::new();
    let good = jpeg(1);
    save(2, &env.photo("good.jpg"));
    fs::write(env.photo("really-a-png.jpg"), {
        let mut bytes = std::io::Cursor::new(Vec::new());
        crate::env::picture(3, 50, 50)
            .write_to(&mut bytes, image::ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    })
    .unwrap();
    fs::write(env.photo("truncated.jpg"), &good[..good.len() / 2]).unwrap();
    fs::write(env.photo("empty.jpg"), b"").unwrap();
    fs::write(
        env.photo("text.jpg"),
        b"this is no picture at all, just words",
    )
    .unwrap();
    fs::write(env.photo("bomb.png"), png_header(50_000, 50_000)).unwrap();
    fs::write(env.photo("unknown"), b"no extension and no magic").unwrap();
    let summary = env.index();
    assert_eq!(
        (&summary["indexed"], &summary["failed"]),
        (&4.into(), &3.into()),
        "what is recognised is a photo, also without its pixels: {summary}"
    );
    let status = env.status();
    let kind = |name: &str| {
        status["errors"]
            .as_array()
            .unwrap()
            .iter()
            .find(|e| e["path"].as_str().unwrap().ends_with(name))
            .map(|e| e["kind"].as_str().unwrap().to_owned())
    };
    assert_eq!(kind("truncated.jpg").as_deref(), Some("truncated"));
    assert_eq!(kind("empty.jpg").as_deref(), Some("empty"));
    assert_eq!(kind("text.jpg").as_deref(), Some("not-an-image"));
    assert_eq!(kind("bomb.png").as_deref(), Some("too-large"));
    assert_eq!(kind("/unknown").as_deref(), Some("not-an-image"));
    let row = &env.query(&["--path", "really-a-png.jpg"])[0];
    assert_eq!(row["format"], "png", "the bytes decide");
    let pixels = |name: &str| {
        let row = &env.query(&["--path", name])[0];
        (row["pixels"].clone(), row["width"].clone())
    };
    assert_eq!(pixels("truncated.jpg"), ("damaged".into(), 320.into()));
    let why = |name: &str| env.query(&["--path", name])[0]["pixels_why"].clone();
    let cut = why("truncated.jpg");
    let advice = "copy it again from its source";
    assert!(
        cut.as_str().is_some_and(|why| why.contains(advice)),
        "{cut}"
    );
    assert!(why("good.jpg").is_null());
    assert_eq!(pixels("bomb.png"), ("none".into(), 50_000.into()));
    assert_eq!(pixels("good.jpg"), ("whole".into(), 320.into()));
    assert_eq!(env.query(&["--damaged"]).len(), 2);

    let again = env.index();
    assert_eq!(
        again["opened"], 0,
        "failures are not tried in a loop: {again}"
    );
    fs::write(env.photo("truncated.jpg"), &good).unwrap();
    let mended = env.index();
    assert_eq!(
        (&mended["indexed"], &mended["failed"]),
        (&1.into(), &0.into()),
        "{mended}"
    );
    assert_eq!(env.status()["counts"]["failed"], 3);
    assert_eq!(pixels("truncated.jpg"), ("whole".into(), 320.into()));
}

#[test]
fn odd_names_come_through_unharmed() {
    let env = TestEnv::new();
    let bytes = jpeg(1);
    let mut names: Vec<Vec<u8>> = vec![
        b"new\nline.jpg".to_vec(),
        b"escape\x1b[31m.jpg".to_vec(),
        b"quote'; DROP TABLE files; --.jpg".to_vec(),
        [vec![b'x'; 251], b".jpg".to_vec()].concat(),
        "Grüße 🏖.jpg".as_bytes().to_vec(),
    ];
    if cfg!(target_os = "linux") {
        names.push(b"latin1-\xe9t\xe9.jpg".to_vec());
    }
    for name in &names {
        fs::write(env.photos().join(std::ffi::OsStr::from_bytes(name)), &bytes).unwrap();
    }
    assert_eq!(env.index()["indexed"], names.len());
    let listed = env.run(&["query", "-0", "--all-paths"]).stdout;
    let mut found: Vec<Vec<u8>> = listed
        .split(|b| *b == 0)
        .filter(|p| !p.is_empty())
        .map(|p| p.rsplit(|b| *b == b'/').next().unwrap().to_vec())
        .collect();
    found.sort();
    names.sort();
    assert_eq!(found, names);
    let table = env.ok(&["query", "--all-paths"]);
    assert!(
        !table.contains('\x1b'),
        "no escape sequence reaches the terminal"
    );
    assert_eq!(table.lines().count(), names.len());
    if cfg!(target_os = "linux") {
        let row = env.query(&["--path", "latin1-*"]).remove(0);
        let hex = row["path_bytes"].as_str().unwrap();
        assert!(hex.ends_with("6c6174696e312de974e92e6a7067"), "{hex}");
    }
}

#[test]
fn an_unreadable_file_is_recorded_and_indexed_once_it_can_be_read() {
    let env = TestEnv::new();
    if !permissions_bind(&env.photos()) {
        return;
    }
    save(1, &env.photo("a.jpg"));
    save(2, &env.photo("b.jpg"));
    fs::set_permissions(env.photo("a.jpg"), fs::Permissions::from_mode(0o000)).unwrap();
    let summary = env.index();
    assert_eq!(
        (&summary["indexed"], &summary["failed"]),
        (&1.into(), &1.into()),
        "{summary}"
    );
    assert_eq!(env.status()["errors"][0]["kind"], "unreadable");
    fs::set_permissions(env.photo("a.jpg"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(env.index()["indexed"], 1);
    assert_eq!(env.status()["counts"]["failed"], 0);
}

#[test]
fn bad_settings_and_missing_folders_exit_with_78() {
    let env = TestEnv::new();
    let config = env.outside("config.toml");
    fs::write(&config, "parallel = 2\nrotos = ['x']\n").unwrap();
    let output = env.run(&["--config", config.to_str().unwrap(), "status"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("line 2") && said.contains("rotos"), "{said}");

    let missing = env.outside("not-there");
    for command in ["watch", "index"] {
        let output = env.run(&[command, missing.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert!(said.contains("not-there"), "{said}");
        let none = env.run(&[command]);
        assert_eq!(none.status.code(), Some(78));
    }
    let inner = env.photo("inner");
    fs::create_dir(&inner).unwrap();
    let photos = env.photos();
    let nested = env.run(&["index", photos.to_str().unwrap(), inner.to_str().unwrap()]);
    assert_eq!(nested.status.code(), Some(78));
}

#[test]
fn without_a_runtime_it_indexes_and_later_catches_up() {
    let env = TestEnv::new();
    for i in 0..3 {
        save(i, &env.photo(&format!("{i}.jpg")));
    }
    let photos = env.photos();
    let args = ["index", "--format", "json", photos.to_str().unwrap()];
    let output = env
        .command(&args)
        .env("ORT_DYLIB_PATH", "/nowhere/lib.so")
        .output()
        .unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&summary["indexed"], &summary["embedded"]),
        (&3.into(), &0.into()),
        "{summary}"
    );
    assert_eq!(summary["model"]["ready"], false);
    let doctor = env
        .command(&["doctor"])
        .env("ORT_DYLIB_PATH", "/nowhere/lib.so")
        .output()
        .unwrap();
    assert_eq!(doctor.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("ORT_DYLIB_PATH"));

    let cut = env.outside("libonnxruntime.so");
    fs::write(&cut, vec![0x7f; 4096]).unwrap();
    let output = env
        .command(&args)
        .env("ORT_DYLIB_PATH", &cut)
        .output()
        .unwrap();
    assert!(output.status.success(), "a cut-off library stops nothing");

    if env.has_model() {
        let caught_up = env.index();
        assert_eq!(caught_up["embedded"], 3, "{caught_up}");
        assert_eq!(env.status()["counts"]["tagged"], 3);
    }
}

#[test]
fn a_data_directory_that_cannot_be_written_is_said_so() {
    let env = TestEnv::new();
    fs::write(env.outside("file"), b"in the way").unwrap();
    let photos = env.photos();
    let blocked = env.outside("file/data");
    let output = env.run(&[
        "--data-dir",
        blocked.to_str().unwrap(),
        "index",
        photos.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--data-dir"));
    if permissions_bind(&photos) {
        let closed = env.outside("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
        let output = env.run(&[
            "--data-dir",
            closed.to_str().unwrap(),
            "index",
            photos.to_str().unwrap(),
        ]);
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn foreign_and_newer_databases_are_left_untouched_and_damaged_ones_replaced() {
    let env = TestEnv::new();
    save(1, &env.photo("a.jpg"));
    let photos = env.photos();
    let index = env.data().join("index.db");
    fs::create_dir_all(env.data()).unwrap();
    for (pragma, word) in [
        (
            "PRAGMA application_id = 77; CREATE TABLE x (y);",
            "another program",
        ),
        (
            "PRAGMA application_id = 1885893732; PRAGMA user_version = 900; CREATE TABLE x (y);",
            "newer photond",
        ),
    ] {
        let _ = fs::remove_file(&index);
        rusqlite::Connection::open(&index)
            .unwrap()
            .execute_batch(pragma)
            .unwrap();
        let before = fs::read(&index).unwrap();
        let output = env.run(&["index", photos.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(word), "{said}");
        assert_eq!(fs::read(&index).unwrap(), before, "not a byte has changed");
    }
    fs::write(&index, vec![0x5a; 64 << 10]).unwrap();
    let output = env.run(&["index", photos.to_str().unwrap()]);
    assert!(output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("damaged"),
        "the user is told"
    );
    let kept = fs::read_dir(env.data())
        .unwrap()
        .filter(|e| {
            e.as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .contains("damaged")
        })
        .count();
    assert_eq!(kept, 1, "the damaged file is kept");
    assert_eq!(env.query(&[]).len(), 1);
}

#[test]
fn damage_met_at_work_is_repaired_at_the_next_start() {
    let env = TestEnv::new();
    for i in 0..40 {
        fs::write(env.photo(&format!("{i}.jpg")), jpeg(i)).unwrap();
    }
    env.index();
    let photos = env.photos();
    let index = env.data().join("index.db");
    // Every page but those of the schema: the files' rows are among them.
    let mut bytes = fs::read(&index).unwrap();
    let page = 4096;
    for at in (page * 8..bytes.len()).step_by(page) {
        bytes[at..at + 64].fill(0xa5);
    }
    fs::write(&index, bytes).unwrap();
    let mut told = String::new();
    for _ in 0..3 {
        let output = env.run(&["index", photos.to_str().unwrap()]);
        told += &String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            break;
        }
    }
    assert!(told.contains("damaged"), "{told}");
    assert_eq!(env.query(&[]).len(), 40);
    assert!(
        env.ok(&["doctor", "--deep"])
            .contains("every page is sound")
    );
}

#[test]
fn early_mistakes_never_crash() {
    let env = TestEnv::new();
    let missing = env.outside("not-there");
    let config = env.outside("bad.toml");
    fs::write(&config, "exclude = ['[']\n").unwrap();
    let photos = env.photos();
    for _ in 0..10 {
        assert_eq!(
            env.run(&["watch", missing.to_str().unwrap()]).status.code(),
            Some(78)
        );
        let bad = env.run(&[
            "--config",
            config.to_str().unwrap(),
            "watch",
            photos.to_str().unwrap(),
        ]);
        assert_eq!(
            bad.status.code(),
            Some(78),
            "{}",
            String::from_utf8_lossy(&bad.stderr)
        );
    }
}
