//! Checksums of a file, all in one reading.
//!
//! A file is hashed from the disk after it is complete, not from the network while it arrives: a
//! resumed file needs no special case, and what is checked is what was written. BLAKE3 and SHA-256
//! of 372 MB together take about half a second, from the page cache.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

use super::error::io;
use super::{InstallError, Watch};
use crate::photo::hex;

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digests {
    /// Bytes.
    pub size: u64,
    /// 64 hex digits.
    pub blake3: String,
    /// 64 hex digits.
    pub sha256: String,
    /// 40 hex digits: how Git names this content (SHA-1 over `blob SIZE\0` and the bytes).
    pub git: String,
}

/// Reads the file once. `step` is told how many bytes each reading brought.
///
/// # Errors
/// If the file cannot be read, changes its size meanwhile, or the user stops it.
pub(super) fn of_file(
    path: &Path,
    watch: &dyn Watch,
    mut step: impl FnMut(u64),
) -> Result<Digests, InstallError> {
    let mut file = File::open(path).map_err(io(path, "open"))?;
    let size = file.metadata().map_err(io(path, "look at"))?.len();
    let mut blake = blake3::Hasher::new();
    let mut sha256 = Context::new(&SHA256);
    let mut git = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    git.update(format!("blob {size}\0").as_bytes());
    let mut buffer = vec![0u8; 1 << 20];
    let mut read = 0u64;
    loop {
        if watch.stopped() {
            return Err(InstallError::Stopped);
        }
        let n = file.read(&mut buffer).map_err(io(path, "read"))?;
        if n == 0 {
            break;
        }
        blake.update(&buffer[..n]);
        sha256.update(&buffer[..n]);
        git.update(&buffer[..n]);
        read += n as u64;
        step(n as u64);
    }
    if read != size {
        return Err(io(path, "check")(std::io::Error::other(
            "it changed while it was read",
        )));
    }
    Ok(Digests {
        size,
        blake3: blake.finalize().to_hex().to_string(),
        sha256: hex(sha256.finish().as_ref()),
        git: hex(git.finish().as_ref()),
    })
}

/// True for `length` hex digits, small letters.
pub(super) fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::install::Silent;

    #[test]
    fn digests_are_the_published_ones() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, b"abc").unwrap();
        let mut seen = 0;
        let found = of_file(&path, &Silent, |n| seen += n).unwrap();
        assert_eq!(seen, 3);
        assert_eq!(found.size, 3);
        // FIPS 180-2, appendix B.1; `git hash-object`; the BLAKE3 reference vectors.
        assert_eq!(
            found.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(found.git, "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f");
        assert_eq!(
            found.blake3,
            "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
        );
    }

    #[test]
    fn hex_is_told_from_what_looks_like_it() {
        assert!(is_hex("00ff", 4));
        assert!(!is_hex("00FF", 4));
        assert!(!is_hex("00f", 4));
        assert!(!is_hex("00fg", 4));
    }
}
