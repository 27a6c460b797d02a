//! `photond places`

use std::io::{BufWriter, Write};

use serde::Serialize;
use serde_json::Value;

use super::output::{count, printable};
use super::{Context_, Exit, TableOrJson};
use crate::photo::Locality;
use crate::search::{SearchError, localities};
use crate::store::{LocalityCount, StoreReader};

/// List where photos were taken, by country, region and place, with their number of photos
///
/// Names come from GeoNames (geonames.org, CC-BY-4.0), which is built in; nothing is asked of any server.
/// A photo belongs to the place that it was taken in or, up to 25 kilometres outside, near.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Only there: a city, region or country, in any language; or several, like `Paris, Texas`
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// Shape of the list
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,
}

/// Something on the map with what is in it.
#[derive(Serialize)]
struct Branch {
    name: String,
    /// Of a country: its ISO 3166 code.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    photos: i64,
    #[serde(skip_serializing_if = "Vec::is_empty", rename = "within")]
    branches: Vec<Branch>,
}

pub(super) fn run(context: &Context_, args: &Args) -> anyhow::Result<Exit> {
    let reader = StoreReader::open(&context.data_dir)?;
    let mut counts = reader.locality_counts()?;
    if !args.words.is_empty() && !counts.is_empty() {
        match localities(&reader, &args.words.join(" ")) {
            Ok(ids) => counts.retain(|count| ids.binary_search(&count.id).is_ok()),
            Err(e @ (SearchError::UnknownPlace { .. } | SearchError::NotTakenThere { .. })) => {
                context.out.notice(&format!("photond: {e}"));
                return Ok(Exit::Nothing);
            }
            Err(e) => return Err(e.into()),
        }
    }
    let tree = tree(&counts);
    let mut out = BufWriter::new(std::io::stdout().lock());
    match args.format {
        TableOrJson::Json => {
            serde_json::to_writer(&mut out, &tree).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        }
        TableOrJson::Table => list(&tree, 0, &mut out)?,
    }
    out.flush()?;
    if tree.is_empty() {
        context
            .out
            .notice("no photo is known to have been taken anywhere yet");
        return Ok(Exit::Nothing);
    }
    Ok(Exit::Done)
}

fn list(branches: &[Branch], depth: usize, out: &mut impl Write) -> std::io::Result<()> {
    for branch in branches {
        let (photos, name) = (count(branch.photos), printable(&branch.name));
        writeln!(out, "{photos:>9}  {:indent$}{name}", "", indent = 2 * depth)?;
        list(&branch.branches, depth + 1, out)?;
    }
    Ok(())
}

/// Countries, regions in them and places in these, most photos first. What lies near a place counts as there,
/// and what is only known to a region or country counts for that alone.
fn tree(counts: &[LocalityCount]) -> Vec<Branch> {
    let mut countries = Vec::new();
    for count in counts {
        let Locality {
            name,
            region,
            country,
            code,
            ..
        } = &count.locality;
        let country = grown(&mut countries, country, count.photos);
        country.code = Some(code.clone());
        let mut at = country;
        for name in region.iter().chain(name) {
            at = grown(&mut at.branches, name, count.photos);
        }
    }
    sort(&mut countries);
    countries
}

/// The same for programs: of each level those with most photos.
pub(super) fn largest(counts: &[LocalityCount], most: usize) -> serde_json::Result<Value> {
    fn cut(branches: &mut Vec<Branch>, most: usize) {
        branches.truncate(most);
        for branch in branches {
            cut(&mut branch.branches, most);
        }
    }
    let mut tree = tree(counts);
    cut(&mut tree, most);
    serde_json::to_value(tree)
}

/// The branch of a name, with more photos.
fn grown<'b>(branches: &'b mut Vec<Branch>, name: &str, photos: i64) -> &'b mut Branch {
    let at = branches.iter().position(|branch| branch.name == name);
    let at = at.unwrap_or_else(|| {
        branches.push(Branch {
            name: name.to_owned(),
            code: None,
            photos: 0,
            branches: Vec::new(),
        });
        branches.len() - 1
    });
    branches[at].photos += photos;
    &mut branches[at]
}

fn sort(branches: &mut [Branch]) {
    branches.sort_by(|a, b| (b.photos, &a.name).cmp(&(a.photos, &b.name)));
    for branch in branches {
        sort(&mut branch.branches);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_that_are_not_known_are_left_out() {
        let count =
            |name: Option<&str>, near, region: Option<&str>, country: &str, photos| LocalityCount {
                id: 0,
                photos,
                locality: Locality {
                    name: name.map(str::to_owned),
                    near,
                    region: region.map(str::to_owned),
                    country: country.to_owned(),
                    code: "XX".to_owned(),
                },
            };
        let tree = tree(&[
            count(Some("Singapore"), false, None, "Singapore", 2),
            count(None, false, Some("Tuscany"), "Italy", 1),
            count(Some("Pisa"), false, Some("Tuscany"), "Italy", 3),
            count(Some("Pisa"), true, Some("Tuscany"), "Italy", 4),
            count(Some("Siena"), true, Some("Tuscany"), "Italy", 9),
        ]);
        let mut shown = Vec::new();
        list(&tree, 0, &mut shown).unwrap();
        let shown = String::from_utf8(shown).unwrap();
        let lines: Vec<&str> = shown.lines().map(str::trim_start).collect();
        assert_eq!(
            lines,
            [
                "17  Italy",
                "17    Tuscany",
                "9      Siena",
                "7      Pisa",
                "2  Singapore",
                "2    Singapore",
            ]
        );
    }
}
