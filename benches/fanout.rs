//! What one delivery costs the server, beside the floor: a process that does nothing but one `write` a reader and message.
//!
//! `LOOKOUT_BENCH_READERS` (2,000) and `LOOKOUT_BENCH_MESSAGES` (200, at 20 a second) change the size.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot be made ends with a panic")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{io::AsyncReadExt, sync::mpsc};

use server::{Server, cpu_seconds, free_address};

mod server;

const PACE: Duration = Duration::from_millis(50);
/// The argument that makes this program the floor.
const FLOOR: &str = "--floor";

fn main() {
    let mut arguments = std::env::args().skip_while(|argument| argument != FLOOR).skip(1);
    if let Some(address) = arguments.next() {
        return floor(address.parse().expect("an address"));
    }
    let number = |name: &str, default| std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default);
    let (readers, messages) = (number("LOOKOUT_BENCH_READERS", 2_000), number("LOOKOUT_BENCH_MESSAGES", 200));

    let bare = Floor::start();
    let floor = measure("floor", bare.address, readers, messages, || cpu_seconds(bare.process.id()));
    drop(bare);
    let folder = tempfile::tempdir().expect("a folder");
    let most = readers.to_string();
    let settings =
        [("LOOKOUT__AUTH__MODE", "open"), ("LOOKOUT__STREAM__MAX_CONNECTIONS", most.as_str()), ("LOOKOUT__LOG__LEVEL", "warn")];
    let server = Server::start(folder.path(), &settings);
    let lookout = measure("lookout", server.address, readers, messages, || server.cpu_seconds());
    println!("ratio    {:.2} in CPU a delivery", lookout / floor);
}

/// Microseconds of CPU a delivery.
fn measure(name: &str, address: SocketAddr, readers: usize, messages: usize, cpu: impl Fn() -> f64) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let epoch = Instant::now();
    let (told, mut heard) = mpsc::unbounded_channel();
    let open = runtime.block_on(async {
        let mut open = Vec::new();
        for reader in 0..readers {
            open.push(connect(address, reader).await);
        }
        open
    });
    for stream in open {
        runtime.spawn(read(stream, epoch, told.clone()));
    }
    let before = cpu();
    let publisher = std::thread::spawn(move || publish(address, messages, epoch));
    let mut latencies: Vec<Duration> = Vec::with_capacity(readers * messages);
    runtime.block_on(async {
        while latencies.len() < readers * messages {
            let latency =
                tokio::time::timeout(Duration::from_secs(30), heard.recv()).await.expect("every message reaches every reader");
            latencies.push(latency.expect("readers live"));
        }
    });
    publisher.join().expect("every message is accepted");
    let cost = (cpu() - before) / latencies.len() as f64 * 1e6;
    latencies.sort_unstable();
    let at = |quantile: f64| latencies[((latencies.len() - 1) as f64 * quantile) as usize].as_secs_f64() * 1e3;
    println!(
        "{name:8} {readers} readers, {messages} messages: {cost:.2} µs of CPU a delivery, p50 {:.1} ms, p99 {:.1} ms",
        at(0.50),
        at(0.99)
    );
    cost
}

async fn connect(address: SocketAddr, reader: usize) -> tokio::net::TcpStream {
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("the server listens");
    let request = format!("GET /notifications/zone-port-events/stream?user_id=u{reader} HTTP/1.1\r\nHost: lookout.test\r\n\r\n");
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.expect("the server reads");
    let mut head = [0; 2048];
    let length = stream.read(&mut head).await.expect("the server answers");
    assert!(head[..length].starts_with(b"HTTP/1.1 200"), "the stream is open");
    stream
}

/// Reports how long each message took: its body carries when it was sent.
async fn read(mut stream: tokio::net::TcpStream, epoch: Instant, told: mpsc::UnboundedSender<Duration>) {
    const MARK: &[u8] = b"bench_sent\":";
    let (mut buffer, mut kept) = (vec![0; 64 * 1024], 0);
    while let Ok(length @ 1..) = stream.read(&mut buffer[kept..]).await {
        let now = epoch.elapsed();
        let filled = kept + length;
        let mut from = 0;
        while let Some(at) = memchr::memmem::find(&buffer[from..filled], MARK) {
            let start = from + at + MARK.len();
            let digits = buffer[start..filled].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if start + digits == filled {
                break;
            }
            let sent: u64 = std::str::from_utf8(&buffer[start..start + digits]).expect("digits").parse().expect("a number");
            let _ = told.send(now.saturating_sub(Duration::from_nanos(sent)));
            from = start + digits;
        }
        let keep_from = from.max(filled.saturating_sub(64));
        buffer.copy_within(keep_from..filled, 0);
        kept = filled - keep_from;
    }
}

fn publish(address: SocketAddr, messages: usize, epoch: Instant) {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_nodelay(true).expect("a socket");
    let (start, filler) = (Instant::now(), "x".repeat(700));
    for message in 0..messages {
        std::thread::sleep((PACE * message as u32).saturating_sub(start.elapsed()));
        let sent = epoch.elapsed().as_nanos();
        let body = format!(
            r#"{{"custom_reference":"bench|false","vessel":{{"imo":"9999993"}},"event":{{"type":"zone_entry","id":"{message}","bench_sent":{sent},"text":"{filler}"}}}}"#
        );
        write!(
            stream,
            "POST /notifications/webhook/zone-port-event HTTP/1.1\r\nHost: lookout.test\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("the server reads");
        let mut answer = [0; 1024];
        let length = stream.read(&mut answer).expect("the server answers");
        assert!(answer[..length].starts_with(b"HTTP/1.1 200"), "the message is accepted");
    }
}

/// The floor as a process of its own, so that its CPU time can be read as the server's is.
struct Floor {
    address: SocketAddr,
    process: Child,
}

impl Floor {
    fn start() -> Self {
        let address = free_address();
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        let process = command.args([FLOOR, &address.to_string()]).stdin(Stdio::null()).spawn().expect("the floor starts");
        while TcpStream::connect(address).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { address, process }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One thread for readers' requests, one that writes every posted body to every reader.
fn floor(address: SocketAddr) {
    let listener = TcpListener::bind(address).expect("a free port");
    let readers: Arc<std::sync::Mutex<Vec<TcpStream>>> = Arc::default();
    for stream in listener.incoming() {
        let mut stream = stream.expect("a connection");
        let mut request = vec![0; 64 * 1024];
        let Ok(mut length @ 1..) = stream.read(&mut request) else { continue };
        stream.set_nodelay(true).expect("a socket");
        if request.starts_with(b"GET") {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n").expect("a reader");
            stream.set_nonblocking(true).expect("a socket");
            readers.lock().expect("readers").push(stream);
            continue;
        }
        let readers = readers.clone();
        std::thread::spawn(move || {
            loop {
                let body = memchr::memmem::find(&request[..length], b"\r\n\r\n").expect("a whole request") + 4;
                let mut frame = b"data: ".to_vec();
                frame.extend_from_slice(&request[body..length]);
                frame.extend_from_slice(b"\n\n");
                for reader in readers.lock().expect("readers").iter_mut() {
                    let _ = reader.write(&frame);
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").expect("a publisher");
                length = match stream.read(&mut request) {
                    Ok(length @ 1..) => length,
                    _ => return,
                };
            }
        });
    }
}
