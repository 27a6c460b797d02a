//! The command line: flags, one file a command, and the only place that prints.
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 done or found,
//! 1 nothing found, 2 error, 78 bad configuration.

mod boxes;
mod completions;
mod control;
mod desktop;
mod detecting;
mod doctor;
mod drawing;
mod durability;
mod follow;
mod index;
mod links;
mod log;
mod mark;
mod mcp;
mod metrics;
mod model;
mod nothing;
mod observer;
mod open;
mod output;
mod password;
mod paths;
mod people;
mod places;
mod previews;
mod query;
mod retag;
mod searching;
mod serve;
mod service;
mod serving;
mod show;
mod status;
mod tags;
mod thumb;
mod usage;
mod verify;
mod vocab;
mod watch;
mod why;
mod words;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};

use crate::config::{Config, ConfigError};
use crate::daemon::DaemonError;
use crate::dirs;
use crate::media::Limits;
use crate::model::{ModelError, TRIAL_COMMAND, TRIAL_PASSED};
use crate::store::{StoreError, suspect_damage};
use output::Output;

/// Finds your photos by what is in them, and keeps up as they come in.
///
/// photond watches folders of photos, looks at each new one once (content hash, camera data,
/// thumbnail, and what a small built-in model sees in it) and keeps the result in a local index.
/// Nothing leaves this machine, and photos are never written to.
#[derive(Parser)]
#[command(name = "photond", version, long_version = VERSION, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    /// Settings file [default: config.toml in the platform's configuration directory]
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        value_name = "FILE"
    )]
    config: Option<PathBuf>,
    /// Where the index lives [default: the platform's data directory, or $PHOTOND_DATA_DIR]
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        value_name = "DIR"
    )]
    data_dir: Option<PathBuf>,
    /// Say more on standard error (twice: everything)
    #[arg(short, long, global = true, help_heading = "Global options", action = clap::ArgAction::Count)]
    verbose: u8,
    /// Say less on standard error
    #[arg(
        short,
        long,
        global = true,
        help_heading = "Global options",
        conflicts_with = "verbose"
    )]
    quiet: bool,
    /// Colours on standard output and error
    #[arg(long, global = true, help_heading = "Global options", value_enum, default_value_t = Color::Auto)]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

/// The place names' licence wants to be said where people look.
const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nPlace names: GeoNames (geonames.org), CC-BY-4.0, selected and packed; Unicode CLDR"
);

const EXAMPLES: &str = "Examples:
  photond watch ~/Pictures            index what is there, then keep it current
  photond query --tag beach           photos of beaches, newest first
  photond query --text \"a dog in the snow\"
  photond query --like sunset.jpg     photos like that one
  photond query --tag dog --not-tag snow --since 2023 --format paths
  photond status                      how far it is, and what could not be indexed";

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
// What each says of itself stands above its arguments: a doc comment here would hide all but its first line.
enum Command {
    Watch(watch::Args),
    Index(index::Args),
    Status(status::Args),
    Query(Box<query::Args>),
    Tags(tags::Args),
    People(people::Args),
    Places(places::Args),
    Open(open::Args),
    Serve(serve::Args),
    Password(password::Args),
    Show(show::Args),
    Thumb(thumb::Args),
    Mcp(mcp::Args),
    Mark(mark::Args),
    Why(why::Args),
    Model(model::Args),
    Vocab(vocab::Args),
    Retag(retag::Args),
    Pause(control::PauseArgs),
    Resume(control::ResumeArgs),
    Rescan(control::RescanArgs),
    Confirm(control::ConfirmArgs),
    Forget(control::ForgetArgs),
    Verify(verify::Args),
    Service(service::Args),
    Doctor(doctor::Args),
    #[command(hide = true)]
    Completions(completions::CompletionsArgs),
    #[command(hide = true)]
    Man(completions::ManArgs),
    /// Decodes for the photond that has started it, and may do nothing else
    #[command(name = crate::worker::WORD, hide = true)]
    Decode {
        /// Bytes it may map
        memory: u64,
        /// Millions of pixels of a picture
        megapixels: u64,
    },
    /// Loads an ONNX Runtime library that nobody vouches for: photond asks itself for it
    #[command(name = TRIAL_COMMAND, hide = true)]
    TryRuntime {
        /// The library
        library: PathBuf,
    },
}

/// How a command ended.
enum Exit {
    Done,
    Nothing,
}

/// What every command gets.
#[derive(Clone)]
struct Context_ {
    data_dir: PathBuf,
    config: Config,
    config_path: Option<PathBuf>,
    out: Output,
    quiet: bool,
}

/// Runs the program and gives its exit code.
pub fn run() -> u8 {
    crate::index::spend_little_memory();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => match usage::better(&e) {
            Some(line) => {
                Output::new(None).error(&line);
                return 2;
            }
            None => e.exit(),
        },
    };
    if let Command::Decode { memory, megapixels } = cli.command {
        // Its descriptors are its parent's: nothing is to be said there.
        quiet_panics();
        let limits = Limits::default().with_megapixels(megapixels);
        return u8::from(crate::worker::run(memory, limits).is_err());
    }
    let out = Output::new(match cli.color {
        Color::Always => Some(true),
        Color::Never => Some(false),
        Color::Auto => None,
    });
    log::begin(cli.verbose, cli.quiet);
    quiet_panics();
    let data_dir = dirs::data_dir(cli.data_dir.as_deref());
    match obey(cli, out) {
        Ok(Exit::Done) => 0,
        Ok(Exit::Nothing) => 1,
        Err(e) if output::is_broken_pipe(&e) => 0,
        Err(e) => {
            out.error(&chain(&e));
            let damaged = e.chain().any(|c| {
                c.downcast_ref::<StoreError>()
                    .is_some_and(StoreError::is_corruption)
                    || c.downcast_ref::<DaemonError>()
                        .is_some_and(DaemonError::is_corruption)
            });
            if let Some(dir) = data_dir.filter(|_| damaged) {
                suspect_damage(&dir);
            }
            let config = e.chain().any(|c| {
                c.downcast_ref::<ConfigError>().is_some()
                    || c.downcast_ref::<watch::NoRoots>().is_some()
                    || matches!(
                        c.downcast_ref::<crate::daemon::DaemonError>(),
                        Some(
                            crate::daemon::DaemonError::Root { .. }
                                | crate::daemon::DaemonError::Nested { .. }
                                | crate::daemon::DaemonError::Filter(_)
                        )
                    )
            });
            service::exit_code(if config { 78 } else { 2 })
        }
    }
}

/// Ends the process. Where a thread was left behind, in a disk that does not answer or in foreign
/// code, it ends at once: what is run down at a normal end may be in use by that thread.
pub fn leave(code: u8) -> ExitCode {
    if crate::index::is_anything_left_behind() {
        // SAFETY: ends the process and touches nothing before that; output is not buffered here.
        unsafe { libc::_exit(i32::from(code)) }
    }
    ExitCode::from(code)
}

/// An error with its causes, none said twice.
fn chain(e: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in e.chain().map(ToString::to_string) {
        if said.is_empty() {
            said = cause;
        } else if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

fn obey(cli: Cli, out: Output) -> anyhow::Result<Exit> {
    // These need no settings, and none can be wrong for them.
    match &cli.command {
        Command::Completions(args) => return completions::completions(args),
        Command::Man(args) => return completions::man(args),
        _ => {}
    }
    let data_dir = dirs::data_dir(cli.data_dir.as_deref()).context(
        "this system names no home directory: say where the index lives with --data-dir",
    )?;
    let data_dir = std::path::absolute(&data_dir).unwrap_or(data_dir);
    if let Command::TryRuntime { library } = &cli.command {
        return try_runtime(library, &data_dir, out);
    }
    let usual = dirs::config_file().filter(|p| p.exists());
    let config_path = cli.config.or(usual);
    let config = match &config_path {
        Some(path) => Config::read(path, dirs::home().as_deref())?,
        None => Config::default(),
    };
    let context = Context_ {
        data_dir,
        config,
        config_path,
        out,
        quiet: cli.quiet,
    };
    // A service file is for others to read, all else is the user's alone.
    if !matches!(cli.command, Command::Service(_)) {
        crate::store::keep_private();
    }
    match cli.command {
        Command::Watch(args) => watch::run(&context, args),
        Command::Index(args) => index::run(&context, args),
        Command::Status(args) => status::run(&context, &args),
        Command::Query(args) => query::run(&context, *args),
        Command::Tags(args) => tags::run(&context, &args),
        Command::Mark(args) => mark::run(&context, &args),
        Command::Mcp(_) => mcp::run(&context),
        Command::People(args) => people::run(&context, &args),
        Command::Places(args) => places::run(&context, &args),
        Command::Open(args) => open::run(&context, &args),
        Command::Serve(args) => serve::run(&context, &args),
        Command::Password(args) => password::run(&context, &args),
        Command::Show(args) => show::run(&context, &args),
        Command::Thumb(args) => thumb::run(&context, &args),
        Command::Why(args) => why::run(&context, &args),
        Command::Model(args) => model::run(&context, &args),
        Command::Vocab(args) => vocab::run(&context, &args),
        Command::Retag(args) => retag::run(&context, &args),
        Command::Pause(args) => control::pause(&context, &args),
        Command::Resume(args) => control::resume(&context, &args),
        Command::Rescan(args) => control::rescan(&context, &args),
        Command::Confirm(args) => control::confirm(&context, &args),
        Command::Forget(args) => control::forget(&context, &args),
        Command::Verify(args) => verify::run(&context, &args),
        Command::Service(args) => service::run(&context, &args),
        Command::Doctor(args) => doctor::run(&context, &args),
        Command::Completions(_)
        | Command::Man(_)
        | Command::TryRuntime { .. }
        | Command::Decode { .. } => Ok(Exit::Done),
    }
}

/// The verdict is one line on standard output.
fn try_runtime(library: &Path, data_dir: &Path, out: Output) -> anyhow::Result<Exit> {
    match crate::model::try_runtime(library, data_dir) {
        Ok(()) => {
            out.line(TRIAL_PASSED)?;
            Ok(Exit::Done)
        }
        Err(e) => {
            match &e {
                ModelError::BadRuntime { reason, .. } => out.line(reason)?,
                e => out.line(&e.to_string())?,
            }
            Err(e.into())
        }
    }
}

/// A decoder that panics on a bad file is caught and recorded with the file; its message does not
/// belong on the terminal. `PHOTOND_LOG=photond=debug` shows it.
fn quiet_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let worker = std::thread::current()
            .name()
            .is_some_and(|n| n == "photond-worker");
        if worker {
            tracing::debug!("{info}");
        } else {
            usual(info);
        }
    }));
}

/// Output shape of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TableOrJson {
    /// For people
    Table,
    /// For programs
    Json,
}
