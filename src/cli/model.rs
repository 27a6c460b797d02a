//! `photond model`

mod install;
mod list;

use std::path::PathBuf;

use super::output::{count, plural, printable};
use super::{Context_, Exit, TableOrJson};
use crate::daemon::{classifier, is_held};
use crate::embedding::pack_name;
use crate::model::install::{
    InstallError, LITE0_MINILM, bytes, check_name, is_built_in, remove as remove_pack,
};
use crate::model::packs::{Entry, Packs};
use crate::model::reading::{LineReader, TextFinder};
use crate::model::{
    Detector, EncoderOptions, FaceEncoder, ImageEncoder, ImageSide, Kind, ModelError, ModelPack,
    Runtime, TextEncoder, TextOptions, faces_pack, find_runtime,
};
use crate::store::{StoreError, StoreReader};

/// List, install, choose and check models
///
/// The classifier makes the tags and always runs. Beside it one search model makes photos findable
/// by a sentence or by another photo: lite0-minilm, unless another is installed and chosen.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the models that are here and those that can be installed
    List {
        /// Shape of the list
        #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
        format: TableOrJson,
    },
    /// Install a model: from the Hugging Face hub, a mirror (HF_ENDPOINT), a folder or an archive
    ///
    /// A broken-off download goes on where it was. Nothing counts as installed before every file
    /// has been compared with its checksum. HF_TOKEN, HTTPS_PROXY and NO_PROXY are respected.
    Install {
        /// A name from `model list`, or the path of a model.toml
        name: String,
        /// fp32 (as published), fp16 (half the size), int8 (a quarter, and twice as fast)
        #[arg(long, value_name = "KIND")]
        variant: Option<String>,
        /// Take the files from a folder or tar archive instead of the network
        #[arg(long, value_name = "DIR|FILE.tar")]
        from: Option<PathBuf>,
    },
    /// Choose the model that --text and --like use
    Use {
        /// A name from `model list`
        name: String,
    },
    /// Check files and checksums of one model or of all, and run it once
    Verify {
        /// A name from `model list` [default: all that are here]
        name: Option<String>,
    },
    /// Remove an installed model
    Remove {
        /// A name from `model list`
        name: String,
    },
}

pub(super) fn run(context: &Context_, args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::List { format } => list::run(context, *format),
        Command::Install {
            name,
            variant,
            from,
        } => install::run(context, name, variant.as_deref(), from.as_deref()),
        Command::Use { name } => choose(context, name),
        Command::Verify { name } => verify(context, name.as_deref()),
        Command::Remove { name } => remove(context, name),
    }
}

/// `photond model install NAME`.
pub(super) fn install(context: &Context_, name: &str) -> anyhow::Result<()> {
    install::run(context, name, None, None).map(drop)
}

fn choose(context: &Context_, name: &str) -> anyhow::Result<Exit> {
    let packs = Packs::new(&context.data_dir);
    let pack = packs.open(name)?;
    if pack.kind != Kind::DualEncoder {
        anyhow::bail!(
            "{name} makes tags and runs anyway; it is no model for --text and --like (`photond model list` shows those)"
        );
    }
    fits_index(context, &pack)?;
    let before = packs.in_use().ok();
    if let Err(e) = pack.text_side() {
        context.out.notice(&format!(
            "--like works with it, --text does not yet: {}",
            missing_text(&e)
        ));
    }
    if before.as_deref() == Some(name) {
        context.out.line(&format!("{name} is in use already"))?;
        return Ok(Exit::Done);
    }
    packs.set_in_use(name)?;
    let what = match &pack.image {
        ImageSide::Graph(_) | ImageSide::Boxes(_) | ImageSide::Text(_) | ImageSide::Faces(_) => {
            "looks at every photo once more"
        }
        ImageSide::Derived(_) => "makes its vectors from what is stored",
    };
    let who = if is_held(&context.data_dir) {
        format!("the running photond switches by itself and {what}")
    } else {
        format!("the next `photond watch` or `photond index` {what}")
    };
    context.out.line(&format!("{name} is in use from now on"))?;
    let until = before.map_or_else(String::new, |before| {
        format!("; until that is done, --text and --like go by {before}")
    });
    context.out.line(&format!(
        "  {who}{until} (`photond status` shows how far it is)"
    ))?;
    Ok(Exit::Done)
}

/// The index; none where it is not there yet, or is to be brought up to date by the next start: such
/// a one holds nothing of search models.
fn index(context: &Context_) -> anyhow::Result<Option<StoreReader>> {
    match StoreReader::open(&context.data_dir) {
        Ok(reader) => Ok(Some(reader)),
        Err(StoreError::NoIndex { .. } | StoreError::NeedsMigration { .. }) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// The search model that queries go by, name and revision.
fn serving(context: &Context_) -> anyhow::Result<Option<String>> {
    let Some(reader) = index(context)? else {
        return Ok(None);
    };
    Ok(reader.serving()?.map(|row| row.name.0))
}

/// Vectors that are stored under this very name and revision must be as long as the pack's.
fn fits_index(context: &Context_, pack: &ModelPack) -> anyhow::Result<()> {
    let Some(reader) = index(context)? else {
        return Ok(());
    };
    if let Some(row) = reader.model(&pack.id)?
        && row.dims != 0
        && row.dims != pack.dims
    {
        return Err(InstallError::Dimensions {
            id: pack.id.to_string(),
            found: pack.dims,
            stored: row.dims,
        }
        .into());
    }
    Ok(())
}

fn remove(context: &Context_, name: &str) -> anyhow::Result<Exit> {
    check_name(name)?;
    let packs = Packs::new(&context.data_dir);
    if is_built_in(name) {
        return Err(InstallError::BuiltIn {
            name: name.to_owned(),
            action: "remove",
        }
        .into());
    }
    if packs.in_use().is_ok_and(|in_use| in_use == name) {
        return Err(InstallError::InUse {
            name: name.to_owned(),
            instead: LITE0_MINILM.to_owned(),
        }
        .into());
    }
    if let Some(serving) = serving(context)?
        && pack_name(&serving) == name
    {
        let in_use = packs
            .in_use()
            .unwrap_or_else(|_| "the chosen model".to_owned());
        let or = if in_use == LITE0_MINILM {
            String::new()
        } else {
            format!(", or choose {LITE0_MINILM} first, which need not look at any")
        };
        anyhow::bail!(
            "{name} still answers --text and --like until {in_use} has seen all photos: let `photond watch` or `photond index` finish (`photond status` shows how far it is){or}"
        );
    }
    remove_pack(&context.data_dir, name)?;
    context.out.line(&format!("{name} is removed"))?;
    Ok(Exit::Done)
}

fn verify(context: &Context_, name: Option<&str>) -> anyhow::Result<Exit> {
    let packs = Packs::new(&context.data_dir);
    let entries: Vec<Entry> = match name {
        None => packs.list(),
        Some(name) => {
            check_name(name)?;
            let found = packs.list().into_iter().find(|e| e.name == name);
            vec![found.ok_or_else(|| InstallError::NotInstalled {
                name: name.to_owned(),
            })?]
        }
    };
    let mut damaged = 0usize;
    let mut whole = Vec::new();
    for entry in &entries {
        match checked(entry) {
            Ok((pack, says)) => {
                context.out.line(&format!("{}: {says}", pack.id))?;
                whole.push(pack);
            }
            Err(e) => {
                damaged += 1;
                let e = super::chain(&e);
                context.out.line(&format!(
                    "{}: {}",
                    entry.name,
                    context.out.red(&printable(&e))
                ))?;
            }
        }
    }
    if damaged > 0 {
        anyhow::bail!(
            "{} damaged; `photond model install` puts it right, `photond model remove` takes it away",
            plural(damaged, "model is", "models are")
        );
    }
    run_once(context, &whole)?;
    Ok(Exit::Done)
}

/// Why a pack cannot read sentences, and what to do.
fn missing_text(e: &ModelError) -> String {
    match e {
        ModelError::NoText { remedy, .. } => remedy.clone(),
        other => other.to_string(),
    }
}

/// Every byte of a pack against its checksum.
fn checked(entry: &Entry) -> anyhow::Result<(&ModelPack, String)> {
    let pack = match &entry.pack {
        Ok(pack) => pack,
        Err(e) => anyhow::bail!("{e}"),
    };
    let read = pack.verify()?;
    let mut says = format!("files and checksums are right ({})", bytes(read));
    if pack.kind == Kind::Classifier && entry.dir.is_none() {
        let classifier = classifier(pack)?;
        let words = classifier.vocabulary();
        let (terms, classes) = (words.terms().len() as u64, words.likely().len() as u64);
        says += &format!(", {} terms over {} classes", count(terms), count(classes));
    }
    if pack.kind == Kind::TextReader
        && let Err(e) = pack.whole()
    {
        says += &format!("; text in pictures is not read: {e}");
    }
    if pack.kind == Kind::DualEncoder
        && let Err(e) = pack.text_side()
    {
        says += &format!("; --text does not work: {}", missing_text(&e));
    }
    Ok((pack, says))
}

/// Loads each graph and runs it on a blank picture and an empty word.
fn run_once(context: &Context_, packs: &[&ModelPack]) -> anyhow::Result<()> {
    let choice = find_runtime(&context.data_dir)?;
    let runtime = Runtime::load(&choice)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for pack in packs {
        match pack.image {
            ImageSide::Graph(_) => {
                ImageEncoder::new(&runtime, pack, EncoderOptions { threads })?;
            }
            ImageSide::Boxes(_) => {
                Detector::new(&runtime, pack)?;
            }
            // What it lacks was said.
            ImageSide::Text(_) if pack.whole().is_err() => {}
            ImageSide::Text(_) => {
                TextFinder::new(&runtime, pack, 1)?;
                LineReader::new(&runtime, pack, 1)?;
            }
            ImageSide::Derived(_) => {}
            ImageSide::Faces(_) if pack.whole().is_err() => {}
            ImageSide::Faces(_) => {
                FaceEncoder::new(&runtime, pack, &faces_pack()?)?;
            }
        }
        if pack.text_side().is_ok() {
            let options = TextOptions {
                threads,
                quick: false,
            };
            TextEncoder::new(&runtime, pack, options)?;
        }
    }
    let they = if packs.len() == 1 {
        "it runs"
    } else {
        "they run"
    };
    context
        .out
        .line(&format!("{they} on {}", choice.path.display()))?;
    context.out.line(&format!("  {}", runtime.describe()))?;
    Ok(())
}
