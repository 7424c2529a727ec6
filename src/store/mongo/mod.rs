//! The store in MongoDB: one log for every node that uses the same database.
//!
//! Each commit is a transaction that changes the one counting document, so commits of all nodes follow each other and positions are
//! dense. Everything waits for a majority's disk before it is answered or shown.

mod audit;
mod claim;
mod connect;
mod dead_letters;
mod documents;
mod draft;
mod error;
mod export;
mod forget;
mod import;
mod prune;
mod read;
mod reader;
mod receive;
mod release;
mod stuck;
mod threads;
mod transaction;
mod users;
mod writer;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc, oneshot};

use self::{
    connect::Collections,
    error::closed,
    threads::Threads,
    writer::{Request, SharedSpan},
};
pub use self::{export::MongoSource, import::MongoTarget, reader::MongoReader};
use super::{
    Backlog, Claimant, Commit, DeadLetter, HistoryPage, HistoryQuery, OpenScreening, Span, Store, StoreError, Users, Write,
};
use crate::{
    config,
    notification::{NotificationId, entry::Entry},
};

/// Laps of the audit, or removals of old ones, at once. Those that hang must leave connections to commits.
pub(super) const LAPS_AT_ONCE: usize = 2;

/// The store in a database. Every call of the driver runs in a task of its own threads, where nobody drops it half way.
pub struct MongoStore {
    collections: Collections,
    writes: mpsc::UnboundedSender<Request>,
    reads: Arc<Semaphore>,
    laps: Arc<Semaphore>,
    span: SharedSpan,
    claimant: Mutex<Option<Claimant>>,
    timeout: Duration,
    take_over_after: Duration,
    threads: Threads,
}

impl MongoStore {
    /// Connects, and makes what is missing there.
    ///
    /// # Errors
    /// Where no primary is found within `store.select_timeout`, where it is no replica set, and where the log is of a newer version.
    pub async fn open(config: &config::Store, cluster: &config::Cluster) -> Result<Arc<Self>, StoreError> {
        let threads = Threads::start()?;
        let connecting = config.clone();
        let connect = threads.spawn(async move {
            let collections = Collections::connect(&connecting).await?;
            let meta = collections.meta().await?;
            collections.require_finished(&meta)?;
            Ok::<_, StoreError>((collections, meta))
        });
        let (collections, meta) = connect.ok_or_else(closed)?.await.map_err(|_| closed())??;
        let span = SharedSpan::new(meta.span());
        let (writes, inbox) = mpsc::unbounded_channel();
        threads.spawn(writer::run(collections.clone(), span.clone(), config.timeout, inbox));
        Ok(Arc::new(Self {
            collections,
            writes,
            reads: Arc::new(Semaphore::new(config.read_connections)),
            laps: Arc::new(Semaphore::new(LAPS_AT_ONCE)),
            span,
            claimant: Mutex::default(),
            timeout: config.timeout,
            take_over_after: cluster.take_over_after,
            threads,
        }))
    }

    /// Runs a call of the driver to its end, whether or not anybody waits for it that long.
    fn call<T, F>(&self, call: impl FnOnce(Collections) -> F) -> BoxFuture<'static, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let timeout = self.timeout;
        let call = self.threads.spawn(call(self.collections.clone()));
        Box::pin(async move {
            let Some(call) = call else { return Err(closed()) };
            match tokio::time::timeout(timeout, call).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => Err(StoreError::Unavailable("a read was not answered".into())),
                Err(_) => Err(StoreError::Unavailable(format!("MongoDB has not answered within {timeout:?}"))),
            }
        })
    }

    /// The same for what the audit writes, of which [`LAPS_AT_ONCE`] run at once. Who has waited for a turn as long as a call may take is not
    /// there any more when it comes: calls that hang leave no queue behind them.
    fn write<T, F>(&self, write: impl FnOnce(Collections) -> F + Send + 'static) -> BoxFuture<'static, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let (laps, timeout) = (self.laps.clone(), self.timeout);
        self.call(move |collections| async move {
            let turn = tokio::time::timeout(timeout, laps.acquire_owned()).await;
            let _permit =
                turn.map_err(|_| StoreError::Unavailable("MongoDB is at earlier laps still".into()))?.map_err(|_| closed())?;
            write(collections).await
        })
    }

    /// The same for replay and history, of which `store.read_connections` run at once.
    fn read<T, F>(&self, read: impl FnOnce(Collections) -> F + Send + 'static) -> BoxFuture<'static, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let reads = self.reads.clone();
        self.call(|collections| async move {
            let _permit = reads.acquire_owned().await.map_err(|_| closed())?;
            read(collections).await
        })
    }
}

impl fmt::Debug for MongoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoStore").field("span", &self.span()).finish_non_exhaustive()
    }
}

impl Store for MongoStore {
    fn commit(&self, writes: Vec<Write>) -> BoxFuture<'static, Result<Commit, StoreError>> {
        let (answer, answered) = oneshot::channel();
        // Asked here and not in the future: dropping that one must not undo the call.
        let asked = self.writes.send(Request::Commit(writes, answer)).is_ok();
        Box::pin(async move { if asked { answered.await.unwrap_or_else(|_| Err(closed())) } else { Err(closed()) } })
    }

    fn span(&self) -> Span {
        self.span.get()
    }

    fn look(&self) -> BoxFuture<'static, Result<Span, StoreError>> {
        let span = self.span.clone();
        self.call(|collections| async move {
            span.advance(collections.look().await?.span());
            Ok(span.get())
        })
    }

    fn read_log(&self, after: u64, limit: usize) -> BoxFuture<'static, Result<Vec<Entry>, StoreError>> {
        let epoch = self.span().epoch;
        self.read(move |collections| async move { collections.read_log(epoch, after, limit).await })
    }

    fn history(&self, query: HistoryQuery) -> BoxFuture<'static, Result<HistoryPage, StoreError>> {
        let epoch = self.span().epoch;
        self.read(move |collections| async move { collections.history(epoch, &query).await })
    }

    fn notification(&self, id: NotificationId) -> BoxFuture<'static, Result<Option<Entry>, StoreError>> {
        let epoch = self.span().epoch;
        self.read(move |collections| async move { collections.notification(epoch, id).await })
    }

    fn take_screenings(&self, claimant: Claimant, limit: usize) -> BoxFuture<'static, Result<Vec<OpenScreening>, StoreError>> {
        *self.claimant.lock().unwrap_or_else(PoisonError::into_inner) = Some(claimant);
        let patience = self.take_over_after;
        self.call(move |collections| async move { collections.take_screenings(claimant, limit, patience).await })
    }

    fn backlog(&self) -> BoxFuture<'static, Result<Backlog, StoreError>> {
        self.call(|collections| async move { collections.backlog().await })
    }

    fn users(&self) -> BoxFuture<'static, Result<Users, StoreError>> {
        self.call(|collections| async move { collections.users().await })
    }

    fn users_version(&self) -> BoxFuture<'static, Result<u64, StoreError>> {
        let span = self.span.clone();
        self.call(|collections| async move {
            let meta = collections.look().await?;
            span.advance(meta.span());
            Ok(meta.users_version())
        })
    }

    fn dead_letters(&self, limit: usize) -> BoxFuture<'static, Result<Vec<DeadLetter>, StoreError>> {
        self.read(move |collections| async move { collections.dead_letters(limit).await })
    }

    fn dead_letter(&self, seq: i64) -> BoxFuture<'static, Result<Option<(DeadLetter, Bytes)>, StoreError>> {
        self.read(move |collections| async move { collections.dead_letter(seq).await })
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        let (closed, told) = oneshot::channel();
        let claimant = *self.claimant.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = self.writes.send(Request::Close(claimant, closed)).is_ok();
        self.reads.close();
        Box::pin(async move {
            // Not told: another call has closed it.
            if asked {
                let _ = told.await;
            }
        })
    }
}
