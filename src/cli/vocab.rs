//! `photond vocab`

use std::path::PathBuf;

use anyhow::Context;
use serde_json::json;

use super::output::{count, plural, printable};
use super::{Context_, Exit, TableOrJson};
use crate::daemon::{is_held, tagger};
use crate::index::ExampleVectors;
use crate::model::default_pack;
use crate::search::{Examples, choose};
use crate::store::{StoreError, StoreReader};
use crate::tag::{Example, Lexicon, Lookup, OwnTerm, OwnTerms, Words};

/// Most examples of one term: their mean says no more with more.
const MOST_EXAMPLES: usize = 100;

/// Add words of your own: a pet, a house, a hobby
///
/// A word of your own takes part like any other tag: photos that are indexed already get it from
/// what is stored of them, without being opened again.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Add a word, by its name or by example photos; one that is there is replaced
    Add {
        /// What you call it
        name: String,
        /// Photos of it (a few different ones); without any, the name says what it is
        #[arg(long, value_name = "FILE", num_args = 1..)]
        examples: Vec<PathBuf>,
        /// What kind of thing it is
        #[arg(long, value_name = "C")]
        category: Option<String>,
    },
    /// List your own words with their number of photos
    List {
        /// Shape of the list
        #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
        format: TableOrJson,
    },
    /// Take a word out, and its tags with it
    Remove {
        /// What you called it
        name: String,
    },
}

pub(super) fn run(context: &Context_, args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Add {
            name,
            examples,
            category,
        } => add(context, name, examples, category.as_deref()),
        Command::List { format } => list(context, *format),
        Command::Remove { name } => remove(context, name),
    }
}

/// The user's own terms for commands that only read them: a bad file is said, and is as good as
/// none.
pub(super) fn own_terms(context: &Context_) -> OwnTerms {
    OwnTerms::read(&context.data_dir).unwrap_or_else(|e| {
        context
            .out
            .notice(&format!("photond: {}", printable(&e.to_string())));
        OwnTerms::default()
    })
}

fn add(
    context: &Context_,
    name: &str,
    files: &[PathBuf],
    category: Option<&str>,
) -> anyhow::Result<Exit> {
    if files.len() > MOST_EXAMPLES {
        anyhow::bail!(
            "{} examples are too many: {MOST_EXAMPLES} are enough",
            files.len()
        );
    }
    let mut own = OwnTerms::read(&context.data_dir)?;
    let term = |examples| OwnTerm {
        name: name.trim().to_owned(),
        category: category.map(str::to_owned),
        examples,
    };
    // Says what is wrong with the name before any photo is looked at.
    own.clone().put(term(Vec::new()))?;
    if files.is_empty() {
        refuse_known(name)?;
    }
    let examples = look_at(context, files, &own)?;
    let replaced = own.put(term(examples.clone()))?;
    own.write(&context.data_dir)?;
    let name = printable(name.trim());
    let verb = if replaced { "is replaced" } else { "is added" };
    let by = by(&examples);
    context.out.line(&format!("{name} {verb}, {by}"))?;
    say_when(context)?;
    Ok(Exit::Done)
}

/// What says what a term is.
fn by(examples: &[Example]) -> String {
    match examples.len() {
        0 => "by its name".to_owned(),
        n => format!("by {}", plural(n as u64, "example", "examples")),
    }
}

/// A word that the vocabulary has needs no second one.
fn refuse_known(name: &str) -> anyhow::Result<()> {
    let (pack, lexicon, none) = (default_pack()?, Lexicon::built_in()?, OwnTerms::default());
    let words = Words {
        tagger: &tagger(&pack)?,
        lexicon: &lexicon,
        own: &none,
    };
    if let Lookup::Found(_) = words.look_up(name) {
        anyhow::bail!(
            "{:?} is a word that photond knows already; to teach it what yours looks like, give --examples",
            name.trim()
        );
    }
    Ok(())
}

/// Content of each example, with a vector kept for those that are not in the index.
fn look_at(context: &Context_, files: &[PathBuf], own: &OwnTerms) -> anyhow::Result<Vec<Example>> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let reader = match StoreReader::open(&context.data_dir) {
        Ok(reader) => reader,
        Err(e @ StoreError::NoIndex { .. }) => {
            return Err(anyhow::Error::from(e)
                .context("examples are compared with indexed photos, and there are none yet"));
        }
        Err(e) => return Err(e.into()),
    };
    let chosen = choose(&reader, &context.data_dir)?;
    let classifier = default_pack()?;
    let words = tagger(&classifier)?;
    let mut way = Examples::new(
        &reader,
        (&chosen.pack, chosen.row.id),
        (&classifier, &words),
        (&context.data_dir, context.config.max_file_mib << 20),
        None,
    );
    let mut known = ExampleVectors::read(&context.data_dir);
    let mut examples: Vec<Example> = Vec::new();
    let mut new = false;
    for file in files {
        let path = std::fs::canonicalize(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let (hash, vector, indexed) = way.identified(&path)?;
        let hex = hash.to_hex();
        if examples.iter().any(|e| e.hash == hex) {
            continue;
        }
        if !indexed {
            known.put(&hex, &chosen.pack.id.0, vector.values);
            new = true;
        }
        examples.push(Example { path, hash: hex });
    }
    if new {
        let wanted = |hash: &str| {
            examples.iter().any(|e| e.hash == hash)
                || own
                    .terms()
                    .iter()
                    .any(|t| t.examples.iter().any(|e| e.hash == hash))
        };
        known
            .write(&context.data_dir, wanted)
            .context("the examples' vectors cannot be kept")?;
    }
    Ok(examples)
}

fn list(context: &Context_, format: TableOrJson) -> anyhow::Result<Exit> {
    let own = OwnTerms::read(&context.data_dir)?;
    let counts = match StoreReader::open(&context.data_dir) {
        Ok(reader) => reader.tag_counts(context.config.min_confidence)?,
        Err(_) => Vec::new(),
    };
    let photos = |term: &OwnTerm| {
        let key = term.key();
        counts.iter().find(|c| c.key == key).map_or(0, |c| c.photos)
    };
    if format == TableOrJson::Json {
        let rows: Vec<_> = own
            .terms()
            .iter()
            .map(|t| {
                json!({
                    "name": t.name,
                    "term": t.key(),
                    "category": t.category,
                    "examples": t.examples.iter().map(|e| e.path.to_string_lossy()).collect::<Vec<_>>(),
                    "photos": photos(t),
                })
            })
            .collect();
        context.out.line(&serde_json::to_string(&rows)?)?;
    } else {
        for term in own.terms() {
            let mut line = format!("{:>9}  {}", count(photos(term)), printable(&term.name));
            if let Some(category) = &term.category {
                line += &format!("  ({})", printable(category));
            }
            line += &format!("  {}", by(&term.examples));
            context.out.line(&line)?;
        }
    }
    if own.terms().is_empty() {
        context
            .out
            .notice("no words of your own yet: `photond vocab add NAME --examples FILE…`");
        return Ok(Exit::Nothing);
    }
    Ok(Exit::Done)
}

fn remove(context: &Context_, name: &str) -> anyhow::Result<Exit> {
    let mut own = OwnTerms::read(&context.data_dir)?;
    let Some(term) = own.remove(name) else {
        let names: Vec<String> = own.terms().iter().map(|t| printable(&t.name)).collect();
        let there = if names.is_empty() {
            "there are none".to_owned()
        } else {
            format!("there are {}", names.join(", "))
        };
        context.out.notice(&format!(
            "photond: {} is no word of your own; {there}",
            printable(name)
        ));
        return Ok(Exit::Nothing);
    };
    own.write(&context.data_dir)?;
    context
        .out
        .line(&format!("{} is removed", printable(&term.name)))?;
    say_when(context)?;
    Ok(Exit::Done)
}

fn say_when(context: &Context_) -> anyhow::Result<()> {
    if context.quiet {
        return Ok(());
    }
    let when = if is_held(&context.data_dir) {
        "  the running photond sets all photos against it by itself, in a moment"
    } else {
        "  `photond retag` sets all photos against it; so does the next `photond watch` or `index`"
    };
    Ok(context.out.line(&context.out.dim(when))?)
}
