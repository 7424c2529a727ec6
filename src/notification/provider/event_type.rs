//! The normal form of an event's type, and the tables of words and codes that lead to it.
//!
//! Readers filter on it and duplicates are found by it, so one kind of event has one name whoever reports it.

use serde_json::{Map, Value};

use super::fields::{self, Field, MOVE_TYPE};

/// What providers call each kind of event, without case and separators.
const WORDS: [(&str, &[&str]); 10] = [
    ("zone_entry", &["zoneentry", "zoneenter", "geofenceenter", "geofenceentry", "areaentry", "areaenter"]),
    ("zone_exit", &["zoneexit", "zoneleave", "geofenceexit", "geofenceleave", "areaexit", "arealeave"]),
    ("port_area_arrival", &["portareaarrival"]),
    ("port_area_departure", &["portareadeparture"]),
    ("port_arrival", &["portarrival", "vesselarrival"]),
    ("port_departure", &["portdeparture", "vesseldeparture"]),
    ("berth_arrival", &["bertharrival"]),
    ("berth_departure", &["berthdeparture"]),
    ("anchorage_arrival", &["anchoragearrival"]),
    ("anchorage_departure", &["anchoragedeparture"]),
];

/// One of these as a part of a word makes it speak of something that has not happened, or not yet.
const UNREAL: [&str; 7] = ["eta", "etd", "predicted", "prediction", "expected", "cancelled", "canceled"];

/// In bytes. No provider's word comes near it, and the tails of a longer one would cost the square of its length to compare.
const LONGEST_TYPE: usize = 128;

/// The keys that say that an event is a port's.
const OF_A_PORT: [Field; 1] = [Field::inside_only("port", &["port", "portid", "portcode", "portname"])];

/// The keys that say that an event is a zone's.
const OF_A_ZONE: [Field; 1] = [Field::inside_only(
    "zone",
    &[
        "zone",
        "zoneid",
        "zonecode",
        "zonename",
        "area",
        "areaid",
        "areacode",
        "areaname",
        "geofence",
        "geofenceid",
        "geofencecode",
        "geofencename",
    ],
)];

/// What the numbers of a type field mean; the field and its neighbours tell which table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codes {
    Move,
    PortCall,
    Zone,
}

impl Codes {
    /// Zone events and port calls share a field name and differ in what else they name.
    fn of(type_word: Option<&str>, neighbours: [&Map<String, Value>; 2]) -> Option<Self> {
        let names = |keys| neighbours.into_iter().any(|map| fields::value_of(map, keys).is_some());
        match type_word {
            Some(MOVE_TYPE) => Some(Self::Move),
            _ if names(&OF_A_PORT) => Some(Self::PortCall),
            _ if names(&OF_A_ZONE) => Some(Self::Zone),
            _ => None,
        }
    }

    fn normal(self, code: u64) -> Option<&'static str> {
        match (self, code) {
            (Self::Move, 0) | (Self::PortCall, 1) => Some("port_arrival"),
            (Self::Move, 1) | (Self::PortCall, 3) => Some("port_departure"),
            (Self::PortCall, 2) => Some("berth_arrival"),
            (Self::Zone, 1) => Some("zone_entry"),
            (Self::Zone, 2) => Some("zone_exit"),
            _ => None,
        }
    }
}

/// Puts the normal form into `type` and keeps the provider's own word in `provider_type` where it differs. A type that is not
/// known stays as it is, but for a list of types, of which the first is the event's.
pub(super) fn normalise(event: &mut Map<String, Value>, type_word: Option<&str>, rest: &Map<String, Value>) {
    let Some(sent) = event.get("type") else { return };
    let first = sent.as_array().and_then(|list| list.first()).unwrap_or(sent);
    let normal = match first {
        Value::String(word) => of_word(word).or_else(|| of_code(word.trim().parse().ok()?, type_word, [event, rest])),
        Value::Number(code) => code.as_u64().and_then(|code| of_code(code, type_word, [event, rest])),
        _ => None,
    };
    let kind = normal.map_or_else(|| first.clone(), Value::from);
    if kind != *sent
        && let Some(sent) = event.insert("type".to_owned(), kind)
    {
        event.insert("provider_type".to_owned(), sent);
    }
}

/// The whole word, or what is left of it behind one of its dots: `port.arrival`, `vessel.zone_entry`.
fn of_word(word: &str) -> Option<&'static str> {
    let word = word.trim();
    if word.len() > LONGEST_TYPE || is_unreal(word) {
        return None;
    }
    let mut tails = std::iter::successors(Some(word), |tail| tail.split_once('.').map(|(_, tail)| tail));
    tails.find_map(|tail| {
        WORDS.iter().find(|(_, words)| words.iter().any(|known| is_same_word(tail, known))).map(|(normal, _)| *normal)
    })
}

/// Parts end at a separator or before a capital in camel case.
fn is_unreal(word: &str) -> bool {
    let is_unreal = |part: &str| UNREAL.iter().any(|unreal| part.eq_ignore_ascii_case(unreal));
    word.split(|c: char| !c.is_alphanumeric()).any(|words| {
        let mut start = 0;
        let mut was_lower = false;
        for (at, c) in words.char_indices() {
            if was_lower && c.is_uppercase() {
                if is_unreal(&words[start..at]) {
                    return true;
                }
                start = at;
            }
            was_lower = c.is_lowercase();
        }
        is_unreal(&words[start..])
    })
}

fn is_same_word(sent: &str, known: &str) -> bool {
    let letters = sent.bytes().filter(|byte| !matches!(byte, b'_' | b'-' | b' ' | b'.'));
    letters.map(|byte| byte.to_ascii_lowercase()).eq(known.bytes())
}

fn of_code(code: u64, type_word: Option<&str>, neighbours: [&Map<String, Value>; 2]) -> Option<&'static str> {
    Codes::of(type_word, neighbours)?.normal(code)
}

/// Whether a provider marks a mere test of the webhook with this type.
pub(super) fn is_test(kind: &Value) -> bool {
    let Some(word) = kind.as_str() else { return false };
    let word = word.trim().to_ascii_lowercase();
    word == "ping" || word.ends_with("test")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn normalised(event: Value, type_word: Option<&str>, rest: Value) -> Value {
        let (Value::Object(mut event), Value::Object(rest)) = (event, rest) else { panic!("two objects") };
        normalise(&mut event, type_word, &rest);
        event.into()
    }

    #[test]
    fn words_follow_the_table() {
        for (sent, normal) in [
            ("ZONE_ENTRY", "zone_entry"),
            ("zoneEntry", "zone_entry"),
            ("position.geofence_enter", "zone_entry"),
            ("test.maritime.zone.entry", "zone_entry"),
            ("position.geofence_exit", "zone_exit"),
            ("PORT_AREA_ARRIVAL", "port_area_arrival"),
            ("port.arrival", "port_arrival"),
            ("vessel.port_arrival", "port_arrival"),
            ("VESSELDEPARTURE", "port_departure"),
            ("BERTH_DEPARTURE", "berth_departure"),
            ("Anchorage Arrival", "anchorage_arrival"),
        ] {
            let expected = json!({ "type": normal, "provider_type": sent });
            assert_eq!(normalised(json!({ "type": sent }), None, json!({})), expected);
        }
    }

    #[test]
    fn a_normal_or_unknown_type_stays_alone() {
        for sent in
            [json!("zone_entry"), json!("vessel.dark_event"), json!("arrival"), json!(""), json!(7), json!({ "a": 1 }), json!([])]
        {
            assert_eq!(normalised(json!({ "type": sent }), None, json!({})), json!({ "type": sent }));
        }
    }

    #[test]
    fn what_is_only_foreseen_or_called_off_is_not_the_event() {
        for sent in [
            "eta.port_arrival",
            "ETD.PORT_DEPARTURE",
            "predicted.port.arrival",
            "vesselPrediction.portArrival",
            "port-call expected.berth_arrival",
            "cancelled.VESSELARRIVAL",
            "Canceled.zone_exit",
        ] {
            assert_eq!(normalised(json!({ "type": sent }), None, json!({})), json!({ "type": sent }));
        }
        let beta = normalised(json!({ "type": "beta.port_arrival" }), None, json!({}));
        assert_eq!(beta["type"], "port_arrival");
    }

    #[test]
    fn a_word_beyond_all_bounds_is_not_compared() {
        for dots in [LONGEST_TYPE, 1 << 20] {
            let sent = format!("{}zone_entry", ".".repeat(dots));
            assert_eq!(normalised(json!({ "type": sent }), None, json!({})), json!({ "type": sent }));
        }
    }

    #[test]
    fn codes_mean_what_their_table_says() {
        for (sent, word, rest, normal) in [
            (json!(1), None, json!({ "area_id": "a" }), Some("zone_entry")),
            (json!(2), None, json!({ "geofence_name": "a" }), Some("zone_exit")),
            (json!(3), None, json!({ "area_id": "a" }), None),
            (json!(1), None, json!({ "port_code": "a", "area_id": "b" }), Some("port_arrival")),
            (json!("2"), None, json!({ "port_code": "a" }), Some("berth_arrival")),
            (json!(3), None, json!({ "portName": "a" }), Some("port_departure")),
            (json!(0), Some(MOVE_TYPE), json!({ "PORT_ID": "a" }), Some("port_arrival")),
            (json!("1"), Some(MOVE_TYPE), json!({ "PORT_ID": "a" }), Some("port_departure")),
            (json!(1), None, json!({ "port_code": null }), None),
            (json!(1), None, json!({ "port_of_registry": "a" }), None),
            (json!(1), None, json!({ "port_of_registry": "a", "zone-id": "b" }), Some("zone_entry")),
            (json!(1), None, json!({ "area_km2": 7 }), None),
            (json!(1.5), None, json!({ "port_code": "a" }), None),
        ] {
            let expected = match normal {
                Some(normal) => json!({ "type": normal, "provider_type": sent }),
                None => json!({ "type": sent }),
            };
            assert_eq!(normalised(json!({ "type": sent }), word, rest), expected);
        }
    }

    #[test]
    fn the_first_of_a_list_is_the_type() {
        let expected = json!({ "type": "DARK", "provider_type": ["DARK", "ZONE_ENTRY"] });
        assert_eq!(normalised(json!({ "type": ["DARK", "ZONE_ENTRY"] }), None, json!({})), expected);
    }

    #[test]
    fn a_test_is_told_by_its_last_word() {
        for (kind, expected) in [("ping", true), ("PING", true), ("callback_test", true), ("webhook.Test", true)] {
            assert_eq!(is_test(&json!(kind)), expected, "{kind}");
        }
        for kind in [json!("test.started"), json!("pinged"), json!(""), json!(null), json!(1)] {
            assert!(!is_test(&kind), "{kind}");
        }
    }
}
