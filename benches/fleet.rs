//! What several nodes cost: how long a webhook takes to a reader on its own node and on another one, and the CPU time of each node.
//!
//! One MongoDB, one Redis; all webhooks go to the first node, so every other node has its entries from the bus.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot be made ends with a panic")]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use readers::{Readers, latencies, post};
use server::Server;
use servers::{Mongod, Redis};

mod readers;
mod server;
#[path = "../tests/servers/mod.rs"]
#[allow(dead_code, unused_imports, reason = "no proxy is measured")]
mod servers;

const RATE: u32 = 50;
const EVENTS: usize = 500;

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
    let addresses: Vec<SocketAddr> = fleet.iter().map(|node| node.address).collect();
    let open = Readers::open(&addresses, readers);
    let start = Instant::now();
    let (before, readers_before) = (fleet.iter().map(Server::cpu_seconds).collect::<Vec<_>>(), own_cpu());
    let reading = std::thread::spawn(move || open.read(EVENTS, start));
    let sent = post(fleet[0].address, start, EVENTS, RATE).await;
    let arrived: Vec<Vec<Duration>> =
        reading.join().expect("everything arrives").into_iter().map(|arrivals| latencies(arrivals, &sent)).collect();
    let cpu: Vec<f64> = fleet.iter().zip(&before).map(|(node, before)| node.cpu_seconds() - before).collect();
    let all = nodes * readers * EVENTS;
    let own = (own_cpu() - readers_before) / all as f64 * 1e6;
    println!(
        "{nodes} nodes, {readers} readers a node, {RATE} events/s; reading costs {own:.2} µs CPU a delivery on the same cores"
    );
    for (node, (latencies, cpu)) in arrived.iter().zip(&cpu).enumerate() {
        let all = EVENTS * readers;
        let at = |quantile: f64| latencies[((latencies.len() - 1) as f64 * quantile) as usize].as_secs_f64() * 1e3;
        let role = if node == 0 { "takes the webhooks" } else { "hears by the bus" };
        println!(
            "  node {node} ({role}): {all} delivered, p50 {:.2} ms, p99 {:.2} ms, {:.2} µs CPU a delivery, {:.0} µs CPU an event",
            at(0.50),
            at(0.99),
            cpu / all as f64 * 1e6,
            cpu / EVENTS as f64 * 1e6,
        );
    }
}

/// What posting and reading itself has cost so far.
fn own_cpu() -> f64 {
    server::cpu_seconds(std::process::id())
}
