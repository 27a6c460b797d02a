//! Photos by how close they are to what was asked, and what a person is told meanwhile: which model answers,
//! what is waited for, how many were compared.

use std::ops::ControlFlow;
use std::time::Duration;

use indicatif::ProgressBar;

use super::rows::Rows;
use crate::cli::output::{count, plural, span};
use crate::cli::words::KnownWords;
use crate::cli::{Context_, nothing};
use crate::search::{Chosen, Query, RankedHit, SearchError, Searcher, TextSide, Wish};

/// Time to wait from which a person is told why.
const WORTH_A_WORD: Duration = Duration::from_secs(2);

/// The confident answers.
pub(super) fn closest(
    context: &Context_,
    searcher: &Searcher<'_>,
    (query, wishes): (&Query, &[Wish]),
    known: &KnownWords,
    chosen: (&Chosen, Option<&TextSide>),
) -> Result<Vec<i64>, SearchError> {
    let space = known.space(context, chosen);
    let best = searcher.closest(&space, query, wishes, 0)?;
    Ok(best.iter().map(|standing| standing.photo).collect())
}

/// How many are close: all confident answers, or all there are.
pub(super) fn how_many(
    rows: &Rows<'_>,
    known: &KnownWords,
    chosen: (&Chosen, Option<&TextSide>),
    wishes: &[Wish],
) -> Result<usize, SearchError> {
    let (searcher, query) = (rows.searcher, rows.query);
    let space = known.space(rows.context, chosen);
    let beyond = if query.all { usize::MAX } else { 0 };
    let best = searcher.closest(&space, query, wishes, beyond)?;
    searcher.count_of(query, best.iter().map(|standing| standing.photo).collect())
}

/// Photos by how close they are; the closest of them by their dates, if that is wanted.
pub(super) fn rank(
    rows: &mut Rows<'_>,
    known: &KnownWords,
    (chosen, text): (&Chosen, Option<&TextSide>),
    wishes: &[Wish],
    by_date: bool,
) -> Result<usize, SearchError> {
    let (context, searcher, query) = (rows.context, rows.searcher, rows.query);
    if let Some(other) = &chosen.instead_of {
        let why = match &other.trouble {
            Some(trouble) => trouble.clone(),
            None => format!(
                "{} has not seen all photos yet (`photond status` shows how far it is)",
                other.name
            ),
        };
        let partly = if other.partly {
            ", and has not seen all photos yet"
        } else {
            ""
        };
        context
            .out
            .notice(&format!("{why}: {} answers{partly}", chosen.pack.id));
    }
    let space = known.space(context, (chosen, text));
    if wishes.iter().any(|w| w.sentence().is_some())
        && let Some(time) = searcher.preparing(&space)?
        && time >= WORTH_A_WORD
        && !context.quiet
    {
        let s = span(time.as_secs());
        context.out.notice(&format!(
            "preparing {} for sentences, once: about {s} (the running photond does it by itself)",
            chosen.pack.id
        ));
    }
    let mut reading = ReadingNote::new(context);
    let mut aside = Vec::new();
    let ranked = searcher.rank(
        &space,
        query,
        wishes,
        &mut |done, of| reading.tell(done, of),
        &mut |found| {
            if by_date {
                aside.push((found.shot.clone(), *found.standing, found.why.clone()));
                return ControlFlow::Continue(());
            }
            rows.row(found.shot, Some(&found))
        },
    )?;
    query.by_date(&mut aside, |(shot, ..)| &shot.face);
    for (shot, standing, why) in &aside {
        let found = RankedHit {
            shot,
            standing,
            why,
        };
        if rows.row(shot, Some(&found)).is_break() {
            break;
        }
    }
    if rows.says_how_many() {
        let mut shown = plural(ranked.photos, "photo", "photos");
        if ranked.shown > ranked.photos {
            shown += &format!(" at {}", plural(ranked.shown, "place", "places"));
        }
        shown += &rows.in_files(ranked.shown);
        let apart = if ranked.passed_over > 0 || rows.members > 0 {
            ", each file counted"
        } else {
            ""
        };
        let line = if ranked.shown == 0 && !query.all {
            format!(
                "nothing like that among {} (--all shows the closest anyway)",
                plural(ranked.compared, "photo", "photos")
            )
        } else if query.all {
            format!(
                "{shown}, {} of all {} a confident answer{apart}",
                count(ranked.confident),
                count(ranked.compared)
            )
        } else if ranked.photos + ranked.passed_over < ranked.confident && query.path.is_none() {
            format!(
                "{shown} of {}{apart} (--limit N shows more)",
                count(ranked.confident)
            )
        } else {
            shown
        };
        context.out.notice(&line);
    }
    if let Some(line) = nothing::in_another_language(searcher, &chosen.pack.id.to_string(), &ranked)
    {
        context.out.notice(&line);
    }
    Ok(ranked.shown)
}

/// New vectors that are read before a query is answered, where they are so many that it takes a while.
struct ReadingNote<'a> {
    context: &'a Context_,
    bar: Option<ProgressBar>,
    told: bool,
}

impl<'a> ReadingNote<'a> {
    fn new(context: &'a Context_) -> Self {
        Self {
            context,
            bar: None,
            told: false,
        }
    }

    fn tell(&mut self, done: u64, of: u64) {
        /// About a second's.
        const MANY: u64 = 200_000;
        if of < MANY || self.context.quiet {
            return;
        }
        if !std::mem::replace(&mut self.told, true) {
            self.context.out.notice(&format!(
                "reading {} new vectors, once (the running photond does it by itself)",
                count(of)
            ));
            self.bar = self.context.out.spinner(false);
        }
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} of {}", count(done), count(of)));
            bar.tick();
            if done >= of {
                bar.finish_and_clear();
            }
        }
    }
}

impl Drop for ReadingNote<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
