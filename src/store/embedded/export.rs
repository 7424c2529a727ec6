//! Reading the whole store, for an export.
//!
//! It takes the lock: a server beside it would write what the export then lacks.

use std::path::Path;

use bytes::Bytes;
use futures_util::future::{FutureExt, LocalBoxFuture, ready};
use rusqlite::{Connection, Row, ToSql};

use super::{
    import,
    lock::Lock,
    rows::{self, bound, id_of, lossy, time_of},
    schema,
};
use crate::{
    notification::{NotificationId, position::Tag},
    store::{
        Key, PAGE_BYTES, Span, StoreError,
        transfer::{
            Arrival, Body, BodyId, Entry, Header, Letter, Place, RECORDS_AT_ONCE, Record, Retold, Screening, Source, Tally, User,
            Waiting,
        },
    },
};

/// A store that is being exported.
pub struct EmbeddedSource {
    connection: Connection,
    // Last, so that the file is closed before another may have it.
    _lock: Lock,
}

impl EmbeddedSource {
    /// Opens an existing store that no server runs on.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let open = || {
            if !path.exists() {
                return Err(StoreError::Unavailable("there is no such file".into()));
            }
            let lock = Lock::take(path)?;
            let connection = schema::open_writer(path)?;
            import::require_finished(&connection, path)?;
            Ok(Self { connection, _lock: lock })
        };
        open().map_err(|error: StoreError| error.at(path))
    }

    fn header(&self) -> Result<Header, StoreError> {
        let Span { epoch, oldest, newest } = rows::span(&self.connection)?;
        let number = |sql: &str| self.connection.query_row(sql, [], |row| rows::unsigned(row, 0));
        let last = |table: &str| {
            let sql = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?1";
            self.connection.query_row(sql, [table], |row| row.get(0))
        };
        let records = Tally {
            bodies: number("SELECT count(*) FROM body")?,
            entries: number("SELECT count(*) FROM log")?,
            screenings: number("SELECT count(*) FROM open_screening")?,
            retold: number("SELECT count(*) FROM retold")?,
            dead_letters: number("SELECT count(*) FROM dead_letter")?,
            users: number("SELECT count(*) FROM user")?,
        };
        let header = Header::new(epoch, oldest, newest, records);
        Ok(Header {
            last_screening: last("open_screening")?,
            last_dead_letter: last("dead_letter")?,
            last_user: last("user")?,
            ..header
        })
    }

    fn page(&self, behind: Place) -> Result<Vec<Record>, StoreError> {
        match behind {
            Place::Body(id) => self.read(
                "SELECT id, received_at, bytes FROM body WHERE id > ?1 ORDER BY id LIMIT ?2",
                &[&body_row(id)],
                |row| {
                    let bytes: Vec<u8> = row.get(2)?;
                    let size = bytes.len();
                    let body = Body { id: body_id(row.get(0)?), received_at: time_of(row, 1)?, bytes: Bytes::from(bytes) };
                    Ok((Record::Body(body), size))
                },
            ),
            Place::Entry(n) => self.read(
                "SELECT x.body, x.delivery_key, x.fact_key, l.n, l.kind, l.tag, l.committed_at, l.notification, l.owner, l.payload
                 FROM log l LEFT JOIN notification x ON l.kind = 0 AND x.id = l.notification WHERE l.n > ?1 ORDER BY l.n LIMIT ?2",
                &[&bound(n)],
                entry_of,
            ),
            Place::Screening(seq) => self.read(
                "SELECT x.body, x.delivery_key, x.fact_key, o.seq, o.notification, o.received_at, o.subject, o.owner, o.payload
                 FROM open_screening o LEFT JOIN notification x ON x.id = o.notification WHERE o.seq > ?1 ORDER BY o.seq LIMIT ?2",
                &[&seq],
                screening_of,
            ),
            Place::Retold(notification, body) => self.read(
                "SELECT notification, body FROM retold WHERE (notification, body) > (?1, ?3)
                 ORDER BY notification, body LIMIT ?2",
                &[&notification.bytes(), &body_row(body)],
                |row| Ok((Record::Retold(Retold { notification: id_of(row, 0)?, body: body_id(row.get(1)?) }), 0)),
            ),
            Place::DeadLetter(seq) => self.read(
                "SELECT d.seq, d.received_at, d.item, d.reason, d.detail, d.body, length(b.bytes)
                 FROM dead_letter d JOIN body b ON b.id = d.body WHERE d.seq > ?1 ORDER BY d.seq LIMIT ?2",
                &[&seq],
                letter_of,
            ),
            Place::User(seq) => self.read("SELECT seq, id FROM user WHERE seq > ?1 ORDER BY seq LIMIT ?2", &[&seq], |row| {
                Ok((Record::User(User { seq: row.get(0)?, id: row.get(1)? }), 0))
            }),
        }
    }

    /// One page: `?2` is its limit, the others say behind what.
    fn read(
        &self,
        sql: &str,
        behind: &[&dyn ToSql],
        record_of: impl Fn(&Row<'_>) -> Result<(Record, usize), StoreError>,
    ) -> Result<Vec<Record>, StoreError> {
        let limit = bound(RECORDS_AT_ONCE);
        let mut params: Vec<&dyn ToSql> = behind.to_vec();
        params.insert(1, &limit);
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params.as_slice())?;
        let (mut records, mut bytes) = (Vec::new(), 0);
        while bytes < PAGE_BYTES
            && let Some(row) = rows.next()?
        {
            let (record, size) = record_of(row)?;
            bytes += size;
            records.push(record);
        }
        Ok(records)
    }
}

impl Source for EmbeddedSource {
    fn header(&mut self) -> LocalBoxFuture<'_, Result<Header, StoreError>> {
        ready(Self::header(self)).boxed_local()
    }

    fn page(&mut self, behind: Place) -> LocalBoxFuture<'_, Result<Vec<Record>, StoreError>> {
        ready(Self::page(self, behind)).boxed_local()
    }
}

/// The id of a body in an export: of the year 1970, so that it meets none that MongoDB gives.
fn body_id(row: i64) -> BodyId {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&row.to_be_bytes());
    BodyId::from_bytes(bytes)
}

fn body_row(id: BodyId) -> i64 {
    let [_, _, _, _, row @ ..] = id.bytes();
    i64::from_be_bytes(row)
}

/// The columns `body, delivery_key, fact_key`; none where a join found nothing.
fn arrival_of(row: &Row<'_>) -> rusqlite::Result<Option<Arrival>> {
    let (body, keys): (Option<i64>, [Option<Key>; 2]) = (row.get(0)?, [row.get(1)?, row.get(2)?]);
    Ok(body.map(|body| Arrival { body: body_id(body), keys: keys.into_iter().flatten().collect() }))
}

fn entry_of(row: &Row<'_>) -> Result<(Record, usize), StoreError> {
    let payload = lossy(row, 9)?.unwrap_or_default();
    let size = payload.len();
    let entry = Entry {
        n: rows::unsigned(row, 3)?,
        tag: Tag(row.get(5)?),
        at: time_of(row, 6)?,
        notification: id_of(row, 7)?,
        owner: lossy(row, 8)?,
        payload,
    };
    Ok((Record::of_entry(rows::kind_of(row, 4)?, entry, arrival_of(row)?)?, size))
}

fn screening_of(row: &Row<'_>) -> Result<(Record, usize), StoreError> {
    let notification: NotificationId = id_of(row, 4)?;
    let payload = lossy(row, 8)?;
    let size = payload.as_ref().map_or(0, String::len);
    let waiting = match payload {
        Some(payload) => Some(Waiting::of(notification, lossy(row, 7)?, payload, arrival_of(row)?)?),
        None => None,
    };
    let subject = lossy(row, 6)?.unwrap_or_default();
    let screening = Screening { seq: row.get(3)?, notification, received_at: time_of(row, 5)?, subject, waiting };
    Ok((Record::Screening(screening), size))
}

fn letter_of(row: &Row<'_>) -> Result<(Record, usize), StoreError> {
    let letter = Letter {
        seq: row.get(0)?,
        received_at: time_of(row, 1)?,
        item: row.get(2)?,
        reason: row.get(3)?,
        detail: row.get(4)?,
        body: body_id(row.get(5)?),
        body_bytes: rows::unsigned(row, 6)?,
    };
    Ok((Record::DeadLetter(letter), 0))
}
