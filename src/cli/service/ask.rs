//! Running the service manager's own commands, and what their refusals mean.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// Why a manager's command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// There is no such command.
    #[error(
        "there is no `{0}` on this machine, so photond cannot be a service here; have something else run `photond watch` when you log in"
    )]
    NoCommand(String),
    /// It cannot be started.
    #[error("cannot run `{command}`: {source}")]
    Run {
        command: String,
        source: std::io::Error,
    },
    /// No manager answers for this user.
    #[error(
        "the service manager of this user cannot be reached (`{command}` says: {said}). That is so in a shell that `su` or `sudo` has made, and in a container. Log in as {user} in earnest; or `sudo loginctl enable-linger {user}`, set XDG_RUNTIME_DIR=/run/user/{uid}, and run this again"
    )]
    NoManager {
        command: String,
        said: String,
        user: String,
        uid: u32,
    },
    /// It said no.
    #[error("`{command}` failed: {said}")]
    Refused { command: String, said: String },
}

/// What a command said.
pub(super) struct Answer {
    pub ok: bool,
    pub said: String,
}

/// Runs a command to its end; its refusal is an answer too.
pub(super) fn ask<S: AsRef<OsStr>>(words: &[S]) -> Result<Answer, AskError> {
    let Some((program, args)) = words.split_first() else {
        return Ok(Answer {
            ok: true,
            said: String::new(),
        });
    };
    let output = Command::new(program)
        .args(args)
        // Refusals are told apart by their words.
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => {
                AskError::NoCommand(program.as_ref().to_string_lossy().into_owned())
            }
            _ => AskError::Run {
                command: shown(words),
                source,
            },
        })?;
    let mut said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if said.is_empty() {
        said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    }
    let ok = output.status.success();
    const UNREACHABLE: [&str; 4] = [
        "Failed to connect to bus",
        "Failed to connect to user scope bus",
        "DBUS_SESSION_BUS_ADDRESS",
        "System has not been booted with systemd",
    ];
    if !ok && UNREACHABLE.iter().any(|sign| said.contains(sign)) {
        let uid = rustix::process::getuid().as_raw();
        return Err(AskError::NoManager {
            command: shown(&words[..words.len().min(2)]),
            said: said.lines().next().unwrap_or_default().to_owned(),
            user: std::env::var("USER").unwrap_or_else(|_| format!("#{uid}")),
            uid,
        });
    }
    Ok(Answer { ok, said })
}

/// Runs a command that has to succeed.
pub(super) fn tell<S: AsRef<OsStr>>(words: &[S]) -> Result<String, AskError> {
    let answer = ask(words)?;
    if answer.ok {
        return Ok(answer.said);
    }
    Err(AskError::Refused {
        command: shown(words),
        said: answer.said,
    })
}

pub(super) fn shown<S: AsRef<OsStr>>(words: &[S]) -> String {
    let words: Vec<_> = words.iter().map(|w| w.as_ref().to_string_lossy()).collect();
    words.join(" ")
}
