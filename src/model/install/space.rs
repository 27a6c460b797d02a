//! Room on the disk, asked before a download rather than found out at its end.

use std::path::Path;

use super::InstallError;
use crate::safe_file::free_space;

/// Left free beside what is written: the database and the system need some too.
const MARGIN: u64 = 64 << 20;

/// Checks that `need` more bytes fit below `dir`.
///
/// A file system that does not say how much is free is believed to have enough; writing then finds
/// out.
///
/// # Errors
/// [`InstallError::NoSpace`].
pub(super) fn check(dir: &Path, need: u64) -> Result<(), InstallError> {
    let Some(free) = free_space(dir) else {
        return Ok(());
    };
    if need > 0 && free < need.saturating_add(MARGIN) {
        return Err(full(dir, need));
    }
    Ok(())
}

/// The error for a disk that is full, with what is needed.
pub(super) fn full(dir: &Path, need: u64) -> InstallError {
    InstallError::NoSpace {
        dir: dir.to_path_buf(),
        need: need.saturating_add(MARGIN),
        free: free_space(dir).unwrap_or(0),
    }
}

/// A number of bytes for people: `371.8 MB`.
pub fn bytes(n: u64) -> String {
    let (unit, divisor) = match n {
        0..=999 => return format!("{n} bytes"),
        1_000..=999_999 => ("kB", 1_000),
        1_000_000..=999_999_999 => ("MB", 1_000_000),
        _ => ("GB", 1_000_000_000),
    };
    format!("{}.{} {unit}", n / divisor, n % divisor * 10 / divisor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_need_beyond_the_disk_is_refused_with_both_numbers() {
        let dir = tempfile::tempdir().unwrap();
        check(dir.path(), 0).unwrap();
        check(dir.path(), 1).unwrap();
        let error = check(dir.path(), 1 << 60).unwrap_err();
        assert!(matches!(
            error,
            InstallError::NoSpace { need, free, .. } if need > free && free > 0
        ));
        assert!(error.to_string().contains("are needed"), "{error}");
    }

    #[test]
    fn bytes_read_well() {
        assert_eq!(bytes(12), "12 bytes");
        assert_eq!(bytes(466_247), "466.2 kB");
        assert_eq!(bytes(371_776_512), "371.7 MB");
        assert_eq!(bytes(1_234_567_890), "1.2 GB");
    }
}
