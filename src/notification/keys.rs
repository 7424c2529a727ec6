//! The two keys by which a repetition is recognised: the same delivery, and the same fact through another delivery.
//!
//! Every part is hashed with its length in front, so that no two lists of parts run together into the same key.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Timestamp;

/// A SHA-256 over what makes a delivery or a fact the same.
pub type Key = [u8; 32];

/// What names one delivery: it stays the same when the sender tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryId<'a> {
    /// A `webhook-id` or `X-Delivery-ID`.
    Header(&'a str),
    /// A CloudEvents event: its id is unique within its source.
    CloudEvent {
        /// Who made it.
        source: &'a str,
        /// Its number there.
        id: &'a str,
    },
}

/// The key of one item of a delivery.
pub fn delivery_key(id: DeliveryId<'_>, index: usize, item: &Value) -> Key {
    // A `Value` that was read from JSON has no key or number that could not be written again.
    let item = Sha256::digest(serde_json::to_vec(item).unwrap_or_default());
    let index = (index as u64).to_be_bytes();
    match id {
        DeliveryId::Header(id) => key("header", &[Some(id.as_bytes()), Some(&index), Some(&item)]),
        DeliveryId::CloudEvent { source, id } => {
            key("cloud event", &[Some(source.as_bytes()), Some(id.as_bytes()), Some(&index), Some(&item)])
        }
    }
}

/// What makes an event the same event, each part in normal form. None is a part that is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fact<'a> {
    /// The user in the reference: two users' copies of one event are two notifications.
    pub owner: Option<&'a str>,
    /// The provider's own id of the event.
    pub event_id: Option<&'a str>,
    /// Within what the id is unique, where it is not by itself: the source of a CloudEvent.
    pub source: Option<&'a str>,
    /// Whether the id may be that of something to which many events happen, so that the time must be the same as well.
    pub id_may_be_shared: bool,
    /// What identifies the vessel best.
    pub vessel: Option<&'a str>,
    /// The normal form of the event's type.
    pub kind: Option<&'a str>,
    /// When it happened, by the provider's word.
    pub event_time: Option<Timestamp>,
    /// Where: all that names a zone or port.
    pub zone: Option<&'a str>,
}

impl Fact<'_> {
    /// The key: by the provider's id where it gave one, else by vessel, type and time where all three are known, else none.
    pub fn key(&self) -> Option<Key> {
        let [owner, event_id, source, vessel, kind, zone] =
            [self.owner, self.event_id, self.source, self.vessel, self.kind, self.zone].map(|part| part.map(str::as_bytes));
        let time = self.event_time.map(|time| time.timestamp_millis().to_be_bytes());
        let time = time.as_ref().map(<[u8; 8]>::as_slice);
        if event_id.is_some() {
            let time = time.filter(|_| self.id_may_be_shared);
            return Some(key("fact by id", &[owner, source, event_id, vessel, kind, time]));
        }
        let is_enough = vessel.is_some() && kind.is_some() && time.is_some();
        is_enough.then(|| key("fact by time", &[owner, vessel, kind, time, zone]))
    }
}

fn key(domain: &str, parts: &[Option<&[u8]>]) -> Key {
    let mut hash = Sha256::new_with_prefix(domain);
    for part in parts {
        match part {
            None => hash.update([0]),
            Some(bytes) => {
                hash.update([1]);
                hash.update((bytes.len() as u64).to_be_bytes());
                hash.update(bytes);
            }
        }
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn time(millis: i64) -> Option<Timestamp> {
        chrono::DateTime::from_timestamp_millis(millis)
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let fact = |owner, event_id, vessel| Fact { owner, event_id, vessel, kind: Some("zone_entry"), ..Fact::default() }.key();
        assert_ne!(fact(Some("ab"), Some("c"), Some("d")), fact(Some("a"), Some("bc"), Some("d")));
        assert_ne!(fact(None, Some("c"), Some("d")), fact(Some(""), Some("c"), Some("d")));
        let event = |source, id| delivery_key(DeliveryId::CloudEvent { source, id }, 0, &json!({}));
        assert_ne!(event("ab", "c"), event("a", "bc"));
    }

    #[test]
    fn with_an_event_id_time_and_zone_do_not_matter() {
        let by_id = Fact { event_id: Some("e"), vessel: Some("v"), kind: Some("k"), ..Fact::default() };
        assert_eq!(by_id.key(), Fact { event_time: time(5), zone: Some("z"), ..by_id }.key());
        assert_ne!(by_id.key(), Fact { kind: Some("other"), ..by_id }.key());
        assert_ne!(by_id.key(), Fact { owner: Some("somebody"), ..by_id }.key());
    }

    #[test]
    fn an_id_that_is_not_unique_by_itself_counts_with_what_makes_it_so() {
        let by_id = Fact { event_id: Some("e"), vessel: Some("v"), kind: Some("k"), event_time: time(5), ..Fact::default() };
        let [here, there] = ["here", "there"].map(|source| Fact { source: Some(source), ..by_id }.key());
        assert!(here != there && here != by_id.key());
        let shared = Fact { id_may_be_shared: true, ..by_id };
        assert_eq!(shared.key(), Fact { zone: Some("z"), ..shared }.key());
        assert_ne!(shared.key(), Fact { event_time: time(6), ..shared }.key());
        assert!(Fact { event_time: None, ..shared }.key().is_some());
    }

    #[test]
    fn without_an_event_id_vessel_type_and_time_are_all_needed() {
        let whole = Fact { vessel: Some("v"), kind: Some("k"), event_time: time(5), ..Fact::default() };
        assert!(whole.key().is_some());
        assert_eq!(Fact { vessel: None, ..whole }.key(), None);
        assert_eq!(Fact { kind: None, ..whole }.key(), None);
        assert_eq!(Fact { event_time: None, ..whole }.key(), None);
        assert_ne!(whole.key(), Fact { event_time: time(6), ..whole }.key());
        assert_ne!(whole.key(), Fact { zone: Some("z"), ..whole }.key());
    }

    proptest! {
        #[test]
        fn a_delivery_key_is_of_its_id_index_and_item(id in ".{0,9}", index in 0usize..9, name in ".{0,9}") {
            let item = json!({ "vessel": { "name": name } });
            let key = delivery_key(DeliveryId::Header(&id), index, &item);
            prop_assert_eq!(key, delivery_key(DeliveryId::Header(&id), index, &item.clone()));
            prop_assert_ne!(key, delivery_key(DeliveryId::Header(&format!("{id}x")), index, &item));
            prop_assert_ne!(key, delivery_key(DeliveryId::Header(&id), index + 1, &item));
            prop_assert_ne!(key, delivery_key(DeliveryId::Header(&id), index, &json!({ "vessel": { "name": format!("{name}x") } })));
        }
    }
}
