//! Where a command changes something: in the store itself, or at the server that holds it.
//!
//! A store in a file belongs to the server that runs on it, which is asked through its admin listener. One in a database is everybody's.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use awc::{Client, error::SendRequestError, http::Method};
use serde_json::Value;

use super::CommandError;
use crate::{
    config::{Config, StoreKind},
    store::{Store, StoreError, embedded::EmbeddedStore, mongo::MongoStore},
};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer: a list of many users, bytes.
const LONGEST: usize = 1 << 30;
/// Tells the server that this is a command and no web page.
const ADMIN_HEADER: &str = "X-Lookout-Admin";

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

    /// What is told where it answers something else than it should.
    pub fn says(&self, reason: &str) -> CommandError {
        CommandError::Server { at: self.at, reason: reason.into() }
    }

    /// Asks, with a body where there is one. The JSON of a success, else what the server says.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, CommandError> {
        let failed = |reason: String| CommandError::Server { at: self.at, reason };
        let client = Client::builder().timeout(PATIENCE).disable_redirects().finish();
        let request = client.request(method, format!("http://{}{path}", self.at)).insert_header((ADMIN_HEADER, "1"));
        let sent = match body {
            Some(body) => request.send_json(body).await,
            None => request.send().await,
        };
        let mut answer = match sent {
            Ok(answer) => answer,
            Err(SendRequestError::Connect(_)) => return Err(self.is_absent()),
            Err(error) => return Err(failed(format!("cannot be asked: {error}"))),
        };
        let (status, body) = (answer.status(), answer.body().limit(LONGEST).await);
        let body: Value = body.ok().and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
        if status.is_success() {
            return Ok(body);
        }
        Err(failed(format!("answers {status}: {}", body["message"].as_str().unwrap_or_default())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_listens_everywhere_is_asked_here() {
        for (bind, at) in [("0.0.0.0:81", "127.0.0.1:81"), ("[::]:81", "[::1]:81"), ("10.0.0.1:81", "10.0.0.1:81")] {
            let mut config = Config::defaults();
            config.admin.bind = bind.parse().unwrap();
            assert_eq!(Server::of(&config).at, at.parse().unwrap());
        }
    }
}
