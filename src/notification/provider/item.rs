//! One item of a body: is it an event, and what does it say?
//!
//! The steps are always these: lift, name the type, read the facts, make the keys; each is a file of its own.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{
    DeliveryHeaders, ItemError, Normalised, RESERVED_NAMES, ReadEvent, Reading,
    event_id::{self, EventId},
    event_type,
    fields::{self, EVENT, FLAG_CODE, REFERENCE},
    lift::{Lifted, inside, lift},
    place,
};
use crate::notification::{
    Timestamp, event_time, identifier,
    keys::{DeliveryId, Fact, Key, delivery_key},
    reference::CustomReference,
    rfc3339,
    subject::Subject,
};

/// Where a shape may keep the reference; the first that is not null holds.
const REFERENCE_PLACES: [&[&str]; 6] =
    [&[], &["notification"], &["data"], &["data", "notification"], &["metadata"], &["data", "metadata"]];

/// Reads one item; `index` is its place in the batch and `envelope` what lay around the batch, empty where nothing did.
pub(super) fn read(
    item: Value,
    index: usize,
    envelope: &Map<String, Value>,
    headers: &DeliveryHeaders,
    received_at: Timestamp,
) -> Reading {
    let delivery_key = delivery_id(&item, headers).map(|id| delivery_key(id, index, &item));
    let Value::Object(item) = item else { return Reading::Unusable(ItemError::NotAnObject) };
    let lifted = lift(item);
    if lifted.vessel.is_empty() && !lifted.event_had_object {
        let kind = lifted.event.get("type").or_else(|| lifted.rest.get("type"));
        if !lifted.event_is_named && kind.is_some_and(event_type::is_test) {
            return Reading::Ping;
        }
        if lifted.event.is_empty() {
            return Reading::Unusable(ItemError::NoVesselNoEvent);
        }
    }
    Reading::Event(Box::new(event(lifted, envelope, delivery_key, received_at)))
}

fn event(lifted: Lifted, envelope: &Map<String, Value>, delivery_key: Option<Key>, received_at: Timestamp) -> ReadEvent {
    let event_id = event_id::event_id(&lifted);
    let Lifted { vessel, mut event, mut rest, type_word, .. } = lifted;
    event_type::normalise(&mut event, type_word, &rest);
    let reference = reference(&rest, envelope);
    let subject = subject(&vessel);
    let given_time = given_time(&event, &rest);
    let event_time = given_time.and_then(event_time::read);
    let fact_key = fact_key(&reference, event_id.as_ref(), &subject, &event, &rest, event_time);
    let place::Coordinates { latitude, longitude } = place::coordinates(&event, &rest);
    let normalised = Normalised {
        imo: subject.imo.clone(),
        mmsi: subject.mmsi.clone(),
        call_sign: subject.call_sign.clone(),
        event_time: if given_time.is_none() { Some(received_at) } else { event_time }.map(rfc3339),
        latitude,
        longitude,
    };
    let vessel = or_as_sent(vessel, &rest, "vessel");
    let event = or_as_sent(event, &rest, "event");
    if RESERVED_NAMES.iter().any(|name| rest.contains_key(*name)) {
        rest.retain(|name, _| !RESERVED_NAMES.contains(&name.as_str()));
    }
    ReadEvent { reference, vessel, event, rest, normalised, subject, delivery_key, fact_key }
}

/// A vessel or event that has no fields but was sent as something else, a list for instance, is at least shown.
fn or_as_sent(fields: Map<String, Value>, rest: &Map<String, Value>, name: &str) -> Value {
    match rest.get(name) {
        Some(sent) if fields.is_empty() && !sent.is_null() => sent.clone(),
        _ => Value::Object(fields),
    }
}

/// The sender's word in the headers holds before what the item says of itself.
fn delivery_id<'a>(item: &'a Value, headers: &'a DeliveryHeaders) -> Option<DeliveryId<'a>> {
    if let Some(id) = headers.delivery_id.as_deref() {
        return Some(DeliveryId::Header(id));
    }
    item.get("specversion")?;
    Some(DeliveryId::CloudEvent { source: item.get("source")?.as_str()?, id: item.get("id")?.as_str()? })
}

/// The item's own reference, else that of the envelope around its batch.
fn reference(rest: &Map<String, Value>, envelope: &Map<String, Value>) -> CustomReference {
    if let Some(reference) = named_reference(rest) {
        return CustomReference::read(reference);
    }
    // One provider lets its customers set nothing but the name of the rule that fired.
    let of_rule = inside(rest, &["notification"]).and_then(|rule| rule.get("name")).map(CustomReference::read);
    of_rule
        .filter(|reference| reference.owner.is_some())
        .or_else(|| named_reference(envelope).map(CustomReference::read))
        .unwrap_or_default()
}

fn named_reference(map: &Map<String, Value>) -> Option<&Value> {
    REFERENCE_PLACES.iter().find_map(|place| fields::value_of(inside(map, place)?, &REFERENCE))
}

fn subject(vessel: &Map<String, Value>) -> Subject {
    let imo = vessel.get("imo").and_then(identifier::imo);
    let flag_code = || fields::value_of(vessel, &FLAG_CODE).and_then(identifier::label);
    Subject {
        imo_as_sent: if imo.is_some() { None } else { vessel.get("imo").and_then(identifier::imo_as_sent) },
        imo,
        mmsi: vessel.get("mmsi").and_then(identifier::mmsi),
        call_sign: vessel.get("call_sign").and_then(identifier::call_sign),
        name: vessel.get("name").and_then(identifier::label),
        flag: vessel.get("flag").and_then(identifier::label).or_else(flag_code),
        vessel_type: vessel.get("type").and_then(identifier::label),
    }
}

/// The event's own time as it was sent, null included, else the one that its envelope gives.
fn given_time<'a>(event: &'a Map<String, Value>, rest: &'a Map<String, Value>) -> Option<&'a Value> {
    let [_, _, timestamp] = &EVENT;
    let around = |place: &[&str]| inside(rest, place).and_then(|map| timestamp.envelope.iter().find_map(|key| map.get(*key)));
    event.get(timestamp.name).or_else(|| around(&[])).or_else(|| around(&["data"]))
}

fn fact_key(
    reference: &CustomReference,
    event_id: Option<&EventId>,
    subject: &Subject,
    event: &Map<String, Value>,
    rest: &Map<String, Value>,
    event_time: Option<Timestamp>,
) -> Option<Key> {
    let kind = event.get("type").and_then(place::text);
    let zone = if event_id.is_none() { place::zone(event, rest) } else { None };
    let vessel = best_identifier(subject);
    Fact {
        owner: reference.owner.as_deref(),
        event_id: event_id.map(|id| id.text.as_str()),
        source: event_id.and_then(|id| id.source.as_deref()),
        id_may_be_shared: event_id.is_some_and(|id| id.may_be_shared),
        vessel: vessel.as_deref(),
        kind: kind.as_deref(),
        event_time,
        zone: zone.as_deref(),
    }
    .key()
}

/// What tells the vessel best from others. Two vessels may be sent with one faulty number, so the name counts beside it.
fn best_identifier(subject: &Subject) -> Option<Cow<'_, str>> {
    let numbers = [&subject.imo, &subject.mmsi, &subject.call_sign];
    if let Some(number) = numbers.into_iter().find_map(Option::as_deref) {
        return Some(number.into());
    }
    match (&subject.imo_as_sent, &subject.name) {
        (Some(faulty), Some(name)) => Some(Value::from_iter([faulty.as_str(), name]).to_string().into()),
        (one, other) => one.as_deref().or(other.as_deref()).map(Cow::from),
    }
}
