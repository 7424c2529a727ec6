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
    store::{DeadLetter, From, HistoryPage, HistoryQuery, OpenScreening, StoreError},
};

/// A notification's entry, as [`rows::entry_of`] reads it, and the payload of its newest update.
const WITH_UPDATE: &str = "SELECT l.n, l.tag, l.kind, l.notification, l.owner, l.payload, u.payload";

/// A store opened for reading only, for commands: a server may be running on it.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    epoch: Epoch,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = schema::open_reader(path)?;
        let epoch = rows::span(&connection)?.epoch;
        Ok(Self { connection, epoch })
    }

    /// As [`crate::store::Store::read_log`].
    pub(super) fn log(&self, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let entries = self
            .connection
            .prepare_cached("SELECT n, tag, kind, notification, owner, payload FROM log WHERE n > ?1 ORDER BY n LIMIT ?2")?
            .query_map(params![bound(after), bound(limit)], |row| rows::entry_of(row, self.epoch))?
            .collect::<Result<_, _>>()?;
        Ok(entries)
    }

    /// As [`crate::store::Store::history`].
    pub(super) fn history(&self, query: &HistoryQuery) -> Result<HistoryPage, StoreError> {
        // One snapshot for the page and for what it says is the newest.
        let snapshot = self.connection.unchecked_transaction()?;
        let mut entries = self.page(query.owner.as_ref(), query.from, query.limit.saturating_add(1))?;
        let newest = rows::newest(&self.connection, self.epoch)?;
        snapshot.commit()?;
        let more = entries.len() > query.limit;
        entries.truncate(query.limit);
        let entries = entries.into_iter().map(|(entry, update)| with_newest(entry, update)).collect::<Result<_, _>>()?;
        Ok(HistoryPage { entries, more, newest })
    }

    /// Notifications with the payload of their newest update. Each way walks the index that holds only its own rows.
    fn page(&self, owner: Option<&Arc<str>>, from: From, limit: usize) -> Result<Vec<(Entry, Option<String>)>, StoreError> {
        let (index, whose) = match owner {
            None => ("log_notifications", ""),
            Some(_) => ("log_owned", "AND l.owner = ?3"),
        };
        let (side, edge, order) = match from {
            From::Newest => ("<=", u64::MAX, "DESC"),
            From::Before(n) => ("<", n, "DESC"),
            From::After(n) => (">", n, "ASC"),
        };
        let sql = format!(
            "{WITH_UPDATE} FROM log l INDEXED BY {index}
             CROSS JOIN notification x ON x.id = l.notification LEFT JOIN log u ON u.n = x.update_n
             WHERE l.kind = 0 {whose} AND l.n {side} ?1 ORDER BY l.n {order} LIMIT ?2"
        );
        let (edge, limit) = (bound(edge), bound(limit));
        let mut params: Vec<&dyn ToSql> = vec![&edge, &limit];
        params.extend(owner.map(|owner| owner as &dyn ToSql));
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_map(params.as_slice(), |row| self.entry_with_update(row))?.collect::<Result<_, _>>()?)
    }

    /// As [`crate::store::Store::notification`].
    pub(super) fn notification(&self, id: NotificationId) -> Result<Option<Entry>, StoreError> {
        let sql = format!(
            "{WITH_UPDATE} FROM notification x JOIN log l ON l.n = x.n LEFT JOIN log u ON u.n = x.update_n WHERE x.id = ?1"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let found = statement.query_row([id.bytes()], |row| self.entry_with_update(row)).optional()?;
        found.map(|(entry, update)| with_newest(entry, update)).transpose()
    }

    fn entry_with_update(&self, row: &Row<'_>) -> rusqlite::Result<(Entry, Option<String>)> {
        Ok((rows::entry_of(row, self.epoch)?, row.get(6)?))
    }

    /// As [`crate::store::Store::open_screenings`].
    pub(super) fn open_screenings(&self, after_seq: i64, limit: usize) -> Result<Vec<OpenScreening>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, notification, received_at, subject FROM open_screening WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        )?;
        let mut rows = statement.query(params![after_seq, bound(limit)])?;
        let mut open = Vec::new();
        while let Some(row) = rows.next()? {
            let subject = serde_json::from_str(row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?).map_err(unreadable)?;
            open.push(OpenScreening { seq: row.get(0)?, id: id_of(row, 1)?, received_at: time_of(row, 2)?, subject });
        }
        Ok(open)
    }

    /// The newest dead letters first, at most `limit`.
    pub fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        let letters = self
            .connection
            .prepare_cached(
                "SELECT d.seq, d.received_at, d.item, d.reason, d.detail, length(b.bytes)
                 FROM dead_letter d JOIN body b ON b.id = d.body ORDER BY d.seq DESC LIMIT ?1",
            )?
            .query_map([bound(limit)], |row| {
                Ok(DeadLetter {
                    seq: row.get(0)?,
                    received_at: time_of(row, 1)?,
                    item: row.get::<_, Option<u32>>(2)?.map(|item| item as usize),
                    reason: row.get(3)?,
                    detail: row.get(4)?,
                    body_bytes: rows::unsigned(row, 5)?,
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(letters)
    }
}

/// The entry as history shows it: at its own position, with what is known by now.
fn with_newest(entry: Entry, update: Option<String>) -> Result<Entry, StoreError> {
    let Some(update) = update else { return Ok(entry) };
    let results = rows::results_of(&update)?;
    let payload = message::with_results(&entry.payload, &results, None).map_err(unreadable)?.into();
    Ok(Entry { payload, ..entry })
}
