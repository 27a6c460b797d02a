//! What is to be said of a folder: how it is looked at, and what is known to lie in it.

use serde_json::json;

use super::{Asked, Explanation, Inside};
use crate::cli::output::{count, plural};
use crate::cli::status::root_lines;
use crate::daemon::{RootReport, RootStanding};
use crate::photo::RelPath;

impl Asked<'_> {
    pub(super) fn folder(&self, inside: &Inside<'_>) -> anyhow::Result<Explanation> {
        let mut explanation = if inside.rel.is_root() {
            self.root(inside)
        } else {
            self.subfolder(inside)?
        };
        if let Some(left_out) = inside.filter.explain(&inside.rel, true) {
            explanation.verdict = "left-out";
            explanation.lines.extend(self.rule_lines(inside, &left_out));
            explanation.put("rule", self.rule_json(inside, &left_out));
        } else if let Some((at, why)) = inside.filter.undecided_at(&inside.rel) {
            explanation.verdict = "undecided";
            explanation.say(self.undecided(inside, &at, &why));
        } else if explanation.verdict != "unreadable" {
            explanation.say(self.watching(inside));
            let polled = inside.report.and_then(|r| polled(r, &inside.rel));
            let watched = self.is_watched(inside).map(|w| w && polled.is_none());
            explanation.put("watched", json!(watched));
        }
        Ok(explanation)
    }

    fn root(&self, inside: &Inside<'_>) -> Explanation {
        let Some(row) = inside.row else {
            let line = format!(
                "{} is one of `roots` in the settings, and has not been looked at yet",
                inside.root.display()
            );
            return Explanation::new("root", line);
        };
        let mut lines = root_lines(self.context, row, inside.report).into_iter();
        let mut explanation = Explanation::new("root", lines.next().unwrap_or_default());
        explanation.lines.extend(lines);
        explanation.put("online", json!(row.online));
        explanation.put("photos", json!(row.contents));
        explanation.put("files", json!(row.photos));
        explanation.put("failed", json!(row.failed));
        explanation.put("missing", json!(row.missing));
        explanation.put("standing", json!(inside.report.map(|r| r.standing)));
        explanation
    }

    fn subfolder(&self, inside: &Inside<'_>) -> anyhow::Result<Explanation> {
        let line = format!(
            "{} lies in {}",
            inside.path.display(),
            inside.root.display()
        );
        let mut explanation = Explanation::new("folder", line);
        if let (Some(reader), Some(row)) = (self.reader, inside.row) {
            let counts = reader.folder_counts(row.id, &inside.rel)?;
            let mut known = format!(
                "known in it and below: {}",
                plural(counts.photos, "photo file", "photo files")
            );
            if counts.failed > 0 {
                known += &format!(", {} that could not be indexed", count(counts.failed));
            }
            explanation.say(known);
            if counts.missing > 0 {
                explanation.say(format!(
                    "{} held as missing: bring them back, or let go of them with `photond confirm`",
                    plural(counts.missing, "file is", "files are")
                ));
            }
            explanation.put("files", json!(counts.photos));
            explanation.put("failed", json!(counts.failed));
            explanation.put("missing", json!(counts.missing));
            if let Some(failure) = reader
                .path_state(row.id, &inside.rel)?
                .and_then(|s| s.failure)
            {
                explanation.verdict = "unreadable";
                self.failure(&mut explanation, &failure);
            }
        }
        if inside.disk_answers() && !inside.path.exists() {
            explanation.say("it is not there any more".to_owned());
        }
        if let Some(line) = self.away(inside) {
            explanation.say(line);
        }
        Ok(explanation)
    }

    /// Why its disk cannot be asked now.
    pub(super) fn away(&self, inside: &Inside<'_>) -> Option<String> {
        if inside.disk_answers() {
            return None;
        }
        let root = inside.root.display();
        if inside.report.is_some_and(|r| r.hangs_s.is_some()) {
            return Some(format!(
                "the disk of {root} does not answer; what is known stays"
            ));
        }
        let why = inside.row.and_then(|row| row.note.as_deref());
        Some(format!(
            "{root} is offline ({}); what is known of its photos stays in the index",
            why.unwrap_or("it is not there")
        ))
    }

    /// How changes in a folder are noticed.
    fn watching(&self, inside: &Inside<'_>) -> String {
        match self.is_watched(inside) {
            None if !self.is_alive() => {
                "photond is not running: changes in it are seen by the next `photond index` or `photond watch`".to_owned()
            }
            None => "the running photond has not come to it yet".to_owned(),
            Some(false) => "the running photond does not watch it now".to_owned(),
            Some(true) => {
                let report = inside.report.and_then(|r| Some((r, polled(r, &inside.rel)?)));
                match report {
                    Some((report, top)) => {
                        let watch = report.watch.as_ref();
                        let why = watch.and_then(|w| w.degraded.as_deref());
                        format!(
                            "{} has no watch ({}); it is looked through every minute, with all below it",
                            top.under(&inside.root).display(),
                            why.unwrap_or("none is to be had")
                        )
                    }
                    None => "it is watched: what changes in it is seen at once".to_owned(),
                }
            }
        }
    }

    /// Whether the running photond keeps its root current; `None`: it says nothing of it.
    fn is_watched(&self, inside: &Inside<'_>) -> Option<bool> {
        let report = inside.report.filter(|_| self.is_alive())?;
        report.watch.as_ref()?;
        Some(matches!(
            report.standing,
            RootStanding::Watching | RootStanding::Scanning
        ))
    }

    /// An ignore file that cannot be read.
    pub(super) fn undecided(
        &self,
        inside: &Inside<'_>,
        at: &RelPath,
        why: &std::io::Error,
    ) -> String {
        format!(
            "{}: {why}; nothing in it is looked at or let go of until that file can be read",
            at.under(&inside.root).display()
        )
    }
}

/// The polled folder that this one is or lies in.
fn polled(report: &RootReport, rel: &RelPath) -> Option<RelPath> {
    use std::os::unix::ffi::OsStrExt;
    let watch = report.watch.as_ref()?;
    let tops = watch.polled_dirs.iter().map(|dir| {
        let path = dir.path();
        RelPath::from_bytes(path.as_os_str().as_bytes())
    });
    tops.into_iter().find(|top| rel.is_within(top))
}
