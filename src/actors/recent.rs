//! The newest entries of the log as shared frames: what most readers who fell behind or came back need.
//!
//! Written once a broadcast by the broadcaster; read only by sessions that catch up, so live delivery takes no lock in here.

use std::{
    collections::VecDeque,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use crate::notification::{frame::Frame, position::Position};

/// A window that ends at the newest broadcast entry and has no hole.
pub struct Recent {
    max_bytes: usize,
    ring: RwLock<Ring>,
}

struct Ring {
    newest: Position,
    frames: VecDeque<Frame>,
    bytes: usize,
}

impl Recent {
    /// A window of at most this many bytes (`stream.recent`) behind `newest`, which may be the origin.
    pub fn new(max_bytes: usize, newest: Position) -> Self {
        Self { max_bytes, ring: RwLock::new(Ring { newest, frames: VecDeque::new(), bytes: 0 }) }
    }

    fn read(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Ring> {
        self.ring.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest entry that was broadcast.
    pub fn newest(&self) -> Position {
        self.read().newest
    }

    /// Adds the frames that follow the newest one, and lets go of the oldest beyond the bound.
    pub fn append(&self, frames: &[Frame]) {
        let mut ring = self.write();
        for frame in frames {
            debug_assert_eq!(frame.position.n, ring.newest.n + 1, "the window has no hole");
            ring.newest = frame.position;
            ring.bytes += frame.chunk.len();
            ring.frames.push_back(frame.clone());
        }
        while ring.bytes > self.max_bytes
            && let Some(oldest) = ring.frames.pop_front()
        {
            ring.bytes -= oldest.chunk.len();
        }
    }

    /// Begins anew: the next frame to be added is this one, and there is a hole before it.
    pub fn restart_before(&self, next: Position) {
        let mut ring = self.write();
        *ring = Ring { newest: Position { n: next.n - 1, ..Position::origin(next.epoch) }, frames: VecDeque::new(), bytes: 0 };
    }

    /// Up to `limit` frames behind entry `n`; none when the window begins later, so that the store must be read.
    pub fn after(&self, n: u64, limit: usize) -> Option<Vec<Frame>> {
        let ring = self.read();
        let missing = ring.newest.n.checked_sub(n)?;
        let skip = (ring.frames.len() as u64).checked_sub(missing)?;
        Some(ring.frames.iter().skip(skip as usize).take(limit).cloned().collect())
    }

    /// The position of entry `n`, when it is in the window.
    pub fn position(&self, n: u64) -> Option<Position> {
        let ring = self.read();
        if n == ring.newest.n {
            return Some(ring.newest);
        }
        let from_end = ring.newest.n.checked_sub(n)?;
        let index = (ring.frames.len() as u64).checked_sub(from_end + 1)?;
        ring.frames.get(index as usize).map(|frame| frame.position)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::notification::position::{Epoch, Tag};

    fn frame(n: u64) -> Frame {
        let bytes = Bytes::from(vec![b'x'; 10]);
        Frame { position: Position { epoch: Epoch(1), n, tag: Tag(0) }, owner: None, chunk: bytes.clone(), bytes }
    }

    fn numbers(frames: Option<Vec<Frame>>) -> Option<Vec<u64>> {
        frames.map(|frames| frames.iter().map(|frame| frame.position.n).collect())
    }

    #[test]
    fn the_window_gives_what_follows_an_entry_and_admits_what_it_does_not_hold() {
        let recent = Recent::new(35, frame(10).position);
        recent.append(&[frame(11), frame(12), frame(13), frame(14)]);
        assert_eq!(recent.newest().n, 14);
        assert_eq!(numbers(recent.after(14, 9)), Some(vec![]));
        assert_eq!(numbers(recent.after(11, 2)), Some(vec![12, 13]));
        assert_eq!(numbers(recent.after(10, 9)), None, "entry 11 was let go of: 35 bytes hold three frames");
        assert_eq!(numbers(recent.after(15, 9)), None);
        assert_eq!(recent.position(12).map(|p| p.n), Some(12));
        assert_eq!(recent.position(11), None);
        assert_eq!(recent.position(99), None);
    }

    #[test]
    fn an_empty_window_still_knows_the_newest_entry() {
        let recent = Recent::new(0, frame(5).position);
        assert_eq!(numbers(recent.after(5, 9)), Some(vec![]));
        assert_eq!(numbers(recent.after(4, 9)), None);
        recent.append(&[frame(6)]);
        assert_eq!(numbers(recent.after(5, 9)), None);
        assert_eq!(recent.position(6).map(|p| p.n), Some(6));
    }
}
