//! From bytes to the items of one JSON document that is safe to walk.
//!
//! Everything behind this trusts that numbers are finite and nesting is shallow, so both are settled here, once.

use serde_json::{Map, Value};

use super::{BodyError, BodyLimits};

/// The items of a document.
pub(super) enum Items {
    /// Not a batch.
    One(Value),
    /// A batch, in order.
    Batch {
        /// The items.
        items: Vec<Value>,
        /// What lay around them; empty for a bare array.
        envelope: Map<String, Value>,
    },
}

/// Parses one document, with or without a byte order mark in front.
pub(super) fn parse(bytes: &[u8], limits: &BodyLimits) -> Result<Value, BodyError> {
    let &BodyLimits { max_depth, max_nodes, .. } = limits;
    let text = std::str::from_utf8(bytes).map_err(|error| BodyError::BadUtf8 { valid_up_to: error.valid_up_to() })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_ascii().is_empty() {
        return Err(BodyError::Empty);
    }
    if has_more_nodes(text.as_bytes(), max_nodes) {
        return Err(BodyError::TooManyNodes { max_nodes });
    }
    let document = serde_json::from_str(text).map_err(|error| match error.to_string() {
        // The parser has its own limit and tells it from other mistakes by these words only.
        words if words.starts_with("recursion limit exceeded") => BodyError::TooDeep { max_depth },
        words => BodyError::NotJson(words),
    })?;
    check(&document, max_depth, "").map_err(|flaw| match flaw {
        Flaw::Depth => BodyError::TooDeep { max_depth },
        Flaw::Number { field } => BodyError::NumberOutOfRange { field },
    })?;
    Ok(document)
}

/// Takes a document apart. An object is a batch when its `data` is an array and it is not an event itself.
pub(super) fn items(document: Value) -> Result<Items, BodyError> {
    match document {
        Value::Array(items) => Ok(Items::Batch { items, envelope: Map::new() }),
        Value::Object(mut object) => {
            let is_event = ["vessel", "event", "notification"].iter().any(|key| object.contains_key(*key));
            match object.get_mut("data") {
                Some(Value::Array(items)) if !is_event => {
                    let items = std::mem::take(items);
                    Ok(Items::Batch { items, envelope: object })
                }
                _ => Ok(Items::One(Value::Object(object))),
            }
        }
        _ => Err(BodyError::NotAnObject),
    }
}

/// Whether a document has more values than this. Looked for before it is parsed, because in memory a value is up to fifty times its
/// text. What is no JSON is counted somehow: the parser will refuse it.
fn has_more_nodes(text: &[u8], most: usize) -> bool {
    if text.len() / 2 < most {
        // A value takes a byte, and what divides it from the next one another.
        return false;
    }
    let (mut nodes, mut opened, mut rest) = (1, false, text);
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b',' => nodes += 1,
            // The first value of what was just opened, where there is one.
            b']' | b'}' => {}
            _ if opened => nodes += 1,
            _ => {}
        }
        if nodes > most {
            return true;
        }
        opened = matches!(byte, b'[' | b'{');
        if *byte == b'"' {
            rest = behind_text(rest);
        }
    }
    false
}

/// What stands behind the end of a text that has begun.
fn behind_text(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        if rest[at] == b'"' {
            return &rest[at + 1..];
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    &[]
}

enum Flaw {
    Depth,
    Number { field: String },
}

fn check(value: &Value, depth_left: usize, field: &str) -> Result<(), Flaw> {
    const LONGEST_NAME: usize = 60;
    match value {
        Value::Number(number) if number.as_f64().is_none() => {
            Err(Flaw::Number { field: field.chars().take(LONGEST_NAME).collect() })
        }
        Value::Array(_) | Value::Object(_) if depth_left == 0 => Err(Flaw::Depth),
        Value::Array(items) => items.iter().try_for_each(|item| check(item, depth_left - 1, field)),
        Value::Object(fields) => fields.iter().try_for_each(|(field, value)| check(value, depth_left - 1, field)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const LIMITS: BodyLimits = BodyLimits { max_batch: 1000, max_depth: 64, max_nodes: 100_000 };

    fn refused(bytes: &[u8]) -> &'static str {
        parse(bytes, &LIMITS).expect_err("refused").code()
    }

    #[test]
    fn what_is_no_document_is_refused_with_its_reason() {
        for (bytes, code) in [
            (&b""[..], "empty_body"),
            (b" \r\n\t", "empty_body"),
            ("\u{feff}".as_bytes(), "empty_body"),
            (b"{\"a\":", "not_json"),
            (b"{} {}", "not_json"),
            (b"{'a':1}", "not_json"),
            (b"{\"a\":NaN}", "not_json"),
            (b"{\"a\":\"\\ud800\"}", "not_json"),
            (b"{\"a\":\"\xff\"}", "invalid_encoding"),
            (b"{\"a\":1e999}", "number_out_of_range"),
            (b"[[-1e309]]", "number_out_of_range"),
        ] {
            assert_eq!(refused(bytes), code, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn nesting_is_refused_at_the_limit_and_far_beyond_it() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels)).into_bytes();
        assert!(parse(&nested(64), &LIMITS).is_ok());
        for levels in [65, 127, 128, 129, 90_000] {
            assert_eq!(refused(&nested(levels)), "too_deep", "{levels}");
        }
    }

    /// Every value of a document, as a reader would count them.
    fn count(value: &Value) -> usize {
        1 + match value {
            Value::Array(items) => items.iter().map(count).sum(),
            Value::Object(fields) => fields.values().map(count).sum::<usize>(),
            _ => 0,
        }
    }

    #[test]
    fn a_document_with_too_many_values_is_refused_unparsed() {
        let million = format!("[{}1]", "1,".repeat(999_998));
        assert_eq!(refused(million.as_bytes()), "too_many_nodes");
        assert_eq!(refused(format!("{{\"data\":{million}}}").as_bytes()), "too_many_nodes");
        let text = format!("{{\"a\":\"{}\"}}", ",[{\\\"\\\\".repeat(200_000));
        assert!(parse(text.as_bytes(), &LIMITS).is_ok(), "a text is one value, whatever it holds");
    }

    proptest! {
        #[test]
        fn the_values_of_a_document_are_counted_exactly(shapes in prop::collection::vec(0..6_usize, 0..40)) {
            let document = shapes.into_iter().fold(json!([]), |inner, shape| match shape {
                0 => json!([inner, 1]),
                1 => json!({"key, [": inner, "\\": {}}),
                2 => json!([[], "a\"],{", inner]),
                3 => json!([inner]),
                4 => json!({"": inner, "x": null, "y": [true]}),
                _ => json!([{}, inner]),
            });
            let nodes = count(&document);
            for text in [document.to_string(), serde_json::to_string_pretty(&document).unwrap()] {
                prop_assert!(!has_more_nodes(text.as_bytes(), nodes));
                prop_assert!(has_more_nodes(text.as_bytes(), nodes - 1));
            }
        }
    }

    #[test]
    fn a_number_beyond_a_double_is_named_by_its_field() {
        let error = parse(br#"{"event":{"speed":[1,1e400]}}"#, &LIMITS).expect_err("refused");
        assert_eq!(error, BodyError::NumberOutOfRange { field: "speed".to_owned() });
        let long = format!(r#"{{"{}":1e400}}"#, "é".repeat(500));
        let BodyError::NumberOutOfRange { field } = parse(long.as_bytes(), &LIMITS).expect_err("refused") else {
            panic!("a number")
        };
        assert_eq!(field.chars().count(), 60);
    }

    #[test]
    fn numbers_within_a_double_keep_their_digits() {
        let digits = "[9007199254740993,123456789012345678901234567890,-0.0,1e-320,0.1000000000000000055511151231257827]";
        assert_eq!(parse(digits.as_bytes(), &LIMITS).map(|value| value.to_string()), Ok(digits.to_owned()));
    }

    #[test]
    fn only_an_object_that_is_no_event_wraps_a_batch() {
        let batch = |document| match items(document) {
            Ok(Items::Batch { items, .. }) => Some(items.len()),
            Ok(Items::One(_)) => None,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(batch(json!([1, 2])), Some(2));
        assert_eq!(batch(json!([])), Some(0));
        assert_eq!(batch(json!({ "meta": {}, "data": [1] })), Some(1));
        assert_eq!(batch(json!({ "data": { "vessel": {} } })), None);
        assert_eq!(batch(json!({ "vessel": {}, "data": [1, 2] })), None);
        assert!(matches!(items(json!("text")), Err(BodyError::NotAnObject)));
    }
}
