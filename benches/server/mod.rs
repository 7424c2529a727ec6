//! The real server as a process, for benchmarks: started on free ports, its CPU time read, killed in the end.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Linux counts a process's CPU time in hundredths of a second.
const TICKS_A_SECOND: f64 = 100.0;

/// A server process on a store of its own. Killed when dropped.
pub struct Server {
    /// Where it serves.
    pub address: SocketAddr,
    /// Where operators ask.
    #[allow(dead_code, reason = "not every benchmark asks there")]
    pub admin: SocketAddr,
    process: Child,
}

impl Server {
    /// Starts the real binary with these settings and waits until it listens.
    pub fn start(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let (address, admin) = (free_address(), free_address());
        let mut command = Command::new(env!("CARGO_BIN_EXE_lookout"));
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.env("LOOKOUT__SERVER__BIND", address.to_string()).env("LOOKOUT__ADMIN__BIND", admin.to_string());
        command.envs(settings.iter().copied());
        let server = Self { address, admin, process: command.spawn().expect("the binary starts") };
        let start = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "the server does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }

    /// User and system time so far.
    pub fn cpu_seconds(&self) -> f64 {
        cpu_seconds(self.process.id())
    }
}

/// User and system time of a process so far.
pub fn cpu_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("the server runs");
    // The name in brackets may hold blanks; the fields are counted behind it.
    let (_, fields) = stat.rsplit_once(") ").expect("a stat line");
    let fields: Vec<_> = fields.split(' ').collect();
    (fields[11].parse::<f64>().expect("utime") + fields[12].parse::<f64>().expect("stime")) / TICKS_A_SECOND
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A free port on loopback.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}
