//! What is asked of the log: only what a majority has on disk is seen, so nothing that was shown can be taken back.

use std::{collections::HashMap, sync::Arc};

use futures_util::TryStreamExt;
use mongodb::{
    Cursor,
    bson::{doc, oid::ObjectId},
    options::Hint,
};

use super::{
    connect::Collections,
    documents::{EntryDocument, NOTIFICATION, UPDATE},
};
use crate::{
    notification::{NotificationId, entry::Entry, message, position::Epoch},
    store::{From, HistoryPage, HistoryQuery, PAGE_BYTES, StoreError},
};

impl Collections {
    /// As [`crate::store::Store::read_log`].
    pub async fn read_log(&self, epoch: Epoch, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let behind = doc! { "_id": { "$gt": bound(after) } };
        let cursor = self.log.find(behind).sort(doc! { "_id": 1 }).limit(bound(limit)).await?;
        Ok(page(cursor, epoch, limit).await?.0)
    }

    /// As [`crate::store::Store::history`].
    pub async fn history(&self, epoch: Epoch, query: &HistoryQuery) -> Result<HistoryPage, StoreError> {
        // Looked up first: the page may see more, never less.
        let newest = self.look().await?.span().newest;
        let (side, edge, order) = match query.from {
            From::Newest => ("$lte", u64::MAX, -1),
            From::Before(n) => ("$lt", n, -1),
            From::After(n) => ("$gt", n, 1),
        };
        let mut filter = doc! { "kind": NOTIFICATION, "_id": { side: bound(edge) } };
        let mut index = doc! { "_id": 1 };
        if let Some(owner) = &query.owner {
            filter.insert("owner", &**owner);
            index = doc! { "owner": 1, "_id": 1 };
        }
        let one_more = bound(query.limit.saturating_add(1));
        let found = self.log.find(filter).sort(doc! { "_id": order }).hint(Hint::Keys(index)).limit(one_more).await?;
        let (entries, more) = page(found, epoch, query.limit).await?;
        Ok(HistoryPage { entries: self.with_newest(entries).await?, more, newest })
    }

    /// As [`crate::store::Store::notification`].
    pub async fn notification(&self, epoch: Epoch, id: NotificationId) -> Result<Option<Entry>, StoreError> {
        let found = self.log.find_one(doc! { "notification": id, "kind": NOTIFICATION }).await?;
        Ok(self.with_newest(found.into_iter().map(|found| found.entry(epoch)).collect()).await?.pop())
    }

    /// Each notification at its own position, with what is known by now. A payload that cannot be read is shown as it was streamed.
    async fn with_newest(&self, mut entries: Vec<Entry>) -> Result<Vec<Entry>, StoreError> {
        let ids: Vec<ObjectId> = entries.iter().map(|entry| entry.notification_id).collect();
        if ids.is_empty() {
            return Ok(entries);
        }
        let updates = self.log.find(doc! { "notification": { "$in": ids }, "kind": UPDATE }).await?;
        let updates: HashMap<ObjectId, Arc<str>> =
            updates.map_ok(|update| (update.notification, update.payload)).try_collect().await?;
        for entry in &mut entries {
            let Some(update) = updates.get(&entry.notification_id) else { continue };
            if let Some(payload) = message::with_results_of(&entry.payload, update) {
                entry.payload = payload.into();
            }
        }
        Ok(entries)
    }
}

/// Up to `limit` entries and [`PAGE_BYTES`], the first of any size, and whether there were more.
async fn page(mut found: Cursor<EntryDocument>, epoch: Epoch, limit: usize) -> Result<(Vec<Entry>, bool), StoreError> {
    let (mut entries, mut bytes) = (Vec::new(), 0);
    while let Some(next) = found.try_next().await? {
        bytes += next.payload.len();
        if entries.len() == limit || (bytes > PAGE_BYTES && !entries.is_empty()) {
            return Ok((entries, true));
        }
        entries.push(next.entry(epoch));
    }
    Ok((entries, false))
}

/// A count or place for MongoDB, whose integers are signed; nothing real is beyond them.
pub(super) fn bound<N: TryInto<i64>>(count: N) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
