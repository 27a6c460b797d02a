//! Ranked queries: every photo's closeness to what is asked for, in words and in vectors, with an
//! honest word on whether it is any good.
//!
//! Promises: exact (all vectors are compared, no index is trusted), the same for the same index
//! whatever the threads; a photo indexed a moment ago is there; other filters hold as in any query;
//! what is not confident is not shown unless it is asked for. Memory: about 40 bytes a photo where all
//! standings are wanted, less where only the best are.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::allowed::Allowed;
use super::background::{Background, Needed, Of};
use super::best::{Best, sort_best};
use super::error::SearchError;
use super::example::{Examples, TextSide};
use super::judge::{Judge, Standing, Why, WordEvidence, asks};
use super::language::Foreign;
use super::pairs::{Shot, Shots};
use super::query::{Query, Searcher};
use super::vectors::{Tell, VectorIndex, Vectors};
use super::wish::{Like, Wish};
use crate::embedding::Embedding;
use crate::matrix::Scan;
use crate::model::ModelPack;
use crate::store::{Hit, PhotoFilter, StoreReader};

/// Results shown where the query does not say how many.
pub const DEFAULT_LIMIT: usize = 100;
/// New vectors that a query takes from the database each time; more than that become a piece first.
const TAIL: usize = 4096;

/// A search model with what it takes to ask it.
pub struct Space<'a> {
    /// The search model.
    pub pack: &'a ModelPack,
    /// `models.id`.
    pub model: i64,
    /// What it is derived from, if it is.
    pub classifier: &'a ModelPack,
    /// Where the vector file and the runtime lie.
    pub data_dir: &'a Path,
    /// Largest example file, in bytes.
    pub max_file: u64,
    /// Set when long work should break off.
    pub stop: Option<&'a AtomicBool>,
    /// Its text model, if somebody has begun to load it.
    pub text: Option<&'a TextSide>,
}

/// One ranked photo at one of its places.
pub struct RankedHit<'a> {
    /// The photo.
    pub shot: &'a Shot,
    /// Where it stands.
    pub standing: &'a Standing,
    /// Why it stands there.
    pub why: &'a Why,
}

/// How a ranked query ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked {
    /// Rows shown: places.
    pub shown: usize,
    /// Photos shown, some of them at several places.
    pub photos: usize,
    /// Files passed over, since their pairs are shown as others.
    pub passed_over: usize,
    /// Photos that are confident answers (before the limit and the path filter).
    pub confident: usize,
    /// Photos that were compared.
    pub compared: usize,
    /// What speaks against a sentence being in the language that the model reads.
    pub foreign: Option<Foreign>,
}

/// What photos are compared for.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    query: &'a Query,
    wishes: &'a [Wish],
    /// So many that are no confident answers.
    beyond: usize,
    /// Whether somebody is told what speaks against the sentence's language.
    asks_language: bool,
}

impl Searcher<'_> {
    /// Shows photos to `visit`, best first, until it breaks or the limit is reached.
    ///
    /// # Errors
    /// A wish that cannot be understood, a model that is missing, a bad filter; or the database.
    pub fn rank(
        &self,
        space: &Space<'_>,
        query: &Query,
        wishes: &[Wish],
        tell: Tell<'_>,
        visit: &mut dyn FnMut(RankedHit<'_>) -> ControlFlow<()>,
    ) -> Result<Ranked, SearchError> {
        let places = self.places_of(query)?;
        let fits = |root, path: &_| places.fit(root, path);
        let filter = self.filter(query, &places, &fits)?;
        let wanted = Wanted {
            query,
            wishes,
            beyond: if query.all { usize::MAX } else { 0 },
            asks_language: true,
        };
        self.compare(
            space,
            wanted,
            &filter,
            tell,
            |judge, words, standings, ranked| {
                self.show_best(query, &filter, (judge, words), (standings, ranked), visit)
            },
        )
    }

    /// The confident answers to `wishes`, best first, and so many `beyond` them, without a look at where they
    /// lie. `query.limit` bounds both.
    ///
    /// # Errors
    /// As [`Self::rank`].
    pub fn closest(
        &self,
        space: &Space<'_>,
        query: &Query,
        wishes: &[Wish],
        beyond: usize,
    ) -> Result<Vec<Standing>, SearchError> {
        let places = self.places_of(query)?;
        let fits = |root, path: &_| places.fit(root, path);
        let filter = self.filter(query, &places, &fits)?;
        let wanted = Wanted {
            query,
            wishes,
            beyond,
            asks_language: false,
        };
        self.compare(
            space,
            wanted,
            &filter,
            &mut |_, _| {},
            |_, _, mut best, _| {
                let limit = best.len().min(query.limit.unwrap_or(usize::MAX));
                sort_best(&mut best, limit);
                best.truncate(limit);
                Ok(best)
            },
        )
    }

    /// Compares every photo that fits with what is wanted, and hands on what stands where, in no order.
    fn compare<T>(
        &self,
        space: &Space<'_>,
        wanted: Wanted<'_>,
        filter: &PhotoFilter<'_>,
        tell: Tell<'_>,
        then: impl FnOnce(&Judge, &WordEvidence, Vec<Standing>, Ranked) -> Result<T, SearchError>,
    ) -> Result<T, SearchError> {
        let Wanted { query, wishes, .. } = wanted;
        if wishes.iter().any(|w| w.sentence().is_some()) {
            space.pack.text_side()?;
        }
        let mut examples = self.examples(space);
        let mut vectors = SpaceVectors::open(self.reader, space, tell)?;
        if vectors.vectors.most() == 0 {
            return Err(SearchError::NothingSeen {
                model: space.pack.id.to_string(),
            });
        }
        let needed = asks(wishes, space.pack.derived_from().is_some());
        let background = vectors.background(needed, &mut examples);
        let judge = Judge::new(
            space.pack,
            background.as_ref(),
            (wishes, self.words.vocabulary),
            query.min_confidence,
        );
        let words = judge.words(
            self.reader,
            (self.words.vocabulary, &self.sources.things),
            query.all,
        )?;
        let allowed = self.allowed(filter)?;
        let directions = Directions::new(&mut examples, wishes)?;
        let foreign = match wanted.asks_language {
            true => self.foreign(&mut examples, wishes, &words)?,
            false => None,
        };
        drop(examples);
        let (standings, compared) =
            vectors.standings(&directions, &allowed, wanted.beyond, &|photo, scores| {
                judge.standing(photo, judge.closeness(scores), &words)
            })?;
        let ranked = Ranked {
            shown: 0,
            photos: 0,
            passed_over: 0,
            confident: standings.iter().filter(|s| s.confident).count(),
            compared,
            foreign,
        };
        then(&judge, &words, standings, ranked)
    }

    fn show_best(
        &self,
        query: &Query,
        filter: &PhotoFilter<'_>,
        (judge, words): (&Judge, &WordEvidence),
        (mut standings, mut ranked): (Vec<Standing>, Ranked),
        visit: &mut dyn FnMut(RankedHit<'_>) -> ControlFlow<()>,
    ) -> Result<Ranked, SearchError> {
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
        let condition = self.reader.condition(filter)?;
        let mut shots = Shots::new(self.reader, query.all_files, true);
        let found = OnceCell::<HashSet<i64>>::new();
        let (mut done, mut wanted) = (0, 0);
        while ranked.shown < limit && done < standings.len() {
            // A few more than are needed: some may lie outside the path, or nowhere any more. Twice
            // as many each time, as each time looks at all that is left.
            wanted = (2 * (limit - ranked.shown) + 64).max(2 * wanted);
            let best = done..standings.len().min(done + wanted);
            done = best.end;
            sort_best(&mut standings[best.start..], best.len());
            let is_found = |photo: &i64| {
                let all = || standings.iter().map(|s| s.photo).collect();
                found.get_or_init(all).contains(photo)
            };
            for (standing, hits) in self.places(&standings[best], filter)? {
                let before = ranked.shown;
                for hit in hits {
                    let is_copy = ranked.shown > before;
                    if is_copy && !query.all_paths {
                        break;
                    }
                    let shot = shots.shot(hit, &mut |other| {
                        Ok(is_found(&other.photo.id) && condition.holds(other)?)
                    })?;
                    let Some(shot) = shot else {
                        ranked.passed_over += 1;
                        continue;
                    };
                    ranked.photos += usize::from(!is_copy);
                    ranked.shown += 1;
                    let why = judge.why(standing, words);
                    let row = RankedHit {
                        shot: &shot,
                        standing,
                        why: &why,
                    };
                    if visit(row).is_break() || ranked.shown >= limit {
                        return Ok(ranked);
                    }
                }
            }
        }
        Ok(ranked)
    }

    /// Whether a sentence is in a language that the model does not read, and no name says it either.
    fn foreign(
        &self,
        examples: &mut Examples<'_>,
        wishes: &[Wish],
        words: &WordEvidence,
    ) -> Result<Option<Foreign>, SearchError> {
        let sentences = wishes.iter().filter_map(Wish::sentence);
        let sentences = sentences.filter(|_| !words.are_names());
        let knows = |word: &str| self.words.know(word);
        for sentence in sentences {
            let foreign = examples.foreign(sentence, &knows)?;
            if foreign.is_some() {
                return Ok(foreign);
            }
        }
        Ok(None)
    }

    fn examples<'e>(&'e self, space: &Space<'e>) -> Examples<'e> {
        Examples::new(
            self.reader,
            (space.pack, space.model),
            (space.classifier, self.classifier),
            (space.data_dir, space.max_file),
            space.stop,
        )
        .with_text(space.text)
    }

    /// About how long a query with a sentence has to prepare before the first answer in this space,
    /// once for all queries; `None` if that is done.
    ///
    /// # Errors
    /// The database.
    pub fn preparing(&self, space: &Space<'_>) -> Result<Option<Duration>, SearchError> {
        let index = index(self.reader, space)?;
        let of = Of {
            model: &space.pack.id,
            identity: self.reader.identity()?,
            index: &index,
        };
        Ok(Background::phrases_take(of, space.pack))
    }

    /// The photos that fit the filter.
    fn allowed(&self, filter: &PhotoFilter<'_>) -> Result<Allowed, SearchError> {
        if filter.is_empty() {
            return Ok(Allowed::AllBut(self.reader.nowhere()?));
        }
        Ok(Allowed::these(self.reader.photo_ids(filter)?))
    }

    /// The places of photos, in the order of the standings.
    fn places<'s>(
        &self,
        standings: &'s [Standing],
        filter: &PhotoFilter<'_>,
    ) -> Result<Vec<(&'s Standing, Vec<Hit>)>, SearchError> {
        let ids: Vec<i64> = standings.iter().map(|s| s.photo).collect();
        let mut places: HashMap<i64, Vec<Hit>> = HashMap::new();
        for hit in self.reader.hits_of(&ids, filter)? {
            places.entry(hit.photo.id).or_default().push(hit);
        }
        Ok(standings
            .iter()
            .filter_map(|s| Some((s, places.remove(&s.photo)?)))
            .collect())
    }
}

/// The pieces of a space's vectors.
fn index<'a>(reader: &'a StoreReader, space: &Space<'_>) -> Result<VectorIndex<'a>, SearchError> {
    let model = (space.model, &space.pack.id, space.pack.dims);
    Ok(VectorIndex::new(reader, space.data_dir, model)?)
}

/// The vectors of a space, and where they come from.
pub(super) struct SpaceVectors<'a> {
    space: &'a Space<'a>,
    reader: &'a StoreReader,
    index: VectorIndex<'a>,
    pub vectors: Vectors,
}

impl<'a> SpaceVectors<'a> {
    pub fn open(
        reader: &'a StoreReader,
        space: &'a Space<'a>,
        tell: Tell<'_>,
    ) -> Result<Self, SearchError> {
        let index = index(reader, space)?;
        let vectors = index.open(TAIL, tell)?;
        if let Some(e) = vectors.not_written() {
            tracing::debug!("{e}");
        }
        Ok(Self {
            space,
            reader,
            index,
            vectors,
        })
    }

    /// The library's background.
    pub fn background(
        &mut self,
        needed: Needed,
        examples: &mut Examples<'_>,
    ) -> Option<Background> {
        let of = Of {
            model: &self.space.pack.id,
            identity: self.reader.identity().ok()?,
            index: &self.index,
        };
        Background::of(of, needed, &self.vectors, examples, self.space.pack.dims)
            .inspect_err(|e| tracing::debug!("background: {e}"))
            .ok()
    }

    /// Every allowed photo, compared: where `judge` puts the confident answers and the best `beyond` them, and how
    /// many there were.
    fn standings(
        &mut self,
        directions: &Directions,
        allowed: &Allowed,
        beyond: usize,
        judge: &(impl Fn(i64, &[f32]) -> Standing + Sync),
    ) -> Result<(Vec<Standing>, usize), SearchError> {
        let queries: Vec<&[f32]> = directions.0.iter().map(Vec::as_slice).collect();
        let scan = Scan::new(&queries, self.space.pack.dims)?;
        let mut again = false;
        loop {
            let mut best = Best::new(beyond);
            let (mut compared, mut damaged) = (0, 0);
            self.vectors
                .visit(&self.index, &mut |pieces| -> Result<(), SearchError> {
                    let scanned = scan.all(
                        pieces,
                        &|photo| allowed.contains(photo),
                        &|| Best::new(beyond),
                        &|best: &mut Best, photo, scores| best.put(judge(photo, scores)),
                    )?;
                    scanned.result.into_iter().for_each(|part| best.join(part));
                    compared += scanned.rows;
                    damaged += scanned.damaged;
                    Ok(())
                })?;
            // Damage in a piece is not in the database; what is still there then is the database's.
            if damaged == 0 {
                self.index.note_checked(&self.vectors);
            }
            if damaged == 0 || again {
                let compared = usize::try_from(compared).unwrap_or(usize::MAX);
                return Ok((best.into_standings(), compared));
            }
            again = true;
            self.index.distrust(&self.vectors);
            self.vectors = self.index.open(TAIL, &mut |_, _| {})?;
        }
    }
}

/// Brings the derived files of the model that serves queries up to date, so that no query has to:
/// the pieces of its vectors, checked byte by byte, and the library's background. For the daemon's quiet moments
/// and the end of `photond index`; [`Searcher::preparing`] says beforehand how long the slow part
/// takes, and [`Space::stop`] breaks it off. Returns the newest vector's number.
///
/// # Errors
/// As a query's; a model without text side is none.
pub fn prepare(searcher: &Searcher<'_>, space: &Space<'_>) -> Result<i64, SearchError> {
    let reader = searcher.reader;
    let newest = reader.newest_seq(space.model)?;
    let index = index(reader, space)?;
    if let Some(e) = index.write(&mut |_, _| {})? {
        tracing::debug!("{e}");
    }
    let mut vectors = SpaceVectors::open(reader, space, &mut |_, _| {})?;
    let never = AtomicBool::new(false);
    let stop = space.stop.unwrap_or(&never);
    let mut pieces = vectors.vectors.pieces().iter();
    if pieces.any(|piece| piece.verify(stop).is_err()) {
        index.distrust(&vectors.vectors);
        vectors = SpaceVectors::open(reader, space, &mut |_, _| {})?;
    }
    index.note_checked(&vectors.vectors);
    if vectors.vectors.most() > 0 {
        let needed = Needed {
            phrases: true,
            pictures: space.pack.derived_from().is_none(),
        };
        vectors.background(needed, &mut searcher.examples(space));
    }
    Ok(newest)
}

/// What photos are compared with: the sum of all wishes; if something is not wanted, also the sum of
/// what is wanted, and each unwanted thing by itself.
pub(super) struct Directions(Vec<Vec<f32>>);

impl Directions {
    fn new(examples: &mut Examples<'_>, wishes: &[Wish]) -> Result<Self, SearchError> {
        let mut vectors = Vec::with_capacity(wishes.len());
        for wish in wishes {
            let vector = match &wish.like {
                Like::Text(text) => examples.sentence(text)?,
                Like::Photo(path) => examples.photo(path)?,
                Like::Indexed(photo) => examples.indexed(*photo)?,
                Like::Picture(bytes) => examples.picture(Path::new("-"), bytes)?,
            };
            vectors.push((wish.weight, vector));
        }
        let mut directions = vec![sum(vectors.iter())?];
        if vectors.iter().any(|(weight, _)| *weight < 0.0) {
            directions.push(sum(vectors.iter().filter(|(weight, _)| *weight > 0.0))?);
            let unwanted = vectors.into_iter().filter(|(weight, _)| *weight < 0.0);
            directions.extend(unwanted.map(|(_, vector)| vector.values));
        }
        Ok(Self(directions))
    }
}

/// The weighted sum, of length one.
fn sum<'v>(vectors: impl Iterator<Item = &'v (f32, Embedding)>) -> Result<Vec<f32>, SearchError> {
    let mut sum: Vec<f64> = Vec::new();
    for (weight, vector) in vectors {
        sum.resize(vector.values.len(), 0.0);
        for (total, value) in sum.iter_mut().zip(&vector.values) {
            *total += f64::from(*weight) * f64::from(*value);
        }
    }
    let length = sum.iter().map(|v| v * v).sum::<f64>().sqrt();
    // Far below the shortest sum that two different wishes leave, far above rounding.
    if !length.is_finite() || length < 1e-3 {
        return Err(SearchError::NoDirection);
    }
    Ok(sum.iter().map(|v| (v / length) as f32).collect())
}
