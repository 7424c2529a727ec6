//! Mode `list`: the users that the configuration names.

use std::collections::HashSet;

use super::Pass;
use crate::error::Refusal;

/// Their ids.
pub struct Listed(HashSet<String>);

impl Listed {
    pub fn new(users: &[String]) -> Self {
        Self(users.iter().cloned().collect())
    }

    pub fn admit(&self, user: &str) -> Result<Pass, Refusal> {
        if self.0.contains(user) {
            return Ok(Pass::WITHOUT_END);
        }
        Err(Refusal::new(401, "unauthorized", "This user_id may not connect here."))
    }
}
