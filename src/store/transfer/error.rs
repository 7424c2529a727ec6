//! Why a transfer came to no end, in words that say what to do about it.

use std::io;

use crate::store::StoreError;

/// Why an export or an import stopped. What it had written by then stays, and the same command goes on behind it.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file could not be read.
    #[error("the export cannot be read: {0}")]
    Read(io::Error),
    /// The file could not be written.
    #[error("the export cannot be written: {0}")]
    Write(io::Error),
    /// The file is something else.
    #[error("line 1: it is not the first line of an export: {0}")]
    NoExport(String),
    /// A newer version wrote the file.
    #[error("line 1: the export has format {found}, this build knows {known}; run a newer lookout")]
    TooNew {
        /// What it has.
        found: u32,
        /// What this build knows.
        known: u32,
    },
    /// A line is wrong. Nothing of it or of the lines just before it was written.
    #[error("line {number}: {reason}")]
    Line {
        /// Counted from 1.
        number: u64,
        /// The field, and what is wrong with it.
        reason: String,
    },
    /// The file has no end.
    #[error(
        "the export was cut: it ends behind line {lines} of at least {expected}, without its last line. What was read is kept; import \
         the whole file to go on"
    )]
    Cut {
        /// Whole lines that were there.
        lines: u64,
        /// How many its first line promises.
        expected: u64,
    },
    /// The store is in use for something else.
    #[error("the store is not empty; an import needs an empty one")]
    NotEmpty,
    /// Another file was begun.
    #[error("another export was begun to be imported into this store; go on with that one, or import into an empty store")]
    OtherImport,
    /// The file is of another store, or the store was written to since.
    #[error("{0}; export into a new file, while no server runs on the store")]
    OtherExport(&'static str),
}

impl TransferError {
    pub(super) fn line(number: u64, reason: impl Into<String>) -> Self {
        Self::Line { number, reason: reason.into() }
    }
}
