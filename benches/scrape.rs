//! What a scrape of `/metrics` takes with very many streams open and deliveries going out, and whether deliveries notice.
//!
//! `LOOKOUT_BENCH_READERS` (19,000) changes the number of streams.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot be made ends with a panic")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use readers::{Readers, latencies, post};
use server::Server;

mod readers;
mod server;

const RATE: u32 = 4;
const EVENTS: usize = 60;
/// Far more often than Prometheus does.
const SCRAPE_EVERY: Duration = Duration::from_millis(100);

fn main() {
    let streams = std::env::var("LOOKOUT_BENCH_READERS").ok().and_then(|value| value.parse().ok()).unwrap_or(19_000_usize);
    for scraped in [false, true] {
        let most = streams.to_string();
        let folder = tempfile::tempdir().expect("a folder");
        let settings =
            [("LOOKOUT__AUTH__MODE", "open"), ("LOOKOUT__STREAM__MAX_CONNECTIONS", &most), ("LOOKOUT__LOG__LEVEL", "warn")];
        let server = Server::start(folder.path(), &settings);
        let open = Readers::open(&[server.address], streams);
        let over = Arc::new(AtomicBool::new(!scraped));
        let scraping = {
            let (admin, over) = (server.admin, over.clone());
            std::thread::spawn(move || scrape(admin, &over))
        };
        let (start, before) = (Instant::now(), server.cpu_seconds());
        let reading = std::thread::spawn(move || open.read(EVENTS, start));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let sent = runtime.block_on(post(server.address, start, EVENTS, RATE));
        let arrived = reading.join().expect("everything arrives").remove(0);
        let cpu = (server.cpu_seconds() - before) / (streams * EVENTS) as f64 * 1e6;
        over.store(true, Ordering::Relaxed);
        let mut scrapes = scraping.join().expect("every scrape is answered");
        scrapes.sort_unstable();
        let of = if scraped { "scraped" } else { "not scraped" };
        println!(
            "{streams} streams, {RATE} events/s, {of}: a delivery took {}, {cpu:.2} µs of CPU",
            told(&latencies(arrived, &sent))
        );
        if scraped {
            println!("  {} scrapes took {}", scrapes.len(), told(&scrapes));
        }
    }
}

fn told(times: &[Duration]) -> String {
    let at = |quantile: f64| times[((times.len() - 1) as f64 * quantile) as usize].as_secs_f64() * 1e3;
    format!("p50 {:.1} ms, p99 {:.1} ms, at most {:.1} ms", at(0.50), at(0.99), at(1.0))
}

/// Scrapes until it is over: how long each took.
fn scrape(admin: SocketAddr, over: &AtomicBool) -> Vec<Duration> {
    let mut took = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let start = Instant::now();
        let mut socket = TcpStream::connect(admin).expect("a connection");
        let accept = "Accept: application/openmetrics-text";
        let request = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{accept}\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\n# EOF"), "{answer}");
        took.push(start.elapsed());
        std::thread::sleep(SCRAPE_EVERY);
    }
    took
}
