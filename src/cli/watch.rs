//! `photond watch`

use std::path::PathBuf;
use std::sync::Arc;

use super::observer::Terminal;
use super::{Context_, Exit};
use crate::daemon::{Observer, Setup, WatchOptions, watch};

/// Index what is in the folders, then keep the index current until stopped
///
/// Runs in the foreground; Ctrl-C or SIGTERM stops it within seconds and loses nothing. Started
/// again, it goes on where it was. Under systemd it reports readiness and feeds the watchdog.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Folders to watch [default: `roots` in the settings file]
    #[arg(value_name = "DIR")]
    roots: Vec<PathBuf>,
    /// Photos worked on at once [default: one a processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: Option<u16>,
}

/// Neither arguments nor settings name a folder.
#[derive(Debug, thiserror::Error)]
#[error("no folder to work on: name one (`photond {command} ~/Pictures`) or set `roots = [\"~/Pictures\"]` in {}", .config.display())]
pub(super) struct NoRoots {
    command: &'static str,
    config: PathBuf,
}

/// Arguments over settings.
pub(super) fn setup(
    context: &Context_,
    command: &'static str,
    roots: Vec<PathBuf>,
    parallel: Option<u16>,
) -> anyhow::Result<Setup> {
    let mut config = context.config.clone();
    if let Some(n) = parallel {
        config.parallel = usize::from(n);
    }
    let roots = if roots.is_empty() {
        config.roots.clone()
    } else {
        roots
    };
    if roots.is_empty() {
        let config = context
            .config_path
            .clone()
            .or_else(crate::dirs::config_file)
            .unwrap_or_else(|| PathBuf::from("config.toml"));
        return Err(NoRoots { command, config }.into());
    }
    Ok(Setup {
        data_dir: context.data_dir.clone(),
        roots,
        config,
    })
}

pub(super) fn run(context: &Context_, args: Args) -> anyhow::Result<Exit> {
    let setup = setup(context, "watch", args.roots, args.parallel)?;
    let terminal = Arc::new(Terminal::new(context.out, context.quiet));
    let observer: Arc<dyn Observer> = terminal.clone();
    let result = watch(&setup, WatchOptions::default(), observer);
    terminal.finish();
    result?;
    Ok(Exit::Done)
}
