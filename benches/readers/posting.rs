//! What the readers get: events that say their number, at a pace, and how long each took.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Arrivals, MARK};

/// Posts all events at their pace: when each was sent.
pub async fn post(address: SocketAddr, start: Instant, events: usize, rate: u32) -> Vec<Duration> {
    let mut socket = tokio::net::TcpStream::connect(address).await.expect("a connection");
    socket.set_nodelay(true).expect("no delay");
    let (mut sent, mut answer) = (Vec::with_capacity(events), [0; 4096]);
    let mut pace = tokio::time::interval(Duration::from_secs(1) / rate);
    for number in 0..events {
        pace.tick().await;
        let filler = "~".repeat(700);
        let body = format!(
            r#"{{"custom_reference":"u|false","vessel":{{"imo":"9999993"}},"event":{{"type":"zone_entry","id":"{MARK}{number}","remark":"{filler}"}}}}"#
        );
        sent.push(start.elapsed());
        let head = "POST /notifications/webhook/zone-port-event HTTP/1.1\r\nHost: lookout.test\r\n";
        socket.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.expect("a webhook");
        let read = socket.read(&mut answer).await.expect("an answer");
        assert!(answer[..read].starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer[..read]));
    }
    sent
}

/// How long each delivery took, shortest first.
pub fn latencies(arrivals: Arrivals, sent: &[Duration]) -> Vec<Duration> {
    let took = |(number, at): (u32, Duration)| at.saturating_sub(sent[number as usize]);
    let mut latencies: Vec<Duration> = arrivals.into_iter().map(took).collect();
    latencies.sort_unstable();
    latencies
}
