//! One-time codes and the cookies that they are exchanged for. Neither outlives the daemon.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom, SystemRandom};

/// How long a code may be used.
const CODE_LIFE: Duration = Duration::from_secs(60);
/// Codes under way, and browsers let in, at most: beyond that the oldest goes.
const MOST_CODES: usize = 8;
const MOST_COOKIES: usize = 32;

/// A secret is kept as its hash, which compares in constant time.
type Secret = blake3::Hash;

/// Who may enter, and who is in.
#[derive(Default)]
pub(super) struct Visitors(Mutex<LetIn>);

#[derive(Default)]
struct LetIn {
    codes: Vec<(Secret, Instant)>,
    cookies: Vec<Secret>,
}

impl Visitors {
    /// A code that lets one browser in, once.
    pub fn invite(&self, now: Instant) -> Result<String, ring::error::Unspecified> {
        let code = secret()?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        Some(cookie)
    }

    /// Whether somebody with this cookie was let in.
    pub fn knows(&self, cookie: &str) -> bool {
        let cookie = blake3::hash(cookie.as_bytes());
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.cookies.contains(&cookie)
    }
}

/// 256 random bits in hex.
pub(super) fn secret() -> Result<String, ring::error::Unspecified> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes)?;
    Ok(crate::photo::hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_works_once_and_not_for_long() {
        let (visitors, now) = (Visitors::default(), Instant::now());
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
    fn there_are_never_many() {
        let (visitors, now) = (Visitors::default(), Instant::now());
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
