//! What the daemon writes into its row every few seconds, and `status` reads.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::control::HexPath;
use crate::index::{Activity, DetectorState, Indexer, ModelState, Skipped, Snapshot, TagReport};

/// The daemon's state, as JSON in the database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What is going on.
    pub activity: Activity,
    /// Why writing waits, if it does.
    pub paused: Option<String>,
    /// Why less than everything is done, if a person or the battery says so.
    #[serde(default)]
    pub resting: Option<String>,
    /// Counters since the start.
    pub counters: Snapshot,
    /// Photos finished a second, over the last half minute or so.
    pub rate: f64,
    /// Seconds until the queue is empty, where that can be said.
    pub eta_s: Option<u64>,
    /// The watcher.
    pub watch: Option<WatchReport>,
    /// Each root.
    #[serde(default)]
    pub roots: Vec<RootReport>,
    /// The model that makes tags.
    pub model: ModelReport,
    /// The detectors that are on.
    #[serde(default)]
    pub detectors: Vec<DetectorReport>,
    /// The model that photos are searched with.
    #[serde(default)]
    pub search: Option<SearchReport>,
    /// How tagging goes.
    #[serde(default)]
    pub tags: TagReport,
    /// What of the walls around decoding is lacking on this machine.
    #[serde(default)]
    pub decoding_lacks: Vec<String>,
}

impl Report {
    /// True if nothing has happened between the two but the passing of time.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        self.timeless() == other.timeless()
    }

    fn timeless(&self) -> Self {
        let mut report = self.clone();
        (report.rate, report.eta_s) = (0.0, None);
        (report.tags.rate, report.tags.terms_rate) = (0.0, 0.0);
        if let Some(search) = &mut report.search {
            (search.rate, search.eta_s) = (0.0, None);
        }
        for detector in &mut report.detectors {
            (detector.rate, detector.eta_s) = (0.0, None);
        }
        for root in &mut report.roots {
            // A row a minute is enough to say for how long.
            root.hangs_s = root.hangs_s.map(|s| s / 60);
        }
        report
    }
}

/// How the search model goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchReport {
    /// The one in use.
    pub model: ModelReport,
    /// What queries go by until its space is whole; absent: by it.
    pub meanwhile: Option<String>,
    /// Photos it has seen, while its space is not whole.
    pub done: Option<u64>,
    /// Photos there are, while its space is not whole.
    pub photos: Option<u64>,
    /// Photos that queries would lose by it now, because their volumes are away.
    #[serde(default)]
    pub lost: u64,
    /// Photos a second.
    pub rate: f64,
    /// Seconds until its space is whole, where that can be said.
    pub eta_s: Option<u64>,
}

/// How a detector goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectorReport {
    /// The model.
    pub model: ModelReport,
    /// Photos it has seen or makes nothing of.
    pub done: u64,
    /// Photos there are.
    pub photos: u64,
    /// Photos on volumes that are away.
    pub away: u64,
    /// Photos it makes nothing of.
    pub failed: u64,
    /// Photos a second.
    pub rate: f64,
    /// Seconds until it has seen all, where that can be said.
    pub eta_s: Option<u64>,
}

impl DetectorReport {
    fn new(detector: DetectorState, rate: f64) -> Self {
        let positive = |n: i64| u64::try_from(n).unwrap_or(0);
        let coverage = detector.coverage;
        let mut report = Self {
            model: ModelReport::new(&detector.id.0, detector.state),
            done: positive(coverage.embedded + coverage.failed),
            photos: positive(coverage.photos),
            away: positive(coverage.away),
            failed: positive(coverage.failed),
            rate,
            eta_s: None,
        };
        if rate > 0.01 && report.waiting() > 0 {
            report.eta_s = Some((report.waiting() as f64 / rate).ceil() as u64);
        }
        report
    }

    /// Photos that it can see now and has not seen.
    pub fn waiting(&self) -> u64 {
        self.photos.saturating_sub(self.done + self.away)
    }
}

/// Where a root stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootStanding {
    /// Being taken on.
    #[default]
    Starting,
    /// Walked from end to end.
    Scanning,
    /// Kept current.
    Watching,
    /// Not there.
    Offline,
    /// Its disk does not answer.
    Hanging,
    /// Let go, which takes a moment.
    Ending,
    /// Waits for another root, around it or inside it, to be let go.
    Busy,
}

/// How one root goes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RootReport {
    /// Its path; not UTF-8: as near as can be.
    pub path: String,
    /// `roots.id`, while it is taken on.
    pub root: Option<i64>,
    /// Where it stands.
    pub standing: RootStanding,
    /// Why it is offline.
    pub why: Option<String>,
    /// Seconds that its disk has not answered, while it does not.
    pub hangs_s: Option<u64>,
    /// Folders that could not be read to their end and are tried again.
    pub left_over: u64,
    /// Folders and files that could not be read in the last full scan.
    pub unreadable: u64,
    /// What the last full scan passed over.
    pub skipped: Skipped,
    /// How it is watched.
    pub watch: Option<RootWatch>,
}

/// How one root is watched.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RootWatch {
    /// Folders with a live watch.
    pub watched: u64,
    /// Folders scanned at intervals, with all below them.
    pub polled: u64,
    /// Which these are, below the root.
    #[serde(default)]
    pub polled_dirs: Vec<HexPath>,
    /// Times that events were lost.
    pub overflows: u64,
    /// Why some folders are scanned at intervals.
    pub degraded: Option<String>,
}

/// How watching goes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WatchReport {
    /// Folders with a live watch.
    pub watched: u64,
    /// Folders that are scanned at intervals instead.
    pub polled: u64,
    /// Times the system's event queue overflowed (each led to a full scan).
    pub overflows: u64,
    /// Watches this user may have.
    #[serde(default)]
    pub limit: Option<u64>,
    /// What is wrong and what to do.
    pub advice: Option<String>,
}

/// How the model goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelReport {
    /// Name and revision.
    pub name: String,
    /// Running.
    pub ready: bool,
    /// The runtime's path, or why it is missing.
    pub detail: String,
}

impl ModelReport {
    /// From the pipeline's state.
    pub fn new(name: &str, state: ModelState) -> Self {
        let (ready, detail) = match state {
            ModelState::Loading => (false, "loading".to_owned()),
            ModelState::Ready { runtime } => (true, runtime.display().to_string()),
            ModelState::Missing(why) => (false, why),
            ModelState::Off => (false, "off".to_owned()),
        };
        Self {
            name: name.to_owned(),
            ready,
            detail,
        }
    }
}

/// A rate smoothed over about half a minute.
pub(super) struct Rate {
    last: Option<(Instant, u64)>,
    per_second: f64,
}

/// Time constant of the smoothing, in seconds.
const TAU: f64 = 15.0;

impl Rate {
    pub fn new() -> Self {
        Self {
            last: None,
            per_second: 0.0,
        }
    }

    /// Takes a counter's value in and gives the smoothed rate.
    pub fn update(&mut self, now: Instant, done: u64) -> f64 {
        if let Some((then, before)) = self.last {
            let dt = now.saturating_duration_since(then).as_secs_f64();
            if dt < 0.2 {
                return self.per_second;
            }
            let current = done.saturating_sub(before) as f64 / dt;
            let weight = 1.0 - (-dt / TAU).exp();
            self.per_second += weight * (current - self.per_second);
            if self.per_second < 0.01 {
                self.per_second = 0.0;
            }
        }
        self.last = Some((now, done));
        self.per_second
    }
}

pub(super) fn report(
    indexer: &Indexer,
    model: &str,
    (watch, roots): (Option<WatchReport>, Vec<RootReport>),
    (rate, closer): (&mut Rate, &mut Rate),
    search: Option<SearchReport>,
) -> Report {
    let progress = indexer.progress();
    let counters = progress.snapshot();
    let now = Instant::now();
    let rate = rate.update(now, counters.indexed + counters.failed);
    let closer = closer.update(now, counters.looked_closer);
    // While folders are still being walked, how much is left is not known.
    let eta_s = (rate > 0.1 && progress.scans() == 0 && counters.queued > 0)
        .then(|| (counters.queued as f64 / rate).ceil() as u64);
    Report {
        activity: progress.activity(),
        paused: progress.paused(),
        resting: None,
        counters,
        rate,
        eta_s,
        watch,
        roots,
        model: ModelReport::new(model, indexer.model_state()),
        detectors: {
            let rate = search.as_ref().map_or(0.0, |search| search.rate);
            let rate = |d: &DetectorState| if d.looks_closer { closer } else { rate };
            let detectors = indexer.detectors().into_iter();
            detectors
                .map(|d| (rate(&d), d))
                .map(|(rate, d)| DetectorReport::new(d, rate))
                .collect()
        },
        search,
        tags: indexer.tag_report(),
        decoding_lacks: indexer
            .decoding_lacks()
            .into_iter()
            .map(str::to_owned)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_rate_follows_the_counter_and_falls_to_zero() {
        let start = Instant::now();
        let mut rate = Rate::new();
        let mut last = 0.0;
        for s in 0..60u64 {
            last = rate.update(start + Duration::from_secs(s), s * 40);
        }
        assert!((last - 40.0).abs() < 1.5, "{last}");
        for s in 60..300u64 {
            last = rate.update(start + Duration::from_secs(s), 59 * 40);
        }
        assert_eq!(last, 0.0);
    }
}
