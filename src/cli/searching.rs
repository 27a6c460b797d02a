//! What `status` says of the search model: which one, how far a switch is, what queries use.

use serde_json::{Value, json};

use super::Context_;
use super::output::{count, printable, span};
use crate::daemon::SearchReport;
use crate::model::packs;
use crate::store::{Coverage, StoreReader};

/// The search model's side of `status`.
pub(super) struct Searching {
    /// The one a person has chosen.
    chosen: String,
    /// What queries go by, name and revision.
    serving: Option<String>,
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
        let is_chosen = |id: &str| id.split('@').next() == Some(chosen.as_str());
        let mut coverage = None;
        if !serving.as_deref().is_some_and(is_chosen) {
            let newest = reader.models()?.into_iter().rfind(|m| is_chosen(&m.name.0));
            coverage = newest.map(|m| reader.coverage(m.id)).transpose()?;
        }
        Ok(Self {
            chosen,
            serving,
            coverage,
            report,
        })
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
            }
            (None, Some(serving)) => lines.push(format!("--text and --like use {serving}")),
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
            "whole": self.coverage.is_none() && self.serving.is_some(),
            "done": self.coverage.as_ref().map(|c| c.embedded + c.failed),
            "photos": self.coverage.as_ref().map(|c| c.photos),
            "rate": report.map(|r| r.rate),
            "eta_s": report.and_then(|r| r.eta_s),
            "ready": report.map(|r| r.model.ready),
            "detail": report.map(|r| r.model.detail.clone()),
        })
    }
}
