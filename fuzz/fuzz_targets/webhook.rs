//! A webhook's body on its whole way to the store: read in any provider's shape, cleaned, answered, and one frame on the wire.

#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta};
use libfuzzer_sys::fuzz_target;
use lookout::{
    actors::intake::{Intake, Item, Prepared, Verdict},
    config::Config,
    error::Refusal,
    notification::{
        entry::{Entry, Kind},
        frame::Frame,
        position::{Epoch, Position, Tag},
        provider::DeliveryHeaders,
        rfc3339,
    },
    store::NewNotification,
};
use lookout_fuzz::{assert_harmless_links, assert_inert};
use serde_json::Value;

/// What Lookout itself says of a notification, in this order before everything that was sent.
const OURS: [&str; 6] = ["vessel", "event", "screening_results", "received_at", "auto_screen", "normalised"];
/// What a body cannot say at all.
const RESERVED: [&str; 3] = ["_id", "notification_id", "user_id"];

static CONFIG: LazyLock<Config> = LazyLock::new(Config::defaults);
static INTAKE: LazyLock<Intake> = LazyLock::new(|| Intake::new(&CONFIG.ingest, &CONFIG.screening, "list"));

fn assert_refusal(refusal: &Refusal) {
    assert!(matches!(refusal.status, 400 | 413), "{refusal:?}");
    assert!(!refusal.code.is_empty() && !refusal.message.is_empty());
}

fn assert_notification(notification: &NewNotification, received_at: &str) {
    let payload = &notification.payload;
    let message: Value = serde_json::from_str(payload).expect("JSON");
    assert_eq!(message.to_string(), *payload, "no field stands twice, and numbers are as they were");
    assert_inert(&message);
    assert_harmless_links(&message);
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&message), ["type", "notification_id", "timestamp", "user_id", "data"]);
    assert_eq!(message["type"], "zone_port_notification");
    assert_eq!(message["notification_id"], notification.id.to_hex());
    assert_eq!(message["user_id"].is_null(), notification.owner.is_none());
    let data = &message["data"];
    let fields = keys(data);
    assert_eq!(fields[..OURS.len()], OURS);
    assert!(fields.iter().all(|field| !RESERVED.contains(&field.as_str())), "{fields:?}");
    assert_eq!(data["received_at"], received_at);
    let results = &data["screening_results"];
    assert!(results.is_null() || results["status"] == "skipped", "{results}");
    assert!(notification.screen.is_none() || (results.is_null() && data["auto_screen"] == true));
    assert!(data["auto_screen"] == false || notification.owner.is_some(), "nobody asks for a screening");
    let normalised = keys(&data["normalised"]);
    assert_eq!(normalised, ["imo", "mmsi", "call_sign", "event_time", "latitude", "longitude"]);

    let position = Position { epoch: Epoch(1), n: 1, tag: Tag::of(payload) };
    let (id, owner) = (notification.id, notification.owner.clone());
    let entry = Entry { position, kind: Kind::Notification, notification_id: id, owner, payload: payload.as_str().into() };
    assert_eq!(Frame::of(&entry).bytes, format!("id: {position}\ndata: {payload}\n\n"), "one event, two fields");
}

fn assert_prepared(prepared: &Prepared) {
    let Prepared { receive, verdict, .. } = prepared;
    let (items, batch) = match verdict {
        Verdict::Refused(refusal) => {
            assert_refusal(refusal);
            assert!(receive.notifications.is_empty());
            assert_eq!(receive.dead_letters.len(), usize::from(refusal.status == 400));
            assert!(receive.dead_letters.iter().all(|letter| letter.item.is_none()));
            return;
        }
        Verdict::Single(item) => (std::slice::from_ref(item), false),
        Verdict::Batch(items) => (&items[..], true),
    };
    assert!(items.len() <= CONFIG.ingest.max_batch);
    let count = |wanted: fn(&Item) -> bool| items.iter().filter(|item| wanted(item)).count();
    assert_eq!(receive.notifications.len(), count(|item| matches!(item, Item::Event)));
    let unusable = items.iter().enumerate().filter(|(_, item)| matches!(item, Item::Unusable(_)));
    let expected: Vec<Option<usize>> = unusable.map(|(index, _)| batch.then_some(index)).collect();
    assert_eq!(receive.dead_letters.iter().map(|letter| letter.item).collect::<Vec<_>>(), expected);
    for item in items {
        if let Item::Unusable(refusal) = item {
            assert_refusal(refusal);
        }
    }
    let received_at = rfc3339(receive.received_at);
    receive.notifications.iter().for_each(|notification| assert_notification(notification, &received_at));
}

fuzz_target!(|bytes: &[u8]| {
    let body = Bytes::copy_from_slice(bytes);
    let at = DateTime::from_timestamp_millis(1_795_440_000_123).expect("in range");
    let headers = DeliveryHeaders { delivery_id: Some("delivery".into()) };
    let prepared = INTAKE.prepare(body.clone(), &headers, at);
    assert_eq!(prepared.receive.raw, body, "kept byte for byte");
    assert_prepared(&prepared);

    // Posted again later it is recognised.
    let again = INTAKE.prepare(body.clone(), &headers, at + TimeDelta::hours(1));
    assert_eq!(again.verdict, prepared.verdict);
    let keys = |prepared: &Prepared| {
        let keys = |one: &NewNotification| (one.delivery_key, one.fact_key, one.owner.clone(), one.screen.clone());
        prepared.receive.notifications.iter().map(keys).collect::<Vec<_>>()
    };
    assert_eq!(keys(&again), keys(&prepared));
    assert!(again.receive.notifications.iter().all(|one| one.delivery_key.is_some()));

    // One item of it alone is what it was among the others.
    if let Verdict::Batch(items) = &prepared.verdict {
        let last = items.len().saturating_sub(1);
        let expected = items.get(last);
        let only = again.only(last);
        match (&only.verdict, expected) {
            (Verdict::Single(item), Some(expected)) => assert_eq!(item, expected),
            (Verdict::Refused(refusal), None) => assert_refusal(refusal),
            other => panic!("{other:?}"),
        }
        let usable = expected.is_some_and(|item| !matches!(item, Item::Unusable(_)));
        assert_eq!(only.is_usable(), usable);
        if expected == Some(&Item::Event) {
            assert_eq!(keys(&only), keys(&prepared)[keys(&prepared).len() - 1..]);
        }
    }
});
