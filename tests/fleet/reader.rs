//! A dashboard that never stays long: it comes back to a random node with its last id, and must go on where it stopped.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use fastrand::Rng;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::{
    log::read,
    plan::PATIENCE,
    stage::Stage,
    stream::{Opened, Stream},
};

/// A reader between two connections.
pub struct Reader {
    name: String,
    stage: Arc<Stage>,
    rng: Rng,
    /// Entries seen.
    seen: usize,
    /// Its last id.
    last: String,
    /// How long it was told to wait.
    retry: Duration,
}

impl Reader {
    /// One that has seen nothing.
    pub fn new(name: String, stage: Arc<Stage>, rng: Rng) -> Self {
        let last = stage.origin.clone();
        Self { name, stage, rng, seen: 0, last, retry: Duration::from_secs(3) }
    }

    /// Follows the log over nginx, never long on one connection, to its end.
    pub async fn roam(mut self) {
        loop {
            let Some(stream) = self.come(self.stage.front).await else {
                sleep(Duration::from_millis(self.rng.u64(50..400))).await;
                continue;
            };
            // Short lives meet what happens while a reader is being caught up, long ones what happens in the quiet.
            let longest = if self.rng.bool() { 1500 } else { 15_000 };
            let leaves = Instant::now() + Duration::from_millis(self.rng.u64(10..longest));
            if self.stay(stream, leaves).await {
                return;
            }
        }
    }

    /// Follows the log over nginx as a browser does: stays while it may, and comes back when it was told to. Notes when it asks for a
    /// stream, refused or not.
    pub async fn follow(mut self, asked: Arc<Mutex<Vec<Instant>>>) {
        loop {
            asked.lock().expect("no panic").push(Instant::now());
            let Some(stream) = self.come(self.stage.front).await else {
                sleep(self.retry).await;
                continue;
            };
            Stage::count(&self.stage.open);
            if self.stay(stream, Instant::now() + 10 * PATIENCE).await {
                return;
            }
            self.stage.open.fetch_sub(1, Ordering::Relaxed);
            sleep(self.retry).await;
        }
    }

    /// Reads the whole log from one node.
    pub async fn read_all(mut self, node: SocketAddr) {
        let stream = self.come(node).await.expect("a stream");
        assert!(self.stay(stream, Instant::now() + PATIENCE).await, "{} ends after {} entries", self.name, self.seen);
    }

    /// Opens a stream, where that is possible just now.
    async fn come(&mut self, address: SocketAddr) -> Option<Stream> {
        match timeout(Duration::from_secs(20), Stream::open(address, &self.name, &self.last)).await {
            Ok(Ok(Opened::Stream(stream))) => {
                Stage::count(&self.stage.connections);
                Some(stream)
            }
            Ok(Ok(Opened::Refused(status))) => {
                assert!(matches!(status, 502..=504), "{} is refused with {status}", self.name);
                None
            }
            Ok(Err(_)) | Err(_) => None,
        }
    }

    /// Reads until it leaves or the stream ends. True when the end of the log is reached and the node says so too.
    async fn stay(&mut self, mut stream: Stream, leaves: Instant) -> bool {
        let mut since_opened = None;
        while let Ok(next) = timeout_at(leaves, stream.next()).await {
            let Ok(Some(frame)) = next else { return false };
            if self.take(&frame, &mut since_opened) {
                return true;
            }
        }
        if self.rng.bool() {
            stream.reset();
        }
        false
    }

    /// Takes one frame; `since_opened` counts the entries behind `connection_established`. True at the end of the log.
    fn take(&mut self, frame: &str, since_opened: &mut Option<usize>) -> bool {
        if is_entry(frame) {
            let counted = since_opened.as_mut().unwrap_or_else(|| panic!("{}: an entry comes first: {frame:?}", self.name));
            *counted += 1;
            let same = self.stage.log.lock().expect("no panic").see(self.seen, frame);
            same.unwrap_or_else(|difference| panic!("{}: {difference}", self.name));
            self.seen += 1;
            Stage::count(&self.stage.deliveries);
            let id = frame.lines().find_map(|line| line.strip_prefix("id: "));
            id.expect("an entry has a position").clone_into(&mut self.last);
            return false;
        }
        if !frame.contains("data: ") {
            if let Some(retry) = frame.lines().find_map(|line| line.strip_prefix("retry: ")) {
                self.retry = Duration::from_millis(retry.parse().expect("milliseconds"));
            }
            return false;
        }
        let message = read(frame);
        // Whatever is no entry says where the reader stands, and that is where it stands by its own count.
        assert_eq!(message.id.as_deref(), Some(self.last.as_str()), "{} after {} entries: {frame:?}", self.name, self.seen);
        match (message.kind(), *since_opened) {
            ("connection_established", None) => *since_opened = Some(0),
            ("caught_up", Some(entries)) => assert_eq!(message.json["replayed"], entries, "{}: {frame:?}", self.name),
            ("heartbeat", Some(_)) => {}
            (_, _) => panic!("{} after {} entries: {frame:?}", self.name, self.seen),
        }
        message.kind() != "connection_established" && self.seen == self.stage.total.load(Ordering::Relaxed)
    }
}

fn is_entry(frame: &str) -> bool {
    ["zone_port_notification", "screening_update"].iter().any(|kind| frame.contains(&format!("data: {{\"type\":\"{kind}\"")))
}
