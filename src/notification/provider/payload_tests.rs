//! What each of the sample bodies must give, row by row of `tests/payloads/README.md`.
//!
//! The samples are what real providers send; a shape that is in none of them is not known to exist.

use std::collections::{BTreeMap, HashSet};

use serde_json::json;

use super::*;

const LIMITS: BodyLimits = BodyLimits { max_batch: 1000, max_depth: 64, max_nodes: 100_000 };

fn received_at() -> Timestamp {
    chrono::DateTime::from_timestamp_millis(1_795_440_000_123).expect("in range")
}

fn bytes_of(file: &str) -> Vec<u8> {
    let path = format!("{}/tests/payloads/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The re-spelt retry holds `3.58e1183`, a slip for 35.8183: no double, hence refused as it stands.
fn slip_corrected(bytes: Vec<u8>) -> Vec<u8> {
    String::from_utf8(bytes).expect("UTF-8").replace("3.58e1183", "3.58183e1").into_bytes()
}

pub(super) fn read_bytes(bytes: &[u8]) -> Result<Body, BodyError> {
    read_body(bytes, &DeliveryHeaders::default(), &LIMITS, received_at())
}

fn read_file(file: &str) -> Body {
    read_bytes(&bytes_of(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn events(body: Body) -> Vec<ReadEvent> {
    let event = |item| match item {
        Reading::Event(event) => *event,
        other => panic!("no event: {other:?}"),
    };
    body.items.into_iter().map(event).collect()
}

fn single(file: &str) -> ReadEvent {
    let body = read_file(file);
    assert!(!body.batch, "{file}");
    events(body).remove(0)
}

fn batch(file: &str, items: usize) -> Vec<ReadEvent> {
    let body = read_file(file);
    assert!(body.batch && body.items.len() == items, "{file}");
    events(body)
}

fn owner(owner: Option<&str>, auto_screen: bool) -> CustomReference {
    CustomReference { owner: owner.map(str::to_owned), auto_screen }
}

fn normalised(event: &ReadEvent) -> Value {
    serde_json::to_value(&event.normalised).expect("serialises")
}

#[test]
fn the_documented_body_is_taken_as_it_is() {
    let event = single("01-documented-minimal.json");
    assert_eq!(event.reference, owner(Some("test_user"), true));
    assert_eq!(event.vessel, json!({ "imo": "1234567" }));
    assert_eq!(event.event, json!({ "type": "zone_entry" }));
    assert_eq!(Value::from(event.rest), json!({ "custom_reference": "test_user|true" }));
    let expected = r#"{"imo":"1234567","mmsi":null,"call_sign":null,"event_time":"2026-11-23T13:20:00.123Z","latitude":null,"longitude":null}"#;
    assert_eq!(serde_json::to_string(&event.normalised).expect("serialises"), expected);
    assert_eq!((event.delivery_key, event.fact_key), (None, None));
}

#[test]
fn the_nested_body_is_lifted_whole() {
    let event = single("02-nested-zone-entry.json");
    assert_eq!(event.reference, owner(Some("analyst-07"), true));
    let vessel = json!({
        "asset_id": "0b000000-0000-4000-8000-000000000001", "call_sign": "A8TT1", "flag": "Liberia", "flag_code": "LBR",
        "imo": "9999993", "mmsi": "636999901", "name": "NORDLYS PIONEER", "type": "Bulk carrier"
    });
    assert_eq!(event.vessel.to_string(), vessel.to_string());
    let expected = json!({
        "id": "0c000000-0000-4000-8000-000000000002", "timestamp": "2026-11-23T09:00:37Z", "type": "zone_entry",
        "latitude": 63.91204, "longitude": 7.40311, "course": 178.5, "heading": 181, "speed": 11.3, "draught": 9.7,
        "navigational_status": { "status": "Under way using engine", "code": 0 },
        "reported_destination": "NLRTM", "reported_eta": "2026-11-25T06:00:00Z", "provider_type": "ZONE_ENTRY"
    });
    assert_eq!(event.event.to_string(), expected.to_string());
    assert_eq!(event.rest.keys().collect::<Vec<_>>(), ["subscription_id", "custom_reference", "created_at", "notification"]);
    let notification = event.rest["notification"].as_object().expect("object");
    assert_eq!(notification.keys().collect::<Vec<_>>(), ["id", "zone_port_information"]);
    assert_eq!(
        normalised(&event),
        json!({ "imo": "9999993", "mmsi": "636999901", "call_sign": "A8TT1", "event_time": "2026-11-23T09:00:37.000Z",
                "latitude": 63.91204, "longitude": 7.40311 })
    );
    let subject = Subject {
        imo: Some("9999993".into()),
        imo_as_sent: None,
        mmsi: Some("636999901".into()),
        call_sign: Some("A8TT1".into()),
        name: Some("NORDLYS PIONEER".into()),
        flag: Some("Liberia".into()),
        vessel_type: Some("Bulk carrier".into()),
    };
    assert_eq!(event.subject, subject);
}

#[test]
fn the_older_flat_layout_gives_the_same_shape() {
    let event = single("03-flat-port-arrival-padded-reference.json");
    assert_eq!(event.reference, owner(Some("analyst-07"), true));
    assert_eq!((&event.event["type"], &event.event["provider_type"]), (&json!("port_arrival"), &json!("PORT_ARRIVAL")));
    assert_eq!(event.vessel["name"], "ÅLESUND STJERNE");
    assert_eq!(event.normalised.imo.as_deref(), Some("9999981"));
}

#[test]
fn a_reference_without_a_pipe_names_nobody() {
    let event = single("04-reference-without-pipe.json");
    assert_eq!(event.reference, owner(None, false));
    assert_eq!(event.rest["custom_reference"], "RTM_1");
    assert_eq!(event.event["type"], "port_area_arrival");
}

#[test]
fn thirteen_references_are_read_by_one_rule() {
    let references: Vec<_> = batch("05-reference-variants-batch.json", 13).into_iter().map(|event| event.reference).collect();
    let expected = [
        owner(Some("team|eu|ops"), false),
        owner(Some("analyst-07"), false),
        owner(None, false),
        owner(Some("analyst-07"), false),
        owner(Some("analyst-07"), false),
        owner(Some("analyst-07"), true),
        owner(None, false),
        owner(None, false),
        owner(None, false),
        owner(None, false),
        owner(Some("аналитик-07"), true),
        owner(Some("user.with.dots@example.test"), false),
        owner(Some("analyst-07|true"), false),
    ];
    assert_eq!(references, expected);
}

#[test]
fn camel_case_takes_its_event_from_the_envelope() {
    let event = single("06-camelcase-geofence-enter.json");
    assert_eq!(event.reference, owner(Some("analyst-07"), true));
    let expected = json!({
        "type": "zone_entry", "id": "evt_0d5c0000000000000000000006", "timestamp": "2026-11-23T10:31:44.512Z",
        "provider_type": "position.geofence_enter"
    });
    assert_eq!(event.event, expected);
    assert_eq!(event.vessel["name"], "NORDLYS PIONEER");
    assert_eq!(event.vessel["imo"], 9999993);
    assert_eq!(event.vessel["flag"], "Liberia");
    assert_eq!(event.vessel["vesselSubtype"], "Bulk Carrier");
    assert_eq!(event.rest.keys().collect::<Vec<_>>(), ["notification", "data"]);
    assert_eq!(
        normalised(&event),
        json!({ "imo": "9999993", "mmsi": "636999901", "call_sign": null, "event_time": "2026-11-23T10:31:44.512Z",
                "latitude": 51.98244, "longitude": 4.04518 })
    );
}

#[test]
fn integer_codes_of_areas_and_ports_are_told_apart() {
    let area = single("07-integer-codes-area-entry.json");
    assert_eq!(area.event, json!({ "type": "zone_entry", "timestamp": 1795430000, "provider_type": 1 }));
    assert_eq!(area.vessel, json!({ "imo": 0, "mmsi": 413999907, "name": "HAI TEST 707", "call_sign": "BTT7" }));
    assert_eq!((area.subject.imo, area.subject.imo_as_sent), (None, None));
    assert_eq!(area.subject.mmsi.as_deref(), Some("413999907"));
    assert_eq!(area.normalised.event_time.as_deref(), Some("2026-11-23T10:33:20.000Z"));
    assert_eq!(area.rest.keys().collect::<Vec<_>>(), ["area_id", "area_name", "custom_reference"]);

    let port = single("08-integer-codes-port-call-bilingual.json");
    assert_eq!(port.event, json!({ "type": "berth_arrival", "timestamp": 1795433600, "provider_type": 2 }));
    assert_eq!(port.rest["port_cnname"], "仁川");
    assert_eq!(port.reference, owner(Some("analyst-07"), false));
    assert!(port.fact_key.is_some());
}

#[test]
fn a_risk_alert_keeps_its_type_and_reads_longitude_first() {
    let event = single("09-risk-alert-activity-array.json");
    assert_eq!(event.reference, owner(Some("analyst-07"), true));
    assert_eq!(event.event["type"], "COMPLIANCE_WATCHLIST_MONITOR");
    assert_eq!(event.event["id"], "6b04185f5787c25675f3a109");
    assert_eq!(event.vessel["call_sign"], "TJTT3");
    assert_eq!(event.vessel["type"], "Tanker");
    assert_eq!(
        event.rest["data"].as_object().expect("object").keys().collect::<Vec<_>>(),
        ["description", "activities", "metadata"]
    );
    assert_eq!((event.normalised.latitude, event.normalised.longitude), (Some(26.11873), Some(54.61021)));
    assert_eq!(event.normalised.event_time.as_deref(), Some("2026-11-23T10:44:09.000Z"));
}

#[test]
fn upper_case_columns_are_lifted_and_the_utc_column_is_the_time() {
    let event = single("10-uppercase-port-call.json");
    assert_eq!(event.event, json!({ "type": "port_departure", "timestamp": "2026-11-23T10:50:00.000", "provider_type": 1 }));
    let vessel = json!({
        "imo": "9999981", "mmsi": "257999902", "name": "ALESUND STJERNE", "type": "Chemical/Oil Products Tanker"
    });
    assert_eq!(event.vessel, vessel);
    assert_eq!(event.rest["TIMESTAMP_LT"], "2026-11-23T11:50:00.000");
    assert_eq!(event.normalised.event_time.as_deref(), Some("2026-11-23T10:50:00.000Z"));
    assert_eq!(event.reference, owner(Some("analyst-07"), true));
}

#[test]
fn the_unusable_items_of_a_batch_are_told_one_by_one() {
    let body = read_file("11-batch-array-one-bad.json");
    let found: Vec<_> = body
        .items
        .iter()
        .map(|item| match item {
            Reading::Event(event) => event.reference.owner.as_deref().unwrap_or_default(),
            Reading::Unusable(error) => error.code(),
            Reading::Ping => "ping",
        })
        .collect();
    let bad = "not_an_object";
    assert_eq!(found, ["analyst-07", "analyst-09", "no_vessel_no_event", "analyst-07", bad, bad, bad]);
}

#[test]
fn batches_come_bare_wrapped_and_empty() {
    let types: Vec<_> = batch("12-batch-wrapped-in-data.json", 2).into_iter().map(|event| event.event["type"].clone()).collect();
    assert_eq!(types, ["port_area_arrival", "port_area_departure"]);
    assert_eq!(read_file("13-batch-empty.json"), Body { batch: true, items: Vec::new() });
}

#[test]
fn hostile_texts_pass_as_sent() {
    let names: Vec<_> =
        batch("15-markup-and-injection-batch.json", 14).into_iter().map(|event| event.vessel["name"].clone()).collect();
    assert_eq!(names[0], "<script>alert('x')</script>");
    assert_eq!(names[3], "Tom & Jerry's \"Ship\"");
    assert_eq!(names[8], "carriage\rreturn\r\n\r\nid: 0\r\n");
}

#[test]
fn a_wrong_check_digit_is_kept_for_screening_and_not_normalised() {
    let event = single("17-imo-wrong-check-digit.json");
    assert_eq!((event.subject.imo, event.subject.imo_as_sent.as_deref()), (None, Some("9999994")));
    assert_eq!(event.normalised.imo, None);
    assert_eq!(event.vessel["imo"], "9999994");
}

#[test]
fn twenty_five_spellings_of_an_imo_number() {
    let events = batch("18-imo-variants-batch.json", 25);
    let found: Vec<_> = events.iter().map(|event| event.normalised.imo.as_deref()).collect();
    let valid = Some("9999993");
    let expected = [
        valid,
        valid,
        valid,
        valid,
        valid,
        valid,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        Some("9999656"),
        valid,
        None,
        Some("0912681"),
        None,
        None,
        None,
        Some("1234567"),
        None,
    ];
    assert_eq!(found, expected);
    let faulty: Vec<_> = events.iter().filter_map(|event| event.subject.imo_as_sent.as_deref()).collect();
    assert_eq!(faulty, ["99999930", "999999", "9999980", "IMO 9999948", "9999993/9999981", "-9999993"]);
}

#[test]
fn what_ais_sends_for_unknown_is_unknown() {
    let event = single("20-ais-sentinels-and-nulls.json");
    let time = "2026-11-23T10:58:00.000Z";
    let expected =
        json!({ "imo": null, "mmsi": null, "call_sign": null, "event_time": time, "latitude": null, "longitude": null });
    assert_eq!(normalised(&event), expected);
    assert_eq!(event.subject, Subject { flag: Some("XXZ".into()), ..Subject::default() });
    assert_eq!(event.event["heading"], 511);
}

#[test]
fn a_respelt_retry_is_the_same_fact() {
    let first = single("21-duplicate-first-delivery.json");
    let retry = bytes_of("22-duplicate-retry-reordered.json");
    assert_eq!(read_bytes(&retry).expect_err("no double").code(), "number_out_of_range");
    let retry = events(read_bytes(&slip_corrected(retry)).expect("readable")).remove(0);
    assert!(first.fact_key.is_some());
    assert_eq!(first.fact_key, retry.fact_key);
    assert_eq!(first.normalised, retry.normalised);
}

#[test]
fn the_stages_of_a_call_are_eight_facts() {
    let events = batch("23-port-call-sequence-batch.json", 8);
    assert_eq!(events.iter().filter_map(|event| event.fact_key).collect::<HashSet<_>>().len(), 8);
    let types: Vec<_> = events.iter().map(|event| event.event["type"].as_str().unwrap_or_default()).collect();
    let expected = [
        "port_area_arrival",
        "anchorage_arrival",
        "anchorage_departure",
        "port_arrival",
        "berth_arrival",
        "berth_departure",
        "port_departure",
        "port_area_departure",
    ];
    assert_eq!(types, expected);
}

#[test]
fn a_tug_is_known_by_its_type() {
    let event = single("25-tug-auto-screen-true.json");
    assert_eq!(event.subject.vessel_type.as_deref(), Some("Tug"));
    assert!(event.reference.auto_screen);
}

#[test]
fn sixteen_spellings_of_a_time() {
    let times: Vec<_> = batch("27-timestamp-forms-batch.json", 16).into_iter().map(|event| event.normalised.event_time).collect();
    let noon = Some("2026-11-23T11:40:00.000Z");
    let expected = [
        noon,
        Some("2026-11-23T11:40:00.123Z"),
        noon,
        noon,
        noon,
        None,
        noon,
        Some("2026-11-23T11:40:00.123Z"),
        noon,
        noon,
        None,
        Some("2036-01-01T00:00:00.000Z"),
        None,
        None,
        None,
        Some("2026-07-01T00:00:00.000Z"),
    ];
    assert_eq!(times.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
}

#[test]
fn numbers_keep_their_digits_and_the_last_of_equal_keys_wins() {
    let event = single("28-number-edges-duplicate-keys.json");
    assert_eq!(event.reference, owner(Some("analyst-09"), true));
    assert_eq!(event.vessel.to_string(), r#"{"imo":"9999981","mmsi":636999901}"#);
    let text = event.event.to_string();
    for number in ["9007199254740993", "-0.0", "1e-320", "123456789012345678901234567890", "0.1000000000000000055511151231257827"]
    {
        assert!(text.contains(&format!(":{number}")), "{number} in {text}");
    }
}

#[test]
fn a_ping_is_a_type_without_vessel_and_event() {
    assert_eq!(read_file("29-provider-test-ping.json"), Body { batch: false, items: vec![Reading::Ping] });
    let reading = |item: Value| read_bytes(item.to_string().as_bytes()).expect("readable").items.remove(0);
    assert_eq!(reading(json!({ "type": "Ping" })), Reading::Ping);
    assert_eq!(reading(json!({ "event": "webhook.test", "data": {} })), Reading::Ping);
    assert_eq!(reading(json!({ "event_type": "ping" })), Reading::Ping);
    assert_eq!(reading(json!({ "type": "subscription.created" })), Reading::Unusable(ItemError::NoVesselNoEvent));
    assert_eq!(reading(json!({ "vessel": {}, "event": null })), Reading::Unusable(ItemError::NoVesselNoEvent));
    assert!(matches!(reading(json!({ "type": "callback_test", "vessel": { "imo": 9999993 } })), Reading::Event(_)));
    assert!(matches!(reading(json!({ "event": { "type": "test" } })), Reading::Event(_)));
}

#[test]
fn a_cloud_event_is_the_same_delivery_by_source_and_id() {
    let event = single("30-cloudevents-structured.json");
    assert_eq!(event.reference, owner(Some("analyst-07"), true));
    assert_eq!(event.event["type"], "zone_entry");
    assert_eq!(event.normalised.event_time.as_deref(), Some("2026-11-23T11:49:00.000Z"));
    assert_eq!(event.subject.flag.as_deref(), Some("CMR"));
    assert!(!event.rest.contains_key("data"));
    assert_eq!(event.rest["source"], "//example.test/zone-service");
    assert!(event.delivery_key.is_some() && event.fact_key.is_some());

    let mut moved: Value = serde_json::from_slice(&bytes_of("30-cloudevents-structured.json")).expect("JSON");
    moved["source"] = json!("//example.test/other");
    let moved = events(read_bytes(moved.to_string().as_bytes()).expect("readable")).remove(0);
    assert_ne!(moved.delivery_key, event.delivery_key);
    assert_ne!(moved.fact_key, event.fact_key);
}

#[test]
fn a_standard_webhook_gives_the_time_that_its_event_lacks() {
    let event = single("31-standard-webhooks-body.json");
    assert_eq!(event.reference, owner(Some("analyst-07"), true));
    assert_eq!(event.event["type"], "zone_entry");
    assert_eq!(event.vessel["flag"], "TZ");
    assert_eq!(event.normalised.event_time.as_deref(), Some("2026-11-23T12:35:00.344Z"));
    assert_eq!((event.normalised.latitude, event.normalised.longitude), (Some(26.01), Some(54.29)));
    assert!(event.fact_key.is_some());
}

#[test]
fn one_event_for_three_subscriptions_is_one_fact_a_user() {
    let events = batch("32-same-event-two-subscriptions-batch.json", 3);
    assert_eq!(events[0].fact_key, events[2].fact_key);
    assert_ne!(events[0].fact_key, events[1].fact_key);
}

#[test]
fn invalid_bodies_are_refused_and_a_mark_in_front_is_not() {
    for (file, code) in [
        ("invalid-40-truncated.json", "not_json"),
        ("invalid-41-top-level-string.json", "not_an_object"),
        ("invalid-42-bad-utf8.json", "invalid_encoding"),
        ("invalid-44-empty-body.json", "empty_body"),
        ("invalid-48-two-documents.json", "not_json"),
    ] {
        let error = read_bytes(&bytes_of(file)).expect_err(file);
        assert_eq!((error.code(), error.status()), (code, 400), "{file}");
    }
    assert_eq!(single("invalid-47-bom-prefix.json").reference, owner(Some("analyst-07"), true));
}

#[test]
fn a_batch_over_the_limit_is_too_large_and_one_at_it_is_not() {
    let of = |items: usize| read_bytes(Value::from(vec![json!(1); items]).to_string().as_bytes());
    assert_eq!(of(1000).expect("readable").items.len(), 1000);
    let error = of(1001).expect_err("too large");
    assert_eq!((error.code(), error.status()), ("batch_too_large", 413));
}

#[test]
fn a_delivery_id_in_the_headers_tells_items_apart_and_knows_them_again() {
    let headers = DeliveryHeaders { delivery_id: Some("msg_1".to_owned()) };
    let keys = || {
        let body = read_body(&bytes_of("23-port-call-sequence-batch.json"), &headers, &LIMITS, received_at());
        events(body.expect("readable")).into_iter().map(|event| event.delivery_key.expect("a key")).collect::<Vec<_>>()
    };
    assert_eq!(keys(), keys());
    assert_eq!(keys().into_iter().collect::<HashSet<_>>().len(), 8);
}

/// How often each text, number and truth value is in there.
fn leaves(value: &Value, into: &mut BTreeMap<String, usize>) {
    match value {
        Value::Object(fields) => fields.values().for_each(|value| leaves(value, into)),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, into)),
        leaf => *into.entry(leaf.to_string()).or_default() += 1,
    }
}

#[test]
fn every_value_of_every_sample_is_moved_and_none_is_doubled() {
    let files = std::fs::read_dir(format!("{}/tests/payloads", env!("CARGO_MANIFEST_DIR"))).expect("samples");
    let files = files.map(|file| file.expect("entry").file_name().into_string().expect("plain name"));
    let mut seen = 0;
    for file in files.filter(|file| file.ends_with(".json") && !file.starts_with("invalid")) {
        let bytes = slip_corrected(bytes_of(&file));
        let sent = match serde_json::from_slice::<Value>(&bytes).expect("JSON") {
            Value::Array(items) => items,
            object => match object.get("data") {
                Some(Value::Array(items)) => items.clone(),
                _ => vec![object],
            },
        };
        for (sent, read) in sent.into_iter().zip(read_bytes(&bytes).expect(&file).items) {
            let Reading::Event(mut read) = read else { continue };
            let event = read.event.as_object_mut().expect("object");
            if let Some(word) = event.shift_remove("provider_type") {
                event.insert("type".to_owned(), word);
            }
            let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
            leaves(&sent, &mut before);
            leaves(&json!([read.vessel, read.event, read.rest]), &mut after);
            assert_eq!(before, after, "{file}");
            seen += 1;
        }
    }
    assert!(seen > 90, "{seen}");
}
