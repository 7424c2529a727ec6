//! Encodes each committed entry once and hands it to every relay, in the order of the log and without a hole.
//!
//! It trusts contiguity, not delivery: entries whose `Publish` was lost are read from the store before it goes on.
//!
//! * receives: `Publish` (archivist)
//! * sends: `Deliver` to each relay
//! * when full: the archivist drops the `Publish`; the hole is noticed at the next one or at the next tick, and read from the store
//! * when it dies: the session supervisor builds it again; it goes on behind the newest entry of the shared window
//! * runs on: the pipeline thread

use std::{sync::Arc, time::Duration};

use actix::{
    Actor, ActorContext, AsyncContext, Context, ContextFutureSpawner, Handler, Message, WrapFuture, fut::ActorFutureExt,
    prelude::SendError,
};
use arc_swap::ArcSwap;

use super::{
    line::{Line, Stop, guarded},
    recent::Recent,
    relay::{Deliver, Relay},
};
use crate::{
    metrics::Metrics,
    notification::{
        entry::{Entry, Kind},
        frame::Frame,
    },
    store::Store,
};

/// How often it looks whether a `Publish` was lost with no other behind it.
const LOOK: Duration = Duration::from_millis(500);
/// Entries read at once to fill a hole.
const REFILL: usize = 500;

/// Entries that were just committed, in order.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Publish(pub Vec<Entry>);

/// One relay a worker thread; each worker adds its own when it starts.
pub type Relays = Arc<ArcSwap<Vec<Line<Relay>>>>;

/// The actor.
pub struct Broadcaster {
    store: Arc<dyn Store>,
    recent: Arc<Recent>,
    relays: Relays,
    metrics: Arc<Metrics>,
}

impl Broadcaster {
    /// A broadcaster that goes on behind `recent`; its mailbox holds `capacity` (`mailbox.broadcaster`) messages.
    pub fn create(
        capacity: usize,
        store: Arc<dyn Store>,
        recent: Arc<Recent>,
        relays: Relays,
        metrics: Arc<Metrics>,
        ctx: &mut Context<Self>,
    ) -> Self {
        ctx.set_mailbox_capacity(capacity);
        Self { store, recent, relays, metrics }
    }
}

impl Actor for Broadcaster {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(LOOK, |broadcaster, ctx| broadcaster.refill(ctx));
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
                if !broadcaster.broadcast(&entries) {
                    broadcaster.refill(ctx);
                }
            },
        );
    }
}

impl Handler<Stop> for Broadcaster {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Broadcaster {
    /// Broadcasts what follows the newest entry; false when there is a hole before it.
    fn broadcast(&self, entries: &[Entry]) -> bool {
        let newest = self.recent.newest().n;
        let fresh = &entries[entries.partition_point(|entry| entry.position.n <= newest)..];
        match fresh.first() {
            None => return true,
            Some(first) if first.position.n != newest + 1 => return false,
            Some(_) => {}
        }
        let frames: Arc<[Frame]> = fresh.iter().map(Frame::of).collect();
        // The window first: a session that is told of a frame can then read everything up to it.
        self.recent.append(&frames);
        self.log(fresh);
        for relay in self.relays.load().iter() {
            // A full or dead relay costs its sessions a look into the log, nothing else.
            if let Err(SendError::Full(_)) = relay.try_send(Deliver(frames.clone())) {
                self.metrics.relay_full.inc();
            }
        }
        true
    }

    /// Reads what is committed and not broadcast. Messages wait meanwhile, so the order holds.
    fn refill(&mut self, ctx: &mut Context<Self>) {
        let newest = self.recent.newest().n;
        if self.store.span().newest.is_none_or(|committed| committed.n <= newest) {
            return;
        }
        self.store
            .read_log(newest, REFILL)
            .into_actor(self)
            .map(move |entries, broadcaster, ctx| match entries {
                Ok(entries) if entries.is_empty() => {
                    log::error!(target: "notifications", "event=log_hole the store gave no entry behind n={newest}");
                }
                Ok(entries) => {
                    if entries[0].position.n > newest + 1 {
                        // Retention took what came next; sessions tell their readers.
                        broadcaster.recent.restart_before(entries[0].position);
                    }
                    broadcaster.broadcast(&entries);
                    broadcaster.metrics.refilled_entries.inc_by(entries.len() as u64);
                    broadcaster.refill(ctx);
                }
                Err(error) => log::warn!(target: "notifications", "event=refill_failed error={error:?}"),
            })
            .wait(ctx);
    }

    fn log(&self, entries: &[Entry]) {
        if !log::log_enabled!(target: "sse", log::Level::Info) {
            return;
        }
        let connections = self.metrics.connections.get();
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
