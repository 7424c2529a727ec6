//! What each write does inside the transaction of its commit.
//!
//! Everything here works on a draft (rows not yet committed, a copy of the span), so a failure at any point leaves nothing.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    body::Body,
    error::unreadable,
    rows::{self, id_of},
};
use crate::{
    notification::{
        NotificationId, Timestamp,
        entry::{Entry, Kind},
        message,
        position::{Position, Tag},
        subject::Subject,
    },
    store::{Commit, Kept, NewDeadLetter, NewNotification, Receive, Span, StoreError, Write, Written},
};

/// A commit that is being made.
pub(super) struct Draft<'c> {
    pub(super) tx: &'c Connection,
    /// The span as it will be.
    pub(super) span: Span,
    entries: Vec<Entry>,
    screenings_opened: bool,
}

/// Which key recognised a duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SeenBy {
    Delivery,
    Fact,
}

impl<'c> Draft<'c> {
    /// Applies all writes in order; a refused one is the end of all, as any other failure is.
    pub(super) fn apply(tx: &'c Connection, span: Span, writes: &[Write]) -> Result<(Commit, Span), StoreError> {
        Self::each(tx, span, writes, Self::write)
    }

    /// As [`Self::apply`], but a refused write leaves nothing and costs no other. Dearer: a savepoint copies each page that is
    /// changed behind it.
    pub(super) fn apply_one_by_one(tx: &'c Connection, span: Span, writes: &[Write]) -> Result<(Commit, Span), StoreError> {
        Self::each(tx, span, writes, Self::attempt)
    }

    fn each(
        tx: &'c Connection,
        span: Span,
        writes: &[Write],
        apply: impl Fn(&mut Self, &Write) -> Result<Written, StoreError>,
    ) -> Result<(Commit, Span), StoreError> {
        let mut draft = Self { tx, span, entries: Vec::new(), screenings_opened: false };
        let written = writes.iter().map(|write| apply(&mut draft, write)).collect::<Result<_, _>>()?;
        let Self { span, entries, screenings_opened, .. } = draft;
        Ok((Commit { written, entries, screenings_opened }, span))
    }

    fn attempt(&mut self, write: &Write) -> Result<Written, StoreError> {
        let (span, entries, screenings_opened) = (self.span, self.entries.len(), self.screenings_opened);
        self.tx.prepare_cached("SAVEPOINT write")?.execute([])?;
        let written = match self.write(write) {
            Err(StoreError::Refused(reason)) => {
                self.tx.prepare_cached("ROLLBACK TO write")?.execute([])?;
                self.entries.truncate(entries);
                (self.span, self.screenings_opened) = (span, screenings_opened);
                log::error!(target: "notifications", "event=write_refused reason={reason:?}");
                Written::Refused(reason)
            }
            written => written?,
        };
        self.tx.prepare_cached("RELEASE write")?.execute([])?;
        Ok(written)
    }

    fn write(&mut self, write: &Write) -> Result<Written, StoreError> {
        match write {
            Write::Receive(receive) => self.receive(receive, None).map(Written::Received),
            Write::Settle { id, at, results } => self.settle(*id, *at, results).map(Written::Settled),
            Write::ReleaseOverdue { received_before, at, results, limit } => {
                self.release_overdue(*received_before, *at, results, *limit).map(Written::Released)
            }
            Write::Prune { before, limit } => self.prune(*before, *limit).map(Written::Pruned),
            Write::Retry { seq, receive } => self.retry(*seq, receive).map(Written::Retried),
            Write::Discard { letters, limit } => self.discard(*letters.start(), *letters.end(), *limit).map(Written::Discarded),
            Write::BoundDeadLetters { letters, bytes, limit } => {
                self.bound_dead_letters(*letters, *bytes, *limit).map(Written::Discarded)
            }
            Write::SetUser { user, known } => self.set_user(user, *known).map(Written::UserSet),
            Write::Probe => self.probe().map(|()| Written::Probed),
        }
    }

    /// Takes in what was read from a body, of which `known` is the row where it has one already.
    pub(super) fn receive(&mut self, receive: &Receive, known: Option<i64>) -> Result<Vec<Kept>, StoreError> {
        let Receive { raw, received_at, notifications, dead_letters } = receive;
        let received_at = *received_at;
        let mut body = Body::new(raw.clone(), received_at, known);
        let mut kept = Vec::with_capacity(notifications.len());
        for new in notifications {
            kept.push(match self.first_seen(new)? {
                Some((id, by)) => {
                    if by == SeenBy::Fact {
                        body.kept_beside(self.tx, id)?;
                    }
                    if let Some(subject) = &new.screen {
                        self.screen_after_all(id, received_at, subject)?;
                    }
                    Kept { id, duplicate: true }
                }
                None => {
                    let id = new.id;
                    self.keep(new, &mut body)?;
                    Kept { id, duplicate: false }
                }
            });
        }
        for letter in dead_letters {
            self.bury(letter, &mut body)?;
        }
        Ok(kept)
    }

    /// The notification that one of the keys belongs to. The delivery key is asked first: it says "the same request".
    fn first_seen(&self, new: &NewNotification) -> Result<Option<(NotificationId, SeenBy)>, StoreError> {
        let mut seen = self.tx.prepare_cached("SELECT notification FROM seen WHERE key = ?1")?;
        for (key, by) in [(new.delivery_key, SeenBy::Delivery), (new.fact_key, SeenBy::Fact)] {
            let Some(key) = key else { continue };
            if let Some(id) = seen.query_row([key], |row| id_of(row, 0)).optional()? {
                return Ok(Some((id, by)));
            }
        }
        Ok(None)
    }

    fn keep(&mut self, new: &NewNotification, body: &mut Body) -> Result<(), StoreError> {
        let NewNotification { id, owner, delivery_key, fact_key, payload, screen } = new;
        let id = *id;
        let body_id = body.kept(self.tx)?;
        let n = match screen {
            None => Some(self.append(Kind::Notification, id, owner.clone(), body.received_at, payload.as_str().into())?),
            Some(subject) => {
                self.open_screening(id, body.received_at, subject, owner.as_deref(), Some(payload))?;
                None
            }
        };
        self.tx
            .prepare_cached("INSERT INTO notification (id, n, body, delivery_key, fact_key) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![id.bytes(), n, body_id, delivery_key, fact_key])?;
        // The two keys of one notification may be the same bytes only by mistake; that must not refuse the notification.
        let mut remember = self.tx.prepare_cached("INSERT OR IGNORE INTO seen (key, notification) VALUES (?1, ?2)")?;
        for key in [delivery_key, fact_key].into_iter().flatten() {
            remember.execute(params![key, id.bytes()])?;
        }
        Ok(())
    }

    fn set_user(&self, user: &str, known: bool) -> Result<bool, StoreError> {
        let change = if known { "INSERT OR IGNORE INTO user (id) VALUES (?1)" } else { "DELETE FROM user WHERE id = ?1" };
        Ok(self.tx.prepare_cached(change)?.execute([user])? > 0)
    }

    fn probe(&self) -> Result<(), StoreError> {
        self.tx.prepare_cached("UPDATE meta SET epoch = epoch")?.execute([])?;
        Ok(())
    }

    fn bury(&self, letter: &NewDeadLetter, body: &mut Body) -> Result<(), StoreError> {
        let body_id = body.kept(self.tx)?;
        self.tx
            .prepare_cached("INSERT INTO dead_letter (received_at, item, reason, detail, body) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![
                body.received_at.timestamp_millis(),
                letter.item.map(rows::bound),
                letter.reason,
                letter.detail,
                body_id
            ])?;
        Ok(())
    }

    /// Screens a released notification that came without screening and was posted again asking for it. One that waits, was
    /// screened or is being screened stays as it is. The time is that of the second post: the patience of screening starts there.
    fn screen_after_all(&mut self, id: NotificationId, asked_at: Timestamp, subject: &Subject) -> Result<(), StoreError> {
        let payload: Option<String> = self
            .tx
            .prepare_cached(
                "SELECT l.payload FROM notification x JOIN log l ON l.n = x.n
                 WHERE x.id = ?1 AND x.update_n IS NULL
                 AND NOT EXISTS (SELECT 1 FROM open_screening WHERE notification = ?1)",
            )?
            .query_row([id.bytes()], |row| row.get(0))
            .optional()?;
        // A duplicate must not fail on the damage of the first one: what cannot be read is not asked for again.
        if payload.is_some_and(|payload| message::results_of(&payload).is_ok_and(|results| results.is_null())) {
            self.open_screening(id, asked_at, subject, None, None)?;
        }
        Ok(())
    }

    fn open_screening(
        &mut self,
        id: NotificationId,
        received_at: Timestamp,
        subject: &Subject,
        owner: Option<&str>,
        payload: Option<&str>,
    ) -> Result<(), StoreError> {
        let subject = serde_json::to_string(subject).map_err(unreadable)?;
        self.tx
            .prepare_cached(
                "INSERT INTO open_screening (notification, received_at, subject, owner, payload) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![id.bytes(), received_at.timestamp_millis(), subject, owner, payload])?;
        self.screenings_opened = true;
        Ok(())
    }

    /// Gives the next place in the log.
    pub(super) fn append(
        &mut self,
        kind: Kind,
        id: NotificationId,
        owner: Option<Arc<str>>,
        at: Timestamp,
        payload: Arc<str>,
    ) -> Result<i64, StoreError> {
        let n = self.span.newest.map_or(0, |newest| newest.n) + 1;
        let position = Position { epoch: self.span.epoch, n, tag: Tag::of(&payload) };
        let row = n as i64;
        self.tx
            .prepare_cached(
                "INSERT INTO log (n, kind, tag, committed_at, notification, owner, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![row, rows::kind_code(kind), position.tag.0, at.timestamp_millis(), id.bytes(), owner, payload])?;
        self.span.newest = Some(position);
        self.span.oldest = self.span.oldest.or(Some(position));
        self.entries.push(Entry { position, kind, notification_id: id, owner, payload });
        Ok(row)
    }
}
