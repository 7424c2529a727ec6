//! The lines of an export: a header, the records, an end.
//!
//! They come in one order: bodies, entries of the log, open screenings, what was told again, dead letters, users; each in the order of
//! its number. So everything that a line names has come before it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::text;
use crate::{
    notification::{
        NotificationId, Timestamp,
        entry::Kind,
        position::{Epoch, Position, Tag},
    },
    store::{Key, StoreError},
};

/// The format that this build writes, and the only one that it reads.
pub(super) const FORMAT: u32 = 1;

/// What a body is called: MongoDB's id of it. A store that counts its bodies gives an id of the year 1970 with the number in it.
pub type BodyId = NotificationId;

/// The first line: which log it is, and what there is of it. The same store gives the same header for as long as nothing is written
/// to it: every write changes one of these numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of all lines.
    pub format: u32,
    /// The log's name.
    #[serde(with = "text")]
    pub epoch: Epoch,
    /// The first entry that is still there.
    #[serde(with = "text::option")]
    pub oldest: Option<Position>,
    /// The last committed entry.
    #[serde(with = "text::option")]
    pub newest: Option<Position>,
    /// The number of the screening that was opened last.
    pub last_screening: i64,
    /// The number of the last dead letter.
    pub last_dead_letter: i64,
    /// The number of the last user.
    pub last_user: i64,
    /// How many records there are.
    pub records: Tally,
}

impl Header {
    /// The header of a log of which there is so much.
    pub fn new(epoch: Epoch, oldest: Option<Position>, newest: Option<Position>, records: Tally) -> Self {
        Self { format: FORMAT, epoch, oldest, newest, last_screening: 0, last_dead_letter: 0, last_user: 0, records }
    }
}

/// How many records of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// Webhook bodies.
    pub bodies: u64,
    /// Notifications and updates in the log.
    pub entries: u64,
    /// Open screenings.
    pub screenings: u64,
    /// Bodies beside notifications.
    pub retold: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// Users.
    pub users: u64,
}

impl Tally {
    /// All of them.
    pub fn sum(&self) -> u64 {
        [self.entries, self.screenings, self.retold, self.dead_letters, self.users]
            .iter()
            .fold(self.bodies, |sum, n| sum.saturating_add(*n))
    }
}

/// The last line: an export without it is not whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    /// How many records there were.
    pub records: Tally,
    /// The SHA-256 of all lines before this one.
    #[serde(with = "text")]
    pub sha256: Key,
}

/// The first line as it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderLine<H> {
    pub header: H,
}

/// The last line as it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndLine {
    pub end: End,
}

/// One record, a line of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// What was posted.
    Body(Body),
    /// An entry of the log that is a notification.
    Notification(Notification),
    /// An entry of the log that is an update.
    Update(Entry),
    /// An open screening.
    Screening(Screening),
    /// A body that told a notification again.
    Retold(Retold),
    /// What could not be used.
    DeadLetter(Letter),
    /// Who may connect.
    User(User),
}

/// What was posted, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// What other records call it.
    #[serde(with = "text")]
    pub id: BodyId,
    /// When it had arrived.
    #[serde(with = "text::millis")]
    pub received_at: Timestamp,
    /// All of it.
    #[serde(with = "text")]
    pub bytes: Bytes,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its place.
    pub n: u64,
    /// What recognises it there.
    #[serde(with = "text")]
    pub tag: Tag,
    /// When it was committed.
    #[serde(with = "text::millis")]
    pub at: Timestamp,
    /// The notification that it is, or that it updates.
    #[serde(with = "text")]
    pub notification: NotificationId,
    /// The user in the reference, as sent.
    pub owner: Option<String>,
    /// The message, byte for byte.
    pub payload: String,
}

/// A notification in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notification {
    /// Its entry.
    pub entry: Entry,
    /// How it came.
    pub arrival: Arrival,
}

/// How a notification came, and what recognises it when it comes again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arrival {
    /// What it came in.
    #[serde(with = "text")]
    pub body: BodyId,
    /// Its delivery and fact keys, two at most. Which is which does not matter: none of the one kind is one of the other.
    #[serde(with = "text::list")]
    pub keys: Vec<Key>,
}

/// A screening that is not settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Screening {
    /// Its number.
    pub seq: i64,
    /// Which notification.
    #[serde(with = "text")]
    pub notification: NotificationId,
    /// When its patience began.
    #[serde(with = "text::millis")]
    pub received_at: Timestamp,
    /// Whom to screen, as JSON.
    pub subject: String,
    /// The notification, where it is held back; else the log has it.
    pub waiting: Option<Waiting>,
}

/// A notification that is held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    /// The user in the reference, as sent.
    pub owner: Option<String>,
    /// The message, byte for byte.
    pub payload: String,
    /// How it came.
    pub arrival: Arrival,
}

/// A body that told the fact of a notification again, in other bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retold {
    /// Which notification.
    #[serde(with = "text")]
    pub notification: NotificationId,
    /// The body.
    #[serde(with = "text")]
    pub body: BodyId,
}

/// Something that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letter {
    /// Its number.
    pub seq: i64,
    /// When it arrived.
    #[serde(with = "text::millis")]
    pub received_at: Timestamp,
    /// The index in its batch.
    pub item: Option<u32>,
    /// The error code.
    pub reason: String,
    /// The sentence.
    pub detail: String,
    /// What it came in.
    #[serde(with = "text")]
    pub body: BodyId,
    /// The size of that, bytes.
    pub body_bytes: u64,
}

/// A user of auth mode `store`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The user's number.
    pub seq: i64,
    /// The user id.
    pub id: String,
}

/// Where a record stands in the order of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A body.
    Body(BodyId),
    /// An entry of the log.
    Entry(u64),
    /// An open screening.
    Screening(i64),
    /// A body beside this notification.
    Retold(NotificationId, BodyId),
    /// A dead letter.
    DeadLetter(i64),
    /// A user.
    User(i64),
}

/// Before every real id.
const NO_ID: NotificationId = NotificationId::from_bytes([0; 12]);

impl Place {
    /// Before the first record.
    pub const START: Self = Self::Body(NO_ID);

    /// Before the first record of the kind that follows; none behind the last kind.
    pub fn next_kind(self) -> Option<Self> {
        match self {
            Self::Body(_) => Some(Self::Entry(0)),
            Self::Entry(_) => Some(Self::Screening(0)),
            Self::Screening(_) => Some(Self::Retold(NO_ID, NO_ID)),
            Self::Retold(..) => Some(Self::DeadLetter(0)),
            Self::DeadLetter(_) => Some(Self::User(0)),
            Self::User(_) => None,
        }
    }
}

impl Record {
    /// Where it stands.
    pub fn place(&self) -> Place {
        match self {
            Self::Body(body) => Place::Body(body.id),
            Self::Notification(Notification { entry, .. }) | Self::Update(entry) => Place::Entry(entry.n),
            Self::Screening(screening) => Place::Screening(screening.seq),
            Self::Retold(retold) => Place::Retold(retold.notification, retold.body),
            Self::DeadLetter(letter) => Place::DeadLetter(letter.seq),
            Self::User(user) => Place::User(user.seq),
        }
    }

    /// The record of an entry as a store has it. A notification without an arrival is damaged.
    pub(in crate::store) fn of_entry(kind: Kind, entry: Entry, arrival: Option<Arrival>) -> Result<Self, StoreError> {
        match kind {
            Kind::Notification => {
                let arrival = arrival.ok_or_else(|| damaged(entry.notification))?;
                Ok(Self::Notification(Notification { entry, arrival }))
            }
            Kind::Update => Ok(Self::Update(entry)),
        }
    }
}

impl Waiting {
    /// What is held back as a store has it; damaged without an arrival.
    pub(in crate::store) fn of(
        id: NotificationId,
        owner: Option<String>,
        payload: String,
        arrival: Option<Arrival>,
    ) -> Result<Self, StoreError> {
        Ok(Self { owner, payload, arrival: arrival.ok_or_else(|| damaged(id))? })
    }
}

fn damaged(id: NotificationId) -> StoreError {
    StoreError::Refused(format!("it is damaged: what notification {id} came in is gone"))
}
