//! Why a command did not do what it was told.

use std::net::SocketAddr;

use crate::store::StoreError;

/// Each says what an operator can do about it.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The store does not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A server has to do it, and does not.
    #[error("the server at admin.bind {at} {reason}")]
    Server {
        /// Where it was asked.
        at: SocketAddr,
        /// What it said.
        reason: String,
    },
    /// Only a running server can do it.
    #[error("no server answers at admin.bind {at}, and only a running one can do this: start it first")]
    NoServer {
        /// Where it was looked for.
        at: SocketAddr,
    },
    /// What was given is no user id.
    #[error("{0:?}: a user id {1}")]
    NoUserId(String, &'static str),
    /// There is no such dead letter.
    #[error("there is no dead letter {0}")]
    UnknownLetter(i64),
}
