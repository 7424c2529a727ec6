//! The admin listener: what an operator and his machines ask.

use crate::support::{Client, Hub, Setup, USER, event};

#[test]
fn health_and_readiness_are_json_and_nothing_else_is_there() {
    let hub = Hub::start();
    for path in ["/healthz", "/readyz"] {
        let answer = hub.admin(path);
        assert_eq!(answer.status(), 200, "{path}");
        answer.json();
    }
    hub.admin("/nothing").assert_error(404);
    hub.admin("/notifications/zone-port-events/stream?user_id=test_user").assert_error(404);
}

#[test]
fn the_actors_can_be_looked_at() {
    let answer = Hub::start().admin("/actors");
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let text = answer.json().to_string();
    for actor in ["webhook_handler", "archivist", "screener", "broadcaster", "relay", "session", "session_supervisor"] {
        assert!(text.contains(actor), "{actor} is missing in {text}");
    }
}

#[test]
fn what_an_operator_watches_is_counted_from_the_start() {
    let hub = Hub::start();
    let text = hub.ask_admin("GET", "/metrics", &[("Accept", "application/openmetrics-text")]).text();
    let names = [
        "connections",
        "connections_opened_total",
        "queue_overflows_total",
        "catch_ups_total",
        "replayed_entries_total",
        "duplicates_total",
        "dead_letters_total",
        "unrouted_total",
    ];
    for name in names {
        assert!(text.contains(&format!("\nlookout_{name} 0\n")), "lookout_{name} is missing in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"), "the text is whole");
}

#[test]
fn answers_and_ends_are_counted_by_what_they_were() {
    let hub = Setup::new().with(|config| config.stream.max_connections = 1).start();
    let reader = hub.reader(USER);
    hub.stream(USER).refused().assert_error(503);
    drop(reader);
    hub.wait_for_metric("lookout_connections_closed_total", 1.0);
    hub.post("no event").assert_error(400);
    let text = hub.admin("/metrics").text();
    for series in
        ["connections_refused_total{cause=\"", "connections_closed_total{cause=\"", "webhook_answers_total{status=\"400\"} 1"]
    {
        assert!(text.contains(&format!("\nlookout_{series}")), "{series} is missing in\n{text}");
    }
}

#[test]
fn connections_are_counted_as_they_come_and_go() {
    let hub = Hub::start();
    let readers = [hub.reader(USER), hub.reader(USER)];
    assert_eq!(hub.metric("lookout_connections"), 2.0);
    drop(readers);
    hub.wait_for_metric("lookout_connections", 0.0);
    assert_eq!(hub.metric("lookout_connections_opened_total"), 2.0);
    hub.wait_for_metric("lookout_connections_closed_total", 2.0);
}

#[test]
fn replayed_entries_are_counted() {
    let hub = Hub::start();
    let start = hub.reader(USER).start.clone();
    hub.post_kept(event("test_user|false", "a"));
    hub.post_kept(event("test_user|false", "b"));
    hub.stream(USER).after(&start).connect().notifications(2);
    hub.wait_for_metric("lookout_replayed_entries_total", 2.0);
}

#[test]
fn a_name_that_a_page_could_take_over_is_not_answered() {
    let hub = Setup::new().with(|config| config.admin.allowed_hosts = vec!["node-1.internal".into()]).start();
    let ask = |host: &str, path| {
        let mut client = Client::connect(hub.admin).unwrap();
        client.send(format!("GET {path} HTTP/1.1\r\n{host}\r\n").as_bytes()).unwrap();
        client.answer(false).unwrap()
    };
    for host in ["127.0.0.1", "localhost:8001", "[::1]:8001", "NODE-1.internal:8001"] {
        assert_eq!(ask(&format!("Host: {host}\r\n"), "/healthz").status(), 200, "{host}");
    }
    for host in
        ["evil.example", "evil.example:8001", "127.0.0.1.evil.example", "localhost.evil.example", "", "localhost@evil.example"]
    {
        for path in ["/metrics", "/", "/actors/stream", "/dead-letters", "/nothing"] {
            let refused = ask(&format!("Host: {host}\r\n"), path);
            // What is no host at all is refused before anybody looks at it.
            assert!(matches!(refused.status(), 400 | 403), "{host}: {}", refused.status());
        }
    }
    assert_eq!(ask("Host: evil.example\r\n", "/metrics").assert_error(403)["error"], "unknown_host");
}

#[test]
fn what_changes_something_needs_a_header_that_no_form_can_set() {
    let hub = Hub::start();
    hub.post("not an event").assert_error(400);
    let ask = |method, path, headers: &[(&str, &str)]| hub.ask_admin(method, path, headers);
    for headers in [
        &[][..],
        &[("Content-Type", "text/plain")],
        &[("Content-Type", "application/x-www-form-urlencoded")],
        &[("Content-Type", "text/plain; application/json")],
        &[("X-Lookout-Admin", "0")],
    ] {
        for (method, path) in [("POST", "/dead-letters/1/retry"), ("DELETE", "/dead-letters/1"), ("DELETE", "/dead-letters")] {
            assert_eq!(ask(method, path, headers).assert_error(403)["error"], "admin_header_missing", "{method} {headers:?}");
        }
    }
    assert_eq!(ask("GET", "/dead-letters", &[]).assert_success()["count"], 1, "nothing was changed");
    ask("POST", "/dead-letters/1/retry", &[("Content-Type", "application/json; charset=utf-8")]).assert_error(400);
    ask("DELETE", "/dead-letters/1", &[("X-Lookout-Admin", "1")]).assert_success();
}

#[test]
fn no_page_is_given_leave_to_ask() {
    let hub = Hub::start();
    let preflight = [
        ("Origin", "https://evil.example"),
        ("Access-Control-Request-Method", "DELETE"),
        ("Access-Control-Request-Headers", "x-lookout-admin"),
    ];
    for (method, headers) in [("OPTIONS", &preflight[..]), ("GET", &preflight[..1])] {
        let answer = hub.ask_admin(method, "/dead-letters", headers);
        assert_eq!(answer.head.header("access-control-allow-origin"), None, "{method}");
        assert_eq!(answer.head.header("access-control-allow-headers"), None, "{method}");
    }
}
