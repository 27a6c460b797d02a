//! Which search model a query goes by.

use std::path::Path;

use super::error::SearchError;
use crate::embedding::ModelId;
use crate::model::{ModelPack, packs};
use crate::store::{ModelRow, SpaceKind, StoreReader};

/// The search model of a query.
pub struct Chosen {
    /// Its pack.
    pub pack: ModelPack,
    /// Its row in the index.
    pub row: ModelRow,
    /// The one that was to answer, where that is another.
    pub instead_of: Option<Instead>,
}

/// A search model that has been chosen, or that queries went by until the chosen one has seen all
/// photos, and that does not answer.
pub struct Instead {
    /// Its name.
    pub name: String,
    /// Why its pack cannot be opened; `None`: its space is not whole yet.
    pub trouble: Option<String>,
    /// The one that answers has not seen all photos: some cannot be found.
    pub partly: bool,
}

/// The model that serves queries; where its pack is gone, the one in use or any other whose pack
/// opens and whose vectors are there.
///
/// # Errors
/// [`SearchError::NothingSeen`] if no search model has seen a photo; a pack that is damaged, if no
/// other is of use; the database.
pub fn choose(reader: &StoreReader, data_dir: &Path) -> Result<Chosen, SearchError> {
    let in_use = packs::in_use(data_dir);
    let mut rows: Vec<ModelRow> = reader
        .models()?
        .into_iter()
        .filter(|row| row.kind == SpaceKind::Search && row.dims > 0)
        .collect();
    let is_in_use = |row: &ModelRow| row.name.pack_name() == in_use;
    // Serving first, then the one in use, then whatever was there last.
    rows.sort_by_key(|row| (!row.serving, !is_in_use(row), std::cmp::Reverse(row.id)));
    let serving = rows
        .first()
        .filter(|row| row.serving)
        .map(|r| r.name.clone());
    let mut trouble = None;
    for row in rows {
        match packs::open(data_dir, row.name.pack_name()) {
            Ok(pack) if pack.id == row.name => {
                if reader.newest_seq(row.id)? == 0 {
                    continue;
                }
                let instead_of = match &serving {
                    // The one chosen answers, but before it can: the one that serves is gone.
                    Some(serving) if !row.serving => Some(Instead {
                        name: serving.pack_name().to_owned(),
                        trouble: Some(trouble_with(data_dir, serving)),
                        partly: true,
                    }),
                    _ => (!is_in_use(&row)).then(|| Instead {
                        trouble: packs::open(data_dir, &in_use).err().map(|e| e.to_string()),
                        name: in_use,
                        partly: false,
                    }),
                };
                return Ok(Chosen {
                    pack,
                    row,
                    instead_of,
                });
            }
            // Another revision: its vectors do not go with these.
            Ok(_) => {}
            Err(e) => {
                trouble.get_or_insert(e);
            }
        }
    }
    match trouble {
        Some(e) => Err(e.into()),
        None => Err(SearchError::NothingSeen { model: in_use }),
    }
}

/// Why the pack of this very name and revision is not to be had.
fn trouble_with(data_dir: &Path, id: &ModelId) -> String {
    match packs::open(data_dir, id.pack_name()) {
        Ok(pack) => format!("{id} has been replaced by {}", pack.id),
        Err(e) => e.to_string(),
    }
}
