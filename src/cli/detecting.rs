//! What `status` says of the detectors: which are on, how far they are, what is in the way.

use serde_json::{Value, json};

use super::Context_;
use super::output::{count, plural, printable, span};
use crate::daemon::{DetectorReport, Report};
use crate::embedding::ModelId;
use crate::model::packs::Packs;
use crate::model::{ModelError, face_encoder_id, faces_id, text_id, things_id};
use crate::store::{StoreError, StoreReader};

/// One detector.
struct Sight {
    /// What it looks for.
    what: &'static str,
    /// That it does not.
    not: &'static str,
    /// Its key in the settings.
    setting: &'static str,
    /// Name and revision.
    model: ModelId,
    on: bool,
    /// What the running daemon says of it.
    report: Option<DetectorReport>,
}

/// The detectors' side of `status`. Nothing is counted for it: how far they are the daemon knows.
pub(super) struct Detecting {
    sights: Vec<Sight>,
}

impl Detecting {
    /// `report`: of the daemon that runs, if one does.
    pub fn read(context: &Context_, report: Option<&Report>) -> Result<Self, ModelError> {
        let detect = context.config.detect;
        let sight = |(what, not), setting, model: ModelId, on| Sight {
            report: report
                .and_then(|r| r.detectors.iter().find(|d| d.model.name == model.0))
                .cloned(),
            what,
            not,
            setting,
            model,
            on,
        };
        let (things, faces, text) = (things_id()?, faces_id()?, text_id()?);
        let mut sights = vec![
            sight(
                ("people and things", "are not looked for"),
                "things",
                things,
                detect.things,
            ),
            sight(
                ("faces", "are not looked for"),
                "faces",
                faces,
                detect.faces,
            ),
            sight(
                ("text in pictures", "is not read"),
                "text",
                text,
                detect.text,
            ),
        ];
        if Packs::new(&context.data_dir).tells_people() {
            let what = ("whose faces they are", "is not told");
            sights.push(sight(what, "people", face_encoder_id()?, true));
        }
        Ok(Self { sights })
    }

    pub fn lines(&self, context: &Context_) -> Vec<String> {
        let mut lines = Vec::new();
        for sight in &self.sights {
            let Sight {
                what, not, model, ..
            } = sight;
            if !sight.on {
                lines.push(format!(
                    "{what} {not} (`{} = false` below `[detect]` in the settings)",
                    sight.setting
                ));
                continue;
            }
            let Some(report) = &sight.report else {
                continue;
            };
            if report.waiting() > 0 {
                let (seen, photos) = (count(report.done), count(report.photos));
                let mut line = format!("{what}: {seen} of {photos} photos seen by {model}");
                if let Some(left) = report.eta_s {
                    line += &format!(", {:.1}/s, about {} left", report.rate, span(left));
                }
                lines.push(line);
            } else if report.away > 0 {
                let away = plural(report.away, "photo is", "photos are");
                lines.push(format!(
                    "{what}: {away} on volumes that are away; {model} looks at them when they are back"
                ));
            }
            if report.failed > 0 {
                let failed = plural(report.failed, "photo", "photos");
                lines.push(context.out.red(&format!(
                    "{what}: {model} makes nothing of {failed} (`photond status --errors` says why)"
                )));
            }
            if !report.model.ready {
                let detail = printable(&report.model.detail);
                let line = format!("{what} {not} now: {detail}");
                lines.push(context.out.red(&line));
            }
        }
        lines
    }

    /// With the number of photos that each has seen, which is counted.
    pub fn json(&self, reader: &StoreReader) -> Result<Value, StoreError> {
        let one = |s: &Sight| -> Result<Value, StoreError> {
            let row = reader.model(&s.model)?;
            let seen = row.map(|row| reader.embedding_count(row.id)).transpose()?;
            let report = s.report.as_ref();
            Ok(json!({
                "looks_for": s.setting,
                "model": s.model.0,
                "on": s.on,
                "seen": seen.unwrap_or(0),
                "waiting": report.map(DetectorReport::waiting),
                "failed": report.map(|r| r.failed),
                "away": report.map(|r| r.away),
                "rate": report.map(|r| r.rate),
                "eta_s": report.and_then(|r| r.eta_s),
                "ready": report.map(|r| r.model.ready),
                "detail": report.map(|r| r.model.detail.clone()),
            }))
        };
        self.sights.iter().map(one).collect()
    }
}
