//! Holds an actor where it is: its mailbox stands still, its thread goes on.

use actix::{Actor, AsyncContext, Context, Handler, Message, WrapFuture, fut::ActorFutureExt};
use lookout::actors::{
    archivist::Archivist, broadcaster::Broadcaster, courier::Courier, line::Line, relay::Relay, screener::Screener,
    session_supervisor::SessionSupervisor, webhook_handler::WebhookHandler,
};
use tokio::sync::oneshot;

/// Take nothing up until the other end is dropped.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Hold(oneshot::Receiver<()>);

macro_rules! may_be_held {
    ($($actor:ty),*) => {$(
        impl Handler<Hold> for $actor {
            type Result = ();

            fn handle(&mut self, Hold(released): Hold, ctx: &mut Self::Context) {
                ctx.wait(released.into_actor(self).map(|_, _, _| ()));
            }
        }
    )*};
}

may_be_held!(Archivist, Broadcaster, Courier, Relay, Screener, SessionSupervisor, WebhookHandler);

/// Holds the actor at the end of this line until what it gives is dropped.
pub fn hold<A: Actor<Context = Context<A>> + Handler<Hold>>(line: &Line<A>) -> oneshot::Sender<()> {
    let (release, released) = oneshot::channel();
    line.actor().expect("an actor").do_send(Hold(released));
    release
}
