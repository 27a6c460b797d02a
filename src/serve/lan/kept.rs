//! What is kept of the listener on the network: where it is to be, and who has signed in there. It outlives the
//! daemon in a file beside the index, which only the daemon writes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::super::visitors::secret;
use super::password::PasswordHash;
use crate::safe_file;

/// Its name in the data directory.
const FILE: &str = "gallery.lan.json";
/// How long a browser stays let in.
pub(super) const SESSION: Duration = Duration::from_secs(30 * 24 * 3600);
/// Browsers that are let in, at most: beyond that the oldest goes.
const MOST_SESSIONS: usize = 32;
/// Bytes of the file, at most.
const LONGEST: u64 = 64 << 10;

/// How the gallery on the network stands, as the daemon has noted it last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LanStanding {
    /// Where it was asked for, until it is switched off.
    pub wanted: Option<SocketAddr>,
    /// Where it is open.
    pub open: Option<OpenOnLan>,
    /// Why it is not.
    pub trouble: Option<String>,
}

/// A listener on the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenOnLan {
    /// What it listens at.
    pub at: SocketAddr,
    /// SHA-256 of its certificate.
    pub fingerprint: String,
    /// The certificate is photond's own, which browsers do not know.
    pub self_signed: bool,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct KeptLan {
    #[serde(flatten)]
    standing: LanStanding,
    sessions: Vec<KeptSession>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeptSession {
    /// Of the cookie and the password it was begun with, in hex.
    hash: String,
    /// Seconds since 1970.
    until: u64,
}

fn read(data_dir: &Path) -> Option<KeptLan> {
    let path = data_dir.join(FILE);
    let is_small = std::fs::metadata(&path).ok()?.len() <= LONGEST;
    let bytes = is_small.then(|| std::fs::read(&path).ok()).flatten()?;
    serde_json::from_slice(&bytes).ok()
}

/// How the gallery on the network stands, as a living daemon has noted it.
pub fn lan_standing(data_dir: &Path) -> LanStanding {
    read(data_dir).unwrap_or_default().standing
}

/// The file, and what it holds.
pub(super) struct KeptOnLan {
    kept: Mutex<KeptLan>,
    file: PathBuf,
}

impl KeptOnLan {
    /// Those of an earlier daemon are let in again; a file that is damaged lets nobody in.
    pub fn of(data_dir: &Path) -> Self {
        Self {
            kept: Mutex::new(read(data_dir).unwrap_or_default()),
            file: data_dir.join(FILE),
        }
    }

    fn locked(&self) -> MutexGuard<'_, KeptLan> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn save(&self, kept: &KeptLan) {
        let bytes = serde_json::to_vec(kept).unwrap_or_default();
        if let Err(e) = safe_file::write(&self.file, &bytes) {
            let file = self.file.display();
            tracing::warn!("whoever has signed in has to do so again: {file}: {e}");
        }
    }

    pub fn standing(&self) -> LanStanding {
        self.locked().standing.clone()
    }

    /// Notes how it stands, if that is news.
    pub fn stands(&self, standing: LanStanding) {
        let mut kept = self.locked();
        if kept.standing != standing {
            kept.standing = standing;
            self.save(&kept);
        }
    }

    /// A cookie for somebody who knows the password.
    pub fn sign_in(
        &self,
        password: &PasswordHash,
        now: SystemTime,
    ) -> Result<String, ring::error::Unspecified> {
        let cookie = secret()?;
        let mut kept = self.locked();
        kept.sessions.retain(|s| s.until > seconds(now));
        if kept.sessions.len() >= MOST_SESSIONS {
            kept.sessions.remove(0);
        }
        kept.sessions.push(KeptSession {
            hash: hash(password, &cookie).to_hex().to_string(),
            until: seconds(now + SESSION),
        });
        self.save(&kept);
        Ok(cookie)
    }

    /// Whether somebody with this cookie has signed in with the password that is set now.
    pub fn knows(&self, password: &PasswordHash, cookie: &str, now: SystemTime) -> bool {
        let hash = hash(password, cookie);
        let kept = self.locked();
        let mut valid = kept.sessions.iter().filter(|s| s.until > seconds(now));
        // Two hashes compare in constant time.
        valid.any(|s| blake3::Hash::from_hex(&s.hash).is_ok_and(|known| known == hash))
    }

    /// Ends a session.
    pub fn sign_out(&self, password: &PasswordHash, cookie: &str) {
        let hash = hash(password, cookie).to_hex().to_string();
        let mut kept = self.locked();
        kept.sessions.retain(|s| s.hash != hash);
        self.save(&kept);
    }
}

fn hash(password: &PasswordHash, cookie: &str) -> blake3::Hash {
    blake3::keyed_hash(&password.key(), cookie.as_bytes())
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

#[cfg(test)]
mod tests {
    use super::super::password::{set_in, set_password};
    use super::*;

    #[test]
    fn whoever_signs_in_stays_until_the_month_or_the_password_ends() {
        let dir = tempfile::tempdir().unwrap();
        set_password(dir.path(), "correct horse").unwrap();
        let password = set_in(dir.path()).unwrap().unwrap();
        let now = SystemTime::now();
        let kept = KeptOnLan::of(dir.path());
        let cookie = kept.sign_in(&password, now).unwrap();
        assert!(kept.knows(&password, &cookie, now) && !kept.knows(&password, "", now));
        let text = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert!(!text.contains(&cookie), "only its hash is kept");

        let later = KeptOnLan::of(dir.path());
        let last = now + SESSION - Duration::from_secs(1);
        assert!(later.knows(&password, &cookie, last));
        assert!(!later.knows(&password, &cookie, now + SESSION));
        set_password(dir.path(), "correct horse").unwrap();
        let anew = set_in(dir.path()).unwrap().unwrap();
        assert!(
            !later.knows(&anew, &cookie, now),
            "a new password throws out"
        );
        later.sign_out(&password, &cookie);
        assert!(!later.knows(&password, &cookie, now));

        std::fs::write(dir.path().join(FILE), "{\"sessions\": [{").unwrap();
        assert!(!KeptOnLan::of(dir.path()).knows(&password, &cookie, now));
        std::fs::write(
            dir.path().join(FILE),
            "{\"sessions\": [{\"hash\": \"\", \"until\": 9e9}]}",
        )
        .unwrap();
        assert!(!KeptOnLan::of(dir.path()).knows(&password, "", now));
    }

    #[test]
    fn there_are_never_many_and_how_it_stands_is_kept_beside_them() {
        let dir = tempfile::tempdir().unwrap();
        set_password(dir.path(), "correct horse").unwrap();
        let password = set_in(dir.path()).unwrap().unwrap();
        let kept = KeptOnLan::of(dir.path());
        let now = SystemTime::now();
        let first = kept.sign_in(&password, now).unwrap();
        let at = "0.0.0.0:7756".parse().unwrap();
        let standing = LanStanding {
            wanted: Some(at),
            open: Some(OpenOnLan {
                at,
                fingerprint: "AB:CD".into(),
                self_signed: true,
            }),
            trouble: None,
        };
        kept.stands(standing.clone());
        assert_eq!(lan_standing(dir.path()), standing);
        let others: Vec<_> = (0..MOST_SESSIONS)
            .map(|_| kept.sign_in(&password, now).unwrap())
            .collect();
        assert!(!kept.knows(&password, &first, now), "the oldest has gone");
        assert!(others.iter().all(|c| kept.knows(&password, c, now)));
        let again = KeptOnLan::of(dir.path());
        assert!(again.knows(&password, &others[0], now));
        assert_eq!(again.standing(), standing);
    }
}
