//! `photond tags`

use std::io::{BufWriter, Write};

use serde_json::json;

use super::output::{count, printable};
use super::{Context_, Exit, TableOrJson};
use crate::store::StoreReader;

/// List every tag and keyword with its number of photos
#[derive(clap::Args)]
pub(super) struct Args {
    /// Shape of the list
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,
}

pub(super) fn run(context: &Context_, args: &Args) -> anyhow::Result<Exit> {
    let reader = StoreReader::open(&context.data_dir)?;
    let tags = reader.tag_counts(context.config.min_confidence)?;
    let keywords = reader.keyword_counts()?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    match args.format {
        TableOrJson::Json => {
            let rows: Vec<_> = tags
                .iter()
                .map(|t| json!({ "name": t.name, "term": t.key, "photos": t.photos }))
                .chain(
                    keywords
                        .iter()
                        .map(|k| json!({ "keyword": k.name, "photos": k.photos })),
                )
                .collect();
            serde_json::to_writer(&mut out, &rows).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        }
        TableOrJson::Table => {
            for t in &tags {
                writeln!(out, "{:>9}  {}", count(t.photos), printable(&t.name))?;
            }
            if !keywords.is_empty() {
                writeln!(out, "\nKeywords that people gave:")?;
            }
            for k in &keywords {
                writeln!(out, "{:>9}  {}", count(k.photos), printable(&k.name))?;
            }
        }
    }
    out.flush()?;
    if tags.is_empty() && keywords.is_empty() {
        context.out.notice("no tags yet");
        return Ok(Exit::Nothing);
    }
    Ok(Exit::Done)
}
