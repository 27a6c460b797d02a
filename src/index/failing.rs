//! Failures in words: what could not be had, why, and what to do about it.

use std::io;

use crate::media::{DECODER_VERSION, Refusal};
use crate::model::ModelError;
use crate::store::{Failure, Stage};

fn failure(stage: Stage, kind: &str, message: String) -> Failure {
    Failure {
        stage,
        kind: kind.to_owned(),
        message,
        decoder_version: DECODER_VERSION,
    }
}

/// A file larger than photond reads.
pub(super) fn too_large(bytes: u64, limit: u64) -> Failure {
    let message = format!(
        "the file has {}, more than the {} that max_file_mib allows; raise it in the settings to index it",
        size(bytes),
        size(limit)
    );
    failure(Stage::Read, "too-large", message)
}

/// A file that cannot be read.
pub(super) fn unreadable(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::PermissionDenied {
        let message = format!(
            "it cannot be read ({error}); make it readable for this user, it is then indexed by itself"
        );
        failure(Stage::Read, "unreadable", message)
    } else {
        let message = format!("reading failed ({error}); it is tried again with the next scan");
        failure(Stage::Read, "io", message)
    }
}

/// A folder that cannot be walked.
pub(super) fn folder_unreadable(error: &io::Error) -> Failure {
    let message = format!(
        "the folder cannot be read ({error}), so its photos are not indexed; make it readable for this user"
    );
    failure(Stage::Scan, "unreadable-folder", message)
}

/// Bytes that are no picture photond can decode.
pub(super) fn undecodable(refusal: &Refusal) -> Failure {
    failure(Stage::Inspect, &refusal.kind, refusal.message.clone())
}

/// A photo of which no model input could be made although it was decoded before.
pub(super) fn no_tensor(refusal: &Refusal) -> Failure {
    failure(Stage::Embed, &refusal.kind, refusal.message.clone())
}

/// A model's answer that is none.
pub(super) fn no_embedding(error: &ModelError) -> Failure {
    failure(Stage::Embed, "model", error.to_string())
}

/// A classifier's answer that the derived space can make nothing of.
pub(super) fn not_derived(reason: &str) -> Failure {
    failure(Stage::Embed, "model", reason.to_owned())
}

/// A photo that was indexed and cannot be read for a model that has not seen it. Under the oldest
/// decoder's name: it is tried again whenever photos are caught up.
pub(super) fn out_of_reach() -> Failure {
    let message =
        "none of its files could be read when a new model was to see it; it is tried again";
    Failure {
        decoder_version: 0,
        ..failure(Stage::Embed, "io", message.to_owned())
    }
}

/// A size for people.
fn size(bytes: u64) -> String {
    match bytes >> 20 {
        mib @ 0..=9_999 => format!("{mib} MiB"),
        mib => format!("{} GiB", mib >> 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert!(
            too_large(600 << 20, 512 << 20)
                .message
                .contains("600 MiB, more than the 512 MiB")
        );
        assert!(too_large(1 << 40, 512 << 20).message.contains("1024 GiB"));
    }
}
