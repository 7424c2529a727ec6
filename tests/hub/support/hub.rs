//! The real App in a thread of its own, on free ports and a store that vanishes with the test.

use std::{
    net::SocketAddr,
    ops::Deref,
    path::Path,
    sync::{Arc, Mutex, mpsc},
    thread::JoinHandle,
};

use lookout::{
    actors::lines::Lines,
    app::App,
    config::{Config, Loaded},
    http::reload::Origin,
    screening::Screener,
    systemd::Pulse,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::{Doors, Identity};

/// A hub that is not running: its configuration and its store.
pub struct Setup {
    config: Config,
    screener: Option<Arc<dyn Screener>>,
    folder: TempDir,
}

impl Setup {
    /// The defaults, on free ports and an empty store.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = Config::defaults();
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        config.server.bind = free;
        config.server.workers = 2;
        config.admin.bind = free;
        config.store.path = folder.path().join("lookout.db");
        Self { config, screener: None, folder }
    }

    /// With another configuration.
    pub fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Under TLS with this identity.
    pub fn secured_by(self, identity: &Identity) -> Self {
        self.with(|config| {
            config.server.tls_cert = Some(identity.certificate());
            config.server.tls_key = Some(identity.key());
        })
    }

    /// With another screener.
    pub fn screened_by(mut self, screener: impl Screener) -> Self {
        self.screener = Some(Arc::new(screener));
        self
    }

    /// Where the store's files are.
    pub fn store_folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it.
    pub fn start(self) -> Hub {
        let (config, screener) = (self.config.clone(), self.screener.clone());
        let written = Arc::new(Mutex::new(config.clone()));
        let read = written.clone();
        let origin = Origin {
            read: Box::new(move || Ok(Loaded { config: read.lock().expect("it is whole").clone(), warnings: Vec::new() })),
            log: Box::new(|_| {}),
        };
        let (started, running) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            actix::System::new().block_on(async move {
                let app = match screener {
                    Some(screener) => App::start_with(config, screener).await,
                    None => App::start_from(origin, config).await,
                };
                let app = app.unwrap_or_else(|error| panic!("the hub does not start: {error}"));
                let doors = Doors { public: app.public_addr(), ingest: app.ingest_addr(), admin: app.admin_addr() };
                started.send((doors, app.lines().clone(), app.pulse())).expect("the test waits");
                // An error means that the test has dropped its hub: a reason to stop, too.
                let _ = stopped.await;
                app.stop().await;
            });
        });
        let (doors, lines, pulse) = running.recv().expect("the hub has started");
        Hub { doors, lines, pulse: Some(pulse), written, running: Some(Running { stop, thread }), setup: Some(self) }
    }
}

/// A running hub. Stops when dropped.
pub struct Hub {
    doors: Doors,
    lines: Lines,
    pulse: Option<Pulse>,
    /// What a reload reads.
    written: Arc<Mutex<Config>>,
    running: Option<Running>,
    setup: Option<Setup>,
}

struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Running {
    fn stop(self) {
        let _ = self.stop.send(());
        if self.thread.join().is_err() && !std::thread::panicking() {
            panic!("the hub has panicked");
        }
    }
}

impl Hub {
    /// The lines to its actors, to kill one.
    pub fn lines(&self) -> &Lines {
        &self.lines
    }

    /// What tells whether it answers; there is one.
    pub fn pulse(&mut self) -> Pulse {
        self.pulse.take().expect("it was not taken before")
    }

    /// A hub with the default configuration.
    pub fn start() -> Self {
        Setup::new().start()
    }

    /// Has it read another configuration while it runs; gives the keys that it took over. One with a screener of the test reads none.
    pub fn reload(&self, change: impl FnOnce(&mut Config)) -> Value {
        change(&mut self.written.lock().expect("it is whole"));
        let answer = self.ask_admin("POST", "/reload", &[("X-Lookout-Admin", "1")]).assert_success();
        assert_eq!(answer["restart_needed"], serde_json::json!([]));
        answer["applied"].clone()
    }

    /// Stops it in order; what it kept can be started again.
    pub fn stop(mut self) -> Setup {
        self.running.take().expect("it runs").stop();
        self.setup.take().expect("it was set up")
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }
}

impl Deref for Hub {
    type Target = Doors;

    fn deref(&self) -> &Doors {
        &self.doors
    }
}
