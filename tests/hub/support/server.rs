//! The real binary as a process of its own, which can be killed and started again on its store.

use std::{
    fs::File,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    ops::Deref,
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use super::{Client, Doors, wait_for};

/// A server process. Killed when dropped.
pub struct Server {
    doors: Doors,
    settings: Vec<(String, String)>,
    variables: Vec<(String, String)>,
    folder: TempDir,
    process: Option<Child>,
}

impl Server {
    /// Starts it with these settings, each `SECTION__KEY` and a value, and waits until it is ready.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_on(Ipv4Addr::LOCALHOST.into(), settings)
    }

    /// The same with the public listener on another address.
    pub fn start_on(public: IpAddr, settings: &[(&str, &str)]) -> Self {
        let mut server = Self::prepared_on(public, settings);
        server.restart();
        server
    }

    /// One that does not run yet: what commands are for.
    pub fn prepared(settings: &[(&str, &str)]) -> Self {
        Self::prepared_on(Ipv4Addr::LOCALHOST.into(), settings)
    }

    fn prepared_on(public: IpAddr, settings: &[(&str, &str)]) -> Self {
        let public = SocketAddr::new(public, free_port());
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        // Operators are let in from where readers are, if from afar at all.
        let is_remote = settings.iter().any(|(key, _)| *key == "ADMIN__ALLOW_REMOTE");
        let admin_bind = SocketAddr::new(if is_remote { public.ip() } else { admin.ip() }, admin.port());
        let mut all = vec![("SERVER__BIND".to_owned(), public.to_string()), ("ADMIN__BIND".to_owned(), admin_bind.to_string())];
        all.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let folder = tempfile::tempdir().expect("a folder");
        let doors = Doors { public, ingest: public, admin };
        Self { doors, settings: all, variables: Vec::new(), folder, process: None }
    }

    /// With a variable of the environment that is no setting.
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes the configuration file that it is started with, and that it reads again.
    pub fn write_config(&self, text: &str) {
        // At once: a reload must not read half of it.
        let beside = self.folder.path().join("config.toml.new");
        std::fs::write(&beside, text).expect("the file is written");
        std::fs::rename(beside, self.folder.path().join("config.toml")).expect("the file is put in place");
    }

    /// Started: it runs and is ready.
    pub fn started(mut self) -> Self {
        self.restart();
        self
    }

    /// Runs a command with the same settings in the same folder, whether or not the server runs.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().expect("the binary runs")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lookout"));
        command.current_dir(self.folder.path()).stdin(Stdio::null()).env_remove("RUST_LOG");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if self.folder.path().join("config.toml").exists() {
            command.args(["--config", "config.toml"]);
        }
        command.envs(self.settings.iter().map(|(key, value)| (format!("LOOKOUT__{key}"), value)));
        command
    }

    /// Starts it again on the same store and ports.
    pub fn restart(&mut self) {
        assert!(self.process.is_none(), "it runs");
        let log = File::options().create(true).append(true).open(self.folder.path().join("stderr")).expect("a log file");
        let mut process = self.command().stdout(Stdio::null()).stderr(log).spawn().expect("the binary starts");
        wait_for("the server to be ready", || {
            if let Some(status) = process.try_wait().expect("a status") {
                panic!("the server ended with {status}: {}", self.log());
            }
            let ready = Client::connect(self.doors.admin).and_then(|mut client| client.request("GET", "/readyz", &[], b""));
            ready.is_ok_and(|answer| answer.status() == 200).then_some(())
        });
        self.process = Some(process);
    }

    /// Where it runs and keeps its store.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has written to its log, over all of its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        let id = self.process.as_ref().expect("it runs").id();
        Pid::from_raw(id.try_into().expect("a process id"))
    }

    /// Ends it at once, as a crash would.
    pub fn kill9(&mut self) {
        self.signal(Signal::SIGKILL);
        self.wait_for_exit();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the signal is sent");
    }

    /// Waits until it has ended by itself.
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        wait_for("the server to end", || process.try_wait().expect("a status"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- the server's log\n{}", self.log());
        }
    }
}

impl Deref for Server {
    type Target = Doors;

    fn deref(&self) -> &Doors {
        &self.doors
    }
}

/// A port that nobody uses, below those that the kernel gives to clients: it stays free while a server is down.
fn free_port() -> u16 {
    wait_for("a free port", || {
        let port = fastrand::u16(10_000..32_000);
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok().then_some(port)
    })
}
