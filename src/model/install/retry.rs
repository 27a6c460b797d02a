//! When to try again, and how long to wait before.
//!
//! A try that brought something (64 kB or more) starts the count anew: a bad line that still
//! delivers is worth any number of tries, a server that never delivers is not. Waiting is a trait,
//! so that tests take no time.

use std::time::Duration;

use super::{InstallError, Watch};

/// Less than this is no progress: a server that gives a few bytes a connection would go on for ever.
pub(super) const PROGRESS: u64 = 64 << 10;

/// How much is put up with.
#[derive(Debug, Clone)]
pub struct Patience {
    /// Tries in a row without progress.
    pub tries: u32,
    /// First wait between tries; doubled each time.
    pub first_wait: Duration,
    /// Longest wait between tries, and the longest `Retry-After` that is sat out.
    pub longest_wait: Duration,
    /// A connection that brings nothing for this long is dropped and tried again.
    pub stall: Duration,
    /// For making a connection.
    pub connect: Duration,
}

impl Default for Patience {
    /// Six tries within about half a minute; 30 s of silence is a stall.
    fn default() -> Self {
        Self {
            tries: 6,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
            stall: Duration::from_secs(30),
            connect: Duration::from_secs(20),
        }
    }
}

/// Lets time pass.
pub trait Pause {
    /// Waits; returns early once the user has stopped the installation.
    fn pause(&self, time: Duration, watch: &dyn Watch);
}

/// The real one.
pub struct Sleep;

impl Pause for Sleep {
    fn pause(&self, time: Duration, watch: &dyn Watch) {
        let slice = Duration::from_millis(100);
        let mut left = time;
        while !left.is_zero() && !watch.stopped() {
            let now = left.min(slice);
            std::thread::sleep(now);
            left -= now;
        }
    }
}

/// Why a try failed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It may go better next time; after this wait if the server named one.
    Passing {
        /// For the user.
        reason: String,
        /// The status, where there was one.
        status: Option<u16>,
        /// `Retry-After`.
        wait: Option<Duration>,
    },
    /// It will not.
    Final(InstallError),
}

impl Trouble {
    pub fn passing(reason: impl Into<String>) -> Self {
        Self::Passing {
            reason: reason.into(),
            status: None,
            wait: None,
        }
    }
}

impl From<InstallError> for Trouble {
    fn from(e: InstallError) -> Self {
        Self::Final(e)
    }
}

/// Tries until it works, fails for good, or [`Patience::tries`] in a row brought nothing.
///
/// `attempt` adds to its argument the bytes that it brought.
pub(super) fn until_done<T>(
    url: &str,
    patience: &Patience,
    pause: &dyn Pause,
    watch: &dyn Watch,
    mut attempt: impl FnMut(&mut u64) -> Result<T, Trouble>,
) -> Result<T, InstallError> {
    let mut in_vain = 0;
    loop {
        if watch.stopped() {
            return Err(InstallError::Stopped);
        }
        let mut brought = 0;
        let (reason, status, wait) = match attempt(&mut brought) {
            Ok(value) => return Ok(value),
            Err(Trouble::Final(e)) => return Err(e),
            Err(Trouble::Passing {
                reason,
                status,
                wait,
            }) => (reason, status, wait),
        };
        in_vain = if brought >= PROGRESS { 0 } else { in_vain + 1 };
        if in_vain >= patience.tries {
            return Err(InstallError::GaveUp {
                url: url.to_owned(),
                reason,
                tries: patience.tries,
            });
        }
        let wait = match wait {
            Some(asked) if asked > patience.longest_wait => {
                return Err(InstallError::AskedToWait {
                    url: url.to_owned(),
                    status: status.unwrap_or(503),
                    seconds: asked.as_secs(),
                });
            }
            Some(asked) => asked,
            None => backoff(patience, in_vain),
        };
        if watch.stopped() {
            return Err(InstallError::Stopped);
        }
        let file = url.rsplit('/').next().unwrap_or(url);
        watch.notice(&format!(
            "{file}: {reason}; trying again{}",
            match wait.as_secs() {
                0 => String::new(),
                s => format!(" in {s} s"),
            }
        ));
        pause.pause(wait, watch);
    }
}

fn backoff(patience: &Patience, in_vain: u32) -> Duration {
    let doublings = in_vain.saturating_sub(1).min(16);
    patience
        .first_wait
        .saturating_mul(1 << doublings)
        .min(patience.longest_wait)
}

#[cfg(test)]
pub(super) mod testing {
    use std::cell::RefCell;

    use super::*;

    /// Takes no time and remembers what it was asked for.
    #[derive(Default)]
    pub struct NoTime(pub RefCell<Vec<Duration>>);

    impl Pause for NoTime {
        fn pause(&self, time: Duration, _: &dyn Watch) {
            self.0.borrow_mut().push(time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::NoTime;
    use super::*;
    use crate::model::install::Silent;

    fn seconds(pause: &NoTime) -> Vec<u64> {
        pause.0.borrow().iter().map(Duration::as_secs).collect()
    }

    #[test]
    fn waits_double_and_end() {
        let pause = NoTime::default();
        let mut tries = 0;
        let error = until_done::<()>("http://x", &Patience::default(), &pause, &Silent, |_| {
            tries += 1;
            Err(Trouble::passing("nothing"))
        })
        .unwrap_err();
        assert_eq!(tries, 6);
        assert_eq!(seconds(&pause), [1, 2, 4, 8, 16]);
        assert!(error.to_string().contains("6 tries"), "{error}");
    }

    #[test]
    fn progress_starts_the_count_anew() {
        let pause = NoTime::default();
        let mut tries = 0;
        let done = until_done(
            "http://x",
            &Patience::default(),
            &pause,
            &Silent,
            |brought| {
                tries += 1;
                if tries == 40 {
                    return Ok(tries);
                }
                *brought = PROGRESS;
                Err(Trouble::passing("dropped"))
            },
        );
        assert_eq!(done.unwrap(), 40);
        assert!(seconds(&pause).iter().all(|s| *s == 1));
    }

    #[test]
    fn a_trickle_is_no_progress() {
        let mut tries = 0;
        let error = until_done::<()>(
            "http://x",
            &Patience::default(),
            &NoTime::default(),
            &Silent,
            |brought| {
                tries += 1;
                *brought = PROGRESS - 1;
                Err(Trouble::passing("dropped"))
            },
        );
        assert!(matches!(error, Err(InstallError::GaveUp { .. })));
        assert_eq!(tries, 6);
    }

    #[test]
    fn the_server_may_name_the_wait_but_not_any_wait() {
        let pause = NoTime::default();
        let mut asked = [5, 86_400].into_iter();
        let error = until_done::<()>("http://x", &Patience::default(), &pause, &Silent, |_| {
            Err(Trouble::Passing {
                reason: "429".to_owned(),
                status: Some(429),
                wait: asked.next().map(Duration::from_secs),
            })
        })
        .unwrap_err();
        assert_eq!(seconds(&pause), [5]);
        assert!(matches!(
            error,
            InstallError::AskedToWait {
                status: 429,
                seconds: 86_400,
                ..
            }
        ));
    }
}
