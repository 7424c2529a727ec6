//! Two nodes over one MongoDB and one Redis, and a reader on each.

use std::time::{Duration, Instant};

use crate::{
    node::{assert_history, assert_shown, keep, next_notification, reader, settings, start},
    servers::{Mongod, Redis},
    support::{Reader, Server, USER, marker, wait_for},
};

/// Two nodes and what they stand on.
pub struct Fleet {
    /// The bus.
    pub redis: Redis,
    /// The nodes.
    pub nodes: [Server; 2],
    /// An open stream on each node.
    pub readers: [Reader; 2],
    /// The store.
    pub mongod: Mongod,
    kept: Vec<String>,
}

impl Fleet {
    /// All of it, ready. The interval is that of the nodes' looks into the store.
    pub fn start(look_interval: &str) -> Self {
        let (mongod, redis) = (Mongod::start(), Redis::start());
        let mut settings = settings(&mongod);
        settings.push(("CLUSTER__KIND", "redis".into()));
        settings.push(("CLUSTER__URL", redis.url()));
        settings.push(("CLUSTER__LOOK_INTERVAL", look_interval.into()));
        let nodes = [start(&settings), start(&settings)];
        let readers = [reader(&nodes[0]), reader(&nodes[1])];
        Self { redis, nodes, readers, mongod, kept: Vec::new() }
    }

    /// Posts a new event to this node until it is acknowledged.
    pub fn keep(&mut self, node: usize) {
        let marker = self.kept.len().to_string();
        keep(&self.nodes[node], &marker);
        self.kept.push(marker);
    }

    /// Posts events to both nodes in turn, and checks that both readers are shown all of them, in that order.
    pub fn keep_and_show(&mut self, events: usize) {
        for event in 0..events {
            self.keep(event % 2);
        }
        self.assert_shown(events);
    }

    /// Checks that what comes next on both streams are the last so many events that were kept, in the same bytes.
    pub fn assert_shown(&mut self, events: usize) {
        let new: Vec<_> = self.kept[self.kept.len() - events..].iter().map(String::as_str).collect();
        let [one, other] =
            self.readers.each_mut().map(|reader| (0..events).map(|_| next_notification(reader)).collect::<Vec<_>>());
        assert_eq!(one, other);
        assert_eq!(one.iter().map(|message| marker(&message.json)).collect::<Vec<_>>(), new);
    }

    /// Waits until what is posted to the first node is at the other's reader at once, twice running: of two entries that
    /// a look into the store brings, the second comes a whole interval after the first.
    pub fn wait_for_the_bus(&mut self) {
        let mut running = 0;
        wait_for("the bus", || {
            self.keep(0);
            let start = Instant::now();
            self.assert_shown(1);
            running = if start.elapsed() < Duration::from_secs(1) { running + 1 } else { 0 };
            (running == 2).then_some(())
        });
    }

    /// Checks that both nodes have a history of exactly what was acknowledged, in order, and a stream of it too.
    pub fn assert_kept(&self, origin: &str) {
        let kept: Vec<_> = self.kept.iter().map(String::as_str).collect();
        for node in &self.nodes {
            assert_history(node, &kept);
            assert_shown(&mut node.stream(USER).after(origin).connect(), &kept);
        }
    }

    /// Whether a node has warned of its bus.
    pub fn wait_for_a_warning(&self) {
        for node in &self.nodes {
            wait_for("a line about Redis in the log", || {
                let log = node.log();
                let mut warnings = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR"));
                warnings.any(|line| line.to_lowercase().contains("redis")).then_some(())
            });
        }
    }
}
