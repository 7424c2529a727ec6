//! What each write does inside the transaction of its commit.
//!
//! Everything here works on a draft (rows not yet committed, a copy of the span), so a failure at any point leaves nothing.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::{
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

/// What waits in `open_screening` to be released.
struct Waiting {
    id: NotificationId,
    owner: Option<Arc<str>>,
    payload: String,
}

impl<'c> Draft<'c> {
    /// Applies all writes in order.
    pub(super) fn apply(tx: &'c Connection, span: Span, writes: Vec<Write>) -> Result<(Commit, Span), StoreError> {
        let mut draft = Self { tx, span, entries: Vec::new(), screenings_opened: false };
        let written = writes.into_iter().map(|write| draft.write(write)).collect::<Result<_, _>>()?;
        let Self { span, entries, screenings_opened, .. } = draft;
        Ok((Commit { written, entries, screenings_opened }, span))
    }

    fn write(&mut self, write: Write) -> Result<Written, StoreError> {
        match write {
            Write::Receive(receive) => self.receive(receive).map(Written::Received),
            Write::Settle { id, at, results } => self.settle(id, at, &results).map(Written::Settled),
            Write::ReleaseOverdue { received_before, at, results, limit } => {
                self.release_overdue(received_before, at, &results, limit).map(Written::Released)
            }
            Write::Prune { before, limit } => self.prune(before, limit).map(Written::Pruned),
        }
    }

    fn receive(&mut self, receive: Receive) -> Result<Vec<Kept>, StoreError> {
        let Receive { raw, received_at, notifications, dead_letters } = receive;
        let mut body = Body { raw, received_at, id: None };
        let mut kept = Vec::with_capacity(notifications.len());
        for new in notifications {
            kept.push(match self.first_seen(&new)? {
                Some(id) => {
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
    fn first_seen(&self, new: &NewNotification) -> Result<Option<NotificationId>, StoreError> {
        let mut seen = self.tx.prepare_cached("SELECT notification FROM seen WHERE key = ?1")?;
        for key in [new.delivery_key, new.fact_key].iter().flatten() {
            if let Some(id) = seen.query_row([key], |row| id_of(row, 0)).optional()? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    fn keep(&mut self, new: NewNotification, body: &mut Body) -> Result<(), StoreError> {
        let NewNotification { id, owner, delivery_key, fact_key, payload, screen } = new;
        let body_id = body.kept(self.tx)?;
        let n = match screen {
            None => Some(self.append(Kind::Notification, id, owner, body.received_at, payload)?),
            Some(subject) => {
                self.open_screening(id, body.received_at, &subject, owner.as_deref(), Some(&payload))?;
                None
            }
        };
        self.tx
            .prepare_cached("INSERT INTO notification (id, n, body, delivery_key, fact_key) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![id.bytes(), n, body_id, delivery_key, fact_key])?;
        // The two keys of one notification may be the same bytes only by mistake; that must not refuse the notification.
        let mut remember = self.tx.prepare_cached("INSERT OR IGNORE INTO seen (key, notification) VALUES (?1, ?2)")?;
        for key in [delivery_key, fact_key].iter().flatten() {
            remember.execute(params![key, id.bytes()])?;
        }
        Ok(())
    }

    fn bury(&self, letter: NewDeadLetter, body: &mut Body) -> Result<(), StoreError> {
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
        let Some(payload) = payload else { return Ok(()) };
        if rows::results_of(&payload)?.is_null() {
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

    fn settle(&mut self, id: NotificationId, at: Timestamp, results: &Value) -> Result<bool, StoreError> {
        let settled: Option<(Option<Arc<str>>, Option<String>)> = self
            .tx
            .prepare_cached("DELETE FROM open_screening WHERE notification = ?1 RETURNING owner, payload")?
            .query_row([id.bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match settled {
            None => return Ok(false),
            Some((owner, Some(payload))) => self.release(Waiting { id, owner, payload }, at, results)?,
            Some((_, None)) => self.update(id, at, results)?,
        }
        Ok(true)
    }

    fn release_overdue(
        &mut self,
        received_before: Timestamp,
        at: Timestamp,
        results: &Value,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let overdue = self
            .tx
            .prepare_cached(
                "SELECT notification, owner, payload FROM open_screening
                 WHERE payload IS NOT NULL AND received_at < ?1 ORDER BY received_at, seq LIMIT ?2",
            )?
            .query_map(params![received_before.timestamp_millis(), rows::bound(limit)], |row| {
                Ok(Waiting { id: id_of(row, 0)?, owner: row.get(1)?, payload: row.get(2)? })
            })?
            .collect::<Result<Vec<_>, _>>()?;
        let released = overdue.len();
        for waiting in overdue {
            self.tx
                .prepare_cached("UPDATE open_screening SET owner = NULL, payload = NULL WHERE notification = ?1")?
                .execute([waiting.id.bytes()])?;
            self.release(waiting, at, results)?;
        }
        Ok(released)
    }

    fn release(&mut self, waiting: Waiting, at: Timestamp, results: &Value) -> Result<(), StoreError> {
        let payload = message::with_results(&waiting.payload, results, Some(at)).map_err(unreadable)?;
        let n = self.append(Kind::Notification, waiting.id, waiting.owner, at, payload)?;
        self.tx.prepare_cached("UPDATE notification SET n = ?2 WHERE id = ?1")?.execute(params![waiting.id.bytes(), n])?;
        Ok(())
    }

    fn update(&mut self, id: NotificationId, at: Timestamp, results: &Value) -> Result<(), StoreError> {
        let (owner, payload): (Option<Arc<str>>, String) = self
            .tx
            .prepare_cached("SELECT l.owner, l.payload FROM notification x JOIN log l ON l.n = x.n WHERE x.id = ?1")?
            .query_row([id.bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let payload = message::update(id, at, &payload, results).map_err(unreadable)?;
        let n = self.append(Kind::Update, id, owner, at, payload)?;
        self.tx.prepare_cached("UPDATE notification SET update_n = ?2 WHERE id = ?1")?.execute(params![id.bytes(), n])?;
        Ok(())
    }

    /// Gives the next place in the log.
    fn append(
        &mut self,
        kind: Kind,
        id: NotificationId,
        owner: Option<Arc<str>>,
        at: Timestamp,
        payload: String,
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
        self.entries.push(Entry { position, kind, notification_id: id, owner, payload: payload.into() });
        Ok(row)
    }
}

/// A body that is written when the first thing of it is kept: one that brings only duplicates was kept with the first ones.
struct Body {
    raw: Bytes,
    received_at: Timestamp,
    id: Option<i64>,
}

impl Body {
    fn kept(&mut self, tx: &Connection) -> Result<i64, StoreError> {
        if let Some(id) = self.id {
            return Ok(id);
        }
        tx.prepare_cached("INSERT INTO body (received_at, bytes) VALUES (?1, ?2)")?
            .execute(params![self.received_at.timestamp_millis(), self.raw.as_ref()])?;
        let id = tx.last_insert_rowid();
        self.id = Some(id);
        Ok(id)
    }
}
