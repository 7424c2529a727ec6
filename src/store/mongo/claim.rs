//! Sharing screenings between nodes: each is taken by one claimant, and by another when that one is dead.
//!
//! Who lives is told by the server's clock, so clocks of nodes that disagree steal nothing. A claim need not be durable: one that is lost
//! costs a second screening, of which the first result counts.

use std::time::Duration;

use futures_util::TryStreamExt;
use mongodb::{
    bson::{Document, doc, oid::ObjectId},
    options::{Acknowledgment, ReadConcern, WriteConcern},
};

use super::{
    connect::Collections,
    documents::{ScreeningDocument, time},
    read::bound,
};
use crate::store::{Backlog, Claimant, OpenScreening, StoreError};

impl Collections {
    /// As [`crate::store::Store::take_screenings`].
    pub async fn take_screenings(
        &self,
        claimant: Claimant,
        limit: usize,
        take_over_after: Duration,
    ) -> Result<Vec<OpenScreening>, StoreError> {
        self.sign_of_life(claimant).await?;
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut taken = self.living(take_over_after).await?;
        taken.push(claimant);
        let free = doc! { "by": { "$nin": taken } };
        let seqs = self.free(free.clone(), limit).await?;
        if seqs.is_empty() {
            return Ok(Vec::new());
        }
        let mut still_free = free;
        still_free.insert("_id", doc! { "$in": &seqs });
        let take = doc! { "$set": { "by": claimant } };
        self.screening.update_many(still_free, take).write_concern(quick()).await?;
        let mine = doc! { "_id": { "$in": seqs }, "by": claimant };
        let mine = self.screening.find(mine).sort(doc! { "_id": 1 }).read_concern(ReadConcern::local()).await?;
        let mine: Vec<ScreeningDocument> = mine.try_collect().await?;
        Ok(mine.iter().filter_map(readable).collect())
    }

    /// As [`crate::store::Store::backlog`].
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        let count = self.screening.count_documents(doc! {}).read_concern(ReadConcern::local()).await?;
        let first = self.screening.find_one(doc! {}).sort(doc! { "_id": 1 }).read_concern(ReadConcern::local()).await?;
        Ok(Backlog { count, oldest: first.map(|first| time(first.received_at)) })
    }

    async fn sign_of_life(&self, claimant: Claimant) -> Result<(), StoreError> {
        let now = vec![doc! { "$set": { "seen_at": "$$NOW" } }];
        self.claimant.update_one(doc! { "_id": claimant }, now).upsert(true).write_concern(quick()).await?;
        Ok(())
    }

    /// Claimants that were seen a short while ago.
    async fn living(&self, take_over_after: Duration) -> Result<Vec<ObjectId>, StoreError> {
        let patience = bound(take_over_after.as_millis());
        let seen = doc! { "$expr": { "$gt": ["$seen_at", { "$subtract": ["$$NOW", patience] }] } };
        let living = self.claimant.find(seen).read_concern(ReadConcern::local()).await?;
        let ids: Vec<Document> = living.try_collect().await?;
        Ok(ids.iter().filter_map(|claimant| claimant.get_object_id("_id").ok()).collect())
    }

    async fn free(&self, free: Document, limit: usize) -> Result<Vec<i64>, StoreError> {
        let rows = self.screening.clone_with_type::<Document>();
        let found = rows.find(free).projection(doc! { "_id": 1 }).sort(doc! { "_id": 1 }).limit(bound(limit));
        let found: Vec<Document> = found.read_concern(ReadConcern::local()).await?.try_collect().await?;
        Ok(found.iter().filter_map(|row| row.get_i64("_id").ok()).collect())
    }

    /// An error where a server runs on this log: a transfer would miss what it writes, or meet it.
    pub async fn require_no_server(&self, take_over_after: Duration) -> Result<(), StoreError> {
        let servers = self.living(take_over_after).await?.len();
        if servers == 0 {
            return Ok(());
        }
        let patience = humantime::format_duration(take_over_after);
        let name = self.name();
        let reason =
            format!("{servers} running servers use {name}; stop all of them first (one that was killed counts for {patience})");
        Err(StoreError::Unavailable(reason))
    }

    /// What this claimant had taken is free at once.
    pub async fn release_claims(&self, claimant: Claimant) -> Result<(), StoreError> {
        self.claimant.delete_one(doc! { "_id": claimant }).await?;
        Ok(())
    }
}

/// Passed over where it cannot be read, so that those behind it are screened; it is released as pending all the same.
fn readable(row: &ScreeningDocument) -> Option<OpenScreening> {
    row.open()
        .inspect_err(|error| {
            log::error!(target: "notifications", "event=open_screening_skipped error={:?}", error.to_string());
        })
        .ok()
}

fn quick() -> WriteConcern {
    WriteConcern::builder().w(Acknowledgment::Nodes(1)).build()
}
