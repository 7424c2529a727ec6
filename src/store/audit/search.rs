//! Who was sent a notification, what was sent to a user, or both: put together from what the store keeps, page by page.

use std::{str::FromStr, sync::Arc};

use super::{Candidates, Connection, ConnectionId, Sendable, Sendables};
use crate::{
    notification::{NotificationId, Timestamp},
    store::{Store, StoreError},
};

/// Entries asked for at once.
const ENTRIES_AT_ONCE: usize = 100;
/// Connections asked for at once.
const TRACES_AT_ONCE: usize = 500;
/// Entries and connections that are looked at for one page; it ends there, with fewer deliveries or none.
const LOOKED_AT: usize = 10_000;

/// What is asked for.
#[derive(Debug, Clone)]
pub enum About {
    /// To whom this notification was sent; only whether to this user, where one is named.
    Notification(NotificationId, Option<Arc<str>>),
    /// What was sent to this user.
    User(Arc<str>),
}

impl About {
    fn user(&self) -> Option<&Arc<str>> {
        match self {
            Self::Notification(_, user) => user.as_ref(),
            Self::User(user) => Some(user),
        }
    }
}

/// A question and how much of its answer is wanted.
#[derive(Debug, Clone)]
pub struct Question {
    /// What is asked for.
    pub about: About,
    /// Where to go on.
    pub from: Option<Cursor>,
    /// At most so many.
    pub limit: usize,
}

/// Where a page ended. Text form `<n>-<connection>`, opaque to who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    n: u64,
    after: Option<ConnectionId>,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.n)?;
        self.after.map_or(Ok(()), |after| write!(f, "-{after}"))
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (n, after) = text.split_once('-').map_or((text, None), |(n, after)| (n, Some(after)));
        let after = after.map(|after| ConnectionId::parse_str(after).map_err(drop)).transpose()?;
        Ok(Self { n: n.parse().map_err(drop)?, after })
    }
}

/// One entry on one connection.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// What was sent.
    pub entry: Sendable,
    /// On what.
    pub connection: Connection,
    /// Not before this.
    pub sent_after: Timestamp,
    /// Not after this.
    pub sent_before: Timestamp,
}

/// A page of them.
#[derive(Debug, Default)]
pub struct Deliveries {
    /// By entry: those of a notification ascending, those of a user alone descending; then by connection.
    pub deliveries: Vec<Delivery>,
    /// Where there may be more.
    pub next: Option<Cursor>,
}

/// Answers a question. None where it names a notification that is not there.
pub async fn search(store: &dyn Store, question: &Question) -> Result<Option<Deliveries>, StoreError> {
    let mut page = Page { store, question, found: Deliveries::default(), looked_at: 0 };
    match &question.about {
        About::Notification(id, _) => {
            let entries = store.sendables(Sendables::Of(*id)).await?;
            if entries.is_empty() {
                return Ok(None);
            }
            let from = question.from.map_or(0, |cursor| cursor.n);
            for entry in entries.into_iter().filter(|entry| entry.position.n >= from) {
                if page.is_full(&entry).await? {
                    break;
                }
            }
        }
        About::User(user) => page.newest_first(user).await?,
    }
    Ok(Some(page.found))
}

struct Page<'a> {
    store: &'a dyn Store,
    question: &'a Question,
    found: Deliveries,
    looked_at: usize,
}

impl Page<'_> {
    async fn newest_first(&mut self, user: &Arc<str>) -> Result<(), StoreError> {
        let newest = self.store.span().newest.map_or(0, |newest| newest.n);
        let mut up_to = self.question.from.map_or(newest, |cursor| cursor.n);
        while let Some(furthest) = self.store.furthest(user.clone(), up_to).await? {
            let entries = self.store.sendables(Sendables::UpTo(furthest, ENTRIES_AT_ONCE)).await?;
            let Some(last) = entries.last().map(|entry| entry.position.n) else { return Ok(()) };
            for entry in entries {
                if self.is_full(&entry).await? {
                    return Ok(());
                }
            }
            up_to = last.saturating_sub(1);
        }
        Ok(())
    }

    /// Adds where this entry was sent; whether the page ends there.
    async fn is_full(&mut self, entry: &Sendable) -> Result<bool, StoreError> {
        let n = entry.position.n;
        let mut after = self.question.from.filter(|cursor| cursor.n == n).and_then(|cursor| cursor.after);
        loop {
            if self.looked_at >= LOOKED_AT {
                self.found.next = Some(Cursor { n, after });
                return Ok(true);
            }
            let (owner, user) = (entry.owner.clone(), self.question.about.user().cloned());
            let traces = self.store.traces(Candidates { n, owner, user, after, limit: TRACES_AT_ONCE }).await?;
            self.looked_at += traces.len() + 1;
            let more = traces.len() == TRACES_AT_ONCE;
            for trace in traces {
                if self.found.deliveries.len() == self.question.limit {
                    self.found.next = Some(Cursor { n, after });
                    return Ok(true);
                }
                after = Some(trace.connection.id);
                if let Some((sent_after, sent_before)) = trace.window(entry.committed_at) {
                    let (entry, connection) = (entry.clone(), trace.connection);
                    self.found.deliveries.push(Delivery { entry, connection, sent_after, sent_before });
                }
            }
            if !more {
                return Ok(false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_nothing_else_is_one() {
        for cursor in [Cursor { n: 7, after: None }, Cursor { n: 7, after: Some(ConnectionId::new()) }] {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for text in ["", "-", "7-", "7-x", "x-507f1f77bcf86cd799439011", "-1", "7-507f1f77bcf86cd799439011-"] {
            assert_eq!(text.parse::<Cursor>(), Err(()), "{text:?}");
        }
    }
}
