//! The systemd user unit and its drop-ins.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::ask::{AskError, ask, shown, tell};
use super::launch::{Launch, same_file};
use super::{Installed, put, remove, words};
use crate::cli::output::printable;
use crate::cli::{Context_, Exit};

const UNIT: &str = include_str!("../../../systemd/photond.service");
const HARDENING: &str = include_str!("../../../systemd/hardening.conf");
const NEWER: &str = include_str!("../../../systemd/newer.conf");

const NAME: &str = "photond.service";
/// The first version that knows all that stands in `newer.conf`.
const NEW: u32 = 254;

/// The files of the service. Those without text are not to be there.
struct UnitFiles {
    unit: PathBuf,
    files: Vec<(PathBuf, Option<String>)>,
}

/// Which of the drop-ins are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct DropIns {
    hardening: bool,
    newer: bool,
}

fn unit_path() -> anyhow::Result<PathBuf> {
    let dirs = directories::BaseDirs::new().context("this system names no home directory")?;
    Ok(dirs.config_dir().join("systemd/user").join(NAME))
}

fn drop_in(unit: &Path, name: &str) -> PathBuf {
    let mut dir = unit.as_os_str().to_owned();
    dir.push(".d");
    PathBuf::from(dir).join(name)
}

impl UnitFiles {
    fn new(unit: PathBuf, launch: &Launch, drop_ins: DropIns) -> Self {
        let hardening = drop_ins.hardening.then(|| hardening(launch)).flatten();
        let files = vec![
            (unit.clone(), Some(unit_text(launch))),
            (drop_in(&unit, "hardening.conf"), hardening),
            (
                drop_in(&unit, "newer.conf"),
                drop_ins.newer.then(|| NEWER.to_owned()),
            ),
        ];
        Self { unit, files }
    }

    /// The files that are not as they should be.
    fn differing(&self) -> Vec<&(PathBuf, Option<String>)> {
        let differs = |(path, text): &&(PathBuf, Option<String>)| {
            fs::read(path).ok().as_deref() != text.as_deref().map(str::as_bytes)
        };
        self.files.iter().filter(differs).collect()
    }
}

fn unit_text(launch: &Launch) -> String {
    let mut all = launch.words();
    let plain = words::is_plain_program(launch.program.as_os_str());
    if !plain || all.iter().any(|w| w.to_str().is_none()) {
        let veiled = all.iter().map(|w| words::veiled(w));
        all = words::UNVEIL
            .map(OsString::from)
            .into_iter()
            .chain(veiled)
            .collect();
    }
    let line: Vec<String> = all.iter().map(|w| words::quoted(w)).collect();
    UNIT.replace("@COMMAND@", &line.join(" "))
}

/// What an installed unit runs; `None` if it is none of ours.
fn launch_in(unit: &str) -> Option<Launch> {
    let line = unit.lines().find_map(|l| l.strip_prefix("ExecStart="))?;
    let all = words::unquoted(line)?;
    let veil = words::UNVEIL.map(OsString::from);
    let Some(veiled) = all.strip_prefix(veil.as_slice()) else {
        return Launch::from_words(&all);
    };
    let words: Option<Vec<OsString>> = veiled.iter().map(|w| words::unveiled(w)).collect();
    Launch::from_words(&words?)
}

/// `None` where systemd has no way to say the data directory's path.
fn hardening(launch: &Launch) -> Option<String> {
    let dir = launch.data_dir.as_os_str();
    let writable = words::path_word("-", dir)?;
    let temporary = words::path_word("SQLITE_TMPDIR=", dir)?;
    Some(
        HARDENING
            .replace("@DATA@", &writable)
            .replace("@SQLITE_TMPDIR@", &temporary),
    )
}

/// Whether a service with the settings of `hardening.conf` starts here, and whether they hold: the
/// data directory can be written then and the home directory cannot.
fn hardening_holds(launch: &Launch) -> Result<bool, AskError> {
    let Some(text) = hardening(launch) else {
        return Ok(false);
    };
    let mut probe: Vec<OsString> = ["systemd-run", "--user", "--wait", "--collect", "--quiet"]
        .map(OsString::from)
        .to_vec();
    for line in text.lines().filter(|l| !l.starts_with(['#', '['])) {
        if let Some((key, _)) = line.split_once('=')
            && !matches!(key, "ReadWritePaths" | "Environment")
        {
            probe.push(format!("--property={line}").into());
        }
    }
    let mut writable = OsString::from("--property=ReadWritePaths=");
    let dir = words::path_word("-", launch.data_dir.as_os_str());
    writable.push(dir.unwrap_or_default());
    probe.push(writable);
    let home = crate::dirs::home().unwrap_or_else(|| "/".into());
    probe.extend(["/bin/sh", "-c", "test -w \"$0\" && ! test -w \"$1\""].map(OsString::from));
    probe.extend([launch.data_dir.clone().into(), home.into()]);
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
    let unit = unit_path()?;
    let launch = Launch::of_this(context)?;
    super::make_data_dir(&launch.data_dir)?;
    let there = fs::read_to_string(&unit).ok();
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
    let hardening = match hardening_holds(&launch) {
        Ok(holds) => holds,
        // Nobody to ask: what an earlier installation has found out still counts.
        Err(_) if no_start => drop_in(&unit, "hardening.conf").exists(),
        Err(e) => return Err(e.into()),
    };
    let files = UnitFiles::new(unit, &launch, DropIns { hardening, newer });
    let changed = write(context, &files)?;
    if !hardening && !no_start {
        let why = if self::hardening(&launch).is_none() {
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

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn launch(program: &[u8], data_dir: &[u8]) -> Launch {
        Launch {
            program: OsString::from_vec(program.to_vec()).into(),
            config: Some("/home/ann/set tings.toml".into()),
            data_dir: OsString::from_vec(data_dir.to_vec()).into(),
        }
    }

    #[test]
    fn the_unit_gives_back_what_it_runs_whatever_the_paths_hold() {
        for program in [
            &b"/opt/a b/100%/photond"[..],
            b"/opt/$HOME/\"x\"",
            b"/opt/caf\xe9=1",
        ] {
            let launch = launch(program, b"/data/\xff $x % \\ \"q\" \n");
            let unit = unit_text(&launch);
            assert!(!unit.contains("@COMMAND@"), "{unit}");
            assert_eq!(launch_in(&unit), Some(launch));
        }
        assert_eq!(launch_in("[Service]\nExecStart=/bin/true\n"), None);
    }

    #[test]
    fn a_unit_that_an_earlier_version_wrote_is_known() {
        let unit = "[Service]\nExecStart=\"/usr/bin/photond\" \"--data-dir\" \"/data\" \"watch\"\n";
        let launch = launch_in(unit).unwrap();
        assert_eq!(launch.program, Path::new("/usr/bin/photond"));
        assert_eq!(launch.data_dir, Path::new("/data"));
    }

    #[test]
    fn hardening_names_the_data_directory_or_is_left_out() {
        let text = hardening(&launch(b"/p", b"/my data/100%")).unwrap();
        assert!(
            text.contains("\nReadWritePaths=\"-/my data/100%%\"\n"),
            "{text}"
        );
        assert!(text.contains("\nEnvironment=\"SQLITE_TMPDIR=/my data/100%%\"\n"));
        assert!(!text.contains('@'), "every place is filled in: {text}");
        assert_eq!(hardening(&launch(b"/p", b"/caf\xe9")), None);
    }

    #[test]
    fn only_what_differs_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let unit = dir.path().join(NAME);
        let launch = launch(b"/p", b"/data");
        let both = DropIns {
            hardening: true,
            newer: true,
        };
        let files = UnitFiles::new(unit.clone(), &launch, both);
        assert_eq!(files.differing().len(), 3);
        for (path, text) in &files.files {
            put(path, text.as_ref().unwrap().as_bytes()).unwrap();
        }
        assert!(files.differing().is_empty());
        let less = DropIns {
            hardening: false,
            newer: true,
        };
        let less = UnitFiles::new(unit, &launch, less);
        let [(path, None)] = less.differing()[..] else {
            panic!("the drop-in that is not wanted any more goes");
        };
        assert!(path.ends_with("photond.service.d/hardening.conf"));
    }
}
