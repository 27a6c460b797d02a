//! Names are bytes: every command takes them and gives them back, whether they are text or not.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::env::{TestEnv, jpeg};

const FOLDER: &[u8] = b"f\xe9tes [2019]";
const NAME: &[u8] = b"\xff caf\xe9\n.jpg";

fn hex(path: &Path) -> String {
    path.as_os_str()
        .as_bytes()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// A folder and a photo in it whose names are no UTF-8; `None` where there can be none.
fn odd(env: &TestEnv) -> Option<(PathBuf, PathBuf)> {
    let folder = env.photos().join(OsStr::from_bytes(FOLDER));
    if fs::create_dir(&folder).is_err() {
        eprintln!("skipped: this file system takes only UTF-8");
        return None;
    }
    let photo = folder.join(OsStr::from_bytes(NAME));
    fs::write(&photo, jpeg(1)).unwrap();
    fs::write(env.photo("plain.jpg"), jpeg(2)).unwrap();
    Some((folder, photo))
}

fn json(env: &TestEnv, args: &[&str], paths: &[&Path]) -> Value {
    let output = env.command(args).args(paths).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_folder_of_any_name_is_indexed_watched_and_found() {
    let env = TestEnv::new();
    let Some((folder, photo)) = odd(&env) else {
        return;
    };
    let summary = json(&env, &["index", "--format", "json"], &[&folder]);
    assert_eq!(summary["indexed"], 1, "{summary}");
    let status = env.status();
    assert_eq!(status["roots"][0]["path_bytes"], hex(&folder), "{status}");

    let show = json(&env, &["show"], &[&photo]);
    assert_eq!(show["path_bytes"], hex(&photo), "{show}");
    assert_eq!(show["places_bytes"][0], hex(&photo), "{show}");
    let rows = json(&env, &["query", "--format", "json", "--path"], &[&folder]);
    assert_eq!(rows[0]["path_bytes"], hex(&photo), "{rows}");
    let rows = json(&env, &["query", "--format", "json", "--path"], &[&photo]);
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
    let glob = folder.join("*.jpg");
    let glob = OsString::from_vec(
        String::from_utf8_lossy(glob.as_os_str().as_bytes())
            .replace('\u{fffd}', "?")
            .replace(" [2019]", "*")
            .into_bytes(),
    );
    let rows = json(
        &env,
        &["query", "--format", "json", "--path"],
        &[Path::new(&glob)],
    );
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
    // From within, by a relative name.
    let mut command = env.command(&["query", "-0", "--path"]);
    let name = OsStr::from_bytes(NAME);
    let output = command
        .arg(Path::new(".").join(name))
        .current_dir(&folder)
        .output()
        .unwrap();
    assert_eq!(
        output.stdout,
        [photo.as_os_str().as_bytes(), b"\0"].concat()
    );

    // Watched, by the same name.
    let mut command = env.command(&["watch"]);
    command
        .arg(&folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let daemon = env.spawn(command);
    let late = folder.join(OsStr::from_bytes(b"late \xe9.jpg"));
    fs::write(&late, jpeg(3)).unwrap();
    env.wait_until("what comes in is indexed", || {
        env.query(&[])
            .iter()
            .any(|row| row["path_bytes"] == hex(&late))
    });
    let rescan = env.command(&["rescan"]).arg(&folder).output().unwrap();
    assert!(rescan.status.success(), "{rescan:?}");
    let status = env.status();
    assert!(
        status["roots"][0]["live"].is_object(),
        "its live side is found: {status}"
    );
    let forget = env.command(&["forget"]).arg(&folder).output().unwrap();
    assert!(forget.status.success(), "{forget:?}");
    assert!(env.query(&[]).is_empty());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn what_fails_or_is_an_example_keeps_its_name() {
    let env = TestEnv::new();
    let Some((folder, photo)) = odd(&env) else {
        return;
    };
    let broken = folder.join("broken.jpg");
    fs::write(&broken, b"\xff\xd8\xff no").unwrap();
    json(&env, &["index", "--format", "json"], &[&folder]);
    // The name is text, the folder that it lies in is not.
    let status = env.status();
    assert_eq!(status["errors"][0]["path_bytes"], hex(&broken), "{status}");
    let show = json(&env, &["show"], &[&broken]);
    assert_eq!(show["path_bytes"], hex(&broken), "{show}");
    let text = env.ok(&["status", "--errors"]);
    assert!(
        text.contains("broken.jpg") && !text.contains('\u{1b}'),
        "{text}"
    );
    if env.has_model() {
        let rows = json(
            &env,
            &["query", "--format", "json", "--all", "--like"],
            &[&photo],
        );
        assert_eq!(rows[0]["path_bytes"], hex(&photo), "{rows}");
        // With a weight before it.
        let mut weighted = OsString::from("2:");
        weighted.push(&photo);
        let rows = json(
            &env,
            &["query", "--format", "json", "--all", "--like"],
            &[Path::new(&weighted)],
        );
        assert_eq!(rows[0]["path_bytes"], hex(&photo), "{rows}");
    }
}

#[test]
fn a_data_directory_of_any_name_works() {
    let env = TestEnv::new();
    let data = env.outside("").join(OsStr::from_bytes(b"d\xe4ta"));
    if fs::create_dir(&data).is_err() {
        eprintln!("skipped: this file system takes only UTF-8");
        return;
    }
    fs::write(env.photo("a.jpg"), jpeg(1)).unwrap();
    let run = |args: &[&str]| {
        let mut command = env.command(&["--data-dir"]);
        command.arg(&data).args(args);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    run(&["index", env.photos().to_str().unwrap()]);
    let status: Value = serde_json::from_slice(&run(&["status", "--format", "json"])).unwrap();
    assert_eq!(status["counts"]["photos"], 1);
    let bytes = status["data_dir_bytes"].as_str().unwrap();
    assert_eq!(bytes, hex(&data), "{status}");
}
