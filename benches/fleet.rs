//! What several nodes cost: how long a webhook takes to a reader on its own node and on another one, and the CPU time of each node.
//!
//! One MongoDB, one Redis; all webhooks go to the first node, so every other node has its entries from the bus.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot be made ends with a panic")]

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use memchr::memmem::Finder;
use server::Server;
use servers::{Mongod, Redis};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Barrier,
    task::JoinHandle,
};

mod server;
#[path = "../tests/servers/mod.rs"]
#[allow(dead_code, unused_imports, reason = "no proxy is measured")]
mod servers;

const RATE: u32 = 50;
const EVENTS: usize = 500;
/// Stands before an event's number in its id.
const MARK: &[u8] = b"fleet-event-";
/// So long after the last webhook a reader that has not everything is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Each event's number and when it arrived.
type Arrivals = Vec<(usize, Duration)>;

fn main() {
    for (nodes, readers) in [(2, 1), (1, 250), (2, 250), (4, 250), (2, 1_000)] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(measure(nodes, readers));
    }
}

async fn measure(nodes: usize, readers: usize) {
    let (mongod, redis) = (Mongod::start(), Redis::start());
    let folder = tempfile::tempdir().expect("a folder");
    let (uri, url) = (mongod.uri(), redis.url());
    let settings = [
        ("LOOKOUT__STORE__KIND", "mongodb"),
        ("LOOKOUT__STORE__URI", &*uri),
        ("LOOKOUT__CLUSTER__KIND", "redis"),
        ("LOOKOUT__CLUSTER__URL", &*url),
        ("LOOKOUT__AUTH__MODE", "open"),
        ("LOOKOUT__STREAM__MAX_CONNECTIONS", "2000"),
        ("LOOKOUT__LOG__LEVEL", "warn"),
    ];
    let fleet: Vec<Server> = (0..nodes).map(|_| Server::start(folder.path(), &settings)).collect();
    let ready = Arc::new(Barrier::new(nodes * readers + 1));
    let start = Instant::now();
    let reading: Vec<Vec<_>> =
        fleet.iter().map(|node| (0..readers).map(|_| tokio::spawn(read(node.address, start, ready.clone()))).collect()).collect();
    ready.wait().await;
    let (before, readers_before) = (fleet.iter().map(Server::cpu_seconds).collect::<Vec<_>>(), own_cpu());
    let sent = post(fleet[0].address, start).await;
    let mut arrived = Vec::new();
    for node in reading {
        arrived.push(latencies(node, &sent).await);
    }
    let cpu: Vec<f64> = fleet.iter().zip(&before).map(|(node, before)| node.cpu_seconds() - before).collect();
    let all = nodes * readers * EVENTS;
    let own = (own_cpu() - readers_before) / all as f64 * 1e6;
    println!(
        "{nodes} nodes, {readers} readers a node, {RATE} events/s; reading costs {own:.2} µs CPU a delivery on the same cores"
    );
    for (node, (latencies, cpu)) in arrived.iter().zip(&cpu).enumerate() {
        let (whole, all) = (latencies.len(), EVENTS * readers);
        let at = |quantile: f64| latencies[((whole - 1) as f64 * quantile) as usize].as_secs_f64() * 1e3;
        let role = if node == 0 { "takes the webhooks" } else { "hears by the bus" };
        println!(
            "  node {node} ({role}): {whole} of {all} delivered, p50 {:.2} ms, p99 {:.2} ms, {:.2} µs CPU a delivery, {:.0} µs CPU an event",
            at(0.50),
            at(0.99),
            cpu / whole as f64 * 1e6,
            cpu / EVENTS as f64 * 1e6,
        );
    }
}

/// What posting and reading itself has cost so far.
fn own_cpu() -> f64 {
    server::cpu_seconds(std::process::id())
}

/// When each event arrived, since `start`.
async fn read(address: SocketAddr, start: Instant, ready: Arc<Barrier>) -> io::Result<Arrivals> {
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(b"GET /notifications/zone-port-events/stream?user_id=u HTTP/1.1\r\nHost: lookout.test\r\n\r\n").await?;
    let (find, mut bytes, mut arrived) = (Finder::new(MARK), Vec::with_capacity(16 * 1024), Vec::with_capacity(EVENTS));
    socket.read_buf(&mut bytes).await?;
    bytes.clear();
    ready.wait().await;
    while arrived.len() < EVENTS && socket.read_buf(&mut bytes).await? > 0 {
        let now = start.elapsed();
        let mut done = 0;
        for at in find.find_iter(&bytes) {
            let digits = &bytes[at + MARK.len()..];
            let Some(end) = digits.iter().position(|byte| !byte.is_ascii_digit()) else { break };
            arrived.push((std::str::from_utf8(&digits[..end]).expect("digits").parse().expect("a number"), now));
            done = at + MARK.len() + end;
        }
        // What is kept may be the beginning of a mark.
        bytes.drain(..done.max(bytes.len().saturating_sub(MARK.len() + 8)));
    }
    Ok(arrived)
}

/// Posts all events at their pace: when each was sent.
async fn post(address: SocketAddr, start: Instant) -> Vec<Duration> {
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    socket.set_nodelay(true).expect("no delay");
    let (mut sent, mut answer) = (Vec::with_capacity(EVENTS), [0; 4096]);
    let mut pace = tokio::time::interval(Duration::from_secs(1) / RATE);
    for number in 0..EVENTS {
        pace.tick().await;
        let filler = "~".repeat(700);
        let body = format!(
            r#"{{"custom_reference":"u|false","vessel":{{"imo":"9999993"}},"event":{{"type":"zone_entry","id":"fleet-event-{number}","remark":"{filler}"}}}}"#
        );
        sent.push(start.elapsed());
        let head = "POST /notifications/webhook/zone-port-event HTTP/1.1\r\nHost: lookout.test\r\n";
        socket.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.expect("a webhook");
        let read = socket.read(&mut answer).await.expect("an answer");
        assert!(answer[..read].starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer[..read]));
    }
    sent
}

async fn latencies(readers: Vec<JoinHandle<io::Result<Arrivals>>>, sent: &[Duration]) -> Vec<Duration> {
    let mut latencies = Vec::new();
    for reader in readers {
        // One timer a reader, not one a read: the readers share the processors with what is measured.
        let arrived = tokio::time::timeout(PATIENCE, reader).await.expect("all has come").expect("a reader").expect("a stream");
        latencies.extend(arrived.into_iter().map(|(number, at)| at.saturating_sub(sent[number])));
    }
    latencies.sort_unstable();
    latencies
}
