//! `photond people`

use std::io::{BufWriter, Write};

use serde_json::json;

use super::output::{count, printable};
use super::{Context_, Exit, TableOrJson};
use crate::store::StoreReader;

/// List the people that photos name, with their number of photos
///
/// Names come from the face regions that programs like digiKam, Picasa and Lightroom write, and from the notes
/// of a Google Photos export.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Shape of the list
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,
}

pub(super) fn run(context: &Context_, args: &Args) -> anyhow::Result<Exit> {
    let people = StoreReader::open(&context.data_dir)?.people_counts()?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    match args.format {
        TableOrJson::Json => {
            let row = |p: &crate::store::SaidCount| json!({ "name": p.name, "photos": p.photos });
            let rows: Vec<_> = people.iter().map(row).collect();
            serde_json::to_writer(&mut out, &rows).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        }
        TableOrJson::Table => {
            for p in &people {
                writeln!(out, "{:>9}  {}", count(p.photos), printable(&p.name))?;
            }
        }
    }
    out.flush()?;
    if people.is_empty() {
        context.out.notice("no photo names anybody yet");
        return Ok(Exit::Nothing);
    }
    Ok(Exit::Done)
}
