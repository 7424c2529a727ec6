//! Webhooks of about 1 KB from many keep-alive senders at once, each posting the next one when the last was acknowledged.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::server::Server;

/// Connections that post.
pub const SENDERS: usize = 64;
const RUN: Duration = Duration::from_secs(10);
const WARM_UP: Duration = Duration::from_secs(1);

/// Measures a server, prints what it did, and gives the webhooks that it acknowledged a second.
pub fn acknowledged_a_second(server: &Server) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(load(server.address, "warm-up", WARM_UP));
    let before = server.cpu_seconds();
    let start = Instant::now();
    let mut latencies = runtime.block_on(load(server.address, "run", RUN));
    let (elapsed, cpu) = (start.elapsed().as_secs_f64(), server.cpu_seconds() - before);
    latencies.sort_unstable();
    let count = latencies.len() as f64;
    let at = |quantile: f64| latencies[((count - 1.0) * quantile) as usize].as_secs_f64() * 1e3;
    println!("lookout  {:.0} acknowledged/s ({SENDERS} connections, {elapsed:.1} s)", count / elapsed);
    println!("         p50 {:.2} ms, p99 {:.2} ms, {:.1} µs of server CPU a webhook", at(0.50), at(0.99), cpu / count * 1e6);
    count / elapsed
}

/// Posts from all senders for so long: how long each acknowledgement took.
async fn load(address: SocketAddr, name: &'static str, run: Duration) -> Vec<Duration> {
    let deadline = Instant::now() + run;
    let senders: Vec<_> = (0..SENDERS).map(|sender| tokio::spawn(send(address, format!("{name}-{sender}"), deadline))).collect();
    let mut latencies = Vec::new();
    for sender in senders {
        latencies.extend(sender.await.expect("a sender").expect("every webhook is acknowledged"));
    }
    latencies
}

async fn send(address: SocketAddr, name: String, deadline: Instant) -> io::Result<Vec<Duration>> {
    let mut socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let (mut latencies, mut answer) = (Vec::new(), Vec::with_capacity(1024));
    for round in 0.. {
        let body = body(&format!("{name}-{round}"));
        let request = format!(
            "POST /notifications/webhook/zone-port-event HTTP/1.1\r\nHost: lookout.test\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let start = Instant::now();
        if start >= deadline {
            break;
        }
        socket.write_all(request.as_bytes()).await?;
        answer.clear();
        while !is_whole(&answer) {
            if socket.read_buf(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            return Err(io::Error::other(String::from_utf8_lossy(&answer).into_owned()));
        }
        latencies.push(start.elapsed());
    }
    Ok(latencies)
}

/// Whether the answer has as many bytes behind its head as its length says.
fn is_whole(answer: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(answer) else { return false };
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().expect("a length"))
    });
    body.len() >= length.expect("the answer has a length")
}

/// An event of about 1 KB; `id` makes it one of its own.
fn body(id: &str) -> String {
    format!(
        concat!(
            r#"{{"custom_reference":"test_user|false","vessel":{{"imo":"9999993","mmsi":"636999901","name":"NORDLYS PIONEER","#,
            r#""call_sign":"A8TT1","flag":"LR","type":"bulk carrier","dimensions":{{"length_m":229.0,"beam_m":32.3,"draught_m":9.7}},"#,
            r#""destination":"Southern Roads","eta":"2026-11-25T06:00:00Z"}},"event":{{"type":"zone_entry","id":"{id}","#,
            r#""timestamp":"2026-11-23T10:35:00Z","zone":{{"id":"zone-81","name":"Northern Shelf approach, outer limit","#,
            r#""kind":"port_approach","country":"Norway","description":"Vessels bound for the inner harbours report here"}},"#,
            r#""position":{{"latitude":63.91204,"longitude":7.40311,"speed_kn":11.3,"course_deg":178.5,"heading_deg":181,"#,
            r#""nav_status":"under way using engine","source":"terrestrial"}},"previous_zone":{{"id":"zone-80","#,
            r#""name":"Shelf traffic separation scheme, northbound lane","left_at":"2026-11-23T10:12:40Z"}},"#,
            r#""voyage":{{"departed":"Eastern Quay","departed_at":"2026-11-19T22:05:00Z","cargo":"iron ore","reference":"V-2291"}}}}}}"#
        ),
        id = id
    )
}
