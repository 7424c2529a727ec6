//! A socket as actix-http's HTTP/1.1 reads and writes it, with patience of its own: a client that owes the head of a request has
//! `server.head_timeout` and `server.max_head` for it.
//!
//! actix-http answers what is no request without a body. Nothing of ours has been asked then, so this is also where such an answer gets the
//! shape that every error has.

use std::{
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};
use tokio_rustls::server::TlsStream;

use super::{
    Connection,
    head::{Head, Seen},
    watched::Watched,
    welcome::Patience,
};
use crate::http::limits::Limit;

/// How long a client that was turned away may take to read why.
const LAST_WORD: Duration = Duration::from_secs(1);

/// HTTP/1.1's side of a connection.
pub(super) struct Socket {
    io: Io,
    connection: Rc<Connection>,
    patience: Rc<Patience>,
    /// The request whose head is awaited or has come last, counted from 0.
    request: u64,
    head: Head,
    clock: Option<Pin<Box<Sleep>>>,
    /// Whether all that HTTP gave has been taken.
    flushed: bool,
    turned_away: Option<LastWord>,
}

enum Io {
    Plain(Watched),
    Secure(Box<TlsStream<Watched>>),
}

/// What is left to do for a client that was turned away.
struct LastWord {
    unsent: Bytes,
    shut: bool,
    clock: Pin<Box<Sleep>>,
}

impl Socket {
    /// Without TLS.
    pub fn plain(watched: Watched, connection: Rc<Connection>, patience: Rc<Patience>) -> Self {
        Self::new(Io::Plain(watched), connection, patience)
    }

    /// Behind a handshake.
    pub fn secure(stream: TlsStream<Watched>, connection: Rc<Connection>, patience: Rc<Patience>) -> Self {
        Self::new(Io::Secure(Box::new(stream)), connection, patience)
    }

    fn new(io: Io, connection: Rc<Connection>, patience: Rc<Patience>) -> Self {
        let head = Head::default();
        Self { io, connection, patience, request: 0, head, clock: None, flushed: true, turned_away: None }
    }

    /// What its requests are told of it.
    pub fn connection(&self) -> Rc<Connection> {
        self.connection.clone()
    }

    /// Whether the client owes a head. Once HTTP has taken one up it does not, until that request is answered.
    fn owes_a_head(&mut self) -> bool {
        let requests = &self.connection.requests;
        if requests.begun() > self.request {
            if requests.are_open() {
                self.clock = None;
                return false;
            }
            self.request = requests.begun();
            self.head = Head::default();
        }
        self.head.seen(self.patience.max_head) != Seen::Whole
    }

    /// Whether its time is over. The time of the first head begins with the connection, that of others with their first byte: before that
    /// HTTP's own time for idle connections runs.
    fn poll_clock(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.request > 0 && self.head.seen(self.patience.max_head) == Seen::Nothing {
            return Poll::Pending;
        }
        let head_timeout = self.patience.head_timeout;
        self.clock.get_or_insert_with(|| Box::pin(sleep(head_timeout))).as_mut().poll(cx)
    }

    /// From now on HTTP reads that the client is done, and nothing of what it writes is sent.
    fn turn_away(&mut self, limit: Limit, answer: Bytes) {
        self.patience.limits.met(limit, self.connection.peer);
        self.say_last(answer);
    }

    /// Whether this is the beginning of HTTP's own answer to what is no request: nothing of ours was asked.
    fn is_of_http_itself(&self, data: &[u8]) -> bool {
        let unasked = self.connection.requests.begun() == self.request && self.flushed && self.turned_away.is_none();
        unasked && data.starts_with(b"HTTP/1.1 400 ")
    }

    fn say_last(&mut self, answer: Bytes) {
        // Behind half of another answer it would be read as a part of it.
        let unsent = if self.flushed { answer } else { Bytes::new() };
        self.clock = None;
        self.turned_away = Some(LastWord { unsent, shut: false, clock: Box::pin(sleep(LAST_WORD)) });
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.turned_away.is_some() {
            return Poll::Ready(Ok(()));
        }
        let owes_a_head = this.owes_a_head();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.io).poll_read(cx, buffer);
        if !owes_a_head {
            return read;
        }
        match read {
            Poll::Pending => {
                ready!(this.poll_clock(cx));
                this.turn_away(Limit::HeadTimeout, this.patience.too_slow.clone());
            }
            Poll::Ready(Err(_)) => return read,
            Poll::Ready(Ok(())) => {
                this.head.take(&buffer.filled()[before..]);
                match this.head.seen(this.patience.max_head) {
                    Seen::TooLong => {
                        buffer.set_filled(before);
                        this.turn_away(Limit::MaxHead, this.patience.too_long.clone());
                    }
                    Seen::Whole => this.clock = None,
                    Seen::Nothing | Seen::Part => {}
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_of_http_itself(data) {
            this.say_last(this.patience.no_request.clone());
        }
        if this.turned_away.is_some() {
            return Poll::Ready(Ok(data.len()));
        }
        let written = Pin::new(&mut this.io).poll_write(cx, data);
        this.flushed = matches!(&written, Poll::Ready(Ok(length)) if *length == data.len());
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(last) = &mut this.turned_away {
            while !last.unsent.is_empty() {
                if last.clock.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                let length = ready!(Pin::new(&mut this.io).poll_write(cx, &last.unsent))?;
                last.unsent.advance(length);
            }
        }
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(last) = &mut this.turned_away else { return Pin::new(&mut this.io).poll_shutdown(cx) };
        if !last.shut {
            ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
            last.shut = true;
        }
        // A socket that is closed with unread bytes in it is reset, and the client loses the answer too.
        let mut space = [0; 1024];
        while last.clock.as_mut().poll(cx).is_pending() {
            let mut unread = ReadBuf::new(&mut space);
            match Pin::new(&mut this.io).poll_read(cx, &mut unread) {
                Poll::Ready(Ok(())) if !unread.filled().is_empty() => {}
                Poll::Ready(_) => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_read(cx, buffer),
            Self::Secure(io) => Pin::new(io).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_write(cx, data),
            Self::Secure(io) => Pin::new(io).poll_write(cx, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_flush(cx),
            Self::Secure(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Self::Secure(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
