//! Which photos a query finds, and views of them.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;

use super::answer::{Failed, as_bytes};
use super::asked::{AskedQuery, SortBy, ViewRequest};
use super::desk::Desk;
use super::routes::{MaxFile, read};
use super::view::ViewBody;
use crate::search::{Query, Searcher, Space, Standing, Wish, choose};
use crate::store::StoreReader;

/// Photos that a ranked view shows beyond the confident answers.
const BEYOND: usize = 200;

/// What a query finds.
pub(super) enum Matching {
    /// Nothing is asked: all there is.
    Everything,
    /// Those that fit, in no order.
    These(Vec<i64>),
    /// The best first.
    Ranked(Vec<Standing>),
}

impl Matching {
    /// What fits; of what is ranked the confident answers and so many `beyond` them, at most `limit`.
    ///
    /// # Errors
    /// A query that is not understood; the database.
    pub fn find(
        desk: &Desk,
        reader: &StoreReader,
        (asked, limit): (AskedQuery, Option<usize>),
        beyond: usize,
        max_file: u64,
    ) -> Result<Self, Failed> {
        let (wishes, mut query) = asked.understood(reader)?;
        if wishes.is_empty() && query == Query::default() {
            return Ok(Self::Everything);
        }
        let answers = desk.answers()?;
        let searcher = answers.searcher(reader)?;
        if wishes.is_empty() {
            return Ok(Self::These(searcher.photo_ids(&query)?));
        }
        query.limit = limit;
        let found = choose(reader, desk.data_dir()).and_then(|chosen| {
            let reads = wishes.iter().any(|wish| wish.sentence().is_some());
            let text = reads.then(|| desk.text_side(&chosen.pack));
            let space = Space {
                pack: &chosen.pack,
                model: chosen.row.id,
                classifier: answers.classifier_pack(),
                data_dir: desk.data_dir(),
                max_file,
                stop: None,
                text: text.as_ref().map(|(text, _)| &**text),
            };
            let closest = searcher.closest(&space, &query, &wishes, beyond);
            if text.is_some_and(|(_, is_new)| is_new) {
                // Making its graph takes twice what the graph keeps.
                crate::index::give_memory_back();
            }
            closest
        });
        match found {
            Ok(best) => Ok(Self::Ranked(best)),
            // Plain words mean something without a model too.
            Err(e) if e.is_of_the_model() => match wishes.as_slice() {
                [wish] if wish.sentence().is_some() => {
                    Ok(Self::These(by_words(&searcher, &query, wish)?))
                }
                _ => Err(e.into()),
            },
            Err(e) => Err(e.into()),
        }
    }

    /// The photos alone.
    pub fn ids(self, desk: &Desk, reader: &StoreReader) -> Result<Vec<i64>, Failed> {
        Ok(match self {
            Self::Everything => desk.tiles(reader)?.all.tiles().ids().collect(),
            Self::These(ids) => ids,
            Self::Ranked(best) => best.iter().map(|standing| standing.photo).collect(),
        })
    }
}

fn by_words(searcher: &Searcher<'_>, query: &Query, wish: &Wish) -> Result<Vec<i64>, Failed> {
    let mut ids = Vec::new();
    searcher.by_words(query, wish.sentence().unwrap_or_default(), &mut |shot| {
        ids.push(shot.face.photo.id);
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(ids)
}

/// `POST /api/v1/view`
pub(super) async fn view(
    State(desk): State<Arc<Desk>>,
    Extension(MaxFile(max_file)): Extension<MaxFile>,
    body: Bytes,
) -> Result<Response, Failed> {
    let request: ViewRequest = read(&body)?;
    let view = desk.with(move |desk, reader| view_of(desk, reader, request, max_file));
    Ok(as_bytes("application/octet-stream", view.await?))
}

fn view_of(
    desk: &Desk,
    reader: &StoreReader,
    request: ViewRequest,
    max_file: u64,
) -> Result<Body, Failed> {
    let tiles = desk.tiles(reader)?;
    let head = tiles.head();
    let by_date = request.sort == Some(SortBy::Date);
    let beyond = if by_date { 0 } else { BEYOND };
    let asked = (request.query, request.limit);
    let only = |ids| Arc::new(tiles.all.only(ids));
    Ok(
        match Matching::find(desk, reader, asked, beyond, max_file)? {
            Matching::Everything => ViewBody::of(tiles.all.tiles(), head)?.into(),
            Matching::These(ids) => ViewBody::of(&only(ids), head)?.into(),
            Matching::Ranked(best) if by_date => {
                let ids = best.iter().map(|standing| standing.photo).collect();
                ViewBody::of(&only(ids), head)?.into()
            }
            Matching::Ranked(best) => tiles.all.best(&best)?.bytes(head)?.into(),
        },
    )
}
