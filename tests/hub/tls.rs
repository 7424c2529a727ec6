//! TLS and HTTP/2: the same streams and webhooks, many of them on one connection, and no one's trouble is another's.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use h2::Reason;
use http::Method;
use nix::sys::signal::Signal;
use rustls::{ClientConnection, StreamOwned};
use serde_json::Value;

use crate::support::{
    Client, Http2, Identity, PATIENCE, Server, Setup, Trust, USER, batch, event, marker, sized_batch, wait_for,
};

const WEBHOOK: &str = "/notifications/webhook/zone-port-event";
const HISTORY: &str = "/notifications/zone-port-notifications?user_id=test_user";

/// A server process under TLS; the identity must outlive it.
fn server(identity: &Identity, settings: &[(&str, &str)]) -> Server {
    let (certificate, key) = (identity.certificate(), identity.key());
    let mut all = vec![
        ("SERVER__TLS_CERT", certificate.to_str().unwrap()),
        ("SERVER__TLS_KEY", key.to_str().unwrap()),
        ("SERVER__TLS_RELOAD_INTERVAL", "50ms"),
    ];
    all.extend(settings);
    Server::start(&all)
}

/// A connection on which HTTP/2 was agreed on, and on which nobody speaks it but the test.
fn http2_by_hand(address: SocketAddr, trust: &Trust) -> StreamOwned<ClientConnection, TcpStream> {
    let tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let client = ClientConnection::new(trust.client(&["h2"]), "localhost".try_into().unwrap()).unwrap();
    StreamOwned::new(client, tcp)
}

/// Posts webhooks on a connection of its own.
fn post(server: &Server, trust: &Trust, body: impl serde::Serialize) {
    let body = serde_json::to_vec(&body).unwrap();
    let mut client = Client::connect_securely(server.public, trust).unwrap();
    client.request("POST", WEBHOOK, &[], &body).unwrap().assert_success();
}

#[test]
fn both_versions_carry_streams_webhooks_history_and_the_page() {
    let identity = Identity::new();
    let (hub, trust) = (Setup::new().secured_by(&identity).start(), identity.trust());
    let mut one = hub.stream(USER).securely(&trust).connect();
    let mut two = Http2::connect(hub.public, &trust);
    let mut tab = two.stream(USER);

    let mut client = Client::connect_securely(hub.public, &trust).unwrap();
    for marker in ["a", "b"] {
        let body = event("test_user|false", marker).to_string();
        client.request("POST", WEBHOOK, &[], body.as_bytes()).unwrap().assert_success();
    }
    let answer = two.ask(Method::POST, WEBHOOK, &[], event("test_user|false", "c").to_string().as_bytes());
    assert_eq!(answer.status(), 200);
    let (one, tab) = (one.notifications(3), tab.notifications(&two, 3));
    assert_eq!(one, tab, "the same bytes, and no chunk's length among them");
    assert_eq!(one.iter().map(|message| marker(&message.json)).collect::<Vec<_>>(), ["a", "b", "c"]);

    let page: Value = serde_json::from_slice(two.ask(Method::GET, HISTORY, &[], b"").body()).unwrap();
    assert_eq!(page, client.request("GET", HISTORY, &[], b"").unwrap().assert_success());
    let page = two.ask(Method::GET, "/sse_test_client.html", &[], b"");
    assert_eq!(page.headers()["content-length"], page.body().len().to_string());
    assert_eq!(page.body(), &client.request("GET", "/sse_test_client.html", &[], b"").unwrap().body);
    let head = two.ask(Method::HEAD, HISTORY, &[], b"");
    assert_eq!((head.status().as_u16(), head.body().len()), (405, 0));
    let nowhere = two.ask(Method::GET, "/nowhere", &[], b"");
    assert_eq!(nowhere.status(), 404);
    for name in ["strict-transport-security", "x-content-type-options", "content-security-policy", "date"] {
        assert!(nowhere.headers().contains_key(name), "{name} in {nowhere:?}");
    }
    let large = vec![b' '; 600_000];
    assert_eq!(two.ask(Method::POST, WEBHOOK, &[], &large).status(), 400, "more than a window");
}

#[test]
fn a_thousand_live_entries_arrive_whole_and_in_order_under_tls() {
    let identity = Identity::new();
    let (hub, trust) = (Setup::new().secured_by(&identity).start(), identity.trust());
    let mut one = hub.stream(USER).securely(&trust).connect();
    let mut two = Http2::connect(hub.public, &trust);
    let mut tab = two.stream(USER);
    let body = serde_json::to_vec(&sized_batch("test_user|false", "e", 1_000, 500)).unwrap();
    assert_eq!(two.ask(Method::POST, WEBHOOK, &[], &body).status(), 200);
    let (one, tab) = (one.notifications(1_000), tab.notifications(&two, 1_000));
    assert_eq!(one, tab);
    for (index, message) in one.iter().enumerate() {
        assert_eq!(marker(&message.json), format!("e-{index}"));
    }
}

#[test]
fn tabs_share_a_connection_up_to_its_limit() {
    let identity = Identity::new();
    let setup = Setup::new().with(|config| config.limits.streams_per_connection = 30).secured_by(&identity);
    let (hub, trust) = (setup.start(), identity.trust());
    let mut connection = Http2::connect(hub.public, &trust);
    let mut tabs: Vec<_> = (0..30).map(|_| connection.stream(USER)).collect();
    assert!(!connection.is_answered_within(Duration::from_millis(300), HISTORY), "a further request waits");
    let mut client = Client::connect_securely(hub.public, &trust).unwrap();
    client.request("POST", WEBHOOK, &[], event("test_user|false", "a").to_string().as_bytes()).unwrap().assert_success();
    for tab in &mut tabs {
        assert_eq!(marker(&tab.expect(&connection, "zone_port_notification").json), "a");
    }
    tabs.pop();
    assert!(connection.is_answered_within(PATIENCE, HISTORY));
}

#[test]
fn a_tab_that_is_closed_frees_its_place_at_once_and_its_neighbours_stay() {
    let identity = Identity::new();
    let (hub, trust) = (Setup::new().secured_by(&identity).start(), identity.trust());
    let mut connection = Http2::connect(hub.public, &trust);
    let (closed, mut open) = (connection.stream(USER), connection.stream(USER));
    hub.wait_for_metric("lookout_connections", 2.0);
    drop(closed);
    // What was said is sent with whatever is asked next; the next heartbeat is half a minute away.
    assert_eq!(connection.ask(Method::GET, HISTORY, &[], b"").status(), 200);
    hub.wait_for_metric("lookout_connections", 1.0);
    connection.ask(Method::POST, WEBHOOK, &[], event("test_user|false", "a").to_string().as_bytes());
    assert_eq!(marker(&open.expect(&connection, "zone_port_notification").json), "a");
    drop((open, connection));
    hub.wait_for_metric("lookout_connections", 0.0);
}

#[test]
fn requests_that_are_taken_back_at_once_harm_nobody() {
    let identity = Identity::new();
    let (hub, trust) = (Setup::new().secured_by(&identity).start(), identity.trust());
    let mut reader = hub.stream(USER).securely(&trust).connect();
    let mut taken_back = 0;
    // Some come so far that a stream is opened for them.
    while taken_back < 2_000 || hub.metric("lookout_connections_opened_total") < 10.0 {
        assert!(taken_back < 200_000, "no stream was ever opened");
        // A server may end a connection that does so; then there is another one.
        let mut connection = Http2::connect(hub.public, &trust);
        let stream = "/notifications/zone-port-events/stream?user_id=test_user";
        taken_back += 1 + (0..500).take_while(|_| connection.abandon(stream)).count();
    }
    let mut client = Client::connect_securely(hub.public, &trust).unwrap();
    client.request("POST", WEBHOOK, &[], event("test_user|false", "a").to_string().as_bytes()).unwrap().assert_success();
    assert_eq!(marker(&reader.notification().json), "a");
    hub.wait_for_metric("lookout_connections", 1.0);
}

#[test]
fn a_connection_that_hangs_answers_no_ping_and_is_closed() {
    let identity = Identity::new();
    let setup = Setup::new().secured_by(&identity).with(|config| {
        config.stream.heartbeat_interval = Duration::from_millis(500);
    });
    let hub = setup.start();
    let mut connection = Http2::connect(hub.public, &identity.trust());
    let _tabs = [connection.stream(USER), connection.stream(USER)];
    let start = Instant::now();
    hub.wait_for_metric("lookout_connections", 0.0);
    assert!(start.elapsed() >= Duration::from_millis(500), "{:?}", start.elapsed());
    connection.closed();
}

#[test]
fn a_tab_that_takes_nothing_is_removed_and_its_neighbours_stay() {
    let identity = Identity::new();
    let server = server(&identity, &[("STREAM__STALL_TIMEOUT", "2s"), ("INGEST__MAX_BODY", "4MiB")]);
    let trust = identity.trust();
    let mut connection = Http2::connect(server.public, &trust);
    let (mut reading, stalled) = (connection.stream(USER), connection.stream(USER));
    post(&server, &trust, sized_batch("test_user|false", "e", 1_000, 1_000));
    let messages = reading.notifications(&connection, 1_000);
    assert_eq!(marker(&messages[999].json), "e-999");
    server.wait_for_metric("lookout_connections_closed_total", 1.0);
    assert!(server.log().contains("Connection queue full, removing stale connection"), "{}", server.log());
    assert_eq!(stalled.ending(&connection).1, Some(Reason::CANCEL));
    post(&server, &trust, event("test_user|false", "later"));
    assert_eq!(marker(&reading.expect(&connection, "zone_port_notification").json), "later");
}

#[test]
fn an_idle_connection_is_closed_after_keep_alive() {
    let identity = Identity::new();
    let setup = Setup::new().secured_by(&identity).with(|config| config.server.keep_alive = Duration::from_millis(300));
    let hub = setup.start();
    let mut connection = Http2::connect(hub.public, &identity.trust());
    assert_eq!(connection.ask(Method::GET, HISTORY, &[], b"").status(), 200);
    let start = Instant::now();
    connection.closed();
    assert!(start.elapsed() > Duration::from_millis(250) && start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

#[test]
fn an_idle_connection_that_does_not_answer_the_farewell_is_closed_all_the_same() {
    let identity = Identity::new();
    let setup = Setup::new().secured_by(&identity).with(|config| config.server.keep_alive = Duration::from_millis(300));
    let hub = setup.start();
    let mut socket = http2_by_hand(hub.public, &identity.trust());
    // It settles nothing and answers no ping.
    socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let start = Instant::now();
    let mut said = Vec::new();
    let end = socket.read_to_end(&mut said);
    let timed_out = end.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    assert!(!timed_out && start.elapsed() > Duration::from_millis(500), "{:?}", start.elapsed());
    assert!(said.windows(5).any(|frame| frame == b"\x07\0\0\0\0"), "it was told to go away: {}", said.escape_ascii());
}

#[test]
fn a_preface_that_stalls_is_cut_off() {
    let identity = Identity::new();
    let setup = Setup::new().secured_by(&identity).with(|config| config.server.head_timeout = Duration::from_millis(300));
    let hub = setup.start();
    let mut socket = http2_by_hand(hub.public, &identity.trust());
    socket.write_all(b"PRI * HTTP/2.0\r\n").unwrap();
    let ended = socket.read_to_end(&mut Vec::new());
    assert!(!ended.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)));
    hub.wait_for_metric("lookout_limited_total", 1.0);
}

#[test]
fn a_large_head_is_431_over_http2_too_and_takes_nothing_from_its_neighbours() {
    let identity = Identity::new();
    let setup = Setup::new().secured_by(&identity).with(|config| config.server.max_head = 8 * 1024);
    let hub = setup.start();
    let mut connection = Http2::connect(hub.public, &identity.trust());
    let mut tab = connection.stream(USER);
    assert_eq!(connection.ask(Method::GET, HISTORY, &[("x-padding", &"p".repeat(7_000))], b"").status(), 200);
    let refused = connection.ask(Method::GET, HISTORY, &[("x-padding", &"p".repeat(9_000))], b"");
    let error: Value = serde_json::from_slice(refused.body()).unwrap();
    assert_eq!((refused.status().as_u16(), &error["error"]), (431, &Value::from("head_too_large")));
    assert_eq!(refused.headers()["x-content-type-options"], "nosniff");
    assert_eq!(hub.metric("lookout_limited_total"), 1.0);
    assert_eq!(connection.ask(Method::GET, HISTORY, &[("x-padding", &"p".repeat(30_000))], b"").status(), 431);
    connection.ask(Method::POST, WEBHOOK, &[], event("test_user|false", "a").to_string().as_bytes());
    assert_eq!(marker(&tab.expect(&connection, "zone_port_notification").json), "a");
}

#[test]
fn a_stop_ends_streams_of_both_versions_cleanly_with_a_time_to_come_back() {
    let identity = Identity::new();
    let trust = identity.trust();
    let mut server = server(&identity, &[]);
    let mut one = server.stream(USER).securely(&trust).connect();
    let mut connection = Http2::connect(server.public, &trust);
    let tabs = [connection.stream(USER), connection.stream(USER)];
    let start = Instant::now();
    server.signal(Signal::SIGTERM);
    for tab in tabs {
        let (retries, end) = tab.ending(&connection);
        assert_eq!((retries.len(), end), (2, None));
    }
    let (messages, _) = one.rest();
    assert_eq!((messages.len(), one.retries().len()), (0, 2));
    connection.closed();
    assert_eq!(server.wait_for_exit().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_certificate_is_exchanged_while_streams_stay_and_a_broken_pair_changes_nothing() {
    let identity = Identity::new();
    let server = server(&identity, &[]);
    let first = identity.trust();
    let mut old = Http2::connect(server.public, &first);
    let mut tab = old.stream(USER);
    let mut one = server.stream(USER).securely(&first).connect();

    let second = identity.renew();
    wait_for("the new certificate", || Client::connect_securely(server.public, &second).ok());
    assert!(Client::connect_securely(server.public, &first).is_err(), "nobody is shown the old one");
    assert_eq!(server.log().matches("event=certificate_exchanged").count(), 1, "{}", server.log());

    std::fs::write(identity.key(), Identity::new().key().to_str().unwrap()).unwrap();
    wait_for("the refusal in the log", || server.log().contains("event=certificate_refused").then_some(()));
    Client::connect_securely(server.public, &second).expect("the last good one");
    let other = Identity::new();
    std::fs::copy(other.key(), identity.key()).unwrap();
    wait_for("the second refusal", || (server.log().matches("event=certificate_refused").count() == 2).then_some(()));
    let mut client = Client::connect_securely(server.public, &second).expect("the last good one");
    assert!(server.log().contains("KeyMismatch"), "{}", server.log());

    client.request("POST", WEBHOOK, &[], event("test_user|false", "a").to_string().as_bytes()).unwrap().assert_success();
    assert_eq!(marker(&tab.expect(&old, "zone_port_notification").json), "a");
    assert_eq!(marker(&one.notification().json), "a");
}

#[test]
fn a_handshake_that_stalls_is_cut_off() {
    let identity = Identity::new();
    let setup = Setup::new().secured_by(&identity).with(|config| config.server.head_timeout = Duration::from_millis(300));
    let hub = setup.start();
    // The beginning of a record that announces 512 bytes.
    for beginning in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00"] {
        let mut socket = TcpStream::connect(hub.public).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(beginning).unwrap();
        let start = Instant::now();
        let ended = socket.read(&mut [0; 16]);
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
        assert!(start.elapsed() > Duration::from_millis(200) && start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    }
    hub.wait_for_metric("lookout_limited_total", 2.0);
}

#[test]
fn a_webhook_listener_of_its_own_is_under_tls_too() {
    let identity = Identity::new();
    let setup = Setup::new().secured_by(&identity).with(|config| config.ingest.bind = Some(([127, 0, 0, 1], 0).into()));
    let (hub, trust) = (setup.start(), identity.trust());
    let mut reader = hub.stream(USER).securely(&trust).connect();
    let mut connection = Http2::connect(hub.ingest, &trust);
    let body = serde_json::to_vec(&batch("test_user|false", "e", 2)).unwrap();
    assert_eq!(connection.ask(Method::POST, WEBHOOK, &[], &body).status(), 200);
    assert_eq!(reader.notifications(2).len(), 2);
    assert_eq!(connection.ask(Method::GET, "/sse_test_client.html", &[], b"").status(), 404);
}
