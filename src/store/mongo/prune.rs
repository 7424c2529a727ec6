//! Retention: removes the oldest entries with everything that only they needed.
//!
//! The log stays without a hole, so pruning stops at the first entry that has to stay.

use std::collections::HashSet;

use mongodb::{
    bson::{DateTime, Document, doc, oid::ObjectId},
    options::FindOptions,
};
use serde::Deserialize;

use super::{
    documents::{NOTIFICATION, RetoldDocument, date},
    draft::Draft,
    read::bound,
    transaction::{Failure, only},
};
use crate::notification::Timestamp;

/// What pruning must know of an entry.
#[derive(Debug, Deserialize)]
struct Doomed {
    #[serde(rename = "_id")]
    n: i64,
    kind: i32,
    at: DateTime,
    notification: ObjectId,
    body: Option<ObjectId>,
}

/// Where a body is mentioned.
#[derive(Debug, Deserialize)]
struct Mention {
    body: ObjectId,
}

impl Draft<'_> {
    /// Removes entries, then dead letters, of before this time; at most `limit` together.
    pub(super) async fn prune(&mut self, before: Timestamp, limit: usize) -> Result<usize, Failure> {
        if limit == 0 {
            return Ok(0);
        }
        self.flush().await?;
        let collections = self.tx.collections.clone();
        let mut bodies = HashSet::new();
        let doomed = self.doomed(before, limit).await?;
        if !doomed.is_empty() {
            self.tx.delete(&collections.log, doomed.iter().map(|entry| entry.n).collect()).await?;
            let gone: Vec<ObjectId> =
                doomed.iter().filter(|entry| entry.kind == NOTIFICATION).map(|entry| entry.notification).collect();
            self.seen.retain(|_, id| !gone.contains(id));
            let retold = doc! { "notification": { "$in": gone } };
            let told: Vec<RetoldDocument> = self.tx.find(&collections.retold, retold.clone(), FindOptions::default()).await?;
            self.tx.delete_all(&collections.retold, retold).await?;
            bodies.extend(doomed.iter().filter_map(|entry| entry.body).chain(told.iter().map(|told| told.body)));
            let first = FindOptions::builder().sort(doc! { "_id": 1 }).limit(1).build();
            let first = self.tx.find(&collections.log, doc! {}, first).await?.pop();
            let epoch = self.counters.span.epoch;
            self.counters.span.oldest = first.map(|first| first.entry(epoch).position);
        }
        let (letters, of_letters) = self.prune_dead_letters(before, limit - doomed.len()).await?;
        bodies.extend(of_letters);
        self.drop_bodies(bodies).await?;
        Ok(doomed.len() + letters)
    }

    /// The run of oldest entries that may go: committed before, not the newest, screening not open.
    async fn doomed(&mut self, before: Timestamp, limit: usize) -> Result<Vec<Doomed>, Failure> {
        let Some(newest) = self.counters.span.newest else { return Ok(Vec::new()) };
        let mut oldest_first = only(&["kind", "at", "notification", "body"]);
        oldest_first.sort = Some(doc! { "_id": 1 });
        oldest_first.limit = Some(bound(limit));
        let log = self.tx.collections.log.clone_with_type::<Doomed>();
        let older = doc! { "_id": { "$lt": newest.n as i64 } };
        let before = date(before);
        let mut doomed = self.tx.find_while(&log, older, oldest_first, |entry| entry.at < before).await?;
        let ids: Vec<ObjectId> = doomed.iter().map(|entry| entry.notification).collect();
        if !ids.is_empty() {
            let open = self.tx.screenings(doc! { "notification": { "$in": ids } }).await?;
            let open: HashSet<ObjectId> = open.into_iter().map(|row| row.notification).collect();
            doomed.truncate(doomed.iter().take_while(|entry| !open.contains(&entry.notification)).count());
        }
        Ok(doomed)
    }

    /// Removes bodies of which nothing is there any more.
    pub(super) async fn drop_bodies(&mut self, mut bodies: HashSet<ObjectId>) -> Result<(), Failure> {
        if bodies.is_empty() {
            return Ok(());
        }
        let collections = self.tx.collections.clone();
        let mentioned: Document = doc! { "body": { "$in": bodies.iter().copied().collect::<Vec<_>>() } };
        let sources = [
            collections.log.clone_with_type::<Mention>(),
            collections.screening.clone_with_type(),
            collections.retold.clone_with_type(),
            collections.dead_letter.clone_with_type(),
        ];
        for source in sources {
            let mentions = self.tx.find(&source, mentioned.clone(), only(&["body"])).await?;
            mentions.iter().for_each(|mention| _ = bodies.remove(&mention.body));
        }
        self.tx.delete(&collections.body, bodies.into_iter().collect()).await
    }
}
