//! `photond mark`

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::output::plural;
use super::show::{content_of, real_path};
use super::{Context_, Exit};
use crate::photo::{ContentHash, RelPath};
use crate::said::{Keyword, Said};
use crate::store::{RootRow, StoreReader, mark_beside};

/// Give photos words, stars or a title of your own
///
/// A mark belongs to what is in the file: it stays when the file is renamed or copied and when models change, counts before
/// what the file or a sidecar says, and is never written into the file. `query --tag`, `--keyword`, `--rating`
/// and `--text` find it.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  photond mark IMG_0042.jpg --tag \"Places|Lisbon\" --tag tram --rating 4
  photond mark *.jpg --no-tag tram
  photond mark IMG_0042.jpg --clear")]
pub(super) struct Args {
    /// The photos
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// A word; `A|B` stands below `A`
    #[arg(long = "tag", value_name = "T")]
    tags: Vec<String>,
    /// Take this word of yours away again
    #[arg(long = "no-tag", value_name = "T")]
    no_tags: Vec<String>,
    /// 1 to 5 stars; 0: none; -1: rejected
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = clap::value_parser!(i8).range(-1..=5))]
    rating: Option<i8>,
    /// Leave the stars to what the file says
    #[arg(long, conflicts_with = "rating")]
    no_rating: bool,
    /// A title
    #[arg(long, value_name = "S")]
    title: Option<String>,
    /// Leave the title to what the file says
    #[arg(long, conflicts_with = "title")]
    no_title: bool,
    /// Take all marks away
    #[arg(long)]
    clear: bool,
}

pub(super) fn run(context: &Context_, args: &Args) -> anyhow::Result<Exit> {
    let tags = keywords(&args.tags)?;
    let no_tags = keywords(&args.no_tags)?;
    let title = args.title.as_deref().map(Said::cleaned_title);
    if title == Some(None) {
        bail!("--title: there is no letter in it; --no-title takes a title away");
    }
    let says_nothing = tags.is_empty()
        && no_tags.is_empty()
        && args.rating.is_none()
        && title.is_none()
        && !(args.no_rating || args.no_title || args.clear);
    if says_nothing {
        bail!(
            "say what to mark them with: --tag, --rating or --title (`photond mark --help` has examples)"
        );
    }
    let reader = StoreReader::open(&context.data_dir)?;
    let roots = reader.roots()?;
    let (mut contents, mut failed) = (Vec::new(), 0);
    for file in &args.files {
        match content(&reader, &roots, file) {
            Ok(hash) => contents.push(hash),
            Err(e) => {
                context.out.notice(&format!("photond: {e:#}"));
                failed += 1;
            }
        }
    }
    mark_beside(&context.data_dir, &contents, &|said| {
        if args.clear {
            *said = Said::default();
        }
        let unwanted = |keyword: &Keyword| {
            no_tags
                .iter()
                .chain(&tags)
                .any(|other| other.folded() == keyword.folded())
        };
        said.keywords.retain(|keyword| !unwanted(keyword));
        said.keywords.extend(tags.iter().cloned());
        if args.no_rating || args.rating.is_some() {
            said.rating = args.rating;
        }
        if let Some(title) = &title {
            said.title.clone_from(title);
        } else if args.no_title {
            said.title = None;
        }
    })?;
    if !context.quiet {
        context.out.notice(&format!(
            "{} marked",
            plural(contents.len(), "photo", "photos")
        ));
    }
    if failed > 0 {
        bail!("{} not marked", plural(failed, "file was", "files were"));
    }
    Ok(Exit::Done)
}

fn keywords(words: &[String]) -> anyhow::Result<Vec<Keyword>> {
    let read = |word: &String| {
        Keyword::path(word, '|')
            .with_context(|| format!("{word:?} is no word: there is no letter in it"))
    };
    words.iter().map(read).collect()
}

/// By the index, where the file is in it: its disk need not be there. Else by its bytes.
fn content(reader: &StoreReader, roots: &[RootRow], file: &Path) -> anyhow::Result<ContentHash> {
    let path = real_path(file);
    for root in roots {
        if let Some(rel) = RelPath::below(&root.path, &path)
            && let Some(hit) = reader.photo_at(root.id, &rel)?
        {
            return Ok(hit.photo.hash);
        }
    }
    content_of(&path)
}
