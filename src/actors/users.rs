//! The users of auth modes "list" and "store", as this node knows them: in memory, since asking the store would cost more than all
//! else of a stream's opening.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;

use crate::{error::Refusal, store::Users};

/// How many looks into the store may fail before what is known is too old to let anybody in.
const LOOKS: u32 = 10;
/// And for how long at least: a primary that is elected anew is away for some seconds.
const LEAST_PATIENCE: Duration = Duration::from_secs(15);

/// Who is known. The session supervisor keeps it up to date; everybody asks it.
#[derive(Debug)]
pub struct UserList {
    known: ArcSwap<Known>,
    confirmed: Mutex<Instant>,
    /// Without one they are known for good, until somebody replaces them.
    patience: Option<Duration>,
}

#[derive(Debug)]
struct Known {
    version: u64,
    ids: HashSet<Arc<str>>,
}

impl UserList {
    /// Of what the store has just said, and says again each `look_interval`.
    pub fn new(users: Users, look_interval: Duration) -> Self {
        let patience = look_interval.saturating_mul(LOOKS).max(LEAST_PATIENCE);
        Self { known: ArcSwap::from_pointee(Known::of(users)), confirmed: Mutex::new(Instant::now()), patience: Some(patience) }
    }

    /// Those that the configuration names.
    pub fn configured(ids: &[String]) -> Self {
        let known = Known { version: 0, ids: ids.iter().map(|id| Arc::from(id.as_str())).collect() };
        Self { known: ArcSwap::from_pointee(known), confirmed: Mutex::new(Instant::now()), patience: None }
    }

    /// Those that the configuration names now.
    pub fn configure(&self, ids: &[String]) {
        let ids = ids.iter().map(|id| Arc::from(id.as_str())).collect();
        self.replace(Users { version: self.version() + 1, ids });
    }

    /// Whether a user may connect; none where the store has not been heard for too long to know.
    fn admits(&self, user: &str) -> Option<bool> {
        let Some(patience) = self.patience else { return Some(!self.lacks(user)) };
        let confirmed = *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        (confirmed.elapsed() <= patience).then(|| !self.lacks(user))
    }

    /// Lets a user in, or says why not.
    pub fn admit(&self, user: &str) -> Result<(), Refusal> {
        match self.admits(user) {
            Some(true) => Ok(()),
            Some(false) => Err(Refusal::new(401, "unauthorized", "This user_id may not connect here.")),
            None => {
                Err(Refusal::busy("auth_unavailable", "Who may connect cannot be asked right now; try again in a moment.", 5))
            }
        }
    }

    /// Whether a user was not there when the store was heard last, however long ago.
    pub fn lacks(&self, user: &str) -> bool {
        !self.known.load().ids.contains(user)
    }

    /// Which version of the users this is.
    pub fn version(&self) -> u64 {
        self.known.load().version
    }

    /// The store was asked at this time and says the same.
    pub fn confirm(&self, asked_at: Instant) {
        let mut confirmed = self.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        *confirmed = (*confirmed).max(asked_at);
    }

    /// What the store says now.
    pub fn replace(&self, users: Users) {
        self.known.store(Arc::new(Known::of(users)));
    }
}

impl Known {
    fn of(Users { version, ids }: Users) -> Self {
        Self { version, ids: ids.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(version: u64, ids: &[&str]) -> Users {
        Users { version, ids: ids.iter().map(|id| Arc::from(*id)).collect() }
    }

    #[test]
    fn who_was_removed_is_let_in_no_longer() {
        let list = UserList::new(users(1, &["ana", "ben"]), Duration::from_millis(500));
        assert_eq!(list.admits("ana"), Some(true));
        list.replace(users(2, &["ben", "eva"]));
        assert_eq!(["ana", "ben", "eva"].map(|user| list.admits(user)), [Some(false), Some(true), Some(true)]);
        assert_eq!(["ana", "ben"].map(|user| list.admit(user).map_err(|refusal| refusal.status)), [Err(401), Ok(())]);
        assert_eq!((list.version(), list.lacks("ana")), (2, true));
    }

    #[test]
    fn a_list_that_was_not_confirmed_for_long_lets_nobody_in_until_it_is() {
        let mut list = UserList::new(users(1, &["ana"]), Duration::from_millis(500));
        list.patience = Some(Duration::ZERO);
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(list.admits("ana"), None);
        assert_eq!(list.admit("ana").map_err(|refusal| refusal.status), Err(503));
        assert!(!list.lacks("ana"), "who is connected stays");
        list.patience = Some(LEAST_PATIENCE);
        list.confirm(Instant::now());
        assert_eq!(list.admits("ana"), Some(true));
    }
}
