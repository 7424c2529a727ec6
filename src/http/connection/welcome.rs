//! From an accepted socket to HTTP: is there a place for its peer, is it TLS, which HTTP does it speak.

use std::{cell::Cell, future::poll_fn, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use actix_http::{HttpService, Request, Response, error::DispatchError};
use actix_server::GracefulShutdownSignal;
use actix_service::{Service, ServiceFactory, fn_factory, fn_service};
use actix_web::{
    body::{BoxBody, MessageBody},
    rt::net::TcpStream,
};
use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{
    Connection,
    http2::{self, Http2},
    serving::Requests,
    socket::Socket,
    tls,
    watched::Watched,
};
use crate::{
    config::Config,
    error::Refusal,
    http::{
        answer::raw,
        limits::{Limit, Limits},
    },
};

/// Bytes that actix collects for one socket before it stops taking frames. Small, so that a slow reader's frames wait in the
/// log and not in memory.
const WRITE_BUFFER: usize = 16 * 1024;
/// How long a client whose answer came before all of its body may take to read it.
pub(super) const LINGER: Duration = Duration::from_secs(1);
/// Turned away connections that may linger at once, a worker thread: beyond, they are closed without a word.
const MOST_LINGERING: usize = 64;

/// How the connections of one listener are received.
#[derive(Clone)]
pub struct Reception {
    /// The way into TLS.
    pub tls: Option<TlsAcceptor>,
    /// What one address may have.
    pub limits: Arc<Limits>,
    /// Whether a client may close its side and still wait for its answer.
    pub half_closed: bool,
    /// How long what was sent may go unacknowledged.
    pub user_timeout: Duration,
    /// Where the listener is.
    pub local: SocketAddr,
    /// `server.head_timeout`
    pub head_timeout: Duration,
    /// `server.max_head`
    pub max_head: usize,
    /// `server.keep_alive`
    pub keep_alive: Duration,
    /// `limits.streams_per_connection`
    pub streams_per_connection: u32,
}

impl Reception {
    /// As configured, for the listener at this address.
    pub fn new(config: &Config, tls: Option<TlsAcceptor>, limits: Arc<Limits>, half_closed: bool, local: SocketAddr) -> Self {
        Self {
            tls,
            limits,
            half_closed,
            user_timeout: config.stream.connection_timeout.min(config.stream.heartbeat_interval),
            local,
            head_timeout: config.server.head_timeout,
            max_head: config.server.max_head,
            keep_alive: config.server.keep_alive,
            streams_per_connection: u32::try_from(config.limits.streams_per_connection).unwrap_or(u32::MAX),
        }
    }
}

/// What a connection may take of time and bytes, and what it is told beyond.
pub(super) struct Patience {
    pub limits: Arc<Limits>,
    pub head_timeout: Duration,
    pub max_head: usize,
    pub too_slow: Bytes,
    pub too_long: Bytes,
    pub no_request: Bytes,
    crowded: Bytes,
    lingering: Cell<usize>,
}

impl Patience {
    fn new(reception: &Reception) -> Self {
        let &Reception { head_timeout, max_head, .. } = reception;
        let crowded = "This address has as many connections as one address may have (limits.connections_per_ip).";
        let crowded = Refusal::new(429, "too_many_connections", crowded);
        let raw = |refusal: &Refusal| raw(refusal, reception.tls.is_some());
        Self {
            limits: reception.limits.clone(),
            head_timeout,
            max_head,
            too_slow: raw(&Refusal::new(
                408,
                "head_too_slow",
                format!("The head of the request did not arrive within {head_timeout:?} (server.head_timeout)."),
            )),
            too_long: raw(&too_long(max_head)),
            no_request: raw(&Refusal::new(400, "bad_request", "This is no HTTP request.")),
            crowded: raw(&Refusal { retry_after: Some(1), ..crowded }),
            lingering: Cell::default(),
        }
    }
}

/// What is told to a client whose head is larger than this.
pub(super) fn too_long(max_head: usize) -> Refusal {
    Refusal::new(431, "head_too_large", format!("The head of the request is larger than {max_head} bytes (server.max_head)."))
}

/// Serves this application on every connection of a listener; built once on each of its worker threads.
pub fn reception<A, B>(
    app: A,
    reception: Reception,
    drain: GracefulShutdownSignal,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()>
where
    A: ServiceFactory<Request, Config = (), InitError = ()> + 'static,
    A::Response: Into<Response<B>> + 'static,
    A::Error: Into<Response<BoxBody>> + 'static,
    <A::Service as Service<Request>>::Future: 'static,
    A::Service: 'static,
    B: MessageBody + 'static,
{
    let app = Rc::new(app);
    fn_factory(move || {
        let (app, reception, drain) = (app.clone(), reception.clone(), drain.clone());
        async move {
            let patience = Rc::new(Patience::new(&reception));
            let app = Rc::new(app.new_service(()).await?);
            let http2 = Rc::new(Http2::new(&reception, patience.clone(), app.clone(), drain.clone()));
            let http1 = HttpService::build()
                .graceful_shutdown_signal(move || {
                    let drain = drain.clone();
                    async move { drain.notified().await }
                })
                .keep_alive(reception.keep_alive)
                // Ours, for every head of a connection.
                .client_request_timeout(Duration::ZERO)
                .client_disconnect_timeout(LINGER)
                .h1_allow_half_closed(reception.half_closed)
                .h1_write_buffer_size(WRITE_BUFFER)
                .local_addr(reception.local)
                .on_connect_ext(|socket: &Socket, data| drop(data.insert(socket.connection())))
                .h1(fn_factory(move || {
                    let app = app.clone();
                    async move { Ok::<_, ()>(app) }
                }))
                .new_service(())
                .await?;
            let host = Rc::new(Host { http1, http2, patience, tls: reception.tls, user_timeout: reception.user_timeout });
            Ok(fn_service(move |tcp: TcpStream| {
                let host = host.clone();
                async move { host.welcome::<B>(tcp).await }
            }))
        }
    })
}

/// Receives the connections of one worker thread.
struct Host<H, S> {
    http1: H,
    http2: Rc<Http2<S>>,
    patience: Rc<Patience>,
    tls: Option<TlsAcceptor>,
    user_timeout: Duration,
}

impl<H, S> Host<H, S>
where
    H: Service<(Socket, Option<SocketAddr>), Response = (), Error = DispatchError>,
    S: Service<Request>,
    S::Error: Into<Response<BoxBody>>,
{
    async fn welcome<B>(&self, tcp: TcpStream) -> Result<(), DispatchError>
    where
        S::Response: Into<Response<B>>,
        B: MessageBody,
    {
        let peer = tcp.peer_addr()?;
        let Ok(_place) = self.patience.limits.connect(peer) else {
            self.turn_away(tcp).await;
            return Ok(());
        };
        let watched = Watched::new(tcp, self.user_timeout);
        let connection = Rc::new(Connection {
            link: watched.link(),
            secure: self.tls.is_some(),
            peer: peer.ip().to_canonical(),
            requests: Requests::default(),
        });
        match &self.tls {
            // Boxed, so that a plain connection is not as large as one under TLS.
            Some(tls) => Box::pin(self.secure(tls, watched, connection, peer)).await,
            None => self.http1(Socket::plain(watched, connection, self.patience.clone()), peer).await,
        }
    }

    async fn secure<B>(
        &self,
        tls: &TlsAcceptor,
        watched: Watched,
        connection: Rc<Connection>,
        peer: SocketAddr,
    ) -> Result<(), DispatchError>
    where
        S::Response: Into<Response<B>>,
        B: MessageBody,
    {
        let Ok(stream) = timeout(self.patience.head_timeout, tls.accept(watched)).await else {
            self.patience.limits.met(Limit::HandshakeTimeout, connection.peer);
            return Ok(());
        };
        let stream = stream?;
        if stream.get_ref().1.alpn_protocol() == Some(tls::HTTP2) {
            http2::serve(self.http2.clone(), stream, connection.link.clone(), peer).await;
            return Ok(());
        }
        self.http1(Socket::secure(stream, connection, self.patience.clone()), peer).await
    }

    async fn http1(&self, socket: Socket, peer: SocketAddr) -> Result<(), DispatchError> {
        poll_fn(|cx| self.http1.poll_ready(cx)).await?;
        self.http1.call((socket, Some(peer))).await
    }

    /// Says why, and gives the client a moment to read it. Under TLS it would take the handshake to say anything.
    async fn turn_away(&self, mut tcp: TcpStream) {
        let lingering = &self.patience.lingering;
        if self.tls.is_some() || lingering.get() >= MOST_LINGERING {
            return;
        }
        lingering.set(lingering.get() + 1);
        let linger = async {
            tcp.write_all(&self.patience.crowded).await?;
            tcp.shutdown().await?;
            let mut space = [0; 512];
            while tcp.read(&mut space).await? > 0 {}
            Ok::<_, std::io::Error>(())
        };
        // The client may go as it likes.
        let _ = timeout(LINGER, linger).await;
        lingering.set(lingering.get() - 1);
    }
}
