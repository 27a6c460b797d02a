//! Installing, starting and asking after the systemd user unit.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::bail;

use super::ask::{AskError, ask, shown, tell};
use super::launch::{Launch, same_file};
use super::unit::{self, DropIns, HARDENING, NAME, UnitFiles, drop_in, launch_in, unit_path};
use super::{Installed, put, remove};
use crate::cli::output::printable;
use crate::cli::{Context_, Exit};

/// The first version that knows all that stands in `newer.conf`.
const NEW: u32 = 254;

/// Whether a service with the settings of `hardening.conf` starts here, and whether they hold: what
/// is to be written can be written then, and the home directory cannot. A folder whose name needs no
/// quoting stands in for the data directory: a transient unit is quoted by other rules than a file.
fn hardening_holds() -> Result<bool, AskError> {
    let uid = rustix::process::getuid().as_raw();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
    let runtime = runtime.unwrap_or_else(|| format!("/run/user/{uid}").into());
    let mut probe: Vec<OsString> = ["systemd-run", "--user", "--wait", "--collect", "--quiet"]
        .map(OsString::from)
        .to_vec();
    for line in HARDENING.lines().filter(|l| !l.starts_with(['#', '['])) {
        if line.contains('=') && !line.contains('@') {
            probe.push(format!("--property={line}").into());
        }
    }
    let mut writable = OsString::from("--property=ReadWritePaths=");
    writable.push(&runtime);
    probe.push(writable);
    let home = crate::dirs::home().unwrap_or_else(|| "/".into());
    probe.extend(["/bin/sh", "-c", "test -w \"$0\" && ! test -w \"$1\""].map(OsString::from));
    probe.extend([runtime, home.into()]);
    match ask(&probe) {
        Ok(answer) => {
            tracing::debug!("`{}`: {}", shown(&probe), answer.said);
            Ok(answer.ok)
        }
        Err(AskError::NoCommand(_)) => Ok(false),
        Err(e) => Err(e),
    }
}

fn version() -> Result<u32, AskError> {
    let said = tell(&["systemctl", "--version"])?;
    let number = said.split_whitespace().nth(1).unwrap_or_default();
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    Ok(digits.parse().unwrap_or(0))
}

pub(super) fn install(context: &Context_, no_start: bool) -> anyhow::Result<Exit> {
    let file = unit_path()?;
    let launch = Launch::of_this(context)?;
    super::make_data_dir(&launch.data_dir)?;
    let there = fs::read_to_string(&file).ok();
    if let Some(before) = there.as_deref().and_then(launch_in)
        && !same_file(&before.data_dir, &launch.data_dir)
    {
        context.out.notice(&format!(
            "the service has used the data directory {} until now; the index there stays as it is",
            before.data_dir.display()
        ));
    }
    let newer = match version() {
        Ok(version) => version >= NEW,
        Err(AskError::NoCommand(_)) if no_start => false,
        Err(e) => return Err(e.into()),
    };
    let hardening = match hardening_holds() {
        Ok(holds) => holds,
        // Nobody to ask: what an earlier installation has found out still counts.
        Err(_) if no_start => drop_in(&file, "hardening.conf").exists(),
        Err(e) => return Err(e.into()),
    };
    let files = UnitFiles::new(file, &launch, DropIns { hardening, newer });
    let changed = write(context, &files)?;
    if !hardening && !no_start {
        let why = if unit::hardening(&launch).is_none() {
            "systemd has no way to say the data directory's name, so the service"
        } else {
            "services of users can have no namespaces of their own here, so the service"
        };
        context.out.notice(&format!(
            "{why} runs with the smaller part of its locks: what you can write it could write too"
        ));
    }
    if no_start {
        if !changed {
            context
                .out
                .line(&format!("{} is as it should be", files.unit.display()))?;
        }
        context.out.line(&format!(
            "start it with: systemctl --user daemon-reload && systemctl --user enable {NAME} && systemctl --user restart {NAME}"
        ))?;
        return Ok(Exit::Done);
    }
    start(context, &launch, changed)?;
    hint_at_linger(context);
    Ok(Exit::Done)
}

/// Puts the files that differ; whether there were any.
fn write(context: &Context_, files: &UnitFiles) -> anyhow::Result<bool> {
    let differing = files.differing();
    for (path, text) in &differing {
        match text {
            Some(text) => {
                put(path, text.as_bytes())?;
                context.out.line(&format!("wrote {}", path.display()))?;
            }
            None => {
                remove(path)?;
                context.out.line(&format!("removed {}", path.display()))?;
            }
        }
    }
    Ok(!differing.is_empty())
}

/// What the manager says of the unit.
struct UnitState {
    active: String,
    sub: String,
    enabled: String,
    result: String,
    exit: String,
    stale: bool,
    pid: Option<u32>,
}

impl UnitState {
    fn ask() -> Result<Self, AskError> {
        let said = tell(&[
            "systemctl",
            "--user",
            "show",
            "--property=ActiveState,SubState,UnitFileState,Result,ExecMainStatus,NeedDaemonReload,MainPID",
            NAME,
        ])?;
        let value = |key: &str| {
            said.lines()
                .find_map(|l| l.strip_prefix(key)?.strip_prefix('='))
                .unwrap_or_default()
                .to_owned()
        };
        Ok(Self {
            active: value("ActiveState"),
            sub: value("SubState"),
            enabled: value("UnitFileState"),
            result: value("Result"),
            exit: value("ExecMainStatus"),
            stale: value("NeedDaemonReload") == "yes",
            pid: value("MainPID").parse().ok().filter(|pid| *pid > 0),
        })
    }

    fn is_running(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading")
    }

    /// It still runs the program that lay there before the last update.
    fn runs_another(&self, launch: &Launch) -> bool {
        let running = self.pid.map(|pid| format!("/proc/{pid}/exe"));
        // As a shell it is not yet photond, and a link that cannot be read says nothing.
        running
            .and_then(|link| fs::read_link(link).ok())
            .is_some_and(|exe| !same_file(&exe, &launch.program))
    }

    fn words(&self) -> String {
        match (self.active.as_str(), self.pid) {
            ("active" | "reloading", Some(pid)) => format!("running (process {pid})"),
            ("failed", _) if self.exit == "78" => {
                "ended because of its settings; `photond doctor` says what is wrong with them"
                    .to_owned()
            }
            ("failed", _) => format!(
                "failed ({}, exit code {}); `journalctl --user -u {NAME}` says why",
                self.result, self.exit
            ),
            (active, _) => format!("{active} ({})", self.sub),
        }
    }
}

fn start(context: &Context_, launch: &Launch, changed: bool) -> anyhow::Result<()> {
    let state = UnitState::ask()?;
    if changed || state.stale {
        tell(&["systemctl", "--user", "daemon-reload"])?;
    }
    let enabled = state.enabled == "enabled";
    if !enabled {
        tell(&["systemctl", "--user", "enable", NAME])?;
    }
    if state.is_running() && !changed && !state.stale && !state.runs_another(launch) {
        let also = if enabled {
            ""
        } else {
            ", and is from now on at every login"
        };
        context.out.line(&format!(
            "the service is installed and running already{also}; nothing to do"
        ))?;
        return Ok(());
    }
    // Starts that failed before are not held against this one.
    let _ = ask(&["systemctl", "--user", "reset-failed", NAME])?;
    let restarted = ask(&["systemctl", "--user", "restart", NAME])?;
    if !restarted.ok {
        let log = ask(&[
            "journalctl",
            "--user",
            "-u",
            NAME,
            "-n",
            "5",
            "-o",
            "cat",
            "--no-pager",
        ]);
        let log = log.map(|answer| answer.said).unwrap_or_default();
        let log: Vec<String> = log.lines().map(|l| format!("  {}", printable(l))).collect();
        bail!(
            "the service does not start: {}\nIts last words:\n{}",
            restarted.said.lines().next().unwrap_or_default(),
            log.join("\n")
        );
    }
    let word = if state.is_running() {
        "runs again, as it is written now"
    } else {
        "runs"
    };
    context.out.line(&format!(
        "the service {word}; `photond status` shows how far it is"
    ))?;
    Ok(())
}

/// Without lingering a user's services end with the last session.
fn hint_at_linger(context: &Context_) {
    let uid = rustix::process::getuid().as_raw().to_string();
    let linger = ask(&[
        "loginctl",
        "show-user",
        &uid,
        "--property=Linger",
        "--value",
    ]);
    if linger.is_ok_and(|answer| answer.ok && answer.said == "no") {
        context.out.notice(
            "it runs while you are logged in; to have it run from the machine's start on: loginctl enable-linger",
        );
    }
}

pub(super) fn uninstall(context: &Context_) -> anyhow::Result<Exit> {
    let unit = unit_path()?;
    let links = ["default.target.wants", "multi-user.target.wants"];
    let links = links.map(|dir| unit.with_file_name(dir).join(NAME));
    let ours = ["hardening.conf", "newer.conf"].map(|name| drop_in(&unit, name));
    if !unit.exists() && !ours.iter().any(|path| path.exists()) {
        context.out.notice("no service is installed");
        return Ok(Exit::Nothing);
    }
    match ask(&["systemctl", "--user", "disable", "--now", NAME]) {
        Ok(answer) if answer.ok => {}
        Ok(answer) => context.out.notice(&answer.said),
        Err(e) => context.out.notice(&format!(
            "it could not be stopped, only its files are removed: {e}"
        )),
    }
    for path in ours.iter().chain([&unit]).chain(&links) {
        remove(path)?;
    }
    let drop_ins = drop_in(&unit, "");
    if fs::remove_dir(&drop_ins).is_err() && drop_ins.exists() {
        context.out.notice(&format!(
            "{} has files that are not photond's, and stays",
            drop_ins.display()
        ));
    }
    for step in ["daemon-reload", "reset-failed"] {
        let _ = ask(&["systemctl", "--user", step]);
    }
    context
        .out
        .line(&format!("removed {}; the index stays", unit.display()))?;
    Ok(Exit::Done)
}

pub(super) fn status(context: &Context_) -> anyhow::Result<Exit> {
    let unit = unit_path()?;
    let Ok(text) = fs::read_to_string(&unit) else {
        context
            .out
            .line("not installed (`photond service install`)")?;
        return Ok(Exit::Nothing);
    };
    let state = UnitState::ask()?;
    let installed = Installed {
        file: &unit,
        state: state.words(),
        drift: drift(context, &unit, &text, &state),
    };
    installed.say(context)?;
    Ok(if state.is_running() {
        Exit::Done
    } else {
        Exit::Nothing
    })
}

/// How the installed service differs from what would be installed now.
fn drift(context: &Context_, unit: &Path, text: &str, state: &UnitState) -> Vec<String> {
    let Some(launch) = launch_in(text) else {
        return vec![format!("{} was not written by photond", unit.display())];
    };
    let mut lines = launch.drift(context);
    let wanted = DropIns {
        hardening: drop_in(unit, "hardening.conf").exists(),
        newer: version().is_ok_and(|version| version >= NEW),
    };
    let files = UnitFiles::new(unit.to_path_buf(), &launch, wanted);
    for (path, _) in files.differing() {
        lines.push(format!(
            "{} is not what this version of photond writes",
            path.display()
        ));
    }
    if state.is_running() && state.runs_another(&launch) {
        lines.push("the program has been replaced since the service was started".to_owned());
    }
    if state.stale {
        lines.push("its files have changed since systemd read them".to_owned());
    }
    if state.enabled != "enabled" {
        lines.push(format!("it does not start at login ({})", state.enabled));
    }
    lines
}

pub(super) fn reload(context: &Context_) -> anyhow::Result<Exit> {
    if !UnitState::ask()?.is_running() {
        context
            .out
            .notice("the service is not running (`photond service status`)");
        return Ok(Exit::Nothing);
    }
    tell(&["systemctl", "--user", "reload", NAME])?;
    context
        .out
        .line("the service has been told to read its settings again")?;
    Ok(Exit::Done)
}
