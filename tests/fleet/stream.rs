//! One connection of a reader: a raw socket, its chunks, and the frames in them, unread so that most need no parsing.

use std::{io, net::SocketAddr, time::Duration};

use memchr::memmem::find;
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::wire::Chunks;

/// An answer to somebody who wants a stream.
pub enum Opened {
    /// It is open.
    Stream(Stream),
    /// This status came instead.
    Refused(u16),
}

/// An open stream.
pub struct Stream {
    socket: TcpStream,
    chunks: Chunks,
    waiting: Vec<u8>,
}

impl Stream {
    /// Asks for a stream behind the last id.
    pub async fn open(address: SocketAddr, user: &str, last: &str) -> io::Result<Opened> {
        let mut socket = TcpStream::connect(address).await?;
        let request = format!(
            "GET /notifications/zone-port-events/stream?user_id={user} HTTP/1.1\r\nHost: fleet.test\r\n\
             Accept: text/event-stream\r\nLast-Event-ID: {last}\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        let end = loop {
            if let Some(end) = find(&head, b"\r\n\r\n") {
                break end + 4;
            }
            if socket.read_buf(&mut head).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let body = head.split_off(end);
        let head = String::from_utf8(head).expect("a head is text");
        match head.get(9..12).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no status in {head:?}")) {
            200 => {
                assert!(head.to_ascii_lowercase().contains("transfer-encoding: chunked"), "a stream without an end: {head}");
                let mut chunks = Chunks::default();
                let waiting = chunks.feed(&body);
                Ok(Opened::Stream(Self { socket, chunks, waiting }))
            }
            status => Ok(Opened::Refused(status)),
        }
    }

    /// The next frame, its blank line included; none where the stream has ended. May be dropped at any moment.
    pub async fn next(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = find(&self.waiting, b"\n\n") {
                let rest = self.waiting.split_off(end + 2);
                let frame = std::mem::replace(&mut self.waiting, rest);
                return Ok(Some(String::from_utf8(frame).expect("a stream is UTF-8")));
            }
            if self.chunks.ended {
                return Ok(None);
            }
            let mut piece = Vec::with_capacity(4096);
            if self.socket.read_buf(&mut piece).await? == 0 {
                return Ok(None);
            }
            self.waiting.extend(self.chunks.feed(&piece));
        }
    }

    /// Goes away with a reset.
    pub fn reset(self) {
        SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)).expect("linger");
    }
}
