//! `photond query`

use std::ffi::{OsStr, OsString};
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use clap::ValueEnum;
use indicatif::ProgressBar;

use super::output::{count, plural, printable, span};
use super::paths::as_glob;
use super::words::KnownWords;
use super::{Context_, Exit};
use crate::model::ModelPack;
use crate::search::{
    Chosen, Query, RankedHit, SearchError, Searcher, Space, TextSide, Wish, choose,
};
use crate::store::{Hit, StoreReader};

/// Find photos
///
/// All conditions hold at once. Without any, every photo is listed, newest first. A tag matches
/// its synonyms and everything below it, singular or plural: `--tag dog` finds a beagle, `--tag
/// baseball` a baseball player.
///
/// `--text` and `--like` rank photos by what is in them, the closest first, at most 100 if no
/// --limit is given. Only confident results are shown; --all shows the whole ranking. Photos
/// without a camera date go by the file's date (in brackets in the table). JSON lists every stored
/// tag with its confidence, also those below the cutoff. Exits with 1 if nothing matches.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Looking like this sentence; several: like all of it. A weight may stand before it
    #[arg(long = "text", value_name = "[W:]Q")]
    texts: Vec<String>,
    /// Looking like this photo, indexed or not
    #[arg(long = "like", value_name = "[W:]FILE")]
    likes: Vec<OsString>,
    /// Looking less like this sentence
    #[arg(long = "minus-text", value_name = "[W:]Q")]
    minus_texts: Vec<String>,
    /// Looking less like this photo
    #[arg(long = "minus-like", value_name = "[W:]FILE")]
    minus_likes: Vec<OsString>,
    /// Say of each result why it is one: how close it is, or who gave it which tag
    #[arg(long)]
    explain: bool,
    /// With this tag; several: with all of them
    #[arg(long = "tag", value_name = "T")]
    tags: Vec<String>,
    /// Without this tag
    #[arg(long = "not-tag", value_name = "T")]
    not_tags: Vec<String>,
    /// Taken on or after: 2019, 2019-05, 2019-05-03, "3 May 2019", 2019-05-03T10:15, monday, "last
    /// week", 30d, "6 weeks"; with Z or +02:00 behind the time: that instant
    #[arg(long, value_name = "D", allow_hyphen_values = true)]
    since: Option<String>,
    /// Taken on or before (a year or month counts whole)
    #[arg(long, value_name = "D", allow_hyphen_values = true)]
    until: Option<String>,
    /// Taken on that day, or in that month or year; without a year (12-24, "24 Dec") in any
    #[arg(long, value_name = "D", allow_hyphen_values = true)]
    on: Option<String>,
    /// Taken with a camera whose name contains this
    #[arg(long, value_name = "S")]
    camera: Option<String>,
    /// Whose picture is not whole: damaged, or known by its metadata only
    #[arg(long)]
    damaged: bool,
    /// Taken within KM kilometres (10 if not said) of a place
    #[arg(long, value_name = "LAT,LON[,KM]", allow_hyphen_values = true)]
    near: Option<String>,
    /// In this folder, or whose path matches; `*` stays in a folder, `**` crosses folders
    #[arg(long, value_name = "GLOB")]
    path: Option<OsString>,
    /// Confidence from which a tag counts, 0 to 1 [default: from the settings, 0.6]
    #[arg(long, value_name = "X", value_parser = confidence)]
    min_confidence: Option<f32>,
    /// Also what lies below the cutoff, or is no confident answer
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

const EXAMPLES: &str = r#"Examples:
  photond query --text "waves on a beach"
  photond query --like sunset.jpg --since 2023 --minus-text people
  photond query --text "2:golden retriever" --text snow
  photond query --tag beach --tag dog           dogs on beaches
  photond query --tag car --not-tag taxi --since 2023-06 --until 2023-08
  photond query --near 48.86,2.35,5 --format jsonl | jq .path
  photond query --path ~/Pictures/2023 -0 | xargs -0 ls -l"#;

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

/// `~/` is the home directory, where no shell has said so.
fn home(given: &OsStr) -> OsString {
    let rest = given.as_bytes().strip_prefix(b"~/");
    match (rest, crate::dirs::home()) {
        (Some(rest), Some(home)) => home.join(OsStr::from_bytes(rest)).into_os_string(),
        _ => given.to_owned(),
    }
}

/// `~/` and paths from here become whole paths; a folder means all that lies in it.
fn expand(given: &OsStr) -> String {
    let path = home(given);
    let bytes = path.as_bytes();
    let literal = !bytes.iter().any(|b| b"*?[{".contains(b));
    // What is really called so is meant, with all the brackets in its name.
    if let Ok(real) = std::fs::canonicalize(&path) {
        let below = if real.is_dir() { "/**" } else { "" };
        return as_glob(real.as_os_str(), true) + below;
    }
    let from_here = bytes.starts_with(b"./") || bytes.starts_with(b"../");
    if (from_here || (literal && bytes.starts_with(b".")))
        && let Ok(here) = std::env::current_dir()
    {
        let here = as_glob(here.as_os_str(), true);
        return format!("{here}/{}", as_glob(&path, false).trim_start_matches("./"));
    }
    as_glob(&path, false)
}

fn confidence(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(x) if (0.0..=1.0).contains(&x) => Ok(x),
        _ => Err("a number from 0 to 1".to_owned()),
    }
}

pub(super) fn run(context: &Context_, args: Args) -> anyhow::Result<Exit> {
    for (flag, words) in [("--tag", &args.tags), ("--not-tag", &args.not_tags)] {
        if let Some(word) = words.iter().find_map(|word| word.strip_prefix('-')) {
            anyhow::bail!(
                "{flag}=-{word}: to leave photos with {word:?} out, say --not-tag {word:?}"
            );
        }
    }
    let reader = StoreReader::open(&context.data_dir)?;
    let wishes = wishes(&args)?;
    // The text model is loaded while words are read.
    let chosen = (!wishes.is_empty()).then(|| choose(&reader, &context.data_dir));
    let text = match &chosen {
        Some(Ok(chosen)) if wishes.iter().any(|w| w.sentence().is_some()) => {
            Some(TextSide::begin(&chosen.pack, &context.data_dir))
        }
        _ => None,
    };
    let known = KnownWords::read(context)?;
    let searcher = known.searcher(context, &reader)?;
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
        on: args.on,
        camera: args.camera,
        damaged: args.damaged,
        near: args.near,
        path: args.path.map(|given| expand(&given)),
        min_confidence: args.min_confidence,
        all: args.all,
        limit: args.limit,
    };
    let mut rows = Rows {
        context,
        searcher: &searcher,
        query: &query,
        format,
        null: args.null,
        explain: args.explain,
        out: BufWriter::with_capacity(1 << 16, std::io::stdout().lock()),
        first: true,
        failure: None,
    };
    let found = match chosen {
        Some(chosen) => chosen.and_then(|chosen| {
            let chosen = (&chosen, text.as_ref());
            rank(&mut rows, &known.pack, chosen, &wishes)
        }),
        None => list(&mut rows),
    };
    let found = match found {
        // Nothing to be found, and why: not an error of the program's.
        Err(e @ (SearchError::UnknownTag { .. } | SearchError::NothingSeen { .. })) => {
            context.out.notice(&format!("photond: {e}"));
            0
        }
        other => other?,
    };
    rows.end()?;
    Ok(if found == 0 {
        Exit::Nothing
    } else {
        Exit::Done
    })
}

/// What is asked of the vectors.
fn wishes(args: &Args) -> Result<Vec<Wish>, SearchError> {
    let mut wishes = Vec::new();
    for (given, wanted) in [(&args.texts, true), (&args.minus_texts, false)] {
        for text in given {
            wishes.push(Wish::text(text, wanted)?);
        }
    }
    for (given, wanted) in [(&args.likes, true), (&args.minus_likes, false)] {
        for file in given {
            wishes.push(Wish::photo(&home(file), wanted)?);
        }
    }
    if !wishes.is_empty() && wishes.iter().all(|w| w.weight < 0.0) {
        return Err(SearchError::OnlyMinus);
    }
    Ok(wishes)
}

/// Every photo that fits, newest first.
fn list(rows: &mut Rows<'_>) -> Result<usize, SearchError> {
    let (context, searcher, query) = (rows.context, rows.searcher, rows.query);
    let found = searcher.run(query, &mut |hit| rows.row(hit, None))?;
    if found == 0 && !query.tags.is_empty() {
        let counts = searcher.reader.counts()?;
        if counts.tagged() == 0 {
            context
                .out
                .notice("no photo has tags yet: `photond doctor` says why");
        }
        for word in &query.tags {
            if let Some(near) = searcher.unsaid(word)? {
                context.out.notice(&unsaid(word, &near));
            }
        }
    }
    if rows.format == Format::Table && !context.quiet {
        let below =
            found == 0 && !query.tags.is_empty() && !query.all && query.min_confidence.is_none();
        let hint = if below {
            " (--all also shows what lies below the cutoff)"
        } else {
            ""
        };
        let count = plural(found, "photo", "photos");
        context.out.notice(&format!("{count}{hint}"));
    }
    Ok(found)
}

/// What to do about a word that the models in use cannot tell.
fn unsaid(word: &str, near: &[String]) -> String {
    let mut ways: Vec<String> = near.iter().map(|name| format!("--tag {name:?}")).collect();
    ways.push(format!("--text {word:?}"));
    format!(
        "photond cannot tell {word:?} from other things by itself: {} come near",
        ways.join(", ")
    )
}

/// Time to wait from which a person is told why.
const WORTH_A_WORD: Duration = Duration::from_secs(2);

/// Photos by how close they are.
fn rank(
    rows: &mut Rows<'_>,
    classifier: &ModelPack,
    (chosen, text): (&Chosen, Option<&TextSide>),
    wishes: &[Wish],
) -> Result<usize, SearchError> {
    let (context, searcher, query) = (rows.context, rows.searcher, rows.query);
    if let Some(other) = &chosen.instead_of {
        let why = match &other.trouble {
            Some(trouble) => trouble.clone(),
            None => format!(
                "{} has not seen all photos yet (`photond status` shows how far it is)",
                other.name
            ),
        };
        let partly = if other.partly {
            ", and has not seen all photos yet"
        } else {
            ""
        };
        context
            .out
            .notice(&format!("{why}: {} answers{partly}", chosen.pack.id));
    }
    let space = Space {
        pack: &chosen.pack,
        model: chosen.row.id,
        classifier,
        data_dir: &context.data_dir,
        max_file: context.config.max_file_mib << 20,
        stop: None,
        text,
    };
    if wishes.iter().any(|w| w.sentence().is_some())
        && let Some(time) = searcher.preparing(&space)?
        && time >= WORTH_A_WORD
        && !context.quiet
    {
        let s = span(time.as_secs());
        context.out.notice(&format!(
            "preparing {} for sentences, once: about {s} (the running photond does it by itself)",
            chosen.pack.id
        ));
    }
    let mut reading = ReadingNote::new(context);
    let ranked = searcher.rank(
        &space,
        query,
        wishes,
        &mut |done, of| reading.tell(done, of),
        &mut |found| rows.row(found.hit, Some(&found)),
    )?;
    if rows.format == Format::Table && !context.quiet {
        let mut shown = plural(ranked.photos, "photo", "photos");
        if ranked.shown > ranked.photos {
            shown += &format!(" at {}", plural(ranked.shown, "place", "places"));
        }
        let line = if ranked.shown == 0 && !query.all {
            format!(
                "nothing like that among {} (--all shows the closest anyway)",
                plural(ranked.compared, "photo", "photos")
            )
        } else if query.all {
            format!(
                "{shown}, {} of all {} a confident answer",
                count(ranked.confident),
                count(ranked.compared)
            )
        } else if ranked.photos < ranked.confident && query.path.is_none() {
            format!(
                "{shown} of {} (--limit N shows more)",
                count(ranked.confident)
            )
        } else {
            shown
        };
        context.out.notice(&line);
    }
    Ok(ranked.shown)
}

/// New vectors that are read before a query is answered, where they are so many that it takes a while.
struct ReadingNote<'a> {
    context: &'a Context_,
    bar: Option<ProgressBar>,
    told: bool,
}

impl<'a> ReadingNote<'a> {
    fn new(context: &'a Context_) -> Self {
        Self {
            context,
            bar: None,
            told: false,
        }
    }

    fn tell(&mut self, done: u64, of: u64) {
        /// About a second's.
        const MANY: u64 = 200_000;
        if of < MANY || self.context.quiet {
            return;
        }
        if !std::mem::replace(&mut self.told, true) {
            self.context.out.notice(&format!(
                "reading {} new vectors, once (the running photond does it by itself)",
                count(of)
            ));
            self.bar = self.context.out.spinner(false);
        }
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} of {}", count(done), count(of)));
            bar.tick();
            if done >= of {
                bar.finish_and_clear();
            }
        }
    }
}

impl Drop for ReadingNote<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Rows on their way to standard output.
struct Rows<'a> {
    context: &'a Context_,
    searcher: &'a Searcher<'a>,
    query: &'a Query,
    format: Format,
    null: bool,
    explain: bool,
    out: BufWriter<std::io::StdoutLock<'static>>,
    first: bool,
    failure: Option<anyhow::Error>,
}

impl Rows<'_> {
    fn row(&mut self, hit: &Hit, ranked: Option<&RankedHit<'_>>) -> ControlFlow<()> {
        let result = match self.format {
            Format::Table => self.table_row(hit, ranked),
            Format::Paths => path_row(self.context, hit, self.null, &mut self.out),
            Format::Json | Format::Jsonl => self.json_row(hit, ranked),
        };
        self.first = false;
        match result {
            Ok(()) => ControlFlow::Continue(()),
            Err(e) => {
                self.failure = Some(e);
                ControlFlow::Break(())
            }
        }
    }

    fn end(mut self) -> anyhow::Result<()> {
        if let Some(e) = self.failure {
            return Err(e);
        }
        if self.format == Format::Json {
            let end: &[u8] = if self.first { b"[]\n" } else { b"\n]\n" };
            self.out.write_all(end)?;
        }
        Ok(self.out.flush()?)
    }

    fn table_row(&mut self, hit: &Hit, ranked: Option<&RankedHit<'_>>) -> anyhow::Result<()> {
        let (context, searcher) = (self.context, self.searcher);
        let path = hit.path.under(&hit.root);
        let said = searcher.said(hit, searcher.min_confidence(self.query))?;
        let tags: Vec<String> = said
            .iter()
            .map(|t| format!("{} {:.0}%", printable(&t.name), t.confidence * 100.0))
            .collect();
        // The camera's time, or the file's in brackets: both are what --since and --until go by.
        let taken = match &hit.photo.exif.captured_at {
            Some(c) => c.local.replace('T', " ").chars().take(16).collect(),
            None => format!("({})", file_date(hit.mtime_ns)),
        };
        let score = ranked.map_or_else(String::new, |r| {
            let doubt = if r.standing.confident { ' ' } else { '?' };
            format!("{:5.2}{doubt} ", r.standing.score)
        });
        let away = if hit.online { "" } else { "  (offline)" };
        writeln!(
            self.out,
            "{score}{}  {}  {}{away}",
            printable(&path.to_string_lossy()),
            context.out.dim(&format!("{taken:16}")),
            tags.join(", ")
        )?;
        if ranked.is_none() && self.explain {
            for t in searcher.tags_json(&said) {
                let (by, percent) = (t.sources.join(" and "), t.confidence * 100.0);
                let line = format!("       {} {percent:.0}% by {by}", t.name);
                writeln!(self.out, "{}", context.out.dim(&printable(&line)))?;
            }
        }
        if let Some(ranked) = ranked.filter(|_| self.explain) {
            let why = printable(&ranked.why.to_string());
            writeln!(self.out, "       {}", context.out.dim(&why))?;
        }
        Ok(())
    }

    fn json_row(&mut self, hit: &Hit, ranked: Option<&RankedHit<'_>>) -> anyhow::Result<()> {
        let separator = match (self.format, self.first) {
            (Format::Json, true) => "[\n",
            (Format::Json, false) => ",\n",
            _ => "",
        };
        self.out.write_all(separator.as_bytes())?;
        let mut row = self
            .searcher
            .json(hit, self.query.min_confidence.unwrap_or(0.0))?;
        if let Some(ranked) = ranked {
            row.score = Some((f64::from(ranked.standing.score) * 1e4).round() / 1e4);
            row.confident = Some(ranked.standing.confident);
            row.why = self.explain.then(|| ranked.why.clone());
        }
        serde_json::to_writer(&mut self.out, &row).map_err(std::io::Error::from)?;
        if self.format == Format::Jsonl {
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }
}

/// The local date of a file time.
fn file_date(mtime_ns: i64) -> String {
    jiff::Timestamp::from_second(mtime_ns.div_euclid(1_000_000_000)).map_or_else(
        |_| String::new(),
        |t| t.to_zoned(jiff::tz::TimeZone::system()).date().to_string(),
    )
}

fn path_row(context: &Context_, hit: &Hit, null: bool, out: &mut impl Write) -> anyhow::Result<()> {
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
