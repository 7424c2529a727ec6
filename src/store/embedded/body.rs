//! The bytes of a webhook, written when the first thing of it is kept.

use bytes::Bytes;
use rusqlite::{Connection, params};

use crate::{
    notification::{NotificationId, Timestamp},
    store::StoreError,
};

/// A body that is on its way into the store, or is there already.
pub(super) struct Body {
    raw: Bytes,
    pub(super) received_at: Timestamp,
    id: Option<i64>,
}

impl Body {
    /// `id` is its row where it is there already.
    pub(super) fn new(raw: Bytes, received_at: Timestamp, id: Option<i64>) -> Self {
        Self { raw, received_at, id }
    }

    /// The row of the body; writes it the first time.
    pub(super) fn kept(&mut self, tx: &Connection) -> Result<i64, StoreError> {
        if let Some(id) = self.id {
            return Ok(id);
        }
        tx.prepare_cached("INSERT INTO body (received_at, bytes) VALUES (?1, ?2)")?
            .execute(params![self.received_at.timestamp_millis(), self.raw.as_ref()])?;
        let id = tx.last_insert_rowid();
        self.id = Some(id);
        Ok(id)
    }

    /// Keeps the body beside a notification whose fact it told again, unless these bytes are there: a sender that tries again
    /// costs nothing, one that words the same fact anew loses nothing.
    pub(super) fn kept_beside(&mut self, tx: &Connection, first: NotificationId) -> Result<(), StoreError> {
        if self.id.is_none() {
            self.id = self.twin(tx, first)?;
        }
        let id = self.kept(tx)?;
        tx.prepare_cached(
            "INSERT OR IGNORE INTO retold (notification, body)
             SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM notification WHERE id = ?1 AND body = ?2)",
        )?
        .execute(params![first.bytes(), id])?;
        Ok(())
    }

    /// A body of this notification with the same bytes. Lengths are compared first: SQLite knows them without reading.
    fn twin(&self, tx: &Connection, first: NotificationId) -> Result<Option<i64>, StoreError> {
        let mut twin = tx.prepare_cached(
            "SELECT b.id FROM body b
             WHERE b.id IN (SELECT body FROM notification WHERE id = ?1 UNION ALL SELECT body FROM retold WHERE notification = ?1)
             AND CASE WHEN length(b.bytes) = ?2 THEN b.bytes = ?3 ELSE 0 END LIMIT 1",
        )?;
        let raw = self.raw.as_ref();
        let mut rows = twin.query(params![first.bytes(), super::rows::bound(raw.len()), raw])?;
        Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
    }
}
