//! nginx: Debian's server with a configuration that the test gives, its files in a folder of its own.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::Command,
};

use nix::sys::signal::Signal;

use super::process::{Process, free_port};

/// An `nginx`. Ended when dropped.
pub struct Nginx {
    process: Process,
    address: SocketAddr,
}

impl Nginx {
    /// Starts one and waits until it listens. `http` gives the lines of the block `http` for the port that it is to listen on.
    pub fn start(http: impl FnOnce(u16) -> String) -> Self {
        let port = free_port();
        // SIGKILL would leave its workers alive.
        let mut nginx = Self { process: Process::new("nginx", Signal::SIGTERM), address: (Ipv4Addr::LOCALHOST, port).into() };
        std::fs::write(nginx.process.folder().join("nginx.conf"), configuration(&http(port))).expect("its configuration");
        nginx.restart();
        nginx
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts it again on the same configuration and port, and waits until it listens.
    pub fn restart(&mut self) {
        let folder = self.process.folder().to_str().expect("a path in UTF-8");
        let mut command = Command::new("nginx");
        command.args(["-p", folder, "-e", "error.log", "-c", "nginx.conf", "-g", "daemon off;"]);
        self.process.start(command);
        let address = self.address;
        self.process.wait_until_ready(|| TcpStream::connect(address).is_ok());
    }

    /// Ends it at once and cuts what is open.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// What it has to say about requests that went wrong.
    pub fn error_log(&self) -> String {
        std::fs::read_to_string(self.process.folder().join("error.log")).expect("an error log")
    }
}

/// All of what a configuration needs around `http` to keep nginx within its folder. As root it would otherwise serve as
/// another user, who may not enter there.
fn configuration(http: &str) -> String {
    let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path {name};\n"));
    format!(
        "user root;\nworker_processes 2;\npid nginx.pid;\nerror_log error.log;\nevents {{ worker_connections 4096; }}\n\
         http {{\naccess_log off;\n{}{http}\n}}\n",
        folders.concat()
    )
}
