//! An address that survives its actor: who holds a line to an actor reaches the one that was built last.
//!
//! actix neither restarts an actor that panicked nor tells anybody. The supervisor notices by `connected`, builds a new one
//! from its factory and swaps it in here, so nobody else has to know.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use actix::{Actor, Addr, Context, Handler, Message, prelude::SendError};
use arc_swap::ArcSwapOption;

use super::mailbox::{Address, Posted};
use crate::metrics::{
    Metrics,
    mailbox::{Kind, Mailbox},
};

/// A shared, replaceable address. All senders use the one handle in it, which is what makes a full mailbox visible: actix
/// grants each clone of an address a free slot of its own.
pub struct Line<A: Actor>(Arc<End<A>>);

struct End<A: Actor> {
    address: ArcSwapOption<Address<A>>,
    /// Counted as one, whoever is built at this end.
    mailbox: Arc<Mailbox>,
}

impl<A: Actor> Clone for Line<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Actor<Context = Context<A>>> Line<A> {
    /// A line with nobody at the other end yet: the pipeline has loops, so some lines exist before their actor.
    pub fn unconnected(kind: &Arc<Kind>) -> Self {
        Self(Arc::new(End { address: ArcSwapOption::empty(), mailbox: Mailbox::new(kind.clone()) }))
    }

    /// Whether the actor at the other end lives.
    pub fn connected(&self) -> bool {
        self.0.address.load().as_ref().is_some_and(|address| address.connected())
    }

    /// The actor at the other end. Not for senders: what is sent this way is not measured.
    pub fn actor(&self) -> Option<Addr<A>> {
        self.0.address.load().as_ref().map(|address| address.actor())
    }

    /// From now on this actor is at the other end.
    pub fn connect(&self, addr: Addr<A>) {
        self.0.address.store(Some(Arc::new(Address::new(addr, self.0.mailbox.clone()))));
    }

    /// Sends unless the mailbox is full or the actor is dead; the message comes back then.
    pub fn try_send<M>(&self, message: M) -> Result<(), SendError<M>>
    where
        M: Message<Result = ()> + Send + 'static,
        A: Handler<Posted<M>>,
    {
        match self.0.address.load().as_ref() {
            Some(address) => address.try_send(message),
            None => Err(SendError::Closed(message)),
        }
    }

    /// Sends whatever the mailbox holds: only for senders that are bounded elsewhere. Lost when the actor is dead.
    pub fn send<M>(&self, message: M)
    where
        M: Message<Result = ()> + Send + 'static,
        A: Handler<Posted<M>>,
    {
        if let Some(address) = self.0.address.load().as_ref() {
            address.send(message);
        }
    }
}

/// Runs the handling of one message so that a panic costs that message and not the actor. Takes the counters from the actor
/// only when they are needed: a shared reference count would be touched by every worker for every delivery.
pub fn guarded<A>(name: &'static str, actor: &mut A, metrics: impl FnOnce(&A) -> &Metrics, handle: impl FnOnce(&mut A)) {
    if catch_unwind(AssertUnwindSafe(|| handle(actor))).is_err() {
        metrics(actor).actors.panics.get_or_create(&[("actor", name)]).inc();
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
    use crate::{actors::mailbox::measured, config::Config};

    fn metrics() -> Arc<Metrics> {
        Arc::new(Metrics::new(&Config::defaults().mailbox))
    }

    struct Fragile(Arc<Metrics>);

    measured!(Fragile: Stop);

    impl Actor for Fragile {
        type Context = Context<Self>;
    }

    impl Handler<Stop> for Fragile {
        type Result = ();

        fn handle(&mut self, _: Stop, _: &mut Self::Context) {}
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
        let metrics = metrics();
        let actor = Fragile(metrics.clone()).start();
        assert_eq!(actor.send(Work(0)).await, Ok(0));
        assert_eq!(actor.send(Work(5)).await, Ok(20));
        assert_eq!(metrics.actors.panics.get_or_create(&[("actor", "fragile")]).get(), 1);
    }

    #[actix::test]
    async fn a_line_reaches_whoever_was_connected_last_and_gives_messages_back_where_nobody_is() {
        let metrics = metrics();
        let kind = &metrics.actors.relay;
        let line: Line<Fragile> = Line::unconnected(kind);
        assert!(!line.connected());
        assert!(matches!(line.try_send(Stop), Err(SendError::Closed(Stop))));
        assert_eq!((kind.depth(), kind.refused()), (0, 0));
        line.clone().connect(Fragile(metrics.clone()).start());
        assert!(line.connected());
        assert!(line.try_send(Stop).is_ok());
        assert_eq!((kind.depth(), kind.high_water()), (1, 1));
    }
}
