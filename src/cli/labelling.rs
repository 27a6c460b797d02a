//! The labels part of `status`: how many terms there are, and how far photos are set against them.

use serde_json::{Value, json};

use super::Context_;
use super::output::{count, plural, span};
use crate::embedding::ModelId;
use crate::index::{LabelPhase, LabelReport, bank_path};
use crate::store::{Labelling, StoreReader};
use crate::tag::{PoolProgress, PoolSettings, Pools, TermBank};

/// What is known of labels.
pub(super) struct Labels {
    /// The model whose vectors are set against terms.
    model: Option<ModelId>,
    /// Terms in its bank, and terms there are to be.
    terms: (usize, usize),
    mark: Option<Labelling>,
    /// Photos that have not been set against any term.
    waiting: i64,
    /// Rows in each pool: active, warm, cold.
    pools: [usize; 3],
    /// Share of tags missed since not every photo is set against every term, and of how many tags
    /// that is known.
    missed: Option<(f64, u64)>,
    /// What the running daemon says.
    report: Option<LabelReport>,
    off: bool,
}

impl Labels {
    pub fn read(
        context: &Context_,
        reader: &StoreReader,
        report: Option<LabelReport>,
    ) -> anyhow::Result<Self> {
        let mut labels = Self {
            model: None,
            terms: (0, 0),
            mark: None,
            waiting: 0,
            pools: [0; 3],
            missed: None,
            report,
            off: context.config.labels.terms == 0,
        };
        let Some(serving) = reader.serving()? else {
            return Ok(labels);
        };
        let path = bank_path(&context.data_dir, &serving.name);
        if let Ok(bank) = TermBank::open_any(&path) {
            labels.terms = (bank.len(), bank.capacity().min(context.config.labels.terms));
        }
        labels.mark = reader.labelling(serving.id)?;
        let done = labels.mark.as_ref().map_or(0, |m| m.done);
        labels.waiting = reader.vectors_after(serving.id, done, i64::MAX)?;
        let mut known = 0;
        for row in reader.label_pools(serving.id)? {
            if let Some(pool) = labels.pools.get_mut(usize::from(row.pool)) {
                *pool += 1;
                known += 1;
            }
        }
        labels.missed = labels.mark.as_ref().and_then(|mark| {
            let progress: PoolProgress = serde_json::from_str(&mark.relevance).ok()?;
            Pools::restore(PoolSettings::default(), 0, progress, []).missed()
        });
        labels.pools[0] += labels.terms.0.saturating_sub(known);
        labels.model = Some(serving.name);
        Ok(labels)
    }

    pub fn lines(&self, context: &Context_) -> Vec<String> {
        let (terms, of) = self.terms;
        let Some(model) = self.model.as_ref().filter(|_| terms > 0 && !self.off) else {
            let why = self.report.as_ref().and_then(|r| r.reason.as_ref());
            return why
                .map(|why| {
                    context
                        .out
                        .red(&format!("no tags from the vocabulary yet: {why}"))
                })
                .into_iter()
                .collect();
        };
        let mut line = format!(
            "tags of {} from {model}",
            plural(terms as u64, "term", "terms")
        );
        if terms < of {
            line += &format!(", of {} there are to be", count(of as u64));
        }
        if let Some(report) = &self.report {
            match report.phase {
                LabelPhase::Encoding => {
                    line += &format!(", {:.0}/s", report.rate);
                    if let Some(s) = report.eta_s() {
                        line += &format!(", about {} left", span(s));
                    }
                }
                LabelPhase::Tagging if report.passed.1 > 0 => {
                    line += &format!(
                        "; {} of {} photos set against more terms, {:.0}/s",
                        count(report.passed.0),
                        count(report.passed.1),
                        report.pass_rate
                    );
                }
                _ => {}
            }
        }
        if self.waiting > 0 {
            line += &format!(
                "; {} not set against them yet",
                plural(self.waiting, "photo is", "photos are")
            );
        }
        let mut lines = vec![line];
        let [active, warm, cold] = self.pools;
        if warm + cold > 0 {
            let mut line = format!(
                "  {} looked for on every photo, {} on some, {} on few",
                plural(active as u64, "term", "terms"),
                count(warm as u64),
                count(cold as u64)
            );
            if let Some((share, kept)) = self.missed {
                line += &format!(
                    "; {:.2} % of tags missed by that (measured on {})",
                    share * 100.0,
                    count(kept)
                );
            }
            lines.push(line);
        }
        if let Some(reason) = self.report.as_ref().and_then(|r| r.reason.as_ref()) {
            lines.push(context.out.red(&format!("labels: {reason}")));
        }
        lines
    }

    pub fn json(&self) -> Value {
        let [active, warm, cold] = self.pools;
        json!({
            "model": self.model.as_ref().map(|m| &m.0),
            "terms": self.terms.0,
            "of": self.terms.1,
            "tagged_with": self.mark.as_ref().map(|m| m.rows),
            "waiting": self.waiting,
            "missed": self.missed.map(|(share, of)| json!({ "share": share, "of": of })),
            "pools": { "active": active, "warm": warm, "cold": cold },
            "running": self.report,
        })
    }
}
