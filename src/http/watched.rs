//! A TCP stream that reports its failure to the session behind it, and fails when that session says so.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::rt::net::TcpStream;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::actors::link::Link;

/// The stream of one connection of the public listener.
pub struct Watched {
    tcp: TcpStream,
    link: Arc<Link>,
}

impl Watched {
    /// Watches a fresh connection. `user_timeout` is how long the kernel lets what was sent go unacknowledged before it gives
    /// the connection up: it is what finds a peer that has vanished, which otherwise takes a quarter of an hour.
    pub fn new(tcp: TcpStream, user_timeout: Duration) -> Self {
        let socket = SockRef::from(&tcp);
        let keepalive = TcpKeepalive::new().with_time(user_timeout).with_interval((user_timeout / 3).max(Duration::from_secs(1)));
        let set = socket
            .set_tcp_nodelay(true)
            .and_then(|()| socket.set_tcp_user_timeout(Some(user_timeout)))
            .and_then(|()| socket.set_tcp_keepalive(&keepalive));
        if let Err(error) = set {
            // The connection still works, only a dead peer is found later.
            log::debug!(target: "sse", "event=socket_option_refused error={error:?}");
        }
        Self { tcp, link: Arc::default() }
    }

    /// The session's side.
    pub fn link(&self) -> Arc<Link> {
        self.link.clone()
    }

    fn check(&self) -> io::Result<()> {
        if self.link.is_cut() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    fn note<T>(&self, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &outcome {
            self.link.failed(error);
        }
        outcome
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // Not checked here: a connection that could be cut writes, or is about to.
        let outcome = Pin::new(&mut self.tcp).poll_read(cx, buf);
        self.note(outcome)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        let outcome = Pin::new(&mut self.tcp).poll_write(cx, buf);
        self.note(outcome)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.check()?;
        let outcome = Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs);
        self.note(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
