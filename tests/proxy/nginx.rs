//! nginx with `docs/nginx.conf` as it stands in the repository: only addresses, ports and file paths are replaced.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
};

use nix::sys::signal::Signal;

use crate::{
    process::{Process, free_port},
    support::wait_for,
};

/// The host name of the configuration.
pub const HOST: &str = "lookout.example.com";

/// The nodes of the configuration.
const NODES: [&str; 3] = ["10.0.0.11:8000", "10.0.0.12:8000", "10.0.0.13:8000"];

/// An nginx before some nodes. Ended when dropped.
pub struct Nginx {
    process: Process,
    https: u16,
    http: u16,
}

impl Nginx {
    /// Starts one before these nodes, three at most, and waits until it listens.
    pub fn start(nodes: &[SocketAddr]) -> Self {
        let (https, http) = (free_port(), free_port());
        // SIGKILL would leave its workers alive.
        let mut nginx = Self { process: Process::new("nginx", Signal::SIGTERM), https, http };
        let folder = nginx.process.folder();
        // Its workers are another user's.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        certify(folder);
        fs::write(folder.join("nginx.conf"), configuration(folder, https, http, nodes)).unwrap();
        let mut command = nginx.command();
        command.args(["-g", "daemon off;"]);
        nginx.process.start(command);
        nginx.process.wait_until_ready(|| TcpStream::connect((Ipv4Addr::LOCALHOST, https)).is_ok());
        nginx
    }

    /// An nginx that reads this configuration.
    fn command(&self) -> Command {
        let mut command = Command::new("nginx");
        command.arg("-p").arg(self.process.folder()).args(["-e", "stderr", "-c", "nginx.conf"]);
        command
    }

    /// What `nginx -t` says about the configuration where it is not quiet.
    pub fn check(&self) -> String {
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
        let output = self.command().env("PATH", path).current_dir(self.process.folder()).args(["-t", "-q"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        said
    }

    /// Where it serves browsers and senders.
    pub fn https(&self) -> u16 {
        self.https
    }

    /// Where it sends everybody on to HTTPS.
    pub fn http(&self) -> u16 {
        self.http
    }

    /// The certificate that it shows.
    pub fn certificate(&self) -> std::path::PathBuf {
        self.process.folder().join("fullchain.pem")
    }

    /// The access log up to the first line with all of these; nginx writes a line when the answer has ended.
    pub fn access_log_with(&self, parts: &[&str]) -> String {
        let log = || fs::read_to_string(self.process.folder().join("access.log")).unwrap();
        wait_for(&format!("{parts:?} in the access log"), || {
            let log = log();
            log.lines().any(|line| parts.iter().all(|part| line.contains(part))).then_some(log)
        })
    }

    /// Everything that it has written but the access log.
    pub fn error_log(&self) -> String {
        fs::read_to_string(self.process.folder().join("error.log")).unwrap() + &self.process.log()
    }
}

/// `docs/nginx.conf`
pub fn template() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/nginx.conf")).unwrap()
}

fn configuration(folder: &Path, https: u16, http: u16, nodes: &[SocketAddr]) -> String {
    let mut text = template();
    let mut put = |from: &str, to: &str| {
        assert!(text.contains(from), "{from:?} is not in docs/nginx.conf any more");
        text = text.replace(from, to);
    };
    let folder = folder.to_str().unwrap();
    put("/run/nginx.pid", &format!("{folder}/nginx.pid"));
    put("/var/log/nginx/", &format!("{folder}/"));
    put("/etc/nginx/lookout/", &format!("{folder}/"));
    for (listen, port) in [("80", http), ("443", https)] {
        put(&format!("listen {listen}"), &format!("listen 127.0.0.1:{port}"));
        // The machine may know no IPv6.
        put(&format!("listen [::]:{listen}"), &format!("listen 127.0.0.2:{port}"));
    }
    for (node, address) in NODES.iter().zip(nodes) {
        put(node, &address.to_string());
    }
    // Fewer nodes are fewer lines, as docs/deploy.md says.
    let unused = &NODES[nodes.len()..];
    let lines = text.lines().filter(|line| !unused.iter().any(|node| line.contains(node)));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    // Where Debian's package has them only root may write.
    let temporary =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path {folder}/{name};\n"));
    text.replacen("http {\n", &format!("http {{\n{}", temporary.concat()), 1)
}

/// A certificate of its own, as `docs/deploy.md` makes one for a trial.
fn certify(folder: &Path) {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]);
    command.arg("-subj").arg(format!("/CN={HOST}")).arg("-addext").arg(format!("subjectAltName=DNS:{HOST}"));
    let output = command.args(["-keyout", "privkey.pem", "-out", "fullchain.pem"]).current_dir(folder).output();
    let output = output.expect("openssl is installed: tests/run installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
