//! Opening the file: how each connection is set up, and the steps that bring an older file to the schema of this build.
//!
//! A file says itself whose it is (`application_id`) and how far it has come (`user_version`), so a wrong or newer file is
//! refused before anything is written to it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::store::StoreError;

/// Step `i` brings a file from version `i` to `i + 1`. Released steps never change; a new schema is a new step.
const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("schema_import.sql"),
    include_str!("schema_user.sql"),
    include_str!("schema_audit.sql"),
];

/// "Look" in ASCII: tells our files from other SQLite files.
const APPLICATION_ID: i64 = 0x4c6f_6f6b;

/// Pages (4 KiB each) in the write-ahead log at which a commit copies them into the file: 32 MiB. Longer makes single commits
/// slower and the start after a crash too; shorter writes the scattered pages of the keys more often.
const CHECKPOINT_PAGES: i64 = 8_192;

/// What the write-ahead log is cut back to after it has grown behind a long reader, bytes.
const WAL_SIZE_LIMIT: i64 = 64 << 20;

/// Page cache of the writer, KiB (SQLite counts them negative). The keys arrive in random order, but their pages are in the
/// system's cache too, and SQLite walks its own at each commit: larger is slower.
const WRITER_CACHE_KIB: i64 = -8_192;

/// Page cache of a reader, KiB: reads are short runs of the log, the system's cache does the rest.
const READER_CACHE_KIB: i64 = -4_096;

/// Statements that a connection keeps prepared; more than either side has.
const STATEMENTS: usize = 64;

/// Opens or creates the store for its one writer, at the newest schema.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    let version = version(&connection, path)?;
    write_ahead(&connection)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", WAL_SIZE_LIMIT)?;
    connection.pragma_update(None, "cache_size", WRITER_CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    migrate(&mut connection, MIGRATIONS, version)?;
    Ok(connection)
}

/// SQLite answers with the mode that it took: where it has no shared memory, as on some network drives, that is another one,
/// and readers would stand in the way of commits.
fn write_ahead(connection: &Connection) -> Result<(), StoreError> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode.eq_ignore_ascii_case("wal") {
        return Ok(());
    }
    let reason = format!("its file system allows no write-ahead log (journal mode {mode}); set store.path to a local disk");
    Err(StoreError::Unavailable(reason))
}

/// Opens an existing store for reading; a server may be running on it.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    let version = version(&connection, path)?;
    if version < MIGRATIONS.len() {
        let reason = format!("it has schema version {version} and needs {}; start the server on it once", MIGRATIONS.len());
        return Err(StoreError::Unavailable(reason));
    }
    connection.pragma_update(None, "cache_size", READER_CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// How many migrations the file has seen; 0 for an empty one.
fn version(connection: &Connection, path: &Path) -> Result<usize, StoreError> {
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && application != APPLICATION_ID {
        return Err(StoreError::Unavailable("it is the database of another program".into()));
    }
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = MIGRATIONS.len();
    match usize::try_from(found) {
        Ok(version) if version <= known => Ok(version),
        _ => Err(StoreError::TooNew { path: path.display().to_string(), found, known: known as i64 }),
    }
}

/// Takes the steps that are missing, each with its new version number in one transaction.
fn migrate(connection: &mut Connection, steps: &[&str], version: usize) -> Result<(), StoreError> {
    for (done, step) in steps.iter().enumerate().skip(version) {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(step)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", done as i64 + 1)?;
        tx.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(connection: &Connection) -> Vec<String> {
        let mut statement = connection.prepare("SELECT name FROM pragma_table_info('t')").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn a_place_without_a_write_ahead_log_is_refused() {
        let refused = write_ahead(&Connection::open_in_memory().unwrap()).unwrap_err().to_string();
        assert!(refused.contains("allows no write-ahead log (journal mode memory)"), "{refused}");
    }

    #[test]
    fn only_the_missing_steps_are_taken() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &["CREATE TABLE t (a)"], 0).unwrap();
        migrate(&mut connection, &["this would fail", "ALTER TABLE t ADD b", "ALTER TABLE t ADD c"], 1).unwrap();
        assert_eq!(columns(&connection), ["a", "b", "c"]);
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, 3);
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_before_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        let steps = ["CREATE TABLE t (a)", "ALTER TABLE t ADD b; this fails"];
        assert!(migrate(&mut connection, &steps, 0).is_err());
        assert_eq!(columns(&connection), ["a"]);
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, 1);
    }
}
