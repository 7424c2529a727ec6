//! Where everything acknowledged is kept: the contract that every store fulfils.
//!
//! One actor writes ([`crate::actors::archivist`]); any number of tasks read. A store gives positions: the entries of one
//! [`Commit`] are dense, in the order of its writes, and follow those of the commit before.

pub mod audit;
pub mod embedded;
pub mod mongo;
mod outcome;
pub mod transfer;

use std::{ops::RangeInclusive, sync::Arc};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::notification::{
    NotificationId, Timestamp,
    entry::Entry,
    position::{Epoch, Position},
    subject::Subject,
};

pub use crate::notification::keys::Key;

/// Bytes of payload after which a page of the log or of history ends, and a release; what is first always fits.
pub const PAGE_BYTES: usize = 8 << 20;

/// One thing to be written. Each is whole or not there; those of one commit become durable together.
#[derive(Debug)]
pub enum Write {
    /// A webhook body and what was read from it.
    Receive(Receive),
    /// The final result of a screening. Releases the notification with it, or follows it as an update when it was released
    /// before; does nothing when the screening is settled already.
    Settle {
        /// Which notification.
        id: NotificationId,
        /// When it was settled.
        at: Timestamp,
        /// The clean `screening_results`.
        results: Value,
    },
    /// Releases as pending what still waits for a screening and was received before this time, oldest first, until `limit` or
    /// [`PAGE_BYTES`].
    ///
    /// A payload that cannot be read, which only damage makes, goes out as it is, here and in `Settle`: held back it would
    /// wait for ever. Its result follows as an update.
    ReleaseOverdue {
        /// Received before this.
        received_before: Timestamp,
        /// When it is released.
        at: Timestamp,
        /// The clean `screening_results` that says pending.
        results: Value,
        /// At most so many.
        limit: usize,
    },
    /// Removes entries that were committed before this time, oldest first, with their bodies and keys; never the newest entry
    /// (it carries the counter), never a notification whose screening is open. Stops at the first entry that stays, so that
    /// the log has no hole. Then removes dead letters that arrived before this time, oldest first.
    ///
    /// An entry is committed at the `received_at` or `at` of the write that made it.
    Prune {
        /// Committed before this.
        before: Timestamp,
        /// At most so many.
        limit: usize,
    },
    /// Takes a body in again that is a dead letter, or holds it: what [`Receive`] does, and that letter goes. Nothing at all where the
    /// letter is gone already, so that no body is taken in twice.
    Retry {
        /// The dead letter.
        seq: i64,
        /// Its body and what was read from it now.
        receive: Receive,
    },
    /// Removes dead letters, the oldest of these first.
    Discard {
        /// Which of them.
        letters: RangeInclusive<i64>,
        /// At most so many.
        limit: usize,
    },
    /// Removes the oldest dead letters until there are no more than so many, of bodies with no more bytes than this. A body that
    /// several came in counts once.
    BoundDeadLetters {
        /// The most letters.
        letters: usize,
        /// The most bytes of their bodies.
        bytes: usize,
        /// At most so many are removed.
        limit: usize,
    },
    /// Lets a user in, or no longer; only looked at where `auth.mode` is "store".
    SetUser {
        /// The user id.
        user: Arc<str>,
        /// Whether it is known from now on.
        known: bool,
    },
    /// Writes what changes nothing: whether it can be made durable tells whether the store takes writes again.
    Probe,
}

impl Write {
    /// Bytes that it brings along, about.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Receive(receive) | Self::Retry { receive, .. } => {
                receive.raw.len() + receive.notifications.iter().map(|new| new.payload.len()).sum::<usize>()
            }
            Self::SetUser { user, .. } => user.len(),
            Self::Settle { .. }
            | Self::ReleaseOverdue { .. }
            | Self::Prune { .. }
            | Self::Discard { .. }
            | Self::BoundDeadLetters { .. }
            | Self::Probe => 0,
        }
    }
}

/// One webhook body. It is kept where anything of it is, and where it brought a known fact in other bytes: not for the same
/// bytes again, nor for the same delivery, nor for nothing. It goes with the last notification or dead letter that it brought.
///
/// A notification is a duplicate of the one that brought either of its keys before. A duplicate that asks for screening, of a
/// released notification that came without, opens one: its result follows as an update. Times are kept to the millisecond.
#[derive(Debug)]
pub struct Receive {
    /// The exact bytes that were posted.
    pub raw: Bytes,
    /// When they had arrived.
    pub received_at: Timestamp,
    /// The usable events, in the order of the body.
    pub notifications: Vec<NewNotification>,
    /// What could not be used.
    pub dead_letters: Vec<NewDeadLetter>,
}

/// One usable event.
#[derive(Debug)]
pub struct NewNotification {
    /// The id that it gets unless it is a duplicate.
    pub id: NotificationId,
    /// The user in the reference, as sent.
    pub owner: Option<Arc<str>>,
    /// Recognises the same request posted again.
    pub delivery_key: Option<Key>,
    /// Recognises the same event posted again.
    pub fact_key: Option<Key>,
    /// The clean payload of the `zone_port_notification`; its `screening_results` are null, or the answer where no screener
    /// is asked (skipped).
    pub payload: String,
    /// The vessel, when the notification must wait for its screening; else it goes to the log in the same commit.
    pub screen: Option<Subject>,
}

/// Something that could not be used.
#[derive(Debug)]
pub struct NewDeadLetter {
    /// The index in the batch; none for a whole body.
    pub item: Option<usize>,
    /// The error code that the sender was given.
    pub reason: &'static str,
    /// The sentence that the sender was given.
    pub detail: String,
}

/// What became of one [`Write`].
#[derive(Debug, PartialEq, Eq)]
pub enum Written {
    /// One for each of [`Receive::notifications`], in order.
    Received(Vec<Kept>),
    /// Whether the screening was still open.
    Settled(bool),
    /// How many were released; `limit` means that there may be more, also where [`PAGE_BYTES`] ended it before.
    Released(usize),
    /// How many entries and dead letters were removed; `limit` means that there may be more.
    Pruned(usize),
    /// One for each of its notifications, in order; none where the dead letter was gone.
    Retried(Option<Vec<Kept>>),
    /// How many dead letters were removed; `limit` means that there may be more.
    Discarded(usize),
    /// Whether that changed anything.
    UserSet(bool),
    /// It is durable.
    Probed,
    /// Nothing, and why: this write fails by itself, now and when it is tried again. The others of its commit stand.
    Refused(String),
}

/// The answer for one notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Its id; that of the first one where it is a duplicate.
    pub id: NotificationId,
    /// Whether it was there before, also earlier in the same commit.
    pub duplicate: bool,
}

/// What a commit has made durable.
#[derive(Debug, Default)]
pub struct Commit {
    /// One for each write, in order.
    pub written: Vec<Written>,
    /// The new entries of the log, in order.
    pub entries: Vec<Entry>,
    /// Whether screenings were opened.
    pub screenings_opened: bool,
}

/// What the log spans. Both ends are none while it is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The log's name.
    pub epoch: Epoch,
    /// The first entry that is still there.
    pub oldest: Option<Position>,
    /// The last committed entry.
    pub newest: Option<Position>,
}

/// The users that the store knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Users {
    /// [`Store::users_version`], not later than when they were read.
    pub version: u64,
    /// Their ids, ascending.
    pub ids: Vec<Arc<str>>,
}

/// Who takes screenings: one screener, from its start to its end.
pub type Claimant = mongodb::bson::oid::ObjectId;

/// A screening that is not settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenScreening {
    /// Which notification.
    pub id: NotificationId,
    /// When it was received.
    pub received_at: Timestamp,
    /// Whom to screen.
    pub subject: Subject,
}

/// Screenings that are not settled, taken or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many.
    pub count: u64,
    /// When the one that was opened first was received.
    pub oldest: Option<Timestamp>,
}

/// Which notifications a history page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Only this owner's; none for everybody's.
    pub owner: Option<Arc<str>>,
    /// Where to start.
    pub from: From,
    /// At most so many.
    pub limit: usize,
}

/// The direction of a history page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Newest first.
    Newest,
    /// Newest first, older than entry `n`.
    Before(u64),
    /// Oldest first, newer than entry `n`.
    After(u64),
}

/// A page of history.
#[derive(Debug, Default)]
pub struct HistoryPage {
    /// Notifications only, each payload with the newest `screening_results`.
    pub entries: Vec<Entry>,
    /// Whether the page was cut, at `limit` or at [`PAGE_BYTES`].
    pub more: bool,
    /// The newest committed entry when the page was read: behind it an `After` page that was not cut has seen all.
    pub newest: Option<Position>,
}

/// A kept dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its number.
    pub seq: i64,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The index in its batch.
    pub item: Option<usize>,
    /// The error code.
    pub reason: String,
    /// The sentence.
    pub detail: String,
    /// The size of the body that it came in, bytes.
    pub body_bytes: u64,
}

/// The longest user id, bytes.
pub const MAX_USER_ID: usize = 1024;

/// What is kept as a user id can be compared, listed and written on a command line. The reason of a refusal goes on behind "a user id".
pub fn check_user(user: &str) -> Result<(), &'static str> {
    if user.is_empty() || user.len() > MAX_USER_ID {
        return Err("has 1 to 1024 bytes");
    }
    if user.trim() != user || user.contains(char::is_control) {
        return Err("has no blanks around it and no control characters in it");
    }
    Ok(())
}

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another server holds this store.
    #[error("{path} is in use by another lookout server; stop it, or set store.path to another file")]
    InUse {
        /// The store's file.
        path: String,
    },
    /// The file was written by a newer version.
    #[error("{path} has schema version {found}, this build knows up to {known}; run a newer lookout")]
    TooNew {
        /// The store's file.
        path: String,
        /// What it has.
        found: i64,
        /// What this build knows.
        known: i64,
    },
    /// An import into it was begun and is not whole yet.
    #[error(
        "the import into {store} is not finished; run `lookout import` with the whole file again, or begin anew in an empty store"
    )]
    Unfinished {
        /// Its file or database.
        store: String,
    },
    /// No room on the disk.
    #[error("the store is full: {0}")]
    Full(String),
    /// It does not take this one write.
    #[error("the store refuses a write: {0}")]
    Refused(String),
    /// It cannot be reached or read right now.
    #[error("the store is not available: {0}")]
    Unavailable(String),
}

/// A durable log of notifications with what belongs to it. All futures may be dropped without harm; their work goes on.
pub trait Store: audit::Trail {
    /// Makes all of these writes durable but for the refused ones, or none. Only the archivist calls it, one call at a time.
    fn commit(&self, writes: Vec<Write>) -> BoxFuture<'static, Result<Commit, StoreError>>;

    /// What the log spans, from memory: all of this process's commits, and those of others up to the last [`Store::look`]. `newest` never
    /// runs ahead of what is durable.
    fn span(&self) -> Span;

    /// What the log spans now, asked from the store where others write to it too.
    fn look(&self) -> BoxFuture<'static, Result<Span, StoreError>>;

    /// Entries behind `after`, oldest first, without a hole; at most `limit` and [`PAGE_BYTES`]. Where the first of them were pruned it begins
    /// with the oldest that is there.
    fn read_log(&self, after: u64, limit: usize) -> BoxFuture<'static, Result<Vec<Entry>, StoreError>>;

    /// A page of notifications.
    fn history(&self, query: HistoryQuery) -> BoxFuture<'static, Result<HistoryPage, StoreError>>;

    /// One released notification, with the newest `screening_results`.
    fn notification(&self, id: NotificationId) -> BoxFuture<'static, Result<Option<Entry>, StoreError>>;

    /// Takes up to `limit` screenings that are not settled and that no living claimant has taken, in the order of arrival; they are this
    /// claimant's while it lives. It is dead when it has not asked for `cluster.take_over_after`, in a store that one process has to
    /// itself as soon as another asks.
    fn take_screenings(&self, claimant: Claimant, limit: usize) -> BoxFuture<'static, Result<Vec<OpenScreening>, StoreError>>;

    /// How many screenings are not settled, of all nodes.
    fn backlog(&self) -> BoxFuture<'static, Result<Backlog, StoreError>>;

    /// Every user.
    fn users(&self) -> BoxFuture<'static, Result<Users, StoreError>>;

    /// A number that is another one after users were added or removed, asked from the store where others write to it too.
    fn users_version(&self) -> BoxFuture<'static, Result<u64, StoreError>>;

    /// Dead letters, newest first.
    fn dead_letters(&self, limit: usize) -> BoxFuture<'static, Result<Vec<DeadLetter>, StoreError>>;

    /// One dead letter and the exact body that it came in.
    fn dead_letter(&self, seq: i64) -> BoxFuture<'static, Result<Option<(DeadLetter, Bytes)>, StoreError>>;

    /// Finishes what was begun and closes. Calls behind it fail with [`StoreError::Unavailable`].
    fn close(&self) -> BoxFuture<'static, ()>;
}
