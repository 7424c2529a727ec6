//! Forgetting what the audit says of entries that are gone: a bounded number of rows at a time, for webhooks wait behind it.

use rusqlite::{Connection as Sqlite, OptionalExtension, Params, params};

use super::rows::{bound, id_of};
use crate::{
    notification::Timestamp,
    store::{StoreError, audit::ConnectionId},
};

/// As [`crate::store::audit::Trail::forget`].
pub(super) fn forget(tx: &Sqlite, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
    let oldest =
        tx.prepare_cached("SELECT committed_at FROM log ORDER BY n LIMIT 1")?.query_row([], |row| row.get(0)).optional()?;
    let before = oldest.unwrap_or(i64::MAX).min(before.timestamp_millis());
    let laps = tx
        .prepare_cached(
            "DELETE FROM audit_lap WHERE (relay, n) IN (SELECT relay, n FROM audit_lap WHERE at < ?1 ORDER BY at LIMIT ?2)",
        )?
        .execute([before, bound(limit)])?;
    let mut left = limit;
    let gone = "SELECT id FROM audit_connection WHERE ended_at < ?1 LIMIT ?2";
    forget_connections(tx, &ids(tx, gone, params![before, bound(left)])?, &mut left)?;
    let mut relay = [0; 12];
    while left > 0
        && let Some(next) = next_with_open(tx, relay)?
    {
        relay = next;
        if !has_laps(tx, relay)? {
            let gone = "SELECT id FROM audit_connection WHERE ended_at IS NULL AND relay = ?3 AND opened_at < ?1 LIMIT ?2";
            forget_connections(tx, &ids(tx, gone, params![before, bound(left), relay])?, &mut left)?;
        }
    }
    Ok(laps.max(limit - left))
}

fn ids(tx: &Sqlite, sql: &str, params: impl Params) -> Result<Vec<ConnectionId>, StoreError> {
    Ok(tx.prepare_cached(sql)?.query_map(params, |row| id_of(row, 0))?.collect::<Result<_, _>>()?)
}

/// Forgets connections and their marks, at most `left` rows.
fn forget_connections(tx: &Sqlite, gone: &[ConnectionId], left: &mut usize) -> Result<(), StoreError> {
    for id in gone {
        *left -= tx
            .prepare_cached(
                "DELETE FROM audit_mark WHERE (connection, n, relay, lap) IN
                 (SELECT connection, n, relay, lap FROM audit_mark WHERE connection = ?1 LIMIT ?2)",
            )?
            .execute(params![id.bytes(), bound(*left)])?;
        if *left == 0 {
            return Ok(());
        }
        *left -= tx.prepare_cached("DELETE FROM audit_connection WHERE id = ?1")?.execute([id.bytes()])?;
    }
    Ok(())
}

/// The relays are few and their open connections many: it is asked from one to the next.
fn next_with_open(tx: &Sqlite, relay: [u8; 12]) -> Result<Option<[u8; 12]>, StoreError> {
    let mut next = tx.prepare_cached("SELECT min(relay) FROM audit_connection WHERE ended_at IS NULL AND relay > ?1")?;
    Ok(next.query_row([relay], |row| row.get(0))?)
}

fn has_laps(tx: &Sqlite, relay: [u8; 12]) -> Result<bool, StoreError> {
    Ok(tx.prepare_cached("SELECT 1 FROM audit_lap WHERE relay = ?1")?.exists([relay])?)
}
