//! Who may connect: deny by default.

use std::collections::HashSet;

use crate::{
    config::{Auth, AuthMode},
    error::Refusal,
};

/// Decides by the mode of `[auth]`.
pub enum Door {
    /// These users.
    List(HashSet<String>),
    /// Anybody; the configuration grants it on loopback only.
    Open,
}

impl Door {
    /// As configured.
    pub fn new(auth: &Auth) -> Self {
        match auth.mode {
            AuthMode::List => Self::List(auth.users.iter().cloned().collect()),
            AuthMode::Open => Self::Open,
        }
    }

    /// Lets a user in, or says why not.
    pub fn admit(&self, user: &str) -> Result<(), Refusal> {
        match self {
            Self::List(users) if !users.contains(user) => {
                Err(Refusal::new(401, "unauthorized", "This user_id may not connect here."))
            }
            Self::List(_) | Self::Open => Ok(()),
        }
    }
}
