//! What `status` says of the detectors: which are on, how far they are, what is in the way.

use serde_json::{Value, json};

use super::Context_;
use super::output::{count, plural, printable, span};
use crate::daemon::{ModelReport, Report};
use crate::model::{ModelError, faces_pack, things_pack};
use crate::store::{Coverage, StoreError, StoreReader};

/// One detector.
struct Sight {
    /// What it looks for.
    what: &'static str,
    /// Its key in the settings.
    setting: &'static str,
    /// Name and revision.
    model: String,
    on: bool,
    /// How far it is; absent before it has run.
    coverage: Option<Coverage>,
    /// What the running daemon says of it.
    report: Option<ModelReport>,
}

/// The detectors' side of `status`.
pub(super) struct Detecting {
    sights: Vec<Sight>,
    /// Photos a second that go to models that had not seen them.
    rate: f64,
}

/// A pack that is damaged, or the database.
#[derive(Debug, thiserror::Error)]
pub(super) enum DetectingError {
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Detecting {
    /// `report`: of the daemon that runs, if one does; `rate`: photos that it catches up a second.
    pub fn read(
        context: &Context_,
        reader: &StoreReader,
        report: Option<&Report>,
        rate: f64,
    ) -> Result<Self, DetectingError> {
        let detect = context.config.detect;
        let mut sights = Vec::new();
        for (what, setting, pack, on) in [
            ("people and things", "things", things_pack()?, detect.things),
            ("faces", "faces", faces_pack()?, detect.faces),
        ] {
            let row = reader.model(&pack.id)?.filter(|_| on);
            let coverage = row.map(|row| reader.coverage(row.id)).transpose()?;
            let said = report.and_then(|r| r.detectors.iter().find(|d| d.name == pack.id.0));
            sights.push(Sight {
                what,
                setting,
                model: pack.id.0,
                on,
                coverage,
                report: said.cloned(),
            });
        }
        Ok(Self { sights, rate })
    }

    pub fn lines(&self, context: &Context_) -> Vec<String> {
        let mut lines = Vec::new();
        for sight in &self.sights {
            let Sight { what, model, .. } = sight;
            if !sight.on {
                lines.push(format!(
                    "{what} are not looked for (`{} = false` below `[detect]` in the settings)",
                    sight.setting
                ));
                continue;
            }
            if let Some(c) = sight.coverage.filter(|c| c.waiting() > 0) {
                let (seen, photos) = (count(c.embedded + c.failed), count(c.photos));
                let mut line = format!("{what}: {seen} of {photos} photos seen by {model}");
                if self.rate > 0.0 {
                    let left = (c.waiting() as f64 / self.rate).ceil() as u64;
                    line += &format!(", {:.1}/s, about {} left", self.rate, span(left));
                }
                lines.push(line);
            }
            if let Some(c) = sight.coverage.filter(|c| c.waiting() <= 0 && c.away > 0) {
                let away = plural(c.away, "photo is", "photos are");
                lines.push(format!(
                    "{what}: {away} on volumes that are away; {model} looks at them when they are back"
                ));
            }
            if let Some(c) = sight.coverage.filter(|c| c.failed > 0) {
                let failed = plural(c.failed, "photo", "photos");
                lines.push(context.out.red(&format!(
                    "{what}: {model} makes nothing of {failed} (`photond status --errors` says why)"
                )));
            }
            if let Some(r) = sight.report.as_ref().filter(|r| !r.ready) {
                let line = format!("{what} are not looked for now: {}", printable(&r.detail));
                lines.push(context.out.red(&line));
            }
        }
        lines
    }

    pub fn json(&self) -> Value {
        let sights = self.sights.iter().map(|s| {
            let waiting = s.coverage.map(|c| c.waiting().max(0));
            let eta = waiting.filter(|w| *w > 0 && self.rate > 0.0);
            json!({
                "looks_for": s.setting,
                "model": s.model,
                "on": s.on,
                "seen": s.coverage.map(|c| c.embedded),
                "failed": s.coverage.map(|c| c.failed),
                "away": s.coverage.map(|c| c.away),
                "photos": s.coverage.map(|c| c.photos),
                "rate": self.rate,
                "eta_s": eta.map(|w| (w as f64 / self.rate).ceil() as u64),
                "ready": s.report.as_ref().map(|r| r.ready),
                "detail": s.report.as_ref().map(|r| r.detail.clone()),
            })
        });
        sights.collect()
    }
}
