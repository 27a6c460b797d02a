//! `photond watch`

use std::path::PathBuf;
use std::sync::Arc;

use super::observer::Terminal;
use super::{Context_, Exit, serving};
use crate::config::Config;
use crate::daemon::{Observer, Reload, Setup, WatchOptions, watch};

/// Index what is in the folders, then keep the index current until stopped
///
/// Runs in the foreground; Ctrl-C or SIGTERM stops it within seconds and loses nothing. Started
/// again, it goes on where it was. SIGHUP reads the settings again. Under systemd it reports readiness and feeds the watchdog.
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
    if config.pools.is_some() && !context.quiet {
        context
            .out
            .notice("[pools] in the settings has no effect any more; it can be taken out");
    }
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

/// For commands that look at no folder.
pub(super) fn setup_without_roots(context: &Context_) -> Setup {
    Setup {
        data_dir: context.data_dir.clone(),
        roots: Vec::new(),
        config: context.config.clone(),
    }
}

/// What SIGHUP does: the settings file is read again, the arguments stay in force.
fn reload(context: &Context_, args: &Args) -> Reload {
    let data_dir = context.data_dir.clone();
    let path = context.config_path.clone();
    let roots = args.roots.clone();
    Box::new(move || {
        let config = match &path {
            Some(path) => {
                Config::read(path, crate::dirs::home().as_deref()).map_err(|e| e.to_string())?
            }
            None => Config::default(),
        };
        let roots = if roots.is_empty() {
            config.roots.clone()
        } else {
            roots.clone()
        };
        if roots.is_empty() {
            return Err("the settings name no folder".to_owned());
        }
        Ok(Setup {
            data_dir: data_dir.clone(),
            roots,
            config,
        })
    })
}

pub(super) fn run(context: &Context_, args: Args) -> anyhow::Result<Exit> {
    let again = reload(context, &args);
    let setup = setup(context, "watch", args.roots, args.parallel)?;
    let terminal = Arc::new(Terminal::new(context.out, context.quiet));
    let observer: Arc<dyn Observer> = terminal.clone();
    let options = WatchOptions {
        reload: (!context.out.terminal_err).then_some(again),
        companion: Some(serving::companion(context)),
    };
    let result = watch(&setup, options, observer);
    terminal.finish();
    result?;
    Ok(Exit::Done)
}
