//! `lookout dead-letters list|show|retry|drop`: beside a running server or without one, whichever store is configured.
//!
//! Reading needs nobody's leave. What was read from a body is the server's work, so only a running one takes a dead letter in again.

use std::ops::RangeInclusive;

use awc::http::Method;
use bytes::Bytes;
use serde_json::Value;

use super::{
    CommandError,
    place::{Place, Server},
};
use crate::{
    config::{self, Config, StoreKind},
    store::{DeadLetter, Store, StoreError, Write, Written, embedded::EmbeddedStore, mongo::MongoReader},
};

/// Dropped in one commit.
const DROPPED_AT_ONCE: usize = 500;

/// The newest dead letters first, at most `limit`.
pub async fn dead_letters(config: &config::Store, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
    match config.kind {
        StoreKind::Embedded => EmbeddedStore::open_for_reading(&config.path)?.dead_letters(limit),
        StoreKind::MongoDb => MongoReader::open(config).await?.dead_letters(limit).await,
    }
}

/// One dead letter and the exact body that it came in.
pub async fn dead_letter(config: &config::Store, seq: i64) -> Result<(DeadLetter, Bytes), CommandError> {
    let found = match config.kind {
        StoreKind::Embedded => EmbeddedStore::open_for_reading(&config.path)?.dead_letter(seq)?,
        StoreKind::MongoDb => MongoReader::open(config).await?.dead_letter(seq).await?,
    };
    found.ok_or(CommandError::UnknownLetter(seq))
}

/// Has one taken in again; what its sender would have been answered.
pub async fn retry_dead_letter(config: &Config, seq: i64) -> Result<Value, CommandError> {
    dead_letter(&config.store, seq).await?;
    let server = Server::of(config);
    if config.store.kind == StoreKind::Embedded
        && let Place::Store(store) = Place::open(config).await?
    {
        store.close().await;
        return Err(server.is_absent());
    }
    server.ask(Method::POST, &format!("/dead-letters/{seq}/retry"), None).await
}

/// Drops one, or all that are there; how many those were.
pub async fn drop_dead_letters(config: &Config, seq: Option<i64>) -> Result<u64, CommandError> {
    // A store that is not there is told, not made.
    let Some(newest) = dead_letters(&config.store, 1).await?.first().map(|letter| letter.seq) else {
        return seq.map_or(Ok(0), |seq| Err(CommandError::UnknownLetter(seq)));
    };
    match Place::open(config).await? {
        Place::Server(server) => {
            let path = seq.map_or("/dead-letters".to_owned(), |seq| format!("/dead-letters/{seq}"));
            Ok(server.ask(Method::DELETE, &path, None).await?["dropped"].as_u64().unwrap_or_default())
        }
        Place::Store(store) => {
            let letters = seq.map_or(i64::MIN..=newest, |seq| seq..=seq);
            let dropped = discard(&*store, letters).await;
            store.close().await;
            match (dropped?, seq) {
                (0, Some(seq)) => Err(CommandError::UnknownLetter(seq)),
                (dropped, _) => Ok(dropped),
            }
        }
    }
}

async fn discard(store: &dyn Store, letters: RangeInclusive<i64>) -> Result<u64, StoreError> {
    let mut dropped = 0;
    loop {
        let write = Write::Discard { letters: letters.clone(), limit: DROPPED_AT_ONCE };
        let count = match store.commit(vec![write]).await?.written.pop() {
            Some(Written::Discarded(count)) => count,
            Some(Written::Refused(reason)) => return Err(StoreError::Refused(reason)),
            _ => 0,
        };
        dropped += count as u64;
        if count < DROPPED_AT_ONCE {
            return Ok(dropped);
        }
    }
}
