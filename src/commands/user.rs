//! `lookout user add|remove|list`: beside a running server or without one, in whichever store is configured.
//!
//! A store in a file belongs to the server that runs on it: there the command asks that server. A store in a database is everybody's.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use awc::{Client, ClientRequest};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    config::{Config, StoreKind},
    store::{Store, StoreError, Write, Written, check_user, embedded::EmbeddedStore, mongo::MongoStore},
};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest list of users that a server may answer with, bytes.
const LONGEST: usize = 1 << 30;

/// Why a command did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// What was given is no user id.
    #[error("{0:?}: a user id {1}")]
    NoUserId(String, &'static str),
    /// The store does not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A server holds the store, and does not do it.
    #[error("a server runs on this store, and at its admin.bind {at} {reason}")]
    Server {
        /// Where it was asked.
        at: SocketAddr,
        /// What it said.
        reason: String,
    },
}

/// All users, ascending.
pub async fn users(config: &Config) -> Result<Vec<Arc<str>>, CommandError> {
    match Book::open(config).await? {
        Book::Store(store) => {
            let users = store.users().await;
            store.close().await;
            Ok(users?.ids)
        }
        Book::Server(server) => server.list().await,
    }
}

/// Lets users in, or no longer; says for each whether that changed anything.
pub async fn set_users(config: &Config, users: Vec<String>, known: bool) -> Result<Vec<(String, bool)>, CommandError> {
    if let Some((user, reason)) = users.iter().find_map(|user| Some((user, check_user(user).err()?))) {
        return Err(CommandError::NoUserId(user.clone(), reason));
    }
    match Book::open(config).await? {
        Book::Store(store) => {
            let writes = users.iter().map(|user| Write::SetUser { user: user.as_str().into(), known }).collect();
            let commit = store.commit(writes).await;
            store.close().await;
            let changed = commit?.written.into_iter().map(|written| match written {
                Written::Refused(reason) => Err(StoreError::Refused(reason)),
                written => Ok(written == Written::UserSet(true)),
            });
            users.into_iter().zip(changed).map(|(user, changed)| Ok((user, changed?))).collect()
        }
        Book::Server(server) => {
            let mut done = Vec::new();
            for user in users {
                let changed = server.set(&user, known).await?;
                done.push((user, changed));
            }
            Ok(done)
        }
    }
}

/// Where the users are.
enum Book {
    Store(Arc<dyn Store>),
    Server(Server),
}

impl Book {
    async fn open(config: &Config) -> Result<Self, StoreError> {
        Ok(match config.store.kind {
            StoreKind::MongoDb => Self::Store(MongoStore::open(&config.store, &config.cluster).await?),
            StoreKind::Embedded => match EmbeddedStore::open(&config.store) {
                Ok(store) => Self::Store(store),
                Err(StoreError::InUse { .. }) => Self::Server(Server { at: config.admin.bind }),
                Err(error) => return Err(error),
            },
        })
    }
}

/// The admin listener of a running server.
struct Server {
    at: SocketAddr,
}

#[derive(Deserialize)]
struct Changed {
    changed: bool,
}

#[derive(Deserialize)]
struct Listed {
    users: Vec<Arc<str>>,
}

impl Server {
    async fn list(&self) -> Result<Vec<Arc<str>>, CommandError> {
        let users: Listed = self.ask(client().get(self.url("")), Value::Null).await?;
        Ok(users.users)
    }

    async fn set(&self, user: &str, known: bool) -> Result<bool, CommandError> {
        let outcome: Changed = if known {
            self.ask(client().post(self.url("")), json!({ "user_id": user })).await?
        } else {
            self.ask(client().delete(self.url(&format!("/{}", escaped(user)))), Value::Null).await?
        };
        Ok(outcome.changed)
    }

    fn url(&self, rest: &str) -> String {
        let mut at = self.at;
        // A server that listens everywhere listens here.
        match at {
            SocketAddr::V4(v4) if v4.ip().is_unspecified() => at.set_ip(Ipv4Addr::LOCALHOST.into()),
            SocketAddr::V6(v6) if v6.ip().is_unspecified() => at.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        format!("http://{at}/users{rest}")
    }

    async fn ask<T: for<'a> Deserialize<'a>>(&self, request: ClientRequest, body: Value) -> Result<T, CommandError> {
        let failed = |reason: String| CommandError::Server { at: self.at, reason };
        let sent = if body.is_null() { request.send().await } else { request.send_json(&body).await };
        let mut answer = sent.map_err(|error| failed(format!("cannot be asked: {error}")))?;
        let (status, body) = (answer.status(), answer.body().limit(LONGEST).await);
        let body: Value = body.ok().and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
        if !status.is_success() {
            return Err(failed(format!("answers {status}: {}", body["message"].as_str().unwrap_or_default())));
        }
        serde_json::from_value(body).map_err(|_| failed("is no lookout that knows of users".to_owned()))
    }
}

fn client() -> Client {
    Client::builder().timeout(PATIENCE).disable_redirects().finish()
}

/// As a part of a path: all but letters, digits and a few signs as `%` and two hex digits.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_id_is_one_part_of_a_path_whatever_it_holds() {
        for (user, expected) in [("ana", "ana"), ("b|c/..", "b%7Cc%2F%2E%2E"), ("\u{e9}?#%", "%C3%A9%3F%23%25"), ("..", "%2E%2E")]
        {
            assert_eq!(escaped(user), expected);
        }
    }

    #[test]
    fn a_server_that_listens_everywhere_is_asked_here() {
        for (at, url) in [
            ("127.0.0.1:8001", "http://127.0.0.1:8001/users/a"),
            ("0.0.0.0:8001", "http://127.0.0.1:8001/users/a"),
            ("[::]:8001", "http://[::1]:8001/users/a"),
            ("10.0.0.1:1", "http://10.0.0.1:1/users/a"),
        ] {
            assert_eq!(Server { at: at.parse().unwrap() }.url("/a"), url);
        }
    }
}
