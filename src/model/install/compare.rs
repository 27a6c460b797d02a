//! A file's checksums against all that is known of it.

use super::digest::Digests;
use super::hub::Stated;
use super::{Check, InstallError};
use crate::model::FileEntry;

/// A file that is here and is the one that is wanted.
pub(super) struct Checked {
    /// Name in the pack.
    pub name: String,
    /// What it is.
    pub digests: Digests,
    /// The best that it was compared with.
    pub check: Check,
}

/// Every checksum that is known must fit, not only the best one.
///
/// `pin`: the SHA-256 published for the file's commit.
///
/// # Errors
/// [`InstallError::WrongSize`], [`InstallError::WrongContent`].
pub(super) fn compare(
    name: &str,
    from: &str,
    digests: Digests,
    entry: &FileEntry,
    stated: Option<&Stated>,
    pin: Option<&str>,
) -> Result<Checked, InstallError> {
    if let Some(expected) = entry.size.or(stated.and_then(|s| s.size))
        && expected != digests.size
    {
        return Err(InstallError::WrongSize {
            file: name.to_owned(),
            from: from.to_owned(),
            expected,
            found: digests.size,
        });
    }
    let hub = |sum: fn(&Stated) -> &Option<String>| stated.and_then(|s| sum(s).as_deref());
    // The weakest first, so that the best one is what remains.
    let sums = [
        (Check::HubGit, hub(|s| &s.git), &digests.git),
        (Check::HubSha256, hub(|s| &s.sha256), &digests.sha256),
        (Check::Sha256, pin, &digests.sha256),
        (Check::Blake3, entry.blake3.as_deref(), &digests.blake3),
    ];
    let mut best = Check::Recorded;
    for (check, expected, found) in sums {
        let Some(expected) = expected else { continue };
        if expected != found {
            return Err(InstallError::WrongContent {
                file: name.to_owned(),
                from: from.to_owned(),
                kind: check.kind(),
                expected: expected.to_owned(),
                found: found.clone(),
            });
        }
        best = check;
    }
    Ok(Checked {
        name: name.to_owned(),
        digests,
        check: best,
    })
}
