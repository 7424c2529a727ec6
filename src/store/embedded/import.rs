//! Writing an export into an empty store. While that is under way a row in `import` keeps servers away.

use std::path::Path;

use futures_util::future::{FutureExt, LocalBoxFuture, ready};
use rusqlite::{Connection, OptionalExtension, params};

use super::{lock::Lock, rows, schema, writer::in_transaction};
use crate::{
    notification::{NotificationId, entry::Kind},
    store::{
        StoreError,
        transfer::{
            Arrival, BodyId, Entry, Header, Letter, Mark, Notification, Record, Retold, Screening, Target, User, Waiting,
            WriteError,
        },
    },
};

/// A store that is being imported into.
pub struct EmbeddedTarget {
    connection: Connection,
    // Last, so that the file is closed before another may have it.
    _lock: Lock,
}

impl EmbeddedTarget {
    /// Opens the store, or creates it, while no server runs on it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let open = || {
            let lock = Lock::take(path)?;
            Ok(Self { connection: schema::open_writer(path)?, _lock: lock })
        };
        open().map_err(|error: StoreError| error.at(path))
    }

    fn begin(&mut self, header: &Header, first: Mark) -> Result<Option<Mark>, StoreError> {
        in_transaction(&mut self.connection, |tx| {
            if let Some(mark) = mark(tx)? {
                return Ok(Some(mark));
            }
            // Whatever was ever kept has left an entry, which the newest stays, or a body; but for users.
            let sql = "SELECT EXISTS (SELECT 1 FROM log) OR EXISTS (SELECT 1 FROM body) OR EXISTS (SELECT 1 FROM user)";
            if tx.query_row(sql, [], |row| row.get(0))? {
                return Ok(None);
            }
            tx.execute("UPDATE meta SET epoch = ?1", [header.epoch.0])?;
            tx.execute("INSERT INTO import VALUES (?1, ?2)", params![rows::bound(first.lines), first.digest])?;
            Ok(Some(first))
        })
    }

    fn write(&mut self, records: &[Record], mark: Mark) -> Result<(), WriteError> {
        let mut at = 0;
        let written = in_transaction(&mut self.connection, |tx| {
            for (index, record) in records.iter().enumerate() {
                at = index;
                write(tx, record)?;
            }
            tx.execute("UPDATE import SET lines = ?1, digest = ?2", params![rows::bound(mark.lines), mark.digest])?;
            Ok(())
        });
        written.map_err(|error| match error {
            StoreError::Refused(reason) => WriteError::Record(at, reason),
            error => WriteError::Store(error),
        })
    }

    fn finish(&mut self, header: &Header) -> Result<(), StoreError> {
        in_transaction(&mut self.connection, |tx| {
            for (table, last) in
                [("open_screening", header.last_screening), ("dead_letter", header.last_dead_letter), ("user", header.last_user)]
            {
                tx.execute("DELETE FROM sqlite_sequence WHERE name = ?1", [table])?;
                tx.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)", params![table, last])?;
            }
            tx.execute("DELETE FROM imported_body", [])?;
            tx.execute("DELETE FROM import", [])?;
            Ok(())
        })
    }
}

impl Target for EmbeddedTarget {
    fn begin(&mut self, header: &Header, first: Mark) -> LocalBoxFuture<'_, Result<Option<Mark>, StoreError>> {
        ready(Self::begin(self, header, first)).boxed_local()
    }

    fn write(&mut self, records: Vec<Record>, mark: Mark) -> LocalBoxFuture<'_, Result<(), WriteError>> {
        ready(Self::write(self, &records, mark)).boxed_local()
    }

    fn finish(&mut self, header: &Header) -> LocalBoxFuture<'_, Result<(), StoreError>> {
        ready(Self::finish(self, header)).boxed_local()
    }
}

/// A store into which an import is under way holds only a part of its log.
pub(super) fn require_finished(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    match mark(connection)? {
        None => Ok(()),
        Some(_) => Err(StoreError::Unfinished { store: path.display().to_string() }),
    }
}

fn mark(connection: &Connection) -> Result<Option<Mark>, StoreError> {
    let mark = connection.query_row("SELECT lines, digest FROM import", [], |row| {
        Ok(Mark { lines: rows::unsigned(row, 0)?, digest: row.get(1)? })
    });
    Ok(mark.optional()?)
}

fn write(tx: &Connection, record: &Record) -> Result<(), StoreError> {
    match record {
        Record::Body(body) => {
            let received_at = body.received_at.timestamp_millis();
            tx.prepare_cached("INSERT INTO body (received_at, bytes) VALUES (?1, ?2)")?
                .execute(params![received_at, body.bytes.as_ref()])?;
            tx.prepare_cached("INSERT INTO imported_body (id, body) VALUES (?1, ?2)")?
                .execute(params![body.id.bytes(), tx.last_insert_rowid()])?;
        }
        Record::Notification(Notification { entry, arrival }) => {
            append(tx, Kind::Notification, entry)?;
            arrive(tx, entry.notification, Some(entry.n), arrival)?;
        }
        Record::Update(entry) => {
            append(tx, Kind::Update, entry)?;
            // Its notification may be pruned.
            tx.prepare_cached("UPDATE notification SET update_n = ?2 WHERE id = ?1")?
                .execute(params![entry.notification.bytes(), rows::bound(entry.n)])?;
        }
        Record::Screening(screening) => open_screening(tx, screening)?,
        Record::Retold(Retold { notification, body }) => {
            tx.prepare_cached("INSERT INTO retold (notification, body) VALUES (?1, ?2)")?
                .execute(params![notification.bytes(), body_row(tx, *body)?])?;
        }
        Record::DeadLetter(Letter { seq, received_at, item, reason, detail, body, .. }) => {
            tx.prepare_cached(
                "INSERT INTO dead_letter (seq, received_at, item, reason, detail, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![seq, received_at.timestamp_millis(), item, reason, detail, body_row(tx, *body)?])?;
        }
        Record::User(User { seq, id }) => {
            tx.prepare_cached("INSERT INTO user (seq, id) VALUES (?1, ?2)")?.execute(params![seq, id])?;
        }
    }
    Ok(())
}

fn append(tx: &Connection, kind: Kind, entry: &Entry) -> Result<(), StoreError> {
    let Entry { n, tag, at, notification, owner, payload } = entry;
    let (n, kind, at) = (rows::bound(*n), rows::kind_code(kind), at.timestamp_millis());
    tx.prepare_cached(
        "INSERT INTO log (n, kind, tag, committed_at, notification, owner, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![n, kind, tag.0, at, notification.bytes(), owner, payload])?;
    Ok(())
}

/// The notification with its keys. Which of two columns a key stands in nobody asks: both only say what goes when it goes.
fn arrive(tx: &Connection, id: NotificationId, n: Option<u64>, arrival: &Arrival) -> Result<(), StoreError> {
    let Arrival { body, keys } = arrival;
    if keys.len() > 2 {
        return Err(StoreError::Refused("arrival.keys: a notification has two keys at most".into()));
    }
    let body = body_row(tx, *body)?;
    tx.prepare_cached("INSERT INTO notification (id, n, body, delivery_key, fact_key) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![id.bytes(), n.map(rows::bound), body, keys.first(), keys.get(1)])?;
    // Its own two may be the same bytes; those of another are not.
    let distinct = keys.iter().enumerate().filter(|(i, key)| !keys[..*i].contains(key));
    for (_, key) in distinct {
        tx.prepare_cached("INSERT INTO seen (key, notification) VALUES (?1, ?2)")?.execute(params![key, id.bytes()])?;
    }
    Ok(())
}

fn open_screening(tx: &Connection, screening: &Screening) -> Result<(), StoreError> {
    let Screening { seq, notification, received_at, subject, waiting } = screening;
    let held_back = match waiting {
        Some(Waiting { owner, payload, arrival }) => {
            arrive(tx, *notification, None, arrival)?;
            Some((owner.as_deref(), payload))
        }
        None => {
            let sql = "SELECT EXISTS (SELECT 1 FROM notification WHERE id = ?1 AND n IS NOT NULL)";
            if !tx.prepare_cached(sql)?.query_row([notification.bytes()], |row| row.get(0))? {
                return Err(StoreError::Refused(format!("screening.notification: no entry before is {notification}")));
            }
            None
        }
    };
    let (owner, payload) = held_back.unzip();
    tx.prepare_cached(
        "INSERT INTO open_screening (seq, notification, received_at, subject, owner, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![seq, notification.bytes(), received_at.timestamp_millis(), subject, owner.flatten(), payload])?;
    Ok(())
}

/// The row that a body of the file has become.
fn body_row(tx: &Connection, id: BodyId) -> Result<i64, StoreError> {
    let row = tx.prepare_cached("SELECT body FROM imported_body WHERE id = ?1")?.query_row([id.bytes()], |row| row.get(0));
    row.optional()?.ok_or_else(|| StoreError::Refused(format!("body: no body before is {id}")))
}
