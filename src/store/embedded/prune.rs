//! Retention: removes the oldest entries with everything that only they needed.
//!
//! The log stays without a hole, so pruning stops at the first entry that has to stay.

use rusqlite::{Row, params};

use super::{
    rows::{self, id_of, kind_of},
    transaction::Draft,
};
use crate::{
    notification::{NotificationId, Timestamp, entry::Kind},
    store::{Key, StoreError},
};

/// What pruning must know of a log row.
struct Doomed {
    n: i64,
    kind: Kind,
    id: NotificationId,
}

/// The keys of a notification and the body that it came in.
struct Belongings {
    body: i64,
    keys: [Option<Key>; 2],
}

impl Draft<'_> {
    /// Removes entries, then dead letters, of before this time; at most `limit` together.
    pub(super) fn prune(&mut self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let doomed = self.doomed(before, limit)?;
        for entry in &doomed {
            self.tx.prepare_cached("DELETE FROM log WHERE n = ?1")?.execute([entry.n])?;
            if entry.kind == Kind::Notification {
                self.forget(entry.id)?;
            }
        }
        if !doomed.is_empty() {
            self.span.oldest = rows::oldest(self.tx, self.span.epoch)?;
        }
        let letters = self.prune_dead_letters(before, limit - doomed.len())?;
        Ok(doomed.len() + letters)
    }

    /// The run of oldest entries that may go: committed before, not the newest, screening not open.
    fn doomed(&self, before: Timestamp, limit: usize) -> Result<Vec<Doomed>, StoreError> {
        let Some(newest) = self.span.newest else { return Ok(Vec::new()) };
        let mut oldest_first = self.tx.prepare_cached(
            "SELECT n, kind, notification, committed_at,
                    EXISTS (SELECT 1 FROM open_screening o WHERE o.notification = log.notification)
             FROM log WHERE n < ?1 ORDER BY n LIMIT ?2",
        )?;
        let mut rows = oldest_first.query(params![newest.n as i64, rows::bound(limit)])?;
        let mut doomed = Vec::new();
        while let Some(row) = rows.next()? {
            let committed_at: i64 = row.get(3)?;
            let open: bool = row.get(4)?;
            if committed_at >= before.timestamp_millis() || open {
                break;
            }
            doomed.push(Doomed { n: row.get(0)?, kind: kind_of(row, 1)?, id: id_of(row, 2)? });
        }
        Ok(doomed)
    }

    fn forget(&self, id: NotificationId) -> Result<(), StoreError> {
        let belongings = |row: &Row<'_>| Ok(Belongings { body: row.get(0)?, keys: [row.get(1)?, row.get(2)?] });
        let Belongings { body, keys } = self
            .tx
            .prepare_cached("DELETE FROM notification WHERE id = ?1 RETURNING body, delivery_key, fact_key")?
            .query_row([id.bytes()], belongings)?;
        for key in keys.iter().flatten() {
            self.tx.prepare_cached("DELETE FROM seen WHERE key = ?1")?.execute([key])?;
        }
        let retold = self
            .tx
            .prepare_cached("DELETE FROM retold WHERE notification = ?1 RETURNING body")?
            .query_map([id.bytes()], |row| row.get(0))?
            .collect::<Result<Vec<i64>, _>>()?;
        std::iter::once(body).chain(retold).try_for_each(|body| self.drop_body(body))
    }

    /// Removes a body unless something of it is still there.
    pub(super) fn drop_body(&self, body: i64) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "DELETE FROM body WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM notification WHERE body = ?1)
                 AND NOT EXISTS (SELECT 1 FROM retold WHERE body = ?1)
                 AND NOT EXISTS (SELECT 1 FROM dead_letter WHERE body = ?1)",
            )?
            .execute([body])?;
        Ok(())
    }
}
