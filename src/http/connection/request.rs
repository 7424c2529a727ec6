//! One request of an HTTP/2 connection: handed to the application, its answer sent as the client takes it.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
    time::SystemTime,
};

use actix_http::{BoxedPayloadStream, HttpMessage, Payload, Request, Response, error::PayloadError};
use actix_service::Service;
use actix_web::{
    body::{BodySize, BoxBody, MessageBody},
    http::{
        Method, Uri, Version,
        header::{self, HeaderName, HeaderValue, HttpDate},
    },
};
use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt};
use h2::{Reason, RecvStream, SendStream, server::SendResponse};
use tokio::time::timeout;

use super::welcome::{LINGER, Patience, too_long};
use crate::{
    actors::{link::Link, wire::Branch},
    http::{answer::refused, limits::Limit, security},
};

/// The most of one answer that is given to the connection at once.
const PIECE: usize = 16 * 1024;

/// Answers a request. Ends early, dropping whatever answers it, when the client takes it back.
pub(super) async fn answer<S, B>(
    app: Rc<S>,
    patience: Rc<Patience>,
    request: ::http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    link: Arc<Link>,
    peer: SocketAddr,
) where
    S: Service<Request>,
    S::Response: Into<Response<B>>,
    S::Error: Into<Response<BoxBody>>,
    B: MessageBody,
{
    let branch = Branch::new(link);
    let is_head = request.method() == ::http::Method::HEAD;
    let (parts, body) = request.into_parts();
    if length(&parts) > patience.max_head {
        patience.limits.met(Limit::MaxHead, peer.ip().to_canonical());
        return send(head_too_large(&patience), respond, is_head, &branch).await;
    }
    let body = Body(Rc::new(RefCell::new(body)));
    let Some(request) = translate(parts, body.clone(), &branch, peer) else { return respond.send_reset(Reason::PROTOCOL_ERROR) };
    let mut asked = pin!(app.call(request));
    let answered = poll_fn(|cx| match respond.poll_reset(cx) {
        Poll::Ready(_) => Poll::Ready(None),
        Poll::Pending => asked.as_mut().poll(cx).map(Some),
    });
    match answered.await {
        Some(Ok(answer)) => send(answer.into(), respond, is_head, &branch).await,
        Some(Err(error)) => send(error.into(), respond, is_head, &branch).await,
        None => return,
    }
    body.discard_rest().await;
}

/// The bytes that a head would have in HTTP/1.1, so that `server.max_head` means the same in both.
fn length(parts: &::http::request::Parts) -> usize {
    let headers: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let uri = parts.uri.path_and_query().map_or(0, |path| path.as_str().len())
        + parts.uri.authority().map_or(0, |host| host.as_str().len());
    parts.method.as_str().len() + uri + headers
}

/// The application is not asked, so this is where the headers of all answers are added.
fn head_too_large(patience: &Patience) -> Response<BoxBody> {
    let mut answer = refused(&too_long(patience.max_head));
    for (name, value) in security::headers(true) {
        if let Ok(name) = HeaderName::try_from(name) {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    answer.into()
}

/// The same request in actix's types; none for one that HTTP/1.1 could not ask.
fn translate(parts: ::http::request::Parts, body: Body, branch: &Branch, peer: SocketAddr) -> Option<Request> {
    let body: BoxedPayloadStream = Box::pin(body);
    let mut request = Request::with_payload(Payload::Stream { payload: body });
    let head = request.head_mut();
    head.method = Method::from_bytes(parts.method.as_str().as_bytes()).ok()?;
    // Scheme and host stay behind: nothing here depends on them.
    head.uri = Uri::try_from(parts.uri.path_and_query()?.as_str()).ok()?;
    head.version = Version::HTTP_2;
    head.peer_addr = Some(peer);
    for (name, value) in &parts.headers {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        head.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
    }
    request.extensions_mut().insert(branch.clone());
    Some(request)
}

/// A body as it comes in; for what was read the client may send more.
#[derive(Clone)]
struct Body(Rc<RefCell<RecvStream>>);

impl Body {
    /// After an answer that came before all of the body: some clients lose it when they are cut off while they send.
    async fn discard_rest(mut self) {
        let rest = async { while self.next().await.is_some_and(|piece| piece.is_ok()) {} };
        // Who sends on for longer is cut off.
        let _ = timeout(LINGER, rest).await;
    }
}

impl Stream for Body {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut stream = self.0.borrow_mut();
        let piece = match ready!(stream.poll_data(cx)) {
            Some(Ok(piece)) if stream.flow_control().release_capacity(piece.len()).is_ok() => Ok(piece),
            Some(_) => Err(PayloadError::Incomplete(None)),
            None => return Poll::Ready(None),
        };
        Poll::Ready(Some(piece))
    }
}

async fn send<B: MessageBody>(answer: Response<B>, mut respond: SendResponse<Bytes>, is_head: bool, branch: &Branch) {
    let (answer, body) = answer.into_parts();
    let size = body.size();
    let ends = is_head || size.is_eof();
    let Ok(head) = head_of(&answer, size) else { return respond.send_reset(Reason::INTERNAL_ERROR) };
    // It fails where the client is gone.
    let Ok(mut stream) = respond.send_response(head, ends) else { return };
    if ends {
        return;
    }
    let mut body = pin!(body);
    let mut piece = Bytes::new();
    poll_fn(|cx| poll_send(body.as_mut(), &mut piece, &mut stream, branch, cx)).await;
}

/// Sends a body until it ends, or the client takes the request back, or the session gives it up.
fn poll_send<B: MessageBody>(
    mut body: Pin<&mut B>,
    piece: &mut Bytes,
    stream: &mut SendStream<Bytes>,
    branch: &Branch,
    cx: &mut Context<'_>,
) -> Poll<()> {
    loop {
        if stream.poll_reset(cx).is_ready() {
            return Poll::Ready(());
        }
        if branch.is_cut() {
            stream.send_reset(Reason::CANCEL);
            return Poll::Ready(());
        }
        if piece.is_empty() {
            match ready!(body.as_mut().poll_next(cx)) {
                Some(Ok(next)) => *piece = next,
                Some(Err(_)) => {
                    stream.send_reset(Reason::INTERNAL_ERROR);
                    return Poll::Ready(());
                }
                None => {
                    // It fails where the client is gone.
                    let _ = stream.send_data(Bytes::new(), true);
                    return Poll::Ready(());
                }
            }
            continue;
        }
        stream.reserve_capacity(piece.len().min(PIECE));
        while stream.capacity() == 0 {
            match ready!(stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(()),
            }
        }
        let taken = piece.split_to(stream.capacity().min(piece.len()));
        if stream.send_data(taken, false).is_err() {
            return Poll::Ready(());
        }
    }
}

fn head_of(answer: &Response<()>, size: BodySize) -> Result<::http::Response<()>, ::http::Error> {
    let mut head = ::http::Response::builder().status(answer.status().as_u16());
    for (name, value) in answer.headers() {
        // What is about the connection has no meaning for one of its requests; the length comes from the body.
        let of_the_connection = [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE, header::CONTENT_LENGTH];
        if !of_the_connection.contains(name) {
            head = head.header(name.as_str(), value.as_bytes());
        }
    }
    if let BodySize::Sized(length) = size {
        head = head.header("content-length", length);
    }
    head.header("date", HttpDate::from(SystemTime::now()).to_string()).body(())
}
