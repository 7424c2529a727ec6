//! Moving the vessel and the event of any known shape to where the stream has them.
//!
//! Providers differ in where these two objects lie and in what wraps them, not in what they are: a table of places covers the
//! shapes that nest, a table of loose names those that do not.

use serde_json::{Map, Value};

use super::fields::{self, EVENT, Field, IDENTIFIES_A_VESSEL, VESSEL};
use crate::notification::identifier;

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
    /// Whether loose fields named the event's own id or time: more than the envelope of a mere test says.
    pub event_is_named: bool,
    /// Whether the event's id is the envelope's for want of its own.
    pub id_is_the_envelope_s: bool,
}

/// Takes an item apart. Values are moved as they are; wrappers that become empty go.
pub(super) fn lift(mut rest: Map<String, Value>) -> Lifted {
    let (vessel, _) = take_first(&mut rest, &VESSEL_PLACES);
    let (event, event_had_object) = take_first(&mut rest, &EVENT_PLACES);

    let (mut vessel, _) = fields::rename(into_fields(vessel, "name"), &VESSEL);
    name_by_word(&mut vessel, "name", &mut rest, &VESSEL_PLACES);
    let missing = if vessel.is_empty() { &IDENTIFIES_A_VESSEL[..] } else { &IDENTIFIES_A_HULL[..] };
    if !is_identified(&vessel) && names_any(&rest, missing) {
        for place in LOOSE_PLACES {
            gather(&mut rest, place, &VESSEL, |field| field.loose, &mut vessel);
        }
    }

    let (mut event, mut type_word) = fields::rename(into_fields(event, "type"), &EVENT);
    name_by_word(&mut event, "type", &mut rest, &EVENT_PLACES);
    let (mut event_is_named, mut id_is_the_envelope_s) = (false, false);
    if !event_had_object {
        for place in LOOSE_PLACES {
            let word = gather(&mut rest, place, &EVENT, |field| field.loose, &mut event);
            type_word = type_word.or(word);
        }
        event_is_named = event.contains_key("id") || event.contains_key("timestamp");
        // An envelope around something unknown must not look like an event.
        if !vessel.is_empty() || event.contains_key("type") {
            let had_id = event.contains_key("id");
            gather(&mut rest, &[], &EVENT, |field| field.envelope, &mut event);
            id_is_the_envelope_s = !had_id && event.contains_key("id");
        }
    }
    // What lay beside the details is of the event as well, and the stream has no other place called `event`.
    if let Some(Value::Object(beside)) = rest.get_mut("event") {
        for (key, value) in std::mem::take(beside) {
            event.entry(key).or_insert(value);
        }
    }
    Lifted { vessel, event, rest, type_word, event_had_object, event_is_named, id_is_the_envelope_s }
}

/// The first object that lies in one of these places of one of the wrappers, else the first word in its stead; and whether it is
/// an object. An envelope's word must not hide the object that it announces.
fn take_first(rest: &mut Map<String, Value>, places: &[&[&str]]) -> (Option<Value>, bool) {
    match take_any(rest, places, is_filled_object) {
        Some(object) => (Some(object), true),
        None => (take_any(rest, places, is_word), false),
    }
}

/// The word that lies where the object could have been, for a field that the object lacks.
fn name_by_word(fields: &mut Map<String, Value>, field: &str, rest: &mut Map<String, Value>, places: &[&[&str]]) {
    let is_unnamed = !fields.is_empty() && fields.get(field).is_none_or(Value::is_null);
    if let Some(word) = is_unnamed.then(|| take_any(rest, places, is_word)).flatten() {
        fields.insert(field.to_owned(), word);
    }
}

fn is_filled_object(value: &Value) -> bool {
    value.as_object().is_some_and(|fields| !fields.is_empty())
}

fn is_word(value: &Value) -> bool {
    value.as_str().is_some_and(|word| !word.is_empty())
}

fn take_any(rest: &mut Map<String, Value>, places: &[&[&str]], is_wanted: fn(&Value) -> bool) -> Option<Value> {
    WRAPPERS.iter().find_map(|wrapper| places.iter().find_map(|place| take(rest, wrapper, place, is_wanted)))
}

fn take(map: &mut Map<String, Value>, wrapper: &[&str], place: &[&str], is_wanted: fn(&Value) -> bool) -> Option<Value> {
    let (key, wrapper, place) = match (wrapper, place) {
        ([key, wrapper @ ..], place) => (*key, wrapper, place),
        ([], [key, place @ ..]) => (*key, wrapper, place),
        ([], []) => return None,
    };
    let value = map.get_mut(key)?;
    if wrapper.is_empty() && place.is_empty() {
        return is_wanted(value).then(|| map.shift_remove(key)).flatten();
    }
    let inner = value.as_object_mut()?;
    let taken = take(inner, wrapper, place, is_wanted)?;
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

/// What tells one hull from another, as a name does not.
const IDENTIFIES_A_HULL: [&str; 3] = ["imo", "mmsi", "call_sign"];

/// Whether more than a name, or a placeholder in the place of a number, is known of the vessel.
fn is_identified(vessel: &Map<String, Value>) -> bool {
    let has = |name, read: fn(&Value) -> Option<String>| vessel.get(name).and_then(read).is_some();
    has("imo", identifier::imo)
        || has("imo", identifier::imo_as_sent)
        || has("mmsi", identifier::mmsi)
        || has("call_sign", identifier::call_sign)
}

/// Whether any of these fields of a vessel lies loose.
fn names_any(rest: &Map<String, Value>, wanted: &[&str]) -> bool {
    LOOSE_PLACES.iter().filter_map(|place| inside(rest, place)).any(|map| {
        let found = fields::search(map, &VESSEL, |field| field.loose);
        VESSEL.iter().zip(found).any(|(field, found)| found.is_some() && wanted.contains(&field.name))
    })
}

/// Moves loose fields to where they belong, unless something is there; a null is nothing. Returns the provider's word for the first field.
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
        *found = found.filter(|_| into.get(field.name).is_none_or(Value::is_null));
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
    fn what_identifies_a_vessel_beside_its_name_is_gathered_and_overwrites_nothing() {
        let named = json!({ "name": "GREY PETREL", "imo": "9999931" });
        for item in [
            json!({ "vessel": "GREY PETREL", "imo": "9999931" }),
            json!({ "vessel": { "name": "GREY PETREL" }, "imo": "9999931" }),
            json!({ "data": { "vessel": { "name": "GREY PETREL" }, "imo": "9999931" } }),
            json!({ "vessel": { "name": "GREY PETREL", "imo": null }, "imo": "9999931" }),
        ] {
            assert_eq!(lifted(item.clone()), (named.clone(), json!({}), json!({})), "{item}");
        }
        let item = json!({ "vessel": { "name": "A", "imo": 0 }, "mmsi": 613999931, "vessel_name": "B", "imo": 5 });
        let rest = json!({ "vessel_name": "B", "imo": 5 });
        assert_eq!(lifted(item), (json!({ "name": "A", "imo": 0, "mmsi": 613999931 }), json!({}), rest));
        let item = json!({ "vessel": { "imo": "9999931" }, "mmsi": 1, "flag": "x" });
        assert_eq!(lifted(item).2, json!({ "mmsi": 1, "flag": "x" }));
        let item = json!({ "vessel": "A", "flag": "x" });
        assert_eq!(lifted(item).2, json!({ "flag": "x" }));
    }

    #[test]
    fn a_word_hides_no_object_and_is_the_type_where_the_object_has_none() {
        let item = |event: Value| json!({ "event": "vessel.port_arrival", "data": { "vessel": { "imo": 1 }, "event": event } });
        let event = json!({ "id": "e", "type": "vessel.port_arrival" });
        assert_eq!(lifted(item(json!({ "id": "e" }))), (json!({ "imo": 1 }), event.clone(), json!({})));
        assert_eq!(lifted(item(json!({ "id": "e", "type": null }))).1, event);
        let typed = json!({ "id": "e", "type": "zone_entry" });
        assert_eq!(lifted(item(typed.clone())).1, typed);
        let item = json!({ "vessel": "GREY PETREL", "notification": { "vessel_information": { "imo": 1 } } });
        assert_eq!(lifted(item), (json!({ "imo": 1, "name": "GREY PETREL" }), json!({}), json!({})));
    }

    #[test]
    fn what_lies_beside_the_details_stays_in_the_event() {
        let item = json!({ "event": { "source": "ais", "speed": 2, "event_details": { "event_type": "A", "speed": 1 } } });
        assert_eq!(lifted(item).1, json!({ "type": "A", "speed": 1, "source": "ais" }));
    }
}
