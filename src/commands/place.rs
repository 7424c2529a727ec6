//! Where a command changes something: in the store itself, or at the server that holds it.
//!
//! A store in a file belongs to the server that runs on it, which is asked through its admin listener. One in a database is everybody's.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::CommandError;
use crate::{
    config::{Config, StoreKind},
    store::{Store, StoreError, embedded::EmbeddedStore, mongo::MongoStore},
};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who is told what to change.
pub(super) enum Place {
    /// The store, opened.
    Store(Arc<dyn Store>),
    /// The server that has it.
    Server(Server),
}

/// The admin listener of a running server.
pub(super) struct Server {
    at: SocketAddr,
}

impl Place {
    /// Opens the configured store unless a server has it to itself.
    pub async fn open(config: &Config) -> Result<Self, StoreError> {
        Ok(match config.store.kind {
            StoreKind::MongoDb => Self::Store(MongoStore::open(&config.store, &config.cluster).await?),
            StoreKind::Embedded => match EmbeddedStore::open(&config.store) {
                Ok(store) => Self::Store(store),
                Err(StoreError::InUse { .. }) => Self::Server(Server::of(config)),
                Err(error) => return Err(error),
            },
        })
    }
}

impl Server {
    /// That of this configuration, running or not. One that listens everywhere listens here.
    pub fn of(config: &Config) -> Self {
        let mut at = config.admin.bind;
        match at {
            SocketAddr::V4(v4) if v4.ip().is_unspecified() => at.set_ip(Ipv4Addr::LOCALHOST.into()),
            SocketAddr::V6(v6) if v6.ip().is_unspecified() => at.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        Self { at }
    }

    /// What is told where it does not run.
    pub fn is_absent(&self) -> CommandError {
        CommandError::NoServer { at: self.at }
    }

    /// Asks without a body. The JSON of a success, else what the server says.
    pub async fn ask(&self, method: &str, path: &str) -> Result<Value, CommandError> {
        let failed = |reason: String| CommandError::Server { at: self.at, reason };
        let Ok(socket) = TcpStream::connect(self.at).await else { return Err(self.is_absent()) };
        let answer = timeout(PATIENCE, self.exchange(socket, method, path)).await;
        let answer = answer.map_err(|_| failed(format!("does not answer within {PATIENCE:?}")))?;
        let answer = answer.map_err(|error| failed(format!("cannot be asked: {error}")))?;
        let (status, body) = read(&answer).ok_or_else(|| failed("is no lookout".into()))?;
        if (200..300).contains(&status) {
            return Ok(body);
        }
        Err(failed(format!("answers {status}: {}", body["message"].as_str().unwrap_or_default())))
    }

    /// HTTP/1.0: the answer comes in one piece and ends with the connection.
    async fn exchange(&self, mut socket: TcpStream, method: &str, path: &str) -> std::io::Result<Vec<u8>> {
        let head = format!("{method} {path} HTTP/1.0\r\nHost: {}\r\nX-Lookout-Admin: 1\r\nContent-Length: 0\r\n\r\n", self.at);
        socket.write_all(head.as_bytes()).await?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

/// The status and the JSON of a whole answer.
fn read(answer: &[u8]) -> Option<(u16, Value)> {
    let text = std::str::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    Some((status, serde_json::from_str(body).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answer_of_a_lookout_is_read() {
        let answer = b"HTTP/1.0 404 Not Found\r\ncontent-type: application/json\r\n\r\n{\"message\":\"no\"}";
        assert_eq!(read(answer), Some((404, serde_json::json!({ "message": "no" }))));
        for other in ["", "SSH-2.0-x\r\n\r\n{}", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\n\r\n<html>", "HTTP/1.1 \r\n\r\n{}"] {
            assert_eq!(read(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_server_that_listens_everywhere_is_asked_here() {
        for (bind, at) in [("0.0.0.0:81", "127.0.0.1:81"), ("[::]:81", "[::1]:81"), ("10.0.0.1:81", "10.0.0.1:81")] {
            let mut config = Config::defaults();
            config.admin.bind = bind.parse().unwrap();
            assert_eq!(Server::of(&config).at, at.parse().unwrap());
        }
    }
}
