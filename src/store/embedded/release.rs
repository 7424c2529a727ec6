//! What a screening does to the log: it lets a notification go, or follows it with an update.
//!
//! The words for both are [`outcome`]'s, here is where they are kept.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Row, params};
use serde_json::Value;

use super::{
    rows::{self, id_of, lossy},
    transaction::Draft,
};
use crate::{
    notification::{NotificationId, Timestamp, entry::Kind},
    store::{PAGE_BYTES, StoreError, outcome},
};

/// What waits in `open_screening` to be released.
struct Waiting {
    id: NotificationId,
    owner: Option<Arc<str>>,
    payload: String,
}

impl Draft<'_> {
    /// Whether the screening was open.
    pub(super) fn settle(&mut self, id: NotificationId, at: Timestamp, results: &Value) -> Result<bool, StoreError> {
        let settled: Option<(Option<String>, Option<String>)> = self
            .tx
            .prepare_cached("DELETE FROM open_screening WHERE notification = ?1 RETURNING owner, payload")?
            .query_row([id.bytes()], |row| Ok((lossy(row, 0)?, lossy(row, 1)?)))
            .optional()?;
        let Some((owner, payload)) = settled else { return Ok(false) };
        let has_results = match payload {
            Some(payload) => self.release(Waiting { id, owner: owner.map(Arc::from), payload }, at, results)?,
            None => false,
        };
        if !has_results {
            self.update(id, at, results)?;
        }
        Ok(true)
    }

    /// How many were released; `limit` where there may be more.
    pub(super) fn release_overdue(
        &mut self,
        received_before: Timestamp,
        at: Timestamp,
        results: &Value,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let overdue = self
            .tx
            .prepare_cached(
                "SELECT seq FROM open_screening
                 WHERE payload IS NOT NULL AND received_at < ?1 ORDER BY received_at, seq LIMIT ?2",
            )?
            .query_map(params![received_before.timestamp_millis(), rows::bound(limit)], |row| row.get(0))?
            .collect::<Result<Vec<i64>, _>>()?;
        let (mut released, mut bytes) = (0, 0);
        for seq in overdue {
            if bytes >= PAGE_BYTES {
                return Ok(limit);
            }
            let waiting = self
                .tx
                .prepare_cached("SELECT notification, owner, payload FROM open_screening WHERE seq = ?1")?
                .query_row([seq], waiting_of)?;
            bytes += waiting.payload.len();
            self.tx.prepare_cached("UPDATE open_screening SET owner = NULL, payload = NULL WHERE seq = ?1")?.execute([seq])?;
            self.release(waiting, at, results)?;
            released += 1;
        }
        Ok(released)
    }

    /// Gives the notification its place. False: it went without the results, because its payload cannot be read.
    fn release(&mut self, waiting: Waiting, at: Timestamp, results: &Value) -> Result<bool, StoreError> {
        let Waiting { id, owner, payload } = waiting;
        let (payload, has_results) = outcome::release(id, &payload, at, results);
        let n = self.append(Kind::Notification, id, owner, at, payload.into())?;
        self.tx.prepare_cached("UPDATE notification SET n = ?2 WHERE id = ?1")?.execute(params![id.bytes(), n])?;
        Ok(has_results)
    }

    fn update(&mut self, id: NotificationId, at: Timestamp, results: &Value) -> Result<(), StoreError> {
        let (owner, payload): (Option<String>, Option<String>) = self
            .tx
            .prepare_cached("SELECT l.owner, l.payload FROM notification x JOIN log l ON l.n = x.n WHERE x.id = ?1")?
            .query_row([id.bytes()], |row| Ok((lossy(row, 0)?, lossy(row, 1)?)))?;
        let Some(payload) = outcome::update(id, &payload.unwrap_or_default(), at, results) else { return Ok(()) };
        let n = self.append(Kind::Update, id, owner.map(Arc::from), at, payload.into())?;
        self.tx.prepare_cached("UPDATE notification SET update_n = ?2 WHERE id = ?1")?.execute(params![id.bytes(), n])?;
        Ok(())
    }
}

fn waiting_of(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    let owner = lossy(row, 1)?.map(Arc::from);
    Ok(Waiting { id: id_of(row, 0)?, owner, payload: lossy(row, 2)?.unwrap_or_default() })
}
