//! `lookout import FILE`: an export into an empty store, or the rest of one whose import broke off.

use std::{
    fs::File,
    io::{self, BufReader},
    path::Path,
};

use super::{is_stream, progress::Shown};
use crate::{
    config::{Config, StoreKind},
    store::{
        StoreError,
        embedded::EmbeddedTarget,
        mongo::MongoTarget,
        transfer::{self, Tally, Target, TransferError},
    },
};

/// Read from the file at once, bytes: lines are long where bodies are.
const BUFFER: usize = 256 << 10;

/// Imports into the configured store, which no server may use. `-` is standard input.
pub async fn import(config: &Config, file: &Path) -> Result<Tally, TransferError> {
    let file: Box<dyn io::Read> =
        if is_stream(file) { Box::new(io::stdin()) } else { Box::new(File::open(file).map_err(TransferError::Read)?) };
    let mut target = open(config).await?;
    let mut shown = Shown::new("imported");
    let mut report = |progress| shown.report(progress);
    let tally = transfer::import(&mut *target, BufReader::with_capacity(BUFFER, file), &mut report).await?;
    shown.end(&tally);
    Ok(tally)
}

async fn open(config: &Config) -> Result<Box<dyn Target>, StoreError> {
    Ok(match config.store.kind {
        StoreKind::Embedded => Box::new(EmbeddedTarget::open(&config.store.path)?),
        StoreKind::MongoDb => Box::new(MongoTarget::open(&config.store, &config.cluster).await?),
    })
}
