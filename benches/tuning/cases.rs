//! How each kind of actor is overloaded from outside, as callers and readers can.

use crate::{load, stage::Stage};

/// One kind of actor under too much.
pub struct Case {
    /// Which.
    pub actor: &'static str,
    /// In words, for the page.
    pub done: &'static str,
    /// The mailbox to begin with, as a line of its section.
    pub mailbox: Option<&'static str>,
    /// What else stands in the file, beside what all have.
    pub file: &'static str,
    /// Whether a second node shares the log over a bus.
    pub fleet: bool,
    /// What is counted where it hurts, without its prefix; none where it hurts nowhere.
    pub symptom: Option<&'static str>,
    /// Where no mailbox is too small: the key to turn and its value.
    pub own_change: Option<(&'static str, u64)>,
    /// A second or two of it.
    pub load: fn(&Stage),
}

const BASE: Case =
    Case { actor: "", done: "", mailbox: None, file: "", fleet: false, symptom: None, own_change: None, load: |_| {} };

/// All of them, in the order of the flow.
pub const CASES: [Case; 9] = [
    Case {
        actor: "webhook_handler",
        done: "`mailbox.webhook_handler = 1`; 100 senders at once, batches of 20",
        mailbox: Some("webhook_handler = 1"),
        symptom: Some("webhook_answers_total{status=\"503\"}"),
        load: |stage| load::webhooks(&stage.node, 100, 20, 20, false),
        ..BASE
    },
    Case {
        actor: "archivist",
        done: "`mailbox.archivist = 1`; 60 senders at once beside batches of 1,000, which keep its thread busy",
        mailbox: Some("archivist = 1"),
        symptom: Some("webhook_answers_total{status=\"503\"}"),
        load: |stage| load::beside_batches(&stage.node, || load::webhooks(&stage.node, 60, 30, 1, false)),
        ..BASE
    },
    Case {
        actor: "screener",
        done: "`mailbox.screener = 1`; 60 senders at once, a list of 20,000 vessels, look-ups by name",
        mailbox: Some("screener = 1"),
        file: "[screening]\nlists = ['list.csv']\n",
        load: |stage| load::webhooks(&stage.node, 60, 30, 1, true),
        ..BASE
    },
    Case {
        actor: "broadcaster",
        done: "`mailbox.broadcaster = 1`; its thread busy with batches of 1,000, 8 senders of batches of 500 on another node",
        mailbox: Some("broadcaster = 1"),
        fleet: true,
        symptom: Some("bus_dropped_total{cause=\"broadcaster_full\"}"),
        load: |stage| load::beside_batches(&stage.node, || load::webhooks(stage.other(), 8, 5, 500, false)),
        ..BASE
    },
    Case {
        actor: "courier",
        done: "`mailbox.courier = 1`; 200 webhooks, its thread busy with what 40 senders of events of 500 KB bring to another node",
        mailbox: Some("courier = 1"),
        fleet: true,
        symptom: Some("bus_dropped_total{cause=\"courier_full\"}"),
        load: |stage| load::beside_long_events(stage.other(), 40, || load::webhooks(&stage.node, 1, 200, 1, false)),
        ..BASE
    },
    Case {
        actor: "relay",
        done: "`mailbox.relay = 1`; 300 readers on one worker thread, 30 senders at once",
        mailbox: Some("relay = 1"),
        file: "[server]\nworkers = 1\n",
        symptom: Some("relay_full_total"),
        load: |stage| load::beside_readers(&stage.node, 300, || load::webhooks(&stage.node, 30, 30, 1, false)),
        ..BASE
    },
    Case {
        actor: "session",
        done: "`mailbox.session = 1`; 50 readers come and go under batches of 1,000",
        mailbox: Some("session = 1"),
        load: |stage| load::beside_batches(&stage.node, || load::comers(&stage.node, 50, 4)),
        ..BASE
    },
    Case {
        actor: "session",
        done: "`stream.queue_size = 10`, 20 readers on slow lines, batches of 1,000",
        file: "[stream]\nqueue_size = 10\n",
        symptom: Some("queue_overflows_total"),
        own_change: Some(("stream.queue_size", 5_000)),
        load: |stage| load::beside_slow_readers(&stage.node, 20, || load::webhooks(&stage.node, 1, 3, 1_000, false)),
        ..BASE
    },
    Case {
        actor: "session_supervisor",
        done: "`mailbox.session_supervisor = 1`; 200 readers connect at once, again and again, beside batches of 1,000",
        mailbox: Some("session_supervisor = 1"),
        symptom: Some("connections_refused_total{cause=\"busy\"}"),
        load: |stage| load::beside_batches(&stage.node, || load::comers(&stage.node, 200, 3)),
        ..BASE
    },
];
