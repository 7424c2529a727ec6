//! What is asked of a store, over a connection that cannot write.
//!
//! Every read is one short transaction: an old snapshot would keep the write-ahead log from being copied back.

use std::{path::Path, sync::Arc};

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::{
    error::unreadable,
    rows::{self, bound, id_of, time_of},
    schema,
};
use crate::{
    notification::{NotificationId, entry::Entry, message, position::Epoch},
    store::{Backlog, From, HistoryPage, HistoryQuery, OpenScreening, PAGE_BYTES, StoreError},
};

/// A notification's entry, as [`rows::entry_of`] reads it, and the payload of its newest update.
const WITH_UPDATE: &str = "SELECT l.n, l.tag, l.kind, l.notification, l.owner, l.payload, u.payload";

/// A store opened for reading only, for commands: a server may be running on it.
#[derive(Debug)]
pub struct Reader {
    pub(super) connection: Connection,
    pub(super) epoch: Epoch,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = schema::open_reader(path)?;
        let epoch = rows::span(&connection)?.epoch;
        Ok(Self { connection, epoch })
    }

    /// As [`crate::store::Store::read_log`].
    pub(super) fn log(&self, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let mut oldest_first = self
            .connection
            .prepare_cached("SELECT n, tag, kind, notification, owner, payload FROM log WHERE n > ?1 ORDER BY n LIMIT ?2")?;
        let mut rows = oldest_first.query(params![bound(after), bound(limit)])?;
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let entry = rows::entry_of(row, self.epoch)?;
            bytes += entry.payload.len();
            if bytes > PAGE_BYTES && !entries.is_empty() {
                break;
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    /// As [`crate::store::Store::history`].
    pub(super) fn history(&self, query: &HistoryQuery) -> Result<HistoryPage, StoreError> {
        // One snapshot for the page and for what it says is the newest.
        let snapshot = self.connection.unchecked_transaction()?;
        let (entries, more) = self.page(query.owner.as_ref(), query.from, query.limit)?;
        let newest = rows::newest(&self.connection, self.epoch)?;
        snapshot.commit()?;
        Ok(HistoryPage { entries, more, newest })
    }

    /// Notifications as history shows them, and whether there are more. For one owner it walks the index that holds only his; for
    /// all of them the log itself, stepping over updates, of which there are hardly more than notifications.
    fn page(&self, owner: Option<&Arc<str>>, from: From, limit: usize) -> Result<(Vec<Entry>, bool), StoreError> {
        let (index, whose) = match owner {
            None => ("NOT INDEXED", ""),
            Some(_) => ("INDEXED BY log_owned", "AND l.owner = ?3"),
        };
        let (side, edge, order) = match from {
            From::Newest => ("<=", u64::MAX, "DESC"),
            From::Before(n) => ("<", n, "DESC"),
            From::After(n) => (">", n, "ASC"),
        };
        let sql = format!(
            "{WITH_UPDATE} FROM log l {index}
             CROSS JOIN notification x ON x.id = l.notification LEFT JOIN log u ON u.n = x.update_n
             WHERE l.kind = 0 {whose} AND l.n {side} ?1 ORDER BY l.n {order} LIMIT ?2"
        );
        let (edge, one_more) = (bound(edge), bound(limit.saturating_add(1)));
        let mut params: Vec<&dyn ToSql> = vec![&edge, &one_more];
        params.extend(owner.map(|owner| owner as &dyn ToSql));
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params.as_slice())?;
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            if entries.len() == limit {
                return Ok((entries, true));
            }
            let entry = self.newest_of(row)?;
            bytes += entry.payload.len();
            if bytes > PAGE_BYTES && !entries.is_empty() {
                return Ok((entries, true));
            }
            entries.push(entry);
        }
        Ok((entries, false))
    }

    /// As [`crate::store::Store::notification`].
    pub(super) fn notification(&self, id: NotificationId) -> Result<Option<Entry>, StoreError> {
        let sql = format!(
            "{WITH_UPDATE} FROM notification x JOIN log l ON l.n = x.n LEFT JOIN log u ON u.n = x.update_n WHERE x.id = ?1"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_row([id.bytes()], |row| self.newest_of(row)).optional()?)
    }

    /// The entry as history shows it: at its own position, with what is known by now.
    fn newest_of(&self, row: &Row<'_>) -> rusqlite::Result<Entry> {
        let mut entry = rows::entry_of(row, self.epoch)?;
        if let Some(payload) = rows::lossy(row, 6)?.and_then(|update| message::with_results_of(&entry.payload, &update)) {
            entry.payload = payload.into();
        }
        Ok(entry)
    }

    /// Open screenings behind `after`, each with its number, ascending.
    pub(super) fn open_screenings(&self, after: i64, limit: usize) -> Result<Vec<(i64, OpenScreening)>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT seq, notification, received_at, subject FROM open_screening WHERE seq > ?1 ORDER BY seq")?;
        let mut rows = statement.query([after])?;
        let mut open = Vec::new();
        while open.len() < limit
            && let Some(row) = rows.next()?
        {
            match open_screening_of(row) {
                Ok(screening) => open.push(screening),
                // Passed over, so that those behind it are screened; it is released as pending all the same.
                Err(error) => log::error!(target: "notifications", "event=open_screening_skipped error={:?}", error.to_string()),
            }
        }
        Ok(open)
    }

    /// As [`crate::store::Store::backlog`].
    pub(super) fn backlog(&self) -> Result<Backlog, StoreError> {
        let mut count = self.connection.prepare_cached("SELECT count(*) FROM open_screening")?;
        let count: i64 = count.query_row([], |row| row.get(0))?;
        let mut oldest = self.connection.prepare_cached("SELECT received_at FROM open_screening ORDER BY seq LIMIT 1")?;
        let oldest = oldest.query_row([], |row| Ok(time_of(row, 0))).optional()?.transpose()?;
        Ok(Backlog { count: count.try_into().unwrap_or(0), oldest })
    }

    /// Every user, ascending.
    pub(super) fn users(&self) -> Result<Vec<Arc<str>>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT id FROM user ORDER BY id")?;
        let ids = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(ids)
    }
}

fn open_screening_of(row: &Row<'_>) -> Result<(i64, OpenScreening), StoreError> {
    let subject = serde_json::from_str(&rows::lossy(row, 3)?.unwrap_or_default()).map_err(unreadable)?;
    Ok((row.get(0)?, OpenScreening { id: id_of(row, 1)?, received_at: time_of(row, 2)?, subject }))
}
