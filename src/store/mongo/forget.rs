//! Forgetting what the audit says of entries that are gone: a bounded number of documents at a time.

use futures_util::TryStreamExt;
use mongodb::{
    Collection,
    bson::{DateTime, Document, doc, oid::ObjectId},
};
use serde::Deserialize;

use super::{audit::OPEN, connect::Collections, documents::date, read::bound};
use crate::{notification::Timestamp, store::StoreError};

#[derive(Debug, Deserialize)]
struct Named {
    #[serde(rename = "_id")]
    id: ObjectId,
}

#[derive(Debug, Deserialize)]
struct Dated {
    at: DateTime,
}

impl Collections {
    /// As [`crate::store::audit::Trail::forget`].
    pub async fn forget(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let log = self.log.clone_with_type::<Dated>();
        let oldest = log.find_one(doc! {}).sort(doc! { "_id": 1 }).projection(doc! { "at": 1 }).await?;
        let before = oldest.map_or(date(before), |oldest| oldest.at.min(date(before)));
        let laps = ids(&self.audit_lap, doc! { "at": { "$lt": before } }, limit).await?;
        let count = laps.len();
        if count > 0 {
            self.audit_lap.delete_many(doc! { "_id": { "$in": laps } }).await?;
        }
        let mut left = limit;
        self.forget_connections(doc! { "ended_at": { "$lt": before } }, &mut left).await?;
        let open = doc! { "sent": OPEN, "opened_at": { "$lt": before } };
        let dead = [
            doc! { "$match": &open },
            doc! { "$group": { "_id": "$relay" } },
            doc! { "$lookup": {
                "from": self.audit_lap.name(), "localField": "_id", "foreignField": "relay", "as": "laps",
                "pipeline": [{ "$limit": 1 }],
            } },
            doc! { "$match": { "laps": [] } },
            doc! { "$project": { "_id": 1 } },
        ];
        let dead = self.audit_connection.aggregate(dead).with_type::<Named>().await?;
        for relay in dead.try_collect::<Vec<_>>().await? {
            let mut lost = open.clone();
            lost.insert("relay", relay.id);
            self.forget_connections(lost, &mut left).await?;
        }
        Ok(count.max(limit - left))
    }

    /// Forgets connections and their marks, at most `left` of each.
    async fn forget_connections(&self, which: Document, left: &mut usize) -> Result<(), StoreError> {
        if *left == 0 {
            return Ok(());
        }
        let gone = ids(&self.audit_connection, which, *left).await?;
        if gone.is_empty() {
            return Ok(());
        }
        let marks = ids(&self.audit_mark, doc! { "connection": { "$in": &gone } }, *left).await?;
        let count = marks.len();
        if count > 0 {
            self.audit_mark.delete_many(doc! { "_id": { "$in": marks } }).await?;
        }
        let more = count == *left;
        *left -= count.max(gone.len());
        if !more {
            self.audit_connection.delete_many(doc! { "_id": { "$in": gone } }).await?;
        }
        Ok(())
    }
}

async fn ids<T: Send + Sync>(from: &Collection<T>, which: Document, limit: usize) -> Result<Vec<ObjectId>, StoreError> {
    let from = from.clone_with_type::<Named>();
    let found = from.find(which).projection(doc! { "_id": 1 }).limit(bound(limit)).await?;
    Ok(found.map_ok(|named| named.id).try_collect().await?)
}
