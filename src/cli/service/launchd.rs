//! The launchd user agent of macOS.
//!
//! launchd starts an agent again that has ended with any exit code but 0, so the one for bad
//! settings is turned into 0 there ([`exit_code`]). It never cuts the file that it sends standard
//! error to, so photond does (`cli::log`).

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use super::ask::{Answer, AskError, ask, tell};
use super::launch::{Launch, same_file};
use super::{Installed, put, remove};
use crate::cli::log::LOG_FILE_VAR;
use crate::cli::{Context_, Exit};

const AGENT: &str = include_str!("../../../launchd/photond.plist");
const LABEL: &str = "photond";
/// Set by the agent: who is going to read the exit code.
const SUPERVISOR_VAR: &str = "PHOTOND_SUPERVISOR";

/// The exit code to end with. Bad settings do not get better by being tried again, and launchd
/// leaves alone only what ends with 0.
pub(in crate::cli) fn exit_code(code: u8) -> u8 {
    let launchd = std::env::var_os(SUPERVISOR_VAR).is_some_and(|by| by == "launchd");
    if launchd && code == 78 { 0 } else { code }
}

fn agent_path() -> anyhow::Result<PathBuf> {
    let home = crate::dirs::home().context("this system names no home directory")?;
    Ok(home.join("Library/LaunchAgents/photond.plist"))
}

/// launchd's name for the user's session.
fn domain() -> String {
    format!("gui/{}", rustix::process::getuid().as_raw())
}

fn target() -> String {
    format!("{}/{LABEL}", domain())
}

fn agent_text(launch: &Launch) -> anyhow::Result<String> {
    let mut words = Vec::new();
    for word in launch.words() {
        words.push(format!("<string>{}</string>", xml(&word)?));
    }
    let log = launch.data_dir.join("photond.log");
    Ok(AGENT
        .replace("@COMMAND@", &words.join("\n        "))
        .replace("@LOG_VAR@", LOG_FILE_VAR)
        .replace("@SUPERVISOR_VAR@", SUPERVISOR_VAR)
        .replace("@LOG@", &xml(log.as_os_str())?))
}

/// Text in XML 1.0, which has no way to say bytes that are not UTF-8 or most control characters.
fn xml(text: &OsStr) -> anyhow::Result<String> {
    let plain = text.to_str().filter(|t| {
        !t.chars()
            .any(|c| c.is_control() || c == '\u{fffe}' || c == '\u{ffff}')
    });
    let Some(plain) = plain else {
        bail!(
            "a launchd agent cannot have a path that is not plain text: {}; move it, or give another --data-dir",
            text.to_string_lossy()
        );
    };
    Ok(plain
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;"))
}

/// What an installed agent runs; `None` if it is none of ours.
fn launch_in(agent: &str) -> Option<Launch> {
    let (_, rest) = agent.split_once("<key>ProgramArguments</key>")?;
    let (array, _) = rest.split_once("</array>")?;
    let words: Vec<OsString> = array
        .split("<string>")
        .skip(1)
        .filter_map(|piece| piece.split_once("</string>"))
        .map(|(word, _)| {
            let word = word.replace("&lt;", "<").replace("&gt;", ">");
            word.replace("&amp;", "&").into()
        })
        .collect();
    Launch::from_words(&words)
}

/// Whether launchd knows the agent, and whether it runs.
fn state() -> Result<Option<bool>, AskError> {
    let answer = ask(&["launchctl", "print", &target()])?;
    Ok(answer.ok.then(|| {
        answer
            .said
            .lines()
            .any(|line| line.trim() == "state = running")
    }))
}

pub(super) fn install(context: &Context_, no_start: bool) -> anyhow::Result<Exit> {
    let file = agent_path()?;
    let launch = Launch::of_this(context)?;
    super::make_data_dir(&launch.data_dir)?;
    let text = agent_text(&launch)?;
    let there = fs::read_to_string(&file).ok();
    if let Some(before) = there.as_deref().and_then(launch_in)
        && !same_file(&before.data_dir, &launch.data_dir)
    {
        context.out.notice(&format!(
            "the service has used the data directory {} until now; the index there stays as it is",
            before.data_dir.display()
        ));
    }
    let changed = there.as_deref() != Some(&text);
    if changed {
        put(&file, text.as_bytes())?;
        context.out.line(&format!("wrote {}", file.display()))?;
    }
    if no_start {
        context.out.line(&format!(
            "start it with: launchctl bootstrap {} '{}'",
            domain(),
            file.display()
        ))?;
        return Ok(Exit::Done);
    }
    let known = state()?;
    if known == Some(true) && !changed && !is_older_than_program(&launch) {
        context
            .out
            .line("the service is installed and running already; nothing to do")?;
        return Ok(Exit::Done);
    }
    // An agent that was switched off by hand stays off whatever is done to it.
    let _ = ask(&["launchctl", "enable", &target()])?;
    if known.is_some() && !changed {
        tell(&["launchctl", "kickstart", "-k", &target()])?;
    } else {
        if known.is_some() {
            let _ = ask(&["launchctl", "bootout", &target()])?;
        }
        bootstrap(&file)?;
    }
    context
        .out
        .line("the service runs; `photond status` shows how far it is")?;
    Ok(Exit::Done)
}

/// Whether the running daemon was started before the program was last replaced.
fn is_older_than_program(launch: &Launch) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    // The socket is made anew at every start.
    let started = time(&launch.data_dir.join("photond.sock"));
    matches!((time(&launch.program), started), (Some(program), Some(started)) if program > started)
}

/// Loads the agent. One that has just been unloaded may take seconds to be gone, and launchd says
/// only "input/output error" as long as it is not.
fn bootstrap(file: &Path) -> anyhow::Result<()> {
    let (command, domain) = ("bootstrap", domain());
    let words = [
        OsStr::new("launchctl"),
        command.as_ref(),
        domain.as_ref(),
        file.as_os_str(),
    ];
    let mut answer = Answer {
        ok: false,
        said: String::new(),
    };
    for _ in 0..20 {
        answer = ask(&words)?;
        if answer.ok {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    bail!(
        "launchd does not start the service: {}. It can only be started for a user who is logged in at the screen, and a service that was switched off in System Settings, Login Items, has to be switched on there",
        answer.said
    )
}

pub(super) fn uninstall(context: &Context_) -> anyhow::Result<Exit> {
    let file = agent_path()?;
    if !file.exists() {
        context.out.notice("no service is installed");
        return Ok(Exit::Nothing);
    }
    match ask(&["launchctl", "bootout", &target()]) {
        Ok(answer) if answer.ok => {}
        Ok(answer) => context.out.notice(&answer.said),
        Err(e) => context.out.notice(&format!(
            "it could not be stopped, only its file is removed: {e}"
        )),
    }
    remove(&file)?;
    context
        .out
        .line(&format!("removed {}; the index stays", file.display()))?;
    Ok(Exit::Done)
}

pub(super) fn status(context: &Context_) -> anyhow::Result<Exit> {
    let file = agent_path()?;
    let Ok(text) = fs::read_to_string(&file) else {
        context
            .out
            .line("not installed (`photond service install`)")?;
        return Ok(Exit::Nothing);
    };
    let state = state()?;
    let drift = match launch_in(&text) {
        None => vec![format!("{} was not written by photond", file.display())],
        Some(launch) => {
            let mut lines = launch.drift(context);
            if agent_text(&launch).ok().as_ref() != Some(&text) {
                lines.push("the file is not what this version of photond writes".to_owned());
            }
            lines
        }
    };
    let words = match state {
        Some(true) => "running",
        Some(false) => "not running",
        None => "not loaded",
    };
    let installed = Installed {
        file: &file,
        state: words.to_owned(),
        drift,
    };
    installed.say(context)?;
    Ok(if state == Some(true) {
        Exit::Done
    } else {
        Exit::Nothing
    })
}

pub(super) fn reload(context: &Context_) -> anyhow::Result<Exit> {
    if state()? != Some(true) {
        context
            .out
            .notice("the service is not running (`photond service status`)");
        return Ok(Exit::Nothing);
    }
    tell(&["launchctl", "kill", "SIGHUP", &target()])?;
    context
        .out
        .line("the service has been told to read its settings again")?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;
    use std::process::{Command, Stdio};

    use super::*;

    fn launch() -> Launch {
        Launch {
            program: "/opt/a b/photond".into(),
            config: Some("/Users/ann/a\"$b<&é.toml".into()),
            data_dir: "/Users/ann/Library/100%".into(),
        }
    }

    #[test]
    fn the_agent_gives_back_what_it_runs() {
        let text = agent_text(&launch()).unwrap();
        assert!(text.contains("<string>/Users/ann/a\"$b&lt;&amp;é.toml</string>"));
        assert!(!text.contains('@'), "every place is filled in: {text}");
        assert_eq!(launch_in(&text), Some(launch()));
        let odd = Launch {
            data_dir: OsString::from_vec(b"/caf\xe9".to_vec()).into(),
            ..launch()
        };
        assert!(
            agent_text(&odd)
                .unwrap_err()
                .to_string()
                .contains("--data-dir")
        );
    }

    /// Apple's own reader is not here; Python's reads the same format, strictly.
    #[test]
    fn the_agent_is_a_property_list_that_says_what_is_meant() {
        let script = "import json, plistlib, sys; json.dump(plistlib.loads(sys.stdin.buffer.read()), sys.stdout)";
        let child = Command::new("python3")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            eprintln!("skipped: no python3");
            return;
        };
        let text = agent_text(&launch()).unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, text.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let words: Vec<String> = launch()
            .words()
            .into_iter()
            .map(|w| w.into_string().unwrap())
            .collect();
        assert_eq!(read["ProgramArguments"], serde_json::json!(words));
        assert_eq!(read["Label"], LABEL);
        assert_eq!(
            read["KeepAlive"],
            serde_json::json!({ "SuccessfulExit": false })
        );
        assert_eq!(read["EnvironmentVariables"][SUPERVISOR_VAR], "launchd");
        let log = "/Users/ann/Library/100%/photond.log";
        assert_eq!(read["StandardErrorPath"], log);
        assert_eq!(read["EnvironmentVariables"][LOG_FILE_VAR], log);
        assert!(read["ExitTimeOut"].as_u64().unwrap() >= 5);
    }
}
