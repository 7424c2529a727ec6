//! Whose a notification is: the last pipe splits, and the whole path says the same as the rule alone.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use lookout::{
    actors::intake::Intake,
    config::Config,
    notification::{provider::DeliveryHeaders, reference::CustomReference},
};
use lookout_fuzz::has_markup;
use serde_json::{Value, json};

static INTAKE: LazyLock<Intake> = LazyLock::new(|| {
    let config = Config::defaults();
    Intake::new(&config.ingest, &config.screening, "list")
});

/// The rule as the specification has it.
fn expected(text: &str) -> CustomReference {
    let parts: Vec<&str> = text.split('|').collect();
    let Some((flag, owner)) = parts.split_last().filter(|(_, before)| !before.is_empty()) else {
        return CustomReference::default();
    };
    match owner.join("|").trim() {
        "" => CustomReference::default(),
        owner => CustomReference { owner: Some(owner.to_owned()), auto_screen: flag.trim().to_lowercase() == "true" },
    }
}

fuzz_target!(|bytes: &[u8]| {
    // What is no text names nobody.
    if let Ok(value) = serde_json::from_slice::<Value>(bytes)
        && !value.is_string()
    {
        assert_eq!(CustomReference::read(&value), CustomReference::default());
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let expected = expected(text);
    assert_eq!(CustomReference::read(&text.into()), expected);

    let body = json!({ "custom_reference": text, "vessel": { "imo": "9999993" }, "event": { "type": "zone_entry" } });
    let mut prepared = INTAKE.prepare(body.to_string().into(), &DeliveryHeaders::default(), chrono::DateTime::UNIX_EPOCH);
    let notification = prepared.receive.notifications.pop().expect("an event");
    assert_eq!(notification.owner.as_deref(), expected.owner.as_deref(), "kept as it was sent");
    assert_eq!(notification.screen.is_some(), expected.auto_screen);
    let payload: Value = serde_json::from_str(&notification.payload).expect("JSON");
    assert_eq!(payload["data"]["auto_screen"], expected.auto_screen);
    let shown = payload["user_id"].as_str();
    assert!(!shown.is_some_and(has_markup), "{shown:?}");
    if !expected.owner.as_deref().is_some_and(has_markup) {
        assert_eq!(shown, expected.owner.as_deref(), "shown as it was sent");
    }
});
