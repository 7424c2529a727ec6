//! Brings what a relay writes down into the store: one part of a lap at a time, and the same one again until it is there.
//!
//! While the store is away nothing piles up but the ends of streams, which the ledger bounds: what has happened meanwhile is in the
//! next lap.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::ledger::{Account, Ledger, Standing};
use crate::{
    config,
    metrics::Metrics,
    notification::Timestamp,
    store::{
        Store, StoreError,
        audit::{Connection, End, Lap},
    },
};

/// Writes for one relay.
pub struct Auditor {
    interval: Duration,
    ledger: Ledger,
    /// Not written yet; the first is under way while `writing`.
    laps: VecDeque<Arc<Lap>>,
    writing: bool,
    failing: bool,
    /// Waits until everything is written.
    waiting: Option<oneshot::Sender<()>>,
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
}

impl Auditor {
    /// None where `audit.interval` is off.
    pub fn new(config: &config::Audit, store: Arc<dyn Store>, metrics: Arc<Metrics>) -> Option<Self> {
        let ledger = Ledger::new(config.max_ended);
        let interval = config.interval?;
        Some(Self { interval, ledger, laps: VecDeque::new(), writing: false, failing: false, waiting: None, store, metrics })
    }

    /// How often [`Self::next`] is to be called.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// A reader has gone, after it was sent all up to `sent`.
    pub fn end(&mut self, connection: &Connection, sent: u64, cause: &'static str) {
        let end = End { at: chrono::Utc::now(), sent, cause: cause.into() };
        let dropped = self.ledger.end(connection.clone(), end);
        if dropped > 0 {
            self.metrics.store.audit_dropped.inc_by(dropped as u64);
            log::warn!(target: "notifications", "event=audit_dropped count={dropped} ends of streams, to stay within audit.max_ended");
        }
    }

    /// What is to be written now, if anything is and nothing is under way; tell [`Self::written`] what comes of it.
    pub fn next<'a>(
        &mut self,
        newest: u64,
        readers: impl Iterator<Item = (&'a Connection, Standing, &'a mut Account)>,
    ) -> Option<BoxFuture<'static, Result<(), StoreError>>> {
        if self.writing {
            return None;
        }
        if self.laps.is_empty() {
            let now: Timestamp = chrono::Utc::now();
            self.laps.extend(self.ledger.lap(newest, now, readers).into_iter().map(Arc::new));
        }
        let Some(lap) = self.laps.front().cloned() else {
            // Nobody may wait for it any more.
            self.waiting.take().map(|waiting| waiting.send(()));
            return None;
        };
        self.writing = true;
        Some(self.store.keep(lap))
    }

    /// Whether the next is wanted at once.
    pub fn written(&mut self, outcome: Result<(), StoreError>) -> bool {
        self.writing = false;
        match outcome {
            Ok(()) => {
                self.laps.pop_front();
                if std::mem::take(&mut self.failing) {
                    log::info!(target: "notifications", "event=audit_back");
                }
            }
            Err(error) => {
                self.metrics.store.audit_failures.inc();
                if !std::mem::replace(&mut self.failing, true) {
                    log::error!(target: "notifications", "event=audit_failed error={error:?}");
                }
            }
        }
        !self.failing && (!self.laps.is_empty() || self.waiting.is_some())
    }

    /// Tells when all that has happened so far is written. Dropped untold with the auditor.
    pub fn finish(&mut self, reply: oneshot::Sender<()>) {
        self.waiting = Some(reply);
    }
}
