//! An entry as the fields of one message of the bus, and what must hold before one that is read is believed.

use std::borrow::Cow;

use crate::notification::{
    NotificationId,
    entry::{Entry, Kind},
    position::{Epoch, Position, Tag},
};

const POSITION: &str = "position";
const KIND: &str = "kind";
const NOTIFICATION: &str = "notification";
const OWNER: &str = "owner";
const PAYLOAD: &str = "payload";
const CANARY: &str = "canary";

const KINDS: [(Kind, &str); 2] = [(Kind::Notification, "notification"), (Kind::Update, "update")];

/// Names and values as they were read.
pub(super) type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// Why a message is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsound {
    /// It is no entry, or its payload is not the one that its position names.
    Malformed,
    /// It is an entry of another log.
    OtherEpoch,
}

impl Unsound {
    /// The `cause` in counters.
    pub fn label(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::OtherEpoch => "other_epoch",
        }
    }
}

/// The fields of an entry. One without an owner has no field for it: an owner may be any text, also an empty one.
pub(super) fn fields(entry: &Entry) -> Vec<(&'static str, Cow<'_, str>)> {
    let kind = KINDS.iter().find(|(kind, _)| *kind == entry.kind).map_or("", |(_, name)| name);
    let mut fields = vec![
        (POSITION, entry.position.to_string().into()),
        (KIND, kind.into()),
        (NOTIFICATION, entry.notification_id.to_hex().into()),
        (PAYLOAD, (*entry.payload).into()),
    ];
    fields.extend(entry.owner.as_deref().map(|owner| (OWNER, owner.into())));
    fields
}

/// The one field of a canary.
pub(super) fn canary_fields(id: u64) -> Vec<(&'static str, Cow<'static, str>)> {
    vec![(CANARY, id.to_string().into())]
}

/// The canary of these fields, when it is one.
pub(super) fn canary(fields: &[(Vec<u8>, Vec<u8>)]) -> Option<u64> {
    match fields {
        [(name, id)] if name == CANARY.as_bytes() => std::str::from_utf8(id).ok()?.parse().ok(),
        _ => None,
    }
}

/// The entry of these fields, when it is one of this log.
pub(super) fn entry(epoch: Epoch, fields: Fields) -> Result<Entry, Unsound> {
    let (mut position, mut kind, mut notification_id, mut owner, mut payload) = (None, None, None, None, None);
    for (name, value) in fields {
        let Ok(value) = String::from_utf8(value) else { return Err(Unsound::Malformed) };
        match name {
            name if name == POSITION.as_bytes() => position = value.parse::<Position>().ok(),
            name if name == KIND.as_bytes() => kind = KINDS.iter().find(|(_, name)| *name == value).map(|(kind, _)| *kind),
            name if name == NOTIFICATION.as_bytes() => notification_id = NotificationId::parse_str(&value).ok(),
            name if name == OWNER.as_bytes() => owner = Some(value.into()),
            name if name == PAYLOAD.as_bytes() => payload = Some(value),
            // A newer node may say more.
            _ => {}
        }
    }
    let (Some(position), Some(kind), Some(notification_id), Some(payload)) = (position, kind, notification_id, payload) else {
        return Err(Unsound::Malformed);
    };
    if position.epoch != epoch {
        return Err(Unsound::OtherEpoch);
    }
    if position.n == 0 || position.tag != Tag::of(&payload) {
        return Err(Unsound::Malformed);
    }
    Ok(Entry { position, kind, notification_id, owner, payload: payload.into() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOG: Epoch = Epoch(7);

    fn sent(entry: &Entry) -> Fields {
        fields(entry).into_iter().map(|(name, value)| (name.into(), value.as_bytes().to_vec())).collect()
    }

    fn some_entry() -> Entry {
        entry_of(3, Kind::Update, [9; 12], Some("ana".into()), r#"{"a":1}"#.into())
    }

    fn entry_of(n: u64, kind: Kind, id: [u8; 12], owner: Option<String>, payload: String) -> Entry {
        let position = Position { epoch: LOG, n, tag: Tag::of(&payload) };
        let (owner, payload) = (owner.map(Into::into), payload.into());
        Entry { position, kind, notification_id: NotificationId::from_bytes(id), owner, payload }
    }

    proptest! {
        #[test]
        fn any_entry_is_read_as_it_was_sent(n in 1u64.., update: bool, id: [u8; 12], owner: Option<String>, payload: String) {
            let kind = if update { Kind::Update } else { Kind::Notification };
            let entry = entry_of(n, kind, id, owner, payload);
            prop_assert_eq!(super::entry(LOG, sent(&entry)), Ok(entry.clone()));
            prop_assert_eq!(super::entry(Epoch(8), sent(&entry)), Err(Unsound::OtherEpoch));
        }

        #[test]
        fn what_is_no_entry_is_never_taken_for_another_one(field in 0usize..5, value: Vec<u8>) {
            let (entry, mut fields) = (some_entry(), sent(&some_entry()));
            fields[field].1 = value;
            if let Ok(read) = super::entry(LOG, fields) {
                // Nothing tells the owner, the kind and the id from others; place and payload hold each other.
                prop_assert_eq!((read.position, read.payload), (entry.position, entry.payload));
            }
        }
    }

    #[test]
    fn a_message_with_a_field_missing_or_spoilt_is_not_believed() {
        for field in [POSITION, KIND, NOTIFICATION, PAYLOAD] {
            let at = |fields: &Fields| fields.iter().position(|(name, _)| name == field.as_bytes()).unwrap();
            let mut fields = sent(&some_entry());
            let index = at(&fields);
            for spoilt in [&b""[..], b"\xff", b"x"] {
                fields[index].1 = spoilt.to_vec();
                assert_eq!(entry(LOG, fields.clone()), Err(Unsound::Malformed), "{field} {spoilt:?}");
            }
            fields.remove(index);
            assert_eq!(entry(LOG, fields), Err(Unsound::Malformed), "without {field}");
        }
        let origin = Entry { position: Position { n: 0, ..some_entry().position }, ..some_entry() };
        assert_eq!(entry(LOG, sent(&origin)), Err(Unsound::Malformed), "there is no entry 0");
    }

    #[test]
    fn fields_that_are_not_known_are_passed_over() {
        let mut fields = sent(&some_entry());
        fields.push((b"from a newer node".to_vec(), b"hello".to_vec()));
        assert_eq!(entry(LOG, fields), Ok(some_entry()));
    }
}
