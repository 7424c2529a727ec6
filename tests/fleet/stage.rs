//! What readers, senders and the story share: where the fleet is, what was acknowledged, what has been seen.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use crate::log::Log;

/// The stage.
pub struct Stage {
    /// nginx.
    pub front: SocketAddr,
    /// The nodes' public listeners.
    pub nodes: Vec<SocketAddr>,
    /// The position before the first entry.
    pub origin: String,
    /// What has been seen.
    pub log: Mutex<Log>,
    /// The notification id that each event's marker was acknowledged with.
    pub acknowledged: Mutex<HashMap<String, String>>,
    /// Whether senders end with what they have under way.
    pub enough: AtomicBool,
    /// How many entries there are in the end; more than there will ever be until that is known.
    pub total: AtomicUsize,
    /// The longest that an event took to be acknowledged, milliseconds.
    pub longest: AtomicUsize,
    /// Entries taken by readers.
    pub deliveries: AtomicUsize,
    /// Streams opened by readers.
    pub connections: AtomicUsize,
    /// Streams open right now, of readers that follow.
    pub open: AtomicUsize,
}

impl Stage {
    /// An empty stage.
    pub fn new(front: SocketAddr, nodes: Vec<SocketAddr>, origin: String) -> Self {
        Self {
            front,
            nodes,
            origin,
            log: Mutex::default(),
            acknowledged: Mutex::default(),
            enough: AtomicBool::new(false),
            total: AtomicUsize::new(usize::MAX),
            longest: AtomicUsize::new(0),
            deliveries: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        }
    }

    /// Notes that an event is kept. It may be acknowledged more than once, always as the same notification.
    pub fn acknowledge(&self, marker: &str, id: &str) {
        let before = self.acknowledged.lock().expect("no panic").insert(marker.to_owned(), id.to_owned());
        assert!(before.is_none_or(|before| before == id), "{marker} is acknowledged as two notifications");
    }

    /// Counts.
    pub fn count(counter: &AtomicUsize) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
