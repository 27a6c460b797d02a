//! A root in a few lines: what it holds, where it stands, what is to be done.

use super::text::{counted, photos_in_files};
use crate::cli::Context_;
use crate::cli::output::{count, moment, plural, printable, span};
use crate::daemon::{RootReport, RootStanding};
use crate::index::Skipped;
use crate::store::{RootRow, unix_now};

/// `report`: what the running daemon says of it.
pub(in crate::cli) fn root_lines(
    context: &Context_,
    root: &RootRow,
    report: Option<&RootReport>,
) -> Vec<String> {
    let out = context.out;
    let mut line = format!(
        "{}  {}",
        out.bold(&printable(&root.path.to_string_lossy())),
        photos_in_files(root.contents, root.photos)
    );
    if root.linked_by.is_some() {
        line += ", by a symbolic link";
    }
    if root.failed > 0 {
        line += &format!(", {} failed", count(root.failed));
    }
    if root.missing > 0 {
        line += &format!(", {} missing", count(root.missing));
    }
    if root.other_files > 0 {
        line += &format!(
            ", {} of other kinds",
            plural(root.other_files, "file", "files")
        );
    }
    line += &match root.last_full_scan {
        Some(at) => format!(
            ", last full scan {} ago",
            span(u64::try_from(unix_now() - at).unwrap_or(0))
        ),
        None => ", not scanned to the end yet".to_owned(),
    };
    let mut lines = vec![line];
    let said = report.map_or_else(Vec::new, |report| standing_lines(context, report));
    if !root.online && said.is_empty() {
        let why = root.note.as_deref().unwrap_or("not there");
        lines.push(format!(
            "  {}: {why}; its photos stay in the index",
            out.red("offline")
        ));
    }
    lines.extend(said);
    if let Some(line) = skipped_line(&passed_over(root, report)) {
        lines.push(out.dim(&line));
    }
    if root.missing > 0 {
        lines.push(format!(
            "  {}",
            out.red(&format!(
                "{} disappeared at once and are held{}: bring them back, or let go of them with `photond confirm`",
                plural(root.missing, "file", "files"),
                root.missing_since.map_or_else(String::new, |at| format!(" since {}", moment(at)))
            ))
        ));
    }
    lines
}

/// What the last full scan passed over: of the one that runs, or as it was stored.
pub(super) fn passed_over(root: &RootRow, report: Option<&RootReport>) -> Skipped {
    let stored = || serde_json::from_str(&root.skipped).unwrap_or_default();
    let live = report.map(|report| report.skipped);
    live.filter(|skipped| *skipped != Skipped::default())
        .unwrap_or_else(stored)
}

/// What was passed over, counted by rule.
fn skipped_line(skipped: &Skipped) -> Option<String> {
    let rules = &skipped.rules;
    let parts = [
        (rules.hidden, "hidden"),
        (rules.system, "of systems and programs"),
        (rules.companions, "macOS's notes on files"),
        (rules.bin, "in a bin"),
        (rules.backups, "backup copies"),
        (rules.marked, "closed by .nomedia or .noimage"),
        (rules.ignore_files, "by .photondignore"),
        (rules.settings, "by `exclude`"),
        (skipped.temporary, "not finished yet"),
        (skipped.links, "symbolic links"),
        (
            skipped.special - skipped.links.min(skipped.special),
            "special files",
        ),
    ];
    counted(parts).map(|parts| format!("  skipped: {parts} (`photond why PATH` says which rule)"))
}

/// What is to be known of a root that is not simply watched.
pub(super) fn standing_lines(context: &Context_, report: &RootReport) -> Vec<String> {
    let out = context.out;
    let mut lines = Vec::new();
    match report.standing {
        RootStanding::Hanging => lines.push(out.red(&format!(
            "  its disk has not answered for {}; its photos stay in the index, other folders go on",
            span(report.hangs_s.unwrap_or(0))
        ))),
        RootStanding::Offline => lines.push(format!(
            "  {}: {}; its photos stay in the index",
            out.red("offline"),
            report.why.as_deref().unwrap_or("not there")
        )),
        RootStanding::Busy => lines.push("  waits until another folder is let go".to_owned()),
        RootStanding::Ending => lines.push("  is being let go".to_owned()),
        RootStanding::Starting | RootStanding::Scanning | RootStanding::Watching => {}
    }
    if report.left_over > 0 {
        lines.push(format!(
            "  {} could not be read to the end, and is tried again",
            plural(report.left_over, "folder", "folders")
        ));
    }
    if let Some(watch) = report.watch.as_ref().filter(|w| w.polled > 0) {
        let why = watch.degraded.as_deref().unwrap_or("no watch to be had");
        lines.push(format!(
            "  {} with what lies below {} scanned at intervals: {why}",
            plural(watch.polled, "folder", "folders"),
            if watch.polled == 1 {
                "it is"
            } else {
                "them are"
            },
        ));
    }
    lines
}
