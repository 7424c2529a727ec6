//! Who is connected: counts, limits and the sessions' addresses. Held by the session supervisor, and for a moment by a reload.

use std::{collections::HashMap, sync::Arc, time::Instant};

use super::{mailbox::Address, outbox::Outbox, session::Session};
use crate::error::Refusal;

/// Names one session for the life of the process; never used again, so a late goodbye cannot remove a successor.
pub type SessionId = u64;

/// Why a stream is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// `stream.max_connections` is reached.
    Node,
    /// `stream.max_connections_per_user` is reached.
    User,
}

impl Full {
    /// The `cause` of `lookout_connections_refused_total`.
    pub fn cause(self) -> &'static str {
        match self {
            Self::Node => "node_full",
            Self::User => "user_full",
        }
    }

    /// What the client is told.
    pub fn refusal(self) -> Refusal {
        let (code, message) = match self {
            Self::Node => ("too_many_connections", "This server has as many streams open as it may (stream.max_connections)."),
            Self::User => (
                "too_many_connections_for_user",
                "This user has as many streams open as it may (stream.max_connections_per_user).",
            ),
        };
        Refusal::busy(code, message, 10)
    }
}

/// One session.
pub struct Member {
    /// Whose it is.
    pub user: Arc<str>,
    /// When it was opened.
    pub since: Instant,
    /// Which worker thread it runs on.
    pub worker: usize,
    /// The session.
    pub session: Address<Session>,
    /// What its response body takes from.
    pub outbox: Arc<Outbox>,
}

/// The open sessions of this node.
pub struct Registry {
    max: usize,
    max_per_user: usize,
    members: HashMap<SessionId, Member>,
    per_user: HashMap<Arc<str>, usize>,
    next_id: SessionId,
}

impl Registry {
    /// Empty; `max_per_user` 0 is no limit.
    pub fn new(max: usize, max_per_user: usize) -> Self {
        Self { max, max_per_user, members: HashMap::new(), per_user: HashMap::new(), next_id: 1 }
    }

    /// From now on so many; who is connected stays.
    pub fn allow(&mut self, max: usize, max_per_user: usize) {
        (self.max, self.max_per_user) = (max, max_per_user);
    }

    /// The id for one more session of this user, if there is room. Counted when [`Self::add`] is called.
    pub fn admit(&mut self, user: &str) -> Result<SessionId, Full> {
        if self.members.len() >= self.max {
            return Err(Full::Node);
        }
        if self.max_per_user > 0 && self.per_user.get(user).is_some_and(|open| *open >= self.max_per_user) {
            return Err(Full::User);
        }
        let id = self.next_id;
        self.next_id += 1;
        Ok(id)
    }

    /// Counts a session.
    pub fn add(&mut self, id: SessionId, member: Member) {
        *self.per_user.entry(member.user.clone()).or_default() += 1;
        self.members.insert(id, member);
    }

    /// Forgets a session; none when it was forgotten before.
    pub fn remove(&mut self, id: SessionId) -> Option<Member> {
        let member = self.members.remove(&id)?;
        if let Some(open) = self.per_user.get_mut(&member.user) {
            *open -= 1;
            if *open == 0 {
                self.per_user.remove(&member.user);
            }
        }
        Some(member)
    }

    /// Sessions whose actor is dead although nobody said goodbye for it.
    pub fn dead(&self) -> Vec<SessionId> {
        self.members.iter().filter(|(_, member)| !member.session.connected()).map(|(id, _)| *id).collect()
    }

    /// One of them, while it is there.
    pub fn get(&self, id: SessionId) -> Option<&Member> {
        self.members.get(&id)
    }

    /// All of them.
    pub fn members(&self) -> impl Iterator<Item = (SessionId, &Member)> {
        self.members.iter().map(|(id, member)| (*id, member))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}
