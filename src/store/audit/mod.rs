//! Who was sent what, when, and on which connection: what is written of it, and what that proves.
//!
//! A row for each delivery would cost more than the delivery. But a reader gets the log in its order, so it is enough to know how far
//! each connection had come when. Each thread's relay writes a [`Lap`] at an interval: one row that says how far all of its readers are
//! who are in step, and a [`Mark`] only for who falls out of step or comes back. Whatever is not written was not proved: nothing here
//! says of an entry that it was sent when it was not, also where a node was killed.

mod search;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use mongodb::bson::oid::ObjectId;

use super::StoreError;
use crate::notification::{NotificationId, Timestamp, entry::Kind, position::Position};

pub use search::{About, Cursor, Deliveries, Delivery, Question, search};

/// Names one stream for ever, on all nodes.
pub type ConnectionId = ObjectId;

/// Names one life of a relay.
pub type RelayId = ObjectId;

/// One stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Its name.
    pub id: ConnectionId,
    /// Who read, as sent.
    pub user: Arc<str>,
    /// Whether it shows only what its user owns.
    pub own: bool,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Entries up to here are not sent on it: the reader had them, or did not ask for them.
    pub after: u64,
    /// How it ended; none while it is open, and for ever where its node was killed.
    pub end: Option<End>,
}

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// When.
    pub at: Timestamp,
    /// The last entry that was sent on it.
    pub sent: u64,
    /// Why: the `cause` of `lookout_connections_closed_total`.
    pub cause: Arc<str>,
}

/// How far one connection had come at the time of its lap, where that does not follow from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Which.
    pub connection: ConnectionId,
    /// All up to here that it shows had been sent on it.
    pub sent: u64,
    /// Whether it is in step: from here on the relay's [`Lap::reached`] holds for it too, until its next mark or its end.
    pub in_step: bool,
}

/// What a relay writes down at an interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lap {
    /// Whose.
    pub relay: RelayId,
    /// Ascending.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// All up to here had been sent to everybody in step; none where that is no news.
    pub reached: Option<u64>,
    /// The relay lives until then at least, even where it writes nothing more; none where that is no news.
    pub alive_until: Option<Timestamp>,
    /// Streams that have opened or ended.
    pub connections: Vec<Connection>,
    /// Who fell out of step or came back, or has come on alone.
    pub marks: Vec<Mark>,
}

/// An entry of the log without its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sendable {
    /// Where it stands.
    pub position: Position,
    /// What it says.
    pub kind: Kind,
    /// The notification that it is, or that it updates.
    pub notification_id: NotificationId,
    /// Who owns it.
    pub owner: Option<Arc<str>>,
    /// When it was committed.
    pub committed_at: Timestamp,
}

/// Entries that may have been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sendables {
    /// The notification and its update, ascending.
    Of(NotificationId),
    /// The newest up to this one, descending, at most so many.
    UpTo(u64, usize),
}

/// Connections that one entry may have been sent on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidates {
    /// The entry.
    pub n: u64,
    /// Who owns it.
    pub owner: Option<Arc<str>>,
    /// Only this user's; none for everybody's.
    pub user: Option<Arc<str>>,
    /// Only those behind this one.
    pub after: Option<ConnectionId>,
    /// At most so many.
    pub limit: usize,
}

/// What is known of one connection around one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The connection, which shows the entry, began before it, and did not end before it.
    pub connection: Connection,
    /// The last mark before the entry: when, and whether in step.
    pub before: Option<(Timestamp, bool)>,
    /// When the first mark was made that has the entry behind it.
    pub behind: Option<Timestamp>,
    /// Where [`Self::before`] is in step: when its relay first said that it had reached the entry.
    pub reached: Option<Timestamp>,
}

impl Trace {
    /// Between which times the entry was sent on it, as far as that is known; none where it is not known to have been sent.
    pub fn window(&self, committed_at: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let ended = self.connection.end.as_ref().map(|end| end.at);
        let by = [self.behind, self.reached, ended].into_iter().flatten().min()?;
        // A mark in step is about what was sent a lap before.
        let marked = self.before.and_then(|(at, in_step)| (!in_step).then_some(at));
        let from = [Some(self.connection.opened_at), marked].into_iter().flatten().fold(committed_at, Timestamp::max);
        // The clock may have been set back between them.
        Some((from.min(by), by))
    }
}

/// Keeps what relays write down. All futures may be dropped without harm; their work goes on.
pub trait Trail: Send + Sync + 'static {
    /// Keeps a lap. One that was kept before, perhaps in part, is whole behind it. A relay waits for one before it has the next kept.
    fn keep(&self, lap: Arc<Lap>) -> BoxFuture<'static, Result<(), StoreError>>;

    /// Forgets laps, and connections that ended, of before this time and of before the oldest entry that there still is; at most `limit`
    /// laps and `limit` other rows. The larger of both counts comes back: `limit` means that there may be more.
    ///
    /// A connection without an end goes when its relay has written no lap since and is not known to live.
    fn forget(&self, before: Timestamp, limit: usize) -> BoxFuture<'static, Result<usize, StoreError>>;

    /// Entries of the log.
    fn sendables(&self, which: Sendables) -> BoxFuture<'static, Result<Vec<Sendable>, StoreError>>;

    /// Connections that an entry may have been sent on, ascending.
    fn traces(&self, candidates: Candidates) -> BoxFuture<'static, Result<Vec<Trace>, StoreError>>;

    /// No entry behind this one, up to `below`, was sent to this user; none where none at all was.
    fn furthest(&self, user: Arc<str>, below: u64) -> BoxFuture<'static, Result<Option<u64>, StoreError>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_timestamp_millis(s * 1000).unwrap_or_default()
    }

    fn trace(end: Option<i64>, before: Option<(i64, bool)>, behind: Option<i64>, reached: Option<i64>) -> Trace {
        let end = end.map(|s| End { at: at(s), sent: 9, cause: "client_closed".into() });
        Trace {
            connection: Connection { id: ConnectionId::new(), user: "u".into(), own: false, opened_at: at(10), after: 0, end },
            before: before.map(|(s, in_step)| (at(s), in_step)),
            behind: behind.map(at),
            reached: reached.map(at),
        }
    }

    #[test]
    fn an_entry_was_sent_between_what_is_known_before_and_what_is_known_behind_it() {
        for (trace, committed, expected) in [
            (trace(None, None, None, None), 20, None),
            (trace(None, Some((11, true)), None, None), 20, None),
            (trace(None, Some((11, true)), None, Some(21)), 20, Some((20, 21))),
            (trace(Some(30), Some((11, true)), None, Some(21)), 20, Some((20, 21))),
            (trace(Some(21), Some((11, true)), None, Some(30)), 20, Some((20, 21))),
            (trace(Some(30), Some((11, true)), Some(22), Some(23)), 20, Some((20, 22))),
            (trace(Some(30), None, None, None), 5, Some((10, 30))),
            (trace(None, Some((12, false)), Some(13), None), 5, Some((12, 13))),
            (trace(None, Some((12, true)), Some(13), None), 5, Some((10, 13))),
            (trace(None, Some((12, true)), None, Some(14)), 20, Some((14, 14))),
        ] {
            let window = trace.window(at(committed));
            assert_eq!(window, expected.map(|(from, by)| (at(from), at(by))), "{trace:?}");
        }
    }
}
