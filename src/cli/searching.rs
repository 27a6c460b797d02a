//! What `status` says of the search model: which one, how far a switch is, what queries use.

use serde_json::{Value, json};

use super::Context_;
use super::output::{count, plural, printable, span};
use crate::daemon::SearchReport;
use crate::model::packs;
use crate::search::choose;
use crate::store::{Coverage, StoreReader};

/// The search model's side of `status`.
pub(super) struct Searching {
    /// The one a person has chosen.
    chosen: String,
    /// What queries go by, name and revision.
    serving: Option<String>,
    /// What answers now, name and revision.
    answering: Option<String>,
    /// How far the chosen one is, while queries do not go by it yet.
    coverage: Option<Coverage>,
    /// What the running daemon says.
    report: Option<SearchReport>,
}

impl Searching {
    pub fn read(
        context: &Context_,
        reader: &StoreReader,
        report: Option<SearchReport>,
    ) -> anyhow::Result<Self> {
        let chosen = packs::in_use(&context.data_dir);
        let serving = reader.serving()?.map(|m| m.name.0);
        let is_chosen = |id: &str| name_of(id) == chosen;
        let mut coverage = None;
        if !serving.as_deref().is_some_and(is_chosen) {
            let newest = reader.models()?.into_iter().rfind(|m| is_chosen(&m.name.0));
            coverage = newest.map(|m| reader.coverage(m.id)).transpose()?;
        }
        // What answers where that is not to be had is an error of the query's.
        let answering = choose(reader, &context.data_dir).ok();
        Ok(Self {
            chosen,
            answering: answering.map(|c| c.row.name.0),
            serving,
            coverage,
            report,
        })
    }

    fn is_chosen(&self, id: &str) -> bool {
        name_of(id) == self.chosen
    }

    pub fn lines(&self, context: &Context_) -> Vec<String> {
        let mut lines = Vec::new();
        let serving = self.serving.as_deref();
        match (&self.coverage, serving) {
            (Some(c), _) => {
                let done = c.embedded + c.failed;
                let mut line = format!(
                    "search model {}: {} of {} photos seen",
                    self.chosen,
                    count(done),
                    count(c.photos)
                );
                if let Some(r) = self.report.as_ref().filter(|r| r.rate > 0.0) {
                    line += &format!(", {:.1}/s", r.rate);
                    if let Some(s) = r.eta_s {
                        line += &format!(", about {} left", span(s));
                    }
                }
                if let Some(serving) = serving {
                    line += &format!("; until then --text and --like use {serving}");
                }
                lines.push(line);
                if c.failed > 0 {
                    lines.push(context.out.red(&format!(
                        "search model {}: it makes nothing of {} (`photond status --errors` says why)",
                        self.chosen,
                        plural(c.failed, "photo", "photos")
                    )));
                }
            }
            (None, Some(serving)) if self.is_chosen(serving) => {
                lines.push(match &self.answering {
                    Some(other) if other != serving => format!(
                        "search model {serving} is chosen and cannot be opened (`photond model verify` says why): {other} answers"
                    ),
                    _ => format!("--text and --like use {serving}"),
                });
            }
            (None, Some(serving)) => lines.push(format!(
                "search model {}: no photo seen yet; until it has seen all, --text and --like use {serving}",
                self.chosen
            )),
            (None, None) => lines.push(format!("search model {}: no photo seen yet", self.chosen)),
        }
        if let Some(r) = self.report.as_ref().filter(|r| !r.model.ready) {
            lines.push(
                context
                    .out
                    .red(&format!("search model: {}", printable(&r.model.detail))),
            );
        }
        lines
    }

    pub fn json(&self) -> Value {
        let report = self.report.as_ref();
        json!({
            "chosen": self.chosen,
            "serving": self.serving,
            "answering": self.answering,
            "whole": self.serving.as_deref().is_some_and(|id| self.is_chosen(id)),
            "done": self.coverage.as_ref().map(|c| c.embedded + c.failed),
            "failed": self.coverage.as_ref().map(|c| c.failed),
            "photos": self.coverage.as_ref().map(|c| c.photos),
            "rate": report.map(|r| r.rate),
            "eta_s": report.and_then(|r| r.eta_s),
            "ready": report.map(|r| r.model.ready),
            "detail": report.map(|r| r.model.detail.clone()),
        })
    }
}

/// `name@revision` without the revision.
fn name_of(id: &str) -> &str {
    id.split('@').next().unwrap_or_default()
}
