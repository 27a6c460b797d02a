//! `photond people`

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::bail;
use serde_json::{Value, json};

use super::output::{count, plural, printable};
use super::show::{content_of, real_path};
use super::{Context_, Exit, TableOrJson};
use crate::daemon::is_held;
use crate::model::install::FACE_ENCODER;
use crate::model::packs::Packs;
use crate::photo::{ContentHash, RelPath};
use crate::said::Said;
use crate::store::{
    PersonChanged, PersonCount, PersonWord, StoreReader, back_up_anew, forget_all_persons,
    say_of_persons,
};

/// List the people that photos name or show, and say who is who
///
/// Names come from the face regions that programs like digiKam, Picasa and Lightroom write, and from the notes
/// of a Google Photos export. After `photond people on` faces are told apart too: whoever is seen on two photos
/// is listed with a number until somebody gives a name. Nothing of that leaves this machine.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  photond people on
  photond people
  photond people name 3 Anna
  photond query --person Anna --person Ben
  photond people forget --all")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<PeopleCommand>,
    /// Shape of the list
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,
}

#[derive(clap::Subcommand)]
enum PeopleCommand {
    /// Tell faces apart from now on, of all photos that are there too; fetches a model of 6 MB if need be
    On,
    /// Tell no more faces apart; what is known stays
    Off,
    /// Give somebody a name; two with one name are one
    Name {
        /// A number from the list, or the name so far
        #[arg(value_name = "WHO")]
        person: String,
        /// The name
        #[arg(required = true)]
        name: Vec<String>,
    },
    /// Two are one: the second becomes the first
    Merge {
        /// A number from the list, or a name
        #[arg(value_name = "WHO")]
        first: String,
        /// A number from the list, or a name
        #[arg(value_name = "WHO")]
        second: String,
    },
    /// One is several: take a merge back, or part the faces by their likeness
    Split {
        /// A number from the list, or a name
        #[arg(value_name = "WHO")]
        person: String,
    },
    /// Somebody is not on these photos
    Not {
        /// A number from the list, or a name
        #[arg(value_name = "WHO")]
        person: String,
        /// The photos
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
    /// Forget somebody: their faces, the number and the name given; on these photos they are not looked for again
    #[command(group = clap::ArgGroup::new("whom").required(true))]
    Forget {
        /// A number from the list, or a name
        #[arg(value_name = "WHO", group = "whom")]
        person: Option<String>,
        /// Everybody, and tell no more faces apart
        #[arg(long, group = "whom")]
        all: bool,
    },
}

pub(super) fn run(context: &Context_, args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        None => list(context, args.format),
        Some(PeopleCommand::On) => on(context),
        Some(PeopleCommand::Off) => off(context),
        Some(PeopleCommand::Name { person, name }) => rename(context, person, &name.join(" ")),
        Some(PeopleCommand::Merge { first, second }) => merge(context, first, second),
        Some(PeopleCommand::Split { person }) => split(context, person),
        Some(PeopleCommand::Not { person, files }) => not_on(context, person, files),
        Some(PeopleCommand::Forget {
            person: Some(person),
            ..
        }) => forget(context, person),
        Some(PeopleCommand::Forget { .. }) => forget_all(context),
    }
}

/// Everybody, for programs.
pub(super) fn as_json(people: &[PersonCount]) -> Value {
    let row = |p: &PersonCount| {
        let example = p.example.as_ref().map(|path| path.to_string_lossy());
        json!({ "name": p.name, "photos": p.photos, "number": p.number, "named": p.is_named, "example": example, "example_id": p.example_id })
    };
    people.iter().map(row).collect()
}

fn list(context: &Context_, format: TableOrJson) -> anyhow::Result<Exit> {
    let people = StoreReader::open(&context.data_dir)?.persons()?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    match format {
        TableOrJson::Json => {
            let rows = as_json(&people);
            serde_json::to_writer(&mut out, &rows).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        }
        TableOrJson::Table => {
            let shown = |p: &PersonCount| match p.number.filter(|_| p.is_named) {
                Some(number) => format!("{} ({number})", printable(&p.name)),
                None => printable(&p.name),
            };
            let names: Vec<String> = people.iter().map(shown).collect();
            let width = names.iter().map(|name| name.chars().count()).max();
            let width = width.unwrap_or(0).min(40);
            for (p, name) in people.iter().zip(&names) {
                let example = p.example.as_ref().map(|path| path.to_string_lossy());
                let example = printable(&example.unwrap_or_default());
                let example = context.out.dim(&example);
                writeln!(out, "{:>9}  {name:width$}  {example}", count(p.photos))?;
            }
        }
    }
    out.flush()?;
    if people.is_empty() {
        context
            .out
            .notice(if Packs::new(&context.data_dir).tells_people() {
                "no photo names anybody yet, and nobody has been seen twice"
            } else {
                "no photo names anybody yet; `photond people on` tells faces apart"
            });
        return Ok(Exit::Nothing);
    }
    Ok(Exit::Done)
}

fn on(context: &Context_) -> anyhow::Result<Exit> {
    let packs = Packs::new(&context.data_dir);
    let pack = packs.open(FACE_ENCODER)?;
    if pack.whole().is_err() {
        super::model::install(context, FACE_ENCODER)?;
    }
    let was_on = packs.tells_people();
    packs.tell_people(true)?;
    let out = &context.out;
    if was_on {
        out.line("faces are told apart already")?;
        return Ok(Exit::Done);
    }
    let who = if is_held(&context.data_dir) {
        "the running photond looks at every photo once more, behind everything else, and begins within a minute"
    } else {
        "the next `photond watch` or `photond index` looks at every photo once more"
    };
    out.line("faces are told apart from now on")?;
    out.line(&format!("  {who}; `photond status` shows how far it is"))?;
    out.line(
        "  what tells them apart is kept in the index on this machine and nowhere else; `photond people off` ends it, `photond people forget --all` removes all of it",
    )?;
    Ok(Exit::Done)
}

fn off(context: &Context_) -> anyhow::Result<Exit> {
    Packs::new(&context.data_dir).tell_people(false)?;
    context.out.line("no more faces are told apart; what is known stays (`photond people forget --all` removes it)")?;
    Ok(Exit::Done)
}

/// The number of whom a person means.
fn number(reader: &StoreReader, typed: &str) -> anyhow::Result<i64> {
    if let Some(number) = reader.person_called(typed)? {
        return Ok(number);
    }
    if !reader.people_called(typed)?.is_empty() {
        bail!(
            "photos name {typed:?}, but no face is known to be theirs: say the number that `photond people` lists"
        );
    }
    bail!("there is nobody called {typed:?} (`photond people` lists everybody)")
}

fn said(context: &Context_, word: &PersonWord) -> anyhow::Result<PersonChanged> {
    match say_of_persons(&context.data_dir, word)? {
        PersonChanged::Nobody(number) => {
            bail!("there is no person {number} (`photond people` lists everybody)")
        }
        changed => Ok(changed),
    }
}

fn rename(context: &Context_, person: &str, name: &str) -> anyhow::Result<Exit> {
    let Some(name) = Said::cleaned_name(name) else {
        bail!("{name:?} is no name: there is no letter in it");
    };
    let reader = StoreReader::open(&context.data_dir)?;
    let person = number(&reader, person)?;
    if reader.is_number(&name) {
        bail!("{name:?} is no name but a number; two are one with `photond people merge`");
    }
    let line = match said(context, &PersonWord::Name(person, name.clone()))? {
        PersonChanged::Merged(other) => {
            format!("person {person} is {name} too, and one with person {other} now")
        }
        PersonChanged::Done(photos) => {
            let photos = plural(photos, "photo", "photos");
            format!("person {person} is {} ({photos})", printable(&name))
        }
        _ => return Ok(Exit::Done),
    };
    context.out.line(&line)?;
    Ok(Exit::Done)
}

fn merge(context: &Context_, first: &str, second: &str) -> anyhow::Result<Exit> {
    let reader = StoreReader::open(&context.data_dir)?;
    let (first, second) = (number(&reader, first)?, number(&reader, second)?);
    if first == second {
        bail!("that is person {first} both times");
    }
    if let PersonChanged::Done(photos) = said(context, &PersonWord::Merge(first, second))? {
        let photos = plural(photos, "photo", "photos");
        let line = format!(
            "person {second} is person {first} now ({photos}); `photond people split {first}` takes that back"
        );
        context.out.line(&line)?;
    }
    Ok(Exit::Done)
}

fn split(context: &Context_, person: &str) -> anyhow::Result<Exit> {
    let reader = StoreReader::open(&context.data_dir)?;
    let person = number(&reader, person)?;
    match said(context, &PersonWord::Split(person))? {
        PersonChanged::Split(away) => {
            let away: Vec<String> = away.iter().map(|n| format!("person {n}")).collect();
            let line = format!("of person {person} there is now {} too", away.join(", "));
            context.out.line(&line)?;
            Ok(Exit::Done)
        }
        _ => bail!("person {person} has one face only, which cannot be parted"),
    }
}

fn not_on(context: &Context_, person: &str, files: &[PathBuf]) -> anyhow::Result<Exit> {
    let reader = StoreReader::open(&context.data_dir)?;
    let person = number(&reader, person)?;
    let mut failed = 0;
    for file in files {
        let done =
            content(&reader, file).and_then(|hash| said(context, &PersonWord::Not(person, hash)));
        let line = match done {
            Ok(PersonChanged::Done(_)) => {
                let line = format!("person {person} is not on {}", file.display());
                context.out.line(&printable(&line))?;
                continue;
            }
            Ok(_) => format!(
                "{}: no face of person {person} is known there; a name that the file itself says stays",
                file.display()
            ),
            Err(e) => format!("{e:#}"),
        };
        context.out.notice(&printable(&line));
        failed += 1;
    }
    if failed > 0 {
        bail!("{} as before", plural(failed, "photo is", "photos are"));
    }
    Ok(Exit::Done)
}

/// By the index, where the file is in it: its disk need not be there. Else by its bytes.
fn content(reader: &StoreReader, file: &Path) -> anyhow::Result<ContentHash> {
    let path = real_path(file);
    for root in reader.roots()? {
        if let Some(rel) = RelPath::below(&root.path, &path)
            && let Some(hit) = reader.photo_at(root.id, &rel)?
        {
            return Ok(hit.photo.hash);
        }
    }
    content_of(&path)
}

fn forget(context: &Context_, person: &str) -> anyhow::Result<Exit> {
    let reader = StoreReader::open(&context.data_dir)?;
    let person = number(&reader, person)?;
    drop(reader);
    if let PersonChanged::Done(photos) = said(context, &PersonWord::Forget(person))? {
        back_up_anew(&context.data_dir)?;
        let photos = plural(photos, "photo", "photos");
        context.out.line(&format!(
            "person {person} is forgotten, and the faces on {photos}; backups are made anew"
        ))?;
        context.out.line(
            "  on other photos they would be somebody new: to know them again is to remember them",
        )?;
    }
    Ok(Exit::Done)
}

fn forget_all(context: &Context_) -> anyhow::Result<Exit> {
    let packs = Packs::new(&context.data_dir);
    packs.tell_people(false)?;
    // Says so where there is none, or an older one.
    drop(StoreReader::open(&context.data_dir)?);
    let photos = forget_all_persons(&context.data_dir)?;
    back_up_anew(&context.data_dir)?;
    let photos = plural(photos, "photo", "photos");
    context.out.line(&format!(
        "every face is forgotten ({photos}), and no more are told apart; backups are made anew"
    ))?;
    Ok(Exit::Done)
}
