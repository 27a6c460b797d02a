//! One-time codes and the cookies that they are exchanged for. Cookies outlive the daemon, as hashes in a file
//! beside the index, so that an open page goes on when it is started anew; codes do not.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::safe_file;

/// How long a code may be used.
const CODE_LIFE: Duration = Duration::from_secs(60);
/// Codes under way, and browsers let in, at most: beyond that the oldest goes.
const MOST_CODES: usize = 8;
const MOST_COOKIES: usize = 32;
/// How long an open page waits for a daemon that is started anew: its port is opened again until then, and
/// later only when somebody asks for it.
const WAITS_FOR_US: Duration = Duration::from_secs(600);
/// How often it is noted that somebody is there.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// A secret is kept as its hash, which compares in constant time.
type Secret = blake3::Hash;

/// Who may enter, and who is in.
pub(super) struct Visitors {
    let_in: Mutex<LetIn>,
    /// Where cookies are kept.
    file: PathBuf,
}

struct LetIn {
    codes: Vec<(Secret, Instant)>,
    cookies: Vec<Secret>,
    port: Option<u16>,
    /// When somebody last asked there, as noted.
    used_at: Option<SystemTime>,
}

/// What is kept. The file's time says when somebody last asked.
#[derive(Default, Serialize, Deserialize)]
struct KeptVisitors {
    /// Hashes of cookies, in hex.
    cookies: Vec<String>,
    /// The port that browsers know.
    port: Option<u16>,
}

impl Visitors {
    /// Those of an earlier daemon are let in again.
    pub fn kept_in(file: PathBuf) -> Self {
        let kept = std::fs::read(&file).ok();
        let kept = kept.and_then(|bytes| serde_json::from_slice::<KeptVisitors>(&bytes).ok());
        let kept = kept.unwrap_or_default();
        let cookies = kept.cookies.iter().take(MOST_COOKIES);
        let used_at = std::fs::metadata(&file).and_then(|file| file.modified());
        Self {
            let_in: Mutex::new(LetIn {
                cookies: cookies.filter_map(|c| Secret::from_hex(c).ok()).collect(),
                port: kept.port,
                used_at: used_at.ok(),
                codes: Vec::new(),
            }),
            file,
        }
    }

    /// The port of an earlier daemon, if somebody was there shortly before.
    pub fn port_in_use(&self, now: SystemTime) -> Option<u16> {
        let kept = self.locked();
        let since = now.duration_since(kept.used_at?).unwrap_or_default();
        kept.port.filter(|_| since < WAITS_FOR_US)
    }

    /// Notes that somebody asks at a port.
    pub fn are_at(&self, port: u16, now: SystemTime) {
        let mut kept = self.locked();
        if kept.port != Some(port) {
            kept.port = Some(port);
            self.save(&mut kept, now);
        }
        let noted = kept.used_at.and_then(|at| now.duration_since(at).ok());
        if noted.is_none_or(|since| since >= NOTED_EVERY) {
            self.note(&mut kept, now);
        }
    }

    fn locked(&self) -> MutexGuard<'_, LetIn> {
        self.let_in.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn save(&self, kept: &mut LetIn, now: SystemTime) {
        let hex = |cookie: &Secret| cookie.to_hex().to_string();
        let written = KeptVisitors {
            cookies: kept.cookies.iter().map(hex).collect(),
            port: kept.port,
        };
        let bytes = serde_json::to_vec(&written).unwrap_or_default();
        match safe_file::write(&self.file, &bytes) {
            Ok(()) => self.note(kept, now),
            Err(e) => {
                let file = self.file.display();
                tracing::debug!("browsers have to be let in again: {file}: {e}");
            }
        }
    }

    /// Costs microseconds: nothing is synced.
    fn note(&self, kept: &mut LetIn, now: SystemTime) {
        kept.used_at = Some(now);
        let file = std::fs::File::options().write(true).open(&self.file);
        let _ = file.and_then(|file| file.set_modified(now));
    }

    /// A code that lets one browser in, once.
    pub fn invite(&self, now: Instant) -> Result<String, ring::error::Unspecified> {
        let code = secret()?;
        let mut kept = self.locked();
        kept.codes.retain(|(_, until)| *until > now);
        if kept.codes.len() == MOST_CODES {
            kept.codes.remove(0);
        }
        let until = now + CODE_LIFE;
        kept.codes.push((blake3::hash(code.as_bytes()), until));
        Ok(code)
    }

    /// The cookie for a code that is right, new and not too old.
    pub fn enter(&self, code: &str, now: Instant) -> Option<String> {
        let code = blake3::hash(code.as_bytes());
        let mut kept = self.locked();
        let at = kept.codes.iter().position(|(known, _)| *known == code)?;
        let (_, until) = kept.codes.remove(at);
        if until <= now {
            return None;
        }
        let cookie = secret().ok()?;
        if kept.cookies.len() == MOST_COOKIES {
            kept.cookies.remove(0);
        }
        kept.cookies.push(blake3::hash(cookie.as_bytes()));
        self.save(&mut kept, SystemTime::now());
        Some(cookie)
    }

    /// Whether somebody with this cookie was let in.
    pub fn knows(&self, cookie: &str) -> bool {
        let cookie = blake3::hash(cookie.as_bytes());
        let kept = self.locked();
        kept.cookies.contains(&cookie)
    }
}

/// 256 random bits in hex.
pub(super) fn secret() -> Result<String, ring::error::Unspecified> {
    Ok(crate::photo::hex(&random::<32>()?))
}

/// Bytes that nobody guesses.
pub(super) fn random<const N: usize>() -> Result<[u8; N], ring::error::Unspecified> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_works_once_and_not_for_long() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("visitors.json");
        let (visitors, now) = (Visitors::kept_in(file), Instant::now());
        let code = visitors.invite(now).unwrap();
        assert_eq!(visitors.enter("0000", now), None);
        let cookie = visitors
            .enter(&code, now + Duration::from_secs(59))
            .unwrap();
        assert!(visitors.knows(&cookie) && !visitors.knows(&code) && !visitors.knows(""));
        assert_eq!(visitors.enter(&code, now), None, "replayed");
        let late = visitors.invite(now).unwrap();
        assert_eq!(visitors.enter(&late, now + CODE_LIFE), None);
        assert_eq!(
            visitors.enter(&late, now),
            None,
            "a late try has used it up"
        );
    }

    #[test]
    fn who_was_let_in_stays_in_and_the_port_is_opened_again_for_a_while() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("visitors.json");
        let (visitors, now) = (Visitors::kept_in(file.clone()), Instant::now());
        let clock = SystemTime::now();
        assert_eq!(visitors.port_in_use(clock), None);
        let code = visitors.invite(now).unwrap();
        let cookie = visitors.enter(&code, now).unwrap();
        visitors.are_at(7755, clock);
        let kept = std::fs::read_to_string(&file).unwrap();
        assert!(!kept.contains(&cookie), "only its hash is kept");
        visitors.are_at(7755, clock + NOTED_EVERY);
        let later = Visitors::kept_in(file.clone());
        assert!(later.knows(&cookie) && !later.knows("other"));
        let until = clock + NOTED_EVERY + WAITS_FOR_US;
        let before = until - Duration::from_secs(1);
        assert_eq!(later.port_in_use(before), Some(7755));
        assert_eq!(later.port_in_use(until), None);
        std::fs::write(&file, b"{\"cookies\": [\"zz\"").unwrap();
        assert!(
            !Visitors::kept_in(file).knows(&cookie),
            "damaged: nobody is in"
        );
    }

    #[test]
    fn there_are_never_many() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("visitors.json");
        let (visitors, now) = (Visitors::kept_in(file), Instant::now());
        let codes: Vec<_> = (0..20).map(|_| visitors.invite(now).unwrap()).collect();
        assert_eq!(visitors.enter(&codes[0], now), None);
        let first = visitors.enter(&codes[19], now).unwrap();
        for _ in 0..MOST_COOKIES {
            let code = visitors.invite(now).unwrap();
            assert!(visitors.enter(&code, now).is_some());
        }
        assert!(!visitors.knows(&first), "the oldest has gone");
    }
}
