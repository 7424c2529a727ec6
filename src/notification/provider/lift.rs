//! Moving the vessel and the event of any known shape to where the stream has them.
//!
//! Providers differ in where these two objects lie and in what wraps them, not in what they are: a table of places covers the
//! shapes that nest, a table of loose names those that do not.

use serde_json::{Map, Value};

use super::fields::{self, EVENT, Field, IDENTIFIES_A_VESSEL, VESSEL};

/// Objects that wrap others, outermost first.
const WRAPPERS: [&[&str]; 4] = [&[], &["notification"], &["data"], &["data", "notification"]];

/// Where the vessel is within a wrapper.
const VESSEL_PLACES: [&[&str]; 4] =
    [&["vessel"], &["vessel_information"], &["event", "vessel_information"], &["event", "vessel"]];

/// Where the event is within a wrapper; the innermost first, as it may lie inside another of these.
const EVENT_PLACES: [&[&str]; 3] = [&["event", "event_details"], &["event_details"], &["event"]];

/// Where loose fields may lie.
const LOOSE_PLACES: [&[&str]; 3] = [&[], &["data"], &["notification"]];

/// An item taken apart. Nothing is in two of the parts.
#[derive(Debug)]
pub(super) struct Lifted {
    /// The vessel's fields; empty where there is none.
    pub vessel: Map<String, Value>,
    /// The event's fields; empty where there is none.
    pub event: Map<String, Value>,
    /// Everything else, where it was.
    pub rest: Map<String, Value>,
    /// The provider's name for `event.type`, as the tables of names have it.
    pub type_word: Option<&'static str>,
    /// Whether the event had an object of its own.
    pub event_had_object: bool,
}

/// Takes an item apart. Values are moved as they are; wrappers that become empty go.
pub(super) fn lift(mut rest: Map<String, Value>) -> Lifted {
    let vessel = take_first(&mut rest, &VESSEL_PLACES);
    let event = take_first(&mut rest, &EVENT_PLACES);
    let event_had_object = matches!(event, Some(Value::Object(_)));

    let (mut vessel, _) = fields::rename(into_fields(vessel, "name"), &VESSEL);
    if vessel.is_empty() && names_a_vessel(&rest) {
        for place in LOOSE_PLACES {
            gather(&mut rest, place, &VESSEL, |field| field.loose, &mut vessel);
        }
    }

    let (mut event, mut type_word) = fields::rename(into_fields(event, "type"), &EVENT);
    if !event_had_object {
        for place in LOOSE_PLACES {
            let word = gather(&mut rest, place, &EVENT, |field| field.loose, &mut event);
            type_word = type_word.or(word);
        }
        // An envelope around something unknown must not look like an event.
        if !vessel.is_empty() || event.contains_key("type") {
            gather(&mut rest, &[], &EVENT, |field| field.envelope, &mut event);
        }
    }
    // What lay beside the details is of the event as well, and the stream has no other place called `event`.
    if let Some(Value::Object(beside)) = rest.get_mut("event") {
        for (key, value) in std::mem::take(beside) {
            event.entry(key).or_insert(value);
        }
    }
    Lifted { vessel, event, rest, type_word, event_had_object }
}

/// The first object, or word in its stead, that lies in one of these places of one of the wrappers.
fn take_first(rest: &mut Map<String, Value>, places: &[&[&str]]) -> Option<Value> {
    WRAPPERS.iter().find_map(|wrapper| places.iter().find_map(|place| take(rest, wrapper, place)))
}

fn take(map: &mut Map<String, Value>, wrapper: &[&str], place: &[&str]) -> Option<Value> {
    let (key, wrapper, place) = match (wrapper, place) {
        ([key, wrapper @ ..], place) => (*key, wrapper, place),
        ([], [key, place @ ..]) => (*key, wrapper, place),
        ([], []) => return None,
    };
    let value = map.get_mut(key)?;
    if wrapper.is_empty() && place.is_empty() {
        let says_something = match value {
            Value::Object(fields) => !fields.is_empty(),
            Value::String(word) => !word.is_empty(),
            _ => false,
        };
        return says_something.then(|| map.shift_remove(key)).flatten();
    }
    let inner = value.as_object_mut()?;
    let taken = take(inner, wrapper, place)?;
    if inner.is_empty() {
        map.shift_remove(key);
    }
    Some(taken)
}

/// Some providers send a word where others send an object: a vessel's name, an event's type.
fn into_fields(taken: Option<Value>, name_of_word: &str) -> Map<String, Value> {
    match taken {
        Some(Value::Object(fields)) => fields,
        Some(word) => Map::from_iter([(name_of_word.to_owned(), word)]),
        None => Map::new(),
    }
}

fn names_a_vessel(rest: &Map<String, Value>) -> bool {
    LOOSE_PLACES.iter().filter_map(|place| inside(rest, place)).any(|map| {
        let found = fields::search(map, &VESSEL, |field| field.loose);
        VESSEL.iter().zip(found).any(|(field, found)| found.is_some() && IDENTIFIES_A_VESSEL.contains(&field.name))
    })
}

/// Moves loose fields to where they belong, unless something is there. Returns the provider's word for the first field.
fn gather<const N: usize>(
    rest: &mut Map<String, Value>,
    place: &[&str],
    table: &'static [Field; N],
    names: fn(&Field) -> &'static [&'static str],
    into: &mut Map<String, Value>,
) -> Option<&'static str> {
    let map = match place {
        [] => &mut *rest,
        [key, ..] => rest.get_mut(*key)?.as_object_mut()?,
    };
    let mut found = fields::search(map, table, names);
    for (field, found) in table.iter().zip(&mut found) {
        *found = found.filter(|_| !into.contains_key(field.name));
        let value = found.and_then(|found| map.values_mut().nth(found.entry));
        if let Some(value) = value {
            into.insert(field.name.to_owned(), value.take());
        }
    }
    if found.iter().any(Option::is_some) {
        let mut entry = 0..;
        map.retain(|_, _| {
            let entry = entry.next();
            !found.iter().flatten().any(|found| Some(found.entry) == entry)
        });
        if let ([key, ..], true) = (place, map.is_empty()) {
            rest.shift_remove(*key);
        }
    }
    found.first().copied().flatten().map(|found| found.word)
}

/// The object in a place; the item itself is in the empty one.
pub(super) fn inside<'a>(item: &'a Map<String, Value>, place: &[&str]) -> Option<&'a Map<String, Value>> {
    place.iter().try_fold(item, |map, key| map.get(*key)?.as_object())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lifted(item: Value) -> (Value, Value, Value) {
        let Value::Object(item) = item else { panic!("an object") };
        let Lifted { vessel, event, rest, .. } = lift(item);
        (vessel.into(), event.into(), rest.into())
    }

    #[test]
    fn both_nestings_and_their_mixture_give_the_same() {
        let (vessel, details) = (json!({ "imo": "1" }), json!({ "event_type": "A", "event_id": "e", "speed": 1 }));
        for item in [
            json!({ "a": 1, "notification": { "id": "n", "event": { "event_details": details, "vessel_information": vessel } } }),
            json!({ "a": 1, "notification": { "id": "n", "event_details": details, "vessel_information": vessel } }),
            json!({ "a": 1, "notification": { "id": "n", "event": { "event_details": details }, "vessel_information": vessel } }),
        ] {
            let event = json!({ "type": "A", "id": "e", "speed": 1 });
            assert_eq!(lifted(item), (json!({ "imo": "1" }), event, json!({ "a": 1, "notification": { "id": "n" } })));
        }
    }

    #[test]
    fn an_emptied_wrapper_goes_and_an_empty_one_that_was_sent_stays() {
        let item = json!({ "meta": {}, "data": { "vessel": { "imo": 1 }, "event": { "type": "x" } } });
        assert_eq!(lifted(item), (json!({ "imo": 1 }), json!({ "type": "x" }), json!({ "meta": {} })));
    }

    #[test]
    fn an_event_that_has_an_object_takes_nothing_from_the_envelope() {
        let item = json!({ "id": "a", "type": "b", "event_type": 1, "vessel": { "imo": 1 }, "event": { "speed": 1 } });
        let rest = json!({ "id": "a", "type": "b", "event_type": 1 });
        assert_eq!(lifted(item), (json!({ "imo": 1 }), json!({ "speed": 1 }), rest));
    }

    #[test]
    fn an_envelope_without_vessel_is_no_event() {
        let item = json!({ "type": "subscription.created", "id": "1", "timestamp": "t", "flag": "x", "data": { "flag": "y" } });
        assert_eq!(lifted(item.clone()), (json!({}), json!({}), item));
    }

    #[test]
    fn an_event_that_is_only_a_word_is_its_type_and_takes_the_rest_from_the_envelope() {
        let item = json!({ "event": "vessel.arrived", "id": 5, "created": "c", "data": { "mmsi": 2, "vessel_name": "A" } });
        let event = json!({ "type": "vessel.arrived", "id": 5 });
        assert_eq!(lifted(item), (json!({ "mmsi": 2, "name": "A" }), event, json!({ "created": "c" })));
    }

    #[test]
    fn loose_fields_are_taken_by_their_best_name_and_the_others_stay() {
        let item = json!({ "IMO": 1, "SHIPTYPE": "80", "TYPE_NAME": "Tanker", "MOVE_TYPE": 1, "PORT_ID": 7, "FLAG": null });
        let rest = json!({ "SHIPTYPE": "80", "PORT_ID": 7, "FLAG": null });
        assert_eq!(lifted(item), (json!({ "imo": 1, "type": "Tanker" }), json!({ "type": 1 }), rest));
    }

    #[test]
    fn what_lies_beside_the_details_stays_in_the_event() {
        let item = json!({ "event": { "source": "ais", "speed": 2, "event_details": { "event_type": "A", "speed": 1 } } });
        assert_eq!(lifted(item).1, json!({ "type": "A", "speed": 1, "source": "ais" }));
    }
}
