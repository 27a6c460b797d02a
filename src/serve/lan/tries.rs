//! How often a password may be tried: a few times at once, then after waits that grow.

use std::time::{Duration, Instant};

/// Wrong tries without a wait: fingers slip.
const FREE: u32 = 3;
/// The longest wait: some 1,400 tries a day, and whoever knows the password waits no longer than that.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Without a try for so long, all is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(3600);

/// The tries at one listener, whoever made them: addresses cost nothing on a network of one's own.
#[derive(Default)]
pub(super) struct Tries {
    wrong: u32,
    last: Option<Instant>,
}

impl Tries {
    /// How long the next try has to wait; `None` if it need not.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        let since = now.saturating_duration_since(self.last?);
        let doubled = self.wrong.checked_sub(FREE)?.min(16);
        let wait = LONGEST_WAIT.min(Duration::from_secs(1 << doubled));
        wait.checked_sub(since).filter(|rest| !rest.is_zero())
    }

    /// Notes what a try came to.
    pub fn note(&mut self, is_right: bool, now: Instant) {
        let since = self.last.map(|last| now.saturating_duration_since(last));
        if is_right || since.is_some_and(|since| since >= FORGOTTEN) {
            self.wrong = 0;
        }
        self.wrong = self.wrong.saturating_add(u32::from(!is_right));
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_end_and_are_forgotten() {
        let (mut tries, mut now) = (Tries::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..12 {
            let wait = tries.wait(now).unwrap_or_default();
            waits.push(wait.as_secs());
            now += wait;
            assert_eq!(tries.wait(now), None, "after the wait it may be tried");
            tries.note(false, now);
        }
        assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        let almost = now + LONGEST_WAIT - Duration::from_millis(1);
        assert!(tries.wait(almost).is_some());
        now += FORGOTTEN;
        tries.note(false, now);
        assert_eq!(tries.wait(now), None, "an hour later it begins anew");
        for _ in 0..3 {
            tries.note(false, now);
        }
        assert!(tries.wait(now).is_some());
        tries.note(true, now);
        assert_eq!(tries.wait(now), None, "the right one ends it");
    }
}
