//! `photond service`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::{Context_, Exit};
use crate::safe_file;

/// Run photond as a service of the user: systemd on Linux, launchd on macOS
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Write the service file and start the service, now and at every login
    Install {
        /// Only write the service file
        #[arg(long)]
        no_start: bool,
    },
    /// Stop the service and remove its file; the index stays
    Uninstall,
    /// Say whether the service is installed and running
    Status,
}

const SYSTEMD_UNIT: &str = include_str!("../../systemd/photond.service");
const LAUNCHD_AGENT: &str = include_str!("../../launchd/photond.plist");

/// The two ways a service is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manager {
    Systemd,
    Launchd,
}

impl Manager {
    fn here() -> Self {
        if cfg!(target_os = "macos") {
            Self::Launchd
        } else {
            Self::Systemd
        }
    }

    fn file(self) -> anyhow::Result<PathBuf> {
        let dirs = directories::BaseDirs::new().context("this system names no home directory")?;
        Ok(match self {
            Self::Systemd => dirs.config_dir().join("systemd/user/photond.service"),
            Self::Launchd => dirs.home_dir().join("Library/LaunchAgents/photond.plist"),
        })
    }

    /// The service file for a command line. `log` is where launchd sends standard error.
    fn text(self, command: &[String], log: &str) -> String {
        match self {
            Self::Systemd => {
                let line: Vec<String> = command.iter().map(|a| systemd_word(a)).collect();
                SYSTEMD_UNIT.replace("@COMMAND@", &line.join(" "))
            }
            Self::Launchd => {
                let words: Vec<String> = command
                    .iter()
                    .map(|a| format!("<string>{}</string>", xml_text(a)))
                    .collect();
                LAUNCHD_AGENT
                    .replace("@COMMAND@", &words.join("\n        "))
                    .replace("@LOG@", &xml_text(log))
            }
        }
    }

    /// The commands that start the installed service.
    fn start(self, file: &Path) -> Vec<Vec<String>> {
        match self {
            Self::Systemd => vec![
                words("systemctl --user daemon-reload"),
                words("systemctl --user enable photond.service"),
                words("systemctl --user restart photond.service"),
            ],
            Self::Launchd => vec![vec![
                "launchctl".to_owned(),
                "bootstrap".to_owned(),
                domain(),
                file.display().to_string(),
            ]],
        }
    }

    fn stop(self) -> Vec<String> {
        match self {
            Self::Systemd => words("systemctl --user disable --now photond.service"),
            Self::Launchd => vec![
                "launchctl".to_owned(),
                "bootout".to_owned(),
                format!("{}/photond", domain()),
            ],
        }
    }

    fn ask(self) -> Vec<String> {
        match self {
            Self::Systemd => words("systemctl --user is-active photond.service"),
            Self::Launchd => vec![
                "launchctl".to_owned(),
                "print".to_owned(),
                format!("{}/photond", domain()),
            ],
        }
    }
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// launchd's name for the user's session.
fn domain() -> String {
    format!("gui/{}", rustix::process::getuid().as_raw())
}

/// One word of a unit's command line: quoted, with systemd's specifiers and variables switched off.
fn systemd_word(word: &str) -> String {
    let escaped = word
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('%', "%%")
        .replace('$', "$$");
    format!("\"{escaped}\"")
}

fn xml_text(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

pub(super) fn run(context: &Context_, args: &Args) -> anyhow::Result<Exit> {
    let manager = Manager::here();
    match args.command {
        What::Install { no_start } => install(context, manager, no_start),
        What::Uninstall => uninstall(context, manager),
        What::Status => status(context, manager),
    }
}

fn install(context: &Context_, manager: Manager, no_start: bool) -> anyhow::Result<Exit> {
    if !no_start {
        // A service without folders would only fail and be started again.
        super::watch::setup(context, "watch", Vec::new(), None)?;
    }
    let binary = std::env::current_exe().context("cannot tell where this program lies")?;
    let mut command = vec![binary.display().to_string()];
    if let Some(config) = context.config_given.as_ref() {
        let config = std::path::absolute(config).unwrap_or_else(|_| config.clone());
        command.extend(["--config".to_owned(), config.display().to_string()]);
    }
    command.extend([
        "--data-dir".to_owned(),
        context.data_dir.display().to_string(),
    ]);
    command.push("watch".to_owned());
    let log = context.data_dir.join("photond.log").display().to_string();
    let file = manager.file()?;
    fs::create_dir_all(&context.data_dir)
        .with_context(|| format!("cannot make {}", context.data_dir.display()))?;
    safe_file::write(&file, manager.text(&command, &log).as_bytes())
        .with_context(|| format!("cannot write {}", file.display()))?;
    context.out.line(&format!("wrote {}", file.display()))?;
    let start = manager.start(&file);
    if no_start {
        let how: Vec<String> = start.iter().map(|c| c.join(" ")).collect();
        context
            .out
            .line(&format!("start it with: {}", how.join(" && ")))?;
        return Ok(Exit::Done);
    }
    if manager == Manager::Launchd {
        // Already loaded: loading it again would fail.
        let _ = ask(&manager.stop());
    }
    for step in &start {
        let (ok, said) = ask(step)?;
        if !ok {
            bail!("`{}` failed: {said}", step.join(" "));
        }
    }
    context
        .out
        .line("the service runs; `photond status` shows how far it is")?;
    Ok(Exit::Done)
}

fn uninstall(context: &Context_, manager: Manager) -> anyhow::Result<Exit> {
    let file = manager.file()?;
    if !file.exists() {
        context.out.notice("no service is installed");
        return Ok(Exit::Nothing);
    }
    let stop = manager.stop();
    match ask(&stop) {
        Ok((true, _)) => {}
        Ok((false, said)) => {
            context.out.notice(&format!("`{}`: {said}", stop.join(" ")));
        }
        Err(e) => context.out.notice(&format!("{e:#}")),
    }
    fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
    context
        .out
        .line(&format!("removed {}; the index stays", file.display()))?;
    Ok(Exit::Done)
}

fn status(context: &Context_, manager: Manager) -> anyhow::Result<Exit> {
    let file = manager.file()?;
    if !file.exists() {
        context
            .out
            .line("not installed (`photond service install`)")?;
        return Ok(Exit::Nothing);
    }
    let (running, said) = ask(&manager.ask())?;
    let state = match (manager, running) {
        (_, true) => "running".to_owned(),
        (Manager::Systemd, false) => said,
        (Manager::Launchd, false) => "not running".to_owned(),
    };
    context.out.line(&format!("{}: {state}", file.display()))?;
    Ok(if running { Exit::Done } else { Exit::Nothing })
}

/// Runs a command; whether it succeeded, and what it said.
fn ask(command: &[String]) -> anyhow::Result<(bool, String)> {
    let output = Command::new(&command[0])
        .args(&command[1..])
        .output()
        .with_context(|| format!("cannot run `{}`", command.join(" ")))?;
    let mut said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if said.is_empty() {
        said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    }
    Ok((output.status.success(), said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_carry_the_command_whatever_it_holds() {
        let command = [
            "/opt/a b/photond".to_owned(),
            "100%".to_owned(),
            "a\"$b<&".to_owned(),
        ];
        let unit = Manager::Systemd.text(&command, "");
        assert!(
            unit.contains("ExecStart=\"/opt/a b/photond\" \"100%%\" \"a\\\"$$b<&\"\n"),
            "{unit}"
        );
        assert!(unit.contains("Type=notify") && unit.contains("WatchdogSec="));
        let agent = Manager::Launchd.text(&command, "/tmp/log");
        assert!(agent.contains("<string>a\"$b&lt;&amp;</string>"), "{agent}");
        for text in [unit, agent] {
            assert!(!text.contains('@'), "every place is filled in: {text}");
        }
    }
}
