//! The audit in SQLite: written by the one writer, a lap in one transaction, and read as everything else is.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use rusqlite::{Connection as Sqlite, OptionalExtension, Row, ToSql, params};
use tokio::sync::oneshot;

use super::{
    EmbeddedStore,
    error::closed,
    forget::forget,
    reader::Reader,
    rows::{bound, id_of, kind_of, lossy, position_of, time_of, unsigned},
    writer::{Request, in_transaction},
};
use crate::{
    notification::Timestamp,
    store::{
        StoreError,
        audit::{Candidates, Connection, End, Lap, Sendable, Sendables, Trace, Trail},
    },
};

/// The `sent_n` of a connection that has not ended.
const OPEN: i64 = i64::MAX;

impl Trail for EmbeddedStore {
    fn keep(&self, lap: Arc<Lap>) -> BoxFuture<'static, Result<(), StoreError>> {
        self.write(move |tx| keep(tx, &lap))
    }

    fn forget(&self, before: Timestamp, limit: usize) -> BoxFuture<'static, Result<usize, StoreError>> {
        self.write(move |tx| forget(tx, before, limit))
    }

    fn sendables(&self, which: Sendables) -> BoxFuture<'static, Result<Vec<Sendable>, StoreError>> {
        Box::pin(self.reads.clone().read(move |reader| reader.sendables(which)))
    }

    fn traces(&self, candidates: Candidates) -> BoxFuture<'static, Result<Vec<Trace>, StoreError>> {
        Box::pin(self.reads.clone().read(move |reader| reader.traces(&candidates)))
    }

    fn furthest(&self, user: Arc<str>, below: u64) -> BoxFuture<'static, Result<Option<u64>, StoreError>> {
        Box::pin(self.reads.clone().read(move |reader| reader.furthest(&user, below)))
    }
}

impl EmbeddedStore {
    fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Sqlite) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, StoreError>> {
        let (answer, answered) = oneshot::channel();
        let work = move |connection: &mut Sqlite| {
            let _ = answer.send(in_transaction(connection, write));
        };
        let asked = self.writes.send(Request::Audit(Box::new(work))).is_ok();
        Box::pin(async move { if asked { answered.await.unwrap_or_else(|_| Err(closed())) } else { Err(closed()) } })
    }
}

fn keep(tx: &Sqlite, lap: &Lap) -> Result<(), StoreError> {
    let (relay, at) = (lap.relay.bytes(), lap.at.timestamp_millis());
    for Connection { id, user, own, opened_at, after, end } in &lap.connections {
        let (ended_at, sent, cause) = match end {
            Some(End { at, sent, cause }) => (Some(at.timestamp_millis()), bound(*sent), Some(&**cause)),
            None => (None, OPEN, None),
        };
        // It may be there, of a relay that died.
        tx.prepare_cached(
            "INSERT INTO audit_connection (id, relay, user, own, opened_at, after_n, ended_at, sent_n, cause)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (id) DO UPDATE SET relay = ?2, ended_at = ?7, sent_n = ?8, cause = ?9",
        )?
        .execute(params![
            id.bytes(),
            relay,
            user,
            own,
            opened_at.timestamp_millis(),
            bound(*after),
            ended_at,
            sent,
            cause
        ])?;
    }
    for mark in &lap.marks {
        tx.prepare_cached(
            "INSERT OR IGNORE INTO audit_mark (connection, n, relay, lap, at, in_step) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![mark.connection.bytes(), bound(mark.sent), relay, lap.number, at, mark.in_step])?;
    }
    if let Some(reached) = lap.reached {
        tx.prepare_cached("INSERT OR IGNORE INTO audit_lap (relay, n, at) VALUES (?1, ?2, ?3)")?.execute(params![
            relay,
            bound(reached),
            at
        ])?;
    }
    if let Some(until) = lap.alive_until {
        tx.prepare_cached(
            "INSERT INTO audit_lap (relay, n, at) VALUES (?1, 0, ?2) ON CONFLICT (relay, n) DO UPDATE SET at = max(at, ?2)",
        )?
        .execute(params![relay, until.timestamp_millis()])?;
    }
    Ok(())
}

/// The columns that [`connection_of`] reads.
const CONNECTION: &str = "id, user, own, opened_at, after_n, ended_at, sent_n, cause";

/// Connections that an entry may have been sent on. The search itself is in an index alone.
fn candidates_sql(of_one_user: bool) -> String {
    let (index, whose) = if of_one_user { ("audit_connection_user", "AND user = ?5") } else { ("audit_connection_sent", "") };
    format!(
        "SELECT {CONNECTION} FROM audit_connection WHERE id IN (
             SELECT id FROM audit_connection INDEXED BY {index}
             WHERE sent_n >= ?1 AND after_n < ?1 AND id > ?2 AND (own = 0 OR user = ?3) {whose} ORDER BY id LIMIT ?4
         ) ORDER BY id"
    )
}

/// The furthest that anything was sent to a user below a number.
const FURTHEST: &str = "SELECT min(sent_n, ?2) FROM audit_connection INDEXED BY audit_connection_user
                        WHERE user = ?1 AND after_n < ?2 ORDER BY sent_n DESC LIMIT 1";

fn connection_of(row: &Row<'_>) -> rusqlite::Result<Connection> {
    let end = match row.get::<_, Option<i64>>(5)? {
        None => None,
        Some(_) => Some(End { at: time_of(row, 5)?, sent: unsigned(row, 6)?, cause: lossy(row, 7)?.unwrap_or_default().into() }),
    };
    Ok(Connection {
        id: id_of(row, 0)?,
        user: lossy(row, 1)?.unwrap_or_default().into(),
        own: row.get(2)?,
        opened_at: time_of(row, 3)?,
        after: unsigned(row, 4)?,
        end,
    })
}

impl Reader {
    fn sendables(&self, which: Sendables) -> Result<Vec<Sendable>, StoreError> {
        let of = |row: &Row<'_>| {
            Ok(Sendable {
                position: position_of(row, 0, self.epoch)?,
                kind: kind_of(row, 2)?,
                notification_id: id_of(row, 3)?,
                owner: lossy(row, 4)?.map(Arc::from),
                committed_at: time_of(row, 5)?,
            })
        };
        let columns = "SELECT l.n, l.tag, l.kind, l.notification, l.owner, l.committed_at";
        let found = match which {
            Sendables::Of(id) => {
                let sql =
                    format!("{columns} FROM notification x JOIN log l ON l.n IN (x.n, x.update_n) WHERE x.id = ?1 ORDER BY l.n");
                self.connection.prepare_cached(&sql)?.query_map([id.bytes()], of)?.collect()
            }
            Sendables::UpTo(n, limit) => {
                let sql = format!("{columns} FROM log l WHERE l.n <= ?1 ORDER BY l.n DESC LIMIT ?2");
                self.connection.prepare_cached(&sql)?.query_map([bound(n), bound(limit)], of)?.collect::<Result<_, _>>()
            }
        };
        Ok(found?)
    }

    fn traces(&self, candidates: &Candidates) -> Result<Vec<Trace>, StoreError> {
        let Candidates { n, owner, user, after, limit } = candidates;
        // One snapshot, for a lap that is written meanwhile is whole or not there.
        let snapshot = self.connection.unchecked_transaction()?;
        let (n, after, limit) = (bound(*n), after.map(|after| after.bytes()).unwrap_or_default(), bound(*limit));
        let sql = candidates_sql(user.is_some());
        let mut params: Vec<&dyn ToSql> = vec![&n, &after, owner, &limit];
        params.extend(user.as_ref().map(|user| user as &dyn ToSql));
        let connections = self
            .connection
            .prepare_cached(&sql)?
            .query_map(&params[..], connection_of)?
            .collect::<Result<Vec<Connection>, _>>()?;
        let traces = connections.into_iter().map(|connection| self.trace(connection, n)).collect();
        snapshot.commit()?;
        traces
    }

    fn trace(&self, connection: Connection, n: i64) -> Result<Trace, StoreError> {
        let id = connection.id.bytes();
        let before = self
            .connection
            .prepare_cached(
                "SELECT at, in_step, relay FROM audit_mark WHERE connection = ?1 AND n < ?2
                 ORDER BY n DESC, relay DESC, lap DESC LIMIT 1",
            )?
            .query_row(params![id, n], |row| Ok((time_of(row, 0)?, row.get::<_, bool>(1)?, row.get::<_, [u8; 12]>(2)?)))
            .optional()?;
        let behind = self
            .connection
            .prepare_cached("SELECT at FROM audit_mark WHERE connection = ?1 AND n >= ?2 ORDER BY n, relay, lap LIMIT 1")?
            .query_row(params![id, n], |row| time_of(row, 0))
            .optional()?;
        let reached = match before {
            // A lap that has the entry behind it is later than the mark, which has not.
            Some((_, true, relay)) => self
                .connection
                .prepare_cached("SELECT at FROM audit_lap WHERE relay = ?1 AND n >= ?2 ORDER BY n LIMIT 1")?
                .query_row(params![relay, n], |row| time_of(row, 0))
                .optional()?,
            _ => None,
        };
        Ok(Trace { connection, before: before.map(|(at, in_step, _)| (at, in_step)), behind, reached })
    }

    fn furthest(&self, user: &str, below: u64) -> Result<Option<u64>, StoreError> {
        let mut furthest = self.connection.prepare_cached(FURTHEST)?;
        let furthest: Option<i64> = furthest.query_row(params![user, bound(below)], |row| row.get(0)).optional()?;
        Ok(furthest.and_then(|n| n.try_into().ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_searched_in_an_index_alone() {
        let connection = Sqlite::open_in_memory().unwrap();
        connection.execute_batch(include_str!("schema_audit.sql")).unwrap();
        let user = "COVERING INDEX audit_connection_user (user=? AND sent_n>?)";
        for (sql, expected) in [
            (candidates_sql(false), "COVERING INDEX audit_connection_sent (sent_n>?)"),
            (candidates_sql(true), user),
            (FURTHEST.to_owned(), "COVERING INDEX audit_connection_user (user=?)"),
        ] {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let count = plan.parameter_count();
            let steps = plan.query_map(rusqlite::params_from_iter(vec![1; count]), |row| row.get::<_, String>(3)).unwrap();
            let steps: Vec<String> = steps.map(Result::unwrap).collect();
            assert!(steps.iter().any(|step| step.ends_with(expected)), "{steps:?}");
            assert!(!steps.iter().any(|step| step.starts_with("SCAN audit")), "{steps:?}");
        }
    }
}
