//! Who may connect: deny by default. One file a mode.

mod asking;
mod cache;
mod jwt;
mod outgoing;

use std::{sync::Arc, time::Instant};

use actix_web::{HttpRequest, rt::task::JoinHandle};

use self::{asking::Asking, jwt::Jwt};
use crate::{
    actors::users::UserList,
    config::{Auth, AuthMode},
    error::Refusal,
};

/// Decides by the mode of `[auth]`.
pub enum Door {
    /// The users in the configuration, or in the store.
    List(Arc<UserList>),
    /// Whoever brings a token.
    Jwt(Jwt),
    /// Whom another system lets in.
    Http(Asking),
    /// Anybody; the configuration grants it on loopback only.
    Open,
}

/// Why a door could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// A key file or key set is not there, or is none.
    #[error("auth.{key} = {file:?}: {reason}")]
    Keys {
        /// The configuration key.
        key: &'static str,
        /// The file.
        file: std::path::PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What auth asks over TLS cannot be asked.
    #[error("TLS cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}

/// What somebody brings along beside the user id.
pub struct Credentials<'r> {
    /// The request, for its headers.
    pub request: &'r HttpRequest,
    /// The query's `access_token`.
    pub access_token: Option<&'r str>,
}

/// The right to read as some user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// When it ends; none where it does not by itself.
    pub until: Option<Instant>,
}

impl Pass {
    const WITHOUT_END: Self = Self { until: None };
}

impl Door {
    /// As configured, with what keeps it up to date: tasks of this thread, to be aborted when it is needed no longer. `users` are
    /// those of modes `list` and `store`.
    ///
    /// # Errors
    /// Where the keys of tokens are in a file that is not usable. One that cannot be fetched does not stop a start.
    pub fn open(config: &Auth, users: Option<Arc<UserList>>) -> Result<(Self, Vec<JoinHandle<()>>), DoorError> {
        let (door, task) = match (config.mode, users) {
            (AuthMode::List | AuthMode::Store, Some(users)) => (Self::List(users), None),
            (AuthMode::List | AuthMode::Store, None) => (Self::List(Arc::new(UserList::configured(&config.users))), None),
            (AuthMode::Open, _) => (Self::Open, None),
            (AuthMode::Jwt, _) => {
                let (jwt, task) = Jwt::open(config)?;
                (Self::Jwt(jwt), Some(task))
            }
            (AuthMode::Http, _) => {
                let (asking, task) = Asking::open(config)?;
                (Self::Http(asking), Some(task))
            }
        };
        Ok((door, task.into_iter().collect()))
    }

    /// Lets a user in, or says why not: 401 who is not known, 403 who is somebody else, 503 where it cannot be told.
    pub async fn admit(&self, user: &str, credentials: Credentials<'_>) -> Result<Pass, Refusal> {
        match self {
            Self::List(users) => users.admit(user).map(|()| Pass::WITHOUT_END),
            Self::Jwt(jwt) => jwt.admit(user, credentials).await,
            Self::Http(asking) => asking.admit(user, credentials.request).await,
            Self::Open => Ok(Pass::WITHOUT_END),
        }
    }
}
