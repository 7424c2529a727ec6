//! One address that wants more than its share: it is told so, and everybody else notices nothing.

use crate::support::{Answer, Client, Hub, PATIENCE, Server, Setup, USER, event, wait_for};
use lookout::config::ProxyHeader;

/// A hub that exempts nobody and believes a proxy on this machine.
fn behind_a_proxy() -> Setup {
    Setup::new().with(|config| {
        config.limits.exempt = Vec::new();
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    })
}

/// Checks that this address is told to come back.
fn assert_too_many(answer: &Answer) {
    assert_eq!(answer.assert_error(429)["error"], "too_many_requests");
    let seconds: u64 = answer.head.header("retry-after").expect("Retry-After").parse().expect("seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
}

fn post(hub: &Hub, marker: &str, headers: &[(&str, &str)]) -> Answer {
    hub.post_bytes(event("test_user|false", marker).to_string().as_bytes(), headers)
}

#[test]
fn an_address_opens_so_many_streams_at_once_and_others_their_own() {
    let setup = behind_a_proxy().with(|config| (config.limits.streams_per_ip, config.limits.streams_burst) = (1, 3));
    let hub = setup.start();
    let from = |address: &str| hub.stream(USER).header("X-Forwarded-For", address);
    let _readers: Vec<_> = (0..3).map(|_| from("203.0.113.1").connect()).collect();
    let refused = from("203.0.113.1").refused();
    assert_too_many(&refused);
    assert_eq!(refused.head.header("access-control-allow-origin").as_deref(), Some("*"), "a page may read why");
    from("203.0.113.2").connect();
    wait_for("a stream a second", || from("203.0.113.1").is_opened().then_some(()));
    hub.get("/notifications/zone-port-notifications?user_id=test_user").assert_success();
}

#[test]
fn an_address_posts_so_many_webhooks_at_once_and_others_their_own() {
    let setup = behind_a_proxy().with(|config| (config.limits.webhooks_per_ip, config.limits.webhooks_burst) = (1, 5));
    let hub = setup.start();
    for marker in ["1", "2", "3", "4", "5"] {
        post(&hub, marker, &[("X-Forwarded-For", "203.0.113.1")]).assert_success();
    }
    assert_too_many(&post(&hub, "6", &[("X-Forwarded-For", "203.0.113.1")]));
    post(&hub, "7", &[("X-Forwarded-For", "203.0.113.2")]).assert_success();
    assert_eq!(hub.history("")["count"], 6, "what was refused was not kept");
    assert_eq!(hub.metric("lookout_limited_total"), 1.0);
}

#[test]
fn an_address_is_no_better_off_for_what_it_writes_into_the_header() {
    let setup = behind_a_proxy().with(|config| (config.limits.webhooks_per_ip, config.limits.webhooks_burst) = (1, 1));
    let hub = setup.start();
    post(&hub, "1", &[("X-Forwarded-For", "203.0.113.1")]).assert_success();
    for (marker, claim) in ["6.6.6.6, 203.0.113.1", "\"unknown\", 203.0.113.1", "203.0.113.1, 127.0.0.1", "203.0.113.1:80"]
        .into_iter()
        .zip(["a", "b", "c", "d"])
        .map(|(claim, marker)| (marker, claim))
    {
        let headers = [("X-Forwarded-For", claim), ("Forwarded", "for=6.6.6.7"), ("X-Real-IP", "6.6.6.8")];
        assert_too_many(&post(&hub, marker, &headers));
    }
    // The whole /64 is one subscriber.
    post(&hub, "2", &[("X-Forwarded-For", "2001:db8:1:2::1")]).assert_success();
    assert_too_many(&post(&hub, "e", &[("X-Forwarded-For", "2001:db8:1:2:ffff::9")]));
    post(&hub, "3", &[("X-Forwarded-For", "2001:db8:1:3::1")]).assert_success();
}

#[test]
fn the_word_of_a_stranger_is_not_read_and_forwarded_only_where_it_is_configured() {
    let once = |setup: Setup| setup.with(|config| (config.limits.webhooks_per_ip, config.limits.webhooks_burst) = (1, 1));
    let hub = once(Setup::new()).with(|config| config.limits.exempt = Vec::new()).start();
    post(&hub, "1", &[("X-Forwarded-For", "203.0.113.1")]).assert_success();
    assert_too_many(&post(&hub, "2", &[("X-Forwarded-For", "203.0.113.2")]));

    let hub = once(behind_a_proxy()).with(|config| config.server.proxy_header = ProxyHeader::Forwarded).start();
    post(&hub, "1", &[("Forwarded", "for=203.0.113.1"), ("X-Forwarded-For", "203.0.113.8")]).assert_success();
    assert_too_many(&post(&hub, "2", &[("Forwarded", "for=203.0.113.1"), ("X-Forwarded-For", "203.0.113.9")]));
    post(&hub, "3", &[("Forwarded", "for=\"[2001:db8::1]:4711\"")]).assert_success();
}

#[test]
fn this_machine_has_no_limits_by_default() {
    let setup = Setup::new().with(|config| {
        (config.limits.streams_per_ip, config.limits.streams_burst) = (1, 1);
        (config.limits.webhooks_per_ip, config.limits.webhooks_burst) = (1, 1);
        config.limits.connections_per_ip = 1;
    });
    let hub = setup.start();
    let _readers = [hub.reader(USER), hub.reader(USER), hub.reader(USER)];
    for marker in ["1", "2", "3"] {
        post(&hub, marker, &[]).assert_success();
    }
}

#[test]
fn an_address_has_so_many_connections_and_each_is_free_again() {
    let setup = Setup::new().with(|config| {
        config.limits.exempt = Vec::new();
        config.limits.connections_per_ip = 3;
    });
    let hub = setup.start();
    let mut readers = vec![hub.reader(USER), hub.reader(USER), hub.reader(USER)];
    for _ in 0..5 {
        let mut client = Client::connect(hub.public).unwrap();
        let answer = client.answer(false).expect("an answer before any request");
        assert_eq!(answer.assert_error(429)["error"], "too_many_connections");
        assert!(answer.head.header("retry-after").is_some());
        assert!(client.answer(false).is_err(), "closed");
    }
    readers.pop();
    wait_for("a place", || hub.stream(USER).is_opened().then_some(()));
    drop(readers);
    wait_for("all places", || {
        let clients: Vec<_> = (0..3).map(|_| Client::connect(hub.public).unwrap()).collect();
        let mut answers = clients.into_iter().map(|mut client| client.request("GET", "/sse_test_client.html", &[], b""));
        answers.all(|answer| answer.is_ok_and(|answer| answer.status() == 200)).then_some(())
    });
}

#[test]
fn connections_of_a_trusted_proxy_are_not_counted() {
    let hub = behind_a_proxy().with(|config| config.limits.connections_per_ip = 1).start();
    let _readers = [hub.reader(USER), hub.reader(USER), hub.reader(USER)];
}

#[test]
fn each_limit_that_is_met_is_told_by_its_key_and_logged_by_its_name_without_any_query() {
    let server = Server::start(&[
        ("AUTH__MODE", "open"),
        ("LIMITS__EXEMPT", "[]"),
        ("LIMITS__STREAMS_PER_IP", "1"),
        ("LIMITS__STREAMS_BURST", "4"),
        ("LIMITS__WEBHOOKS_PER_IP", "1"),
        ("LIMITS__WEBHOOKS_BURST", "7"),
        ("LIMITS__CONNECTIONS_PER_IP", "50"),
        ("SERVER__MAX_HEAD", "1KiB"),
        ("SERVER__HEAD_TIMEOUT", "500ms"),
        ("INGEST__BODY_TIMEOUT", "500ms"),
        ("INGEST__MAX_BODY", "1KiB"),
        ("INGEST__MAX_BATCH", "2"),
        ("INGEST__MAX_DEPTH", "4"),
        ("INGEST__MAX_NODES", "100"),
        ("STREAM__MAX_CONNECTIONS", "2"),
        ("STREAM__MAX_CONNECTIONS_PER_USER", "1"),
    ]);
    let met = |key: &str, answer: &Answer| {
        let (section, name) = key.split_once('.').unwrap();
        let message = answer.assert_error(answer.status())["message"].to_string();
        assert!(message.contains(&format!("({section}.{name})")), "{key}: {message}");
        let line = format!("event=limited limit={name} address=127.0.0.1");
        wait_for(&line, || server.log().contains(&line).then_some(()));
    };
    let slow = |head: &str| {
        let mut client = Client::connect(server.public).unwrap();
        client.send(head.as_bytes()).unwrap();
        client.answer(false).unwrap()
    };
    let webhook = "POST /notifications/webhook/zone-port-event?secret HTTP/1.1\r\nHost: a\r\n";
    met("server.head_timeout", &slow(webhook));
    met("server.max_head", &slow(&format!("{webhook}X-Padding: {}", "p".repeat(2_000))));
    met("ingest.body_timeout", &slow(&format!("{webhook}Content-Length: 9\r\n\r\n{{")));
    met("ingest.max_body", &server.post_bytes(&[b' '; 1_025], &[]));
    met("ingest.max_batch", &server.post_bytes(b"[{},{},{}]", &[]));
    met("ingest.max_depth", &server.post_bytes(b"[[[[[1]]]]]", &[]));
    met("ingest.max_nodes", &server.post_bytes(format!("[{}1]", "1,".repeat(200)).as_bytes(), &[]));
    let flood = |_| Some(server.post_bytes(b"{}", &[])).filter(|answer| answer.status() == 429);
    met("limits.webhooks_per_ip", &(0..20).find_map(flood).expect("one too many"));
    let _ana = server.stream("ana").query("access_token=s3cret").connect();
    met("stream.max_connections_per_user", &server.stream("ana").query("access_token=s3cret").refused());
    let _ben = server.stream("ben").connect();
    met("stream.max_connections", &server.stream("cem").query("access_token=s3cret").refused());
    let flood = |_| Some(server.stream("cem").refused()).filter(|answer| answer.status() == 429);
    met("limits.streams_per_ip", &(0..20).find_map(flood).expect("one too many"));
    // Which of them comes first is up to the threads that receive them.
    let many: Vec<_> = (0..60).map(|_| Client::connect(server.public).unwrap()).collect();
    let mut answers = many.into_iter().filter_map(|mut client| client.answer(false).ok());
    met("limits.connections_per_ip", &answers.find(|answer| answer.status() == 429).expect("one too many"));
    let log = server.log();
    assert!(!["s3cret", "secret", "access_token", "user_id"].iter().any(|text| log.contains(text)), "{log}");
}

#[test]
fn one_webhook_too_many_at_once_is_told_by_its_key_and_logged() {
    let server = Server::start(&[("INGEST__MAX_IN_FLIGHT", "1")]);
    let [mut slow, mut late] = [server.webhook_under_way(100), server.webhook_under_way(100)];
    slow.send(b"{").unwrap();
    server.wait_for_metric("lookout_webhooks_in_flight", 1.0);
    late.send(b"{").unwrap();
    let refused = late.answer(false).unwrap();
    assert!(refused.assert_error(503)["message"].as_str().unwrap().contains("(ingest.max_in_flight)"));
    let line = "event=limited limit=max_in_flight address=127.0.0.1";
    wait_for(line, || server.log().contains(line).then_some(()));
}

#[test]
fn a_flood_of_refusals_is_no_flood_of_log_lines() {
    let server = Server::start(&[
        ("LIMITS__EXEMPT", "[]"),
        ("LIMITS__WEBHOOKS_PER_IP", "1"),
        ("LIMITS__WEBHOOKS_BURST", "1"),
        ("LOG__LEVEL", "info"),
    ]);
    let start = std::time::Instant::now();
    for marker in 0..300 {
        let answer = server.post_bytes(event("test_user|false", &marker.to_string()).to_string().as_bytes(), &[]);
        assert!(matches!(answer.status(), 200 | 429));
    }
    // What is no request at all, too.
    for _ in 0..100 {
        let mut client = Client::connect(server.public).unwrap();
        client.send(b"GET\r\n\r\n").unwrap();
        client.answer(false).unwrap().assert_error(400);
    }
    assert!(start.elapsed() < PATIENCE);
    let log = server.log();
    let lines = log.matches("event=limited limit=webhooks_per_ip address=127.0.0.1 unlogged=").count() as u64;
    assert!((1..=start.elapsed().as_secs() + 1).contains(&lines), "{lines} lines: {log}");
    assert!(!log.contains("actix"), "{log}");
}
