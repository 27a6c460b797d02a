//! The password of the gallery on the network: kept as an argon2id hash in a file beside the index.
//!
//! The file is read whenever it is needed, so that a password that `photond password` sets counts from then on.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use argon2::Config;
use unicode_normalization::UnicodeNormalization;

use super::super::visitors::random;
use crate::safe_file;

/// Its name in the data directory.
const FILE: &str = "gallery.password";
/// Characters of a password, at least, and bytes at most.
pub const SHORTEST: usize = 8;
const LONGEST: usize = 1024;
/// Bytes of the hash's text, at most: what is longer is none.
const LONGEST_HASH: u64 = 512;

/// Why a password is not taken.
#[derive(Debug, thiserror::Error)]
pub enum PasswordTrouble {
    /// It is easily guessed.
    #[error(
        "a password needs at least {SHORTEST} characters; a few words are better than one with signs in it"
    )]
    Short,
    /// Nobody types that.
    #[error("a password has at most {LONGEST} bytes")]
    Long,
    /// The file cannot be written or removed.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be hashed.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
}

/// A password's hash, in the words of the PHC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::serve) struct PasswordHash(String);

impl PasswordHash {
    /// Whether this is the password. Takes as long for a wrong one, and some 20 MB of memory meanwhile.
    pub fn is_of(&self, password: &str) -> bool {
        let password = as_typed_elsewhere(password);
        password.len() <= LONGEST
            && argon2::verify_encoded(&self.0, password.as_bytes()).unwrap_or(false)
    }

    /// What tells sessions that were begun with another password.
    pub fn key(&self) -> [u8; 32] {
        *blake3::hash(self.0.as_bytes()).as_bytes()
    }
}

/// A telephone may compose an accent with its letter where a terminal does not.
fn as_typed_elsewhere(password: &str) -> String {
    password.nfc().collect()
}

/// The password that is set; `None` if there is none.
///
/// # Errors
/// If the file is there and cannot be read, or holds something else.
pub(in crate::serve) fn set_in(data_dir: &Path) -> Result<Option<PasswordHash>, PasswordTrouble> {
    let path = data_dir.join(FILE);
    let trouble = |source| PasswordTrouble::File {
        path: path.clone(),
        source,
    };
    let file = match std::fs::File::open(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(trouble)?,
    };
    let mut text = String::new();
    file.take(LONGEST_HASH)
        .read_to_string(&mut text)
        .map_err(trouble)?;
    let text = text.trim_end();
    if !text.starts_with("$argon2id$") {
        let damaged = "it is damaged: `photond password` sets a new one";
        return Err(trouble(io::Error::other(damaged)));
    }
    Ok(Some(PasswordHash(text.to_owned())))
}

/// Sets the password of the gallery on the network. Whoever was let in with another one is out.
///
/// # Errors
/// If it is too short or too long, or its hash cannot be kept.
pub fn set_password(data_dir: &Path, password: &str) -> Result<(), PasswordTrouble> {
    let password = as_typed_elsewhere(password);
    if password.chars().count() < SHORTEST {
        return Err(PasswordTrouble::Short);
    }
    if password.len() > LONGEST {
        return Err(PasswordTrouble::Long);
    }
    let salt: [u8; 16] =
        random().map_err(|_| PasswordTrouble::Hash("the system gives no random numbers".into()))?;
    // argon2id with 19 MiB and two passes, which OWASP recommends.
    let hash = argon2::hash_encoded(password.as_bytes(), &salt, &Config::owasp2());
    let hash = hash.map_err(|e| PasswordTrouble::Hash(e.to_string()))?;
    let path = data_dir.join(FILE);
    safe_file::write(&path, format!("{hash}\n").as_bytes())
        .map_err(|source| PasswordTrouble::File { path, source })
}

/// Takes the password away: nobody gets in over the network. False if there was none.
///
/// # Errors
/// If the file cannot be removed.
pub fn remove_password(data_dir: &Path) -> Result<bool, PasswordTrouble> {
    let path = data_dir.join(FILE);
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(PasswordTrouble::File { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_kept_as_its_hash() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(set_in(dir.path()).unwrap(), None);
        set_password(dir.path(), "caf\u{e9} au lait").unwrap();
        let kept = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert!(
            kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{kept}"
        );
        let hash = set_in(dir.path()).unwrap().unwrap();
        assert!(hash.is_of("café au lait"));
        assert!(hash.is_of("cafe\u{301} au lait"), "composed elsewhere");
        for wrong in [
            "",
            "cafe au lait",
            "CAFÉ AU LAIT",
            "café au lait ",
            kept.trim(),
        ] {
            assert!(!hash.is_of(wrong), "{wrong:?}");
        }
        set_password(dir.path(), "café au lait").unwrap();
        let again = set_in(dir.path()).unwrap().unwrap();
        assert_ne!(hash.key(), again.key(), "set anew, another salt");
        assert!(remove_password(dir.path()).unwrap());
        assert!(!remove_password(dir.path()).unwrap());
        assert_eq!(set_in(dir.path()).unwrap(), None);
    }

    #[test]
    fn what_is_no_password_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        for short in ["", "1234567", "äöüäöüä"] {
            let refused = set_password(dir.path(), short).unwrap_err();
            assert!(refused.to_string().contains("at least 8"), "{refused}");
        }
        let long = set_password(dir.path(), &"x".repeat(2000)).unwrap_err();
        assert!(matches!(long, PasswordTrouble::Long));
        assert_eq!(set_in(dir.path()).unwrap(), None, "nothing was kept");
        for damaged in [
            "",
            "password",
            "$argon2id$",
            "$argon2i$v=19$m=16,t=2,p=1$c2FsdA$aGFzaA",
        ] {
            std::fs::write(dir.path().join(FILE), damaged).unwrap();
            let opens = set_in(dir.path()).map(|hash| hash.unwrap().is_of(damaged));
            assert!(!opens.unwrap_or(false), "{damaged:?}");
        }
    }
}
