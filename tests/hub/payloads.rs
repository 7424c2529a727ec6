//! The bodies of `tests/payloads`, posted as they are: what each is answered and what it gives on the stream.

use serde_json::{Value, json};

use crate::support::{Hub, Message, USER, payload};

/// Posts a payload that is a batch; its notifications in the order of the answer.
fn stream_of_batch(hub: &Hub, name: &str) -> Vec<Message> {
    let mut reader = hub.reader(USER);
    let answer = hub.post_bytes(&payload(name), &[]).assert_success();
    let ids: Vec<_> = answer["results"].as_array().unwrap().iter().map(|result| result["notification_id"].clone()).collect();
    let messages = reader.notifications(ids.len());
    let of = |id: &Value| messages.iter().find(|message| message.json["notification_id"] == *id).expect("streamed").clone();
    ids.iter().map(of).collect()
}

#[test]
fn a_batch_keeps_what_is_usable_and_names_the_rest_by_index() {
    let hub = Hub::start();
    let mut reader = hub.reader(USER);
    let answer = hub.post_bytes(&payload("11-"), &[]).assert_success();
    let fields: Vec<_> = answer.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["status", "message", "results"]);
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 7);
    for (index, result) in results.iter().enumerate() {
        assert_eq!(result["index"], index);
        let fields: Vec<_> = result.as_object().unwrap().keys().collect();
        match index {
            0 | 1 | 3 => assert_eq!(fields, ["index", "notification_id", "duplicate"], "{result}"),
            _ => assert_eq!(fields, ["index", "error", "message"], "{result}"),
        }
    }
    let mut ids: Vec<_> = reader.notifications(3).iter().map(|message| message.json["notification_id"].to_string()).collect();
    let mut kept: Vec<_> = [0, 1, 3].iter().map(|index: &usize| results[*index]["notification_id"].to_string()).collect();
    ids.sort();
    kept.sort();
    assert_eq!(ids, kept);
    assert_eq!(hub.metric("lookout_dead_letters_total"), 4.0);
}

#[test]
fn a_batch_of_which_nothing_is_usable_is_400() {
    let hub = Hub::start();
    let answer = hub.post(json!(["text", 17, null, {}]));
    assert_eq!(answer.status(), 400, "{}", answer.text());
    assert_eq!(answer.json()["status"], "error");
    assert_eq!(hub.metric("lookout_dead_letters_total"), 4.0);
}

#[test]
fn a_batch_wrapped_in_data_is_a_batch() {
    let hub = Hub::start();
    assert_eq!(stream_of_batch(&hub, "12-").len(), 2);
}

#[test]
fn an_empty_batch_has_no_results() {
    let answer = Hub::start().post_bytes(&payload("13-"), &[]).assert_success();
    assert_eq!(answer["results"], json!([]));
}

#[test]
fn one_event_delivered_twice_and_spelt_otherwise_is_one_notification() {
    let hub = Hub::start();
    let first = hub.post_bytes(&payload("21-"), &[]).assert_success();
    // The re-spelt retry holds `3.58e1183`, a slip for 35.8183: beyond a double, so it is refused as it stands.
    hub.post_bytes(&payload("22-"), &[]).assert_error(400);
    let corrected = String::from_utf8(payload("22-")).unwrap().replace("3.58e1183", "3.58183e1");
    let second = hub.post_bytes(corrected.as_bytes(), &[]).assert_success();
    assert_eq!((&first["duplicate"], &second["duplicate"]), (&json!(false), &json!(true)));
    assert_eq!(first["notification_id"], second["notification_id"]);
}

#[test]
fn a_test_ping_is_answered_and_not_streamed() {
    let hub = Hub::start();
    let mut reader = hub.reader(USER);
    let ping = hub.post_bytes(&payload("29-"), &[]).assert_success();
    assert_eq!(ping["notification_id"], json!(null));
    let id = hub.post_kept(crate::support::event("test_user|false", "behind the ping"));
    assert_eq!(reader.notification().json["notification_id"], id);
}

#[test]
fn what_cannot_be_read_is_400_and_a_dead_letter() {
    let hub = Hub::start();
    let names = ["invalid-40", "invalid-41", "invalid-42", "invalid-44", "invalid-48"];
    for name in names {
        hub.post_bytes(&payload(name), &[]).assert_error(400);
    }
    let too_deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    hub.post_bytes(too_deep.as_bytes(), &[]).assert_error(400);
    hub.post_bytes(br#"{"vessel":{"imo":"9999993"},"event":{"type":"zone_entry","speed":1e999}}"#, &[]).assert_error(400);
    assert_eq!(hub.metric("lookout_dead_letters_total"), names.len() as f64 + 2.0);
}

#[test]
fn a_byte_order_mark_is_dropped() {
    Hub::start().post_bytes(&payload("invalid-47"), &[]).assert_success();
}

#[test]
fn the_nested_production_shape_is_lifted_to_vessel_and_event() {
    let hub = Hub::start();
    let mut reader = hub.reader(USER);
    hub.post_bytes(&payload("02-"), &[]).assert_success();
    let json = reader.notification().json;
    let sent: Value = serde_json::from_slice(&payload("02-")).unwrap();
    let (vessel, event) = (&sent["notification"]["event"]["vessel_information"], &sent["notification"]["event"]["event_details"]);
    assert_eq!(json["user_id"], "analyst-07");
    let data = &json["data"];
    for (lifted, own) in [("imo", "imo"), ("mmsi", "mmsi"), ("name", "name"), ("call_sign", "callsign"), ("type", "vessel_type")]
    {
        assert_eq!(data["vessel"][lifted], vessel[own], "{data}");
    }
    assert_eq!(data["vessel"]["asset_id"], vessel["asset_id"]);
    assert_eq!(data["event"]["type"], "zone_entry");
    assert_eq!(data["event"]["provider_type"], event["event_type"]);
    assert_eq!(data["event"]["id"], event["event_id"]);
    assert_eq!(data["event"]["timestamp"], event["event_timestamp"]);
    assert_eq!(data["event"]["draught"], event["draught"]);
    let doubled = data.to_string().matches(vessel["asset_id"].as_str().unwrap()).count();
    assert_eq!(doubled, 1, "moved, not doubled: {data}");
}

#[test]
fn imo_numbers_are_read_in_every_spelling() {
    let hub = Hub::start();
    let normalised: Vec<_> =
        stream_of_batch(&hub, "18-").iter().map(|message| message.json["data"]["normalised"]["imo"].clone()).collect();
    let (nine, none) = (json!("9999993"), Value::Null);
    let mut expected = vec![nine.clone(); 6];
    expected.extend(vec![none.clone(); 10]);
    expected.extend([json!("9999656"), nine, none.clone(), json!("0912681")]);
    expected.extend(vec![none.clone(); 3]);
    expected.extend([json!("1234567"), none]);
    assert_eq!(normalised, expected);
}

#[test]
fn a_tug_is_not_screened_and_says_so() {
    let hub = Hub::start();
    let mut reader = hub.reader(USER);
    hub.post_bytes(&payload("25-"), &[]).assert_success();
    let results = reader.notification().json["data"]["screening_results"].clone();
    assert_eq!(results["status"], "skipped");
    assert_eq!(results["overall_severity"], "UNKNOWN", "not screened never looks clean");
    assert!(results["reason"].is_string());
}

#[test]
fn no_payload_is_answered_with_a_server_error() {
    let hub = Hub::start();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/payloads")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let answer = hub.post_bytes(&std::fs::read(&path).unwrap(), &[]);
            assert!(matches!(answer.status(), 200 | 400), "{}: {}", path.display(), answer.status());
        }
    }
}
