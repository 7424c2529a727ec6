//! One `lookout` process of the fleet, on ports that stay its own through every crash.

use std::{fs, net::SocketAddr, path::PathBuf, process::Command};

use crate::servers::{Mongod, Process, Redis, free_port};

/// A node.
pub struct Node {
    name: String,
    process: Process,
    settings: Vec<(&'static str, String)>,
    /// Streams, webhooks and history.
    pub public: SocketAddr,
    /// Health and metrics.
    pub admin: SocketAddr,
    /// How often it ended without being killed.
    pub gave_up: usize,
}

impl Node {
    /// A node over this store and this bus, not yet running.
    pub fn new(number: usize, mongod: &Mongod, redis: &Redis) -> Self {
        let [public, admin] = [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port())));
        let settings = vec![
            ("SERVER__BIND", public.to_string()),
            ("ADMIN__BIND", admin.to_string()),
            ("AUTH__MODE", "open".into()),
            ("STORE__KIND", "mongodb".into()),
            ("STORE__URI", mongod.uri()),
            ("STORE__DATABASE", "fleet".into()),
            ("CLUSTER__KIND", "redis".into()),
            ("CLUSTER__URL", redis.url()),
            // Shorter than the defaults, so that a short run meets what they do many times.
            ("CLUSTER__TAKE_OVER_AFTER", "2s".into()),
            ("STREAM__HEARTBEAT_INTERVAL", "2s".into()),
            ("SCREENING__DELIVER_WITHIN", "300ms".into()),
            // Every reader may come to one node. What one node has in memory, the next reads from the store.
            ("STREAM__MAX_CONNECTIONS", "500".into()),
            ("STREAM__RECENT", ["16MiB", "64KiB", "0"][number % 3].into()),
        ];
        let name = format!("node-{number}");
        Self { process: Process::new("lookout", nix::sys::signal::Signal::SIGKILL), name, settings, public, admin, gave_up: 0 }
    }

    /// Starts it and does not wait: a node may start while its servers are down.
    pub fn start(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lookout"));
        command.envs(self.settings.iter().map(|(key, value)| (format!("LOOKOUT__{key}"), value)));
        self.process.start(command);
    }

    /// Changes a setting for when it is started next.
    pub fn set(&mut self, key: &'static str, value: &str) {
        self.settings.push((key, value.into()));
    }

    /// Tells it to stop, and waits until it has.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// Ends it at once, as a crash would.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Starts it again where it has ended by itself, as a service manager would.
    pub fn keep_up(&mut self) {
        if self.process.has_ended() {
            self.gave_up += 1;
            self.start();
        }
    }

    /// Where its log is kept when the run is over.
    pub fn log_file(&self) -> PathBuf {
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fleet-{}.log", self.name))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Where it cannot be kept, a failure is only harder to explain.
        let _ = fs::copy(self.process.log_file(), self.log_file());
    }
}
