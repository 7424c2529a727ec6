//! Hands each broadcast to the sessions of one worker thread, so that a broadcast crosses to a thread once and not once a
//! client.
//!
//! * receives: `Deliver` (broadcaster); `Join`, `Leave` (sessions of its thread)
//! * sends: `Deliver`, `Nudge` to its sessions
//! * when full: the broadcaster drops the `Deliver`; sessions find the hole by contiguity
//! * when it dies: the session supervisor builds it again on its thread and lets its sessions join
//! * runs on: its worker thread

use std::{collections::HashMap, sync::Arc};

use actix::{Actor, ActorContext, Addr, Context, Handler, Message, prelude::SendError};

use super::{
    line::{Stop, guarded},
    registry::SessionId,
    session::{Deliver, Nudge, Session},
};
use crate::{metrics::Metrics, notification::frame::Frame};

/// From now on this session gets what is broadcast. Answered with a `Nudge`, behind which nothing can be missed unnoticed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Join {
    /// Its name.
    pub id: SessionId,
    /// Where it is.
    pub session: Addr<Session>,
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
    /// The one handle that is used for each session: a clone would have a free slot of its own in the mailbox.
    peers: HashMap<SessionId, Peer>,
    metrics: Arc<Metrics>,
}

struct Peer {
    session: Addr<Session>,
    /// It was told that it missed something and has taken nothing since.
    nudged: bool,
}

impl Relay {
    /// A relay without sessions whose mailbox holds `capacity` (`mailbox.relay`) messages.
    pub fn create(capacity: usize, metrics: Arc<Metrics>, ctx: &mut Context<Self>) -> Self {
        ctx.set_mailbox_capacity(capacity);
        Self { peers: HashMap::new(), metrics }
    }
}

impl Actor for Relay {
    type Context = Context<Self>;
}

impl Handler<Join> for Relay {
    type Result = ();

    fn handle(&mut self, Join { id, session }: Join, _: &mut Self::Context) {
        session.do_send(Nudge);
        self.peers.insert(id, Peer { session, nudged: false });
    }
}

impl Handler<Leave> for Relay {
    type Result = ();

    fn handle(&mut self, Leave { id }: Leave, _: &mut Self::Context) {
        self.peers.remove(&id);
    }
}

impl Handler<Deliver> for Relay {
    type Result = ();

    fn handle(&mut self, Deliver(frames): Deliver, _: &mut Self::Context) {
        guarded("relay", self, |relay| &relay.metrics, |relay| relay.deliver(&frames));
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
        let frames: Arc<[Frame]> = frames.iter().map(Frame::copied).collect();
        for peer in self.peers.values_mut() {
            match peer.session.try_send(Deliver(frames.clone())) {
                Ok(()) => peer.nudged = false,
                Err(SendError::Full(_)) => {
                    self.metrics.mailbox_full.inc();
                    // Past the bound, but only once: it makes the session look when it has worked its mailbox off.
                    if !std::mem::replace(&mut peer.nudged, true) {
                        peer.session.do_send(Nudge);
                    }
                }
                // Its `Leave` is on the way.
                Err(SendError::Closed(_)) => {}
            }
        }
    }
}
