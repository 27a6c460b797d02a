//! `photond tags`

use std::io::{BufWriter, Write};

use serde_json::json;

use super::output::{count, printable};
use super::{Context_, Exit, TableOrJson};
use crate::said::text::bare;
use crate::store::StoreReader;
use crate::tag::forms;

/// List every tag and keyword with its number of photos
#[derive(clap::Args)]
pub(super) struct Args {
    /// Only those with all of these words in their names
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// Shape of the list
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,
}

pub(super) fn run(context: &Context_, args: &Args) -> anyhow::Result<Exit> {
    let reader = StoreReader::open(&context.data_dir)?;
    let mut tags = reader.tag_counts(context.config.min_confidence)?;
    let mut keywords = reader.keyword_counts()?;
    let any = !tags.is_empty() || !keywords.is_empty();
    tags.retain(|tag| says(&tag.name, &args.words));
    keywords.retain(|keyword| says(&keyword.name, &args.words));
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
    if !tags.is_empty() || !keywords.is_empty() {
        return Ok(Exit::Done);
    }
    if any {
        let words = args.words.join(" ");
        context.out.notice(&format!(
            "no photo has a tag with {words:?} in its name; `photond query {words}` looks for it in other ways too"
        ));
    } else {
        context.out.notice("no tags yet");
    }
    Ok(Exit::Nothing)
}

/// Whether a name has all of these words in it, in one of their forms.
fn says(name: &str, words: &[String]) -> bool {
    let name = bare(name);
    let parts: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
    let mut words = words.iter().flat_map(|given| given.split_whitespace());
    words.all(|word| {
        forms(&bare(word))
            .iter()
            .any(|form| parts.contains(&form.as_str()))
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_word_is_in_a_name_in_any_form() {
        let says = |name: &str, words: &[&str]| {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            super::says(name, &words)
        };
        assert!(
            says("hot dog", &["Dogs"]) && says("dog", &[]) && says("Places|K\u{fc}ste", &["kuste"])
        );
        assert!(says("hot dog", &["dog hot"]) && !says("dogsled", &["dog"]));
    }
}
