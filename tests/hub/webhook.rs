//! What a sender of webhooks is answered.

use serde_json::json;

use crate::support::{Hub, Reader, Setup, USER, event, marker};

const WEBHOOK: &str = "/notifications/webhook/zone-port-event";

/// The next notification must have this id.
fn assert_next(reader: &mut Reader, id: &str) {
    assert_eq!(reader.notification().json["notification_id"], id);
}

#[test]
fn the_founding_documents_two_requests_give_a_screened_notification() {
    let hub = Hub::start();
    let mut reader = hub.reader("test_user");
    assert_eq!(reader.established["user_id"], "test_user");
    let id = hub.post_kept(json!({
        "custom_reference": "test_user|true",
        "vessel": {"imo": "1234567"},
        "event": {"type": "zone_entry"},
    }));
    let json = reader.notification().json;
    assert_eq!(json["notification_id"], id);
    assert_eq!(json["user_id"], "test_user");
    assert_eq!(json["data"]["vessel"], json!({"imo": "1234567"}));
    assert_eq!(json["data"]["event"], json!({"type": "zone_entry"}));
    assert_eq!(json["data"]["auto_screen"], true);
    assert_eq!(json["data"]["normalised"]["imo"], "1234567");
    let results = &json["data"]["screening_results"];
    assert_eq!(results["status"], "done", "{results}");
    assert_eq!(results["overall_severity"], "UNKNOWN");
    assert_eq!(results["reason"], "no_list");
}

#[test]
fn one_event_is_answered_with_its_id_and_nothing_else() {
    let hub = Hub::start();
    let json = hub.post(event("test_user|false", "a")).assert_success();
    let fields: Vec<_> = json.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["status", "message", "notification_id", "duplicate"]);
    let id = json["notification_id"].as_str().unwrap();
    assert!(id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!(json["duplicate"], false);
}

#[test]
fn the_same_fact_is_answered_as_a_duplicate_and_streamed_once() {
    let hub = Hub::start();
    let mut reader = hub.reader(USER);
    let first = hub.post_kept(event("test_user|false", "same"));
    let again = hub.post(event("test_user|false", "same")).assert_success();
    assert_eq!(again["duplicate"], true);
    assert_eq!(again["notification_id"], *first);
    let other = hub.post_kept(event("test_user|false", "other"));
    assert_next(&mut reader, &first);
    assert_next(&mut reader, &other);
    assert_eq!(hub.metric("lookout_duplicates_total"), 1.0);
}

#[test]
fn the_same_delivery_is_a_duplicate_where_there_is_no_fact_key() {
    let hub = Hub::start();
    let body = serde_json::to_vec(&json!({"custom_reference": "test_user|false", "vessel": {"name": "NO KEY"}})).unwrap();
    let deliver = |id| hub.post_bytes(&body, &[("webhook-id", id)]).assert_success();
    let first = deliver("msg_1");
    let again = deliver("msg_1");
    let other = deliver("msg_2");
    assert_eq!(first["duplicate"], false);
    assert_eq!((&again["duplicate"], &again["notification_id"]), (&json!(true), &first["notification_id"]));
    assert_eq!(other["duplicate"], false);
}

#[test]
fn what_is_posted_twice_without_any_key_is_kept_twice() {
    let hub = Hub::start();
    let body = json!({"custom_reference": "test_user|false", "vessel": {"name": "NO KEY"}});
    assert_ne!(hub.post_kept(&body), hub.post_kept(&body));
}

#[test]
fn the_owner_is_what_stands_before_the_last_pipe() {
    let hub = Hub::start();
    let mut reader = hub.reader(USER);
    let owners = [
        (json!("test_user|false"), json!("test_user")),
        (json!(" test_user | FALSE "), json!("test_user")),
        (json!("a|b|false"), json!("a|b")),
        (json!("nobody"), json!(null)),
        (json!("|true"), json!(null)),
        (json!(7), json!(null)),
        (json!(null), json!(null)),
    ];
    for (index, (reference, owner)) in owners.iter().enumerate() {
        let mut event = event("", &index.to_string());
        event["custom_reference"] = reference.clone();
        hub.post_kept(event);
        let json = reader.notification().json;
        assert_eq!(json["user_id"], *owner, "{reference}");
        assert_eq!(json["data"]["screening_results"], json!(null), "{reference}");
        assert_eq!(json["data"]["auto_screen"], false, "{reference}");
    }
}

#[test]
fn a_body_cannot_set_what_lookout_says_itself() {
    let hub = Hub::start();
    let mut reader = hub.reader(USER);
    let mut forged = event("test_user|false", "forged");
    for field in ["_id", "notification_id", "user_id", "auto_screen", "received_at", "screening_results"] {
        forged[field] = "forged".into();
    }
    let id = hub.post_kept(forged);
    let message = reader.notification();
    assert_eq!(message.json["notification_id"], id);
    assert_eq!(message.json["user_id"], "test_user");
    assert_eq!(message.json["data"]["auto_screen"], false);
    // Its own marker is the only place where the word may stand.
    assert_eq!(marker(&message.json), "forged");
    assert_eq!(message.frame.matches("forged").count(), 1, "{}", message.frame);
}

#[test]
fn any_content_type_will_do() {
    let hub = Hub::start();
    for (index, content_type) in
        ["text/plain", "application/cloudevents+json", "application/x-www-form-urlencoded"].iter().enumerate()
    {
        let body = event("test_user|false", &index.to_string()).to_string();
        hub.post_bytes(body.as_bytes(), &[("Content-Type", content_type)]).assert_success();
    }
}

#[test]
fn one_connection_carries_many_webhooks() {
    let hub = Hub::start();
    let mut sender = hub.sender().unwrap();
    for index in 0..20 {
        let body = event("test_user|false", &index.to_string()).to_string();
        sender.request("POST", WEBHOOK, &[], body.as_bytes()).unwrap().assert_success();
    }
}

#[test]
fn bodies_and_batches_above_the_limit_are_413() {
    let hub = Setup::new().with(|config| config.ingest.max_batch = 3).start();
    hub.post(vec![event("test_user|false", "a"); 3]).assert_success();
    hub.post(vec![event("test_user|false", "a"); 4]).assert_error(413);
    hub.post(json!({"data": vec![event("test_user|false", "a"); 4]})).assert_error(413);

    let hub = Setup::new().with(|config| config.ingest.max_body = 2_000).start();
    hub.post(event(&format!("{}|false", "u".repeat(1_000)), "a")).assert_success();
    hub.post(event(&format!("{}|false", "u".repeat(2_000)), "a")).assert_error(413);
}

#[test]
fn a_body_that_is_too_deep_or_has_too_many_values_is_400_and_a_dead_letter() {
    let hub = Setup::new().with(|config| (config.ingest.max_depth, config.ingest.max_nodes) = (8, 1_000)).start();
    let with = |field: serde_json::Value| {
        let mut event = event("test_user|false", "a");
        event["more"] = field;
        event
    };
    let deep = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    hub.post(with(deep(7))).assert_success();
    assert_eq!(hub.post(with(deep(8))).assert_error(400)["error"], "too_deep");
    hub.post(with(json!(vec![1; 900]))).assert_success();
    assert_eq!(hub.post(with(json!(vec![1; 1_000]))).assert_error(400)["error"], "too_many_nodes");
    // In a megabyte there is room for half a million values, and for a hundred thousand brackets.
    assert_eq!(
        hub.post_bytes(format!("[{}1]", "1,".repeat(500_000)).as_bytes(), &[]).assert_error(400)["error"],
        "too_many_nodes"
    );
    assert_eq!(hub.post_bytes("[".repeat(100_000).as_bytes(), &[]).assert_error(400)["error"], "too_many_nodes");
    assert_eq!(hub.post_bytes("[".repeat(900).as_bytes(), &[]).assert_error(400)["error"], "too_deep");
    hub.wait_for_metric("lookout_dead_letters_total", 5.0);
}

#[test]
fn a_webhook_beyond_max_in_flight_is_told_to_come_back() {
    let hub = Setup::new().with(|config| config.ingest.max_in_flight = 1).start();
    let body = event("test_user|false", "slow").to_string();
    let (first, second) = body.split_at(body.len() / 2);
    let [mut slow, mut late] = [hub.webhook_under_way(body.len()), hub.webhook_under_way(body.len())];
    slow.send(first.as_bytes()).unwrap();
    hub.wait_for_metric("lookout_webhooks_in_flight", 1.0);
    late.send(first.as_bytes()).unwrap();
    let refused = late.answer(false).unwrap();
    refused.assert_error(503);
    let seconds: u64 = refused.head.header("retry-after").expect("Retry-After").parse().expect("seconds");
    assert!(seconds >= 1);
    slow.send(second.as_bytes()).unwrap();
    slow.answer(false).unwrap().assert_success();
    hub.post(event("test_user|false", "later")).assert_success();
}

#[test]
fn a_body_that_is_there_takes_the_place_of_one_that_dawdles() {
    let hub = Setup::new().with(|config| config.ingest.max_in_flight = 2).start();
    let mut dawdling = [1.0, 2.0].map(|count| {
        let mut sender = hub.webhook_under_way(100);
        sender.send(b"{").unwrap();
        hub.wait_for_metric("lookout_webhooks_in_flight", count);
        sender
    });
    // Who has sent nothing of its body holds no place.
    let mut silent = hub.webhook_under_way(2);
    hub.post(event("test_user|false", "a")).assert_success();
    assert_eq!(dawdling[0].answer(false).unwrap().assert_error(503)["error"], "busy");
    hub.wait_for_metric("lookout_webhooks_in_flight", 1.0);
    silent.send(b"[]").unwrap();
    silent.answer(false).unwrap().assert_success();
    dawdling[1].send(&[b' '; 99]).unwrap();
    dawdling[1].answer(false).unwrap().assert_error(400);
}

#[test]
fn a_body_that_does_not_arrive_is_408() {
    let hub = Setup::new().with(|config| config.ingest.body_timeout = std::time::Duration::from_millis(200)).start();
    let mut sender = hub.webhook_under_way(100);
    sender.send(b"{").unwrap();
    sender.answer(false).unwrap().assert_error(408);
}

#[test]
fn a_listener_of_its_own_serves_the_webhook_to_senders_that_half_close() {
    let hub = Setup::new().with(|config| config.ingest.bind = Some(([127, 0, 0, 1], 0).into())).start();
    assert_ne!(hub.ingest, hub.public);
    let body = event("test_user|false", "a").to_string();
    let mut sender = hub.sender().unwrap();
    sender
        .send(format!("POST {WEBHOOK} HTTP/1.1\r\nHost: lookout.test\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes())
        .unwrap();
    sender.half_close().unwrap();
    sender.answer(false).unwrap().assert_success();
    hub.ask("POST", WEBHOOK, &[]).assert_error(404);
}

#[test]
fn the_answer_waits_for_no_reader() {
    let hub = Hub::start();
    let stalled = hub.stream(USER).small_buffers().connect();
    for index in 0..200 {
        hub.post_kept(event("test_user|false", &index.to_string()));
    }
    drop(stalled);
}

#[test]
fn answers_are_counted_by_status() {
    let hub = Hub::start();
    hub.post_kept(event("test_user|false", "a"));
    hub.post("not an event").assert_error(400);
    assert_eq!(hub.metric("lookout_webhook_answers_total"), 2.0);
    assert_eq!(hub.metric("lookout_dead_letters_total"), 1.0);
    hub.post_kept(event("no pipe", "b"));
    assert_eq!(hub.metric("lookout_unrouted_total"), 1.0);
}
