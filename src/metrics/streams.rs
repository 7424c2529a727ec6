//! Streams, and what is sent on them.
//!
//! What happens for each delivery is counted once for a thread and a broadcast, never once for a client.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use super::{
    histogram::{Histogram, LONG, NUMBERS, PATIENT, QUICK},
    register::{Labelled, counter, gauge, histogram, labelled},
};

/// Its metrics.
#[derive(Debug)]
pub struct Streams {
    /// Open streams.
    pub connections: Gauge,
    /// Streams opened.
    pub connections_opened: Counter,
    /// Streams refused, by `cause`.
    pub connections_refused: Labelled,
    /// Streams ended, by `cause`.
    pub connections_closed: Labelled,
    /// How long streams were open.
    pub connection_duration: Histogram,
    /// Streams opened by who was here before, by `last_id`.
    pub reconnections: Labelled,
    /// What became of live entries.
    pub deliveries: Deliveries,
    /// From the encoding of a broadcast until every reader of a thread was offered it.
    pub broadcast_duration: Histogram,
    /// Live frames that found a full queue: the session went on from the log.
    pub queue_overflows: Counter,
    /// Reads by which a session caught up, from memory or the store.
    pub catch_ups: Counter,
    /// Entries sent from memory or the store instead of live.
    pub replayed_entries: Counter,
    /// How many entries a reader who came back had missed.
    pub replay_entries: Histogram,
    /// How long it took until such a reader had them.
    pub replay_duration: Histogram,
    /// Heartbeats sent.
    pub heartbeats: Counter,
    /// Broadcasts that found a relay's mailbox full: the sessions of its thread went on from the log.
    pub relay_full: Counter,
    /// Entries broadcast from the store because nobody had told of them in time.
    pub refilled_entries: Counter,
}

/// What became of live entries, each time for one reader. Held by the relays without a look at a label.
#[derive(Debug)]
pub struct Deliveries {
    /// Taken by the reader's socket or queue.
    pub delivered: Counter,
    /// The reader's queue was full: from here on it reads the log.
    pub queue_full: Counter,
    /// The reader's stream had ended.
    pub gone: Counter,
}

impl Streams {
    pub(super) fn register(to: &mut Registry) -> Self {
        let refused = ["busy", "node_full", "user_full", "stopping", "user_removed"];
        let closed = [
            "client_closed",
            "socket_error",
            "stale",
            "timed_out",
            "max_lifetime",
            "token_expired",
            "user_removed",
            "goodbye",
            "cut_off",
            "died",
        ];
        let outcomes = ["delivered", "queue_full", "gone"];
        let deliveries = labelled(to, "deliveries", "Live entries for one reader each", "outcome", &outcomes);
        let [delivered, queue_full, gone] = outcomes.map(|outcome| deliveries.get_or_create_owned(&[("outcome", outcome)]));
        Self {
            connections: gauge(to, "connections", "Open streams"),
            connections_opened: counter(to, "connections_opened", "Streams opened"),
            connections_refused: labelled(to, "connections_refused", "Streams refused", "cause", &refused),
            connections_closed: labelled(to, "connections_closed", "Streams ended", "cause", &closed),
            connection_duration: histogram(
                to,
                "connection_duration_seconds",
                "How long streams were open",
                Histogram::of_times(LONG),
            ),
            reconnections: labelled(
                to,
                "reconnections",
                "Streams opened by who was here before",
                "last_id",
                &["honoured", "gap", "none"],
            ),
            deliveries: Deliveries { delivered, queue_full, gone },
            broadcast_duration: histogram(
                to,
                "broadcast_duration_seconds",
                "From the encoding of a broadcast until every reader of a worker thread was offered it",
                Histogram::of_times(QUICK),
            ),
            queue_overflows: counter(to, "queue_overflows", "Live frames that found a full queue"),
            catch_ups: counter(to, "catch_ups", "Reads by which sessions caught up, from memory or the store"),
            replayed_entries: counter(to, "replayed_entries", "Entries sent from memory or the store instead of live"),
            replay_entries: histogram(
                to,
                "replay_entries",
                "How many entries a reader who came back had missed",
                Histogram::of_numbers(NUMBERS),
            ),
            replay_duration: histogram(
                to,
                "replay_duration_seconds",
                "How long it took until a reader who came back had what it had missed",
                Histogram::of_times(PATIENT),
            ),
            heartbeats: counter(to, "heartbeats", "Heartbeats sent"),
            relay_full: counter(to, "relay_full", "Broadcasts that found a relay's mailbox full"),
            refilled_entries: counter(
                to,
                "refilled_entries",
                "Entries broadcast from the store because nobody had told of them in time",
            ),
        }
    }
}
