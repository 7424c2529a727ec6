//! An address that survives its actor: who holds a line to an actor reaches the one that was built last.
//!
//! actix neither restarts an actor that panicked nor tells anybody. The supervisor notices by `connected`, builds a new one
//! from its factory and swaps it in here, so nobody else has to know.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use actix::{Actor, Addr, Context, Handler, Message, dev::ToEnvelope, prelude::SendError};
use arc_swap::ArcSwapOption;

use crate::metrics::Metrics;

/// A shared, replaceable address. All senders use the one handle in it, which is what makes a full mailbox visible: actix
/// grants each clone of an address a free slot of its own.
pub struct Line<A: Actor>(Arc<ArcSwapOption<Addr<A>>>);

impl<A: Actor> Clone for Line<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Actor<Context = Context<A>>> Line<A> {
    /// A line with nobody at the other end yet: the pipeline has loops, so some lines exist before their actor.
    pub fn unconnected() -> Self {
        Self(Arc::new(ArcSwapOption::empty()))
    }

    /// Whether the actor at the other end lives.
    pub fn connected(&self) -> bool {
        self.0.load().as_ref().is_some_and(|addr| addr.connected())
    }

    /// From now on this actor is at the other end.
    pub fn connect(&self, addr: Addr<A>) {
        self.0.store(Some(Arc::new(addr)));
    }

    /// Sends unless the mailbox is full or the actor is dead; the message comes back then.
    pub fn try_send<M>(&self, message: M) -> Result<(), SendError<M>>
    where
        M: Message<Result: Send> + Send + 'static,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        match self.0.load().as_ref() {
            Some(addr) => addr.try_send(message),
            None => Err(SendError::Closed(message)),
        }
    }

    /// Sends whatever the mailbox holds: only for senders that are bounded elsewhere. Lost when the actor is dead.
    pub fn send<M>(&self, message: M)
    where
        M: Message<Result: Send> + Send + 'static,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        if let Some(addr) = self.0.load().as_ref() {
            addr.do_send(message);
        }
    }
}

/// Runs the handling of one message so that a panic costs that message and not the actor. Takes the counters from the actor
/// only when they are needed: a shared reference count would be touched by every worker for every delivery.
pub fn guarded<A>(name: &'static str, actor: &mut A, metrics: impl FnOnce(&A) -> &Metrics, handle: impl FnOnce(&mut A)) {
    if catch_unwind(AssertUnwindSafe(|| handle(actor))).is_err() {
        metrics(actor).actor_panics.get_or_create(&[("actor", name)]).inc();
        log::error!(target: "notifications", "actor={name} event=panic a message was given up; the actor goes on");
    }
}

/// Ends an actor; its supervisor builds a new one unless the hub is stopping. Sent by tests and by the ordered stop.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Stop;

#[cfg(test)]
mod tests {
    use super::*;

    struct Fragile(Arc<Metrics>);

    impl Actor for Fragile {
        type Context = Context<Self>;
    }

    #[derive(Message)]
    #[rtype(result = "u32")]
    struct Work(u32);

    impl Handler<Work> for Fragile {
        type Result = u32;

        fn handle(&mut self, Work(number): Work, _: &mut Self::Context) -> u32 {
            let mut done = 0;
            guarded("fragile", self, |fragile| &fragile.0, |_| done = 100_u32.checked_div(number).expect("no division by zero"));
            done
        }
    }

    #[actix::test]
    async fn a_panic_in_one_message_costs_that_message_and_not_the_actor() {
        let metrics = Arc::new(Metrics::new());
        let actor = Fragile(metrics.clone()).start();
        assert_eq!(actor.send(Work(0)).await, Ok(0));
        assert_eq!(actor.send(Work(5)).await, Ok(20));
        assert_eq!(metrics.actor_panics.get_or_create(&[("actor", "fragile")]).get(), 1);
    }

    #[actix::test]
    async fn a_line_reaches_whoever_was_connected_last_and_gives_messages_back_where_nobody_is() {
        let line: Line<Fragile> = Line::unconnected();
        assert!(!line.connected());
        assert!(matches!(line.try_send(Work(1)), Err(SendError::Closed(Work(1)))));
        line.clone().connect(Fragile(Arc::new(Metrics::new())).start());
        assert!(line.connected());
        assert!(line.try_send(Work(1)).is_ok());
    }
}
