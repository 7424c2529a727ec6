//! Whose an event is, and when two of them are one: too much detail keeps an event twice, too little loses an alert.

use serde_json::json;

use super::{payload_tests::read_bytes, *};

fn readings(body: Value) -> Vec<Reading> {
    read_bytes(body.to_string().as_bytes()).expect("readable").items
}

fn event(item: Value) -> ReadEvent {
    match readings(item).remove(0) {
        Reading::Event(event) => *event,
        other => panic!("no event: {other:?}"),
    }
}

/// The key of a flat event with these fields over those that it always has.
fn flat(fields: Value) -> Option<Key> {
    let mut item = json!({ "event_type": "zone_entry", "imo": 9999931, "event_time": 1795430000 });
    for (key, value) in fields.as_object().expect("object") {
        item[key] = value.clone();
    }
    event(item).fact_key
}

#[test]
fn two_zones_entered_at_one_instant_are_two_facts() {
    let inside = |fence: &str| flat(json!({ "area_id": "a", "data": { "geofence_name": fence } }));
    assert!(inside("x").is_some());
    assert_eq!(inside("x"), inside("x"));
    assert_ne!(inside("x"), inside("y"));
    assert_ne!(flat(json!({ "port": { "id": 1, "berth": 1 } })), flat(json!({ "port": { "id": 1, "berth": 2 } })));
}

#[test]
fn a_placeholder_id_makes_no_two_events_one() {
    for id in [json!(0), json!("N/A"), json!("00000000-0000-0000-0000-000000000000")] {
        let at = |time| flat(json!({ "event_id": id, "event_time": time }));
        assert!(at(1795430000).is_some());
        assert_ne!(at(1795430000), at(1795430001), "{id}");
    }
}

#[test]
fn a_cloud_event_s_id_counts_within_its_source() {
    let of = |source: &str, time: &str| flat(json!({ "specversion": "1.0", "id": "1", "source": source, "time": time }));
    assert_eq!(of("a", "2026-11-23T11:00:00Z"), of("a", "2026-11-23T12:00:00Z"));
    assert_ne!(of("a", "2026-11-23T11:00:00Z"), of("b", "2026-11-23T11:00:00Z"));
}

#[test]
fn an_envelope_s_id_of_a_flat_body_counts_with_the_time_that_is_given() {
    let at = |time| flat(json!({ "id": "ship-7", "event_time": time }));
    assert_eq!(at(json!(1795430000)), at(json!("1795430000")));
    assert_ne!(at(json!(1795430000)), at(json!(1795433600)));
    assert!(at(json!(null)).is_some());
    let own = |time| flat(json!({ "event_id": "e-7", "event_time": time }));
    assert_eq!(own(1795430000), own(1795433600));
    let object =
        |time| event(json!({ "id": "m-7", "vessel": { "imo": 1 }, "event": { "type": "x", "timestamp": time } })).fact_key;
    assert_eq!(object(1795430000), object(1795433600));
}

#[test]
fn a_faulty_number_counts_with_the_name() {
    let named = |name: &str| flat(json!({ "imo": "9999994", "ship_name": name }));
    assert_eq!(named("A"), named("A"));
    assert_ne!(named("A"), named("B"));
    let signed = |name: &str, sign: &str| flat(json!({ "imo": null, "ship_name": name, "call_sign": sign }));
    assert_ne!(signed("A", "UNKNOWN"), signed("B", "UNKNOWN"));
    assert_eq!(signed("A", "D5ZZ9"), signed("B", "d5-zz 9"));
}

#[test]
fn a_batch_s_own_reference_is_the_last_resort_of_its_items() {
    let vessel = json!({ "imo": 9999931 });
    let body = json!({ "custom_reference": "around|true", "data": [
        { "vessel": vessel },
        { "vessel": vessel, "custom_reference": "own|false" },
        { "vessel": vessel, "custom_reference": "nobody" },
        { "vessel": vessel, "notification": { "name": "rule|true" } },
        { "vessel": vessel, "notification": { "name": "a rule" } },
    ] });
    let owners: Vec<_> = readings(body)
        .into_iter()
        .map(|reading| if let Reading::Event(event) = reading { event.reference.owner } else { panic!("no event") })
        .collect();
    let expected = [Some("around"), Some("own"), None, Some("rule"), Some("around")];
    assert_eq!(owners.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
}

#[test]
fn an_event_with_an_id_or_time_of_its_own_is_no_ping() {
    for item in [
        json!({ "event_type": "speed_test", "event_id": "e" }),
        json!({ "type": "ping", "data": { "alertId": 7 } }),
        json!({ "event": "sea_test", "event_time": 1795430000 }),
    ] {
        assert!(matches!(readings(item.clone()).remove(0), Reading::Event(_)), "{item}");
    }
    let test = json!({ "type": "webhook.test", "id": "m", "timestamp": 1795430000, "event_id": null });
    assert_eq!(readings(test), [Reading::Ping]);
}
