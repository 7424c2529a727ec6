//! Whether a connection is busy with a request: only while it is not, its client owes it the head of the next one.

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    Error,
    body::{BodySize, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
};
use bytes::Bytes;

use super::Connection;

/// The requests of a connection, counted.
#[derive(Debug, Default)]
pub(super) struct Requests {
    begun: Cell<u64>,
    ended: Cell<u64>,
}

impl Requests {
    /// How many there have been.
    pub fn begun(&self) -> u64 {
        self.begun.get()
    }

    /// Whether one is not answered to its end.
    pub fn are_open(&self) -> bool {
        self.begun.get() != self.ended.get()
    }
}

/// One request; ended when dropped.
struct Serving(Rc<Connection>);

impl Serving {
    fn begin(connection: Rc<Connection>) -> Self {
        let begun = &connection.requests.begun;
        begun.set(begun.get() + 1);
        Self(connection)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let ended = &self.0.requests.ended;
        ended.set(ended.get() + 1);
    }
}

/// The middleware that counts; it must be the outermost one.
pub async fn answered<B: MessageBody + Unpin + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<Answered<B>>, Error> {
    let serving = request.conn_data::<Rc<Connection>>().cloned().map(Serving::begin);
    Ok(next.call(request).await?.map_body(|_, body| Answered { body, _serving: serving }))
}

/// The body of an answer, whose end is the end of the request.
pub struct Answered<B> {
    body: B,
    _serving: Option<Serving>,
}

impl<B: MessageBody + Unpin> MessageBody for Answered<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
