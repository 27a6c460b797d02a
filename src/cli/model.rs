//! `photond model`

use serde_json::json;

use super::output::count;
use super::{Context_, Exit, TableOrJson};
use crate::daemon::tagger;
use crate::model::{EncoderOptions, ImageEncoder, Runtime, default_pack, find_runtime};

/// Show and check the models that make tags
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the models
    List {
        /// Shape of the list
        #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
        format: TableOrJson,
    },
    /// Check files and checksums, and run the model once
    Verify,
}

pub(super) fn run(context: &Context_, args: &Args) -> anyhow::Result<Exit> {
    let pack = default_pack()?;
    match args.command {
        Command::List { format } => {
            let bytes: usize = pack.files().map(|(_, n)| n).sum();
            let runtime = find_runtime(&context.data_dir);
            match format {
                TableOrJson::Json => context.out.line(
                    &json!([{
                        "id": pack.id.0, "kind": "classifier", "dims": pack.dims, "bytes": bytes,
                        "licence": pack.licence, "built_in": true, "in_use": runtime.is_ok(),
                    }])
                    .to_string(),
                )?,
                TableOrJson::Table => {
                    context.out.line(&format!(
                        "{}  classifier, {} dimensions, {:.1} MB, built in, {}",
                        context.out.bold(&pack.id.0),
                        pack.dims,
                        f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1e6,
                        pack.licence
                    ))?;
                    match runtime {
                        Ok(choice) => context.out.line(&format!(
                            "  runs on {} ({})",
                            choice.path.display(),
                            choice.found_by
                        ))?,
                        Err(e) => context
                            .out
                            .line(&format!("  {}", context.out.red(&e.to_string())))?,
                    }
                }
            }
        }
        Command::Verify => {
            let tagger = tagger(&pack)?;
            context.out.line(&format!(
                "{}: files and checksums are right, {} terms over {} labels",
                pack.id,
                count(tagger.vocabulary().terms().len() as u64),
                count(tagger.vocabulary().rows() as u64)
            ))?;
            let choice = find_runtime(&context.data_dir)?;
            let runtime = Runtime::load(&choice)?;
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            ImageEncoder::new(&runtime, &pack, EncoderOptions { threads })?;
            context
                .out
                .line(&format!("it runs on {}", choice.path.display()))?;
            context.out.line(&format!("  {}", runtime.describe()))?;
        }
    }
    Ok(Exit::Done)
}
