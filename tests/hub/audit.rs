//! `GET /audit`: who was sent which notification, when, on which connection, and never more than is true.

use std::time::Duration;

use lookout::config::Audience;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{Doors, Hub, Next, Reader, Server, Setup, USER, event, sized_batch, wait_for};

const SOON: Duration = Duration::from_millis(100);
const OFTEN: (&str, &str) = ("AUDIT__INTERVAL", "100ms");

fn setup() -> Setup {
    Setup::new().with(|config| {
        config.audit.interval = Some(SOON);
        config.auth.users.push("ben".into());
    })
}

fn audit(doors: &Doors, query: &str) -> Value {
    doors.admin(&format!("/audit?{query}")).assert_success()
}

/// What was sent to a user, newest first.
fn sent_to(doors: &Doors, user: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut query = format!("user_id={user}&limit=7");
    loop {
        let page = audit(doors, &query);
        let deliveries = page["deliveries"].as_array().unwrap();
        assert_eq!(page["count"], deliveries.len());
        found.extend(deliveries.iter().cloned());
        match page["next"].as_str() {
            Some(next) => query = format!("user_id={user}&limit=7&from={next}"),
            None => return found,
        }
    }
}

fn ids(deliveries: &[Value]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery["notification_id"].as_str().unwrap()).collect()
}

fn wait_until_sent(doors: &Doors, user: &str, expected: &[&str]) -> Vec<Value> {
    wait_for(&format!("{expected:?} to be written"), || {
        let found = sent_to(doors, user);
        (ids(&found) == expected).then_some(found)
    })
}

/// Posts an event without screening and waits until it has come.
fn tell(doors: &Doors, reader: &mut Reader, id: &str) -> String {
    let kept = doors.post_kept(event("test_user|false", id));
    assert_eq!(reader.notification().json["notification_id"], kept.as_str());
    kept
}

#[test]
fn a_delivery_is_found_by_its_notification_by_its_user_and_by_both() {
    let hub = setup().start();
    let mut reader = hub.reader(USER);
    let before = chrono::Utc::now();
    let first = tell(&hub, &mut reader, "a");
    let second = tell(&hub, &mut reader, "b");
    let found = wait_until_sent(&hub, USER, &[&second, &first]);
    let delivery = &found[1];
    let fields: Vec<&String> = delivery.as_object().unwrap().keys().collect();
    let documented = [
        "notification_id",
        "type",
        "position",
        "user_id",
        "connection_id",
        "sent_after",
        "sent_before",
        "connected_at",
        "disconnected_at",
        "disconnect_cause",
    ];
    assert_eq!(fields, documented);
    assert_eq!((&delivery["type"], &delivery["user_id"]), (&json!("zone_port_notification"), &json!(USER)));
    assert_eq!((&delivery["disconnected_at"], &delivery["disconnect_cause"]), (&Value::Null, &Value::Null));
    let time = |field: &str| delivery[field].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert!(time("connected_at") <= before && time("sent_after") <= time("sent_before"), "{delivery}");
    assert!(time("sent_after") >= before - Duration::from_millis(1) && time("sent_before") <= chrono::Utc::now(), "{delivery}");
    assert_eq!(found[0]["connection_id"], delivery["connection_id"]);
    assert_eq!(found[0]["position"], reader.last_id());
    for query in [format!("notification_id={first}"), format!("notification_id={first}&user_id={USER}")] {
        assert_eq!(audit(&hub, &query)["deliveries"], json!([delivery]), "{query}");
    }
    assert_eq!(audit(&hub, &format!("notification_id={first}&user_id=ben"))["deliveries"], json!([]));
    drop(reader);
    let gone = wait_for("the end to be written", || {
        let found = sent_to(&hub, USER);
        found[0]["disconnected_at"].is_string().then_some(found)
    });
    assert!(gone.iter().all(|delivery| delivery["disconnect_cause"] == "client_closed"), "{gone:?}");
}

#[test]
fn what_is_replayed_was_sent_to_who_came_back_and_not_before_that() {
    let hub = setup().start();
    let mut reader = hub.reader(USER);
    let missed: Vec<String> = ["a", "b", "c"].map(|id| tell(&hub, &mut reader, id)).into();
    let mut late = hub.stream("ben").after(&reader.start).connect();
    late.notifications(3);
    late.expect("caught_up");
    // Nothing new comes: what was read from the log is written all the same.
    let found = wait_until_sent(&hub, "ben", &[&missed[2], &missed[1], &missed[0]]);
    assert!(found.iter().all(|delivery| delivery["sent_after"].as_str() >= delivery["connected_at"].as_str()), "{found:?}");
    assert_eq!(audit(&hub, &format!("notification_id={}", missed[0]))["count"], 2);
    // Who came back behind all of it was sent none of it.
    let _up_to_date = hub.stream("ben").after(&late.last_id()).connect();
    let fresh = tell(&hub, &mut reader, "d");
    let found = wait_for("both streams", || {
        let found = sent_to(&hub, "ben");
        (found.len() == 5).then_some(found)
    });
    assert_eq!(ids(&found), [&fresh, &fresh, &missed[2], &missed[1], &missed[0]]);
}

#[test]
fn only_who_sees_a_notification_was_sent_it_and_its_update_counts_for_itself() {
    let hub = setup().with(|config| config.stream.audience = Audience::Owner).start();
    let (mut own, mut bens) = (hub.reader(USER), hub.reader("ben"));
    let mine = tell(&hub, &mut own, "a");
    let his = hub.post_kept(event("ben|false", "b"));
    bens.notification();
    wait_until_sent(&hub, USER, &[&mine]);
    wait_until_sent(&hub, "ben", &[&his]);
    assert_eq!(audit(&hub, &format!("notification_id={mine}"))["count"], 1);
    assert_eq!(audit(&hub, &format!("notification_id={mine}&user_id=ben"))["count"], 0);
}

#[test]
fn what_lies_in_the_queue_of_a_stalled_reader_was_not_sent() {
    let hub = setup().with(|config| config.stream.stall_timeout = Duration::from_secs(60)).start();
    let mut stalled = hub.stream("ben").small_buffers().connect();
    let mut reader = hub.reader(USER);
    // Large ones, until the socket of who does not read is full and several more wait behind it.
    let mut posted = Vec::new();
    wait_for("a queue", || {
        let large = sized_batch("test_user|false", &format!("e{}", posted.len()), 1, 30_000).remove(0);
        posted.push(hub.post_kept(large));
        reader.notification();
        (hub.metric("lookout_queue_overflows_total") > 0.0).then_some(())
    });
    let newest: Vec<&str> = posted.iter().rev().map(String::as_str).collect();
    wait_until_sent(&hub, USER, &newest);
    let to_stalled = sent_to(&hub, "ben");
    assert!(to_stalled.len() < posted.len(), "{} of {}", to_stalled.len(), posted.len());
    assert!(newest.ends_with(&ids(&to_stalled)), "the first of them, without a hole");
    stalled.notifications(posted.len());
    wait_until_sent(&hub, "ben", &newest);
}

#[test]
fn kill_9_loses_an_interval_and_makes_nothing_up() {
    let mut server = Server::start(&[OFTEN]);
    for round in 0..10 {
        let mut reader = server.reader(USER);
        let mut received: Vec<String> = (0..3).map(|number| tell(&server, &mut reader, &format!("{round}-{number}"))).collect();
        let written = received.clone();
        let newest_first = [&*written[2], &*written[1], &*written[0]];
        wait_for("them to be written", || ids(&sent_to(&server, USER)).starts_with(&newest_first).then_some(()));
        // Written or not, at the kill.
        received.extend((3..fastrand::usize(3..20)).map(|number| tell(&server, &mut reader, &format!("{round}-{number}"))));
        server.kill9();
        while let Next::Message(message) = reader.next_within(SOON) {
            received.extend(message.json["notification_id"].as_str().map(str::to_owned));
        }
        server.restart();
        let found = sent_to(&server, USER);
        let connection =
            &found.iter().find(|delivery| delivery["notification_id"] == written[0].as_str()).unwrap()["connection_id"];
        let on_it: Vec<Value> = found.iter().filter(|delivery| delivery["connection_id"] == *connection).cloned().collect();
        let mut on_it = ids(&on_it);
        on_it.reverse();
        assert!(on_it.len() >= 3 && received.len() >= on_it.len(), "{on_it:?} of {received:?}");
        assert_eq!(on_it[..], received[..on_it.len()], "what was sent, in its order");
    }
}

#[test]
fn an_orderly_stop_writes_up_everything() {
    // So seldom that nothing is written but by the stop.
    let mut server = Server::start(&[("AUDIT__INTERVAL", "1h")]);
    let mut reader = server.reader(USER);
    let sent = ["a", "b"].map(|id| tell(&server, &mut reader, id));
    assert_eq!(sent_to(&server, USER), [Value::Null; 0]);
    server.signal(Signal::SIGTERM);
    reader.rest();
    server.wait_for_exit();
    server.restart();
    let found = sent_to(&server, USER);
    assert_eq!(ids(&found), [&sent[1], &sent[0]]);
    assert!(found.iter().all(|delivery| delivery["disconnect_cause"] == "goodbye"), "{found:?}");
    assert!(!server.log().contains("stop_audit_cut_off"));
}

#[test]
fn off_writes_nothing_and_what_was_written_stays() {
    let hub = setup().start();
    let mut reader = hub.reader(USER);
    let written = tell(&hub, &mut reader, "a");
    drop(reader);
    wait_until_sent(&hub, USER, &[&written]);
    let hub = hub.stop().with(|config| config.audit.interval = None).start();
    let mut reader = hub.reader(USER);
    let unwritten = tell(&hub, &mut reader, "b");
    drop(reader);
    let hub = hub.stop().start();
    assert_eq!(ids(&sent_to(&hub, USER)), [&written]);
    assert_eq!(audit(&hub, &format!("notification_id={unwritten}"))["deliveries"], json!([]));
}

#[test]
fn retention_takes_what_is_about_entries_that_are_gone_and_no_more() {
    let hub = setup().start();
    let mut reader = hub.reader(USER);
    let [first, second] = ["a", "b"].map(|id| tell(&hub, &mut reader, id));
    wait_until_sent(&hub, USER, &[&second, &first]);
    drop(reader);
    let hub = hub.stop().with(|config| config.store.retention = Some(Duration::from_millis(1))).start();
    wait_for("retention to leave the newest entry only", || (hub.history("")["count"] == 1).then_some(()));
    assert_eq!(ids(&sent_to(&hub, USER)), [&second]);
    // Each start looks again, with nothing else to take, and each stop waits for that.
    let hub = hub.stop().start().stop().start();
    assert_eq!(ids(&sent_to(&hub, USER)), [&second]);
    hub.admin(&format!("/audit?notification_id={first}")).assert_error(404);
}

#[test]
fn what_cannot_be_asked_is_told_by_its_parameter() {
    let hub = Hub::start();
    for (query, word) in [
        ("", "notification_id, user_id"),
        ("limit=5", "notification_id, user_id"),
        ("user_id=a&limit=0", "limit"),
        ("user_id=a&limit=1001", "limit"),
        ("user_id=a&limit=x", "limit"),
        ("user_id=a&from=x", "from"),
        ("user_id=a&from=1-2", "from"),
    ] {
        let answer = hub.admin(&format!("/audit?{query}"));
        answer.assert_error(400);
        assert!(answer.json()["message"].as_str().unwrap().contains(word), "{query}: {}", answer.text());
    }
    for id in ["x", "507f1f77bcf86cd799439011"] {
        hub.admin(&format!("/audit?notification_id={id}")).assert_error(404);
    }
    assert_eq!(audit(&hub, "user_id=nobody")["deliveries"], json!([]));
    assert_eq!(audit(&hub, "user_id=nobody&from=99-507f1f77bcf86cd799439011")["next"], Value::Null);
    hub.ask_admin("POST", "/audit?user_id=a", &[("X-Lookout-Admin", "1")]).assert_error(405);
    hub.get("/audit?user_id=a").assert_error(404);
}
