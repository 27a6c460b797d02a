//! Rows of the bank before this one, found by their text: after a change of vocabulary most texts
//! are the same, and their vectors need not be encoded again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use half::bf16;

use super::TermBank;
use super::error::BankError;
use super::identity::BankIdentity;

/// Key of the text that a row was encoded from: the first 8 bytes of its BLAKE3, never 0. Two of
/// 68,000 texts share one with a chance of one in 8 · 10⁹.
#[must_use]
pub fn text_key(text: &str) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..8]);
    u64::from_le_bytes(bytes).max(1)
}

/// The former bank, with its rows by key: 16 bytes a row, as long as the new one is not whole.
#[derive(Debug)]
pub(super) struct Known {
    bank: Arc<TermBank>,
    rows: HashMap<u64, u32>,
}

impl Known {
    /// Opens the former bank of `path` if it serves.
    pub(super) fn open(path: &Path, identity: &BankIdentity) -> Option<Self> {
        let bank = TermBank::open_any(&former(path)).ok()?;
        if !bank.identity().same_space(identity) {
            return None;
        }
        let rows = (0u32..)
            .zip(bank.keys())
            .filter(|(_, key)| *key != 0)
            .map(|(row, key)| (key, row))
            .collect();
        Some(Self { bank, rows })
    }

    pub(super) fn row(&self, key: u64) -> Option<&[bf16]> {
        self.bank.check().ok()?;
        self.bank.row(*self.rows.get(&key)? as usize)
    }
}

/// Where the former bank lies until the new one is whole.
pub(super) fn former(path: &Path) -> PathBuf {
    beside(path, "old")
}

/// Puts the bank at `path` by if its vectors may serve the next one, and nothing newer is there.
pub(super) fn put_by(path: &Path, identity: &BankIdentity) -> Result<(), BankError> {
    let serves =
        |at: &Path| TermBank::open_any(at).is_ok_and(|bank| bank.identity().same_space(identity));
    // With a vocabulary changed twice, the whole bank before the first change may know more than
    // the begun one after it.
    let more = |a: &Path, b: &Path| {
        let len = |at: &Path| TermBank::open_any(at).map_or(0, |bank| bank.len());
        len(a) >= len(b)
    };
    let old = former(path);
    if serves(path) && !(serves(&old) && more(&old, path)) {
        std::fs::rename(path, &old).map_err(BankError::io(path, "put by"))?;
    }
    Ok(())
}

/// The file of the same name with one more extension.
pub(super) fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}
