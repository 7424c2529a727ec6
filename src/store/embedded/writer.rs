//! The one thread that writes: every commit is a transaction of its own, in the order in which they were asked for.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::{import, lock::Lock, pool::Pool, rows, schema, transaction::Draft};
use crate::store::{Commit, Span, StoreError, Write, Written};

/// What the writer is asked.
pub(super) enum Request {
    /// To make these durable.
    Commit(Vec<Write>, oneshot::Sender<Result<Commit, StoreError>>),
    /// To do this, which is none of the log's, and to answer by itself.
    Audit(Box<dyn FnOnce(&mut Connection) + Send>),
    /// To finish, and to say when it has.
    Close(oneshot::Sender<()>),
}

/// The span that everybody may look at; only the writer changes it, and only behind a commit.
pub(super) type SharedSpan = Arc<RwLock<Span>>;

/// The write connection with what has to end together with it.
pub(super) struct Writer {
    connection: Connection,
    span: SharedSpan,
    /// Counts the commits of this process that changed users: nobody else can.
    users_version: Arc<AtomicU64>,
    readers: Pool,
    // Last, so that the file is closed before another server may have it.
    _lock: Lock,
}

impl Writer {
    /// Opens the store at `path`, with its lock, and `readers` readers beside it.
    pub(super) fn open(path: &Path, readers: usize) -> Result<Self, StoreError> {
        let lock = Lock::take(path)?;
        let connection = schema::open_writer(path)?;
        import::require_finished(&connection, path)?;
        let span = Arc::new(RwLock::new(rows::span(&connection)?));
        let readers = Pool::open(path, readers)?;
        Ok(Self { connection, span, users_version: Arc::default(), readers, _lock: lock })
    }

    pub(super) fn span(&self) -> SharedSpan {
        Arc::clone(&self.span)
    }

    pub(super) fn users_version(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.users_version)
    }

    pub(super) fn readers(&self) -> &Pool {
        &self.readers
    }

    /// Starts the thread. It ends at [`Request::Close`], or when nobody can ask any more. The queue has no bound of its own:
    /// the archivist, who alone commits, waits for each answer, and so does each relay for its lap.
    pub(super) fn start(self) -> Result<mpsc::Sender<Request>, StoreError> {
        let (requests, inbox) = mpsc::channel();
        thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || self.run(inbox))
            .map_err(|error| StoreError::Unavailable(format!("cannot start its writer: {error}")))?;
        Ok(requests)
    }

    fn run(mut self, inbox: mpsc::Receiver<Request>) {
        let mut closing = None;
        for request in &inbox {
            match request {
                Request::Commit(writes, answer) => {
                    // Whoever asked may be gone; the commit stands all the same.
                    let _ = answer.send(self.commit(writes));
                }
                Request::Audit(work) => work(&mut self.connection),
                Request::Close(closed) => {
                    closing = Some(closed);
                    break;
                }
            }
        }
        drop(inbox);
        self.close();
        if let Some(closed) = closing {
            let _ = closed.send(());
        }
    }

    fn commit(&mut self, writes: Vec<Write>) -> Result<Commit, StoreError> {
        let before = *self.span.read().unwrap_or_else(PoisonError::into_inner);
        let (commit, after) = match in_transaction(&mut self.connection, |tx| Draft::apply(tx, before, &writes)) {
            // One that can never work must not take those beside it along, again and again.
            Err(StoreError::Refused(_)) => {
                in_transaction(&mut self.connection, |tx| Draft::apply_one_by_one(tx, before, &writes))?
            }
            done => done?,
        };
        *self.span.write().unwrap_or_else(PoisonError::into_inner) = after;
        if commit.written.contains(&Written::UserSet(true)) {
            self.users_version.fetch_add(1, Ordering::Release);
        }
        Ok(commit)
    }

    fn close(self) {
        let Self { connection, readers, _lock, .. } = self;
        readers.close();
        // What fails here is only left for the next start: the write-ahead log holds it.
        if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            log::warn!(target: "notifications", "store_checkpoint=failed error=\"{error}\"");
        }
        drop(connection);
    }
}

/// Runs `work` in a transaction: all of it is durable behind an `Ok`, nothing of it is there behind an error or a panic.
pub(super) fn in_transaction<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let attempt = AssertUnwindSafe(|| {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&tx)?;
        tx.commit()?;
        Ok(done)
    });
    // Unwinding drops the transaction, which rolls it back; what `work` held in memory goes with it.
    catch_unwind(attempt).unwrap_or_else(|_| Err(StoreError::Unavailable("a write panicked and was taken back".into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_rolled_back_and_the_next_write_goes_on() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (a)").unwrap();
        let failed: Result<(), _> = in_transaction(&mut connection, |tx| {
            tx.execute("INSERT INTO t VALUES (1)", [])?;
            panic!("on purpose");
        });
        assert!(matches!(failed, Err(StoreError::Unavailable(_))));
        in_transaction(&mut connection, |tx| Ok(tx.execute("INSERT INTO t VALUES (2)", [])?)).unwrap();
        let rows: Vec<i64> =
            connection.prepare("SELECT a FROM t").unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows, [2]);
    }
}
