//! `photond service`: installing twice is installing once, and what is running already as it should
//! be is left alone.

mod ask;
mod launch;
mod launchd;
mod systemd;
mod unit;
mod words;

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::Context;

use super::{Context_, Exit};
use crate::safe_file;

pub(super) use launchd::exit_code;

/// Run photond as a service of the user: systemd on Linux, launchd on macOS
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Write the service's files and start it, now and at every login
    ///
    /// Run again, after an update of photond for instance, it brings the files up to date and starts
    /// the service again if anything has changed.
    Install {
        /// Only write the service's files
        #[arg(long)]
        no_start: bool,
    },
    /// Stop the service and remove its files; the index stays
    Uninstall,
    /// Have the running service read its settings again
    Reload,
    /// Say whether the service is installed, running, and as this version would install it
    Status,
}

pub(super) fn run(context: &Context_, args: &Args) -> anyhow::Result<Exit> {
    if let What::Install { no_start: false } | What::Reload = args.command {
        // A service without folders would only fail, and a reload without any change nothing.
        super::watch::setup(context, "watch", Vec::new(), None)?;
    }
    let macos = cfg!(target_os = "macos");
    match args.command {
        What::Install { no_start } if macos => launchd::install(context, no_start),
        What::Install { no_start } => systemd::install(context, no_start),
        What::Uninstall if macos => launchd::uninstall(context),
        What::Uninstall => systemd::uninstall(context),
        What::Reload if macos => launchd::reload(context),
        What::Reload => systemd::reload(context),
        What::Status if macos => launchd::status(context),
        What::Status => systemd::status(context),
    }
}

/// An installed service, for `service status`.
struct Installed<'a> {
    file: &'a Path,
    state: String,
    /// How it differs from what would be installed now: lines for people.
    drift: Vec<String>,
}

impl Installed<'_> {
    fn say(&self, context: &Context_) -> std::io::Result<()> {
        let out = context.out;
        out.line(&format!("{}: {}", self.file.display(), self.state))?;
        for line in &self.drift {
            out.line(&format!("  {}", out.red(line)))?;
        }
        if !self.drift.is_empty() {
            out.line("  `photond service install` puts that right")?;
        }
        Ok(())
    }
}

/// The user's alone, like everything in it.
fn make_data_dir(dir: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot make {}", dir.display()))
}

fn put(path: &Path, text: &[u8]) -> anyhow::Result<()> {
    safe_file::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Removes a file that may not be there.
fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
