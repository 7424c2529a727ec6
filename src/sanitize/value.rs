//! A whole JSON value: every string in it, keys included, made inert in place.
//!
//! A page that lists the fields of a notification shows their names too, so keys are cleaned like values, and what a
//! name becomes must neither replace another field nor pretend to be one of Lookout's.

use std::{borrow::Cow, collections::HashSet, mem, ops::AddAssign};

use serde_json::{Map, Value};

use super::{
    policy::{has_allowed_scheme, is_url_key},
    text::{has_markup, text},
};

/// Where this is the first key of an object, `serde_json` (feature `arbitrary_precision`) reads the object as a number: what
/// was written with it could not be read again. Cleaning and lifting move keys, so it is dropped wherever it stands.
const NUMBER_WORD: &str = "$serde_json::private::Number";

/// What cleaning did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Keys and values that are another text now, or null.
    pub changed: u64,
    /// Fields that are gone, because of their name.
    pub dropped: u64,
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.changed += other.changed;
        self.dropped += other.dropped;
    }
}

/// Cleans every string of a value. Numbers stay as written and fields in their order. What comes out can be written and read
/// again as it is.
///
/// Walks as deep as the value is: one that a parser made is at most 128 deep.
pub fn value(value: &mut Value) -> Report {
    let mut report = Report::default();
    clean(value, false, &mut report);
    report
}

/// Cleans every string of an object, and drops the fields whose name is one of `reserved` after cleaning.
///
/// Reserved names count in this object only, not further in. Of two fields that would get the same name, the one that was
/// sent with it stays, else the first.
pub fn object(object: &mut Map<String, Value>, reserved: &[&str]) -> Report {
    let mut report = Report::default();
    clean_object(object, reserved, &mut report);
    report
}

/// `is_link`: the value stands under a key that names a link, or in an array there.
fn clean(value: &mut Value, is_link: bool, report: &mut Report) {
    match value {
        Value::String(string) => {
            let cleaned = match text(string) {
                Cow::Owned(clean) => Some(clean),
                Cow::Borrowed(_) => None,
            };
            // The scheme of what is streamed counts: dropping a tag can join one together.
            if is_link && !has_allowed_scheme(cleaned.as_deref().unwrap_or(string)) {
                *value = Value::Null;
                report.changed += 1;
            } else if let Some(clean) = cleaned {
                *string = clean;
                report.changed += 1;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| clean(item, is_link, report)),
        Value::Object(object) => clean_object(object, &[], report),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn clean_object(object: &mut Map<String, Value>, reserved: &[&str], report: &mut Report) {
    if object.keys().any(|key| has_markup(key) || is_refused(key, reserved)) {
        clean_keys(object, reserved, report);
    }
    for (key, value) in object.iter_mut() {
        clean(value, is_url_key(key), report);
    }
}

fn is_refused(key: &str, reserved: &[&str]) -> bool {
    key == NUMBER_WORD || reserved.contains(&key)
}

/// Builds the object anew, because a key cannot be changed where it stands.
fn clean_keys(object: &mut Map<String, Value>, reserved: &[&str], report: &mut Report) {
    let old = mem::take(object);
    let sent: HashSet<String> = old.keys().filter(|key| !has_markup(key)).cloned().collect();
    for (key, value) in old {
        let (key, renamed) = match text(&key) {
            Cow::Owned(clean) => (clean, true),
            Cow::Borrowed(_) => (key, false),
        };
        if is_refused(&key, reserved) || (renamed && (sent.contains(&key) || object.contains_key(&key))) {
            report.dropped += 1;
        } else {
            report.changed += u64::from(renamed);
            object.insert(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn cleaned(mut input: Value) -> (Value, Report) {
        let report = value(&mut input);
        (input, report)
    }

    fn strings(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(string) => found.push(string.clone()),
            Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
            Value::Object(object) => object.iter().for_each(|(key, value)| {
                found.push(key.clone());
                strings(value, found);
            }),
            _ => {}
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let string = prop_oneof!["[a-c<>/! ]{0,6}", Just("javascript:x".to_owned()), "https?://x", Just("<b>url".to_owned())];
        let key = prop_oneof!["(<b>)?(url|link|x|y)", "[a-b<>]{0,4}", r"(<i>)?\$serde_json::private::Number"];
        let leaf = prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from), string.prop_map(Value::from)];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec((key.clone(), inner), 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_string_of_a_cleaned_value_has_markup(input in any_json()) {
            let mut found = Vec::new();
            strings(&cleaned(input).0, &mut found);
            prop_assert!(found.iter().all(|string| !has_markup(string)), "{found:?}");
        }

        #[test]
        fn a_cleaned_value_is_clean(input in any_json()) {
            let (once, _) = cleaned(input);
            let (twice, report) = cleaned(once.clone());
            prop_assert_eq!(report, Report::default());
            prop_assert_eq!(once.to_string(), twice.to_string());
        }

        #[test]
        fn a_cleaned_value_is_read_again_as_it_was_written(input in any_json()) {
            let written = cleaned(input).0.to_string();
            prop_assert_eq!(serde_json::from_str::<Value>(&written).unwrap().to_string(), written);
        }

        #[test]
        fn nothing_reported_means_nothing_changed(input in any_json()) {
            let (output, report) = cleaned(input.clone());
            prop_assert_eq!(report == Report::default(), output == input);
        }
    }

    #[test]
    fn numbers_and_the_order_of_fields_stay_as_written() {
        let sent = r#"{"z":1.00,"<i>m</i>":123456789012345678901234567890,"a":-0.0,"b":[1e-320,{"y":1,"x":2}]}"#;
        let mut parsed: Value = serde_json::from_str(sent).unwrap();
        assert_eq!(value(&mut parsed), Report { changed: 1, dropped: 0 });
        assert_eq!(parsed.to_string(), sent.replace("<i>m</i>", "m"));
    }

    #[test]
    fn a_key_that_was_sent_wins_over_one_that_was_cleaned_into_it() {
        let (output, report) = cleaned(json!({"<b>a": 1, "a": 2, "<i>c": 3, "<u>c": 4}));
        assert_eq!(output.to_string(), r#"{"a":2,"c":3}"#);
        assert_eq!(report, Report { changed: 1, dropped: 2 });
    }

    #[test]
    fn reserved_names_are_dropped_at_the_top_and_only_there() {
        let mut fields = json!({"<b>user_id": "x", "_id": 1, "kept": {"user_id": 2, "<b>_id": 3}});
        let report = object(fields.as_object_mut().unwrap(), &["_id", "user_id"]);
        assert_eq!(fields.to_string(), r#"{"kept":{"user_id":2,"_id":3}}"#);
        assert_eq!(report, Report { changed: 1, dropped: 2 });
    }

    #[test]
    fn the_word_that_turns_objects_into_numbers_is_dropped_everywhere() {
        let (output, report) = cleaned(json!({
            "<b>$serde_json::private::Number": "1",
            "kept": [{"a": {"x": 1, NUMBER_WORD: "no number"}}],
        }));
        assert_eq!(output.to_string(), r#"{"kept":[{"a":{"x":1}}]}"#);
        assert_eq!(report, Report { changed: 0, dropped: 2 });
        let mut fields = Map::from_iter([(NUMBER_WORD.to_owned(), Value::Null)]);
        assert_eq!(object(&mut fields, &[]), Report { changed: 0, dropped: 1 });
    }

    #[test]
    fn links_with_a_refused_scheme_become_null_and_other_values_stay() {
        let (output, report) = cleaned(json!({
            "url": "javascript:alert(1)",
            "link": ["https://example.test", "data:x", ["java\tscript:x"], {"name": "javascript:x", "href": "javascript:x"}],
            "name": "javascript:alert(1)",
            "<b>src": "javas<b>cript</b>:x",
            "icon": 7,
            "detailUrl": "mailto:a@example.test",
        }));
        assert_eq!(
            output,
            json!({
                "url": null,
                "link": ["https://example.test", null, [null], {"name": "javascript:x", "href": null}],
                "name": "javascript:alert(1)",
                "icon": 7,
                "detailUrl": "mailto:a@example.test",
                "src": null,
            })
        );
        assert_eq!(report, Report { changed: 6, dropped: 0 });
    }

    #[test]
    fn a_value_as_deep_as_the_parser_allows_is_cleaned() {
        let deep = format!("{}\"<b>x\"{}", "[".repeat(127), "]".repeat(127));
        let mut parsed: Value = serde_json::from_str(&deep).unwrap();
        assert_eq!(value(&mut parsed), Report { changed: 1, dropped: 0 });
        assert!(parsed.to_string().contains("[\"x\"]"));
    }
}
