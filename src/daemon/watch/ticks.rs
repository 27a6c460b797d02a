//! What the daemon does at each look around: whether to rest, what it reports, and whether the writer lives.
//!
//! While there is no work nothing is written.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::BUSY_HEARTBEAT;
use crate::config::OnBattery;
use crate::daemon::Observer;
use crate::daemon::actor::number;
use crate::daemon::control::HexPath;
use crate::daemon::keeper::Keeper;
use crate::daemon::lock::DataDirLock;
use crate::daemon::pause::rest;
use crate::daemon::report::{Rate, Report, RootReport, RootWatch, WatchReport, report};
use crate::daemon::search_model::SearchModel;
use crate::daemon::start::Setup;
use crate::daemon::tags::TagWishes;
use crate::daemon::upkeep::Upkeep;
use crate::index::{Activity, Indexer};
use crate::source::LiveSource;

/// How often it is looked at whether to rest.
const REST_LOOK: Duration = Duration::from_secs(5);
/// Shortest time between two rows: work that begins and ends in a moment is not worth two.
const LEAST_HEARTBEAT: Duration = Duration::from_millis(300);
/// Whether the writer lives: it is asked to say so each time it has.
#[derive(Default)]
pub(super) struct Pulse {
    asked: Option<Instant>,
    heard: Arc<AtomicBool>,
}

impl Pulse {
    /// False if it has said nothing for longer than any single write takes.
    pub(super) fn beats(&mut self, indexer: &Indexer) -> bool {
        /// Forgetting a folder of a million files is one transaction of minutes.
        const LONGEST: Duration = Duration::from_secs(900);
        if self.asked.is_none() || self.heard.swap(false, Ordering::Relaxed) {
            let heard = Arc::clone(&self.heard);
            indexer.post(move |_| heard.store(true, Ordering::Relaxed));
            self.asked = Some(Instant::now());
        }
        self.asked.is_some_and(|at| at.elapsed() < LONGEST)
    }
}

/// What is done at each look around.
pub(super) struct Ticks<'a> {
    indexer: &'a Arc<Indexer>,
    live: &'a Arc<LiveSource>,
    keeper: &'a Keeper,
    model: &'a str,
    data_dir: &'a Path,
    on_battery: OnBattery,
    /// Why less than everything is done, and when that was last looked at.
    resting: (Option<String>, Option<Instant>),
    rate: Rate,
    closer: Rate,
    started_at: i64,
    last_heartbeat: Option<(Instant, Report)>,
    pub(super) upkeep: Upkeep,
    was_busy: bool,
    lock: &'a DataDirLock,
    said: Option<String>,
    pub(super) search: SearchModel,
    /// Photos are being tagged again, or words encoded.
    pub(super) tagging: bool,
    pub(super) wishes: TagWishes,
    pub(super) pulse: Pulse,
}

impl<'a> Ticks<'a> {
    pub(super) fn new(
        indexer: &'a Arc<Indexer>,
        (live, keeper): (&'a Arc<LiveSource>, &'a Keeper),
        (model, chosen): (&'a str, &str),
        (setup, lock): (&'a Setup, &'a DataDirLock),
    ) -> Self {
        let data_dir = setup.data_dir.as_path();
        Self {
            on_battery: setup.config.on_battery,
            resting: (None, None),
            indexer,
            live,
            keeper,
            model,
            data_dir,
            rate: Rate::new(),
            closer: Rate::new(),
            started_at: crate::store::unix_now(),
            last_heartbeat: None,
            upkeep: Upkeep::new(indexer, data_dir),
            was_busy: true,
            lock,
            said: None,
            search: SearchModel::new(data_dir, chosen.to_owned()),
            tagging: false,
            wishes: TagWishes::new(data_dir),
            pulse: Pulse::default(),
        }
    }

    /// True while there is work.
    pub(super) fn tick(&mut self, observer: &dyn Observer) -> bool {
        self.rest(observer);
        let mut report = report(
            self.indexer,
            self.model,
            (Some(self.watch_report()), self.root_reports()),
            (&mut self.rate, &mut self.closer),
            self.search.report(self.indexer),
        );
        report.resting.clone_from(&self.resting.0);
        let busy = report.activity != Activity::Idle && self.resting.0.is_none();
        observer.progress(report.activity, &report.counters);
        let was_tagging = std::mem::replace(&mut self.tagging, report.tags.is_working());
        if (self.tagging || was_tagging) && !busy {
            observer.tags(&report.tags);
        }
        // On a full disk the row cannot be written; this line needs no room.
        if self.said != report.paused {
            if let Err(e) = self.lock.say(report.paused.as_deref().unwrap_or_default()) {
                tracing::debug!("{e}");
            }
            self.said.clone_from(&report.paused);
        }
        // Work that has ended is worth a row at once, work that goes on now and then.
        let last = self.last_heartbeat.as_ref();
        let turned = last.is_none_or(|(_, was)| !report.says_the_same(was));
        let least = if busy || self.tagging {
            BUSY_HEARTBEAT
        } else {
            LEAST_HEARTBEAT
        };
        let due = turned && last.is_none_or(|(at, _)| at.elapsed() >= least);
        // A row that the writer had no room for is due at the next tick.
        if due && self.heartbeat(&report) {
            self.last_heartbeat = Some((Instant::now(), report));
        }
        if self.was_busy && !busy {
            crate::index::give_memory_back();
        }
        self.was_busy = busy;
        // A turn that was too soon after the last row is written at the next look.
        busy || (turned && !due)
    }

    /// Rests if a person or the battery says so.
    fn rest(&mut self, observer: &dyn Observer) {
        let (_, looked) = &self.resting;
        if looked.is_some_and(|at| at.elapsed() < REST_LOOK) && !self.keeper.told_to_look() {
            return;
        }
        let (flow, why) = rest(self.data_dir, self.on_battery);
        self.indexer.let_through(flow);
        let was = self.resting.0.is_some();
        if was != why.is_some() {
            observer.notice(why.as_deref().unwrap_or("going on"));
        }
        self.resting = (why, Some(Instant::now()));
    }

    /// False if the writer is behind.
    fn heartbeat(&self, report: &Report) -> bool {
        let (pid, started_at) = (std::process::id(), self.started_at);
        match serde_json::to_string(report) {
            Ok(text) => self.indexer.post(move |store| {
                if let Err(e) = store.heartbeat(pid, started_at, &text) {
                    tracing::debug!("{e}");
                }
            }),
            Err(e) => {
                tracing::warn!("{e}");
                true
            }
        }
    }

    fn watch_report(&self) -> WatchReport {
        let health = self.live.health();
        WatchReport {
            watched: health.watched_dirs as u64,
            polled: health.polled_dirs as u64,
            overflows: health.overflows,
            limit: health.limit,
            advice: health.advice.map(|fix| {
                format!("the system's limit for watching folders is reached; the rest is scanned every minute. For live watching: {fix}")
            }),
        }
    }

    fn root_reports(&self) -> Vec<RootReport> {
        let mut reports = self.keeper.reports();
        for report in &mut reports {
            let health = report.root.and_then(|id| self.live.health_of(number(id)));
            report.watch = health.map(|h| RootWatch {
                watched: h.watched as u64,
                polled: h.polled as u64,
                polled_dirs: h.polled_dirs.iter().map(HexPath::of_bytes).collect(),
                overflows: h.overflows,
                degraded: h.degraded.map(|why| why.to_string()),
            });
        }
        reports
    }
}
