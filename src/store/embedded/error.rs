//! How the failures of SQLite become the store's own: callers tell a full disk from everything else, and nothing more.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::store::StoreError;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(error.to_string()),
            // What is written, or a row that it needs, is at fault: nothing of SQLite's, or what SQLite says of the row itself.
            None | Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig) => {
                Self::Refused(error.to_string())
            }
            Some(_) => Self::Unavailable(error.to_string()),
        }
    }
}

impl StoreError {
    /// The same error, naming the file: while a store is opened, which file it was is what an operator asks first.
    pub(super) fn at(self, path: &Path) -> Self {
        let path = path.display();
        match self {
            Self::Full(reason) => Self::Full(format!("{path}: {reason}")),
            Self::Unavailable(reason) | Self::Refused(reason) => Self::Unavailable(format!("{path}: {reason}")),
            named @ (Self::InUse { .. } | Self::TooNew { .. } | Self::Unfinished { .. }) => named,
        }
    }
}

/// The answer to every call behind [`crate::store::Store::close`].
pub(super) fn closed() -> StoreError {
    StoreError::Unavailable("it is closed".into())
}

/// A payload came from the store and is not what this build writes.
pub(super) fn unreadable(error: serde_json::Error) -> StoreError {
    StoreError::Refused(format!("a stored message cannot be read: {error}"))
}
