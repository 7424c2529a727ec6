//! What a dashboard sees: headers, messages, ids, heartbeats, and who sees what.

use std::time::Duration;

use chrono::{DateTime, Utc};
use lookout::config::{Audience, AuthMode};
use serde_json::Value;

use crate::support::{End, Hub, Setup, USER, event, marker, wait_for};

const STREAM: &str = "/notifications/zone-port-events/stream";

/// Checks the one form in which times are written, and that this one is about now.
fn assert_recent(time: &Value) {
    let text = time.as_str().expect("a time is text");
    assert!(text.ends_with('Z'), "{text}");
    let age = Utc::now() - text.parse::<DateTime<Utc>>().expect("RFC 3339");
    assert!(age.abs() < chrono::Duration::minutes(1), "{text}");
}

#[test]
fn the_answer_says_that_it_is_a_stream_for_anybody_and_for_no_cache() {
    let hub = Hub::start();
    let reader = hub.stream(USER).header("Origin", "https://dashboard.example").header("Accept-Encoding", "gzip, br").connect();
    let header = |name| reader.head.header(name).unwrap_or_default();
    assert_eq!(header("content-type").split(';').next(), Some("text/event-stream"));
    assert_eq!(header("cache-control"), "no-cache");
    assert_eq!(header("x-accel-buffering"), "no");
    assert_eq!(header("access-control-allow-origin"), "*");
    assert_eq!(header("transfer-encoding"), "chunked");
    assert!(matches!(header("content-encoding").as_str(), "" | "identity"), "never compressed");
    assert_ne!(header("connection"), "close");
}

#[test]
fn a_retry_time_comes_first() {
    let hub = Setup::new().with(|config| config.stream.retry = Duration::from_secs(7)).start();
    let reader = hub.reader(USER);
    assert_eq!(reader.retries(), [7_000]);
}

#[test]
fn messages_have_their_fields_in_the_specified_order() {
    let hub = Hub::start();
    let mut reader = hub.reader(USER);
    let established = reader.established.as_object().unwrap();
    assert_eq!(established.keys().collect::<Vec<_>>(), ["type", "user_id", "timestamp", "message"]);
    assert_eq!(established["message"], "SSE connection established successfully");
    assert_recent(&established["timestamp"]);

    let mut sent = event("test_user|false", "a");
    sent["tail"] = "kept".into();
    hub.post_kept(sent);
    let message = reader.notification();
    assert_eq!(message.fields(), ["type", "notification_id", "timestamp", "user_id", "data"]);
    assert_recent(&message.json["timestamp"]);
    assert_recent(&message.json["data"]["received_at"]);
    let data: Vec<_> = message.json["data"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(data[..6], ["vessel", "event", "screening_results", "received_at", "auto_screen", "normalised"]);
    assert!(data.contains(&"tail"));
    let normalised: Vec<_> = message.json["data"]["normalised"].as_object().unwrap().keys().collect();
    assert_eq!(normalised, ["imo", "mmsi", "call_sign", "event_time", "latitude", "longitude"]);
}

#[test]
fn every_reader_gets_the_same_bytes_and_every_entry_its_own_id() {
    let hub = Hub::start();
    let (mut one, mut two) = (hub.reader(USER), hub.reader(USER));
    for index in 0..10 {
        hub.post_kept(event("test_user|false", &index.to_string()));
    }
    let (one, two) = (one.notifications(10), two.notifications(10));
    assert_eq!(one, two);
    let mut ids: Vec<_> = one.iter().map(|message| message.id.clone().expect("an entry has an id")).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 10);
}

#[test]
fn a_stream_starts_behind_the_newest_entry() {
    let hub = Hub::start();
    let mut early = hub.reader(USER);
    hub.post_kept(event("test_user|false", "before"));
    let before = early.notification();
    let mut late = hub.reader(USER);
    assert_eq!(Some(&late.start), before.id.as_ref());
    hub.post_kept(event("test_user|false", "after"));
    assert_eq!(marker(&late.notification().json), "after");
}

#[test]
fn heartbeats_come_and_carry_the_last_position_passed() {
    let hub = Setup::new().with(|config| config.stream.heartbeat_interval = Duration::from_millis(200)).start();
    let mut reader = hub.reader(USER);
    let first = reader.expect("heartbeat");
    assert_eq!(first.fields(), ["type", "timestamp"]);
    assert_eq!(first.id.as_ref(), Some(&reader.start));
    hub.post_kept(event("test_user|false", "a"));
    let entry = reader.notification();
    assert_eq!(reader.expect("heartbeat").id, entry.id);
}

#[test]
fn a_heartbeat_passes_entries_that_are_filtered_away() {
    let hub = Setup::new().with(|config| config.stream.heartbeat_interval = Duration::from_millis(100)).start();
    let mut all = hub.reader(USER);
    let mut own = hub.stream(USER).query("scope=own").connect();
    hub.post_kept(event("somebody|false", "foreign"));
    let foreign = all.notification();
    wait_for("a heartbeat behind the foreign entry", || (own.expect("heartbeat").id == foreign.id).then_some(()));
    hub.post_kept(event("test_user|false", "own"));
    assert_eq!(marker(&own.notification().json), "own");
}

#[test]
fn scope_own_narrows_the_stream_and_its_replay() {
    let hub = Hub::start();
    let origin = hub.reader(USER).start.clone();
    for (reference, marker) in [("somebody|false", "1"), ("test_user|false", "2"), ("nobody", "3"), ("test_user|false", "4")] {
        hub.post_kept(event(reference, marker));
    }
    let mut own = hub.stream(USER).query("scope=own").after(&origin).connect();
    let markers: Vec<_> = own.notifications(2).iter().map(|message| marker(&message.json).to_owned()).collect();
    assert_eq!(markers, ["2", "4"]);
    assert_eq!(own.expect("caught_up").json["replayed"], 2);
}

#[test]
fn audience_owner_shows_each_user_what_names_him_and_nobody_the_rest() {
    let setup = Setup::new().with(|config| {
        config.stream.audience = Audience::Owner;
        config.auth.users = vec!["anna".into(), "ben".into()];
    });
    let hub = setup.start();
    let (mut anna, mut ben) = (hub.reader("anna"), hub.reader("ben"));
    for (reference, marker) in [("nobody", "1"), ("anna|false", "2"), ("ben|false", "3"), ("anna|false", "4"), ("ben|false", "5")]
    {
        hub.post_kept(event(reference, marker));
    }
    let markers = |reader: &mut crate::support::Reader| -> Vec<String> {
        reader.notifications(2).iter().map(|message| marker(&message.json).to_owned()).collect()
    };
    assert_eq!(markers(&mut anna), ["2", "4"]);
    assert_eq!(markers(&mut ben), ["3", "5"]);
}

#[test]
fn who_is_not_named_or_not_known_gets_no_stream() {
    let hub = Hub::start();
    hub.get(STREAM).assert_error(400);
    hub.get(&format!("{STREAM}?user_id=")).assert_error(400);
    hub.stream("stranger").refused().assert_error(401);
    hub.get("/notifications/zone-port-notifications").assert_error(400);
    hub.get("/notifications/zone-port-notifications?user_id=stranger").assert_error(401);
    assert_eq!(hub.metric("lookout_connections"), 0.0);
}

#[test]
fn auth_open_lets_everybody_in() {
    let hub = Setup::new().with(|config| config.auth.mode = AuthMode::Open).start();
    assert_eq!(hub.reader("anybody%20at%20all").established["user_id"], "anybody at all");
}

#[test]
fn unknown_paths_are_404_and_wrong_methods_405_with_allow() {
    let hub = Hub::start();
    for path in ["/", "/nothing", "/notifications", "/metrics", "/healthz"] {
        hub.get(path).assert_error(404);
    }
    let routes = [
        ("POST", STREAM, "GET"),
        ("DELETE", STREAM, "GET"),
        ("GET", "/notifications/webhook/zone-port-event", "POST"),
        ("PUT", "/notifications/webhook/zone-port-event", "POST"),
        ("POST", "/notifications/zone-port-notifications", "GET"),
        ("POST", "/notifications/zone-port-notifications/507f1f77bcf86cd799439011", "GET"),
        ("POST", "/sse_test_client.html", "GET"),
    ];
    for (method, path, allowed) in routes {
        let answer = hub.ask(method, path, &[]);
        answer.assert_error(405);
        let allow = answer.head.header("allow").unwrap_or_else(|| panic!("no Allow for {method} {path}"));
        assert!(allow.split(", ").any(|method| method == allowed), "{method} {path}: Allow: {allow}");
    }
}

#[test]
fn head_is_answered_at_once_and_takes_no_place() {
    let hub = Hub::start();
    let answer = hub.ask("HEAD", &format!("{STREAM}?user_id={USER}"), &[]);
    assert_eq!(answer.status(), 405);
    assert!(answer.head.header("allow").is_some());
    assert_eq!(hub.metric("lookout_connections_opened_total"), 0.0);
}

#[test]
fn a_preflight_is_answered_by_the_configured_origins() {
    let preflight = |hub: &Hub, origin: &str| {
        let headers =
            [("Origin", origin), ("Access-Control-Request-Method", "GET"), ("Access-Control-Request-Headers", "last-event-id")];
        hub.ask("OPTIONS", STREAM, &headers)
    };
    let hub = Hub::start();
    let answer = preflight(&hub, "https://a.example");
    assert!(matches!(answer.status(), 200 | 204), "{}", answer.status());
    assert_eq!(answer.head.header("access-control-allow-origin").as_deref(), Some("*"));

    let hub = Setup::new().with(|config| config.cors.allowed_origins = vec!["https://a.example".into()]).start();
    let allowed = |origin: &str| hub.stream(USER).header("Origin", origin).connect().head.header("access-control-allow-origin");
    assert_eq!(allowed("https://a.example").as_deref(), Some("https://a.example"));
    let answer = preflight(&hub, "https://b.example");
    assert_eq!(answer.head.header("access-control-allow-origin"), None);
}

#[test]
fn a_session_ends_cleanly_within_its_lifetime() {
    let hub = Setup::new().with(|config| config.stream.max_lifetime = Some(Duration::from_secs(1))).start();
    let start = std::time::Instant::now();
    let (_, end) = hub.reader(USER).rest();
    assert_eq!(end, End::Clean);
    // The stream began a moment before the clock did.
    assert!(start.elapsed() > Duration::from_millis(700), "{:?}", start.elapsed());
}
