//! One node over a MongoDB of its own, with timeouts so short that a story can wait for them.

use std::{ops::Deref, time::Instant};

use crate::{
    servers::Mongod,
    support::{Answer, Doors, Message, Next, PATIENCE, Reader, Server, USER, event, marker, wait_for},
};

/// How the server differs from the defaults, for this MongoDB.
pub fn settings(mongod: &Mongod) -> Vec<(&'static str, String)> {
    vec![
        ("STORE__KIND", "mongodb".into()),
        ("STORE__URI", mongod.uri()),
        ("STORE__DATABASE", "outage".into()),
        ("STORE__SELECT_TIMEOUT", "500ms".into()),
        ("STORE__TIMEOUT", "1s".into()),
        ("INGEST__ANSWER_TIMEOUT", "3s".into()),
        ("STREAM__HEARTBEAT_INTERVAL", "300ms".into()),
        // A canary is a commit too: one in the middle of a story would change what happens in it.
        ("ADMIN__CANARY_INTERVAL", "off".into()),
    ]
}

/// Starts a server.
pub fn start(settings: &[(&'static str, String)]) -> Server {
    let settings: Vec<_> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    Server::start(&settings)
}

/// A node and its store.
pub struct Node {
    /// The store.
    pub mongod: Mongod,
    server: Server,
}

impl Node {
    /// Both, ready.
    pub fn start() -> Self {
        let mongod = Mongod::start();
        let server = start(&settings(&mongod));
        Self { mongod, server }
    }

    /// Posts an event that must be refused for now.
    pub fn refused(&self, marker: &str) {
        assert_refused(&self.post(event("test_user|false", marker)));
    }

    /// Waits until readiness is this status.
    pub fn wait_for_readiness(&self, status: u16) {
        wait_for(&format!("/readyz to be {status}"), || (self.admin("/readyz").status() == status).then_some(()));
    }

    /// Posts an event until it is acknowledged.
    pub fn keep(&self, marker: &str) {
        keep(self, marker);
    }

    /// Checks that history holds these events, each once, in this order.
    pub fn assert_kept(&self, markers: &[&str]) {
        assert_history(self, markers);
    }
}

impl Deref for Node {
    type Target = Doors;

    fn deref(&self) -> &Doors {
        &self.server
    }
}

fn assert_refused(answer: &Answer) {
    answer.assert_error(503);
    let seconds = answer.head.header("retry-after").expect("a 503 says when to come again");
    assert!(seconds.parse::<u64>().is_ok_and(|seconds| seconds > 0), "Retry-After: {seconds}");
}

/// Posts an event until it is acknowledged; every other answer must be a refusal for now.
pub fn keep(doors: &Doors, marker: &str) {
    wait_for(&format!("{marker} to be kept"), || {
        let answer = doors.post(event("test_user|false", marker));
        if answer.status() == 200 {
            return Some(answer.assert_success());
        }
        assert_refused(&answer);
        None
    });
}

/// Checks that history holds these events, each once, in this order.
pub fn assert_history(doors: &Doors, markers: &[&str]) {
    let page = doors.history("&limit=1000");
    let mut kept: Vec<_> = page["notifications"].as_array().expect("notifications").iter().map(marker).collect();
    kept.reverse();
    assert_eq!(kept, markers);
}

/// An open stream of a node.
pub fn reader(doors: &Doors) -> Reader {
    doors.reader(USER)
}

/// The next message that is no heartbeat. Heartbeats before it are passed over, but not for ever.
pub fn next(reader: &mut Reader) -> Message {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match reader.next_within(deadline.saturating_duration_since(Instant::now())) {
            Next::Message(message) if message.kind() == "heartbeat" => {}
            Next::Message(message) => return message,
            other => panic!("expected a message, got {other:?}"),
        }
    }
}

/// The next notification, with nothing but heartbeats before it.
pub fn next_notification(reader: &mut Reader) -> Message {
    let message = next(reader);
    assert_eq!(message.kind(), "zone_port_notification", "{}", message.frame);
    message
}

/// Checks that these events come next, each once, in this order, and nothing between them but heartbeats.
pub fn assert_shown(reader: &mut Reader, markers: &[&str]) {
    for expected in markers {
        assert_eq!(marker(&next_notification(reader).json), *expected);
    }
}

/// Waits for heartbeats, and nothing else, on an open stream.
pub fn assert_stays_open(reader: &mut Reader) {
    for _ in 0..4 {
        let message = reader.message();
        assert_eq!(message.kind(), "heartbeat", "{}", message.frame);
    }
}
