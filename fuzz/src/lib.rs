//! What the targets hold Lookout to, written from the rules and not from the code: an oracle that shares code agrees with every fault.

use serde_json::Value;

/// Whether a page could take this text for markup: a `<` in front of a letter, `/`, `!`, `?` or nothing.
pub fn has_markup(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| match text[at + 1..].chars().next() {
        Some(next) => next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?'),
        None => true,
    })
}

/// Checks every string of a value, keys too.
pub fn assert_inert(value: &Value) {
    match value {
        Value::String(text) => assert!(!has_markup(text), "{text:?}"),
        Value::Array(items) => items.iter().for_each(assert_inert),
        Value::Object(fields) => {
            for (key, value) in fields {
                assert!(!has_markup(key), "{key:?}");
                assert_inert(value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

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
