//! HTTP/2: many requests on one connection, so that a browser's tabs share one.
//!
//! All of a connection happens in its one task: what a request's answer gives is sent in the same turn, and when the connection goes all of
//! its requests go with it.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use actix_http::{Request, Response};
use actix_server::GracefulShutdownSignal;
use actix_service::Service;
use actix_web::body::{BoxBody, MessageBody};
use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use h2::{
    Ping, PingPong,
    server::{Builder, Connection},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, Sleep, sleep, timeout},
};

use super::{
    request::answer,
    welcome::{Patience, Reception},
};
use crate::{actors::link::Link, http::limits::Limit};

/// What a client may send of one body before it was read.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same of all bodies of a connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// What all HTTP/2 connections of a worker thread share.
pub(super) struct Http2<S> {
    app: Rc<S>,
    builder: Builder,
    drain: GracefulShutdownSignal,
    patience: Rc<Patience>,
    keep_alive: Duration,
    ping_interval: Duration,
}

impl<S> Http2<S> {
    /// Asks this application.
    pub fn new(reception: &Reception, patience: Rc<Patience>, app: Rc<S>, drain: GracefulShutdownSignal) -> Self {
        let mut builder = Builder::new();
        builder
            .max_concurrent_streams(reception.streams_per_connection)
            // What is far beyond `server.max_head` h2 refuses by itself, with a 431 and not a word; the rest is ours to refuse.
            .max_header_list_size(u32::try_from(2 * reception.max_head).unwrap_or(u32::MAX))
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        let &Reception { keep_alive, user_timeout: ping_interval, .. } = reception;
        Self { app, builder, drain, patience, keep_alive, ping_interval }
    }
}

/// Serves a connection until it ends.
pub(super) async fn serve<T, S, B>(host: Rc<Http2<S>>, io: T, link: Arc<Link>, peer: SocketAddr)
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: Service<Request>,
    S::Response: Into<Response<B>>,
    S::Error: Into<Response<BoxBody>>,
    B: MessageBody,
{
    let Ok(begun) = timeout(host.patience.head_timeout, host.builder.handshake::<T, Bytes>(io)).await else {
        return host.patience.limits.met(Limit::HandshakeTimeout, peer.ip().to_canonical());
    };
    let Ok(mut connection) = begun else { return };
    let Some(pings) = connection.ping_pong() else { return };
    let mut pulse = Pulse { pings, interval: host.ping_interval, timer: Box::pin(sleep(host.ping_interval)), unanswered: false };
    let mut idle = Idle { keep_alive: host.keep_alive, timer: Box::pin(sleep(host.keep_alive)), was_idle: true, told: false };
    let mut drain = Some(Box::pin(host.drain.notified()));
    let mut answers = FuturesUnordered::new();
    poll_fn(|cx| {
        loop {
            while let Poll::Ready(Some(())) = answers.poll_next_unpin(cx) {}
            match connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    answers.push(answer(host.app.clone(), host.patience.clone(), request, respond, link.clone(), peer));
                }
                Poll::Ready(None | Some(Err(_))) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        let stops = drain.as_mut().is_some_and(|drain| drain.as_mut().poll(cx).is_ready());
        if stops {
            drain = None;
            return farewell(&mut connection, cx);
        }
        match idle.poll(cx, answers.is_empty()) {
            Poll::Ready(Goes::ByItself) => return farewell(&mut connection, cx),
            Poll::Ready(Goes::Now) => return Poll::Ready(()),
            Poll::Pending => {}
        }
        pulse.poll_lost(cx)
    })
    .await;
}

/// Tells the client to open no further request; those that are open go on.
fn farewell<T>(connection: &mut Connection<T, Bytes>, cx: &mut Context<'_>) -> Poll<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    connection.graceful_shutdown();
    // The next turn sends it.
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Finds out whether the client is still there: it must answer each ping before the next one is due.
struct Pulse {
    pings: PingPong,
    interval: Duration,
    timer: Pin<Box<Sleep>>,
    unanswered: bool,
}

impl Pulse {
    fn poll_lost(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.unanswered {
                match self.pings.poll_pong(cx) {
                    Poll::Ready(Ok(_)) => self.unanswered = false,
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => {}
                }
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if self.unanswered || self.pings.send_ping(Ping::opaque()).is_err() {
                return Poll::Ready(());
            }
            self.unanswered = true;
            self.timer.as_mut().reset(Instant::now() + self.interval);
        }
    }
}

/// Finds connections without requests.
struct Idle {
    keep_alive: Duration,
    timer: Pin<Box<Sleep>>,
    was_idle: bool,
    /// Whether its client was told to go: it has to answer that, and may not.
    told: bool,
}

/// How a connection without requests goes.
enum Goes {
    /// Its client is told to.
    ByItself,
    /// Its client was told to and did not.
    Now,
}

impl Idle {
    fn poll(&mut self, cx: &mut Context<'_>, is_idle: bool) -> Poll<Goes> {
        if is_idle && !self.was_idle {
            self.timer.as_mut().reset(Instant::now() + self.keep_alive);
        }
        self.was_idle = is_idle;
        if !is_idle || self.timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.timer.as_mut().reset(Instant::now() + self.keep_alive);
        Poll::Ready(if std::mem::replace(&mut self.told, true) { Goes::Now } else { Goes::ByItself })
    }
}
