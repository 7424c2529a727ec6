//! How the driver's failures become the store's own.
//!
//! Whether a transaction may be tried again is asked of the driver's error, before it becomes one of ours.

use mongodb::error::{Error, ErrorKind, WriteFailure};

use crate::store::StoreError;

/// MongoDB's code for a key that is there already.
pub(super) const DUPLICATE_KEY: i32 = 11_000;
/// MongoDB's code for a disk without room.
const OUT_OF_DISK_SPACE: i32 = 14_031;

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        // Not the error itself: it shows the server's whole answer as bytes.
        let reason = format!("MongoDB: {}", error.kind);
        if code(&error) == Some(OUT_OF_DISK_SPACE) { Self::Full(reason) } else { Self::Unavailable(reason) }
    }
}

/// The server's code.
pub(super) fn code(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(command) => Some(command.code),
        ErrorKind::Write(WriteFailure::WriteError(write)) => Some(write.code),
        ErrorKind::InsertMany(insert) => insert.write_errors.as_ref()?.first().map(|error| error.code),
        _ => None,
    }
}

/// Whether nothing is wrong but that a key is there already.
pub(super) fn is_duplicate(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::InsertMany(insert) => {
            let errors = insert.write_errors.as_deref().unwrap_or_default();
            insert.write_concern_error.is_none() && errors.iter().all(|error| error.code == DUPLICATE_KEY)
        }
        _ => code(error) == Some(DUPLICATE_KEY),
    }
}

/// The index of the first document that an `insert_many` could not insert because its key is there already.
pub(super) fn duplicate(error: &Error) -> Option<usize> {
    let ErrorKind::InsertMany(insert) = &*error.kind else { return None };
    let first = insert.write_errors.as_ref()?.first()?;
    (first.code == DUPLICATE_KEY).then_some(first.index)
}

/// The answer to every call behind [`crate::store::Store::close`].
pub(super) fn closed() -> StoreError {
    StoreError::Unavailable("it is closed".into())
}
