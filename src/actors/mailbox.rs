//! Addresses whose mailboxes are measured: each message goes with a ticket that tells when it was sent, taken out and handled.

use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, Message, prelude::SendError};

use crate::metrics::mailbox::{Mailbox, Ticket};

/// A message on its way. Actors handle the message inside; `measured!` sees to that.
#[derive(Debug)]
pub struct Posted<M> {
    message: M,
    ticket: Ticket,
}

impl<M: Message> Message for Posted<M> {
    type Result = M::Result;
}

impl<M: Message<Result = ()>> Posted<M> {
    /// Has the actor handle the message inside.
    pub fn handle<A: Actor + Handler<M, Result = ()>>(self, actor: &mut A, ctx: &mut A::Context) {
        let Self { message, mut ticket } = self;
        ticket.take();
        actor.handle(message, ctx);
    }
}

/// Lets an actor take these messages by its [`Address`]. They are named one by one, since a rule for all messages would apply to itself.
macro_rules! measured {
    ($actor:ty: $($message:ty),+) => {
        $(impl actix::Handler<$crate::actors::mailbox::Posted<$message>> for $actor {
            type Result = ();

            fn handle(&mut self, posted: $crate::actors::mailbox::Posted<$message>, ctx: &mut Self::Context) {
                posted.handle(self, ctx);
            }
        })+
    };
}
pub(crate) use measured;

/// The address of one actor.
pub struct Address<A: Actor> {
    addr: Addr<A>,
    mailbox: Arc<Mailbox>,
}

impl<A: Actor> Clone for Address<A> {
    fn clone(&self) -> Self {
        Self { addr: self.addr.clone(), mailbox: self.mailbox.clone() }
    }
}

impl<A: Actor<Context = Context<A>>> Address<A> {
    /// Of an actor with this mailbox.
    pub fn new(addr: Addr<A>, mailbox: Arc<Mailbox>) -> Self {
        Self { addr, mailbox }
    }

    /// The actor itself.
    pub fn actor(&self) -> Addr<A> {
        self.addr.clone()
    }

    /// Whether the actor lives.
    pub fn connected(&self) -> bool {
        self.addr.connected()
    }

    /// Sends unless the mailbox is full or the actor is dead; the message comes back then.
    pub fn try_send<M>(&self, message: M) -> Result<(), SendError<M>>
    where
        M: Message<Result = ()> + Send + 'static,
        A: Handler<Posted<M>>,
    {
        let (ticket, depth) = self.mailbox.post();
        match self.addr.try_send(Posted { message, ticket }) {
            Ok(()) => {
                self.mailbox.mark(depth);
                Ok(())
            }
            Err(SendError::Full(posted)) => {
                self.mailbox.refuse();
                Err(SendError::Full(posted.message))
            }
            Err(SendError::Closed(posted)) => Err(SendError::Closed(posted.message)),
        }
    }

    /// Sends whatever the mailbox holds: only for senders that are bounded elsewhere. Lost when the actor is dead.
    pub fn send<M>(&self, message: M)
    where
        M: Message<Result = ()> + Send + 'static,
        A: Handler<Posted<M>>,
    {
        let (ticket, depth) = self.mailbox.post();
        self.mailbox.mark(depth);
        self.addr.do_send(Posted { message, ticket });
    }
}
