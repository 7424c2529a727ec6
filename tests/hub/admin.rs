//! The admin listener: what an operator and his machines ask.

use crate::support::{Hub, USER, event};

#[test]
fn health_readiness_and_actors_are_json() {
    let hub = Hub::start();
    for path in ["/healthz", "/readyz", "/actors"] {
        let answer = hub.admin(path);
        assert_eq!(answer.status(), 200, "{path}");
        answer.json();
    }
    hub.admin("/nothing").assert_error(404);
    hub.admin("/notifications/zone-port-events/stream?user_id=test_user").assert_error(404);
}

#[test]
fn every_metric_is_there_from_the_start() {
    let hub = Hub::start();
    let text = hub.admin("/metrics").text();
    let names = [
        "connections",
        "connections_opened_total",
        "connections_refused_total",
        "connections_closed_total",
        "queue_overflows_total",
        "catch_ups_total",
        "replayed_entries_total",
        "webhook_answers_total",
        "duplicates_total",
        "dead_letters_total",
        "actor_restarts_total",
        "unrouted_total",
    ];
    for name in names {
        let family = name.trim_end_matches("_total");
        assert!(text.contains(&format!("# TYPE lookout_{family}")), "lookout_{name} is missing in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"), "the text is whole");
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
