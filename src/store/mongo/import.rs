//! Writing an export into an empty log. While that is under way a mark in the counting document keeps servers away.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures_util::future::{FutureExt, LocalBoxFuture};
use mongodb::{
    bson::{Binary, Document, doc, oid::ObjectId},
    options::FindOptions,
};
use tokio::time::{Instant, sleep};

use super::{
    connect::Collections,
    documents::{
        BodyDocument, Counters, EntryDocument, ImportMark, LetterDocument, Meta, NOTIFICATION, RetoldDocument, ScreeningDocument,
        UPDATE, UserDocument, binary, date, fits, key,
    },
    read::bound,
    transaction::{Failure, Transaction, only},
    writer::LONGEST_PAUSE,
};
use crate::{
    config,
    notification::NotificationId,
    store::{
        Span, StoreError,
        transfer::{Arrival, Entry, Header, Letter, Mark, Notification, Record, Retold, Screening, Target, User, WriteError},
    },
};

/// A log that is being imported into.
pub struct MongoTarget {
    collections: Collections,
    timeout: Duration,
    take_over_after: Duration,
    /// How far this import has come: another that came further or less far is another.
    mark: Option<Mark>,
}

/// What one transaction does.
#[derive(Clone, Copy)]
enum Step<'s> {
    Begin(&'s Header, Mark),
    Write(&'s [Record], Mark),
    Finish(&'s Header),
}

impl MongoTarget {
    /// Connects, and makes what is missing there, while no server uses it.
    pub async fn open(config: &config::Store, cluster: &config::Cluster) -> Result<Self, StoreError> {
        let collections = Collections::connect(config).await?;
        collections.meta().await?;
        Ok(Self { collections, timeout: config.timeout, take_over_after: cluster.take_over_after, mark: None })
    }

    /// Takes a step in a transaction of its own. Each meets every commit of every server, and a server that began before the mark
    /// was there shows by its claims.
    async fn take(&mut self, step: Step<'_>) -> Result<Option<Mark>, Failure> {
        self.collections.require_no_server(self.take_over_after).await?;
        let deadline = Instant::now() + self.timeout;
        loop {
            match self.attempt(step, deadline).await {
                Err(Failure::Transient(_)) if Instant::now() < deadline => sleep(LONGEST_PAUSE.mul_f64(fastrand::f64())).await,
                done => {
                    self.mark = done?;
                    return Ok(self.mark);
                }
            }
        }
    }

    async fn attempt(&self, step: Step<'_>, deadline: Instant) -> Result<Option<Mark>, Failure> {
        let (mut tx, meta) = Transaction::begin(&self.collections).await?;
        let done = match step {
            Step::Begin(header, first) => begin(&mut tx, &meta, header, first).await,
            _ if mark_of(&meta) != self.mark => Err(StoreError::Unavailable("another import into it is under way".into()).into()),
            Step::Write(records, mark) => write(&mut tx, records, mark).await,
            Step::Finish(header) => finish(&mut tx, meta.commits, header).await,
        };
        match done {
            Ok(mark) => tx.commit(deadline).await.map(|()| mark),
            Err(failure) => {
                tx.abort().await;
                Err(failure)
            }
        }
    }
}

impl Target for MongoTarget {
    fn begin(&mut self, header: &Header, first: Mark) -> LocalBoxFuture<'_, Result<Option<Mark>, StoreError>> {
        let header = header.clone();
        async move { self.take(Step::Begin(&header, first)).await.map_err(store_error) }.boxed_local()
    }

    fn write(&mut self, records: Vec<Record>, mark: Mark) -> LocalBoxFuture<'_, Result<(), WriteError>> {
        async move {
            let written = self.take(Step::Write(&records, mark)).await;
            written.map(drop).map_err(|failure| match failure {
                Failure::Refused(index, reason) => WriteError::Record(index, reason),
                other => WriteError::Store(store_error(other)),
            })
        }
        .boxed_local()
    }

    fn finish(&mut self, header: &Header) -> LocalBoxFuture<'_, Result<(), StoreError>> {
        let header = header.clone();
        async move { self.take(Step::Finish(&header)).await.map(drop).map_err(store_error) }.boxed_local()
    }
}

fn store_error(failure: Failure) -> StoreError {
    match failure {
        Failure::Refused(_, reason) => StoreError::Refused(reason),
        Failure::Transient(error) => error.into(),
        Failure::Passed => StoreError::Unavailable("another server has committed in between".into()),
        Failure::Store(error) => error,
    }
}

fn mark_of(meta: &Meta) -> Option<Mark> {
    let ImportMark { lines, digest } = meta.import.as_ref()?;
    Some(Mark { lines: *lines as u64, digest: key(digest)? })
}

fn document_of(mark: Mark) -> Document {
    doc! { "lines": bound(mark.lines), "digest": binary(&mark.digest) }
}

async fn begin(tx: &mut Transaction, meta: &Meta, header: &Header, first: Mark) -> Result<Option<Mark>, Failure> {
    if let Some(mark) = mark_of(meta) {
        return Ok(Some(mark));
    }
    // Whatever was ever kept has left an entry, which the newest stays, or a body; but for users.
    let (bodies, users) = (tx.collections.body.clone_with_type::<Document>(), tx.collections.user.clone_with_type::<Document>());
    let mut any = only(&["_id"]);
    any.limit = Some(1);
    let holds_something = meta.newest.is_some()
        || !tx.find(&bodies, doc! {}, any.clone()).await?.is_empty()
        || !tx.find(&users, doc! {}, any).await?.is_empty();
    if holds_something {
        return Ok(None);
    }
    tx.change_meta(doc! { "$set": { "epoch": i64::from(header.epoch.0), "import": document_of(first) } }).await?;
    Ok(Some(first))
}

async fn finish(tx: &mut Transaction, commits: i64, header: &Header) -> Result<Option<Mark>, Failure> {
    let Header { epoch, oldest, newest, last_screening, last_dead_letter, last_user, .. } = *header;
    let span = Span { epoch, oldest, newest };
    tx.count(Counters { commits: commits + 1, span, screenings: last_screening, letters: last_dead_letter, open: None }).await?;
    tx.change_meta(doc! { "$set": { "users": last_user }, "$unset": { "import": "" } }).await?;
    Ok(None)
}

async fn write(tx: &mut Transaction, records: &[Record], mark: Mark) -> Result<Option<Mark>, Failure> {
    let mut new = Documents::default();
    for (index, record) in records.iter().enumerate() {
        new.add(index, record).map_err(|error| Failure::from(error).of_write(index))?;
    }
    let collections = tx.collections.clone();
    tx.insert(&collections.body, new.bodies).await?;
    require_bodies(tx, &new.named).await?;
    tx.insert(&collections.log, new.entries).await?;
    fill_in_released(tx, &mut new.screenings).await?;
    tx.insert(&collections.screening, new.screenings).await?;
    tx.insert(&collections.retold, new.retold).await?;
    tx.insert(&collections.dead_letter, new.letters).await?;
    tx.insert(&collections.user, new.users).await?;
    tx.change_meta(doc! { "$set": { "import": document_of(mark) } }).await?;
    Ok(Some(mark))
}

/// What records come to, each document with the index of its record.
#[derive(Default)]
struct Documents {
    bodies: Vec<(usize, BodyDocument)>,
    entries: Vec<(usize, EntryDocument)>,
    screenings: Vec<(usize, ScreeningDocument)>,
    retold: Vec<(usize, RetoldDocument)>,
    letters: Vec<(usize, LetterDocument)>,
    users: Vec<(usize, UserDocument)>,
    /// Bodies that must be there, and the first record that names each.
    named: HashMap<ObjectId, usize>,
}

impl Documents {
    fn add(&mut self, index: usize, record: &Record) -> Result<(), StoreError> {
        match record {
            Record::Body(body) => {
                fits("body", None, body.bytes.len())?;
                let (received_at, bytes) = (date(body.received_at), binary(&body.bytes));
                self.bodies.push((index, BodyDocument { id: body.id, received_at, bytes }));
            }
            Record::Notification(Notification { entry, arrival }) => {
                let (body, keys) = self.arrival(index, arrival)?;
                self.entries.push((index, EntryDocument { body: Some(body), keys, ..entry_document(NOTIFICATION, entry)? }));
            }
            Record::Update(entry) => self.entries.push((index, entry_document(UPDATE, entry)?)),
            Record::Screening(screening) => {
                let document = self.screening(index, screening)?;
                self.screenings.push((index, document));
            }
            Record::Retold(Retold { notification, body }) => {
                self.named.entry(*body).or_insert(index);
                self.retold.push((index, RetoldDocument { notification: *notification, body: *body }));
            }
            Record::DeadLetter(Letter { seq, received_at, item, reason, detail, body, body_bytes }) => {
                self.named.entry(*body).or_insert(index);
                let letter = LetterDocument {
                    seq: *seq,
                    received_at: date(*received_at),
                    item: item.map(i64::from),
                    reason: reason.clone(),
                    detail: detail.clone(),
                    body: *body,
                    body_bytes: bound(*body_bytes),
                };
                self.letters.push((index, letter));
            }
            Record::User(User { seq, id }) => self.users.push((index, UserDocument { id: id.as_str().into(), seq: *seq })),
        }
        Ok(())
    }

    fn arrival(&mut self, index: usize, arrival: &Arrival) -> Result<(ObjectId, Vec<Binary>), StoreError> {
        if arrival.keys.len() > 2 {
            return Err(StoreError::Refused("arrival.keys: a notification has two keys at most".into()));
        }
        self.named.entry(arrival.body).or_insert(index);
        Ok((arrival.body, arrival.keys.iter().map(|key| binary(key)).collect()))
    }

    /// Owner and payload of one that is released are filled in later.
    fn screening(&mut self, index: usize, screening: &Screening) -> Result<ScreeningDocument, StoreError> {
        let Screening { seq, notification, received_at, subject, waiting } = screening;
        let mut document = ScreeningDocument {
            seq: *seq,
            notification: *notification,
            received_at: date(*received_at),
            subject: subject.clone(),
            owner: None,
            payload: "".into(),
            waits: false,
            body: None,
            keys: Vec::new(),
        };
        if let Some(waiting) = waiting {
            fits("message", Some(*notification), waiting.payload.len() + subject.len())?;
            let (body, keys) = self.arrival(index, &waiting.arrival)?;
            let (owner, payload) = (waiting.owner.as_deref().map(Arc::from), waiting.payload.as_str().into());
            document = ScreeningDocument { owner, payload, waits: true, body: Some(body), keys, ..document };
        }
        Ok(document)
    }
}

/// Without body and keys.
fn entry_document(kind: i32, entry: &Entry) -> Result<EntryDocument, StoreError> {
    let Entry { n, tag, at, notification, owner, payload } = entry;
    fits("message", Some(*notification), payload.len())?;
    Ok(EntryDocument {
        n: bound(*n),
        kind,
        tag: tag.0.into(),
        at: date(*at),
        notification: *notification,
        owner: owner.as_deref().map(Arc::from),
        payload: payload.as_str().into(),
        body: None,
        keys: Vec::new(),
    })
}

async fn require_bodies(tx: &mut Transaction, named: &HashMap<ObjectId, usize>) -> Result<(), Failure> {
    if named.is_empty() {
        return Ok(());
    }
    let bodies = tx.collections.body.clone_with_type::<Document>();
    let filter = doc! { "_id": { "$in": named.keys().copied().collect::<Vec<_>>() } };
    let there = tx.find(&bodies, filter, only(&["_id"])).await?;
    let there: HashSet<ObjectId> = there.iter().filter_map(|body| body.get_object_id("_id").ok()).collect();
    match named.iter().filter(|(id, _)| !there.contains(*id)).min_by_key(|(_, index)| **index) {
        Some((id, index)) => Err(Failure::Refused(*index, format!("body: no body before is {id}"))),
        None => Ok(()),
    }
}

/// A screening holds its notification also when that is in the log.
async fn fill_in_released(tx: &mut Transaction, screenings: &mut [(usize, ScreeningDocument)]) -> Result<(), Failure> {
    let released: Vec<NotificationId> =
        screenings.iter().filter(|(_, screening)| !screening.waits).map(|(_, screening)| screening.notification).collect();
    if released.is_empty() {
        return Ok(());
    }
    let log = tx.collections.log.clone();
    let filter = doc! { "notification": { "$in": released }, "kind": NOTIFICATION };
    let entries = tx.find(&log, filter, FindOptions::default()).await?;
    let mut entries: HashMap<NotificationId, EntryDocument> =
        entries.into_iter().map(|entry| (entry.notification, entry)).collect();
    for (index, screening) in screenings.iter_mut().filter(|(_, screening)| !screening.waits) {
        let id = screening.notification;
        let Some(entry) = entries.remove(&id) else {
            return Err(Failure::Refused(*index, format!("screening.notification: no entry before is {id}")));
        };
        (screening.owner, screening.payload) = (entry.owner, entry.payload);
    }
    Ok(())
}
