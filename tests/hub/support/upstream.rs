//! Another system that Lookout asks: answers as it is told, slowly or wrongly too, and remembers what it was asked.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use memchr::memmem::find;

/// One request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The method and the path.
    pub line: String,
    /// Its headers, in order, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

impl Asked {
    /// The values of a header.
    pub fn header(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// How it answers.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Further headers, each with its line end.
    pub headers: String,
    /// The body.
    pub body: Vec<u8>,
    /// How long it thinks.
    pub after: Duration,
}

impl Reply {
    /// This status, at once and without a body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: String::new(), body: Vec::new(), after: Duration::ZERO }
    }

    /// This body.
    pub fn body(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::status(200) }
    }

    /// The same after a while.
    pub fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

type Answering = Box<dyn Fn(&Asked) -> Reply + Send>;

struct Shared {
    answering: Mutex<Answering>,
    asked: Mutex<Vec<Asked>>,
    open: Mutex<Vec<TcpStream>>,
    stopped: std::sync::atomic::AtomicBool,
}

/// The system. Gone when dropped.
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Upstream {
    /// One that answers so.
    pub fn start(answering: impl Fn(&Asked) -> Reply + Send + 'static) -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into(), answering)
    }

    /// The same at a known address.
    pub fn start_at(address: SocketAddr, answering: impl Fn(&Asked) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind(address).expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            answering: Mutex::new(Box::new(answering)),
            asked: Mutex::default(),
            open: Mutex::default(),
            stopped: false.into(),
        });
        let serving = shared.clone();
        let thread = std::thread::spawn(move || {
            for socket in listener.incoming() {
                if serving.stopped.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                let shared = serving.clone();
                // A connection ends when its peer ends it or when it makes no sense.
                std::thread::spawn(move || socket.map(|socket| serve(socket, &shared)));
            }
        });
        Self { address, shared, thread: Some(thread) }
    }

    /// Where it is.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on it answers so.
    pub fn answer(&self, answering: impl Fn(&Asked) -> Reply + Send + 'static) {
        *lock(&self.shared.answering) = Box::new(answering);
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.stopped.store(true, std::sync::atomic::Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        lock(&self.shared.open).iter().for_each(|socket| drop(socket.shutdown(Shutdown::Both)));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T: ?Sized>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(mut socket: TcpStream, shared: &Shared) -> Option<()> {
    lock(&shared.open).push(socket.try_clone().ok()?);
    let mut bytes = Vec::new();
    loop {
        let asked = read(&mut socket, &mut bytes)?;
        lock(&shared.asked).push(asked.clone());
        let Reply { status, headers, body, after } = lock(&shared.answering)(&asked);
        std::thread::sleep(after);
        let head = format!("HTTP/1.1 {status} Reason\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
        socket.write_all(&[head.as_bytes(), &body].concat()).ok()?;
    }
}

fn read(socket: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Asked> {
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = find(bytes, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let mut lines = head.split("\r\n");
            let line = lines.next()?.rsplit_once(' ')?.0.to_owned();
            let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
            let headers: Vec<_> = lines.filter_map(header).collect();
            let length =
                headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap_or(0));
            if bytes.len() >= end + 4 + length {
                let body = String::from_utf8_lossy(&bytes[end + 4..end + 4 + length]).into_owned();
                bytes.drain(..end + 4 + length);
                return Some(Asked { line, headers, body });
            }
        }
        match socket.read(&mut buffer).ok()? {
            0 => return None,
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}
