//! `photond doctor`

use serde_json::json;

use super::output::{count, plural, span};
use super::{Context_, Exit, TableOrJson};
use crate::config::Decode;
use crate::daemon::{Report, RootStanding, classifier, is_held};
use crate::index::Activity;
use crate::model::install::{FACE_ENCODER, TEXT_READER};
use crate::model::{
    EncoderOptions, ImageEncoder, Runtime, TextEncoder, TextOptions, default_pack, find_runtime,
    packs,
};
use crate::store::{StoreError, StoreReader, unix_now};
use crate::worker::Pool;

/// Check everything that could be wrong, and say the fix
///
/// Exits with 2 if something is wrong.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Also read the whole index for damage (slow on a large one)
    #[arg(long)]
    deep: bool,
    /// Shape of the report
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Good,
    Note,
    Bad,
}

struct Finding {
    level: Level,
    what: &'static str,
    text: String,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn good(&mut self, what: &'static str, text: impl Into<String>) {
        self.add(Level::Good, what, text);
    }
    fn note(&mut self, what: &'static str, text: impl Into<String>) {
        self.add(Level::Note, what, text);
    }
    fn bad(&mut self, what: &'static str, text: impl Into<String>) {
        self.add(Level::Bad, what, text);
    }
    fn add(&mut self, level: Level, what: &'static str, text: impl Into<String>) {
        self.0.push(Finding {
            level,
            what,
            text: text.into(),
        });
    }
}

pub(super) fn run(context: &Context_, args: &Args) -> anyhow::Result<Exit> {
    let mut f = Findings::default();
    settings(context, &mut f);
    data_dir(context, &mut f);
    let reader = index(context, args.deep, &mut f);
    decoding(context, &mut f);
    model(context, &mut f);
    search_model(context, &mut f);
    closer(context, &mut f);
    if let Some(reader) = &reader {
        let checked = roots(reader, &mut f).and_then(|()| daemon(context, reader, &mut f));
        if let Err(e) = checked {
            f.bad("index", e.to_string());
        }
    }
    watches(&mut f);
    let bad = f.0.iter().filter(|x| x.level == Level::Bad).count();
    match args.format {
        TableOrJson::Json => {
            let rows: Vec<_> =
                f.0.iter()
                    .map(|x| {
                        let level = match x.level {
                            Level::Good => "good",
                            Level::Note => "note",
                            Level::Bad => "bad",
                        };
                        json!({ "check": x.what, "level": level, "text": x.text })
                    })
                    .collect();
            context.out.line(&serde_json::to_string_pretty(&rows)?)?;
        }
        TableOrJson::Table => {
            for x in &f.0 {
                let mark = match x.level {
                    Level::Good => context.out.green("ok  "),
                    Level::Note => context.out.bold("note"),
                    Level::Bad => context.out.red("BAD "),
                };
                context
                    .out
                    .line(&format!("{mark}  {:9} {}", x.what, x.text))?;
            }
        }
    }
    if bad > 0 {
        anyhow::bail!("{} wrong", plural(bad as u64, "thing is", "things are"));
    }
    Ok(Exit::Done)
}

fn settings(context: &Context_, f: &mut Findings) {
    match &context.config_path {
        Some(path) => f.good("settings", path.display().to_string()),
        None => f.good(
            "settings",
            match crate::dirs::config_file() {
                Some(path) => format!("defaults are used; {} would be read", path.display()),
                None => "defaults are used".to_owned(),
            },
        ),
    }
    for root in &context.config.roots {
        if !root.is_dir() {
            f.note(
                "settings",
                format!(
                    "`roots` names {}, which is not there now; mount it, or mend the settings",
                    root.display()
                ),
            );
        }
    }
}

fn data_dir(context: &Context_, f: &mut Findings) {
    let dir = &context.data_dir;
    if !dir.exists() {
        f.note(
            "data",
            format!("{} is made at the first run", dir.display()),
        );
        return;
    }
    match tempfile_in(dir) {
        Ok(()) => f.good("data", dir.display().to_string()),
        Err(e) => f.bad(
            "data",
            format!(
                "{} cannot be written ({e}): make it writable or choose another with --data-dir",
                dir.display()
            ),
        ),
    }
    if let Some(free) = crate::safe_file::free_space(dir) {
        let free = free >> 20;
        if free < 512 {
            f.bad(
                "disk",
                format!("only {free} MiB free at {}: make room", dir.display()),
            );
        } else {
            f.good("disk", format!("{} MiB free", count(free)));
        }
    }
}

/// Makes and removes a file, the only way to know that a directory can be written.
fn tempfile_in(dir: &std::path::Path) -> std::io::Result<()> {
    let path = dir.join(format!(".photond-doctor-{}", std::process::id()));
    std::fs::write(&path, b"")?;
    std::fs::remove_file(&path)
}

fn index(context: &Context_, deep: bool, f: &mut Findings) -> Option<StoreReader> {
    let reader = match StoreReader::open(&context.data_dir) {
        Ok(reader) => reader,
        Err(e @ StoreError::NoIndex { .. }) => {
            f.note("index", e.to_string());
            return None;
        }
        Err(e) => {
            f.bad("index", e.to_string());
            return None;
        }
    };
    match reader.counts() {
        Ok(c) => f.good(
            "index",
            format!(
                "{}, {} failed",
                plural(c.indexed, "photo", "photos"),
                count(c.failed)
            ),
        ),
        Err(e) => f.bad("index", e.to_string()),
    }
    for line in super::durability::lines(&context.data_dir) {
        f.note("index", line);
    }
    if deep {
        match reader.integrity() {
            Ok(problems) if problems.is_empty() => f.good("index", "every page is sound"),
            Ok(problems) => {
                crate::store::suspect_damage(&context.data_dir);
                f.bad(
                "index",
                format!("damaged ({}): restart photond, it restores the last backup and indexes the rest again", problems.join("; ")),
            );
            }
            Err(e) => f.bad("index", e.to_string()),
        }
    }
    Some(reader)
}

fn model(context: &Context_, f: &mut Findings) {
    let checked = default_pack()
        .map_err(anyhow::Error::from)
        .and_then(|pack| {
            classifier(&pack)?;
            Ok(pack)
        });
    let pack = match checked {
        Ok(pack) => pack,
        Err(e) => {
            f.bad("model", format!("{e:#}"));
            return;
        }
    };
    f.good(
        "model",
        format!("{}, files and checksums are right", pack.id),
    );
    let tried = find_runtime(&context.data_dir).and_then(|choice| {
        let runtime = Runtime::load(&choice)?;
        ImageEncoder::new(&runtime, &pack, EncoderOptions { threads: 1 })?;
        Ok(choice)
    });
    match tried {
        Ok(choice) => f.good(
            "runtime",
            format!("{} ({})", choice.path.display(), choice.found_by),
        ),
        Err(e) => f.bad("runtime", e.to_string()),
    }
}

/// The model that `--text` and `--like` go by.
fn search_model(context: &Context_, f: &mut Findings) {
    let name = packs::in_use(&context.data_dir);
    let checked = packs::open(&context.data_dir, &name).map_err(|e| e.to_string());
    let checked = checked.and_then(|pack| {
        pack.text_side().map_err(|e| e.to_string())?;
        let choice = find_runtime(&context.data_dir).map_err(|e| e.to_string())?;
        let runtime = Runtime::load(&choice).map_err(|e| e.to_string())?;
        let options = TextOptions {
            threads: 1,
            quick: true,
        };
        TextEncoder::new(&runtime, &pack, options)
            .and_then(|mut text| text.encode(&["a photo"]))
            .map_err(|e| e.to_string())?;
        Ok(pack.id)
    });
    match checked {
        Ok(id) => f.good("search model", format!("{id}, it reads sentences")),
        Err(e) => f.bad("search model", e),
    }
}

/// The models that look closer: whether their files are here.
fn closer(context: &Context_, f: &mut Findings) {
    let packs = packs::Packs::new(&context.data_dir);
    let looks = [
        ("text", TEXT_READER, context.config.detect.text),
        ("people", FACE_ENCODER, packs.tells_people()),
    ];
    for (what, name, _) in looks.into_iter().filter(|(_, _, on)| *on) {
        let pack = packs.open(name).map_err(|e| e.to_string());
        let whole = pack.and_then(|pack| match pack.whole() {
            Ok(()) => Ok(pack.id),
            Err(e) => Err(e.to_string()),
        });
        match whole {
            Ok(id) => f.good(what, format!("{id}, all of its files are here")),
            // Everything else works without.
            Err(e) => f.note(what, e),
        }
    }
}

fn roots(reader: &StoreReader, f: &mut Findings) -> anyhow::Result<()> {
    for root in reader.roots()? {
        let path = root.path.display().to_string();
        if !root.online {
            f.note(
                "folder",
                format!(
                    "{path} is offline ({}): its photos stay in the index",
                    root.note.as_deref().unwrap_or("not there")
                ),
            );
        } else if let Err(e) = std::fs::read_dir(&root.path) {
            f.bad("folder", format!("{path} cannot be read: {e}"));
        } else if let Some(note) = &root.note {
            f.note("folder", format!("{path}: {note}"));
        } else {
            f.good("folder", path);
        }
    }
    Ok(())
}

fn daemon(context: &Context_, reader: &StoreReader, f: &mut Findings) -> anyhow::Result<()> {
    if !is_held(&context.data_dir) {
        f.note("daemon", "not running: start it with `photond watch DIR`");
        return Ok(());
    }
    let Some(row) = reader.daemon()? else {
        f.good("daemon", "an index run is under way");
        return Ok(());
    };
    let age = u64::try_from(unix_now() - row.heartbeat_at).unwrap_or(0);
    let report = serde_json::from_str::<Report>(&row.report).ok();
    // When it has nothing to do it has nothing to say.
    let at_work = report.as_ref().is_none_or(|r| r.activity != Activity::Idle);
    if at_work && age > 120 {
        f.bad(
            "daemon",
            format!(
                "process {} has not reported for {}: restart it (nothing is lost)",
                row.pid,
                span(age)
            ),
        );
        return Ok(());
    }
    f.good("daemon", format!("process {} is well", row.pid));
    for root in report.iter().flat_map(|r| &r.roots) {
        if root.standing == RootStanding::Hanging {
            f.bad(
                "folders",
                format!(
                    "{}: its disk does not answer; check its cable or connection, or unmount it",
                    root.path
                ),
            );
        }
    }
    if let Some(watch) = report.and_then(|r| r.watch) {
        match watch.advice {
            Some(advice) => f.bad("watching", advice),
            None => f.good("watching", plural(watch.watched, "folder", "folders")),
        }
    }
    Ok(())
}

/// Whether photos can be decoded, and behind which walls.
fn decoding(context: &Context_, f: &mut Findings) {
    if context.config.decode == Decode::InProcess {
        f.note(
            "decoding",
            "in this very process, as `decode` in the settings says: a photo made to attack its decoder could do what you can",
        );
        return;
    }
    match Pool::new(crate::daemon::decoding(&context.config)).try_one() {
        Ok(walls) if walls.lacking().is_empty() => f.good(
            "decoding",
            "in processes without files, network and other programs, within bounds",
        ),
        Ok(walls) => f.note(
            "decoding",
            format!(
                "in processes of its own, which this system can wall in only in part; lacking: {}",
                walls.lacking().join(", ")
            ),
        ),
        Err(e) => f.bad(
            "decoding",
            format!("no process for it can be started ({e}); `decode = \"in-process\"` in the settings does without"),
        ),
    }
}

#[cfg(target_os = "linux")]
fn watches(f: &mut Findings) {
    let read = |name: &str| -> Option<u64> {
        std::fs::read_to_string(format!("/proc/sys/fs/inotify/{name}"))
            .ok()?
            .trim()
            .parse()
            .ok()
    };
    let Some(limit) = read("max_user_watches") else {
        return;
    };
    if limit < 65_536 {
        f.note(
            "inotify",
            format!("only {} folders can be watched at once; for more: sudo sysctl fs.inotify.max_user_watches=1048576 (in /etc/sysctl.d/ to keep it)", count(limit)),
        );
    } else {
        f.good(
            "inotify",
            format!("up to {} folders can be watched", count(limit)),
        );
    }
}

#[cfg(not(target_os = "linux"))]
fn watches(_f: &mut Findings) {}
