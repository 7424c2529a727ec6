//! What the writes of one commit come to: worked out in memory, so that a commit of many writes is a few calls to MongoDB.
//!
//! What the writes need to know is fetched for all of them at once; what only few need is fetched by them, behind a
//! [`Draft::flush`] of what was worked out before. Everything happens in one transaction, so a failure leaves nothing.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use mongodb::bson::{Binary, doc, oid::ObjectId};

use super::{
    documents::{
        self, BodyDocument, Counters, EntryDocument, LetterDocument, NOTIFICATION, Place, RetoldDocument, ScreeningDocument,
        UPDATE, date,
    },
    read::bound,
    transaction::{Failure, Transaction},
};
use crate::{
    notification::{
        NotificationId, Timestamp,
        entry::{Entry, Kind},
        position::{Position, Tag},
        subject::Subject,
    },
    store::{Commit, Key, StoreError, Write, Written},
};

/// A commit that is being worked out.
pub(super) struct Draft<'t> {
    pub(super) tx: &'t mut Transaction,
    /// The counters as they will be.
    pub(super) counters: Counters,
    entries: Vec<Entry>,
    screenings_opened: bool,
    /// Whose each key is.
    pub(super) seen: HashMap<Key, NotificationId>,
    /// Screenings by notification, as they will be; none for one that was settled here.
    open: HashMap<NotificationId, Option<Open>>,
    pending: Pending,
    /// Which write is being worked out.
    write: usize,
}

/// An open screening.
struct Open {
    row: ScreeningDocument,
    kept: Kept,
    /// Which write opened it.
    write: usize,
}

/// How the collection stands to a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// It does not have it.
    Not,
    /// It has it as it was.
    Before,
    /// It has it as it is.
    AsItIs,
}

/// What is to be sent to MongoDB, with the write that each new document belongs to.
#[derive(Default)]
struct Pending {
    bodies: Vec<(usize, BodyDocument)>,
    entries: Vec<(usize, EntryDocument)>,
    retold: Vec<(usize, RetoldDocument)>,
    letters: Vec<(usize, LetterDocument)>,
    settled: Vec<i64>,
}

/// A notification on its way into the log.
pub(super) struct Appended {
    pub id: NotificationId,
    pub kind: Kind,
    pub owner: Option<Arc<str>>,
    pub at: Timestamp,
    pub payload: Arc<str>,
    pub body: Option<ObjectId>,
    pub keys: Vec<Binary>,
}

impl<'t> Draft<'t> {
    /// Works out all writes in order, behind a commit that left these counters, and sends what they come to. `refused` holds those
    /// that have failed before, by their index.
    pub async fn apply(
        tx: &'t mut Transaction,
        counters: Counters,
        writes: &[Write],
        refused: &HashMap<usize, String>,
    ) -> Result<(Commit, Counters), Failure> {
        let mut draft = Self::new(tx, counters);
        draft.fetch(writes).await?;
        draft.work_out(writes, refused).await
    }

    /// The same for writes of which nothing needs to be known but that their events are new, which the index of the log finds out.
    /// Where one is there already this fails.
    pub async fn apply_unseen(
        tx: &'t mut Transaction,
        counters: Counters,
        writes: &[Write],
    ) -> Result<(Commit, Counters), Failure> {
        Self::new(tx, counters).work_out(writes, &HashMap::new()).await
    }

    /// Whether all writes are such, where so many screenings are open: those hold keys that the log does not have.
    pub fn may_be_unseen(writes: &[Write], open: Option<i64>) -> bool {
        let is_plain = |write: &Write| match write {
            Write::Receive(receive) => receive.notifications.iter().all(|new| new.screen.is_none()),
            _ => false,
        };
        open == Some(0) && writes.iter().all(is_plain)
    }

    fn new(tx: &'t mut Transaction, counters: Counters) -> Self {
        Self {
            counters: Counters { commits: counters.commits + 1, ..counters },
            entries: Vec::new(),
            screenings_opened: false,
            seen: HashMap::new(),
            open: HashMap::new(),
            pending: Pending::default(),
            write: 0,
            tx,
        }
    }

    async fn work_out(mut self, writes: &[Write], refused: &HashMap<usize, String>) -> Result<(Commit, Counters), Failure> {
        let mut written = Vec::with_capacity(writes.len());
        for (index, write) in writes.iter().enumerate() {
            self.write = index;
            written.push(match refused.get(&index) {
                Some(reason) => Written::Refused(reason.clone()),
                None => self.write(write).await.map_err(|failure| failure.of_write(index))?,
            });
        }
        self.flush().await?;
        self.tx.count(self.counters).await?;
        let Self { counters, entries, screenings_opened, .. } = self;
        Ok((Commit { written, entries, screenings_opened }, counters))
    }

    /// What most writes must know: whose the keys are, and the screenings to be settled.
    async fn fetch(&mut self, writes: &[Write]) -> Result<(), Failure> {
        let (mut keys, mut settled) = (HashSet::new(), Vec::new());
        for write in writes {
            match write {
                Write::Receive(receive) | Write::Retry { receive, .. } => {
                    keys.extend(receive.notifications.iter().flat_map(|new| [new.delivery_key, new.fact_key]).flatten());
                }
                Write::Settle { id, .. } => settled.push(*id),
                Write::ReleaseOverdue { .. }
                | Write::Prune { .. }
                | Write::Discard { .. }
                | Write::BoundDeadLetters { .. }
                | Write::SetUser { .. }
                | Write::Probe => {}
            }
        }
        if !keys.is_empty() {
            let keys: Vec<Binary> = keys.iter().map(|key| documents::binary(key)).collect();
            self.seen = self.tx.seen(keys).await?;
        }
        if !settled.is_empty() {
            let rows = self.tx.screenings(doc! { "notification": { "$in": settled } }).await?;
            rows.into_iter().for_each(|row| self.know(row));
        }
        Ok(())
    }

    async fn write(&mut self, write: &Write) -> Result<Written, Failure> {
        match write {
            Write::Receive(receive) => self.receive(receive, None).await.map(Written::Received),
            Write::Settle { id, at, results } => self.settle(*id, *at, results).map(Written::Settled),
            Write::ReleaseOverdue { received_before, at, results, limit } => {
                self.release_overdue(*received_before, *at, results, *limit).await.map(Written::Released)
            }
            Write::Prune { before, limit } => self.prune(*before, *limit).await.map(Written::Pruned),
            Write::Retry { seq, receive } => self.retry(*seq, receive).await.map(Written::Retried),
            Write::Discard { letters, limit } => {
                self.discard(*letters.start(), *letters.end(), *limit).await.map(Written::Discarded)
            }
            Write::BoundDeadLetters { letters, bytes, limit } => {
                self.bound_dead_letters(*letters, *bytes, *limit).await.map(Written::Discarded)
            }
            Write::SetUser { user, known } => self.tx.set_user(user, *known).await.map(Written::UserSet),
            Write::Probe => Ok(Written::Probed),
        }
    }

    /// Gives the next place in the log.
    pub(super) fn append(&mut self, new: Appended) -> Result<(), StoreError> {
        let Appended { id, kind, owner, at, payload, body, keys } = new;
        documents::fits("message", Some(id), payload.len())?;
        let span = &mut self.counters.span;
        let n = span.newest.map_or(0, |newest| newest.n) + 1;
        let position = Position { epoch: span.epoch, n, tag: Tag::of(&payload) };
        span.newest = Some(position);
        span.oldest = span.oldest.or(Some(position));
        let Place { n, tag } = Place::of(position);
        let code = if kind == Kind::Notification { NOTIFICATION } else { UPDATE };
        let row = EntryDocument {
            n,
            kind: code,
            tag,
            at: date(at),
            notification: id,
            owner: owner.clone(),
            payload: payload.clone(),
            body,
            keys,
        };
        self.pending.entries.push((self.write, row));
        self.entries.push(Entry { position, kind, notification_id: id, owner, payload });
        Ok(())
    }

    /// Opens a screening; `row` is whole but for its number and its subject.
    pub(super) fn open_screening(&mut self, row: ScreeningDocument, subject: &Subject) -> Result<(), StoreError> {
        let unreadable = |error: serde_json::Error| StoreError::Refused(format!("a vessel cannot be written: {error}"));
        let subject = serde_json::to_string(subject).map_err(unreadable)?;
        documents::fits("message", Some(row.notification), row.payload.len() + subject.len())?;
        self.counters.screenings += 1;
        self.screenings_opened = true;
        let row = ScreeningDocument { seq: self.counters.screenings, subject, ..row };
        self.open.insert(row.notification, Some(Open { row, kept: Kept::Not, write: self.write }));
        Ok(())
    }

    /// Whether its screening is open, as far as this commit has come; none where the collection must be asked.
    pub(super) fn is_open(&self, id: NotificationId) -> Option<bool> {
        self.open.get(&id).map(Option::is_some)
    }

    /// The screening of this notification, which is settled by that.
    pub(super) fn close_screening(&mut self, id: NotificationId) -> Option<ScreeningDocument> {
        let Open { row, kept, .. } = self.open.get_mut(&id)?.take()?;
        if kept != Kept::Not {
            self.pending.settled.push(row.seq);
        }
        Some(row)
    }

    /// The notification of this screening, as the collection has it, is held back no longer.
    pub(super) fn let_go(&mut self, row: ScreeningDocument) {
        let row = ScreeningDocument { waits: false, ..row };
        self.open.insert(row.notification, Some(Open { row, kept: Kept::Before, write: self.write }));
    }

    /// A screening as the collection has it.
    pub(super) fn know(&mut self, row: ScreeningDocument) {
        self.open.insert(row.notification, Some(Open { row, kept: Kept::AsItIs, write: self.write }));
    }

    pub(super) fn keep_body(&mut self, body: BodyDocument) {
        self.pending.bodies.push((self.write, body));
    }

    pub(super) fn keep_retold(&mut self, retold: RetoldDocument) {
        self.pending.retold.push((self.write, retold));
    }

    pub(super) fn bury(&mut self, letter: LetterDocument) {
        self.counters.letters += 1;
        self.pending.letters.push((self.write, LetterDocument { seq: self.counters.letters, ..letter }));
    }

    /// Sends what was worked out so far, so that what is asked next is answered with it.
    pub(super) async fn flush(&mut self) -> Result<(), Failure> {
        let Pending { bodies, entries, retold, letters, settled } = std::mem::take(&mut self.pending);
        let mut opened: Vec<(usize, ScreeningDocument)> = Vec::new();
        let mut let_go = Vec::new();
        for open in self.open.values_mut().flatten() {
            match open.kept {
                Kept::Not => opened.push((open.write, open.row.clone())),
                Kept::Before => let_go.push(open.row.seq),
                Kept::AsItIs => {}
            }
            open.kept = Kept::AsItIs;
        }
        let more = bound(opened.len()) - bound(settled.len());
        self.counters.open = self.counters.open.map(|open| open + more);
        opened.sort_unstable_by_key(|(_, row)| row.seq);
        let collections = self.tx.collections.clone();
        self.tx.insert(&collections.body, bodies).await?;
        self.tx.insert(&collections.log, entries).await?;
        self.tx.insert(&collections.retold, retold).await?;
        self.tx.insert(&collections.dead_letter, letters).await?;
        self.tx.delete(&collections.screening, settled).await?;
        self.tx.insert(&collections.screening, opened).await?;
        self.tx.let_go(let_go).await
    }
}
