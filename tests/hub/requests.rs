//! Requests that want to be read as something else: each route has one spelling, and nothing is built from what a request says of us.

use crate::support::{Client, Hub, Setup, USER, event};

const PAGE: &str = "/sse_test_client.html";
const STREAM: &str = "/notifications/zone-port-events/stream";
const WEBHOOK: &str = "/notifications/webhook/zone-port-event";

/// Sends exactly this head and gives the answer.
fn raw(hub: &Hub, head: &str) -> crate::support::Answer {
    let mut client = Client::connect(hub.public).unwrap();
    client.send(head.as_bytes()).unwrap();
    client.answer(false).unwrap_or_else(|error| panic!("{error} for {head:?}"))
}

#[test]
fn no_other_spelling_of_a_path_leads_to_a_route() {
    let hub = Hub::start();
    assert_eq!(hub.get(PAGE).status(), 200);
    for path in [
        "//sse_test_client.html",
        "/./sse_test_client.html",
        "/../sse_test_client.html",
        "/notifications/../sse_test_client.html",
        "/%2e/sse_test_client.html",
        "/notifications/%2e%2e/sse_test_client.html",
        "/notifications/%2E%2E%2Fsse_test_client.html",
        "/sse_test_client%2ehtml",
        "/sse%5Ftest_client.html",
        "/%73se_test_client.html",
        "/sse_test_client.html/",
        "/sse_test_client.html;a",
        "/sse_test_client.html%00",
        "/sse_test_client.html%20",
        "/SSE_TEST_CLIENT.HTML",
        "/notifications//zone-port-events/stream?user_id=test_user",
        "/notifications/zone-port-events/stream/?user_id=test_user",
        "/notifications/zone-port-events%2Fstream?user_id=test_user",
        "/notifications/zone-port-events/./stream?user_id=test_user",
        "/notifications/zone%2Dport-events/stream?user_id=test_user",
        "/notifications/zone-port-notifications/../zone-port-events/stream?user_id=test_user",
        "/notifications/zone-port-notifications/%2e%2e?user_id=test_user",
        "/notifications/zone-port-notifications/507f1f77bcf86cd79943901%31?user_id=test_user",
        "/../../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "*",
    ] {
        let answer = hub.ask("GET", path, &[]);
        assert!(matches!(answer.status(), 400 | 404), "{path}: {}", answer.status());
        answer.assert_error(answer.status());
    }
    for path in [
        "//notifications/webhook/zone-port-event",
        "/notifications/webhook/zone%2dport-event",
        "/%2e/notifications/webhook/zone-port-event",
    ] {
        hub.ask("POST", path, &[]).assert_error(404);
    }
    assert_eq!(hub.metric("lookout_connections_opened_total"), 0.0);
    assert_eq!(hub.metric("lookout_webhook_answers_total"), 0.0);
}

#[test]
fn a_request_that_names_another_server_is_refused() {
    let hub = Hub::start();
    for target in ["http://lookout.test/sse_test_client.html", "http://evil.example/sse_test_client.html", "https://evil.example"]
    {
        let answer = raw(&hub, &format!("GET {target} HTTP/1.1\r\nHost: lookout.test\r\n\r\n"));
        assert_eq!(answer.assert_error(400)["error"], "no_proxy", "{target}");
    }
    let answer = raw(&hub, "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    answer.assert_error(400);
}

#[test]
fn a_request_has_one_host_and_nothing_is_built_from_it() {
    let hub = Hub::start();
    for head in [
        format!("GET {PAGE} HTTP/1.1\r\n\r\n"),
        format!("GET {PAGE} HTTP/1.1\r\nHost: lookout.test\r\nHost: evil.example\r\n\r\n"),
    ] {
        raw(&hub, &head).assert_error(400);
    }
    let lies = [
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "https"),
        ("X-Host", "evil.example"),
        ("Forwarded", "host=evil.example;proto=https"),
        ("X-Original-URL", "/metrics"),
        ("X-Rewrite-URL", "/metrics"),
        ("X-HTTP-Method-Override", "POST"),
    ];
    let lies: String = lies.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    for path in ["/", PAGE, STREAM, WEBHOOK, "/nowhere", "/notifications/zone-port-notifications?user_id=test_user"] {
        let honest = raw(&hub, &format!("GET {path} HTTP/1.1\r\nHost: lookout.test\r\n\r\n"));
        for host in ["evil.example", "evil.example:80@lookout.test", "[::1", "\"><script>alert(1)</script>", "127.0.0.1:8001"] {
            let answer = raw(&hub, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{lies}\r\n"));
            assert_eq!((answer.status(), answer.text()), (honest.status(), honest.text()), "{path} {host}");
            assert!(!format!("{:?}", answer.head).contains("evil"), "{:?}", answer.head);
            assert_eq!(answer.head.header("location"), None);
        }
    }
}

#[test]
fn a_body_whose_length_can_be_read_in_two_ways_ends_the_connection_with_whatever_stands_behind_it() {
    let hub = Hub::start();
    let smuggled = event("test_user|false", "smuggled").to_string();
    let smuggled = format!("POST {WEBHOOK} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{smuggled}", smuggled.len());
    for framing in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: identity\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 40\r\n\r\n",
        "Content-Length: 0, 0\r\n\r\n",
        "Content-Length: +0\r\n\r\n",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: 0x0\r\n\r\n",
        "Content-Length: \r\n\r\n",
        "Content-Length: 18446744073709551616\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\n\n",
        "Transfer-Encoding: chunked\r\n\r\n0;a\nb\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}X\r\n0\r\n\r\n",
    ] {
        let mut client = Client::connect(hub.public).unwrap();
        client.send(format!("POST {WEBHOOK} HTTP/1.1\r\nHost: a\r\n{framing}{smuggled}").as_bytes()).unwrap();
        client.answer(false).unwrap_or_else(|error| panic!("{error} for {framing:?}")).assert_error(400);
        assert!(client.answer(false).is_err(), "nothing may follow {framing:?}");
    }
    assert_eq!(hub.history("")["count"], 0, "no smuggled webhook was kept");
    // The same behind a length that means one thing is a second request, and taken.
    let mut client = Client::connect(hub.public).unwrap();
    client.send(format!("POST {WEBHOOK} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n{smuggled}").as_bytes()).unwrap();
    client.answer(false).unwrap().assert_error(400);
    client.answer(false).unwrap().assert_success();
}

#[test]
fn line_ends_in_a_query_end_up_in_no_header_and_no_log_line() {
    let server = crate::support::Server::start(&[("AUTH__MODE", "open")]);
    let injected = "%0D%0ASet-Cookie:%20a=b%0D%0A%0D%0A%3Cscript%3E%0A%1b[31mforged%20line";
    for path in [
        format!("{STREAM}?user_id={injected}&last_event_id={injected}"),
        format!("/notifications/zone-port-notifications?user_id={injected}&after={injected}"),
        format!("/notifications/zone-port-notifications?user_id={injected}&limit={injected}"),
        format!("/notifications/zone-port-notifications/507f1f77bcf86cd799439011?user_id={injected}"),
        format!("{PAGE}?{injected}"),
        format!("/nowhere?{injected}"),
    ] {
        let mut client = Client::connect(server.public).unwrap();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: lookout.test\r\n\r\n").as_bytes()).unwrap();
        if path.starts_with(STREAM) {
            continue;
        }
        let answer = client.answer(false).unwrap();
        assert_eq!(answer.head.header("set-cookie"), None, "{path}");
    }
    let mut reader = server.stream(injected).connect();
    assert_eq!(reader.head.header("set-cookie"), None);
    let shown = reader.established["user_id"].as_str().unwrap();
    assert!(shown.contains("Set-Cookie: a=b") && !shown.contains("<script"), "{shown:?}");
    // Its user is named in the log when its socket fails.
    server.post_kept(event("test_user|false", "a"));
    reader.notification();
    reader.reset();
    server.wait_for_metric("lookout_connections", 0.0);
    let log = server.log();
    assert!(log.contains("SSE stream error for user \\r\\nSet-Cookie"), "{log}");
    assert!(
        log.lines().all(|line| !line.starts_with("Set-Cookie") && !line.contains('\u{1b}') && !line.starts_with('<')),
        "{log}"
    );
}

#[test]
fn a_header_of_a_webhook_ends_up_in_no_answer_and_no_stream() {
    let hub = Hub::start();
    let mut reader = hub.reader(USER);
    let headers = [("webhook-id", "id: 0 data: {}"), ("X-Delivery-ID", "<script>"), ("Content-Type", "text/html\t<script>")];
    let answer = hub.post_bytes(event("test_user|false", "a").to_string().as_bytes(), &headers);
    answer.assert_success();
    let seen = format!("{:?}{}{}", answer.head, answer.text(), reader.notification().frame);
    assert!(!seen.contains("script") && !seen.contains("id: 0 data"), "{seen}");
}

#[test]
fn every_answer_of_every_listener_says_what_browsers_must_not_do_with_it() {
    let setup = Setup::new().with(|config| config.ingest.bind = Some(([127, 0, 0, 1], 0).into()));
    let hub = setup.start();
    let post = hub.post_bytes(b"{", &[]);
    let stream = hub.reader(USER).head;
    let mut heads = vec![post.head, stream, raw(&hub, "GET\r\n\r\n").head];
    for (method, path) in [
        ("GET", PAGE),
        ("GET", "/sse_test_client.js"),
        ("GET", "/nowhere"),
        ("GET", "//"),
        ("PUT", PAGE),
        ("GET", STREAM),
        ("GET", "/notifications/zone-port-notifications?user_id=test_user"),
        ("OPTIONS", STREAM),
    ] {
        heads.push(hub.ask(method, path, &[]).head);
    }
    heads.extend(["/healthz", "/readyz", "/metrics", "/actors", "/", "/actors.js", "/nowhere"].map(|path| hub.admin(path).head));
    for head in heads {
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(head.header(name).as_deref(), Some(value), "{name} of {head:?}");
        }
        let policy = head.header("content-security-policy").unwrap_or_else(|| panic!("no policy in {head:?}"));
        for directive in ["default-src 'none'", "frame-ancestors 'none'"] {
            assert!(policy.split("; ").any(|part| part.trim() == directive), "{directive} in {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        assert_eq!(head.header("strict-transport-security"), None, "nobody may be told so without TLS");
        assert_eq!(head.header("server"), None);
    }
}
