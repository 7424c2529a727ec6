//! A mailbox gets another size while its actor runs: actix lets an actor do that for itself only.
//!
//! What waits in a mailbox that became smaller stays there; it is full until less waits than it may hold.

use actix::{Context, Handler, Message};

use super::{
    archivist::Archivist, broadcaster::Broadcaster, courier::Courier, mailbox::measured, relay::Relay, screener::Screener,
    session_supervisor::SessionSupervisor, webhook_handler::WebhookHandler,
};

/// From now on your mailbox holds so many messages. Every kind but sessions takes it: theirs is set when they start.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Resize(pub usize);

macro_rules! resized {
    ($($actor:ty),+) => {
        $(measured!($actor: Resize);

        impl Handler<Resize> for $actor {
            type Result = ();

            fn handle(&mut self, Resize(capacity): Resize, ctx: &mut Context<Self>) {
                ctx.set_mailbox_capacity(capacity);
            }
        })+
    };
}

resized!(WebhookHandler, Archivist, Screener, Broadcaster, Courier, Relay, SessionSupervisor);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use actix::Actor;

    use super::*;
    use crate::{
        actors::line::{Line, Stop},
        config::Config,
        metrics::Metrics,
    };

    /// How many messages a mailbox takes that had this size and got another.
    async fn room(before: usize, after: usize) -> usize {
        let metrics = Arc::new(Metrics::new(&Config::defaults().mailbox));
        let line: Line<Relay> = Line::unconnected(&metrics.actors.relay);
        let of_relay = metrics.clone();
        line.connect(<Relay as Actor>::create(move |ctx| Relay::create(before, None, of_relay, ctx)));
        line.send(Resize(after));
        // It runs on this thread: once here, and then not before the next await.
        while metrics.actors.relay.depth() > 0 {
            tokio::task::yield_now().await;
        }
        (0..100).take_while(|_| line.try_send(Stop).is_ok()).count()
    }

    #[actix::test]
    async fn a_mailbox_takes_what_its_new_size_allows() {
        // Or one more: actix grants each handle a slot of its own.
        for (before, after) in [(4, 20), (20, 4), (4, 4)] {
            let room = room(before, after).await;
            assert!((after..=after + 1).contains(&room), "{before} to {after}: {room}");
        }
    }
}
