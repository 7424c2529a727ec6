//! The embedded store: one SQLite file, one thread that writes, a few that read.
//!
//! It is the default because it needs nothing beside the program, and loses nothing: a commit is answered when the
//! write-ahead log is synced to disk.

mod audit;
mod body;
mod dead_letters;
mod error;
mod export;
mod forget;
mod import;
mod lock;
mod pool;
mod prune;
mod reader;
mod release;
mod rows;
mod schema;
mod taken;
mod transaction;
mod writer;

use std::{
    fmt,
    path::Path,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use self::{
    error::closed,
    pool::Requests,
    taken::Taken,
    writer::{Request, SharedSpan, Writer},
};
pub use self::{export::EmbeddedSource, import::EmbeddedTarget, reader::Reader};
use super::{
    Backlog, Claimant, Commit, DeadLetter, HistoryPage, HistoryQuery, OpenScreening, Span, Store, StoreError, Users, Write,
};
use crate::{
    config,
    notification::{NotificationId, entry::Entry},
};

/// The store in a file. Dropping the last handle closes it in the background; [`Store::close`] tells when it is done.
pub struct EmbeddedStore {
    writes: mpsc::Sender<Request>,
    reads: Requests,
    span: SharedSpan,
    users_version: Arc<AtomicU64>,
    taken: Arc<Taken>,
}

impl EmbeddedStore {
    /// Opens the store, or creates it, for the one server that may hold it. Blocks for as long as the disk takes.
    pub fn open(config: &config::Store) -> Result<Arc<Self>, StoreError> {
        let open = || {
            let writer = Writer::open(&config.path, config.read_connections)?;
            let (span, users_version, reads) = (writer.span(), writer.users_version(), writer.readers().requests());
            Ok(Arc::new(Self { writes: writer.start()?, reads, span, users_version, taken: Arc::default() }))
        };
        open().map_err(|error: StoreError| error.at(&config.path))
    }

    /// Opens an existing store for a command that only reads, beside a running server or without one.
    pub fn open_for_reading(path: &Path) -> Result<Reader, StoreError> {
        Reader::open(path).map_err(|error| error.at(path))
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore").field("span", &self.span()).finish_non_exhaustive()
    }
}

impl Store for EmbeddedStore {
    fn commit(&self, writes: Vec<Write>) -> BoxFuture<'static, Result<Commit, StoreError>> {
        let (answer, answered) = oneshot::channel();
        // Asked here and not in the future: dropping that one must not undo the call.
        let asked = self.writes.send(Request::Commit(writes, answer)).is_ok();
        Box::pin(async move { if asked { answered.await.unwrap_or_else(|_| Err(closed())) } else { Err(closed()) } })
    }

    fn span(&self) -> Span {
        *self.span.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) -> BoxFuture<'static, Result<Span, StoreError>> {
        let span = self.span();
        Box::pin(async move { Ok(span) })
    }

    fn read_log(&self, after: u64, limit: usize) -> BoxFuture<'static, Result<Vec<Entry>, StoreError>> {
        Box::pin(self.reads.clone().read(move |reader| reader.log(after, limit)))
    }

    fn history(&self, query: HistoryQuery) -> BoxFuture<'static, Result<HistoryPage, StoreError>> {
        Box::pin(self.reads.clone().read(move |reader| reader.history(&query)))
    }

    fn notification(&self, id: NotificationId) -> BoxFuture<'static, Result<Option<Entry>, StoreError>> {
        Box::pin(self.reads.clone().read(move |reader| reader.notification(id)))
    }

    fn take_screenings(&self, claimant: Claimant, limit: usize) -> BoxFuture<'static, Result<Vec<OpenScreening>, StoreError>> {
        let taken = Arc::clone(&self.taken);
        Box::pin(self.reads.clone().read(move |reader| taken.take(claimant, |after| reader.open_screenings(after, limit))))
    }

    fn backlog(&self) -> BoxFuture<'static, Result<Backlog, StoreError>> {
        Box::pin(self.reads.clone().read(|reader| reader.backlog()))
    }

    fn users(&self) -> BoxFuture<'static, Result<Users, StoreError>> {
        let version = self.users_version.load(Ordering::Acquire);
        Box::pin(self.reads.clone().read(move |reader| Ok(Users { version, ids: reader.users()? })))
    }

    fn users_version(&self) -> BoxFuture<'static, Result<u64, StoreError>> {
        let version = self.users_version.load(Ordering::Acquire);
        Box::pin(async move { Ok(version) })
    }

    fn dead_letters(&self, limit: usize) -> BoxFuture<'static, Result<Vec<DeadLetter>, StoreError>> {
        Box::pin(self.reads.clone().read(move |reader| reader.dead_letters(limit)))
    }

    fn dead_letter(&self, seq: i64) -> BoxFuture<'static, Result<Option<(DeadLetter, Bytes)>, StoreError>> {
        Box::pin(self.reads.clone().read(move |reader| reader.dead_letter(seq)))
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        let (closed, told) = oneshot::channel();
        let asked = self.writes.send(Request::Close(closed)).is_ok();
        Box::pin(async move {
            // Not told: another call has closed it.
            if asked {
                let _ = told.await;
            }
        })
    }
}
