//! Webhook bodies: invented events that can be told apart, and the files of `tests/payloads`.

use serde_json::{Value, json};

/// One event; `marker` becomes its provider event id, so two markers are two facts.
pub fn event(reference: &str, marker: &str) -> Value {
    json!({
        "custom_reference": reference,
        "vessel": {"imo": "9999993", "name": "NORDLYS PIONEER"},
        "event": {"type": "zone_entry", "id": marker},
    })
}

/// So many different events, marked `<prefix>-0` and on.
pub fn batch(reference: &str, prefix: &str, items: usize) -> Vec<Value> {
    (0..items).map(|index| event(reference, &format!("{prefix}-{index}"))).collect()
}

/// The same with so many bytes of text in each.
pub fn sized_batch(reference: &str, prefix: &str, items: usize, bytes: usize) -> Vec<Value> {
    let mut events = batch(reference, prefix, items);
    for event in &mut events {
        event["event"]["remark"] = "~".repeat(bytes).into();
    }
    events
}

/// The marker of a notification made by [`event`].
pub fn marker(message: &Value) -> &str {
    message["data"]["event"]["id"].as_str().unwrap_or_else(|| panic!("no marker in {message}"))
}

/// The exact bytes of a file in `tests/payloads`, found by the beginning of its name.
pub fn payload(prefix: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/payloads");
    let mut found = std::fs::read_dir(folder)
        .expect("tests/payloads")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)));
    let path = found.next().unwrap_or_else(|| panic!("no payload {prefix}"));
    assert_eq!(found.next(), None, "{prefix} names more than one payload");
    std::fs::read(path).expect("a readable payload")
}
