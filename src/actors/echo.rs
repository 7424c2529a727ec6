//! How far behind the bus is: the time from sending an entry to hearing it from there, which needs no clock but our own.
//!
//! One entry at a time; that one that was lost on its way is given up when the next is sent long after.

use std::time::{Duration, Instant};

use crate::notification::entry::Entry;

/// After so long an entry that was not heard is lost.
const GIVEN_UP: Duration = Duration::from_secs(60);

/// The entry that is waited for.
#[derive(Debug, Default)]
pub struct Echo {
    awaited: Option<(u64, Instant)>,
}

impl Echo {
    /// These are about to be sent.
    pub fn sending(&mut self, entries: &[Entry], now: Instant) {
        let is_free = self.awaited.is_none_or(|(_, sent)| now.duration_since(sent) >= GIVEN_UP);
        if is_free && let Some(last) = entries.last() {
            self.awaited = Some((last.position.n, now));
        }
    }

    /// These were heard; how long the awaited one was on its way, where it is among them.
    pub fn heard(&mut self, entries: &[Entry], now: Instant) -> Option<Duration> {
        let (awaited, sent) = self.awaited?;
        if !entries.iter().any(|entry| entry.position.n == awaited) {
            return None;
        }
        self.awaited = None;
        Some(now.duration_since(sent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::{
        NotificationId,
        entry::Kind,
        position::{Epoch, Position, Tag},
    };

    fn entry(n: u64) -> Entry {
        let position = Position { epoch: Epoch(1), n, tag: Tag(0) };
        Entry { position, kind: Kind::Notification, notification_id: NotificationId::new(), owner: None, payload: "{}".into() }
    }

    #[test]
    fn the_lag_is_that_of_the_entry_that_was_sent_and_one_that_is_lost_is_given_up() {
        let (mut echo, start) = (Echo::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(echo.heard(&[entry(1)], at(0)), None, "another node's");
        echo.sending(&[entry(2), entry(3)], at(0));
        echo.sending(&[entry(4)], at(1));
        assert_eq!(echo.heard(&[entry(2)], at(1)), None);
        assert_eq!(echo.heard(&[entry(3), entry(4)], at(2)), Some(Duration::from_secs(2)));
        assert_eq!(echo.heard(&[entry(3)], at(3)), None);
        echo.sending(&[entry(5)], at(3));
        echo.sending(&[entry(6)], at(62));
        echo.sending(&[entry(7)], at(63));
        assert_eq!(echo.heard(&[entry(6)], at(64)), None, "5 is waited for, then 7");
        assert_eq!(echo.heard(&[entry(7)], at(64)), Some(Duration::from_secs(1)));
    }
}
