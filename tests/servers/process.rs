//! A child process that can be killed, frozen and started again; every server here is one.

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

/// How long a server may take to start, to recover or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server's process, or the place of one that is down. Ended when dropped.
pub struct Process {
    name: &'static str,
    farewell: Signal,
    folder: TempDir,
    child: Option<Child>,
}

impl Process {
    /// A place for it, where nothing runs yet. The farewell is the signal it gets when it is dropped.
    pub fn new(name: &'static str, farewell: Signal) -> Self {
        Self { name, farewell, folder: tempfile::tempdir().expect("a folder"), child: None }
    }

    /// Where it keeps its data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it. What it writes to its terminal is kept for [`Process::log`].
    pub fn start(&mut self, mut command: Command) {
        assert!(self.child.is_none(), "{} runs", self.name);
        let log = File::options().create(true).append(true).open(self.log_file()).expect("a log file");
        // Debian puts servers where only root's PATH may look.
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
        command.env("PATH", path).current_dir(self.folder.path()).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a log file")).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => panic!("{} is not installed: tests/run installs it", self.name),
            _ => panic!("{} does not start: {error}", self.name),
        });
        self.child = Some(child);
    }

    /// Waits until this says that the server serves.
    pub fn wait_until_ready(&mut self, mut is_ready: impl FnMut() -> bool) {
        let start = Instant::now();
        while !is_ready() {
            let ended = self.child().try_wait().expect("a status");
            assert!(ended.is_none(), "{} ended with {ended:?}: {}", self.name, self.log());
            assert!(start.elapsed() < PATIENCE, "{} is not ready: {}", self.name, self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether it has been started and not been ended since.
    pub fn runs(&self) -> bool {
        self.child.is_some()
    }

    /// Whether it has ended by itself; it can then be started again.
    pub fn has_ended(&mut self) -> bool {
        let ended = self.child().try_wait().expect("a status").is_some();
        if ended {
            self.child = None;
        }
        ended
    }

    /// Ends it at once, as a crash would.
    pub fn kill9(&mut self) {
        self.end(Signal::SIGKILL);
    }

    /// Lets it end in order.
    pub fn stop(&mut self) {
        self.end(Signal::SIGTERM);
    }

    /// Stops it where it is: connections stay open and nobody answers.
    pub fn freeze(&mut self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub fn thaw(&mut self) {
        self.signal(Signal::SIGCONT);
    }

    /// What it has written, over all of its lives.
    pub fn log(&self) -> String {
        std::fs::read(self.log_file()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The file behind [`Process::log`].
    pub fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn child(&mut self) -> &mut Child {
        self.child.as_mut().unwrap_or_else(|| panic!("{} is down", self.name))
    }

    fn signal(&mut self, signal: Signal) {
        kill(id(self.child()), signal).expect("the signal is sent");
    }

    fn end(&mut self, signal: Signal) {
        self.signal(signal);
        assert!(ends_within(self.child(), PATIENCE), "{} does not end: {}", self.name, self.log());
        self.child = None;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = kill(id(&child), self.farewell);
            if !ends_within(&mut child, Duration::from_secs(5)) {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

fn id(child: &Child) -> Pid {
    Pid::from_raw(child.id().try_into().expect("a process id"))
}

fn ends_within(child: &mut Child, patience: Duration) -> bool {
    let start = Instant::now();
    while child.try_wait().expect("a status").is_none() {
        if start.elapsed() > patience {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// A port that nobody uses, below those that the kernel gives to clients: it stays free while a server is down.
pub fn free_port() -> u16 {
    let mut ports = std::iter::repeat_with(|| fastrand::u16(10_000..32_000)).take(1000);
    ports.find(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok()).expect("a free port")
}
