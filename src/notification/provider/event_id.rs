//! The provider's own id of an event, and how far it can be trusted to be of that event alone.
//!
//! An id that is taken for more than it is makes a later event look like a repetition, and the alert is lost.

use serde_json::{Map, Value};

use super::{
    lift::{Lifted, inside},
    place,
};

/// An id, as text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EventId {
    /// The id itself.
    pub text: String,
    /// The source of a CloudEvent, within which alone its id is unique.
    pub source: Option<String>,
    /// Whether it may as well be the vessel's or the rule's: the envelope's of a body whose event has no object of its own.
    pub may_be_shared: bool,
}

/// The event's own id, else its envelope's, else its notification's.
pub(super) fn event_id(lifted: &Lifted) -> Option<EventId> {
    let Lifted { event, rest, .. } = lifted;
    let own = if lifted.id_is_the_envelope_s { None } else { id_in(event, "id") };
    if let Some(text) = own.or_else(|| id_in(event, "event_id")) {
        return Some(EventId { text, source: None, may_be_shared: false });
    }
    let envelope = if lifted.id_is_the_envelope_s { event } else { rest };
    if let Some(text) = id_in(envelope, "id") {
        let source = rest.get("specversion").and(rest.get("source")).and_then(place::text);
        let may_be_shared = source.is_none() && !lifted.event_had_object;
        return Some(EventId { text, source, may_be_shared });
    }
    let places = [&["notification"][..], &["data", "notification"]];
    let text = places.into_iter().find_map(|place| id_in(inside(rest, place)?, "id"))?;
    Some(EventId { text, source: None, may_be_shared: false })
}

fn id_in(map: &Map<String, Value>, key: &str) -> Option<String> {
    let value = map.get(key)?;
    let is_zero = value.as_number().is_some_and(|number| number.as_f64() == Some(0.0));
    place::text(value).filter(|text| !is_zero && !is_placeholder(text))
}

/// Whether this is what a sender without an id fills the field with: one of some words, or nothing but zeros and marks.
fn is_placeholder(text: &str) -> bool {
    const WORDS: [&str; 6] = ["n/a", "na", "none", "null", "unknown", "undefined"];
    let says_something = |c: char| !c.is_ascii() || c.is_ascii_alphabetic() || matches!(c, '1'..='9');
    !text.contains(says_something) || WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::provider::lift::lift;
    use serde_json::json;

    fn id_of(item: Value) -> Option<EventId> {
        let Value::Object(item) = item else { panic!("an object") };
        event_id(&lift(item))
    }

    fn id(text: &str, source: Option<&str>, may_be_shared: bool) -> Option<EventId> {
        Some(EventId { text: text.to_owned(), source: source.map(str::to_owned), may_be_shared })
    }

    #[test]
    fn a_placeholder_is_no_id_and_gives_way_to_the_next() {
        for sent in [
            json!(0),
            json!(0.0),
            json!("0"),
            json!("000000000000000000000000"),
            json!("00000000-0000-0000-0000-000000000000"),
            json!("N/A"),
            json!("na"),
            json!(" None "),
            json!("NULL"),
            json!("unknown"),
            json!("Undefined"),
            json!("-"),
            json!("  "),
            json!(""),
            json!(null),
        ] {
            assert_eq!(id_of(json!({ "vessel": { "imo": 1 }, "event": { "id": sent, "speed": 1 } })), None, "{sent}");
            let item = json!({ "id": "next", "vessel": { "imo": 1 }, "event": { "event_id": sent, "speed": 1 } });
            assert_eq!(id_of(item), id("next", None, false), "{sent}");
        }
        for sent in ["01", "0a", "evt_0", "nil", "é", "船", "N/A-1", "none0"] {
            assert_eq!(id_of(json!({ "event": { "id": sent } })), id(sent, None, false), "{sent}");
        }
    }

    #[test]
    fn only_an_envelope_s_id_needs_more_than_itself() {
        let vessel = json!({ "imo": 1 });
        for (item, expected) in [
            (json!({ "id": "e", "type": "x", "vessel": vessel }), id("e", None, true)),
            (json!({ "id": "e", "eventId": "own", "type": "x", "vessel": vessel }), id("own", None, false)),
            (json!({ "id": "e", "eventId": 0, "type": "x", "vessel": vessel }), id("e", None, true)),
            (json!({ "id": "e", "vessel": vessel, "event": { "type": "x" } }), id("e", None, false)),
            (json!({ "id": "e", "source": "s", "vessel": vessel, "event": { "type": "x" } }), id("e", None, false)),
            (json!({ "specversion": "1.0", "id": "e", "source": "s", "type": "x", "vessel": vessel }), id("e", Some("s"), false)),
            (
                json!({ "specversion": "1.0", "id": "e", "source": "s", "data": { "event": { "id": "own" } } }),
                id("own", None, false),
            ),
            (
                json!({ "specversion": "1.0", "id": "e", "source": "s", "data": { "event": { "a": 1 } } }),
                id("e", Some("s"), false),
            ),
            (json!({ "notification": { "id": "n", "event": { "type": "x" } } }), id("n", None, false)),
            (json!({ "data": { "notification": { "id": "n", "event": { "type": "x" } } } }), id("n", None, false)),
        ] {
            assert_eq!(id_of(item.clone()), expected, "{item}");
        }
    }
}
