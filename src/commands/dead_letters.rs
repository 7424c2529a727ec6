//! `lookout dead-letters list`: works beside a running server, whichever store is configured.

use crate::{
    config::{self, StoreKind},
    store::{DeadLetter, StoreError, embedded::EmbeddedStore, mongo::MongoReader},
};

/// The newest dead letters first, at most `limit`.
pub async fn dead_letters(config: &config::Store, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
    match config.kind {
        StoreKind::Embedded => EmbeddedStore::open_for_reading(&config.path)?.dead_letters(limit),
        StoreKind::MongoDb => MongoReader::open(config).await?.dead_letters(limit).await,
    }
}
