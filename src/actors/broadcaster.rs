//! Encodes each committed entry once and hands it to every relay, in the order of the log and without a hole.
//!
//! It trusts contiguity, not delivery: what was told out of order waits for its turn, and what was not told, by this node or by
//! others, is read from the store. Nothing waits for such a read: whatever comes next meanwhile goes on.
//!
//! * receives: `Publish` (archivist, courier); `Canary`
//! * sends: `Deliver` to each relay
//! * when full: the `Publish` is dropped; the hole is noticed at the next one or at the next look, and read from the store
//! * when it dies: the session supervisor builds it again; it goes on behind the newest entry of the shared window
//! * runs on: the pipeline thread

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, WrapFuture, fut::ActorFutureExt, prelude::SendError};
use arc_swap::ArcSwap;

use super::{
    ahead::Ahead,
    canary::{Canary, Stage},
    line::{Line, Stop, guarded},
    mailbox::measured,
    recent::Recent,
    relay::{Deliver, Relay},
};
use crate::{
    metrics::Metrics,
    notification::{
        entry::{Entry, Kind},
        frame::Frame,
    },
    store::{Span, Store, StoreError},
};

/// Entries read at once to fill a hole.
const REFILL: usize = 500;

/// Entries that were committed, here or on another node, in any order.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Publish(pub Vec<Entry>);

/// One relay a worker thread; each worker adds its own when it starts.
pub type Relays = Arc<ArcSwap<Vec<Line<Relay>>>>;

/// The actor.
pub struct Broadcaster {
    store: Arc<dyn Store>,
    look_interval: Duration,
    recent: Arc<Recent>,
    relays: Relays,
    metrics: Arc<Metrics>,
    ahead: Ahead,
    looking: bool,
    reading: bool,
    /// Whether the store could not be asked the last time.
    blind: bool,
}

impl Broadcaster {
    /// A broadcaster that goes on behind `recent` and looks into the store so often (`cluster.look_interval`); its mailbox holds
    /// `capacity` (`mailbox.broadcaster`) messages.
    pub fn create(
        capacity: usize,
        look_interval: Duration,
        store: Arc<dyn Store>,
        recent: Arc<Recent>,
        relays: Relays,
        metrics: Arc<Metrics>,
        ctx: &mut Context<Self>,
    ) -> Self {
        ctx.set_mailbox_capacity(capacity);
        let ahead = Ahead::default();
        Self { store, look_interval, recent, relays, metrics, ahead, looking: false, reading: false, blind: false }
    }
}

measured!(Broadcaster: Publish, Canary, Stop);

impl Actor for Broadcaster {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(self.look_interval, |broadcaster, ctx| broadcaster.look(ctx));
    }
}

impl Handler<Publish> for Broadcaster {
    type Result = ();

    fn handle(&mut self, Publish(entries): Publish, ctx: &mut Self::Context) {
        guarded(
            "broadcaster",
            self,
            |broadcaster| &broadcaster.metrics,
            |broadcaster| {
                broadcaster.admit(entries);
                broadcaster.refill(ctx);
            },
        );
    }
}

impl Handler<Canary> for Broadcaster {
    type Result = ();

    fn handle(&mut self, canary: Canary, _: &mut Self::Context) {
        canary.pass(Stage::Broadcaster);
    }
}

impl Handler<Stop> for Broadcaster {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Broadcaster {
    /// Broadcasts those whose turn it is, with what has waited for them.
    fn admit(&mut self, entries: Vec<Entry>) {
        let turn = self.ahead.admit(self.recent.newest().n, entries);
        if turn.is_empty() {
            return;
        }
        let since = Instant::now();
        let frames: Arc<[Frame]> = turn.iter().map(Frame::of).collect();
        // The window first: a session that is told of a frame can then read everything up to it.
        self.recent.append(&frames);
        self.log(&turn);
        for relay in self.relays.load().iter() {
            // A full or dead relay costs its sessions a look into the log, nothing else.
            if let Err(SendError::Full(_)) = relay.try_send(Deliver { frames: frames.clone(), since }) {
                self.metrics.streams.relay_full.inc();
            }
        }
    }

    /// Asks the store how far the log goes: a `Publish` may have been lost with no other behind it, here or on its way from
    /// another node.
    fn look(&mut self, ctx: &mut Context<Self>) {
        if self.looking {
            return;
        }
        self.looking = true;
        let look = self.store.look().into_actor(self);
        ctx.spawn(look.map(|span, broadcaster, ctx| {
            broadcaster.looking = false;
            if let Some(Span { newest: Some(newest), .. }) = broadcaster.seen(span) {
                broadcaster.ahead.told_of(newest.n);
                broadcaster.refill(ctx);
            }
        }));
    }

    /// Reads what is missing before the next entry that is known of, one piece at a time.
    fn refill(&mut self, ctx: &mut Context<Self>) {
        let newest = self.recent.newest().n;
        let missing = self.ahead.missing(newest);
        if self.reading || missing == 0 {
            return;
        }
        self.reading = true;
        let limit = usize::try_from(missing).unwrap_or(REFILL).min(REFILL);
        let read = self.store.read_log(newest, limit).into_actor(self);
        ctx.spawn(read.map(move |entries, broadcaster, ctx| {
            broadcaster.reading = false;
            // Without an answer the next look, or the next entry, leads here again.
            let Some(entries) = broadcaster.seen(entries) else { return };
            guarded(
                "broadcaster",
                broadcaster,
                |broadcaster| &broadcaster.metrics,
                |broadcaster| {
                    broadcaster.fill(newest, entries);
                    broadcaster.refill(ctx);
                },
            );
        }));
    }

    /// The answer of the store to what follows entry `after`.
    fn fill(&mut self, after: u64, entries: Vec<Entry>) {
        let Some(first) = entries.first().map(|entry| entry.position) else {
            // Nobody has committed what was told, or the store does not show it yet: then the next look tells of it.
            log::warn!(target: "notifications", "event=log_hole the store has no entry behind n={after}");
            return self.ahead.forget();
        };
        let newest = self.recent.newest().n;
        if first.n > newest + 1 {
            // Retention took what came next; sessions tell their readers.
            self.recent.restart_before(first);
        }
        self.metrics.streams.refilled_entries.inc_by(entries.iter().filter(|entry| entry.position.n > newest).count() as u64);
        self.admit(entries);
    }

    /// What the store has answered; whether it answers is told when that changes.
    fn seen<T>(&mut self, answer: Result<T, StoreError>) -> Option<T> {
        let was_blind = std::mem::replace(&mut self.blind, answer.is_err());
        match answer {
            Ok(answer) => {
                if was_blind {
                    log::info!(target: "notifications", "event=look_back");
                }
                Some(answer)
            }
            Err(error) => {
                if !was_blind {
                    log::warn!(target: "notifications", "event=look_failed error={error:?}");
                }
                None
            }
        }
    }

    fn log(&self, entries: &[Entry]) {
        if !log::log_enabled!(target: "sse", log::Level::Info) {
            return;
        }
        let connections = self.metrics.streams.connections.get();
        if connections == 0 {
            return;
        }
        for entry in entries {
            let what = match entry.kind {
                Kind::Notification => "notification",
                Kind::Update => "screening update",
            };
            log::info!(target: "sse", "Broadcasting {what} {} to {connections} connections", entry.notification_id);
        }
    }
}
