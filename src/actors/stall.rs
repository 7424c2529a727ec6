//! Tells a reader that has stopped reading from one that is merely slow.

use std::time::{Duration, Instant};

use super::outbox::Level;

/// How long a queue may stand still.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a full queue (`stream.stall_timeout`).
    pub full: Duration,
    /// For any queue in which something waits (`stream.connection_timeout`).
    pub waiting: Duration,
}

/// What is to be done with the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it reads, or there is nothing to read.
    Fine,
    /// Its full queue has not moved for too long.
    Stale,
    /// Its socket has taken no byte for too long.
    TimedOut,
}

/// Remembers since when a queue has stood still.
#[derive(Debug, Clone, Copy)]
pub struct Watch {
    taken: u64,
    still_since: Instant,
    full_since: Option<Instant>,
}

impl Watch {
    /// Begins to watch.
    pub fn new(now: Instant) -> Self {
        Self { taken: 0, still_since: now, full_since: None }
    }

    /// Looks again. Time between two looks counts as standing still only if the queue did at both.
    pub fn look(&mut self, level: Level, now: Instant, patience: Patience) -> Verdict {
        if level.taken != self.taken || level.waiting == 0 {
            *self = Self { taken: level.taken, still_since: now, full_since: None };
        }
        self.full_since = if level.full { self.full_since.or(Some(now)) } else { None };
        if self.full_since.is_some_and(|since| now.duration_since(since) >= patience.full) {
            Verdict::Stale
        } else if now.duration_since(self.still_since) >= patience.waiting {
            Verdict::TimedOut
        } else {
            Verdict::Fine
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { full: Duration::from_secs(10), waiting: Duration::from_secs(300) };

    fn level(taken: u64, waiting: usize) -> Level {
        Level { taken, waiting, full: waiting >= 50 }
    }

    #[test]
    fn a_full_queue_that_stands_still_is_stale_and_one_that_moves_is_not() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut watch = Watch::new(start);
        assert_eq!(watch.look(level(0, 50), at(5), PATIENCE), Verdict::Fine);
        assert_eq!(watch.look(level(1, 50), at(14), PATIENCE), Verdict::Fine);
        assert_eq!(watch.look(level(1, 50), at(23), PATIENCE), Verdict::Fine);
        assert_eq!(watch.look(level(1, 50), at(24), PATIENCE), Verdict::Stale);
    }

    #[test]
    fn a_queue_that_fills_late_has_the_whole_patience_from_then() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut watch = Watch::new(start);
        assert_eq!(watch.look(level(0, 49), at(100), PATIENCE), Verdict::Fine);
        assert_eq!(watch.look(level(0, 50), at(105), PATIENCE), Verdict::Fine);
        assert_eq!(watch.look(level(0, 50), at(114), PATIENCE), Verdict::Fine);
        assert_eq!(watch.look(level(0, 50), at(115), PATIENCE), Verdict::Stale);
    }

    #[test]
    fn a_socket_that_takes_nothing_times_out_and_an_idle_one_never_does() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut watch = Watch::new(start);
        assert_eq!(watch.look(level(0, 0), at(1000), PATIENCE), Verdict::Fine);
        assert_eq!(watch.look(level(0, 1), at(1299), PATIENCE), Verdict::Fine);
        assert_eq!(watch.look(level(0, 1), at(1300), PATIENCE), Verdict::TimedOut);
    }
}
