//! A dashboard on a raw socket: reads its stream well, slowly or not at all, and leaves in every way that a peer can leave.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::{
    PATIENCE,
    http::{Answer, Client, Head, read_head, request_head},
    wire::{Chunks, End, Events, Message},
};

/// A stream that is about to be asked for.
#[derive(Debug, Clone)]
pub struct Connecting {
    address: SocketAddr,
    path: String,
    headers: Vec<(String, String)>,
    small_buffers: bool,
}

impl Connecting {
    /// For this user.
    pub fn new(address: SocketAddr, user: &str) -> Self {
        let path = format!("/notifications/zone-port-events/stream?user_id={user}");
        Self { address, path, headers: Vec::new(), small_buffers: false }
    }

    /// Comes back with a last id.
    pub fn after(self, position: &str) -> Self {
        self.header("Last-Event-ID", position)
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds to the query, `name=value`.
    pub fn query(mut self, pair: &str) -> Self {
        self.path.push('&');
        self.path.push_str(pair);
        self
    }

    /// Keeps little in the kernel. The receive buffer is our own; a small segment size, agreed at the handshake, keeps the
    /// server's send buffer small too, which loopback would otherwise open to megabytes.
    pub fn small_buffers(mut self) -> Self {
        self.small_buffers = true;
        self
    }

    /// Connects and reads the first message, which must be `connection_established`.
    pub fn connect(&self) -> Reader {
        self.try_connect().unwrap_or_else(|error| panic!("no stream: {error}"))
    }

    /// The same where the server may be gone at any moment.
    pub fn try_connect(&self) -> io::Result<Reader> {
        let mut socket = self.socket()?;
        socket.write_all(self.request().as_bytes())?;
        let (head, content) = read_head(&mut socket)?;
        assert_eq!(head.status, 200, "no stream: {:?}", String::from_utf8_lossy(&content));
        let mut reader = Reader::new(socket, head);
        reader.take_in(&content);
        match reader.next_within(PATIENCE) {
            Next::Message(first) => {
                assert_eq!(first.kind(), "connection_established");
                reader.start = first.id.clone().expect("the first message says where the stream starts");
                reader.established = first.json;
                Ok(reader)
            }
            Next::Silence => panic!("a stream without a first message"),
            Next::Ended(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Asks where the stream must be refused.
    pub fn refused(&self) -> Answer {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = Client::connect(self.address).and_then(|mut client| client.request("GET", &self.path, &headers, b""));
        answer.expect("an answer")
    }

    /// Asks, reads the status, and goes away whatever it is.
    pub fn status(&self) -> io::Result<u16> {
        let mut socket = self.socket()?;
        socket.write_all(self.request().as_bytes())?;
        Ok(read_head(&mut socket)?.0.status)
    }

    fn socket(&self) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::for_address(self.address), Type::STREAM, Some(Protocol::TCP))?;
        if self.small_buffers {
            socket.set_recv_buffer_size(4 * 1024)?;
            socket.set_tcp_mss(536)?;
        }
        socket.connect_timeout(&self.address.into(), PATIENCE)?;
        let socket = TcpStream::from(socket);
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(socket)
    }

    fn request(&self) -> String {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        request_head("GET", &self.path, &headers) + "Accept: text/event-stream\r\n\r\n"
    }
}

/// What a stream gave.
#[derive(Debug)]
pub enum Next {
    /// A message.
    Message(Message),
    /// Nothing in the given time.
    Silence,
    /// The stream is over.
    Ended(End),
}

/// An open stream.
#[derive(Debug)]
pub struct Reader {
    socket: TcpStream,
    chunks: Chunks,
    events: Events,
    ready: VecDeque<Message>,
    end: Option<End>,
    pace: Option<u32>,
    last_id: Option<String>,
    /// Status and headers.
    pub head: Head,
    /// The `connection_established` that it began with.
    pub established: serde_json::Value,
    /// The position that it started behind.
    pub start: String,
}

impl Reader {
    fn new(socket: TcpStream, head: Head) -> Self {
        Self {
            socket,
            head,
            chunks: Chunks::default(),
            events: Events::default(),
            ready: VecDeque::new(),
            end: None,
            pace: None,
            last_id: None,
            established: serde_json::Value::Null,
            start: String::new(),
        }
    }

    /// Reads no more than so many bytes a second from now on.
    pub fn at_rate(mut self, bytes_per_second: u32) -> Self {
        self.pace = Some(bytes_per_second);
        self
    }

    /// What `EventSource` would give back as `Last-Event-ID` behind the message that was read last.
    pub fn last_id(&self) -> String {
        self.last_id.clone().expect("an id has come")
    }

    /// Every `retry:` that has come.
    pub fn retries(&self) -> &[u64] {
        &self.events.retries
    }

    /// The next message, whatever it is.
    pub fn message(&mut self) -> Message {
        match self.next_within(PATIENCE) {
            Next::Message(message) => message,
            other => panic!("expected a message, got {other:?}"),
        }
    }

    /// The next message of this type; heartbeats before it are passed over, nothing else is.
    pub fn expect(&mut self, kind: &str) -> Message {
        loop {
            let message = self.message();
            if message.kind() == kind {
                return message;
            }
            assert_eq!(message.kind(), "heartbeat", "expected {kind}, got {}", message.frame);
        }
    }

    /// The next notification.
    pub fn notification(&mut self) -> Message {
        self.expect("zone_port_notification")
    }

    /// The next so many notifications.
    pub fn notifications(&mut self, count: usize) -> Vec<Message> {
        (0..count).map(|_| self.notification()).collect()
    }

    /// Reads to the end of the stream: what still came, and how it ended.
    pub fn rest(&mut self) -> (Vec<Message>, End) {
        let mut messages = Vec::new();
        loop {
            match self.next_within(PATIENCE) {
                Next::Message(message) => messages.push(message),
                Next::Ended(end) => return (messages, end),
                Next::Silence => panic!("the stream did not end; last came {:?}", messages.last()),
            }
        }
    }

    /// The next message, if it comes within this time.
    pub fn next_within(&mut self, patience: Duration) -> Next {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(message) = self.ready.pop_front() {
                if message.id.is_some() {
                    self.last_id.clone_from(&message.id);
                }
                return Next::Message(message);
            }
            if let Some(end) = self.end {
                return Next::Ended(end);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Next::Silence;
            }
            self.read(left);
        }
    }

    /// Whether nothing happens for a while: no end, and no message but heartbeats.
    pub fn stays_open(&mut self, patience: Duration) -> bool {
        loop {
            match self.next_within(patience) {
                Next::Message(message) if message.kind() == "heartbeat" => {}
                Next::Silence => return true,
                Next::Message(_) | Next::Ended(_) => return false,
            }
        }
    }

    /// Says that nothing more will be sent, and keeps reading.
    pub fn half_close(&self) {
        self.socket.shutdown(Shutdown::Write).expect("half closed");
    }

    /// Goes away with a reset.
    pub fn reset(self) {
        SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)).expect("linger");
    }

    fn read(&mut self, patience: Duration) {
        // A slow reader takes a twentieth of its second at a time, and then waits that twentieth.
        let most = self.pace.map_or(64 * 1024, |pace| pace as usize / 20);
        let mut buffer = vec![0; most];
        self.socket.set_read_timeout(Some(patience)).expect("a read timeout");
        match self.socket.read(&mut buffer) {
            Ok(0) => self.end = Some(End::Cut),
            Ok(read) => {
                self.take_in(&buffer[..read]);
                if let Some(pace) = self.pace {
                    std::thread::sleep(Duration::from_secs_f64(read as f64 / f64::from(pace)));
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.end = Some(End::Cut),
        }
    }

    fn take_in(&mut self, bytes: &[u8]) {
        let content = self.chunks.feed(bytes);
        self.ready.extend(self.events.feed(&content));
        if self.chunks.ended {
            self.end = Some(End::Clean);
        }
    }
}
