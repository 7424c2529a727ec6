//! Looks into the store for users who were added or removed: one at a time.
//!
//! Who asks while one is under way is told of the next: the one under way may have read before the change.

use std::{sync::Arc, time::Instant};

use tokio::sync::oneshot;

use super::users::UserList;
use crate::store::{Store, StoreError};

/// What is known of them.
#[derive(Default)]
pub struct Looks {
    under_way: bool,
    /// Whether the store did not answer the last time.
    blind: bool,
    /// Against which version of the users the sessions were looked through; none after a rebuild.
    looked_through: Option<u64>,
    waiting: Vec<Asker>,
}

/// Told when the look is done; dropped untold where the store does not answer.
pub type Asker = oneshot::Sender<()>;

/// Brings the list up to what the store says.
pub async fn look(store: Arc<dyn Store>, users: Arc<UserList>) -> Result<(), StoreError> {
    let asked_at = Instant::now();
    if store.users_version().await? != users.version() {
        users.replace(store.users().await?);
    }
    users.confirm(asked_at);
    Ok(())
}

impl Looks {
    /// Has somebody told of a look that begins from now on.
    pub fn ask(&mut self, asker: Asker) {
        self.waiting.push(asker);
    }

    /// Begins one, and gives whom to tell of it; none while one is under way.
    pub fn begin(&mut self) -> Option<Vec<Asker>> {
        if std::mem::replace(&mut self.under_way, true) {
            return None;
        }
        Some(std::mem::take(&mut self.waiting))
    }

    /// Ends it. Whether somebody waits for another one.
    pub fn end(&mut self, outcome: Result<(), StoreError>, askers: Vec<Asker>) -> bool {
        self.under_way = false;
        let was_blind = std::mem::replace(&mut self.blind, outcome.is_err());
        match outcome {
            Ok(()) => {
                // Who has hung up meanwhile is not told.
                askers.into_iter().for_each(|asker| _ = asker.send(()));
                if was_blind {
                    log::info!(target: "notifications", "event=users_back");
                }
            }
            Err(error) if !was_blind => log::warn!(target: "notifications", "event=users_unknown error={error:?}"),
            Err(_) => {}
        }
        !self.waiting.is_empty()
    }

    /// Whether the sessions were not yet looked through against this version of the users. True once for each.
    pub fn are_due(&mut self, version: u64) -> bool {
        self.looked_through.replace(version) != Some(version)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;

    #[test]
    fn who_asks_while_a_look_is_under_way_is_told_of_the_next_one() {
        let mut looks = Looks::default();
        let ((first, mut first_told), (second, mut second_told)) = (oneshot::channel(), oneshot::channel());
        looks.ask(first);
        let askers = looks.begin().unwrap();
        looks.ask(second);
        assert!(looks.begin().is_none(), "one at a time");
        assert!(looks.end(Ok(()), askers), "another one is waited for");
        assert_eq!((first_told.try_recv(), second_told.try_recv()), (Ok(()), Err(TryRecvError::Empty)));
        let askers = looks.begin().unwrap();
        assert!(!looks.end(Err(StoreError::Unavailable(String::new())), askers));
        assert_eq!(second_told.try_recv(), Err(TryRecvError::Closed), "the store did not answer");
    }

    #[test]
    fn sessions_are_looked_through_once_for_each_version() {
        let mut looks = Looks::default();
        assert_eq!([3, 3, 4, 4].map(|version| looks.are_due(version)), [true, false, true, false]);
    }
}
