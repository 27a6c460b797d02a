//! The words that queries are understood by, for every command that needs them.

use super::Context_;
use super::output::printable;
use crate::daemon::classifier;
use crate::model::{ModelPack, default_pack, faces_id, things_id};
use crate::search::{Chosen, Searcher, SourceNames, Space, TextSide};
use crate::store::StoreReader;
use crate::tag::{Classifier, Lexicon, OwnTerms, Words};

/// The classifier's words, the lexicon's and a person's own.
pub(super) struct KnownWords {
    pub pack: ModelPack,
    pub classifier: Classifier,
    lexicon: Lexicon,
    own: OwnTerms,
}

impl KnownWords {
    /// A bad file of one's own words is said, and is as good as none.
    pub fn read(context: &Context_) -> anyhow::Result<Self> {
        let own = OwnTerms::read(&context.data_dir).unwrap_or_else(|e| {
            let line = format!("photond: {}", printable(&e.to_string()));
            context.out.notice(&line);
            OwnTerms::default()
        });
        let pack = default_pack()?;
        Ok(Self {
            classifier: classifier(&pack)?,
            lexicon: Lexicon::built_in()?,
            pack,
            own,
        })
    }

    pub fn words(&self) -> Words<'_> {
        Words {
            vocabulary: self.classifier.vocabulary(),
            lexicon: &self.lexicon,
            own: &self.own,
        }
    }

    /// How the vectors of the search model's space are reached.
    pub fn space<'a>(
        &'a self,
        context: &'a Context_,
        (chosen, text): (&'a Chosen, Option<&'a TextSide>),
    ) -> Space<'a> {
        Space {
            pack: &chosen.pack,
            model: chosen.row.id,
            classifier: &self.pack,
            data_dir: &context.data_dir,
            max_file: context.config.max_file_mib << 20,
            stop: None,
            text,
        }
    }

    pub fn searcher<'a>(
        &'a self,
        context: &Context_,
        reader: &'a StoreReader,
    ) -> anyhow::Result<Searcher<'a>> {
        let search = reader.serving()?.map(|model| model.name.0);
        Ok(Searcher {
            reader,
            words: self.words(),
            classifier: &self.classifier,
            sources: SourceNames {
                classifier: self.pack.id.0.clone(),
                search: search.unwrap_or_default(),
                things: things_id()?.0,
                faces: faces_id()?.0,
            },
            cutoff: context.config.min_confidence,
        })
    }
}
