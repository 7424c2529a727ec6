//! MongoDB: the official server as a replica set of one member, which is what transactions need.

use std::{path::Path, process::Command, time::Duration};

use mongodb::{
    Client,
    bson::{Document, doc},
    options::ClientOptions,
};
use nix::sys::signal::Signal;

use super::process::{Process, free_port};

/// A `mongod`. Killed when dropped.
pub struct Mongod {
    process: Process,
    port: u16,
    replica_set: bool,
}

impl Mongod {
    /// Starts one without data, and waits until it takes writes.
    pub fn start() -> Self {
        let mut mongod = Self::spawned(true);
        let member = doc! { "_id": 0, "host": format!("127.0.0.1:{}", mongod.port) };
        let initiate = doc! { "replSetInitiate": { "_id": "rs0", "members": [member] } };
        let port = mongod.port;
        mongod.process.wait_until_ready(|| command(port, initiate.clone()).is_ok());
        mongod.wait_until_writable();
        mongod
    }

    /// Starts one that is no replica set, as `mongod` without options is.
    pub fn start_alone() -> Self {
        let mut mongod = Self::spawned(false);
        mongod.wait_until_writable();
        mongod
    }

    fn spawned(replica_set: bool) -> Self {
        let mut mongod = Self { process: Process::new("mongod", Signal::SIGKILL), port: free_port(), replica_set };
        std::fs::create_dir(mongod.process.folder().join("data")).expect("a folder for its data");
        mongod.spawn();
        mongod
    }

    /// Where it is.
    pub fn uri(&self) -> String {
        format!("mongodb://127.0.0.1:{}/", self.port)
    }

    /// Starts it again on the same data and port, and waits until it takes writes.
    pub fn restart(&mut self) {
        self.spawn();
        self.wait_until_writable();
    }

    /// Ends it at once, as a crash would.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Lets it end in order.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// Stops it where it is: connections stay open and nobody answers.
    pub fn freeze(&mut self) {
        self.process.freeze();
    }

    /// Lets it go on.
    pub fn thaw(&mut self) {
        self.process.thaw();
    }

    /// Sets a fail point: `mode` and `data` as `configureFailPoint` takes them.
    pub fn fail(&self, point: &str, mode: impl Into<mongodb::bson::Bson>, data: Document) {
        self.command(doc! { "configureFailPoint": point, "mode": mode.into(), "data": data });
    }

    /// From now on these commands fail as the data says, `{"errorCode": 91}` for instance, until [`Mongod::heal`].
    pub fn fail_commands(&self, commands: &[&str], mut data: Document) {
        data.insert("failCommands", commands);
        self.fail("failCommand", "alwaysOn", data);
    }

    /// Takes the fail point of [`Mongod::fail_commands`] away.
    pub fn heal(&self) {
        self.command(doc! { "configureFailPoint": "failCommand", "mode": "off" });
    }

    /// Runs a command against the database `admin`.
    pub fn command(&self, document: Document) -> Document {
        let name = document.keys().next().cloned().unwrap_or_default();
        command(self.port, document).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn spawn(&mut self) {
        let binary = Path::new(env!("CARGO_MANIFEST_DIR")).join(".test-tools/mongod/fiftyone/db/bin/mongod");
        let mut mongod = Command::new(binary);
        mongod.args(["--dbpath", "data", "--bind_ip", "127.0.0.1", "--nounixsocket", "--port", &self.port.to_string()]);
        mongod.args(["--wiredTigerCacheSizeGB", "0.25"]);
        if self.replica_set {
            mongod.args(["--replSet", "rs0", "--oplogSize", "16"]);
        }
        mongod.args(["--networkMessageCompressors", "disabled", "--setParameter", "enableTestCommands=1"]);
        mongod.args(["--setParameter", "diagnosticDataCollectionEnabled=false"]);
        self.process.start(mongod);
    }

    fn wait_until_writable(&mut self) {
        let port = self.port;
        self.process.wait_until_ready(|| {
            command(port, doc! { "hello": 1 }).is_ok_and(|hello| hello.get_bool("isWritablePrimary").unwrap_or(false))
        });
    }
}

/// Asks this one server, whether or not it is a primary. The driver lives in a thread and a runtime of its own, so that
/// tests with and without one can ask, and nothing of it is left afterwards.
fn command(port: u16, document: Document) -> mongodb::error::Result<Document> {
    let ask = async {
        let mut options = ClientOptions::parse(format!("mongodb://127.0.0.1:{port}/?directConnection=true")).await?;
        options.server_selection_timeout = Some(Duration::from_millis(200));
        Client::with_options(options)?.database("admin").run_command(document).await
    };
    let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(ask);
    std::thread::scope(|scope| scope.spawn(run).join().expect("the driver does not panic"))
}
