//! The response body of a stream: takes from the outbox, and tells the session when it is dropped.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;

use crate::actors::outbox::{Cut, Outbox};

/// Holds the taking end of an outbox. However the connection ends, dropping this is what ends the session.
pub struct StreamBody(Arc<Outbox>);

impl StreamBody {
    /// The taking end of this outbox; there must be only one.
    pub fn new(outbox: Arc<Outbox>) -> Self {
        Self(outbox)
    }
}

impl MessageBody for StreamBody {
    type Error = Cut;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        self.0.poll_take(ctx.waker())
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        self.0.body_gone();
    }
}
