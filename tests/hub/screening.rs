//! Screening that is quick, slow, broken or interrupted: delivery never waits for ever, and nothing unscreened looks clean.

use std::time::Duration;

use lookout::notification::results::Severity;
use serde_json::Value;

use crate::support::{Calls, Message, Setup, USER, event, held, marker, result};

const LONG: Duration = Duration::from_secs(600);

/// A hub whose screener waits for the test.
fn held_setup(deliver_within: Duration) -> (Setup, Calls) {
    let (screener, calls) = held(LONG);
    let setup = Setup::new().screened_by(screener).with(|config| {
        config.screening.deliver_within = deliver_within;
        config.screening.give_up_after = LONG;
    });
    (setup, calls)
}

/// The results of a notification or an update.
fn results(message: &Message) -> &Value {
    &message.json["data"]["screening_results"]
}

#[test]
fn a_quick_result_comes_with_its_notification() {
    let (setup, calls) = held_setup(LONG);
    let hub = setup.start();
    let mut reader = hub.reader(USER);
    hub.post_kept(event("test_user|true", "a"));
    let asked = calls.next();
    assert_eq!(asked.subject.imo.as_deref(), Some("9999993"));
    asked.answer(Ok(result(Severity::Critical)));
    let message = reader.notification();
    assert_eq!((&results(&message)["status"], &results(&message)["overall_severity"]), (&"done".into(), &"CRITICAL".into()));
    let fields: Vec<_> = results(&message).as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "status",
        "reason",
        "overall_severity",
        "ship_sanctions",
        "company_sanctions",
        "country_sanctions",
        "ship_movement",
        "psc",
        "transaction_id",
        "provider",
        "started_at",
        "completed_at",
        "lists",
        "hits",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn a_slow_result_follows_its_pending_notification_as_an_update() {
    let (setup, calls) = held_setup(Duration::from_millis(100));
    let hub = setup.start();
    let mut reader = hub.reader(USER);
    let id = hub.post_kept(event("test_user|true", "a"));
    let asked = calls.next();
    let pending = reader.notification();
    assert_eq!((&results(&pending)["status"], &results(&pending)["overall_severity"]), (&"pending".into(), &"PENDING".into()));
    assert_eq!(hub.history("")["notifications"][0]["data"]["screening_results"]["status"], "pending");

    asked.answer(Ok(result(Severity::Ok)));
    let update = reader.expect("screening_update");
    assert_eq!(update.fields(), ["type", "notification_id", "timestamp", "user_id", "data"]);
    assert_eq!((&update.json["notification_id"], &update.json["user_id"]), (&id.into(), &USER.into()));
    assert_eq!(update.json["data"].as_object().unwrap().len(), 1);
    assert_eq!((&results(&update)["status"], &results(&update)["overall_severity"]), (&"done".into(), &"OK".into()));
    assert_ne!(update.id, pending.id);

    let page = hub.history("");
    assert_eq!(page["count"], 1, "history holds notifications only");
    assert_eq!(page["notifications"][0]["data"]["screening_results"], *results(&update), "the newest results");
}

#[test]
fn a_notification_that_waits_is_passed_by_those_that_do_not() {
    let (setup, calls) = held_setup(LONG);
    let hub = setup.start();
    let mut reader = hub.reader(USER);
    hub.post_kept(event("test_user|true", "waits"));
    let asked = calls.next();
    hub.post_kept(event("test_user|false", "passes"));
    assert_eq!(marker(&reader.notification().json), "passes");
    asked.answer(Ok(result(Severity::Ok)));
    assert_eq!(marker(&reader.notification().json), "waits");
}

#[test]
fn a_screener_that_fails_until_the_end_gives_a_failed_update() {
    let (screener, calls) = held(LONG);
    drop(calls);
    let setup = Setup::new().screened_by(screener).with(|config| {
        config.screening.deliver_within = Duration::from_millis(100);
        config.screening.give_up_after = Duration::from_secs(1);
    });
    let hub = setup.start();
    let mut reader = hub.reader(USER);
    hub.post_kept(event("test_user|true", "a"));
    assert_eq!(results(&reader.notification())["status"], "pending");
    let update = reader.expect("screening_update");
    assert_eq!((&results(&update)["status"], &results(&update)["overall_severity"]), (&"failed".into(), &"UNKNOWN".into()));
}

#[test]
fn a_screener_that_never_answers_gives_a_timed_out_update() {
    let (screener, calls) = held(Duration::from_millis(200));
    let setup = Setup::new().screened_by(screener).with(|config| {
        config.screening.deliver_within = Duration::from_millis(100);
        config.screening.give_up_after = Duration::from_secs(1);
    });
    let hub = setup.start();
    let mut reader = hub.reader(USER);
    hub.post_kept(event("test_user|true", "a"));
    let _unanswered = calls.next();
    assert_eq!(results(&reader.notification())["status"], "pending");
    let update = reader.expect("screening_update");
    assert_eq!((&results(&update)["status"], &results(&update)["overall_severity"]), (&"timed_out".into(), &"UNKNOWN".into()));
    drop(calls);
}

#[test]
fn a_screener_that_recovers_is_asked_again() {
    let (setup, calls) = held_setup(LONG);
    let hub = setup.start();
    let mut reader = hub.reader(USER);
    hub.post_kept(event("test_user|true", "a"));
    drop(calls.next());
    calls.next().answer(Ok(result(Severity::Warning)));
    assert_eq!(results(&reader.notification())["overall_severity"], "WARNING");
    assert!(calls.waiting().is_none(), "and not a third time");
}

#[test]
fn a_pending_screening_survives_a_restart() {
    let (setup, calls) = held_setup(Duration::from_millis(100));
    let hub = setup.start();
    let mut reader = hub.reader(USER);
    let id = hub.post_kept(event("test_user|true", "a"));
    let _unanswered = calls.next();
    let pending = reader.notification();
    assert_eq!(results(&pending)["status"], "pending");
    let (screener, calls) = held(LONG);
    let hub = hub.stop().screened_by(screener).start();
    let mut reader = hub.stream(USER).after(pending.id.as_ref().unwrap()).connect();
    assert_eq!(reader.expect("caught_up").json["replayed"], 0);
    calls.next().answer(Ok(result(Severity::Ok)));
    let update = reader.expect("screening_update");
    assert_eq!((&update.json["notification_id"], &results(&update)["status"]), (&id.into(), &"done".into()));
}

#[test]
fn a_notification_that_waits_survives_a_restart_and_is_shown_once() {
    let (setup, calls) = held_setup(LONG);
    let hub = setup.start();
    let start = hub.reader(USER).start.clone();
    hub.post_kept(event("test_user|true", "a"));
    let _unanswered = calls.next();
    let (screener, calls) = held(LONG);
    let hub = hub.stop().screened_by(screener).start();
    let mut reader = hub.stream(USER).after(&start).connect();
    assert_eq!(reader.expect("caught_up").json["replayed"], 0);
    calls.next().answer(Ok(result(Severity::Ok)));
    assert_eq!(results(&reader.notification())["status"], "done");
    hub.post_kept(event("test_user|false", "b"));
    assert_eq!(marker(&reader.notification().json), "b", "and no update behind it");
}
