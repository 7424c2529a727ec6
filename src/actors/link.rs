//! The socket of one connection, shared past the HTTP machinery between a session and its client.
//!
//! actix-http keeps three things to itself that a stream needs: the error that ended a connection, a way to end one whose
//! peer does not read (it stops polling the body then), and a write that costs no more than the system call. While nothing is
//! queued anywhere, a live frame goes to the socket from here; everything else takes the ordinary way through the body.

use std::{
    io,
    net::Shutdown,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use socket2::SockRef;
use tokio::{io::ReadBuf, net::TcpStream};

/// One connection. All its users run on the worker thread that holds it.
#[derive(Debug)]
pub struct Link {
    tcp: TcpStream,
    cut: AtomicBool,
    failure: OnceLock<String>,
    outgoing: Mutex<Outgoing>,
}

#[derive(Debug, Default)]
struct Outgoing {
    /// The end of a chunk of which the socket took only the beginning. It goes before everything else.
    rest: Bytes,
    /// Whether the socket has taken all that HTTP gave it.
    flushed: bool,
    /// Whether HTTP has let go of the connection.
    closed: bool,
}

/// What became of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The socket has it.
    Whole,
    /// The socket has its beginning; the connection's task must be woken to send the rest.
    Partly,
    /// Something stands before it, or the socket takes nothing right now.
    Not,
}

impl Link {
    /// Of a fresh connection.
    pub fn new(tcp: TcpStream) -> Self {
        Self { tcp, cut: AtomicBool::new(false), failure: OnceLock::new(), outgoing: Mutex::default() }
    }

    fn outgoing(&self) -> MutexGuard<'_, Outgoing> {
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Session: the connection is to fail from now on. Takes effect when its task is woken.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Release);
    }

    /// Session: why reading or writing has failed first, as the system words it.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// Relay: sends a whole chunk of the response body at once, if it is the next thing to be sent.
    pub fn send(&self, chunk: &Bytes) -> Sent {
        let mut outgoing = self.outgoing();
        if !outgoing.flushed || outgoing.closed || !outgoing.rest.is_empty() || self.cut.load(Ordering::Acquire) {
            return Sent::Not;
        }
        match self.tcp.try_write(chunk) {
            Ok(length) if length == chunk.len() => Sent::Whole,
            Ok(length) => {
                outgoing.rest = chunk.slice(length..);
                Sent::Partly
            }
            // A failure is met again, and noted, on the ordinary way.
            Err(_) => Sent::Not,
        }
    }

    /// HTTP: writes behind what is left of a chunk.
    pub fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_flush(cx))?;
        let length = ready!(self.poll_take(cx, data))?;
        self.outgoing().flushed = length == data.len();
        Poll::Ready(Ok(length))
    }

    /// HTTP: sends what is left of a chunk.
    pub fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.cut.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        loop {
            let rest = self.outgoing().rest.clone();
            if rest.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let length = ready!(self.poll_take(cx, &rest))?;
            self.outgoing().rest.advance(length);
        }
    }

    /// HTTP: reads what the client sends.
    pub fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.tcp.poll_read_ready(cx))?;
            match self.tcp.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(self.note(outcome).map(drop)),
            }
        }
    }

    /// HTTP: nothing more will be sent.
    pub fn shut_down(&self) -> io::Result<()> {
        SockRef::from(&self.tcp).shutdown(Shutdown::Write)
    }

    /// HTTP: the connection is over, even while somebody still holds this.
    pub fn close(&self) {
        self.outgoing().closed = true;
        // An error says that the client was faster.
        let _ = SockRef::from(&self.tcp).shutdown(Shutdown::Both);
    }

    fn poll_take(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.tcp.poll_write_ready(cx))?;
            match self.tcp.try_write(data) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.outgoing().flushed = false,
                outcome => return Poll::Ready(self.note(outcome)),
            }
        }
    }

    fn note<T>(&self, outcome: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &outcome {
            self.failure.get_or_init(|| {
                let text = error.to_string();
                text.split(" (os error").next().unwrap_or_default().to_owned()
            });
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, sync::Arc};

    use tokio::{io::AsyncReadExt, net::TcpListener};

    use super::*;

    /// A link with small buffers whose greeting is sent, and its client.
    async fn open() -> (Arc<Link>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        SockRef::from(&client).set_recv_buffer_size(4096).unwrap();
        let (server, _) = listener.accept().await.unwrap();
        SockRef::from(&server).set_send_buffer_size(4096).unwrap();
        let link = Link::new(server);
        assert_eq!(link.send(&Bytes::from_static(b"early")), Sent::Not, "the head of the answer has not left");
        assert_eq!(poll_fn(|cx| link.poll_write(cx, b"head")).await.unwrap(), 4);
        (Arc::new(link), client)
    }

    fn chunk(seed: usize, length: usize) -> Bytes {
        (0..length).map(|at| (at * 31 + seed) as u8).collect()
    }

    #[tokio::test]
    async fn a_chunk_that_the_socket_takes_only_partly_arrives_whole_and_nothing_overtakes_it() {
        let (link, mut client) = open().await;
        let (large, behind) = (chunk(1, 300_000), chunk(2, 100));
        assert_eq!(link.send(&large), Sent::Partly);
        assert_eq!(link.send(&behind), Sent::Not, "the rest goes first");
        let expected = [b"head", &large[..], b"by HTTP", &behind[..]].concat();
        let length = expected.len();
        let reading = tokio::spawn(async move {
            let mut got = vec![0; length];
            client.read_exact(&mut got).await.map(|_| got)
        });
        assert_eq!(poll_fn(|cx| link.poll_write(cx, b"by HTTP")).await.unwrap(), 7);
        // The client still drains, so the socket may be full for a moment.
        while link.send(&behind) == Sent::Not {
            poll_fn(|cx| link.tcp.poll_write_ready(cx)).await.unwrap();
        }
        assert!(reading.await.unwrap().unwrap() == expected, "every byte once and in order");
    }

    #[tokio::test]
    async fn a_cut_link_fails_what_waits_and_a_closed_one_takes_nothing() {
        let (link, _client) = open().await;
        assert_eq!(link.send(&chunk(1, 300_000)), Sent::Partly);
        link.cut();
        assert_eq!(poll_fn(|cx| link.poll_flush(cx)).await.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        let (link, mut client) = open().await;
        link.close();
        assert_eq!(link.send(&chunk(1, 10)), Sent::Not);
        let mut got = Vec::new();
        client.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"head");
    }

    #[tokio::test]
    async fn the_reason_of_a_failure_is_kept_in_the_words_of_the_system() {
        let (link, client) = open().await;
        SockRef::from(&client).set_linger(Some(std::time::Duration::ZERO)).unwrap();
        drop(client);
        let mut space = [0; 16];
        assert!(poll_fn(|cx| link.poll_read(cx, &mut ReadBuf::new(&mut space))).await.is_err());
        assert_eq!(link.failure(), Some("Connection reset by peer"));
    }
}
