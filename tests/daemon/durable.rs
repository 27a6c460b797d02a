//! The index is wounded, emptied, deleted or closed to writing: it comes back, and the user is told.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::env::{TestEnv, jpeg, permissions_bind};

const PAGE: u64 = 4096;

fn some(env: &TestEnv, n: u32) {
    for i in 0..n {
        fs::write(env.photo(&format!("{i}.jpg")), jpeg(i)).unwrap();
    }
}

/// Flips a byte in every page from the second on.
fn wound(path: &Path) {
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    for page in 1..file.metadata().unwrap().len() / PAGE {
        let mut byte = [0];
        file.read_exact_at(&mut byte, page * PAGE + 1000).unwrap();
        file.write_all_at(&[!byte[0]], page * PAGE + 1000).unwrap();
    }
}

fn incidents(env: &TestEnv) -> Vec<Value> {
    let output = env.run(&["status", "--format", "json"]);
    serde_json::from_slice::<Value>(&output.stdout)
        .ok()
        .and_then(|s| s["index"]["incidents"].as_array().cloned())
        .unwrap_or_default()
}

/// Indexes, and gives what was said.
fn index_again(env: &TestEnv) -> String {
    let output = env.run(&["index", env.photos().to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn a_wounded_index_comes_back_from_its_backup_and_that_is_told() {
    let env = TestEnv::new();
    some(&env, 5);
    env.index();
    let index = env.data().join("index.db");
    assert!(
        env.data().join("index.db.backup").exists(),
        "made at the end"
    );
    fs::write(env.photo("later.jpg"), jpeg(77)).unwrap();
    env.index();
    wound(&index);
    let said = index_again(&env);
    assert!(said.contains("the last backup took its place"), "{said}");
    env.wait_for_truth();
    let told = incidents(&env);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(Path::new(told[0]["kept"].as_str().unwrap()).exists());
    let table = env.ok(&["status"]);
    assert!(table.contains("the index was damaged"), "{table}");
    // Both the index and its only backup.
    wound(&index);
    wound(&env.data().join("index.db.backup"));
    let said = index_again(&env);
    assert!(said.contains("no usable backup"), "{said}");
    env.wait_for_truth();
    assert_eq!(incidents(&env).len(), 2);
    assert!(!index_again(&env).contains("damaged"), "told once");
}

#[test]
fn an_index_of_no_bytes_comes_back() {
    let env = TestEnv::new();
    some(&env, 3);
    env.index();
    fs::write(env.data().join("index.db"), b"").unwrap();
    let said = index_again(&env);
    assert!(said.contains("it is empty"), "{said}");
    env.wait_for_truth();
}

#[test]
fn an_index_deleted_while_photond_runs_is_saved() {
    let env = TestEnv::new();
    some(&env, 4);
    let daemon = env.watch();
    let pid = daemon.pid();
    fs::remove_file(env.data().join("index.db")).unwrap();
    env.wait_until("it is put back and told", || !incidents(&env).is_empty());
    fs::write(env.photo("after.jpg"), jpeg(99)).unwrap();
    env.wait_until("the daemon goes on", || {
        let output = env.run(&["status", "--format", "json"]);
        serde_json::from_slice::<Value>(&output.stdout)
            .is_ok_and(|s| s["daemon"]["pid"] == pid && s["counts"]["photos"] == 5)
    });
    env.wait_for_truth();
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn what_cannot_be_written_is_said_and_nothing_runs() {
    let env = TestEnv::new();
    some(&env, 2);
    env.index();
    // Permissions do not bind root: the commands run as nobody then.
    let nobody = (!permissions_bind(&env.outside("."))).then_some(65_534);
    let open = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    if let Some(nobody) = nobody {
        open(&env.outside("."), 0o755);
        for entry in fs::read_dir(env.data()).unwrap() {
            std::os::unix::fs::chown(entry.unwrap().path(), Some(nobody), None).unwrap();
        }
        std::os::unix::fs::chown(env.data(), Some(nobody), None).unwrap();
    }
    let photos = env.photos();
    let refused = |what: &str| {
        for verb in ["index", "watch"] {
            let mut command: Command = env.command(&[verb, photos.to_str().unwrap()]);
            if let Some(nobody) = nobody {
                command.uid(nobody);
            }
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{verb}, {what}: {said}");
            assert!(
                said.contains("cannot") && said.contains("--data-dir"),
                "{verb}, {what}: {said}"
            );
        }
    };
    open(&env.data().join("index.db"), 0o400);
    refused("the index is read-only");
    open(&env.data().join("index.db"), 0o600);
    open(&env.data(), 0o500);
    refused("the directory is read-only");
    open(&env.data(), 0o700);
}

#[test]
fn all_that_photond_writes_is_private() {
    let env = TestEnv::new();
    some(&env, 2);
    let mut command = Command::new("sh");
    let binary = env.command(&[]);
    for (name, value) in binary.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let done = command
        .args(["-c", "umask 000; exec \"$@\"", "sh"])
        .arg(binary.get_program())
        .arg("index")
        .arg(env.photos())
        .output()
        .unwrap();
    assert!(done.status.success());
    let mut folders = vec![env.data()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()) {
            let meta = fs::symlink_metadata(&path).unwrap();
            assert_eq!(meta.permissions().mode() & 0o077, 0, "{}", path.display());
            seen += 1;
            if meta.is_dir() {
                folders.push(path);
            }
        }
    }
    assert!(seen > 3);
    let own = fs::metadata(env.data()).unwrap().permissions().mode();
    assert_eq!(own & 0o777, 0o700);
}
