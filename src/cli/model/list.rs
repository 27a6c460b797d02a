//! `photond model list`

use serde_json::{Value, json};

use super::super::output::printable;
use super::super::{Context_, Exit, TableOrJson};
use crate::model::install::{CLASSIFIER, bytes, catalogue};
use crate::model::packs::Packs;
use crate::model::{Kind, Manifest, ModelError, ModelPack, find_runtime};

/// One line of the list.
struct Line {
    name: String,
    id: Option<String>,
    kind: &'static str,
    dims: Option<usize>,
    bytes: Option<u64>,
    state: State,
    in_use: bool,
    /// What a person should know beside it.
    about: String,
    licence: Option<String>,
    variants: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    BuiltIn,
    Installed,
    Damaged,
    Available,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::BuiltIn => "built in",
            Self::Installed => "installed",
            Self::Damaged => "damaged",
            Self::Available => "available",
        }
    }
}

pub(super) fn run(context: &Context_, format: TableOrJson) -> anyhow::Result<Exit> {
    let lines = lines(context)?;
    match format {
        TableOrJson::Json => {
            let all: Vec<Value> = lines.iter().map(as_json).collect();
            context.out.line(&Value::from(all).to_string())?;
        }
        TableOrJson::Table => {
            table(context, &lines)?;
            match find_runtime(&context.data_dir) {
                Ok(choice) => context.out.line(&context.out.dim(&format!(
                    "they run on {} ({})",
                    choice.path.display(),
                    choice.found_by
                )))?,
                Err(e) => context.out.line(&context.out.red(&e.to_string()))?,
            }
        }
    }
    Ok(Exit::Done)
}

fn lines(context: &Context_) -> anyhow::Result<Vec<Line>> {
    let packs = Packs::new(&context.data_dir);
    let in_use = packs.in_use()?;
    let mut lines: Vec<Line> = packs
        .list()
        .iter()
        .map(|entry| match &entry.pack {
            Ok(pack) => here(pack, entry.dir.is_none(), pack.name() == in_use),
            Err(e) => Line {
                name: entry.name.clone(),
                id: None,
                kind: "?",
                dims: None,
                bytes: None,
                state: State::Damaged,
                in_use: entry.name == in_use,
                about: e.to_string(),
                licence: None,
                variants: Vec::new(),
            },
        })
        .collect();
    if !lines.iter().any(|l| l.in_use) {
        lines.push(Line {
            name: in_use.clone(),
            id: None,
            kind: "?",
            dims: None,
            bytes: None,
            state: State::Damaged,
            in_use: true,
            about: format!(
                "chosen, but not here: `photond model install {in_use}`, or choose another with `photond model use`"
            ),
            licence: None,
            variants: Vec::new(),
        });
    }
    for pack in catalogue()? {
        if !lines.iter().any(|l| l.name == pack.name) {
            lines.push(available(&pack));
        }
    }
    Ok(lines)
}

fn here(pack: &ModelPack, built_in: bool, in_use: bool) -> Line {
    let mut about = if pack.name() == CLASSIFIER {
        "makes the tags, always runs".to_owned()
    } else {
        pack.description.clone()
    };
    let whole = pack.whole();
    if let Err(ModelError::Incomplete { reason, remedy, .. }) = &whole {
        about = format!("not complete yet: {reason}; {remedy}");
    }
    if pack.kind == Kind::DualEncoder
        && let Err(e) = pack.text_side()
    {
        about = format!("--text does not work yet: {}", super::missing_text(&e));
    }
    Line {
        name: pack.name().to_owned(),
        id: Some(pack.id.to_string()),
        kind: kind(pack.kind),
        dims: Some(pack.manifest.dims).filter(|dims| *dims > 0),
        bytes: Some(pack.files().map(|(_, size)| size).sum()),
        state: if whole.is_err() && pack.kind != Kind::DualEncoder {
            State::Available
        } else if built_in && pack.kind != Kind::TextReader {
            State::BuiltIn
        } else {
            State::Installed
        },
        in_use,
        about,
        licence: Some(pack.licence.clone()),
        variants: Vec::new(),
    }
}

fn available(pack: &Manifest) -> Line {
    Line {
        name: pack.name.clone(),
        id: None,
        kind: kind(pack.kind),
        dims: Some(pack.dims),
        bytes: pack.files.values().map(|f| f.size).sum(),
        state: State::Available,
        in_use: false,
        about: pack.description.clone(),
        licence: Some(pack.licence.weights.clone()),
        variants: pack.variants.keys().cloned().collect(),
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Classifier => "tags",
        Kind::DualEncoder => "search",
        Kind::Detector => "boxes",
        Kind::FaceEncoder => "faces",
        Kind::TextReader => "text",
    }
}

fn table(context: &Context_, lines: &[Line]) -> std::io::Result<()> {
    let out = &context.out;
    let width = lines.iter().map(|l| l.name.len()).max().unwrap_or(0).max(4);
    out.line(&out.dim(&format!(
        "{:width$}  {:6}  {:>5}  {:>9}  {:18}  ABOUT",
        "NAME", "KIND", "DIMS", "SIZE", "STATE"
    )))?;
    for line in lines {
        let name = format!("{:width$}", line.name);
        let state = if line.in_use && line.state == State::Damaged {
            "in use, damaged".to_owned()
        } else if line.in_use {
            format!("in use, {}", line.state.word())
        } else {
            line.state.word().to_owned()
        };
        let padded = format!("{state:18}");
        let mut about = printable(&line.about);
        if !line.variants.is_empty() {
            about += &format!(" (--variant {})", line.variants.join(", "));
        }
        out.line(&format!(
            "{}  {:6}  {:>5}  {:>9}  {}  {}",
            if line.in_use { out.bold(&name) } else { name },
            line.kind,
            line.dims.map_or_else(|| "-".to_owned(), |d| d.to_string()),
            line.bytes.map_or_else(|| "-".to_owned(), bytes),
            match line.state {
                State::Damaged => out.red(&padded),
                State::Available => out.dim(&padded),
                _ if line.in_use => out.green(&padded),
                _ => padded,
            },
            about,
        ))?;
    }
    Ok(())
}

fn as_json(line: &Line) -> Value {
    json!({
        "name": line.name,
        "id": line.id,
        "kind": line.kind,
        "dims": line.dims,
        "bytes": line.bytes,
        "state": line.state.word(),
        "built_in": line.state == State::BuiltIn,
        "in_use": line.in_use,
        "about": line.about,
        "licence": line.licence,
        "variants": line.variants,
    })
}
