//! Stops of every kind: nothing acknowledged is lost, nothing finished is done again.

use std::fs;
use std::process::Stdio;

use crate::env::{TestEnv, jpeg, save};

fn many(env: &TestEnv, n: u32) {
    for i in 0..n {
        fs::write(env.photo(&format!("{i:04}.jpg")), jpeg(i)).unwrap();
    }
}

#[test]
fn killed_in_the_middle_it_goes_on_where_it_was() {
    let env = TestEnv::new();
    many(&env, 300);
    let photos = env.photos();
    let mut child = env
        .command(&["index", photos.to_str().unwrap(), "--parallel", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    env.wait_until("some are committed", || {
        let output = env.run(&["status", "--format", "json"]);
        serde_json::from_slice::<serde_json::Value>(&output.stdout)
            .is_ok_and(|s| s["counts"]["indexed"].as_u64() > Some(20))
            || child.try_wait().unwrap().is_some()
    });
    let _ = child.kill();
    let _ = child.wait();
    let committed = env.status()["counts"]["indexed"].as_u64().unwrap();
    assert!(committed > 20, "killed too early: {committed}");
    let second = env.index();
    assert_eq!(second["decoded"], 300 - committed, "{second}");
    assert_eq!(second["unchanged"], committed, "{second}");
    assert_eq!(env.query(&[]).len(), 300);
    assert!(
        env.ok(&["doctor", "--deep", "--format", "json"])
            .contains("every page is sound")
    );
}

#[test]
fn sigterm_ends_it_cleanly_in_the_middle_of_work() {
    let env = TestEnv::new();
    many(&env, 200);
    let photos = env.photos();
    let mut child = env
        .command(&["watch", photos.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    env.wait_until("work has begun", || {
        let output = env.run(&["status", "--format", "json"]);
        serde_json::from_slice::<serde_json::Value>(&output.stdout)
            .is_ok_and(|s| s["counts"]["indexed"].as_u64() > Some(0))
    });
    let kill = std::process::Command::new("kill")
        .arg(child.id().to_string())
        .status();
    assert!(kill.unwrap().success());
    env.wait_until("it has ended", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let committed = env.status()["counts"]["indexed"].as_u64().unwrap();
    let rest = env.index();
    // What no model had seen yet when it ended is decoded for that; nothing is indexed twice.
    assert_eq!(rest["indexed"], 200 - committed, "{rest}");
}

#[test]
fn one_process_a_data_directory() {
    let env = TestEnv::new();
    save(1, &env.photo("a.jpg"));
    let daemon = env.watch();
    let photos = env.photos();
    let second = env.run(&["watch", photos.to_str().unwrap()]);
    assert_eq!(second.status.code(), Some(2));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        said.contains(&daemon.pid().to_string()),
        "it names the other one: {said}"
    );
    assert_eq!(env.query(&[]).len(), 1, "queries go on");
    daemon.kill();
    assert_eq!(
        env.index()["unchanged"],
        1,
        "a killed daemon leaves no lock behind"
    );
}
