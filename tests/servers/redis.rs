//! Redis: Debian's server, which keeps its data over a restart unless a test takes it away.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpStream},
    process::Command,
    time::Duration,
};

use nix::sys::signal::Signal;

use super::process::{Process, free_port};

/// A `redis-server`. Killed when dropped.
pub struct Redis {
    process: Process,
    port: u16,
}

impl Redis {
    /// Starts one without data, and waits until it serves.
    pub fn start() -> Self {
        let mut redis = Self { process: Process::new("redis-server", Signal::SIGKILL), port: free_port() };
        redis.restart();
        redis
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Starts it again on the same data and port, and waits until it serves.
    pub fn restart(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--appendonly", "yes"]);
        self.process.start(command);
        let port = self.port;
        self.process.wait_until_ready(|| ask(port, "PING").is_ok_and(|answer| answer == "+PONG"));
    }

    /// Starts it again with nothing of what it had.
    pub fn restart_empty(&mut self) {
        assert!(!self.process.runs(), "a server that runs would write its data again");
        for data in ["appendonlydir", "dump.rdb"] {
            let path = self.process.folder().join(data);
            let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("{data} stays: {error}"),
                _ => {}
            }
        }
        self.restart();
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

    /// The first line of its answer to a command, its words between blanks.
    pub fn ask(&self, command: &str) -> String {
        ask(self.port, command).unwrap_or_else(|error| panic!("{command}: {error}"))
    }
}

fn ask(port: u16, command: &str) -> io::Result<String> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    socket.write_all(format!("{command}\r\n").as_bytes())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 512];
    loop {
        let read = socket.read(&mut buffer)?;
        answer.extend_from_slice(&buffer[..read]);
        if let Some(end) = memchr::memmem::find(&answer, b"\r\n") {
            return Ok(String::from_utf8_lossy(&answer[..end]).into_owned());
        }
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
