//! Clients that take their time: each head, body and handshake has its own, and thousands that dawdle are nobody's trouble.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use crate::support::{Answer, Client, Doors, Hub, Identity, PATIENCE, Server, Setup, Trust, USER, event, marker, wait_for};

const WEBHOOK: &str = "/notifications/webhook/zone-port-event";
const HISTORY: &str = "/notifications/zone-port-notifications?user_id=test_user";

/// Checks that this is the last answer on its connection.
fn assert_last(answer: &Answer, mut client: Client) {
    assert_eq!(answer.head.header("connection").as_deref(), Some("close"));
    assert!(client.answer(false).is_err(), "nothing may follow");
}

/// A hub that gives a head half a second.
fn impatient() -> Setup {
    Setup::new().with(|config| config.server.head_timeout = Duration::from_millis(500))
}

#[test]
fn the_half_of_a_head_is_408_on_a_fresh_connection_and_on_a_used_one() {
    let hub = impatient().start();
    for used in [false, true] {
        let mut client = Client::connect(hub.public).unwrap();
        if used {
            client.request("GET", HISTORY, &[], b"").unwrap().assert_success();
        }
        let start = Instant::now();
        client.send(b"GET /sse_test_client.html HTTP/1.1\r\nHost: loo").unwrap();
        let answer = client.answer(false).unwrap();
        assert_eq!(answer.assert_error(408)["error"], "head_too_slow");
        assert!(start.elapsed() > Duration::from_millis(400), "{:?}", start.elapsed());
        assert_eq!(answer.head.header("x-content-type-options").as_deref(), Some("nosniff"));
        assert_last(&answer, client);
    }
    assert_eq!(hub.metric("lookout_limited_total"), 2.0);
}

#[test]
fn a_head_that_trickles_has_no_more_time_than_one_that_stands_still() {
    let hub = impatient().start();
    let mut client = Client::connect(hub.public).unwrap();
    let start = Instant::now();
    let sent = b"GET /sse_test_client.html HTTP/1.1\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'a')).position(|byte| {
        std::thread::sleep(Duration::from_millis(20));
        client.send(&[*byte]).is_err() || start.elapsed() > PATIENCE
    });
    assert!(start.elapsed() < PATIENCE, "after {sent:?} bytes");
    assert_eq!(hub.metric("lookout_limited_total"), 1.0);
}

#[test]
fn a_stream_outlives_the_time_of_its_head() {
    let hub = impatient().start();
    let mut reader = hub.reader(USER);
    assert!(matches!(reader.next_within(Duration::from_secs(1)), crate::support::Next::Silence));
    hub.post_kept(event("test_user|false", "a"));
    assert_eq!(marker(&reader.notification().json), "a");
}

#[test]
fn a_large_head_is_431_and_one_within_the_limit_is_not() {
    let hub = Setup::new().with(|config| config.server.max_head = 8 * 1024).start();
    let head = |length: usize| vec![("X-Padding", "p".repeat(length))];
    let ask = |headers: &[(&str, String)]| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        hub.ask("GET", HISTORY, &headers)
    };
    ask(&head(7_000)).assert_success();
    let mut client = Client::connect(hub.public).unwrap();
    client.send(format!("GET / HTTP/1.1\r\nX-Padding: {}", "p".repeat(100_000)).as_bytes()).unwrap();
    let answer = client.answer(false).unwrap();
    assert_eq!(answer.assert_error(431)["error"], "head_too_large");
    assert_last(&answer, client);
    assert_eq!(ask(&head(9_000)).assert_error(431)["error"], "head_too_large");
    assert_eq!(hub.metric("lookout_limited_total"), 2.0);
    // A body is no head, whatever it holds.
    hub.post_bytes(&b"\r\n".repeat(20_000), &[]).assert_error(400);
}

#[test]
fn what_is_no_request_is_400_in_the_shape_of_every_error() {
    let hub = Hub::start();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nNo colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut client = Client::connect(hub.public).unwrap();
        client.send(bytes).unwrap();
        let answer = client.answer(false).unwrap();
        assert_eq!(answer.assert_error(400)["error"], "bad_request", "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_connection_without_a_request_is_closed_after_keep_alive() {
    let setup = Setup::new().with(|config| config.server.keep_alive = Duration::from_millis(500));
    let hub = setup.start();
    let mut client = Client::connect(hub.public).unwrap();
    client.request("GET", HISTORY, &[], b"").unwrap().assert_success();
    let start = Instant::now();
    assert!(client.answer(false).is_err(), "nothing was asked");
    assert!(start.elapsed() > Duration::from_millis(400) && start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

/// Opens so many connections that send this and then nothing.
fn dawdle(address: SocketAddr, count: usize, beginning: &[u8]) -> Vec<TcpStream> {
    let open = |_| {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.write_all(beginning).unwrap();
        socket
    };
    (0..count).map(open).collect()
}

/// How long the slowest of some webhooks took from its posting to the stream.
fn slowest_round(doors: &Doors, trust: Option<&Trust>, name: &str) -> Duration {
    let stream = doors.stream(USER);
    let mut reader = trust.map_or(stream.clone(), |trust| stream.securely(trust)).connect();
    let rounds = (0..20).map(|round| {
        let name = format!("{name}-{round}");
        let start = Instant::now();
        let client = trust.map_or_else(|| Client::connect(doors.ingest), |trust| Client::connect_securely(doors.ingest, trust));
        let body = event("test_user|false", &name).to_string();
        client.unwrap().request("POST", WEBHOOK, &[], body.as_bytes()).unwrap().assert_success();
        assert_eq!(marker(&reader.notification().json), name);
        start.elapsed()
    });
    rounds.max().unwrap()
}

/// Checks that the service is as quick as it was.
fn assert_unharmed(before: Duration, after: Duration) {
    // Far above what a busy machine adds, far below any time that a dawdler is given.
    assert!(after < before * 5 + Duration::from_millis(500), "{after:?}, before it was {before:?}");
}

#[test]
fn two_thousand_halves_of_heads_and_bodies_leave_the_service_unharmed() {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let server = Server::start(&[("SERVER__HEAD_TIMEOUT", "60s"), ("INGEST__BODY_TIMEOUT", "60s")]);
    let before = slowest_round(&server, None, "before");
    let body =
        b"POST /notifications/webhook/zone-port-event HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{\"custom_reference";
    let _silent = dawdle(server.public, 500, b"");
    let _heads = dawdle(server.public, 500, b"POST /notifications/webhook/zone-port-event HTTP/1.1\r\nHost: a");
    let _announced = dawdle(server.public, 200, &body[..body.len() - 18]);
    let bodies = dawdle(server.public, 800, body);
    // As many bodies as there are places, and those that took theirs away were told so.
    wait_for("all places to be taken", || (server.metric("lookout_webhooks_in_flight") == 256.0).then_some(()));
    assert_unharmed(before, slowest_round(&server, None, "meanwhile"));
    server.history("");
    drop(bodies);
    server.wait_for_metric("lookout_webhooks_in_flight", 0.0);
    assert_unharmed(before, slowest_round(&server, None, "after"));
}

#[test]
fn two_thousand_halves_of_handshakes_leave_the_service_unharmed() {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let identity = Identity::new();
    let (certificate, key, trust) = (identity.certificate(), identity.key(), identity.trust());
    let server = Server::start(&[
        ("SERVER__TLS_CERT", certificate.to_str().unwrap()),
        ("SERVER__TLS_KEY", key.to_str().unwrap()),
        ("SERVER__HEAD_TIMEOUT", "60s"),
    ]);
    let before = slowest_round(&server, Some(&trust), "before");
    let mut hello = rustls::ClientConnection::new(trust.client(&["h2"]), "localhost".try_into().unwrap()).unwrap();
    let mut bytes = Vec::new();
    hello.write_tls(&mut bytes).unwrap();
    let _silent = dawdle(server.public, 500, b"");
    let _halves = dawdle(server.public, 1_000, &bytes[..bytes.len() / 2]);
    // These have the server's part of the handshake, and never finish it.
    let _unfinished = dawdle(server.public, 500, &bytes);
    assert_unharmed(before, slowest_round(&server, Some(&trust), "meanwhile"));
}

#[test]
fn whoever_dawdles_is_gone_when_its_time_is_over() {
    let settings = [("SERVER__HEAD_TIMEOUT", "1s"), ("INGEST__BODY_TIMEOUT", "1s"), ("SERVER__KEEP_ALIVE", "1s")];
    let server = Server::start(&settings);
    let body = b"POST /notifications/webhook/zone-port-event HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{";
    let beginnings = [&b""[..], b"G", &body[..20], &body[..body.len() - 1], body];
    for mut socket in beginnings.into_iter().flat_map(|beginning| dawdle(server.public, 20, beginning)) {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut said = Vec::new();
        socket.read_to_end(&mut said).unwrap();
        assert!(said.starts_with(b"HTTP/1.1 408 "), "{}", said.escape_ascii());
    }
    assert_eq!(server.metric("lookout_limited_total"), 100.0);
    let lines = server.log().matches("event=limited limit=").count();
    assert!((2..20).contains(&lines), "{lines} lines of 100 refusals: {}", server.log());
}
