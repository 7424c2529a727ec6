//! What no reader may ever be sent, written from the rules and not from the code. The fuzz targets include this file.

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
