//! A session that nobody reads: the last stage of a canary.
//!
//! It is opened as a real one is, joined to the relay of its thread, and taken from as a response body takes; it is in no
//! registry, so nobody counts it.

use std::{future::poll_fn, sync::Arc};

use actix::Actor;

use super::{
    canary::LoopBack,
    line::Line,
    outbox::Outbox,
    progress::{Progress, Start, View},
    registry::SessionId,
    session::{Opening, Session, Surroundings},
    session_supervisor::SessionSupervisor,
    wire::Wire,
};
use crate::metrics::mailbox::Mailbox;

/// Its name towards the relay; the registry never gives this one.
const NAME: SessionId = 0;

/// Opens it on the canary's thread. With the first frame that comes out of it the canary has passed, and it ends.
pub fn open(around: &Arc<Surroundings>, supervisor: Line<SessionSupervisor>, canary: LoopBack) {
    let newest = around.recent.newest();
    let start = Start { passed: newest.n, id: newest, replay: false };
    let outbox = Arc::new(Outbox::new(around.stream.queue_size, Wire::Nowhere, Progress::new(start, View::All), None));
    let opening = Opening { id: NAME, user: "".into(), clean_user: String::new(), gap: None, until: None };
    let (around, relay, queue, thread) = (around.clone(), canary.relay.clone(), outbox.clone(), canary.thread.clone());
    let mailbox = Mailbox::new(around.metrics.actors.session.clone());
    // A mailbox of the usual size: nobody sends to it but the relay and its own outbox.
    Session::start_in_arbiter(&thread, move |_| Session::new(around, opening, mailbox, queue, relay, supervisor));
    thread.spawn(async move {
        if let Some(Ok(_)) = poll_fn(|cx| outbox.poll_take(cx.waker())).await {
            canary.pass();
        }
        outbox.body_gone();
    });
}
