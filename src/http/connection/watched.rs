//! A TCP stream as actix-http wants it, whose socket is shared with the session behind it.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::rt::net::TcpStream;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::actors::link::Link;

/// HTTP's side of one connection of the public listener.
pub struct Watched(Arc<Link>);

impl Watched {
    /// Of a fresh connection. `user_timeout` is how long the kernel lets what was sent go unacknowledged before it gives the
    /// connection up: it is what finds a peer that has vanished, which otherwise takes a quarter of an hour.
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
        Self(Arc::new(Link::new(tcp)))
    }

    /// The session's side.
    pub fn link(&self) -> Arc<Link> {
        self.0.clone()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.shut_down())
    }
}
