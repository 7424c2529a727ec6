//! What passes nginx, what does not, and what it writes down.

use std::{
    sync::mpsc::channel,
    time::{Duration, Instant},
};

use crate::{
    curl::{STREAM, Stream, VERSIONS, WEBHOOK, curl, get, post, redirect, url},
    nginx::{HOST, Nginx, template},
    process::free_port,
    support::{PATIENCE, Server, USER, event},
    tap::{self, FINE},
};

#[test]
fn nginx_has_nothing_to_say_about_the_configuration() {
    let said = Nginx::start(&[([127, 0, 0, 1], free_port()).into()]).check();
    // Whoever is not root is told that `user` means nothing then.
    let complaints: Vec<_> = said.lines().filter(|line| !line.contains("the \"user\" directive makes sense only")).collect();
    assert!(complaints.is_empty(), "{said}");
}

#[test]
fn a_request_reaches_a_node_with_all_that_the_node_needs_and_nothing_made_up() {
    let (heard, has_heard) = channel();
    let node = tap::listen(move |_, request| {
        heard.send(request).unwrap();
        Some(FINE)
    });
    let nginx = Nginx::start(&[node]);
    for version in VERSIONS {
        let mut command = curl(&nginx, version);
        command.args(["--header", "Last-Event-ID: the last one", "--header", "X-Forwarded-For: 203.0.113.7"]);
        command.args(["--header", "webhook-id: a delivery", "--header", "Authorization: Bearer a-token"]);
        for path in [STREAM, WEBHOOK, "/notifications/zone-port-notifications?limit=1&user_id=a%7Cb%20c"] {
            command.arg(url(&nginx, path));
        }
        assert!(command.output().unwrap().status.success());
        for path in [STREAM, WEBHOOK, "/notifications/zone-port-notifications?limit=1&user_id=a%7Cb%20c"] {
            let request = has_heard.recv_timeout(PATIENCE).unwrap();
            let mut lines: Vec<_> = request.trim_end().split("\r\n").map(str::to_lowercase).collect();
            assert_eq!(lines.remove(0), format!("get {path} http/1.1").to_lowercase());
            for line in [
                "x-forwarded-for: 127.0.0.1",
                "x-forwarded-proto: https",
                "last-event-id: the last one",
                "webhook-id: a delivery",
                "authorization: bearer a-token",
            ] {
                assert!(lines.iter().any(|found| found == line), "{line} is not in {request}");
            }
            assert!(lines.iter().any(|line| *line == format!("host: {HOST}")), "{request}");
            assert!(!lines.iter().any(|line| line.starts_with("connection:") || line.contains("203.0.113.7")), "{request}");
        }
    }
}

#[test]
fn nothing_that_stands_in_a_query_is_written_down() {
    let node = Server::start(&[]);
    let nobody = ([127, 0, 0, 1], free_port()).into();
    let nginx = Nginx::start(&[nobody, node.public]);
    for version in VERSIONS {
        drop(Stream::open(&nginx, version));
        assert_eq!(
            get(&nginx, version, "/notifications/zone-port-notifications?user_id=test_user&access_token=geheim").status(),
            200
        );
        assert_eq!(get(&nginx, version, "/nowhere?access_token=geheim").status(), 404);
        let mut command = curl(&nginx, version);
        command.args(["--data-binary", &event(&format!("{USER}|false"), "logged").to_string()]);
        assert!(command.arg(url(&nginx, &format!("{WEBHOOK}?access_token=geheim"))).output().unwrap().status.success());
    }
    drop(node);
    for version in VERSIONS {
        assert_eq!(get(&nginx, version, STREAM).status(), 503);
    }
    assert_eq!(redirect(&nginx).status(), 308);
    let log = nginx.access_log_with(&["GET /notifications/zone-port-events/stream HTTP/1.1", " 308 "]);
    for line in [
        "GET /nowhere HTTP/2",
        "GET /notifications/zone-port-notifications HTTP/1.1",
        "POST /notifications/webhook/zone-port-event",
    ] {
        assert!(log.contains(line), "{line} is not in {log}");
    }
    for text in [log, nginx.error_log()] {
        for secret in ["?", "geheim", "user_id", USER] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
}

#[test]
fn the_admin_listener_cannot_be_reached() {
    let node = Server::start(&[]);
    let nginx = Nginx::start(&[node.public]);
    for path in ["/healthz", "/readyz", "/metrics", "/actors", "/"] {
        assert_eq!(node.admin(path).status(), 200);
        let answer = get(&nginx, VERSIONS[1], path);
        assert_eq!((answer.status(), &answer.json()["error"]), (404, &"not_found".into()));
    }
}

#[test]
fn history_and_the_test_page_are_served_and_plain_http_leads_to_https() {
    let node = Server::start(&[]);
    let nginx = Nginx::start(&[node.public]);
    for version in VERSIONS {
        let id = post(&nginx, version, &event(&format!("{USER}|false"), version)).json()["notification_id"].clone();
        let page = get(&nginx, version, "/notifications/zone-port-notifications?user_id=test_user&limit=1").json();
        assert_eq!(page["notifications"][0]["notification_id"], id);
        let page = get(&nginx, version, "/sse_test_client.html");
        assert_eq!((page.status(), page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    }
    let redirect = redirect(&nginx);
    assert_eq!((redirect.status(), redirect.header("location")), (308, Some(&*format!("https://{HOST}{STREAM}"))));
}

#[test]
fn a_node_keeps_an_idle_connection_for_longer_than_nginx_does() {
    let node = Server::start(&[]);
    let text = template();
    let kept = text.lines().filter_map(|line| line.trim().strip_prefix("keepalive_timeout ")?.strip_suffix("s;"));
    let kept: Vec<u64> = kept.map(|seconds| seconds.parse().unwrap()).collect();
    assert_eq!(kept.len(), 2, "readers and webhooks");
    let mut client = node.sender().unwrap();
    assert_eq!(client.request("GET", "/sse_test_client.html", &[], b"").unwrap().status(), 200);
    let start = Instant::now();
    assert!(client.answer(false).is_err(), "nothing was asked");
    let longest = Duration::from_secs(*kept.iter().max().unwrap());
    assert!(start.elapsed() > longest, "closed after {:?}", start.elapsed());
}
