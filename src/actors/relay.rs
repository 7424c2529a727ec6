//! Hands each broadcast to the readers of one worker thread, so that a broadcast crosses to a thread once and not once a
//! client.
//!
//! * receives: `Deliver` (broadcaster); `Join`, `Leave` (sessions of its thread); `Cross` (a canary); `WriteUp` (a stop)
//! * sends: frames into the outboxes of its thread; `Behind`, `Nudge` to their sessions; what it has sent to whom, to the store
//! * when full: the broadcaster drops the `Deliver`; sessions find the hole by contiguity
//! * when it dies: the session supervisor builds it again on its thread and lets its sessions join
//! * runs on: its worker thread

use std::{collections::HashMap, sync::Arc, time::Instant};

use actix::{Actor, ActorContext, Arbiter, AsyncContext, Context, Handler, Message, WrapFuture, fut::ActorFutureExt};
use tokio::sync::oneshot;

use super::{
    auditor::Auditor,
    canary::Cross,
    ledger::Account,
    line::{Stop, guarded},
    mailbox::{Address, measured},
    outbox::{Live, Outbox},
    progress::Next,
    registry::SessionId,
    session::{Behind, Nudge, Session},
};
use crate::{metrics::Metrics, notification::frame::Frame};

/// Frames that were just committed, ascending.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct Deliver {
    /// The frames.
    pub frames: Arc<[Frame]>,
    /// When they were encoded.
    pub since: Instant,
}

/// From now on this session gets what is broadcast. Answered with a `Nudge`, behind which nothing can be missed unnoticed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Join {
    /// Its name.
    pub id: SessionId,
    /// Where it is.
    pub session: Address<Session>,
    /// What its response body takes from.
    pub outbox: Arc<Outbox>,
}

/// This session is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Leave {
    /// Its name.
    pub id: SessionId,
    /// Why: the `cause` of `lookout_connections_closed_total`.
    pub cause: &'static str,
}

/// The hub stops and all sessions are gone: write up what they were sent.
#[derive(Message)]
#[rtype(result = "()")]
pub struct WriteUp {
    /// Told when it is durable; dropped untold when this relay dies.
    pub reply: oneshot::Sender<()>,
}

/// A session of its thread.
struct Member {
    session: Address<Session>,
    outbox: Arc<Outbox>,
    account: Account,
}

/// The actor.
pub struct Relay {
    members: HashMap<SessionId, Member>,
    /// The newest entry that its readers were offered.
    newest: u64,
    auditor: Option<Auditor>,
    metrics: Arc<Metrics>,
}

impl Relay {
    /// A relay without sessions whose mailbox holds `capacity` (`mailbox.relay`) messages.
    pub fn create(capacity: usize, auditor: Option<Auditor>, metrics: Arc<Metrics>, ctx: &mut Context<Self>) -> Self {
        ctx.set_mailbox_capacity(capacity);
        Self { members: HashMap::new(), newest: 0, auditor, metrics }
    }
}

measured!(Relay: Join, Leave, Deliver, Cross, WriteUp, Stop);

impl Actor for Relay {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(auditor) = &self.auditor {
            ctx.run_interval(auditor.interval(), |relay, ctx| relay.audit(ctx));
        }
    }
}

impl Handler<Join> for Relay {
    type Result = ();

    fn handle(&mut self, Join { id, session, outbox }: Join, _: &mut Self::Context) {
        // It may have ended before a rebuilt relay was told of it: nothing would take it out again.
        if !session.connected() {
            return;
        }
        session.send(Nudge);
        // One that is told twice, by itself and after a rebuild, keeps its account.
        self.members.entry(id).or_insert_with(|| Member { session, outbox, account: Account::default() });
    }
}

impl Handler<Leave> for Relay {
    type Result = ();

    fn handle(&mut self, Leave { id, cause }: Leave, _: &mut Self::Context) {
        if let Some(Member { outbox, .. }) = self.members.remove(&id)
            && let (Some(auditor), Some(connection)) = (&mut self.auditor, outbox.connection())
        {
            auditor.end(connection, outbox.standing().sent, cause);
        }
    }
}

impl Handler<Deliver> for Relay {
    type Result = ();

    fn handle(&mut self, Deliver { frames, since }: Deliver, _: &mut Self::Context) {
        guarded("relay", self, |relay| &relay.metrics, |relay| relay.deliver(&frames));
        self.metrics.streams.broadcast_duration.observe(since.elapsed());
    }
}

impl Handler<Cross> for Relay {
    type Result = ();

    fn handle(&mut self, canary: Cross, _: &mut Self::Context) {
        canary.pass(Arbiter::current());
    }
}

impl Handler<WriteUp> for Relay {
    type Result = ();

    fn handle(&mut self, WriteUp { reply }: WriteUp, ctx: &mut Self::Context) {
        match &mut self.auditor {
            Some(auditor) => auditor.finish(reply),
            // Who asked may be gone.
            None => _ = reply.send(()),
        }
        self.audit(ctx);
    }
}

impl Handler<Stop> for Relay {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Relay {
    fn deliver(&mut self, frames: &[Frame]) {
        // A copy for this thread: its reference count is then touched by no other core.
        let frames: Vec<Frame> = frames.iter().map(Frame::copied).collect();
        // Counted here and told once: all threads share the counters.
        let (mut delivered, mut full, mut gone) = (0, 0, 0);
        for Member { session, outbox, .. } in self.members.values() {
            let Live::Offered { taken, next } = outbox.live(&frames) else {
                gone += 1;
                continue;
            };
            delivered += taken as u64;
            match next {
                Next::Nothing => {}
                next => {
                    full += u64::from(next == Next::AwaitRoom);
                    // At most one is under way for each session: from here on its reader takes no live frame until it has caught up.
                    session.send(Behind(next));
                }
            }
        }
        self.newest = frames.last().map_or(self.newest, |last| last.position.n);
        let streams = &self.metrics.streams;
        streams.deliveries.delivered.inc_by(delivered);
        if full > 0 {
            streams.deliveries.queue_full.inc_by(full);
            streams.queue_overflows.inc_by(full);
        }
        if gone > 0 {
            streams.deliveries.gone.inc_by(gone);
        }
    }

    fn audit(&mut self, ctx: &mut Context<Self>) {
        let Some(auditor) = &mut self.auditor else { return };
        let readers = self.members.values_mut().filter_map(|Member { outbox, account, .. }| {
            let connection = outbox.connection()?;
            Some((connection, outbox.standing(), account))
        });
        let Some(write) = auditor.next(self.newest, readers) else { return };
        ctx.spawn(write.into_actor(self).map(|outcome, relay, ctx| {
            if relay.auditor.as_mut().is_some_and(|auditor| auditor.written(outcome)) {
                relay.audit(ctx);
            }
        }));
    }
}
