//! What is to be said of a file: how far it came, and what stopped it.

use serde_json::json;

use super::{Asked, Explanation, Inside, ago};
use crate::cli::output::{moment, plural};
use crate::index::Activity;
use crate::photo::{FileStamp, Verdict};
use crate::source::FileKind;
use crate::store::{PathFailure, PathState, SidecarState};

impl Asked<'_> {
    pub(super) fn file(&self, inside: &Inside<'_>) -> anyhow::Result<Explanation> {
        let state = match (self.reader, inside.row) {
            (Some(reader), Some(row)) => reader.path_state(row.id, &inside.rel)?,
            _ => None,
        };
        let left_out = inside.filter.explain(&inside.rel, false);
        let sidecar = match (self.reader, inside.row) {
            (Some(reader), Some(row)) => reader.sidecar_state(row.id, &inside.rel)?,
            _ => None,
        };
        let mut explanation = match (&state, &sidecar) {
            (Some(state), _) => self.recorded(inside, state)?,
            (None, Some(sidecar)) => sidecar_explained(inside, sidecar),
            (None, None) => self.unrecorded(inside),
        };
        if let Some(left_out) = &left_out {
            if state.is_some() {
                explanation.say("it is left out by now, and goes with the next scan:".to_owned());
            } else {
                let there = explanation.verdict != "not-there";
                let more = if there {
                    ""
                } else {
                    ", and there is nothing at this path now"
                };
                explanation.verdict = "left-out";
                explanation.lines = vec![format!("{} is left out{more}", inside.path.display())];
            }
            explanation.lines.extend(self.rule_lines(inside, left_out));
            explanation.put("rule", self.rule_json(inside, left_out));
        } else if let Some(state) = &state {
            self.compare(&mut explanation, inside, state);
        }
        if let Some(line) = self.away(inside) {
            explanation.say(line);
        }
        Ok(explanation)
    }

    /// A file that the index has.
    fn recorded(&self, inside: &Inside<'_>, state: &PathState) -> anyhow::Result<Explanation> {
        let path = inside.path.display();
        let mut explanation = match (&state.failure, state.missing_since) {
            (Some(failure), _) => {
                let line = format!("{path} could not be indexed");
                let mut explanation = Explanation::new("failed", line);
                self.failure(&mut explanation, failure);
                explanation
            }
            (None, Some(_)) => Explanation::new("held", format!("{path} was indexed")),
            (None, None) => Explanation::new("photo", format!("{path} is indexed")),
        };
        if let Some(since) = state.missing_since {
            explanation.say(format!(
                "it is held as missing since {} ({}): it disappeared with very many others; bring them back, or let go of them with `photond confirm`",
                moment(since),
                ago(since)
            ));
            explanation.put("missing_since", json!(since));
        }
        if let Some(trouble) = &state.trouble {
            explanation.say(format!(
                "it cannot be read now ({}); what is known of it stays, and it is tried again",
                trouble.message
            ));
            explanation.put("trouble", failure_json(trouble));
        }
        if state.failure.is_none() {
            self.known(&mut explanation, inside)?;
        }
        Ok(explanation)
    }

    pub(super) fn failure(&self, explanation: &mut Explanation, failure: &PathFailure) {
        let step = match failure.stage.as_str() {
            "scan" => "looking through it",
            "read" => "reading it",
            "inspect" => "decoding it",
            "embed" => "showing it to the model",
            other => other,
        };
        explanation.say(format!(
            "{step} failed ({}): {}",
            failure.kind, failure.message
        ));
        let tries = if failure.attempts > 1 {
            format!("{}, the last ", plural(failure.attempts, "try", "tries"))
        } else {
            "tried ".to_owned()
        };
        explanation.say(format!("{tries}{}", ago(failure.failed_at)));
        explanation.put("failure", failure_json(failure));
    }

    /// Whether the file on the disk is still the one that is recorded.
    fn compare(&self, explanation: &mut Explanation, inside: &Inside<'_>, state: &PathState) {
        if !inside.disk_answers() {
            return;
        }
        let found = match self.context.config.follow_symlinks {
            true => std::fs::metadata(inside.path),
            false => std::fs::symlink_metadata(inside.path),
        };
        let Ok(found) = found else {
            if state.missing_since.is_none() {
                explanation.say(format!(
                    "it is not there any more; {}",
                    self.when_seen(inside)
                ));
            }
            return;
        };
        if !found.is_file() {
            explanation.say(format!(
                "it is no file any more; {}",
                self.when_seen(inside)
            ));
        } else if state.stamp.compare(&FileStamp::of(&found)) == Verdict::Changed
            && state.failure.as_ref().is_none_or(|f| f.stage != "read")
        {
            explanation.say(format!("it has changed since; {}", self.when_seen(inside)));
        }
    }

    /// A file that the index does not have, and that no rule leaves out.
    fn unrecorded(&self, inside: &Inside<'_>) -> Explanation {
        let path = inside.path.display();
        if !inside.disk_answers() {
            return Explanation::new("not-there", format!("{path} is not known"));
        }
        let found = match std::fs::symlink_metadata(inside.path) {
            Ok(found) => found,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let line = format!("{path} is neither there nor known; check the spelling");
                return Explanation::new("not-there", line);
            }
            Err(e) => {
                let line = format!("{path} cannot be asked for: {e}");
                return Explanation::new("unreadable", line);
            }
        };
        let dir = inside.rel.parent().unwrap_or_default();
        if let Some((at, why)) = inside.filter.undecided_at(&dir) {
            let line = self.undecided(inside, &at, &why);
            return Explanation::new("undecided", line);
        }
        if found.is_symlink() {
            return Explanation::new("link", format!("{path} is a symbolic link"));
        }
        if !found.is_file() {
            let line = format!(
                "{path} is neither a file nor a folder (a pipe, a socket or a device), and never opened"
            );
            return Explanation::new("special", line);
        }
        match inside.filter.file_kind(&inside.rel) {
            FileKind::OtherKind => Explanation::new(
                "other-kind",
                format!(
                    "{path} is no photo by its name, and is not opened (status counts such files)"
                ),
            ),
            FileKind::Temporary => Explanation::new(
                "unfinished",
                format!(
                    "{path} is not finished by its name (a download, a copy under way): it is looked at under the name that it gets in the end"
                ),
            ),
            FileKind::Excluded(_)
            | FileKind::Undecided
            | FileKind::Candidate
            | FileKind::Sidecar => {
                let line = format!("{path} has not been looked at yet");
                let mut explanation = Explanation::new("waiting", line);
                explanation.say(self.when_seen(inside));
                explanation
            }
        }
    }

    /// When a change is noticed.
    fn when_seen(&self, inside: &Inside<'_>) -> String {
        let report = self.status.and_then(|s| s.report.as_ref());
        match report.filter(|_| self.is_alive()) {
            None if self.is_alive() => "photond is at work".to_owned(),
            None => format!(
                "photond is not running: `photond index {:?}` looks at it",
                inside.root
            ),
            Some(report) => {
                let resting = report.resting.as_ref().or(report.paused.as_ref());
                let queue = report.counters.queued;
                match (resting, report.activity) {
                    (Some(why), _) => format!("photond is running and waits: {why}"),
                    (None, Activity::Scanning) => "photond is looking through the folders".to_owned(),
                    (None, Activity::Indexing) => {
                        format!("photond is at work, {} waiting", plural(queue, "file", "files"))
                    }
                    (None, _) => {
                        "photond is running and sees it within a second or two, when it is no longer written to".to_owned()
                    }
                }
            }
        }
    }
}

/// A file that may speak of photos, and has been read.
fn sidecar_explained(inside: &Inside<'_>, sidecar: &SidecarState) -> Explanation {
    let path = inside.path.display();
    if !sidecar.speaks {
        let line = format!("{path} says nothing of a photo: it is JSON of another kind");
        return Explanation::new("other-kind", line);
    }
    let mut explanation =
        Explanation::new("sidecar", format!("{path} speaks of the photo beside it"));
    if let Some(why) = &sidecar.trouble {
        explanation.say(format!("it cannot be read: {why}"));
        explanation.put("error", json!(why));
    }
    let photos = sidecar.photos.iter().map(|photo| photo.under(&inside.root));
    let photos: Vec<String> = photos.map(|photo| photo.display().to_string()).collect();
    explanation.say(match &photos[..] {
        [] => "no photo of its name is indexed in its folder".to_owned(),
        photos => format!("which is {}", photos.join(", ")),
    });
    explanation.put("photos", json!(photos));
    explanation
}

fn failure_json(failure: &PathFailure) -> serde_json::Value {
    json!({
        "stage": failure.stage,
        "kind": failure.kind,
        "error": failure.message,
        "attempts": failure.attempts,
        "failed_at": failure.failed_at,
    })
}
