//! `photond query`

mod ranking;
mod rows;
mod wishes;

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::{BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use anyhow::bail;
use clap::ValueEnum;

use self::ranking::{closest, how_many, rank};
use self::rows::Rows;
use self::wishes::wishes;
use super::follow::follow;
use super::output::plural;
use super::previews::Previews;
use super::words::KnownWords;
use super::{Context_, Exit, links, nothing};
use crate::search::{GivenPath, Query, SearchError, TextSide, Uses, Videos, choose};
use crate::store::StoreReader;

/// Find photos
///
/// All conditions hold at once. Without any, every photo is listed, newest first. A tag matches
/// its synonyms and everything below it, singular or plural: `--tag dog` finds a beagle, `--tag
/// baseball` a baseball player.
///
/// `--text` and `--like` rank photos by what is in them, the closest first, at most 100 if no
/// --limit is given. Only confident results are shown; --all shows the whole ranking. A RAW with its
/// JPEG or HEIC, and a Live Photo with its video, are one result. Photos without a camera date go by the file's date (in brackets in the table). JSON lists every stored
/// tag with its confidence, also those below the cutoff. Exits with 1 if nothing matches.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Plain words: looking like them, tagged or called so (as one --text)
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// Looking like this sentence; several: like all of it. A weight may stand before it
    #[arg(long = "text", value_name = "[W:]Q")]
    texts: Vec<String>,
    /// Looking like this photo, indexed or not; `-`: the one on standard input
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
    #[arg(long = "tag", value_name = "T", allow_hyphen_values = true)]
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
    /// Taken with a lens whose name contains this
    #[arg(long, value_name = "S")]
    lens: Option<String>,
    /// Whose picture is not whole: damaged, or known by its metadata only
    #[arg(long)]
    damaged: bool,
    /// With this keyword, which people gave, or one below it; several: with all of them
    #[arg(long = "keyword", value_name = "K")]
    keywords: Vec<String>,
    /// With so many stars: `4`, `4-` (four or more), `2-3`; 0: none, -1: rejected
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    rating: Option<String>,
    /// With this person on it, by name; several: with all of them
    #[arg(long = "person", value_name = "NAME")]
    people: Vec<String>,
    /// In whose picture these words stand, as far as text has been read; several: all of them
    #[arg(long = "in-picture", value_name = "WORDS")]
    in_picture: Vec<String>,
    /// Taken in this city, region or country: Kyoto, japan, "Paris, Texas"; or some way outside
    #[arg(long = "place", value_name = "NAME")]
    places: Vec<String>,
    /// Whose coordinates are not known
    #[arg(long, conflicts_with_all = ["places", "near"])]
    no_place: bool,
    /// Taken within KM kilometres (10 if not said) of a place
    #[arg(long, value_name = "LAT,LON[,KM]", allow_hyphen_values = true)]
    near: Option<String>,
    /// In this folder, at any depth: a path, a folder's or file's name, or a pattern over whole paths
    /// (`*` stays in a folder, `**` crosses folders; a folder that matches means all that is in it)
    #[arg(long, value_name = "PATH", allow_hyphen_values = true)]
    path: Option<OsString>,
    /// Whose file name has this in it, or matches this pattern (`IMG_*.jpg`); case and accents aside
    #[arg(long = "name", value_name = "NAME", allow_hyphen_values = true)]
    names: Vec<OsString>,
    /// Confidence from which a tag counts, 0 to 1 [default: from the settings, 0.6]
    #[arg(long, value_name = "X", value_parser = confidence)]
    min_confidence: Option<f32>,
    /// Also what lies below the cutoff, or is no confident answer
    #[arg(long)]
    all: bool,
    /// Every file by itself, also those that are one photo (RAW and JPEG, Live Photos)
    #[arg(long)]
    all_files: bool,
    /// A photo that lies at several places at each of them, not once
    #[arg(long)]
    all_paths: bool,
    /// At most this many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Which comes first [default: best where photos are ranked, else date]
    #[arg(long, value_enum)]
    sort: Option<Sort>,
    /// How many there are, and nothing else
    #[arg(long, conflicts_with_all = ["follow", "format", "null", "explain", "links", "preview", "sort"])]
    count: bool,
    /// Not the photos there are, but those that come to fit, as they come
    #[arg(long, conflicts_with_all = ["limit", "links", "sort"])]
    follow: bool,
    /// Shape of the results
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Paths ended by NUL instead of newline, for `xargs -0` (implies --format paths)
    #[arg(short = '0', long = "null")]
    null: bool,
    /// Make a folder of symbolic links to them instead of a list: a new folder, or an empty one
    #[arg(long, value_name = "DIR", conflicts_with_all = ["format", "null", "explain"])]
    links: Option<PathBuf>,
    /// Draw each photo's thumbnail above its line, in pixels where the terminal is known to take them
    #[arg(long, conflicts_with_all = ["format", "null", "links"])]
    preview: bool,
}

const EXAMPLES: &str = r#"Examples:
  photond query --text "waves on a beach"
  photond query --like sunset.jpg --since 2023 --minus-text people
  photond query --text "2:golden retriever" --text snow
  photond query --tag beach --tag dog           dogs on beaches
  photond query --tag car --not-tag taxi --since 2023-06 --until 2023-08
  photond query --near 48.86,2.35,5 --format jsonl | jq .path
  photond query --path ~/Pictures/2023 -0 | xargs -0 ls -l
  photond query --tag cat --follow              each cat as it lands
  photond query --tag beach --limit 5 --preview
  photond query --tag dog --since 2023 --count  only the number
  photond query "birthday cake" --sort oldest
  photond query --person Anna --links ~/anna    a folder of links, for any other program"#;

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// The closest to what was asked
    Best,
    /// The newest
    #[value(alias = "newest")]
    Date,
    /// The oldest
    Oldest,
}

/// `~/` is the home directory, where no shell has said so.
fn home(given: &OsStr) -> OsString {
    let rest = given.as_bytes().strip_prefix(b"~/");
    match (rest, crate::dirs::home()) {
        (Some(rest), Some(home)) => home.join(OsStr::from_bytes(rest)).into_os_string(),
        _ => given.to_owned(),
    }
}

/// A path, with the folder that it is told from.
fn given_path(given: &OsStr) -> GivenPath {
    GivenPath::new(home(given), std::env::current_dir().unwrap_or_default())
}

fn confidence(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(x) if (0.0..=1.0).contains(&x) => Ok(x),
        _ => Err("a number from 0 to 1".to_owned()),
    }
}

pub(super) fn run(context: &Context_, args: Args) -> anyhow::Result<Exit> {
    let reader = StoreReader::open(&context.data_dir)?;
    let links = args.links.as_deref().map(links::begin).transpose()?;
    let previews = args.preview.then(|| Previews::new(context)).transpose()?;
    let wishes = wishes(&args, context.config.max_file_mib << 20)?;
    if args.sort == Some(Sort::Best) && wishes.is_empty() {
        bail!("--sort best needs something to be close to: plain words, --text or --like");
    }
    // Nothing but plain words: they mean something without a model too.
    let plain = (wishes.len() == 1 && !args.words.is_empty()).then(|| args.words.join(" "));
    // The text model is loaded while words are read.
    let chosen = (!wishes.is_empty()).then(|| choose(&reader, &context.data_dir));
    let text = match &chosen {
        Some(Ok(chosen)) if wishes.iter().any(|w| w.sentence().is_some()) => {
            Some(TextSide::begin(&chosen.pack, &context.data_dir, Uses::One))
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
        lens: args.lens,
        damaged: args.damaged,
        keywords: args.keywords,
        people: args.people,
        rating: args.rating,
        in_picture: args.in_picture,
        places: args.places,
        no_place: args.no_place,
        near: args.near,
        path: args.path.map(|given| given_path(&given)),
        names: args.names,
        min_confidence: args.min_confidence,
        all: args.all,
        all_files: args.all_files,
        all_paths: args.all_paths || args.all_files,
        limit: args.limit.or(args.count.then_some(usize::MAX)),
        oldest_first: args.sort == Some(Sort::Oldest),
    };
    let mut rows = Rows {
        context,
        searcher: &searcher,
        query: &query,
        format,
        null: args.null,
        explain: args.explain,
        are_counted: args.count,
        links,
        previews,
        out: BufWriter::with_capacity(1 << 16, std::io::stdout().lock()),
        videos: Videos::default(),
        members: 0,
        first: true,
        failure: None,
    };
    if args.follow {
        if format == Format::Json {
            bail!("an array of what is yet to come has no end: use --format jsonl");
        }
        let mut matching = || match &chosen {
            None => searcher.photo_ids(&query),
            Some(_) => {
                let chosen = choose(&reader, &context.data_dir)?;
                let chosen = (&chosen, text.as_ref());
                closest(context, &searcher, (&query, &wishes), &known, chosen)
            }
        };
        let mut show = |new: &HashSet<i64>| rows.these(new);
        let begun = || {
            if !context.quiet {
                context
                    .out
                    .notice("waiting for photos that fit (Ctrl-C ends)");
            }
        };
        follow(&reader, &mut matching, begun, &mut show)?;
        return Ok(Exit::Done);
    }
    let found = match chosen {
        Some(chosen) => chosen.and_then(|chosen| {
            let chosen = (&chosen, text.as_ref());
            if args.count {
                return how_many(&rows, &known, chosen, &wishes);
            }
            let by_date = args.sort.is_some_and(|sort| sort != Sort::Best);
            rank(&mut rows, &known, chosen, &wishes, by_date)
        }),
        None if args.count => searcher.count(&query),
        None => list(&mut rows),
    };
    let found = match (found, plain) {
        (Err(e), Some(text)) if e.is_of_the_model() => by_words(&mut rows, &text, &e),
        (found, _) => found,
    };
    let found = match found {
        Ok(0) => {
            nothing::say(context, &searcher, &query)?;
            0
        }
        // Nothing to be found, and why: not an error of the program's.
        Err(
            e @ (SearchError::UnknownTag { .. }
            | SearchError::UnknownKeyword { .. }
            | SearchError::UnknownPerson { .. }
            | SearchError::UnknownPlace { .. }
            | SearchError::NotTakenThere { .. }
            | SearchError::NothingSeen { .. }),
        ) => {
            context.out.notice(&format!("photond: {e}"));
            0
        }
        other => other?,
    };
    if args.count {
        writeln!(rows.out, "{found}")?;
    }
    rows.end()?;
    Ok(if found == 0 {
        Exit::Nothing
    } else {
        Exit::Done
    })
}

/// Photos that say plain words in their tags or names, where no model reads sentences.
fn by_words(rows: &mut Rows<'_>, text: &str, why: &SearchError) -> Result<usize, SearchError> {
    let (context, searcher, query) = (rows.context, rows.searcher, rows.query);
    context.out.notice(&format!(
        "photond: {why}; shown are photos whose tags or names say {text:?}"
    ));
    let found = searcher.by_words(query, text, &mut |shot| rows.row(shot, None))?;
    if rows.says_how_many() {
        let files = rows.in_files(found);
        context
            .out
            .notice(&format!("{}{files}", plural(found, "photo", "photos")));
    }
    Ok(found)
}

/// Every photo that fits.
fn list(rows: &mut Rows<'_>) -> Result<usize, SearchError> {
    let (context, searcher, query) = (rows.context, rows.searcher, rows.query);
    let found = searcher.run(query, &mut |shot| rows.row(shot, None))?;
    if rows.says_how_many() {
        let below =
            found == 0 && !query.tags.is_empty() && !query.all && query.min_confidence.is_none();
        let hint = if below {
            " (--all also shows what lies below the cutoff)"
        } else {
            ""
        };
        let count = plural(found, "photo", "photos");
        let files = rows.in_files(found);
        context.out.notice(&format!("{count}{files}{hint}"));
    }
    Ok(found)
}
