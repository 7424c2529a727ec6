//! The lock file beside the store: two servers writing one log would each give positions that the other does not know.

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use crate::store::StoreError;

/// The right to serve a store. The system takes it back when the process ends, however it ends; the file stays.
#[derive(Debug)]
pub(super) struct Lock {
    _held: File,
}

impl Lock {
    /// Takes the lock of the store at `path`.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let file = lock_file(path);
        let cannot = |error: io::Error| StoreError::Unavailable(format!("cannot lock {}: {error}", file.display()));
        let held = File::options().create(true).truncate(false).write(true).open(&file).map_err(cannot)?;
        match held.try_lock() {
            Ok(()) => Ok(Self { _held: held }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.display().to_string() }),
            Err(TryLockError::Error(error)) => Err(cannot(error)),
        }
    }
}

fn lock_file(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
