//! What a command reads, beside running servers or without any; it makes nothing.

use bytes::Bytes;

use super::connect::Collections;
use crate::{
    config,
    store::{DeadLetter, StoreError},
};

/// A log opened for reading only.
pub struct MongoReader {
    collections: Collections,
}

impl MongoReader {
    /// Connects to a log that is there.
    pub async fn open(config: &config::Store) -> Result<Self, StoreError> {
        let (collections, _) = Collections::existing(config).await?;
        Ok(Self { collections })
    }

    /// The newest dead letters first, at most `limit`.
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.collections.dead_letters(limit).await
    }

    /// One dead letter and the exact body that it came in.
    pub async fn dead_letter(&self, seq: i64) -> Result<Option<(DeadLetter, Bytes)>, StoreError> {
        self.collections.dead_letter(seq).await
    }
}
