//! What a screening does to the log: it lets a notification go, or follows it with an update.
//!
//! The words for both are [`outcome`]'s, here is where they are kept.

use mongodb::bson::doc;
use mongodb::options::FindOptions;
use serde_json::Value;

use super::{
    documents::{ScreeningDocument, date},
    draft::{Appended, Draft},
    read::bound,
    transaction::Failure,
};
use crate::{
    notification::{NotificationId, Timestamp, entry::Kind},
    store::{PAGE_BYTES, StoreError, outcome},
};

impl Draft<'_> {
    /// Whether the screening was open.
    pub(super) fn settle(&mut self, id: NotificationId, at: Timestamp, results: &Value) -> Result<bool, Failure> {
        let Some(row) = self.close_screening(id) else { return Ok(false) };
        let has_results = row.waits && self.release(&row, at, results)?;
        if !has_results && let Some(payload) = outcome::update(id, &row.payload, at, results) {
            let (kind, owner, payload) = (Kind::Update, row.owner, payload.into());
            self.append(Appended { id, kind, owner, at, payload, body: None, keys: Vec::new() })?;
        }
        Ok(true)
    }

    /// How many were released; `limit` where there may be more.
    pub(super) async fn release_overdue(
        &mut self,
        received_before: Timestamp,
        at: Timestamp,
        results: &Value,
        limit: usize,
    ) -> Result<usize, Failure> {
        if limit == 0 {
            return Ok(0);
        }
        self.flush().await?;
        let oldest_first = FindOptions::builder().sort(doc! { "received_at": 1, "_id": 1 }).limit(bound(limit)).build();
        let overdue = doc! { "waits": true, "received_at": { "$lt": date(received_before) } };
        let (mut bytes, mut cut) = (0, false);
        let screening = self.tx.collections.screening.clone();
        let waiting = self.tx.find_while(&screening, overdue, oldest_first, |row| {
            cut = bytes >= PAGE_BYTES;
            bytes += row.payload.len();
            !cut
        });
        let waiting = waiting.await?;
        let released = waiting.len();
        for row in waiting {
            self.release(&row, at, results)?;
            self.let_go(row);
        }
        Ok(if cut { limit } else { released })
    }

    /// Gives the notification its place. False: it went without the results, because its payload cannot be read.
    fn release(&mut self, row: &ScreeningDocument, at: Timestamp, results: &Value) -> Result<bool, StoreError> {
        let id = row.notification;
        let (payload, has_results) = outcome::release(id, &row.payload, at, results);
        let (kind, owner, payload) = (Kind::Notification, row.owner.clone(), payload.into());
        self.append(Appended { id, kind, owner, at, payload, body: row.body, keys: row.keys.clone() })?;
        Ok(has_results)
    }
}
