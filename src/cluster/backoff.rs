//! How long to wait before a server that was away is tried again.

use std::time::Duration;

/// The first wait; it doubles up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(50);
/// The longest wait: so late, at most, is a server that is back noticed.
const LONGEST: Duration = Duration::from_secs(2);

/// Waits that grow, each drawn anew so that nodes that lost a server together do not come back together.
#[derive(Debug)]
pub struct Backoff(Duration);

impl Backoff {
    /// Begins with the shortest wait.
    pub fn new() -> Self {
        Self(FIRST)
    }

    /// The next wait.
    pub fn wait(&mut self) -> Duration {
        let wait = self.0.mul_f64(0.5 + 0.5 * fastrand::f64());
        self.0 = (self.0 * 2).min(LONGEST);
        wait
    }

    /// It has worked: the next wait is the shortest again.
    pub fn reset(&mut self) {
        self.0 = FIRST;
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_begin_anew() {
        let mut backoff = Backoff::new();
        let waits: Vec<Duration> = (0..20).map(|_| backoff.wait()).collect();
        assert!(waits.iter().all(|wait| *wait >= FIRST / 2 && *wait <= LONGEST), "{waits:?}");
        assert!(waits[0] <= FIRST && waits[19] >= LONGEST / 2, "{waits:?}");
        backoff.reset();
        assert!(backoff.wait() <= FIRST);
    }
}
