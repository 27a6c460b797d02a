//! What `status` says of the search model: which one, how far a switch is, what queries use.

use serde_json::{Value, json};

use super::Context_;
use super::output::{count, plural, printable, span};
use crate::daemon::SearchReport;
use crate::embedding::pack_name;
use crate::model::packs;
use crate::search::choose;
use crate::store::{Coverage, StoreReader};

/// The search model's side of `status`.
pub(super) struct Searching {
    /// The one a person has chosen.
    chosen: String,
    /// The same with the revision that is here, if it can be opened.
    chosen_id: Option<String>,
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
        let chosen_id = packs::open(&context.data_dir, &chosen).ok();
        let chosen_id = chosen_id.map(|pack| pack.id.0);
        let is_chosen = |id: &str| same(&chosen, chosen_id.as_deref(), id);
        let mut coverage = None;
        if !serving.as_deref().is_some_and(is_chosen) {
            let newest = reader.models()?.into_iter().rfind(|m| is_chosen(&m.name.0));
            coverage = newest.map(|m| reader.coverage(m.id)).transpose()?;
        }
        // What answers where that is not to be had is an error of the query's.
        let answering = choose(reader, &context.data_dir).ok();
        Ok(Self {
            chosen,
            chosen_id,
            answering: answering.map(|c| c.row.name.0),
            serving,
            coverage,
            report,
        })
    }

    fn is_chosen(&self, id: &str) -> bool {
        same(&self.chosen, self.chosen_id.as_deref(), id)
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
                let under_way = self.report.as_ref().filter(|_| c.waiting() > 0);
                if let Some(r) = under_way.filter(|r| r.rate > 0.0) {
                    line += &format!(", {:.1}/s", r.rate);
                    if let Some(s) = r.eta_s {
                        line += &format!(", about {} left", span(s));
                    }
                }
                line += &self.until();
                lines.push(line);
                if c.waiting() == 0 && c.away > 0 {
                    lines.push(format!(
                        "search model {}: {} on volumes that are away; it looks at them when they are back",
                        self.chosen,
                        plural(c.away, "photo is", "photos are")
                    ));
                }
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
            (None, Some(_)) => lines.push(format!(
                "search model {}: no photo seen yet{}",
                self.chosen_id.as_deref().unwrap_or(&self.chosen),
                self.until()
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

    /// What queries do until the chosen model has seen all photos.
    fn until(&self) -> String {
        match (&self.answering, &self.serving) {
            (Some(answering), _) => format!("; until then --text and --like use {answering}"),
            (None, Some(_)) => "; until then --text and --like find nothing".to_owned(),
            (None, None) => String::new(),
        }
    }

    pub fn json(&self) -> Value {
        let report = self.report.as_ref();
        json!({
            "chosen": self.chosen,
            "serving": self.serving,
            "answering": self.answering,
            "whole": self.serving.as_deref().is_some_and(|id| self.is_chosen(id)),
            "done": self.coverage.as_ref().map(|c| c.embedded + c.failed),
            "away": self.coverage.as_ref().map(|c| c.away),
            "failed": self.coverage.as_ref().map(|c| c.failed),
            "photos": self.coverage.as_ref().map(|c| c.photos),
            "rate": report.map(|r| r.rate),
            "eta_s": report.and_then(|r| r.eta_s),
            "ready": report.map(|r| r.model.ready),
            "detail": report.map(|r| r.model.detail.clone()),
        })
    }
}

/// Whether vectors of `id` are those of the chosen model: its very revision, if that is known.
fn same(chosen: &str, chosen_id: Option<&str>, id: &str) -> bool {
    chosen_id.map_or_else(|| pack_name(id) == chosen, |chosen| id == chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn searching(chosen_id: Option<&str>, serving: &str, answering: Option<&str>) -> Searching {
        Searching {
            chosen: "clip".to_owned(),
            chosen_id: chosen_id.map(str::to_owned),
            serving: Some(serving.to_owned()),
            answering: answering.map(str::to_owned),
            coverage: None,
            report: None,
        }
    }

    #[test]
    fn another_revision_is_another_model() {
        let old = searching(Some("clip@2"), "clip@1", None);
        assert!(!old.is_chosen("clip@1") && old.is_chosen("clip@2"));
        assert_eq!(old.json()["whole"], false);
        assert!(old.until().ends_with("find nothing"));
        let before = searching(Some("clip@2"), "lite0@1", Some("lite0@1"));
        assert!(before.until().ends_with("use lite0@1"));
        // What cannot be opened goes by its name.
        assert!(searching(None, "clip@1", None).is_chosen("clip@1"));
    }
}
