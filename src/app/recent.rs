//! The newest entries, read back into memory at the start.
//!
//! Readers who return after a restart then do not all go to the store.

use crate::{
    actors::recent::Recent,
    notification::{frame::Frame, position::Position},
    store::{Store, StoreError},
};

/// The most entries that are read back.
const RECENT_AT_START: usize = 1000;

/// The window as it would be had the server not been restarted; it holds `max_bytes` (`stream.recent`) at most.
pub(super) async fn read(store: &dyn Store, max_bytes: usize) -> Result<Recent, StoreError> {
    let span = store.span();
    let (Some(newest), Some(oldest)) = (span.newest, span.oldest) else {
        return Ok(Recent::new(max_bytes, Position::origin(span.epoch)));
    };
    let mut after = newest.n.saturating_sub(RECENT_AT_START as u64).max(oldest.n - 1);
    let recent = Recent::new(max_bytes, Position { n: after, ..Position::origin(span.epoch) });
    while after < newest.n {
        let frames: Vec<Frame> = store.read_log(after, RECENT_AT_START).await?.iter().map(Frame::of).collect();
        let (Some(first), Some(last)) = (frames.first(), frames.last()) else { break };
        if first.position.n > after + 1 {
            // Another node's retention was faster.
            recent.restart_before(first.position);
        }
        after = last.position.n;
        recent.append(&frames);
    }
    Ok(recent)
}
