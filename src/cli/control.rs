//! `photond pause`, `resume`, `rescan`, `confirm` and `forget`: what a living daemon is told.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::output::{plural, span};
use super::paths::real;
use super::{Context_, Exit};
use crate::daemon::{ControlAnswer, ControlOrder, HexPath, Pause, is_held, obey_alone, order};
use crate::store::{StoreReader, unix_now};

/// Index nothing for a while, or until `photond resume`; queries go on
#[derive(clap::Args)]
pub(super) struct PauseArgs {
    /// For how long: 90s, 30m, 2h, 1d [default: until `photond resume`]
    #[arg(value_name = "FOR", value_parser = duration)]
    time: Option<i64>,
}

/// Go on after `photond pause`
#[derive(clap::Args)]
pub(super) struct ResumeArgs {}

/// Have the running daemon look through folders again, from end to end
#[derive(clap::Args)]
pub(super) struct RescanArgs {
    /// Folders [default: all that are watched]
    #[arg(value_name = "DIR")]
    folders: Vec<PathBuf>,
}

/// Let go of files that are held because very many disappeared at once
#[derive(clap::Args)]
pub(super) struct ConfirmArgs {
    /// Watched folders [default: all]
    #[arg(value_name = "DIR")]
    roots: Vec<PathBuf>,
}

/// Take watched folders out of the index; photos are not touched
#[derive(clap::Args)]
pub(super) struct ForgetArgs {
    /// Folders, as they were given to `watch` or `index`
    #[arg(value_name = "DIR", required = true)]
    roots: Vec<PathBuf>,
}

/// A number and a unit, in seconds.
fn duration(text: &str) -> Result<i64, String> {
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("say for how long with a unit: 90s, 30m, 2h, 1d".to_owned()),
    };
    let seconds = number.parse::<i64>().ok().and_then(|n| n.checked_mul(unit));
    seconds
        .filter(|s| (1..=3_153_600_000).contains(s))
        .ok_or_else(|| format!("{text} is no time to wait; write it like 30m or 2h"))
}

pub(super) fn pause(context: &Context_, args: &PauseArgs) -> anyhow::Result<Exit> {
    let until = args.time.map(|seconds| unix_now() + seconds);
    put(context, Some(Pause { until }))?;
    let how_long = match args.time {
        Some(seconds) => format!("for {}", span(seconds.cast_unsigned())),
        None => "until `photond resume`".to_owned(),
    };
    context.out.line(&format!("paused {how_long}"))?;
    Ok(Exit::Done)
}

pub(super) fn resume(context: &Context_, _: &ResumeArgs) -> anyhow::Result<Exit> {
    if Pause::now(&context.data_dir).is_none() {
        context.out.notice("it was not paused");
        return Ok(Exit::Nothing);
    }
    put(context, None)?;
    context.out.line("going on")?;
    Ok(Exit::Done)
}

/// Puts a pause in force, or ends it.
pub(super) fn put(context: &Context_, pause: Option<Pause>) -> anyhow::Result<()> {
    let dir = &context.data_dir;
    Pause::put(dir, pause).with_context(|| format!("cannot write in {}", dir.display()))?;
    if is_held(dir) {
        // A single pass has no socket, and heeds no pause either.
        let _ = order(dir, &ControlOrder::Rest);
    }
    Ok(())
}

pub(super) fn rescan(context: &Context_, args: &RescanArgs) -> anyhow::Result<Exit> {
    if !is_held(&context.data_dir) {
        bail!("photond is not running: `photond index DIR` looks through a folder once");
    }
    let folders: Vec<Option<PathBuf>> = match args.folders.as_slice() {
        [] => vec![None],
        folders => folders.iter().map(|f| Some(real(f))).collect(),
    };
    let mut found = true;
    for folder in folders {
        let path = folder.as_deref().map(HexPath::new);
        let name = folder.map_or_else(|| "anything".to_owned(), |f| f.display().to_string());
        match obey(context, &ControlOrder::Rescan { path })? {
            Some(n) => {
                let n = plural(n, "folder", "folders");
                context.out.line(&format!("{n} being looked through"))?;
            }
            None => {
                found = false;
                context.out.notice(&format!("{name} is not being watched"));
            }
        }
    }
    Ok(if found { Exit::Done } else { Exit::Nothing })
}

pub(super) fn confirm(context: &Context_, args: &ConfirmArgs) -> anyhow::Result<Exit> {
    let roots = args.roots.iter().map(|r| HexPath::new(&real(r)));
    let order = ControlOrder::Confirm {
        roots: roots.collect(),
    };
    match obey(context, &order)? {
        None => {
            context.out.notice("no such folder in the index");
            Ok(Exit::Nothing)
        }
        Some(0) => {
            context.out.notice("nothing is held as missing");
            Ok(Exit::Nothing)
        }
        Some(n) => {
            let n = plural(n, "missing file", "missing files");
            context.out.line(&format!("{n} forgotten"))?;
            Ok(Exit::Done)
        }
    }
}

pub(super) fn forget(context: &Context_, args: &ForgetArgs) -> anyhow::Result<Exit> {
    forget_all(context, &args.roots)
}

/// Takes roots out of the index, by the daemon if one runs.
pub(super) fn forget_all(context: &Context_, roots: &[PathBuf]) -> anyhow::Result<Exit> {
    let mut found = false;
    for root in roots {
        let path = real(root);
        let shown = path.display();
        let order = ControlOrder::Forget {
            path: HexPath::new(&path),
        };
        match obey(context, &order)? {
            Some(n) => {
                found = true;
                let n = plural(n, "file", "files");
                context
                    .out
                    .line(&format!("{shown}: {n} forgotten; the photos are untouched"))?;
                if context.config.roots.iter().any(|r| real(r) == path) {
                    context.out.notice(&format!(
                        "{shown} is among `roots` in the settings: take it out there, or it is indexed again at the next start"
                    ));
                }
            }
            None => context.out.notice(&not_a_root(context, &path)),
        }
    }
    Ok(if found { Exit::Done } else { Exit::Nothing })
}

/// Why a folder cannot be forgotten by itself.
fn not_a_root(context: &Context_, path: &Path) -> String {
    let shown = path.display();
    let roots = StoreReader::open(&context.data_dir).and_then(|reader| reader.roots());
    let roots = roots.unwrap_or_default();
    match roots.iter().find(|row| path.starts_with(&row.path)) {
        Some(row) => {
            let below = path.strip_prefix(&row.path).unwrap_or(path).display();
            let root = row.path.display();
            format!(
                "{shown} is a part of {root}, which is indexed as a whole: a line `/{below}/` in {root}/.photondignore, or in `exclude` of the settings, leaves it out"
            )
        }
        None => format!("{shown} is not in the index"),
    }
}

/// Gives an order to the daemon, or does it here if none lives.
pub(super) fn obey(context: &Context_, what: &ControlOrder) -> anyhow::Result<Option<u64>> {
    let dir = &context.data_dir;
    let answer = if is_held(dir) {
        order(dir, what).context(
            "the running photond does not take orders now (a single `photond index` never does): try again when it has ended, or restart it",
        )?
    } else {
        obey_alone(dir, what)?
    };
    match answer {
        ControlAnswer::Done(count) => Ok(count),
        ControlAnswer::Indexed(_) => Ok(None),
        ControlAnswer::Failed(why) => bail!("{why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_wait() {
        assert_eq!(duration("2h"), Ok(7200));
        assert_eq!(duration("90s"), Ok(90));
        assert_eq!(duration("30min"), Ok(1800));
        for wrong in [
            "",
            "2",
            "h",
            "0m",
            "-1h",
            "2 h",
            "99999999999999999999d",
            "1w",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
