//! Which open screenings were taken already.
//!
//! One process has the file to itself, so a new claimant means that the one before is dead, and a place in the order of arrival
//! says everything.

use std::sync::{Mutex, PoisonError};

use crate::store::{Claimant, OpenScreening, StoreError};

/// The last claimant and the number of the last screening that it took.
#[derive(Debug, Default)]
pub(super) struct Taken(Mutex<Option<(Claimant, i64)>>);

impl Taken {
    /// Takes what `read` finds behind the last one taken. One at a time, so that nothing is taken twice.
    pub(super) fn take(
        &self,
        claimant: Claimant,
        read: impl FnOnce(i64) -> Result<Vec<(i64, OpenScreening)>, StoreError>,
    ) -> Result<Vec<OpenScreening>, StoreError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let after = last.filter(|(former, _)| *former == claimant).map_or(0, |(_, seq)| seq);
        let open = read(after)?;
        *last = Some((claimant, open.last().map_or(after, |(seq, _)| *seq)));
        Ok(open.into_iter().map(|(_, screening)| screening).collect())
    }
}
