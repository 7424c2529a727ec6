//! What holds for any body, whoever wrote it.
//!
//! Webhooks are open to whoever finds them; the samples say nothing of what nobody has sent yet.

use proptest::prelude::*;

use super::{payload_tests::read_bytes, *};

/// Any JSON whose keys are mostly the ones that mean something somewhere.
fn any_document() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "9999993",
        "zone_entry",
        "callback_test",
        "a|true",
        "2026-11-23T11:40:00Z",
        "@@@",
        "",
        "ＩＭＯ",
        "1e5",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "vessel",
        "event",
        "notification",
        "data",
        "event_details",
        "vessel_information",
        "imo",
        "IMO",
        "mmsi",
        "name",
        "type",
        "id",
        "event_id",
        "eventId",
        "vessel_name",
        "vesselName",
        "call-sign",
        "event_type",
        "eventTypes",
        "MOVE_TYPE",
        "timestamp",
        "time",
        "event_time",
        "custom_reference",
        "customReference",
        "metadata",
        "position",
        "activities",
        "latitude",
        "lon",
        "zone",
        "area_id",
        "specversion",
        "source",
        "_id",
        "notification_id",
        "user_id",
        "auto_screen",
        "received_at",
        "screening_results",
        "normalised",
        "other",
    ]);
    leaf.prop_recursive(5, 48, 8, move |inner| {
        let fields = prop::collection::vec((key.clone(), inner.clone()), 0..8);
        prop_oneof![
            1 => prop::collection::vec(inner, 0..4).prop_map(Value::from),
            4 => fields.prop_map(|fields| fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>().into()),
        ]
    })
}

fn reversed(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.into_iter().rev().map(|(key, value)| (key, reversed(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(reversed).collect(),
        leaf => leaf,
    }
}

fn events_in(document: &Value) -> Vec<ReadEvent> {
    let items = read_bytes(document.to_string().as_bytes()).map(|body| body.items).unwrap_or_default();
    let event = |item| if let Reading::Event(event) = item { Some(*event) } else { None };
    items.into_iter().filter_map(event).collect()
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_bytes(&bytes);
    }

    #[test]
    fn no_document_sets_a_reserved_name(document in any_document()) {
        for event in events_in(&document) {
            prop_assert!(RESERVED_NAMES.iter().all(|name| !event.rest.contains_key(*name)), "{}", document);
        }
    }

    #[test]
    fn the_order_of_keys_does_not_change_the_fact(document in any_document()) {
        let facts = |document: &Value| -> Vec<_> {
            events_in(document).into_iter().map(|event| (event.fact_key, event.normalised, event.subject)).collect()
        };
        prop_assert_eq!(facts(&document), facts(&reversed(document.clone())));
    }
}
