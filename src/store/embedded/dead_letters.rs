//! Dead letters: listing them, showing one, taking one in again, and what makes them go.
//!
//! A body goes with the last thing of it that is there, so each removal looks whether that was it.

use bytes::Bytes;
use rusqlite::{OptionalExtension, Params, Row, params};

use super::{
    reader::Reader,
    rows::{self, bound, time_of},
    transaction::Draft,
};
use crate::{
    notification::Timestamp,
    store::{DeadLetter, Kept, Receive, StoreError},
};

impl Reader {
    /// The newest dead letters first, at most `limit`.
    pub fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        let letters = self
            .connection
            .prepare_cached(
                "SELECT d.seq, d.received_at, d.item, d.reason, d.detail, length(b.bytes)
                 FROM dead_letter d JOIN body b ON b.id = d.body ORDER BY d.seq DESC LIMIT ?1",
            )?
            .query_map([bound(limit)], letter_of)?
            .collect::<Result<_, _>>()?;
        Ok(letters)
    }

    /// One dead letter and the exact body that it came in.
    pub fn dead_letter(&self, seq: i64) -> Result<Option<(DeadLetter, Bytes)>, StoreError> {
        let mut one = self.connection.prepare_cached(
            "SELECT d.seq, d.received_at, d.item, d.reason, d.detail, length(b.bytes), b.bytes
             FROM dead_letter d JOIN body b ON b.id = d.body WHERE d.seq = ?1",
        )?;
        let with_body = |row: &Row<'_>| Ok((letter_of(row)?, row.get::<_, Vec<u8>>(6)?.into()));
        Ok(one.query_row([seq], with_body).optional()?)
    }
}

fn letter_of(row: &Row<'_>) -> rusqlite::Result<DeadLetter> {
    Ok(DeadLetter {
        seq: row.get(0)?,
        received_at: time_of(row, 1)?,
        item: row.get::<_, Option<u32>>(2)?.map(|item| item as usize),
        reason: row.get(3)?,
        detail: row.get(4)?,
        body_bytes: rows::unsigned(row, 5)?,
    })
}

impl Draft<'_> {
    pub(super) fn retry(&mut self, seq: i64, receive: &Receive) -> Result<Option<Vec<Kept>>, StoreError> {
        let letter: Option<i64> = self
            .tx
            .prepare_cached("DELETE FROM dead_letter WHERE seq = ?1 RETURNING body")?
            .query_row([seq], |row| row.get(0))
            .optional()?;
        let Some(body) = letter else { return Ok(None) };
        let kept = self.receive(receive, Some(body))?;
        self.drop_body(body)?;
        Ok(Some(kept))
    }

    /// Removes those of these numbers, the oldest first.
    pub(super) fn discard(&self, first: i64, last: i64, limit: usize) -> Result<usize, StoreError> {
        self.remove_dead_letters("seq BETWEEN ?1 AND ?2 ORDER BY seq LIMIT ?3", params![first, last, bound(limit)])
    }

    /// Removes those of before this time.
    pub(super) fn prune_dead_letters(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let these = "received_at < ?1 ORDER BY received_at, seq LIMIT ?2";
        self.remove_dead_letters(these, params![before.timestamp_millis(), bound(limit)])
    }

    /// Removes the oldest beyond so many letters or so many bytes of bodies.
    pub(super) fn bound_dead_letters(&self, letters: usize, bytes: usize, limit: usize) -> Result<usize, StoreError> {
        match self.first_beyond(letters, bound(bytes))? {
            Some(seq) => self.discard(i64::MIN, seq, limit),
            None => Ok(0),
        }
    }

    /// The newest that goes beyond the bounds. SQLite knows the length of a body without reading it.
    fn first_beyond(&self, letters: usize, bytes: i64) -> Result<Option<i64>, StoreError> {
        let mut newest_first = self.tx.prepare_cached(
            "SELECT d.seq, d.body, length(b.bytes) FROM dead_letter d JOIN body b ON b.id = d.body ORDER BY d.seq DESC",
        )?;
        let mut rows = newest_first.query([])?;
        let (mut count, mut sum, mut body_before) = (0, 0_i64, None);
        while let Some(row) = rows.next()? {
            let body: i64 = row.get(1)?;
            count += 1;
            // Letters of one body were written together, so they follow each other.
            if body_before.replace(body) != Some(body) {
                sum = sum.saturating_add(row.get(2)?);
            }
            if count > letters || sum > bytes {
                return Ok(Some(row.get(0)?));
            }
        }
        Ok(None)
    }

    fn remove_dead_letters(&self, these: &str, params: impl Params) -> Result<usize, StoreError> {
        let bodies = self
            .tx
            .prepare_cached(&format!(
                "DELETE FROM dead_letter WHERE seq IN (SELECT seq FROM dead_letter WHERE {these}) RETURNING body"
            ))?
            .query_map(params, |row| row.get(0))?
            .collect::<Result<Vec<i64>, _>>()?;
        for body in &bodies {
            self.drop_body(*body)?;
        }
        Ok(bodies.len())
    }
}
