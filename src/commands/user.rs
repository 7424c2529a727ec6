//! `lookout user add|remove|list`: beside a running server or without one, in whichever store is configured.
//!
//! A store in a file belongs to the server that runs on it: there the command asks that server. A store in a database is everybody's.

use std::sync::Arc;

use awc::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    CommandError,
    place::{Place, Server},
};
use crate::{
    config::Config,
    store::{StoreError, Write, Written, check_user},
};

/// All users, ascending.
pub async fn users(config: &Config) -> Result<Vec<Arc<str>>, CommandError> {
    match Place::open(config).await? {
        Place::Store(store) => {
            let users = store.users().await;
            store.close().await;
            Ok(users?.ids)
        }
        Place::Server(server) => list(&server).await,
    }
}

/// Lets users in, or no longer; says for each whether that changed anything.
pub async fn set_users(config: &Config, users: Vec<String>, known: bool) -> Result<Vec<(String, bool)>, CommandError> {
    if let Some((user, reason)) = users.iter().find_map(|user| Some((user, check_user(user).err()?))) {
        return Err(CommandError::NoUserId(user.clone(), reason));
    }
    match Place::open(config).await? {
        Place::Store(store) => {
            let writes = users.iter().map(|user| Write::SetUser { user: user.as_str().into(), known }).collect();
            let commit = store.commit(writes).await;
            store.close().await;
            let changed = commit?.written.into_iter().map(|written| match written {
                Written::Refused(reason) => Err(StoreError::Refused(reason)),
                written => Ok(written == Written::UserSet(true)),
            });
            users.into_iter().zip(changed).map(|(user, changed)| Ok((user, changed?))).collect()
        }
        Place::Server(server) => {
            let mut done = Vec::new();
            for user in users {
                let changed = set(&server, &user, known).await?;
                done.push((user, changed));
            }
            Ok(done)
        }
    }
}

#[derive(Deserialize)]
struct Changed {
    changed: bool,
}

#[derive(Deserialize)]
struct Listed {
    users: Vec<Arc<str>>,
}

async fn list(server: &Server) -> Result<Vec<Arc<str>>, CommandError> {
    let listed: Listed = known(server, server.ask(Method::GET, "/users", None).await?)?;
    Ok(listed.users)
}

async fn set(server: &Server, user: &str, is_known: bool) -> Result<bool, CommandError> {
    let answer = if is_known {
        server.ask(Method::POST, "/users", Some(&json!({ "user_id": user }))).await?
    } else {
        server.ask(Method::DELETE, &format!("/users/{}", escaped(user)), None).await?
    };
    let outcome: Changed = known(server, answer)?;
    Ok(outcome.changed)
}

fn known<T: for<'a> Deserialize<'a>>(server: &Server, answer: Value) -> Result<T, CommandError> {
    serde_json::from_value(answer).map_err(|_| server.says("is no lookout that knows of users"))
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
}
