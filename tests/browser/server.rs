//! The real `lookout` binary on free ports, with a store that vanishes with the test.
//!
//! A process rather than the library, because a browser notices how a server dies.

use std::{
    net::{SocketAddr, TcpListener},
    process::{Child, Command},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::eventually;

/// One server; killed when dropped.
pub struct Server {
    process: Child,
    public: SocketAddr,
    admin: SocketAddr,
    home: TempDir,
    settings: Vec<(String, String)>,
}

impl Server {
    /// Starts one with the defaults, but for a heartbeat each second, and waits until it is ready.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// As `start`, with further `LOOKOUT__…` variables.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let (public, admin) = (free_address(), free_address());
        let home = TempDir::new().unwrap();
        let settings: Vec<_> = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let process = spawn(public, admin, &home, &settings);
        let mut server = Self { process, public, admin, home, settings };
        server.until_ready().await;
        server
    }

    /// An address on the public listener.
    pub fn url(&self, path: &str) -> String {
        let secure = self.settings.iter().any(|(key, _)| key == "LOOKOUT__SERVER__TLS_CERT");
        format!("{}://{}{path}", if secure { "https" } else { "http" }, self.public)
    }

    /// An address on the admin listener.
    pub fn admin_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.admin)
    }

    /// Posts a webhook and returns its notification id.
    pub async fn post_webhook(&self, body: Value) -> String {
        self.post(&body).await["notification_id"].as_str().unwrap().to_owned()
    }

    /// Posts a webhook or a batch and returns the answer.
    pub async fn post(&self, body: &Value) -> Value {
        let url = self.url("/notifications/webhook/zone-port-event");
        let answer = reqwest::Client::new().post(url).json(body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    /// Opens a stream and leaves it unread.
    pub async fn open_stream(&self) -> reqwest::Response {
        let url = self.url("/notifications/zone-port-events/stream?user_id=test_user");
        let answer = reqwest::get(url).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts again on the same addresses and the same store.
    pub async fn restart(&mut self) {
        self.process = spawn(self.public, self.admin, &self.home, &self.settings);
        self.until_ready().await;
    }

    async fn until_ready(&mut self) {
        let url = format!("http://{}/readyz", self.admin);
        eventually("the server is ready", async || {
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("the server ended with {status}");
            }
            reqwest::get(&url).await.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(public: SocketAddr, admin: SocketAddr, home: &TempDir, settings: &[(String, String)]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_lookout"))
        .current_dir(home.path())
        .env("LOOKOUT__SERVER__BIND", public.to_string())
        .env("LOOKOUT__ADMIN__BIND", admin.to_string())
        .env("LOOKOUT__STORE__PATH", home.path().join("lookout.db"))
        .env("LOOKOUT__STREAM__HEARTBEAT_INTERVAL", "1s")
        .envs(settings.iter().cloned())
        .spawn()
        .unwrap()
}

/// A loopback address that nobody listens on.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
