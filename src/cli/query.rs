//! `photond query`

use std::io::{BufWriter, Write};
use std::ops::ControlFlow;

use clap::ValueEnum;

use super::output::{plural, printable};
use super::{Context_, Exit};
use crate::daemon::tagger;
use crate::model::default_pack;
use crate::search::{Query, Searcher};
use crate::store::{Hit, StoreReader};

/// Find photos
///
/// All conditions hold at once. Without any, every photo is listed, newest first. A tag matches
/// its synonyms and everything below it, singular or plural: `--tag dog` finds a beagle. Photos
/// without a camera date go by the file's date (in brackets in the table). JSON lists every stored
/// tag with its confidence, also those below the cutoff. Exits with 1 if nothing matches.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// With this tag; several: with all of them
    #[arg(long = "tag", value_name = "T")]
    tags: Vec<String>,
    /// Without this tag
    #[arg(long = "not-tag", value_name = "T")]
    not_tags: Vec<String>,
    /// Taken on or after: YYYY[-MM[-DD[THH:MM]]], today, yesterday, or an age (30d, 6w, 3m, 2y)
    #[arg(long, value_name = "D")]
    since: Option<String>,
    /// Taken on or before (a year or month counts whole)
    #[arg(long, value_name = "D")]
    until: Option<String>,
    /// Taken with a camera whose name contains this
    #[arg(long, value_name = "S")]
    camera: Option<String>,
    /// Taken within KM kilometres (10 if not said) of a place
    #[arg(long, value_name = "LAT,LON[,KM]", allow_hyphen_values = true)]
    near: Option<String>,
    /// In this folder, or whose path matches; `*` stays in a folder, `**` crosses folders
    #[arg(long, value_name = "GLOB")]
    path: Option<String>,
    /// Confidence from which a tag counts, 0 to 1 [default: from the settings, 0.3]
    #[arg(long, value_name = "X", value_parser = confidence)]
    min_confidence: Option<f32>,
    /// Also what lies below the cutoff
    #[arg(long)]
    all: bool,
    /// At most this many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Shape of the results
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Paths ended by NUL instead of newline, for `xargs -0` (implies --format paths)
    #[arg(short = '0', long = "null")]
    null: bool,
}

const EXAMPLES: &str = "Examples:
  photond query --tag beach --tag dog           dogs on beaches
  photond query --tag car --not-tag taxi --since 2023-06 --until 2023-08
  photond query --near 48.86,2.35,5 --format jsonl | jq .path
  photond query --path ~/Pictures/2023 -0 | xargs -0 ls -l";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// One path a line
    Paths,
    /// One JSON array
    Json,
    /// One JSON object a line
    Jsonl,
}

/// `~/` and paths from here become whole paths; a folder means all that lies in it.
fn expand(given: &str) -> String {
    let home = crate::dirs::home();
    let mut path = match (given.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest).to_string_lossy().into_owned(),
        _ => given.to_owned(),
    };
    let literal = !path.contains(['*', '?', '[', '{']);
    if literal || path.starts_with("./") || path.starts_with("../") {
        if let Some(real) = literal.then(|| std::fs::canonicalize(&path).ok()).flatten() {
            let folder = real.is_dir();
            path = globset::escape(&real.to_string_lossy());
            if folder {
                path += "/**";
            }
        } else if path.starts_with('.')
            && let Ok(here) = std::env::current_dir()
        {
            let here = globset::escape(&here.to_string_lossy());
            path = format!("{here}/{}", path.trim_start_matches("./"));
        }
    }
    path
}

fn confidence(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(x) if (0.0..=1.0).contains(&x) => Ok(x),
        _ => Err("a number from 0 to 1".to_owned()),
    }
}

pub(super) fn run(context: &Context_, args: Args) -> anyhow::Result<Exit> {
    let reader = StoreReader::open(&context.data_dir)?;
    let pack = default_pack()?;
    let model = pack.id.to_string();
    let tagger = tagger(&pack)?;
    let searcher = Searcher {
        reader: &reader,
        tagger: &tagger,
        cutoff: context.config.min_confidence,
    };
    let format = if args.null {
        Format::Paths
    } else {
        args.format
    };
    let query = Query {
        tags: args.tags,
        not_tags: args.not_tags,
        since: args.since,
        until: args.until,
        camera: args.camera,
        near: args.near,
        path: args.path.map(|given| expand(&given)),
        min_confidence: args.min_confidence,
        all: args.all,
        limit: args.limit,
    };
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let mut first = true;
    let mut failure: Option<anyhow::Error> = None;
    let found = searcher.run(&query, &mut |hit| {
        let result = match format {
            Format::Table => table_row(context, &searcher, &query, hit, &mut out),
            Format::Paths => path_row(context, hit, args.null, &mut out),
            Format::Json | Format::Jsonl => {
                let separator = match (format, first) {
                    (Format::Json, true) => "[\n",
                    (Format::Json, false) => ",\n",
                    _ => "",
                };
                json_row(
                    &searcher,
                    &query,
                    hit,
                    separator,
                    format == Format::Jsonl,
                    &mut out,
                )
            }
        };
        first = false;
        match result {
            Ok(()) => ControlFlow::Continue(()),
            Err(e) => {
                failure = Some(e);
                ControlFlow::Break(())
            }
        }
    });
    let found = match found {
        Err(e @ crate::search::SearchError::UnknownTag { .. }) => {
            if format == Format::Json {
                out.write_all(b"[]\n")?;
            }
            out.flush()?;
            context.out.notice(&format!("photond: {e}"));
            return Ok(Exit::Nothing);
        }
        other => other?,
    };
    if let Some(e) = failure {
        return Err(e);
    }
    if format == Format::Json {
        out.write_all(if first { b"[]\n" } else { b"\n]\n" })?;
    }
    out.flush()?;
    if found == 0 && !query.tags.is_empty() && reader.counts(Some(&model))?.embedded == 0 {
        context
            .out
            .notice("no photo has tags yet: `photond doctor` says why");
    }
    if format == Format::Table && !context.quiet {
        let hint =
            if found == 0 && !query.tags.is_empty() && !query.all && query.min_confidence.is_none()
            {
                " (--all also shows what lies below the cutoff)"
            } else {
                ""
            };
        context
            .out
            .notice(&format!("{}{hint}", plural(found, "photo", "photos")));
    }
    Ok(if found == 0 {
        Exit::Nothing
    } else {
        Exit::Done
    })
}

fn table_row(
    context: &Context_,
    searcher: &Searcher<'_>,
    query: &Query,
    hit: &Hit,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    /// Tags shown in a line.
    const SAID: usize = 5;
    let path = hit.path.under(&hit.root);
    let tags: Vec<String> = searcher
        .said(hit, searcher.min_confidence(query).max(0.01))?
        .iter()
        .take(SAID)
        .map(|t| format!("{} {:.0}%", printable(&t.name), t.confidence * 100.0))
        .collect();
    // The camera's time, or the file's in brackets: both are what --since and --until go by.
    let taken = match &hit.photo.exif.captured_at {
        Some(c) => c.local.replace('T', " ").chars().take(16).collect(),
        None => format!("({})", file_date(hit.mtime_ns)),
    };
    let away = if hit.online { "" } else { "  (offline)" };
    writeln!(
        out,
        "{}  {}  {}{away}",
        printable(&path.to_string_lossy()),
        context.out.dim(&format!("{taken:16}")),
        tags.join(", ")
    )?;
    Ok(())
}

/// The local date of a file time.
fn file_date(mtime_ns: i64) -> String {
    jiff::Timestamp::from_second(mtime_ns.div_euclid(1_000_000_000)).map_or_else(
        |_| String::new(),
        |t| t.to_zoned(jiff::tz::TimeZone::system()).date().to_string(),
    )
}

fn path_row(context: &Context_, hit: &Hit, null: bool, out: &mut impl Write) -> anyhow::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let path = hit.path.under(&hit.root);
    if null {
        out.write_all(path.as_os_str().as_bytes())?;
        out.write_all(b"\0")?;
    } else {
        if context.out.terminal_out {
            out.write_all(printable(&path.to_string_lossy()).as_bytes())?;
        } else {
            out.write_all(path.as_os_str().as_bytes())?;
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn json_row(
    searcher: &Searcher<'_>,
    query: &Query,
    hit: &Hit,
    separator: &str,
    newline: bool,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    out.write_all(separator.as_bytes())?;
    let row = searcher.json(hit, query.min_confidence.unwrap_or(0.0))?;
    serde_json::to_writer(&mut *out, &row).map_err(std::io::Error::from)?;
    if newline {
        out.write_all(b"\n")?;
    }
    Ok(())
}
