//! The documents of each collection: one place says how each thing is stored in MongoDB.
//!
//! Times are BSON dates, so they are kept to the millisecond; a body and a payload are each part of one document, which MongoDB
//! bounds at 16 MiB.

use std::sync::Arc;

use mongodb::bson::{Binary, DateTime, oid::ObjectId, spec::BinarySubtype};
use serde::{Deserialize, Serialize};

use crate::{
    notification::{
        NotificationId, Timestamp,
        entry::{Entry, Kind},
        position::{Epoch, Position, Tag},
        subject::Subject,
    },
    store::{DeadLetter, Key, OpenScreening, Span, StoreError},
};

/// The `_id` of the one document of `meta`.
pub(super) const META: &str = "log";

/// What the log spans, and the counters. Every commit changes it, so that no two commits can pass each other.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Meta {
    #[serde(rename = "_id")]
    pub id: String,
    pub schema: i64,
    /// How many commits there were: whoever knows this number and finds it unchanged knows the rest.
    #[serde(default)]
    pub commits: i64,
    pub epoch: i64,
    pub oldest: Option<Place>,
    pub newest: Option<Place>,
    /// The number of the last screening that was opened.
    pub screenings: i64,
    /// The number of the last dead letter.
    pub letters: i64,
    /// How many screenings are open; missing where they have to be counted.
    #[serde(default)]
    pub open: Option<i64>,
    /// How often users were added or removed, which is the number of the last one that was added, or more; missing in a log that
    /// is older than users.
    #[serde(default)]
    pub users: i64,
    /// While an import is under way: how far it has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import: Option<ImportMark>,
}

/// What each commit raises.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counters {
    pub commits: i64,
    pub span: Span,
    pub screenings: i64,
    pub letters: i64,
    pub open: Option<i64>,
}

/// How many lines of an export are here, and the SHA-256 of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ImportMark {
    pub lines: i64,
    pub digest: Binary,
}

/// A user of auth mode `store`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct UserDocument {
    #[serde(rename = "_id")]
    pub id: Arc<str>,
    pub seq: i64,
}

/// A position, without its epoch.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Place {
    pub n: i64,
    pub tag: i64,
}

impl Place {
    pub fn of(position: Position) -> Self {
        Self { n: position.n as i64, tag: position.tag.0.into() }
    }

    pub fn position(self, epoch: Epoch) -> Position {
        Position { epoch, n: self.n as u64, tag: Tag(self.tag as u32) }
    }
}

impl Meta {
    pub fn span(&self) -> Span {
        let epoch = Epoch(self.epoch as u32);
        let position = |place: Option<Place>| place.map(|place| place.position(epoch));
        Span { epoch, oldest: position(self.oldest), newest: position(self.newest) }
    }

    pub fn counters(&self) -> Counters {
        let Self { commits, screenings, letters, open, .. } = *self;
        Counters { commits, span: self.span(), screenings, letters, open }
    }

    pub fn users_version(&self) -> u64 {
        self.users as u64
    }
}

/// One entry of the log. Written once and never changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct EntryDocument {
    #[serde(rename = "_id")]
    pub n: i64,
    pub kind: i32,
    pub tag: i64,
    pub at: DateTime,
    pub notification: ObjectId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Arc<str>>,
    pub payload: Arc<str>,
    /// What a notification came in; none in an update.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<ObjectId>,
    /// Its delivery and fact keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Binary>,
}

pub(super) const NOTIFICATION: i32 = 0;
pub(super) const UPDATE: i32 = 1;

impl EntryDocument {
    pub fn entry(self, epoch: Epoch) -> Entry {
        let kind = if self.kind == NOTIFICATION { Kind::Notification } else { Kind::Update };
        let position = Place { n: self.n, tag: self.tag }.position(epoch);
        Entry { position, kind, notification_id: self.notification, owner: self.owner, payload: self.payload }
    }
}

/// What was posted, byte for byte.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct BodyDocument {
    #[serde(rename = "_id")]
    pub id: ObjectId,
    pub received_at: DateTime,
    pub bytes: Binary,
}

/// A screening that is not settled. It holds the notification for as long: whoever settles it needs nothing else.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ScreeningDocument {
    #[serde(rename = "_id")]
    pub seq: i64,
    pub notification: ObjectId,
    pub received_at: DateTime,
    /// The subject as JSON.
    pub subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Arc<str>>,
    pub payload: Arc<str>,
    /// Whether the notification is held back: it is not in the log yet.
    pub waits: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<ObjectId>,
    /// The keys, while the log does not have them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Binary>,
}

impl ScreeningDocument {
    pub fn open(&self) -> Result<OpenScreening, serde_json::Error> {
        let subject: Subject = serde_json::from_str(&self.subject)?;
        Ok(OpenScreening { id: self.notification, received_at: time(self.received_at), subject })
    }
}

/// A body that told the fact of a notification again, in other bytes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct RetoldDocument {
    pub notification: ObjectId,
    pub body: ObjectId,
}

/// Something that could not be used.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LetterDocument {
    #[serde(rename = "_id")]
    pub seq: i64,
    pub received_at: DateTime,
    pub item: Option<i64>,
    pub reason: String,
    pub detail: String,
    pub body: ObjectId,
    pub body_bytes: i64,
}

impl LetterDocument {
    pub fn letter(self) -> DeadLetter {
        DeadLetter {
            seq: self.seq,
            received_at: time(self.received_at),
            item: self.item.and_then(|item| usize::try_from(item).ok()),
            reason: self.reason,
            detail: self.detail,
            body_bytes: self.body_bytes as u64,
        }
    }
}

/// The bytes of a key, as they are compared.
pub(super) fn binary(bytes: &[u8]) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() }
}

/// A key that is stored; none where something else stands there.
pub(super) fn key(binary: &Binary) -> Option<Key> {
    binary.bytes.as_slice().try_into().ok()
}

pub(super) fn date(at: Timestamp) -> DateTime {
    DateTime::from_millis(at.timestamp_millis())
}

pub(super) fn time(date: DateTime) -> Timestamp {
    Timestamp::from_timestamp_millis(date.timestamp_millis()).unwrap_or_default()
}

/// Room for everything in a document beside its text or bytes.
const DOCUMENT_REST: usize = 256 << 10;
/// What MongoDB takes as one document.
const MAX_DOCUMENT: usize = 16 << 20;

/// Refuses what would not fit into one document.
pub(super) fn fits(what: &str, id: Option<NotificationId>, bytes: usize) -> Result<(), StoreError> {
    if bytes + DOCUMENT_REST <= MAX_DOCUMENT {
        return Ok(());
    }
    let whose = id.map(|id| format!(" of notification {id}")).unwrap_or_default();
    Err(StoreError::Refused(format!("the {what}{whose} has {bytes} bytes, more than MongoDB takes in one document")))
}
