//! The names that providers give to the same field, and the search for them in an object.
//!
//! A new spelling is a word in a table here. Names are compared without case and separators, so `vesselName`, `VESSEL_NAME` and
//! `vessel-name` are one word.

use serde_json::{Map, Value};

/// A field that Lookout knows by one name.
pub(super) struct Field {
    /// Its name on the stream.
    pub name: &'static str,
    /// Other names of it inside the object that it belongs to, the best first.
    pub inside: &'static [&'static str],
    /// Names under which it lies loose among other fields without an object of its own, the best first.
    pub loose: &'static [&'static str],
    /// Names in an envelope that say something of the event only where nothing closer to it does.
    pub envelope: &'static [&'static str],
}

impl Field {
    pub(super) const fn inside_only(name: &'static str, inside: &'static [&'static str]) -> Self {
        Self { name, inside, loose: &[], envelope: &[] }
    }
}

pub(super) const VESSEL: [Field; 6] = [
    Field { name: "imo", inside: IMO, loose: IMO, envelope: &[] },
    Field { name: "mmsi", inside: MMSI, loose: MMSI, envelope: &[] },
    Field { name: "name", inside: &["name", "vesselname", "shipname"], loose: &["vesselname", "shipname"], envelope: &[] },
    Field { name: "call_sign", inside: &["callsign"], loose: &["callsign"], envelope: &[] },
    Field { name: "flag", inside: &["flag", "country"], loose: &["flag"], envelope: &[] },
    Field {
        name: "type",
        inside: &["type", "vesseltype", "typename", "shiptype", "class"],
        loose: &["vesseltype", "typename", "shiptype"],
        envelope: &[],
    },
];
const IMO: &[&str] = &["imo", "imonumber", "lloydnumber"];
const MMSI: &[&str] = &["mmsi", "mmsinumber"];

/// One of these makes loose fields a vessel.
pub(super) const IDENTIFIES_A_VESSEL: [&str; 4] = ["imo", "mmsi", "name", "call_sign"];

/// The type comes first: its provider's name for it tells which table its codes are from.
pub(super) const EVENT: [Field; 3] = [
    Field {
        name: "type",
        inside: &["type", "eventtype", "eventtypes", MOVE_TYPE],
        loose: &["eventtype", "eventtypes", MOVE_TYPE],
        envelope: &["type"],
    },
    Field { name: "id", inside: &["id", "eventid", "alertid"], loose: &["eventid", "alertid"], envelope: &["id"] },
    Field {
        name: "timestamp",
        inside: &["timestamp", "eventtimestamp", "eventtime", "timestamputc", "occurredat", "triggertime", "time"],
        loose: &["eventtimestamp", "eventtime", "timestamputc", "occurredat", "triggertime"],
        envelope: &["timestamp", "time"],
    },
];
/// The name whose codes count differently from those of every other type field.
pub(super) const MOVE_TYPE: &str = "movetype";

pub(super) const REFERENCE: [Field; 1] = [Field::inside_only("custom_reference", &["customreference", "userdefinedreference"])];

pub(super) const COORDINATES: [Field; 2] =
    [Field::inside_only("latitude", &["latitude", "lat"]), Field::inside_only("longitude", &["longitude", "lon", "lng", "long"])];

/// What a flag is called where there is no flag field.
pub(super) const FLAG_CODE: [Field; 1] = [Field::inside_only("flag_code", &["flagcode", "countrycode"])];

/// Where in a map a field was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// The entry's index.
    pub entry: usize,
    /// The table's word for its key.
    pub word: &'static str,
    rank: usize,
}

/// Behind every other rank: a null names a field only where nothing says more.
const NULL: usize = 100;

/// For each field the entry that names it best and is not null; an entry with exactly the field's name is always best.
pub(super) fn search<const N: usize>(
    map: &Map<String, Value>,
    fields: &'static [Field; N],
    names: fn(&Field) -> &'static [&'static str],
) -> [Option<Found>; N] {
    search_with_nulls(map, fields, names).map(|found| found.filter(|found| found.rank < NULL))
}

fn search_with_nulls<const N: usize>(
    map: &Map<String, Value>,
    fields: &'static [Field; N],
    names: fn(&Field) -> &'static [&'static str],
) -> [Option<Found>; N] {
    let mut found = [None::<(Found, &str)>; N];
    let mut buffer = [0; LONGEST_WORD];
    for (entry, (key, value)) in map.iter().enumerate() {
        let Some(folded) = fold(key, &mut buffer) else { continue };
        for (field, best) in fields.iter().zip(&mut found) {
            let Some(position) = names(field).iter().position(|name| name.as_bytes() == folded) else { continue };
            let rank = if key == field.name { 0 } else { position + 1 } + if value.is_null() { NULL } else { 0 };
            // Spellings of one word are told apart by their text, so that the order of the body does not matter.
            if best.is_none_or(|(best, best_key)| (rank, key.as_str()) < (best.rank, best_key)) {
                *best = Some((Found { entry, word: names(field)[position], rank }, key));
            }
        }
    }
    found.map(|best| best.map(|(found, _)| found))
}

/// The value of a single field.
pub(super) fn value_of<'a>(map: &'a Map<String, Value>, field: &'static [Field; 1]) -> Option<&'a Value> {
    let [found] = search(map, field, |field| field.inside);
    map.values().nth(found?.entry)
}

/// The object with its known fields under the names of the stream, every other entry and the order as they were. Returns the
/// provider's word for the first field, too.
pub(super) fn rename<const N: usize>(
    map: Map<String, Value>,
    fields: &'static [Field; N],
) -> (Map<String, Value>, Option<&'static str>) {
    let found = search_with_nulls(&map, fields, |field| field.inside);
    let word = found.first().copied().flatten().map(|found| found.word);
    if found.iter().flatten().all(|found| found.rank % NULL == 0) {
        return (map, word);
    }
    let mut renamed = Map::with_capacity(map.len());
    for (entry, (key, value)) in map.into_iter().enumerate() {
        let field_of_entry = fields.iter().zip(&found).find(|(_, found)| found.is_some_and(|found| found.entry == entry));
        // A null under the stream's own name gives way to the value that was found under another.
        let gives_way =
            || value.is_null() && fields.iter().zip(&found).any(|(field, found)| field.name == key && found.is_some());
        match field_of_entry {
            Some((field, _)) => _ = renamed.insert(field.name.to_owned(), value),
            None if gives_way() => {}
            None => _ = renamed.insert(key, value),
        }
    }
    (renamed, word)
}

const LONGEST_WORD: usize = 20;

/// A key in lower case without separators; none where it is longer than any word in the tables, or not plain.
fn fold<'a>(key: &str, buffer: &'a mut [u8; LONGEST_WORD]) -> Option<&'a [u8]> {
    let mut length = 0;
    for byte in key.bytes().filter(|byte| !matches!(byte, b'_' | b'-' | b' ' | b'.')) {
        *buffer.get_mut(length)? = byte.is_ascii_alphanumeric().then(|| byte.to_ascii_lowercase())?;
        length += 1;
    }
    Some(&buffer[..length])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn renamed(value: Value) -> Value {
        let Value::Object(map) = value else { panic!("an object") };
        rename(map, &VESSEL).0.into()
    }

    #[test]
    fn every_word_of_the_tables_is_folded_and_fits() {
        let fields = VESSEL.iter().chain(&EVENT).chain(&REFERENCE).chain(&COORDINATES).chain(&FLAG_CODE);
        for word in fields.flat_map(|field| field.inside.iter().chain(field.loose).chain(field.envelope)) {
            assert_eq!(fold(word, &mut [0; LONGEST_WORD]), Some(word.as_bytes()), "{word}");
        }
    }

    #[test]
    fn synonyms_take_the_name_of_the_stream_in_their_place() {
        let sent = json!({ "IMO": 1, "ship-name": "A", "other": 2, "vesselType": "Tug", "callsign": "B" });
        let expected = json!({ "imo": 1, "name": "A", "other": 2, "type": "Tug", "call_sign": "B" });
        assert_eq!(renamed(sent).to_string(), expected.to_string());
    }

    #[test]
    fn a_value_that_is_there_is_never_overwritten() {
        let sent = json!({ "vesselName": "A", "name": "B", "ship_name": "C" });
        assert_eq!(renamed(sent.clone()), sent);
    }

    #[test]
    fn of_two_spellings_of_one_word_the_same_wins_in_either_order() {
        let expected = json!({ "name": "A", "vessel_name": "B" });
        assert_eq!(renamed(json!({ "vesselName": "A", "vessel_name": "B" })), expected);
        assert_eq!(renamed(json!({ "vessel_name": "B", "vesselName": "A" })), expected);
    }

    #[test]
    fn a_null_gives_way_to_a_synonym_on_either_side_of_it() {
        assert_eq!(renamed(json!({ "name": null, "vesselName": "A" })), json!({ "name": "A" }));
        assert_eq!(renamed(json!({ "vesselName": "A", "name": null })), json!({ "name": "A" }));
        assert_eq!(renamed(json!({ "vesselName": null })), json!({ "name": null }));
    }
}
