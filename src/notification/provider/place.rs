//! Where an event happened: its coordinates and the zone or port it names.
//!
//! Both lie in many places, and one that is read wrongly puts a ship on land, so each shape's place is known by name.

use serde_json::{Map, Value};

use super::{
    fields::{self, COORDINATES, ZONE},
    lift::inside,
};

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

/// The id, else the name, of the zone or port that the event is about.
pub(super) fn zone(event: &Map<String, Value>, rest: &Map<String, Value>) -> Option<String> {
    let places = [Some(event), Some(rest), inside(rest, &["notification"]), inside(rest, &["data"])];
    places.into_iter().flatten().find_map(|map| match fields::value_of(map, &ZONE)? {
        Value::Object(zone) => ["id", "unlocode", "name"].iter().find_map(|key| text(zone.get(*key)?)),
        word => text(word),
    })
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

    #[test]
    fn a_zone_is_its_id_before_its_name() {
        let zone_of = |event: Value, rest: Value| zone(event.as_object().expect("object"), rest.as_object().expect("object"));
        assert_eq!(zone_of(json!({ "zone": { "name": "n", "id": "z" } }), json!({})).as_deref(), Some("z"));
        assert_eq!(zone_of(json!({ "zone": "word" }), json!({})).as_deref(), Some("word"));
        assert_eq!(zone_of(json!({}), json!({ "area_name": "n", "area_id": 7 })).as_deref(), Some("7"));
        let nested = json!({ "notification": { "zone_port_information": { "id": "", "name": "n" } } });
        assert_eq!(zone_of(json!({}), nested).as_deref(), Some("n"));
        assert_eq!(zone_of(json!({}), json!({})), None);
    }
}
