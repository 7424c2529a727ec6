//! One transaction: the calls that a draft makes in it, and what their failures mean for it.

use std::{collections::HashMap, fmt::Debug, time::Duration};

use mongodb::{
    ClientSession, Collection,
    bson::{Binary, Document, doc, oid::ObjectId},
    error::{Error, ErrorKind, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT},
    options::{FindOptions, ReturnDocument},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::time::{Instant, sleep};

use super::{
    connect::{Collections, begin},
    documents::{Counters, META, Meta, Place, ScreeningDocument, key},
    error::duplicate,
};
use crate::{
    notification::NotificationId,
    store::{Key, StoreError},
};

/// The wait before it is asked again whether a commit is durable.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// Why a transaction came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// One write cannot be made, now or later; the others can, without it.
    Refused(usize, String),
    /// It met another one, or the primary has changed: the same may work at once.
    Transient(Error),
    /// Another node has committed in between.
    Passed,
    /// The store does not work.
    Store(StoreError),
}

impl Failure {
    /// With the index of the write in which it happened.
    pub fn of_write(self, index: usize) -> Self {
        match self {
            Self::Store(StoreError::Refused(reason)) => Self::Refused(index, reason),
            other => other,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        // Where no primary was found within the time for that, trying again at once would only make the sender wait.
        let away = matches!(*error.kind, ErrorKind::ServerSelection { .. });
        if !away && error.contains_label(TRANSIENT_TRANSACTION_ERROR) {
            Self::Transient(error)
        } else {
            Self::Store(error.into())
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A transaction under way. Dropped without a commit it is taken back.
pub(super) struct Transaction {
    pub collections: Collections,
    pub(super) session: ClientSession,
    /// The number of the commit that it is thought to follow, where it has not met the others at its begin.
    behind: Option<i64>,
}

/// The keys of a notification.
#[derive(Debug, Deserialize)]
struct Keys {
    notification: ObjectId,
    keys: Vec<Binary>,
}

impl Transaction {
    /// Begins, and meets every other commit: all of them change the one document that is read here, as it was before.
    pub async fn begin(collections: &Collections) -> Result<(Self, Meta), Failure> {
        let mut session = collections.session().await?;
        begin(&mut session).await?;
        let touched = collections
            .meta
            .find_one_and_update(doc! { "_id": META }, doc! { "$inc": { "commits": 1_i64 } })
            .return_document(ReturnDocument::Before)
            .session(&mut session)
            .await?;
        let gone = || StoreError::Unavailable("MongoDB: the counters of the log are gone".into());
        Ok((Self { collections: collections.clone(), session, behind: None }, touched.ok_or_else(gone)?))
    }

    /// Begins behind this commit without a look whether it is the newest, which [`Self::count`] finds out.
    pub async fn begin_behind(collections: &Collections, commit: i64) -> Result<Self, Failure> {
        let mut session = collections.session().await?;
        begin(&mut session).await?;
        Ok(Self { collections: collections.clone(), session, behind: Some(commit) })
    }

    /// Makes it durable. Where it cannot be known whether it is, this asks again until the deadline.
    pub async fn commit(&mut self, deadline: Instant) -> Result<(), Failure> {
        loop {
            match self.session.commit_transaction().await {
                Ok(()) => return Ok(()),
                Err(error) if !error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) => return Err(error.into()),
                Err(_) if Instant::now() >= deadline => {
                    return Err(StoreError::Unavailable("MongoDB does not say whether a commit is durable".into()).into());
                }
                Err(_) => sleep(ASK_AGAIN).await,
            }
        }
    }

    /// Takes it back, so that its locks are free at once.
    pub async fn abort(mut self) {
        // What cannot be told the server is taken back by it when the transaction has become too old.
        let _ = self.session.abort_transaction().await;
    }

    /// Raises the counters to what they are behind this commit.
    pub async fn count(&mut self, counters: Counters) -> Result<(), Failure> {
        let Counters { commits, span, screenings, letters, open } = counters;
        let place = |position| mongodb::bson::to_bson(&Option::map(position, Place::of)).unwrap_or_default();
        self.change_meta(doc! { "$set": {
            "commits": commits,
            "oldest": place(span.oldest),
            "newest": place(span.newest),
            "screenings": screenings,
            "letters": letters,
            "open": open,
        } })
        .await
    }

    /// Changes the counting document.
    pub async fn change_meta(&mut self, change: Document) -> Result<(), Failure> {
        let meta = self.collections.meta.clone();
        let mut filter = doc! { "_id": META };
        if let Some(commit) = self.behind {
            filter.insert("commits", commit);
        }
        let changed = meta.update_one(filter, change).session(&mut self.session).await?;
        if changed.matched_count == 0 { Err(Failure::Passed) } else { Ok(()) }
    }

    /// How many screenings are open.
    pub async fn count_open(&mut self) -> Result<i64, Failure> {
        let screening = self.collections.screening.clone();
        let open = screening.count_documents(doc! {}).session(&mut self.session).await?;
        Ok(i64::try_from(open).unwrap_or(i64::MAX))
    }

    /// Whose each of these keys is.
    pub async fn seen(&mut self, keys: Vec<Binary>) -> Result<HashMap<Key, NotificationId>, Failure> {
        let (log, screening) = (self.collections.log.clone_with_type(), self.collections.screening.clone_with_type());
        let filter = doc! { "keys": { "$in": keys } };
        let mut seen = HashMap::new();
        for collection in [log, screening] {
            let found: Vec<Keys> = self.find(&collection, filter.clone(), only(&["notification", "keys"])).await?;
            for Keys { notification, keys } in found {
                seen.extend(keys.iter().filter_map(key).map(|key| (key, notification)));
            }
        }
        Ok(seen)
    }

    /// Open screenings.
    pub async fn screenings(&mut self, filter: Document) -> Result<Vec<ScreeningDocument>, Failure> {
        let screening = self.collections.screening.clone();
        self.find(&screening, filter, FindOptions::default()).await
    }

    /// Everything that a filter finds.
    pub async fn find<T>(&mut self, collection: &Collection<T>, filter: Document, options: FindOptions) -> Result<Vec<T>, Failure>
    where
        T: DeserializeOwned + Send + Sync + Unpin + Debug,
    {
        self.find_while(collection, filter, options, |_| true).await
    }

    /// What a filter finds, up to and without the first that is not wanted.
    pub async fn find_while<T>(
        &mut self,
        collection: &Collection<T>,
        filter: Document,
        options: FindOptions,
        mut wanted: impl FnMut(&T) -> bool,
    ) -> Result<Vec<T>, Failure>
    where
        T: DeserializeOwned + Send + Sync + Unpin + Debug,
    {
        let mut cursor = collection.find(filter).with_options(options).session(&mut self.session).await?;
        let mut found = Vec::new();
        while let Some(next) = cursor.next(&mut self.session).await {
            let next = next?;
            if !wanted(&next) {
                break;
            }
            found.push(next);
        }
        Ok(found)
    }

    /// Inserts documents, each with the index of the write that it belongs to.
    pub async fn insert<T: Serialize + Send + Sync>(
        &mut self,
        collection: &Collection<T>,
        documents: Vec<(usize, T)>,
    ) -> Result<(), Failure> {
        if documents.is_empty() {
            return Ok(());
        }
        let (writes, documents): (Vec<usize>, Vec<T>) = documents.into_iter().unzip();
        match collection.insert_many(&documents).session(&mut self.session).await {
            Ok(_) => Ok(()),
            Err(error) => match duplicate(&error).and_then(|index| writes.get(index)) {
                Some(write) => Err(Failure::Refused(*write, format!("what it would write is there already: {}", error.kind))),
                None => Err(error.into()),
            },
        }
    }

    /// Deletes the documents with these ids.
    pub async fn delete<T: Send + Sync, I>(&mut self, collection: &Collection<T>, ids: Vec<I>) -> Result<(), Failure>
    where
        mongodb::bson::Bson: From<I>,
    {
        if !ids.is_empty() {
            collection.delete_many(doc! { "_id": { "$in": ids } }).session(&mut self.session).await?;
        }
        Ok(())
    }

    /// Deletes what a filter finds.
    pub async fn delete_all<T: Send + Sync>(&mut self, collection: &Collection<T>, filter: Document) -> Result<(), Failure> {
        collection.delete_many(filter).session(&mut self.session).await?;
        Ok(())
    }

    /// The notifications of these screenings are held back no longer.
    pub async fn let_go(&mut self, seqs: Vec<i64>) -> Result<(), Failure> {
        if !seqs.is_empty() {
            let screening = self.collections.screening.clone();
            let change = doc! { "$set": { "waits": false } };
            screening.update_many(doc! { "_id": { "$in": seqs } }, change).session(&mut self.session).await?;
        }
        Ok(())
    }
}

/// Only these fields, and the `_id`.
pub(super) fn only(fields: &[&str]) -> FindOptions {
    let projection: Document = fields.iter().map(|field| ((*field).to_owned(), mongodb::bson::Bson::Int32(1))).collect();
    FindOptions::builder().projection(projection).build()
}
