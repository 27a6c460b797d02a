//! `photond vocab`

use std::path::PathBuf;

use anyhow::Context;
use serde_json::json;

use super::output::{count, plural, printable};
use super::paths::bytes_if_odd;
use super::words::KnownWords;
use super::{Context_, Exit, TableOrJson};
use crate::daemon::is_held;
use crate::index::ExampleVectors;
use crate::search::{Examples, choose};
use crate::store::{StoreError, StoreReader};
use crate::tag::{Example, Lookup, OwnTerm, OwnTerms, Words};

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
    let term = |examples| OwnTerm {
        name: name.trim().to_owned(),
        category: category.map(str::to_owned),
        examples,
    };
    // Says what is wrong with the name before any photo is looked at.
    OwnTerms::read(&context.data_dir)?.put(term(Vec::new()))?;
    if files.is_empty() {
        refuse_known(context, name)?;
    }
    let (examples, vectors) = look_at(context, files)?;
    let replaced = OwnTerms::change(&context.data_dir, |own| {
        let replaced = own.put(term(examples.clone()))?;
        if !vectors.is_empty() {
            keep(context, vectors, own)?;
        }
        anyhow::Ok(replaced)
    })?;
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
fn refuse_known(context: &Context_, name: &str) -> anyhow::Result<()> {
    let (known, none) = (KnownWords::read(context)?, OwnTerms::default());
    let words = Words {
        own: &none,
        ..known.words()
    };
    if let Lookup::Found(_) = words.look_up(name) {
        anyhow::bail!(
            "{:?} is a word that photond knows already; to teach it what yours looks like, give --examples",
            name.trim()
        );
    }
    Ok(())
}

/// Content, model and vector of an example that is not in the index.
type NewVector = (String, String, Vec<f32>);

/// Content of each example, and vectors of those that are not in the index.
fn look_at(
    context: &Context_,
    files: &[PathBuf],
) -> anyhow::Result<(Vec<Example>, Vec<NewVector>)> {
    let (mut examples, mut vectors) = (Vec::<Example>::new(), Vec::new());
    if files.is_empty() {
        return Ok((examples, vectors));
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
    let known = KnownWords::read(context)?;
    let mut way = Examples::new(
        &reader,
        (&chosen.pack, chosen.row.id),
        (&known.pack, &known.classifier),
        (&context.data_dir, context.config.max_file_mib << 20),
        None,
    );
    for file in files {
        let path = std::fs::canonicalize(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let (hash, vector, indexed) = way.identified(&path)?;
        let hash = hash.to_hex();
        if examples.iter().any(|e| e.hash == hash) {
            continue;
        }
        if !indexed {
            vectors.push((hash.clone(), chosen.pack.id.0.clone(), vector.values));
        }
        examples.push(Example { path, hash });
    }
    Ok((examples, vectors))
}

/// Keeps vectors beside the words, and no longer those that no word has any more.
fn keep(context: &Context_, vectors: Vec<NewVector>, own: &OwnTerms) -> anyhow::Result<()> {
    let mut known = ExampleVectors::read(&context.data_dir);
    for (hash, model, vector) in vectors {
        known.put(&hash, &model, vector);
    }
    let wanted = |hash: &str| {
        let mut examples = own.terms().iter().flat_map(|term| &term.examples);
        examples.any(|e| e.hash == hash)
    };
    known
        .write(&context.data_dir, wanted)
        .context("the examples' vectors cannot be kept")
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
                    "examples_bytes": bytes_if_odd(t.examples.iter().map(|e| e.path.as_path())),
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
    let removed = OwnTerms::change(&context.data_dir, |own| {
        anyhow::Ok(own.remove(name).ok_or_else(|| own.clone()))
    })?;
    let own = match removed {
        Ok(term) => {
            let name = printable(&term.name);
            context.out.line(&format!("{name} is removed"))?;
            say_when(context)?;
            return Ok(Exit::Done);
        }
        Err(own) => own,
    };
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
    Ok(Exit::Nothing)
}

fn say_when(context: &Context_) -> anyhow::Result<()> {
    if context.quiet {
        return Ok(());
    }
    let when = if is_held(&context.data_dir) {
        "  the running photond tags all photos with it by itself, in a moment"
    } else {
        "  `photond retag` tags all photos with it; so does the next `photond watch` or `index`"
    };
    Ok(context.out.line(&context.out.dim(when))?)
}
