//! Between columns and the words of the domain: one place says how each is stored.

use std::sync::Arc;

use rusqlite::{
    Connection, OptionalExtension, Row,
    types::{FromSqlError, ValueRef},
};

use crate::{
    notification::{
        NotificationId, Timestamp,
        entry::{Entry, Kind},
        position::{Epoch, Position, Tag},
    },
    store::{Span, StoreError},
};

/// A count or place for SQLite, whose integers are signed; nothing real is beyond them.
pub(super) fn bound<N: TryInto<i64>>(count: N) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

/// A count or place back from SQLite.
pub(super) fn unsigned<N: TryFrom<i64>>(row: &Row<'_>, column: usize) -> rusqlite::Result<N> {
    let stored: i64 = row.get(column)?;
    N::try_from(stored).map_err(|_| FromSqlError::OutOfRange(stored).into())
}

pub(super) fn kind_code(kind: Kind) -> i64 {
    match kind {
        Kind::Notification => 0,
        Kind::Update => 1,
    }
}

pub(super) fn kind_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Kind> {
    match row.get(column)? {
        0 => Ok(Kind::Notification),
        1 => Ok(Kind::Update),
        other => Err(FromSqlError::OutOfRange(other).into()),
    }
}

pub(super) fn id_of(row: &Row<'_>, column: usize) -> rusqlite::Result<NotificationId> {
    Ok(NotificationId::from_bytes(row.get(column)?))
}

/// Text however damaged: what is not UTF-8 is replaced. None for null.
pub(super) fn lossy(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Null => None,
        number => return Err(rusqlite::Error::InvalidColumnType(column, "text".into(), number.data_type())),
    })
}

pub(super) fn time_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let millis = row.get(column)?;
    Timestamp::from_timestamp_millis(millis).ok_or_else(|| FromSqlError::OutOfRange(millis).into())
}

/// The columns `n, tag`, from `column` on.
pub(super) fn position_of(row: &Row<'_>, column: usize, epoch: Epoch) -> rusqlite::Result<Position> {
    Ok(Position { epoch, n: unsigned(row, column)?, tag: Tag(row.get(column + 1)?) })
}

/// The columns `n, tag, kind, notification, owner, payload`.
pub(super) fn entry_of(row: &Row<'_>, epoch: Epoch) -> rusqlite::Result<Entry> {
    Ok(Entry {
        position: position_of(row, 0, epoch)?,
        kind: kind_of(row, 2)?,
        notification_id: id_of(row, 3)?,
        owner: lossy(row, 4)?.map(Arc::from),
        payload: lossy(row, 5)?.unwrap_or_default().into(),
    })
}

/// What the log spans.
pub(super) fn span(connection: &Connection) -> Result<Span, StoreError> {
    let epoch = connection.query_row("SELECT epoch FROM meta", [], |row| row.get(0).map(Epoch))?;
    Ok(Span { epoch, oldest: oldest(connection, epoch)?, newest: newest(connection, epoch)? })
}

/// The first entry that is there.
pub(super) fn oldest(connection: &Connection, epoch: Epoch) -> Result<Option<Position>, StoreError> {
    end(connection, epoch, "SELECT n, tag FROM log ORDER BY n LIMIT 1")
}

/// The last entry.
pub(super) fn newest(connection: &Connection, epoch: Epoch) -> Result<Option<Position>, StoreError> {
    end(connection, epoch, "SELECT n, tag FROM log ORDER BY n DESC LIMIT 1")
}

fn end(connection: &Connection, epoch: Epoch, sql: &str) -> Result<Option<Position>, StoreError> {
    Ok(connection.prepare_cached(sql)?.query_row([], |row| position_of(row, 0, epoch)).optional()?)
}
