//! One line to each actor of the pipeline, in one place.
//!
//! Lines are there before their actors, so that each can be built with the lines to all others and is reached over the same one
//! when it was built again.

use std::sync::Arc;

use actix::{Actor, Context, Handler};
use arc_swap::ArcSwap;

use super::{
    archivist::Archivist,
    broadcaster::{Broadcaster, Relays},
    courier::Courier,
    line::Line,
    mailbox::Posted,
    resize::Resize,
    screener::Screener,
    session_supervisor::SessionSupervisor,
    webhook_handler::WebhookHandler,
};
use crate::{config, metrics::actors::Actors};

/// The lines.
#[derive(Clone)]
pub struct Lines {
    /// Takes webhooks in.
    pub webhook_handler: Line<WebhookHandler>,
    /// Writes.
    pub archivist: Line<Archivist>,
    /// Has vessels screened.
    pub screener: Line<Screener>,
    /// Encodes and hands out.
    pub broadcaster: Line<Broadcaster>,
    /// Carries between nodes, where there is a bus to them.
    pub courier: Option<Line<Courier>>,
    /// The registry.
    pub session_supervisor: Line<SessionSupervisor>,
    /// One a worker thread.
    pub relays: Relays,
}

impl Lines {
    /// Lines at whose ends nobody is yet, measured as these kinds.
    pub fn unconnected(kinds: &Actors, has_bus: bool) -> Self {
        Self {
            webhook_handler: Line::unconnected(&kinds.webhook_handler),
            archivist: Line::unconnected(&kinds.archivist),
            screener: Line::unconnected(&kinds.screener),
            broadcaster: Line::unconnected(&kinds.broadcaster),
            courier: has_bus.then(|| Line::unconnected(&kinds.courier)),
            session_supervisor: Line::unconnected(&kinds.session_supervisor),
            relays: Arc::new(ArcSwap::from_pointee(Vec::new())),
        }
    }

    /// Gives the mailboxes of those who live these sizes.
    pub fn resize(&self, sizes: &config::Mailbox) {
        fn resize<A>(line: &Line<A>, capacity: usize)
        where
            A: Actor<Context = Context<A>> + Handler<Posted<Resize>>,
        {
            line.send(Resize(capacity));
        }
        resize(&self.webhook_handler, sizes.webhook_handler);
        resize(&self.archivist, sizes.archivist);
        resize(&self.screener, sizes.screener);
        resize(&self.broadcaster, sizes.broadcaster);
        self.courier.iter().for_each(|line| resize(line, sizes.courier));
        self.relays.load().iter().for_each(|line| resize(line, sizes.relay));
        resize(&self.session_supervisor, sizes.session_supervisor);
    }
}
