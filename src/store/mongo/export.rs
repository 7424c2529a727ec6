//! Reading the whole log, for an export, while no server runs on it.

use futures_util::{
    TryStreamExt,
    future::{FutureExt, LocalBoxFuture},
};
use mongodb::{
    Collection,
    bson::{Document, doc},
};
use serde::de::DeserializeOwned;

use super::{
    connect::Collections,
    documents::{
        BodyDocument, EntryDocument, LetterDocument, NOTIFICATION, RetoldDocument, ScreeningDocument, UserDocument, key, time,
    },
    read::bound,
};
use crate::{
    config,
    notification::{entry::Kind, position::Tag},
    store::{
        PAGE_BYTES, Span, StoreError,
        transfer::{
            Arrival, Body, BodyId, Entry, Header, Letter, Place, RECORDS_AT_ONCE, Record, Retold, Screening, Source, Tally, User,
            Waiting,
        },
    },
};

/// A log that is being exported.
pub struct MongoSource {
    collections: Collections,
}

impl MongoSource {
    /// Connects to a log that is there and that no server uses.
    pub async fn open(config: &config::Store, cluster: &config::Cluster) -> Result<Self, StoreError> {
        let (collections, meta) = Collections::existing(config).await?;
        collections.require_finished(&meta)?;
        collections.require_no_server(cluster.take_over_after).await?;
        Ok(Self { collections })
    }

    async fn header(&self) -> Result<Header, StoreError> {
        let collections = &self.collections;
        let meta = collections.look().await?;
        let records = Tally {
            bodies: collections.body.count_documents(doc! {}).await?,
            entries: collections.log.count_documents(doc! {}).await?,
            screenings: collections.screening.count_documents(doc! {}).await?,
            retold: collections.retold.count_documents(doc! {}).await?,
            dead_letters: collections.dead_letter.count_documents(doc! {}).await?,
            users: collections.user.count_documents(doc! {}).await?,
        };
        let Span { epoch, oldest, newest } = meta.span();
        let header = Header::new(epoch, oldest, newest, records);
        Ok(Header { last_screening: meta.screenings, last_dead_letter: meta.letters, last_user: meta.users, ..header })
    }

    async fn page(&self, behind: Place) -> Result<Vec<Record>, StoreError> {
        let Collections { body, log, screening, retold, dead_letter, user, .. } = &self.collections;
        let by_id = doc! { "_id": 1 };
        match behind {
            Place::Body(id) => read(body, doc! { "_id": { "$gt": id } }, by_id, body_of).await,
            Place::Entry(n) => read(log, doc! { "_id": { "$gt": bound(n) } }, by_id, entry_of).await,
            Place::Screening(seq) => read(screening, doc! { "_id": { "$gt": seq } }, by_id, screening_of).await,
            Place::Retold(notification, body) => {
                let same = doc! { "notification": notification, "body": { "$gt": body } };
                let filter = doc! { "$or": [same, { "notification": { "$gt": notification } }] };
                read(retold, filter, doc! { "notification": 1, "body": 1 }, retold_of).await
            }
            Place::DeadLetter(seq) => read(dead_letter, doc! { "_id": { "$gt": seq } }, by_id, letter_of).await,
            Place::User(seq) => read(user, doc! { "seq": { "$gt": seq } }, doc! { "seq": 1 }, user_of).await,
        }
    }
}

impl Source for MongoSource {
    fn header(&mut self) -> LocalBoxFuture<'_, Result<Header, StoreError>> {
        Self::header(self).boxed_local()
    }

    fn page(&mut self, behind: Place) -> LocalBoxFuture<'_, Result<Vec<Record>, StoreError>> {
        Self::page(self, behind).boxed_local()
    }
}

/// One page; a document is read with its size in it.
async fn read<T: DeserializeOwned + Send + Sync>(
    collection: &Collection<T>,
    behind: Document,
    order: Document,
    record_of: impl Fn(T) -> Result<(Record, usize), StoreError>,
) -> Result<Vec<Record>, StoreError> {
    let mut found = collection.find(behind).sort(order).limit(bound(RECORDS_AT_ONCE)).await?;
    let (mut records, mut bytes) = (Vec::new(), 0);
    while bytes < PAGE_BYTES
        && let Some(document) = found.try_next().await?
    {
        let (record, size) = record_of(document)?;
        bytes += size;
        records.push(record);
    }
    Ok(records)
}

fn body_of(document: BodyDocument) -> Result<(Record, usize), StoreError> {
    let BodyDocument { id, received_at, bytes } = document;
    let size = bytes.bytes.len();
    Ok((Record::Body(Body { id, received_at: time(received_at), bytes: bytes.bytes.into() }), size))
}

fn arrival(body: Option<BodyId>, keys: &[mongodb::bson::Binary]) -> Option<Arrival> {
    body.map(|body| Arrival { body, keys: keys.iter().filter_map(key).collect() })
}

fn entry_of(document: EntryDocument) -> Result<(Record, usize), StoreError> {
    let kind = if document.kind == NOTIFICATION { Kind::Notification } else { Kind::Update };
    let arrival = arrival(document.body, &document.keys);
    let entry = Entry {
        n: document.n as u64,
        tag: Tag(document.tag as u32),
        at: time(document.at),
        notification: document.notification,
        owner: document.owner.as_deref().map(str::to_owned),
        payload: document.payload.to_string(),
    };
    let size = entry.payload.len();
    Ok((Record::of_entry(kind, entry, arrival)?, size))
}

fn screening_of(document: ScreeningDocument) -> Result<(Record, usize), StoreError> {
    let ScreeningDocument { seq, notification, received_at, subject, owner, payload, waits, body, keys } = document;
    let size = payload.len();
    let waiting = if waits {
        let owner = owner.as_deref().map(str::to_owned);
        Some(Waiting::of(notification, owner, payload.to_string(), arrival(body, &keys))?)
    } else {
        None
    };
    Ok((Record::Screening(Screening { seq, notification, received_at: time(received_at), subject, waiting }), size))
}

fn retold_of(RetoldDocument { notification, body }: RetoldDocument) -> Result<(Record, usize), StoreError> {
    Ok((Record::Retold(Retold { notification, body }), 0))
}

fn letter_of(document: LetterDocument) -> Result<(Record, usize), StoreError> {
    let LetterDocument { seq, received_at, item, reason, detail, body, body_bytes } = document;
    let (item, body_bytes) = (item.and_then(|item| u32::try_from(item).ok()), body_bytes as u64);
    Ok((Record::DeadLetter(Letter { seq, received_at: time(received_at), item, reason, detail, body, body_bytes }), 0))
}

fn user_of(UserDocument { id, seq }: UserDocument) -> Result<(Record, usize), StoreError> {
    Ok((Record::User(User { seq, id: id.to_string() }), 0))
}
