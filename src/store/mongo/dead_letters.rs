//! Dead letters: listing them, showing one, taking one in again, and what makes them go.
//!
//! A body goes with the last thing of it that is there, so each removal looks whether that was it.

use std::collections::HashSet;

use bytes::Bytes;
use futures_util::TryStreamExt;
use mongodb::bson::{Document, doc, oid::ObjectId};
use serde::Deserialize;

use super::{
    connect::Collections,
    documents::{LetterDocument, date},
    draft::Draft,
    read::bound,
    transaction::{Failure, only},
};
use crate::{
    notification::Timestamp,
    store::{DeadLetter, Kept, Receive, StoreError},
};

/// What removing must know of a dead letter.
#[derive(Debug, Deserialize)]
struct Doomed {
    #[serde(rename = "_id")]
    seq: i64,
    body: ObjectId,
}

/// What counting must know of one.
#[derive(Debug, Deserialize)]
struct Counted {
    #[serde(rename = "_id")]
    seq: i64,
    body: ObjectId,
    body_bytes: i64,
}

impl Collections {
    /// As [`crate::store::Store::dead_letters`].
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let newest_first = self.dead_letter.find(doc! {}).sort(doc! { "_id": -1 }).limit(bound(limit)).await?;
        Ok(newest_first.map_ok(LetterDocument::letter).try_collect().await?)
    }

    /// As [`crate::store::Store::dead_letter`].
    pub async fn dead_letter(&self, seq: i64) -> Result<Option<(DeadLetter, Bytes)>, StoreError> {
        let Some(letter) = self.dead_letter.find_one(doc! { "_id": seq }).await? else { return Ok(None) };
        let body = self.body.find_one(doc! { "_id": letter.body }).await?;
        // None where it went between the two reads.
        Ok(body.map(|body| (letter.letter(), body.bytes.bytes.into())))
    }
}

impl Draft<'_> {
    pub(super) async fn retry(&mut self, seq: i64, receive: &Receive) -> Result<Option<Vec<Kept>>, Failure> {
        let (_, bodies) = self.remove_dead_letters(doc! { "_id": seq }, doc! { "_id": 1 }, 1).await?;
        let Some(body) = bodies.iter().next().copied() else { return Ok(None) };
        let kept = self.receive(receive, Some(body)).await?;
        self.flush().await?;
        self.drop_bodies(bodies).await?;
        Ok(Some(kept))
    }

    /// Removes those of these numbers, the oldest first.
    pub(super) async fn discard(&mut self, first: i64, last: i64, limit: usize) -> Result<usize, Failure> {
        let these = doc! { "_id": { "$gte": first, "$lte": last } };
        let (count, bodies) = self.remove_dead_letters(these, doc! { "_id": 1 }, limit).await?;
        self.drop_bodies(bodies).await?;
        Ok(count)
    }

    /// Removes those of before this time. Their bodies are given back: they may be those of entries that go too.
    pub(super) async fn prune_dead_letters(
        &mut self,
        before: Timestamp,
        limit: usize,
    ) -> Result<(usize, HashSet<ObjectId>), Failure> {
        let these = doc! { "received_at": { "$lt": date(before) } };
        self.remove_dead_letters(these, doc! { "received_at": 1, "_id": 1 }, limit).await
    }

    /// Removes the oldest beyond so many letters or so many bytes of bodies.
    pub(super) async fn bound_dead_letters(&mut self, letters: usize, bytes: usize, limit: usize) -> Result<usize, Failure> {
        self.flush().await?;
        match self.first_beyond(letters, bound(bytes)).await? {
            Some(seq) => self.discard(i64::MIN, seq, limit).await,
            None => Ok(0),
        }
    }

    /// The newest that goes beyond the bounds.
    async fn first_beyond(&mut self, letters: usize, bytes: i64) -> Result<Option<i64>, Failure> {
        let mut newest_first = only(&["body", "body_bytes"]);
        newest_first.sort = Some(doc! { "_id": -1 });
        let (mut count, mut sum, mut body_before, mut beyond) = (0, 0_i64, None, None);
        let within = |letter: &Counted| {
            count += 1;
            // Letters of one body were written together, so they follow each other.
            if body_before.replace(letter.body) != Some(letter.body) {
                sum = sum.saturating_add(letter.body_bytes);
            }
            beyond = (count > letters || sum > bytes).then_some(letter.seq);
            beyond.is_none()
        };
        let collection = self.tx.collections.dead_letter.clone_with_type::<Counted>();
        self.tx.find_while(&collection, doc! {}, newest_first, within).await?;
        Ok(beyond)
    }

    /// Removes what a filter finds; how many there were, and their bodies.
    async fn remove_dead_letters(
        &mut self,
        these: Document,
        order: Document,
        limit: usize,
    ) -> Result<(usize, HashSet<ObjectId>), Failure> {
        if limit == 0 {
            return Ok((0, HashSet::new()));
        }
        self.flush().await?;
        let collection = self.tx.collections.dead_letter.clone();
        let mut first = only(&["body"]);
        first.sort = Some(order);
        first.limit = Some(bound(limit));
        let doomed: Vec<Doomed> = self.tx.find(&collection.clone_with_type(), these, first).await?;
        self.tx.delete(&collection, doomed.iter().map(|letter| letter.seq).collect()).await?;
        Ok((doomed.len(), doomed.into_iter().map(|letter| letter.body).collect()))
    }
}
