//! Where an event happened: its coordinates and the zone or port it names.
//!
//! Both lie in many places, and one that is read wrongly puts a ship on land, so each shape's place is known by name.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    fields::{self, COORDINATES},
    lift::inside,
};

/// Where a zone, port or berth may be named.
const WRAPPERS: [&[&str]; 4] = [&[], &["notification"], &["data"], &["data", "notification"]];

/// A key that begins with one of these, without case and separators, names a place or says something of one.
const NAMES_A_PLACE: [&str; 10] =
    ["zone", "area", "geofence", "port", "unlocode", "berth", "anchorage", "terminal", "place", "location"];

/// Latitude and longitude in degrees. Each is none where it is not known or not on the globe (AIS says 91 and 181 for that).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Coordinates {
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
}

impl Coordinates {
    fn of(latitude: Option<&Value>, longitude: Option<&Value>) -> Self {
        let degrees = |value: Option<&Value>, most: f64| number(value?).filter(|degrees| degrees.abs() <= most);
        Self { latitude: degrees(latitude, 90.0), longitude: degrees(longitude, 180.0) }
    }
}

/// Where the event was, from the first place that says anything: the event itself, what lies around it, the wrapped data.
pub(super) fn coordinates(event: &Map<String, Value>, rest: &Map<String, Value>) -> Coordinates {
    let places = [Some(event), Some(rest), inside(rest, &["data"])];
    places.into_iter().flatten().find_map(coordinates_in).unwrap_or_default()
}

fn coordinates_in(map: &Map<String, Value>) -> Option<Coordinates> {
    let [latitude, longitude] = fields::search(map, &COORDINATES, |field| field.inside);
    if latitude.is_some() || longitude.is_some() {
        let value = |found: Option<fields::Found>| found.and_then(|found| map.values().nth(found.entry));
        return Some(Coordinates::of(value(latitude), value(longitude)));
    }
    let position = ["position", "location"].iter().find_map(|key| match map.get(*key)? {
        Value::Object(position) => coordinates_in(position),
        // As in GeoJSON, longitude comes first.
        Value::Array(pair) if pair.len() >= 2 => Some(Coordinates::of(pair.get(1), pair.first())),
        _ => None,
    });
    position.or_else(|| coordinates_in(map.get("activities")?.as_array()?.first()?.as_object()?))
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

/// Everything that names the place of the event, as one text: the same for the same words in any order, never the same for two
/// places. None where nothing names one.
pub(super) fn zone(event: &Map<String, Value>, rest: &Map<String, Value>) -> Option<String> {
    let around = WRAPPERS.iter().filter_map(|wrapper| inside(rest, wrapper));
    let words: BTreeSet<(&str, String)> = std::iter::once(event)
        .chain(around)
        .flatten()
        .filter(|(key, _)| names_a_place(key))
        .filter_map(|(key, value)| Some((key.as_str(), said(value)?.to_string())))
        .collect();
    (!words.is_empty()).then(|| Value::from_iter(words.into_iter().flat_map(|(key, value)| [key.to_owned(), value])).to_string())
}

fn names_a_place(key: &str) -> bool {
    let letters = || key.bytes().filter(|byte| !matches!(byte, b'_' | b'-' | b' ' | b'.'));
    NAMES_A_PLACE.iter().any(|word| letters().map(|byte| byte.to_ascii_lowercase()).take(word.len()).eq(word.bytes()))
}

/// What a value says, in one spelling: numbers and outer blanks alike, keys in order, without what is null or empty.
fn said(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Bool(_) => Some(value.clone()),
        Value::String(_) => text(value).map(Value::from),
        // The digits of a whole number count to the last: a zone's id may be larger than a double holds.
        Value::Number(number) => match number.as_f64() {
            Some(double) if number.as_str().contains(['.', 'e', 'E']) => Some(double.to_string().into()),
            _ => Some(number.to_string().into()),
        },
        Value::Array(items) => {
            Some(items.iter().filter_map(said).collect::<Vec<_>>()).filter(|said| !said.is_empty()).map(Value::from)
        }
        Value::Object(fields) => {
            let mut said: Map<String, Value> =
                fields.iter().filter_map(|(key, value)| Some((key.clone(), said(value)?))).collect();
            said.sort_keys();
            (!said.is_empty()).then_some(Value::Object(said))
        }
    }
}

/// A text or number that says something, as text.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(event: Value, rest: Value) -> (Option<f64>, Option<f64>) {
        let (Value::Object(event), Value::Object(rest)) = (event, rest) else { panic!("two objects") };
        let Coordinates { latitude, longitude } = coordinates(&event, &rest);
        (latitude, longitude)
    }

    #[test]
    fn coordinates_are_found_wherever_a_shape_has_them() {
        let here = (Some(1.5), Some(-2.5));
        assert_eq!(at(json!({ "latitude": 1.5, "longitude": -2.5 }), json!({ "lat": 9, "lon": 9 })), here);
        assert_eq!(at(json!({ "position": { "lat": 1.5, "lon": -2.5 } }), json!({})), here);
        assert_eq!(at(json!({ "location": [-2.5, 1.5] }), json!({})), here);
        assert_eq!(at(json!({}), json!({ "LAT": "1.5", "LON": "-2.5" })), here);
        assert_eq!(at(json!({}), json!({ "data": { "position": { "latitude": 1.5, "lng": -2.5 } } })), here);
        assert_eq!(at(json!({}), json!({ "data": { "activities": [{ "position": [-2.5, 1.5] }] } })), here);
        assert_eq!(at(json!({ "zone": { "latitude": 1, "longitude": 1 } }), json!({})), (None, None));
    }

    #[test]
    fn a_coordinate_off_the_globe_is_not_known() {
        assert_eq!(at(json!({ "latitude": 90, "longitude": -180 }), json!({})), (Some(90.0), Some(-180.0)));
        assert_eq!(at(json!({ "latitude": 91, "longitude": 181 }), json!({})), (None, None));
        assert_eq!(at(json!({ "latitude": 90.1, "longitude": 7 }), json!({})), (None, Some(7.0)));
        assert_eq!(at(json!({ "latitude": "NaN", "longitude": "inf" }), json!({})), (None, None));
    }

    fn zone_of(event: Value, rest: Value) -> Option<String> {
        zone(event.as_object().expect("object"), rest.as_object().expect("object"))
    }

    #[test]
    fn two_places_are_never_one_zone() {
        let places = [
            (json!({ "zone": { "id": 1, "name": 2 } }), json!({})),
            (json!({ "zone": { "id": 2, "name": 1 } }), json!({})),
            (json!({ "zone": { "id": 1, "name": 2, "inner": [{ "code": 3 }] } }), json!({})),
            (json!({ "zone": "1" }), json!({})),
            (json!({}), json!({ "area_id": 1, "area_name": "n" })),
            (json!({}), json!({ "area_id": 1, "area_name": "m" })),
            (json!({}), json!({ "geofenceName": "n" })),
            (json!({}), json!({ "PORT_ID": 1 })),
            (json!({}), json!({ "PORT_ID": 1, "BERTH_ID": 1 })),
            (json!({}), json!({ "PORT_ID": 1, "berthName": "1" })),
            (json!({}), json!({ "PORT_ID": 1, "anchorage": "1" })),
            (json!({}), json!({ "PORT_ID": 1, "terminal_name": "1" })),
            (json!({ "zone": "word" }), json!({ "notification": { "zone_port_information": { "id": 1 } } })),
            (json!({ "zone": "word" }), json!({ "data": { "zone_port_information": { "id": 2 } } })),
            (json!({ "zone": "word" }), json!({ "data": { "notification": { "zone_port_information": { "id": 3 } } } })),
            (json!({}), json!({ "zone_id": 9007199254740992_u64 })),
            (json!({}), json!({ "zone_id": 9007199254740993_u64 })),
        ];
        let zones: BTreeSet<_> =
            places.iter().map(|(event, rest)| zone_of(event.clone(), rest.clone()).expect("a zone")).collect();
        assert_eq!(zones.len(), places.len());
    }

    #[test]
    fn a_respelt_place_is_the_same_zone() {
        let first = zone_of(json!({ "zone": { "id": " z ", "centre": { "lat": 35.8, "lon": 7 } } }), json!({ "area_id": 7 }));
        let second = json!({ "zone": { "note": "", "centre": { "lon": 7.0, "lat": 3.58e1 }, "id": "z", "wpi": null } });
        assert_eq!(first, zone_of(second, json!({ "area_id": "7", "zone_id": null })));
        assert_eq!(zone_of(json!({ "type": "x", "zone": {} }), json!({ "speed": 1, "port": " " })), None);
    }
}
