//! The one task that writes: every commit is a transaction of its own, in the order in which they were asked for.
//!
//! No call of the driver is ever dropped half way, which it does not stand: one that takes too long goes on by itself, and whether
//! it has come to anything shows at the next look.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use mongodb::bson::doc;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout_at},
};

use super::{
    connect::Collections,
    documents::{Counters, Meta, date},
    draft::Draft,
    transaction::{Failure, Transaction},
};
use crate::store::{Claimant, Commit, Span, StoreError, Write, Written};

/// The longest wait before a transaction that met another one is tried again.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_millis(20);
/// A commit that meets others for so long may be held up by one that stands still.
const STUCK_AFTER: Duration = Duration::from_secs(1);

/// What the writer is asked.
pub(super) enum Request {
    /// To make these durable.
    Commit(Vec<Write>, oneshot::Sender<Result<Commit, StoreError>>),
    /// To finish, to give back what this claimant has taken, and to say when it has.
    Close(Option<Claimant>, oneshot::Sender<()>),
}

/// The span that everybody may look at. It only ever goes forward.
#[derive(Debug, Clone)]
pub(super) struct SharedSpan(Arc<RwLock<Span>>);

impl SharedSpan {
    pub fn new(span: Span) -> Self {
        Self(Arc::new(RwLock::new(span)))
    }

    pub fn get(&self) -> Span {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was seen may be older than what is known.
    pub fn advance(&self, seen: Span) {
        let mut span = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let n = |position: Option<crate::notification::position::Position>| position.map(|position| position.n);
        if n(seen.newest) > n(span.newest) {
            span.newest = seen.newest;
        }
        if n(seen.oldest) > n(span.oldest) {
            span.oldest = seen.oldest;
        }
    }
}

/// Writes until it is told to close.
pub(super) async fn run(
    collections: Collections,
    span: SharedSpan,
    patience: Duration,
    mut inbox: mpsc::UnboundedReceiver<Request>,
) {
    let (mut closing, mut last) = (None, None);
    while let Some(request) = inbox.recv().await {
        match request {
            Request::Commit(writes, answer) => {
                let deadline = Instant::now() + patience;
                let (collections, span, before) = (collections.clone(), span.clone(), last.take());
                let commit = tokio::spawn(async move { commit(&collections, &span, &writes, deadline, before).await });
                let outcome = match timeout_at(deadline, commit).await {
                    Ok(Ok(Ok((commit, left)))) => {
                        last = left;
                        Ok(commit)
                    }
                    Ok(Ok(Err(error))) => Err(error),
                    Ok(Err(_)) => Err(StoreError::Unavailable("a commit panicked and was taken back".into())),
                    Err(_) => Err(StoreError::Unavailable(format!("MongoDB has not confirmed a commit within {patience:?}"))),
                };
                // Whoever asked may be gone; the commit stands all the same.
                let _ = answer.send(outcome);
            }
            Request::Close(claimant, closed) => {
                closing = Some((claimant, closed));
                break;
            }
        }
    }
    drop(inbox);
    if let Some((claimant, closed)) = closing {
        if let Some(claimant) = claimant
            && let Err(error) = collections.release_claims(claimant).await
        {
            // They are taken over a little later.
            log::warn!(target: "notifications", "event=claims_kept error={error:?}");
        }
        collections.client.shutdown().immediate(true).await;
        let _ = closed.send(());
    }
}

/// What the last commit of this node has left.
#[derive(Clone, Copy)]
struct Last {
    counters: Counters,
    /// Whether no other node had committed since the one before, and nothing was there twice: the next may be so too.
    alone: bool,
}

async fn commit(
    collections: &Collections,
    span: &SharedSpan,
    writes: &[Write],
    deadline: Instant,
    last: Option<Last>,
) -> Result<(Commit, Option<Last>), StoreError> {
    if let Some(nothing) = idle(collections, writes).await? {
        return Ok((nothing, last));
    }
    let unseen = last.filter(|last| last.alone && Draft::may_be_unseen(writes, last.counters.open));
    if let Some(Last { counters, .. }) = unseen {
        match attempt_unseen(collections, counters, writes, deadline).await {
            Ok((commit, counters)) => {
                span.advance(counters.span);
                return Ok((commit, Some(Last { counters, alone: true })));
            }
            Err(Failure::Store(error)) => return Err(error),
            // Another node has committed, or an event is there already. The other way sees which.
            Err(Failure::Passed | Failure::Refused(..) | Failure::Transient(_)) => {}
        }
    }
    let (commit, counters) = commit_seeing(collections, writes, deadline).await?;
    span.advance(counters.span);
    let alone = unseen.is_none() && last.is_some_and(|last| last.counters.commits + 1 == counters.commits);
    Ok((commit, Some(Last { counters, alone })))
}

/// Two calls fewer: nothing is looked up before it is written.
async fn attempt_unseen(
    collections: &Collections,
    counters: Counters,
    writes: &[Write],
    deadline: Instant,
) -> Result<(Commit, Counters), Failure> {
    let mut tx = Transaction::begin_behind(collections, counters.commits).await?;
    let done = Draft::apply_unseen(&mut tx, counters, writes).await;
    finish(tx, done, deadline).await
}

async fn commit_seeing(collections: &Collections, writes: &[Write], deadline: Instant) -> Result<(Commit, Counters), StoreError> {
    let mut refused = HashMap::new();
    let mut look_for_stuck = Instant::now() + STUCK_AFTER;
    loop {
        match attempt(collections, writes, &refused, deadline).await {
            Ok(done) => return Ok(done),
            // One that can never work must not take those beside it along, again and again.
            Err(Failure::Refused(index, reason)) if !refused.contains_key(&index) => {
                log::error!(target: "notifications", "event=write_refused reason={reason:?}");
                refused.insert(index, reason);
            }
            Err(Failure::Refused(_, reason)) => return Err(StoreError::Refused(reason)),
            Err(Failure::Transient(error)) => {
                let now = Instant::now();
                // At the deadline too: the next commit must not meet the same one.
                if now >= look_for_stuck.min(deadline) {
                    look_for_stuck = now + STUCK_AFTER;
                    if let Err(error) = collections.free_the_stuck().await {
                        log::warn!(target: "notifications", "event=stuck_transactions_not_seen error={error:?}");
                    }
                }
                if now >= deadline {
                    return Err(error.into());
                }
                sleep(LONGEST_PAUSE.mul_f64(fastrand::f64())).await;
            }
            Err(Failure::Passed) => return Err(StoreError::Unavailable("MongoDB: the counters of the log are gone".into())),
            Err(Failure::Store(error)) => return Err(error),
        }
    }
}

async fn attempt(
    collections: &Collections,
    writes: &[Write],
    refused: &HashMap<usize, String>,
    deadline: Instant,
) -> Result<(Commit, Counters), Failure> {
    let (mut tx, meta) = Transaction::begin(collections).await?;
    let done = attempt_in(&mut tx, meta, writes, refused).await;
    finish(tx, done, deadline).await
}

async fn attempt_in(
    tx: &mut Transaction,
    meta: Meta,
    writes: &[Write],
    refused: &HashMap<usize, String>,
) -> Result<(Commit, Counters), Failure> {
    // One that began before this server gave its first sign of life.
    tx.collections.require_finished(&meta)?;
    let mut counters = meta.counters();
    if counters.open.is_none() {
        counters.open = Some(tx.count_open().await?);
    }
    Draft::apply(tx, counters, writes, refused).await
}

async fn finish<T>(mut tx: Transaction, done: Result<T, Failure>, deadline: Instant) -> Result<T, Failure> {
    match done {
        Ok(done) => tx.commit(deadline).await.map(|()| done),
        Err(failure) => {
            tx.abort().await;
            Err(failure)
        }
    }
}

/// The answer where only a timer has asked and there is nothing to be done, so that idle nodes write nothing.
async fn idle(collections: &Collections, writes: &[Write]) -> Result<Option<Commit>, StoreError> {
    let mut written = Vec::with_capacity(writes.len());
    for write in writes {
        let nothing = match write {
            Write::ReleaseOverdue { received_before, .. } => {
                let overdue = doc! { "waits": true, "received_at": { "$lt": date(*received_before) } };
                collections.screening.find_one(overdue).await?.is_none().then_some(Written::Released(0))
            }
            Write::Prune { before, .. } => {
                let before = date(*before);
                let oldest = collections.log.find_one(doc! {}).sort(doc! { "_id": 1 }).await?;
                let letter = collections.dead_letter.find_one(doc! { "received_at": { "$lt": before } }).await?;
                let none = oldest.is_none_or(|oldest| oldest.at >= before) && letter.is_none();
                none.then_some(Written::Pruned(0))
            }
            Write::Receive(_)
            | Write::Settle { .. }
            | Write::Retry { .. }
            | Write::Discard { .. }
            | Write::BoundDeadLetters { .. }
            | Write::SetUser { .. }
            | Write::Probe => None,
        };
        let Some(nothing) = nothing else { return Ok(None) };
        written.push(nothing);
    }
    Ok(Some(Commit { written, ..Commit::default() }))
}
