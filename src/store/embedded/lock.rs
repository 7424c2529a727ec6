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
    held: File,
}

impl Lock {
    /// Takes the lock of the store at `path`.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let file = lock_file(path);
        let cannot = |error: io::Error| StoreError::Unavailable(format!("cannot lock {}: {error}", file.display()));
        let held = File::options().create(true).truncate(false).write(true).open(&file).map_err(cannot)?;
        match held.try_lock() {
            Ok(()) => Ok(Self { held }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.display().to_string() }),
            Err(TryLockError::Error(error)) => Err(cannot(error)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file would do, but for a child process that is just being started: until it runs it has the file open too.
        let _ = self.held.unlock();
    }
}

fn lock_file(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_given_back_is_free_though_a_child_that_is_being_started_has_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let lock = Lock::take(&path).unwrap();
        assert!(matches!(Lock::take(&path), Err(StoreError::InUse { .. })));
        let inherited = lock.held.try_clone().unwrap();
        drop(lock);
        Lock::take(&path).unwrap();
        drop(inherited);
    }
}
