//! What the targets hold Lookout to, written from the rules and not from the code: an oracle that shares code agrees with every fault.

// What the tests hold it to, too.
#[path = "../../tests/hub/support/inert.rs"]
mod inert;

pub use inert::{assert_inert, has_markup};
use serde_json::Value;

/// Checks that no value under a name that stands for a link makes a browser do more than go there.
pub fn assert_harmless_links(value: &Value) {
    assert_harmless(value, false);
}

fn assert_harmless(value: &Value, is_link: bool) {
    match value {
        Value::String(text) if is_link => {
            if let Ok(link) = url::Url::parse(text) {
                assert!(matches!(link.scheme(), "http" | "https" | "mailto"), "{text:?}");
            }
        }
        Value::Array(items) => items.iter().for_each(|item| assert_harmless(item, is_link)),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| assert_harmless(value, names_a_link(key))),
        _ => {}
    }
}

fn names_a_link(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    matches!(lower.as_str(), "url" | "uri" | "link" | "href" | "src" | "icon") || lower.ends_with("_url") || key.ends_with("Url")
}

/// A value that says the same when it is written and read again.
pub fn assert_survives(value: &Value) {
    let written = value.to_string();
    let read: Value = serde_json::from_str(&written).expect("what was written is JSON");
    assert_eq!(read.to_string(), written);
}
