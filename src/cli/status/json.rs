//! The report for programs.

use serde_json::{Value, json};

use super::Status;
use super::roots::passed_over;
use crate::cli::paths::{put_path_as, with_path};
use crate::cli::{Context_, durability, serve, verify};
use crate::index::Activity;
use crate::store::{StoreReader, TroubledSidecar};

/// What `--format json` says.
pub(in crate::cli) fn all_as_json(
    context: &Context_,
    reader: &StoreReader,
    status: &Status,
) -> anyhow::Result<Value> {
    let mut value = as_json(context, status);
    value["detectors"] = status.detecting.json(reader)?;
    Ok(value)
}

fn as_json(context: &Context_, s: &Status) -> Value {
    let c = &s.counts;
    let roots: Vec<Value> = s
        .roots
        .iter()
        .map(|r| {
            let fields = json!({
                "id": r.id,
                "volume": r.volume,
                "state": if r.online { "online" } else { "offline" },
                "note": r.note,
                "photos": r.contents,
                "indexed": r.photos,
                "failed": r.failed,
                "missing": r.missing,
                "missing_since": r.missing_since,
                "other_files": r.other_files,
                "skipped": passed_over(r, s.report_of(r)),
                "last_full_scan": r.last_full_scan,
                "live": s.report_of(r),
            });
            with_path(&r.path, fields)
        })
        .collect();
    let live = s.live();
    let mut value = json!({
        "daemon": {
            "alive": s.alive,
            "pid": s.pid.filter(|_| s.alive),
            "started_at": s.started_at,
            "heartbeat_age_s": s.heartbeat_age,
            "activity": match &s.said {
                Some(_) => Some(Activity::Paused),
                None => live.map(|r| r.activity),
            },
            "paused": s.said.clone().or_else(|| live.and_then(|r| r.paused.clone())),
            "resting": live.and_then(|r| r.resting.clone()),
            "queue": live.map_or(0, |r| r.counters.queued),
            "rate": live.map_or(0.0, |r| r.rate),
            "eta_s": live.and_then(|r| r.eta_s),
            "watch": live.and_then(|r| r.watch.clone()),
            "roots": live.map(|r| &r.roots),
            "decoding_lacks": live.map(|r| &r.decoding_lacks),
            "counters": s.report.as_ref().map(|r| r.counters),
        },
        "model": {
            "id": s.model,
            "ready": live.map(|r| r.model.ready),
            "detail": live.map(|r| r.model.detail.clone()),
            "untagged": c.untagged,
            "untagged_because": s.untagged,
        },
        "lan": serve::status_json(context, s.alive),
        "index": durability::as_json(&context.data_dir),
        "search": s.searching.json(),
        "tags": live.map(|r| &r.tags),
        "counts": {
            "files": c.files,
            "indexed": c.indexed,
            "failed": c.failed,
            "missing": c.missing,
            "troubled": c.troubled,
            "photos": c.photos,
            "tagged": c.tagged(),
            "damaged": c.damaged,
            "thumbnail_only": c.thumbnail_only,
            "without_picture": c.without_picture,
            "previews": c.previews,
        },
        "failures_by_kind": s.kinds.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "roots": roots,
        "verify": verify::status_json(&s.verified),
    });
    if let Value::Object(fields) = &mut value {
        put_path_as(fields, "data_dir", &context.data_dir);
    }
    if let (Some(failures), Value::Object(fields)) = (&s.failures, &mut value) {
        let rows: Vec<Value> = failures
            .iter()
            .map(|f| {
                let path = f.path.under(&f.root);
                let fields = json!({
                    // As long as there is no other: it has always been there.
                    "path_bytes": null,
                    "stage": f.stage,
                    "model": f.model,
                    "kind": f.kind,
                    "error": f.message,
                    "attempts": f.attempts,
                    "failed_at": f.failed_at,
                });
                with_path(&path, fields)
            })
            .collect();
        fields.insert("errors".to_owned(), Value::Array(rows));
        let sidecar = |row: &TroubledSidecar| {
            with_path(&row.path.under(&row.root), json!({ "error": row.why }))
        };
        let sidecars: Vec<Value> = s.troubled_sidecars.iter().map(sidecar).collect();
        fields.insert("sidecar_errors".to_owned(), Value::Array(sidecars));
    }
    value
}
