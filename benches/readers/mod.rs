//! Many readers that cost as little as readers can, since they share the processors with what is measured.
//!
//! Each tenth is woken for each delivery and tells when it came. The others look ten times a second whether everything has come:
//! a wake-up and a `read` for each delivery of each reader would cost nearly as much as the server itself.

mod posting;

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use memchr::memmem::Finder;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

pub use posting::{latencies, post};

/// Stands before an event's number in its id, with something else than a digit behind it.
const MARK: &str = "measured-event-";
/// Of so many readers one tells when its deliveries came; at least one of each node does.
const TIMED: usize = 10;
/// How often the others look.
const LOOK: Duration = Duration::from_millis(100);
/// Nothing has come for so long: something is lost.
const PATIENCE: Duration = Duration::from_secs(20);
/// A mark and a number are no longer than this.
const LONGEST_MARK: usize = 32;
const REQUEST: &[u8] = b"GET /notifications/zone-port-events/stream?user_id=u HTTP/1.1\r\nHost: lookout.test\r\n\r\n";

/// An event's number and when it arrived at one reader.
pub type Arrivals = Vec<(u32, Duration)>;

/// Streams that were opened and have said so.
pub struct Readers {
    /// Those that tell when, with the node of each.
    timed: Vec<(usize, Reader)>,
    counting: Vec<Reader>,
    nodes: usize,
}

impl Readers {
    /// Opens so many streams at each of the nodes.
    pub fn open(nodes: &[SocketAddr], each: usize) -> Self {
        let mut readers = Self { timed: Vec::new(), counting: Vec::new(), nodes: nodes.len() };
        for (node, address) in nodes.iter().enumerate() {
            for number in 0..each {
                let reader = Reader::open(*address);
                if number % TIMED == 0 { readers.timed.push((node, reader)) } else { readers.counting.push(reader) }
            }
        }
        readers
    }

    /// Reads until every reader has so many events: when they came to those of each node that tell.
    pub fn read(self, events: usize, start: Instant) -> Vec<Arrivals> {
        let Self { timed, counting, nodes } = self;
        let counting = thread::spawn(move || count(counting, events));
        let arrivals = time(timed, nodes, events, start);
        counting.join().expect("everything arrives");
        arrivals
    }
}

fn time(mut readers: Vec<(usize, Reader)>, nodes: usize, events: usize, start: Instant) -> Vec<Arrivals> {
    let epoll = Epoll::new(EpollCreateFlags::empty()).expect("an epoll");
    for (index, (_, reader)) in readers.iter().enumerate() {
        epoll.add(&reader.socket, EpollEvent::new(EpollFlags::EPOLLIN, index as u64)).expect("a watched socket");
    }
    let mut arrivals = vec![Vec::with_capacity(readers.len() * events); nodes];
    let (mut missing, mut ready) = (readers.len() * events, [EpollEvent::empty(); 256]);
    let patience = EpollTimeout::try_from(PATIENCE).expect("a timeout");
    while missing > 0 {
        let woken = epoll.wait(&mut ready, patience).expect("an epoll");
        assert!(woken > 0, "{missing} timed deliveries are missing");
        for event in &ready[..woken] {
            let (node, reader) = &mut readers[event.data() as usize];
            reader.read(|number| {
                arrivals[*node].push((number, start.elapsed()));
                missing -= 1;
            });
        }
    }
    arrivals
}

fn count(mut readers: Vec<Reader>, events: usize) {
    let (mut missing, mut last) = (readers.len() * events, Instant::now());
    while missing > 0 {
        thread::sleep(LOOK);
        let before = missing;
        for reader in &mut readers {
            while reader.read(|_| missing -= 1) {}
        }
        if missing < before {
            last = Instant::now();
        }
        assert!(last.elapsed() < PATIENCE, "{missing} deliveries are missing");
    }
}

struct Reader {
    socket: TcpStream,
    bytes: Vec<u8>,
    /// So much of `bytes` was read before: it may be the beginning of a mark.
    kept: usize,
}

impl Reader {
    fn open(address: SocketAddr) -> Self {
        let mut socket = TcpStream::connect(address).expect("a connection");
        socket.write_all(REQUEST).expect("a request");
        let mut bytes = vec![0; 16 * 1024];
        let read = socket.read(&mut bytes).expect("an answer");
        assert!(bytes[..read].starts_with(b"HTTP/1.1 200 "), "the stream is refused");
        socket.set_nonblocking(true).expect("a socket");
        Self { socket, bytes, kept: 0 }
    }

    /// Whether something was there.
    fn read(&mut self, mut arrived: impl FnMut(u32)) -> bool {
        let read = match self.socket.read(&mut self.bytes[self.kept..]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            read => read.expect("a stream"),
        };
        assert!(read > 0, "a stream has ended");
        let end = self.kept + read;
        let mut done = 0;
        for at in Finder::new(MARK).find_iter(&self.bytes[..end]) {
            let digits = &self.bytes[at + MARK.len()..end];
            let Some(length) = digits.iter().position(|byte| !byte.is_ascii_digit()) else { break };
            arrived(std::str::from_utf8(&digits[..length]).expect("digits").parse().expect("a number"));
            done = at + MARK.len() + length;
        }
        let rest = done.max(end.saturating_sub(LONGEST_MARK));
        self.bytes.copy_within(rest..end, 0);
        self.kept = end - rest;
        true
    }
}
