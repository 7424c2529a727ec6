//! A JSON value: inert in every key and value, clean when it is cleaned again, and still what was written when it is read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lookout::{
    notification::provider::RESERVED_NAMES,
    sanitize::{self, Report},
};
use lookout_fuzz::{assert_harmless_links, assert_inert, assert_survives};
use serde_json::Value;

fn assert_clean(value: &Value) {
    assert_inert(value);
    assert_harmless_links(value);
    assert_survives(value);
    let mut again = value.clone();
    assert_eq!(sanitize::value(&mut again), Report::default());
    assert_eq!(again, *value, "cleaning twice is cleaning once");
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(sent) = serde_json::from_slice::<Value>(bytes) else { return };
    let mut value = sent.clone();
    let report = sanitize::value(&mut value);
    assert_eq!(report == Report::default(), value == sent, "{report:?}");
    assert_clean(&value);
    if let Value::Object(mut fields) = sent {
        sanitize::object(&mut fields, &RESERVED_NAMES);
        assert!(RESERVED_NAMES.iter().all(|name| !fields.contains_key(*name)));
        assert_clean(&fields.into());
    }
});
