//! `photond watch`: start-up as a table of contents, the timers, and the ordered stop.

mod ticks;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::ticks::Ticks;
use super::Observer;
use super::control::Control;
use super::error::DaemonError;
use super::keeper::Keeper;
use super::lock::DataDirLock;
use super::orders::Orders;
use super::pause::rest;
use super::search_model;
use super::start::{Setup, Started, Way};
use crate::index::{Ending, Indexer};
use crate::source::{LiveConfig, LiveSource};
use crate::store::suspect_damage;

/// Reads the settings again, for SIGHUP; the error is a line for people.
pub type Reload = Box<dyn Fn() -> Result<Setup, String> + Send + Sync>;

/// Starts what runs beside the daemon, as the API does; what it gives is dropped as the first step of the
/// stop. The error is a line for people, and the daemon goes on without it.
pub type Companion = Box<dyn Fn() -> Result<Box<dyn Send>, String> + Send + Sync>;

/// What can be chosen about watching.
#[derive(Default)]
pub struct WatchOptions {
    /// How SIGHUP gets new settings. Folders and exclude patterns change at once, the rest at the
    /// next start. Bad settings change nothing. `None`: SIGHUP stops, as it does when the terminal
    /// is closed.
    pub reload: Option<Reload>,
    /// What runs beside it while the index is open.
    pub companion: Option<Companion>,
}

/// Live events on their way to the pipeline: beyond this the source collapses them into scans.
const EVENTS: usize = 4096;
/// How often the daemon looks around while there is work, and while there is none.
const BUSY_TICK: Duration = Duration::from_millis(250);
const IDLE_TICK: Duration = Duration::from_secs(30);
/// How long the daemon waits before it looks at work that has begun or ended.
const TURN_PAUSE: Duration = Duration::from_millis(20);
/// How often the daemon writes its row while there is work. While there is none it writes nothing.
const BUSY_HEARTBEAT: Duration = Duration::from_secs(1);
/// How long the roots' threads may take to end.
const STOP_PATIENCE: Duration = Duration::from_millis(1500);
/// Times within [`MENDING`] that a damaged index is mended and work goes on: a disk that damages it
/// again and again is beyond that.
const MENDED_AT_MOST: usize = 3;
const MENDING: Duration = Duration::from_secs(3600);

/// Watches the setup's roots until SIGTERM or SIGINT. If the index proves damaged meanwhile, all
/// stops in order, and the start after it mends the index.
///
/// # Errors
/// If it cannot start, or the index cannot be written any more.
pub fn watch(
    setup: &Setup,
    options: WatchOptions,
    observer: Arc<dyn Observer>,
) -> Result<(), DaemonError> {
    let mut mended: Vec<Instant> = Vec::new();
    let mut newer = None;
    loop {
        let ended = watch_until_damage(newer.as_ref().unwrap_or(setup), &options, &observer);
        mended.retain(|at| at.elapsed() < MENDING);
        match ended {
            Err(e) if e.is_corruption() && mended.len() < MENDED_AT_MOST => {
                observer.notice(&e.to_string());
                suspect_damage(&setup.data_dir);
                mended.push(Instant::now());
                // The settings may have changed since the start.
                newer = options.reload.as_ref().and_then(|reload| reload().ok());
            }
            other => return other,
        }
    }
}

fn watch_until_damage(
    setup: &Setup,
    options: &WatchOptions,
    observer: &Arc<dyn Observer>,
) -> Result<(), DaemonError> {
    let start = |what| move |source| DaemonError::Start { what, source };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(start("the timers"))?;
    // From the first moment on: a reload must not end a daemon that is still starting.
    let hangup = {
        let _inside = runtime.enter();
        signal(SignalKind::hangup()).map_err(start("signal handling"))?
    };
    let plans = setup.plans()?;
    let Started {
        lock,
        indexer,
        model,
        chosen,
    } = setup.start(Way::Watch, observer.as_ref())?;
    let indexer = Arc::new(indexer);
    let (events_out, events) = crossbeam_channel::bounded(EVENTS);
    let source = LiveConfig {
        canary_dir: Some(setup.data_dir.join("canary")),
        max_watches: Some(setup.config.max_watches).filter(|n| *n > 0),
        ..LiveConfig::default()
    };
    let live = Arc::new(LiveSource::start(source, events_out));
    let keeper = Arc::new(Keeper::new(&indexer, Some(&live), observer));
    // Before anything is begun: whoever has paused it has paused the start as well.
    let (flow, _) = rest(&setup.data_dir, setup.config.on_battery);
    indexer.let_through(flow);
    keeper.want(plans)?;
    let dispatcher = keeper.dispatcher(events)?;
    let orders = Orders {
        indexer: Arc::clone(&indexer),
        keeper: Arc::clone(&keeper),
        setup: setup.clone(),
        model: model.clone(),
    };
    orders.take_from(&setup.data_dir);
    let companion = options.companion.as_ref().map(|start| start());
    let companion = companion.transpose().unwrap_or_else(|why| {
        observer.notice(&why);
        None
    });

    let reload = || {
        let Some(reload) = &options.reload else {
            return false;
        };
        let new = reload().and_then(|setup| setup.plans().map_err(|e| e.to_string()));
        match new.map(|plans| keeper.want(plans)) {
            Ok(Ok(())) => observer.notice("settings read again"),
            Ok(Err(e)) => observer.notice(&e.to_string()),
            Err(why) => observer.notice(&format!("{why}; the settings stay as they were")),
        }
        true
    };
    let served = serve(
        (&runtime, hangup),
        &indexer,
        (&live, &keeper, &dispatcher),
        &reload,
        (&model, &chosen),
        (setup, &lock),
        observer.as_ref(),
    );

    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    drop(companion);
    indexer.ask_to_stop();
    let mut end = Ending::within(STOP_PATIENCE);
    keeper.stop(&mut end);
    live.stop();
    Control::close(&setup.data_dir);
    end.wait_for("events", Some(dispatcher));
    let store = indexer.stop()?;
    drop((store, lock));
    served
}

fn serve(
    (runtime, mut hangup): (&tokio::runtime::Runtime, Signal),
    indexer: &Arc<Indexer>,
    (live, keeper, dispatcher): (&Arc<LiveSource>, &Keeper, &JoinHandle<()>),
    reload: &dyn Fn() -> bool,
    (model, chosen): (&str, &str),
    (setup, lock): (&Setup, &DataDirLock),
    observer: &dyn Observer,
) -> Result<(), DaemonError> {
    let data_dir = setup.data_dir.as_path();
    let start = |what| move |source| DaemonError::Start { what, source };
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(start("signal handling"))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(start("signal handling"))?;
        let mut ticks = Ticks::new(indexer, (live, keeper), (model, chosen), (setup, lock));
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        // systemd wants to hear twice as often as it says.
        let watchdog = sd_notify::watchdog_enabled().map(|d| d / 2);
        let mut next_bark = Instant::now();
        let mut were_ready = Vec::new();
        let mut was_busy = false;
        let (mut seen_untagged, mut seen_previews) = (0, 0);
        let turned = Arc::new(tokio::sync::Notify::new());
        let wake = Arc::clone(&turned);
        indexer.progress().on_turn(move || wake.notify_one());
        let wake = Arc::clone(&turned);
        let _chosen = search_model::on_choice(data_dir, move || wake.notify_one());
        loop {
            if let Err(e) = keeper.turn() {
                // No threads to be had now: the next look tries again.
                tracing::warn!("{e}");
            }
            ticks.search.follow(indexer);
            let busy = ticks.tick(observer);
            ticks.upkeep.tick(indexer, busy)?;
            // What went wrong may be mended by now; a look costs a millisecond.
            let again = !busy && indexer.tag_report().trouble.is_some();
            if ticks.wishes.changed() || again {
                indexer.request_tags();
            }
            ticks.search.settle(indexer, busy, observer);
            let ready = indexer.ready_models();
            // Also those that were on their way without a picture for it when a model came.
            let untagged = indexer.progress().untagged.load(Ordering::Relaxed);
            let more = ready.iter().any(|id| !were_ready.contains(id));
            let previews = indexer.progress().previews.load(Ordering::Relaxed);
            let behind =
                !ready.is_empty() && untagged != seen_untagged || previews != seen_previews;
            if more || (behind && !busy) {
                indexer.request_catch_up();
                (seen_untagged, seen_previews) = (untagged, previews);
            }
            were_ready = ready;
            // What was queued for the detectors is done: how far they are is counted anew.
            let has_rest = std::mem::replace(&mut was_busy, busy) && !busy;
            if has_rest && indexer.looks_closer() {
                indexer.request_closer_look();
            }
            if has_rest && indexer.detectors().iter().any(|d| d.coverage.photos > 0) {
                indexer.request_settling();
            }
            if let Some(every) = watchdog.filter(|_| next_bark <= Instant::now()) {
                if ticks.pulse.beats(indexer) && !dispatcher.is_finished() {
                    let _ = sd_notify::notify(&[NotifyState::Watchdog]);
                }
                next_bark = Instant::now() + every;
            }
            if indexer.is_stopping() {
                // The writer has died; its error comes with the stop.
                return Ok(());
            }
            let mut wait = match (busy, ticks.tagging) {
                (true, _) => BUSY_TICK,
                (false, true) => BUSY_HEARTBEAT,
                (false, false) => IDLE_TICK,
            };
            if let Some(every) = watchdog {
                wait = wait.min(every);
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                // Work of many small pieces turns often; one look in a while is enough.
                () = async { turned.notified().await; tokio::time::sleep(TURN_PAUSE).await } => {}
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
                _ = hangup.recv() => {
                    let now = NotifyState::monotonic_usec_now();
                    let _ = now.map(|now| sd_notify::notify(&[NotifyState::Reloading, now]));
                    if !reload() {
                        return Ok(());
                    }
                    let _ = sd_notify::notify(&[NotifyState::Ready]);
                }
            }
        }
    })
}
