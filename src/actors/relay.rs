//! Hands each broadcast to the readers of one worker thread, so that a broadcast crosses to a thread once and not once a
//! client.
//!
//! * receives: `Deliver` (broadcaster); `Join`, `Leave` (sessions of its thread); `Cross` (a canary)
//! * sends: frames into the outboxes of its thread; `Behind`, `Nudge` to their sessions
//! * when full: the broadcaster drops the `Deliver`; sessions find the hole by contiguity
//! * when it dies: the session supervisor builds it again on its thread and lets its sessions join
//! * runs on: its worker thread

use std::{collections::HashMap, sync::Arc, time::Instant};

use actix::{Actor, ActorContext, Arbiter, Context, Handler, Message};

use super::{
    canary::Cross,
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
}

/// The actor.
pub struct Relay {
    members: HashMap<SessionId, (Address<Session>, Arc<Outbox>)>,
    metrics: Arc<Metrics>,
}

impl Relay {
    /// A relay without sessions whose mailbox holds `capacity` (`mailbox.relay`) messages.
    pub fn create(capacity: usize, metrics: Arc<Metrics>, ctx: &mut Context<Self>) -> Self {
        ctx.set_mailbox_capacity(capacity);
        Self { members: HashMap::new(), metrics }
    }
}

measured!(Relay: Join, Leave, Deliver, Cross, Stop);

impl Actor for Relay {
    type Context = Context<Self>;
}

impl Handler<Join> for Relay {
    type Result = ();

    fn handle(&mut self, Join { id, session, outbox }: Join, _: &mut Self::Context) {
        session.send(Nudge);
        self.members.insert(id, (session, outbox));
    }
}

impl Handler<Leave> for Relay {
    type Result = ();

    fn handle(&mut self, Leave { id }: Leave, _: &mut Self::Context) {
        self.members.remove(&id);
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
        for (session, outbox) in self.members.values() {
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
}
