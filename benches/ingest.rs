//! How many webhooks a second the real server acknowledges, beside what plain SQLite commits on the same disk.
//!
//! Durability has a price that the disk sets, so the ratio of the two says more than either figure.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot be made ends with a panic")]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use load::acknowledged_a_second;
use rusqlite::{Connection, params};
use server::Server;

mod load;
mod server;

const SQLITE_RUN: Duration = Duration::from_secs(5);
const ROWS_A_COMMIT: usize = 64;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = sqlite_rows_a_second(folder.path());
    println!("sqlite   {rows:.0} rows/s (WAL, synchronous=FULL, {ROWS_A_COMMIT} rows a commit)");
    let server = Server::start(folder.path(), &[]);
    println!("ratio    {:.2}", acknowledged_a_second(&server) / rows);
}

/// What one writer commits when it does nothing else: a kilobyte of body and a little more of payload a row.
fn sqlite_rows_a_second(folder: &Path) -> f64 {
    let mut connection = Connection::open(folder.join("plain.db")).expect("a database");
    connection.pragma_update(None, "journal_mode", "WAL").expect("WAL");
    connection.pragma_update(None, "synchronous", "FULL").expect("FULL");
    connection.execute_batch("CREATE TABLE row (n INTEGER PRIMARY KEY, raw BLOB, payload TEXT)").expect("a table");
    let (raw, payload) = (vec![b'r'; 1_000], "p".repeat(1_200));
    let (start, mut rows) = (Instant::now(), 0);
    while start.elapsed() < SQLITE_RUN {
        let transaction = connection.transaction().expect("a transaction");
        {
            let mut insert = transaction.prepare_cached("INSERT INTO row (raw, payload) VALUES (?1, ?2)").expect("an insert");
            for _ in 0..ROWS_A_COMMIT {
                insert.execute(params![raw, payload]).expect("a row");
            }
        }
        transaction.commit().expect("a commit");
        rows += ROWS_A_COMMIT;
    }
    rows as f64 / start.elapsed().as_secs_f64()
}
