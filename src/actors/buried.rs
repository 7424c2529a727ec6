//! When the bounds of dead letters have to be looked after.
//!
//! Looking walks over all of them, so it is done when a hundredth part of what may be there was written since, and then makes room for
//! the next hundredth part: never are there more than may be.

use crate::{
    config,
    store::{Receive, Write},
};

/// Dead letters removed in one commit beside as many as it brings, so that webhooks never wait long behind it.
const AT_ONCE: usize = 500;

/// What was written since the bounds were looked after.
#[derive(Debug)]
pub struct Buried {
    most_letters: usize,
    most_bytes: usize,
    letters: usize,
    bytes: usize,
    due: bool,
}

impl Buried {
    /// Due at once: what was there before is not known.
    pub fn new(config: &config::Store) -> Self {
        let (most_letters, most_bytes) = (config.max_dead_letters, config.max_dead_letter_bytes);
        Self { most_letters, most_bytes, letters: 0, bytes: 0, due: true }
    }

    /// What a commit of these writes needs at its end, so that the bounds hold behind it.
    pub fn bound(&mut self, writes: &[Write]) -> Option<Write> {
        let receives = writes.iter().filter_map(|write| match write {
            Write::Receive(receive) | Write::Retry { receive, .. } => Some(receive),
            _ => None,
        });
        let (mut letters, mut bytes) = (0, 0_usize);
        for Receive { raw, dead_letters, .. } in receives.filter(|receive| !receive.dead_letters.is_empty()) {
            letters += dead_letters.len();
            bytes = bytes.saturating_add(raw.len());
        }
        if letters == 0 {
            return None;
        }
        self.letters += letters;
        self.bytes = self.bytes.saturating_add(bytes);
        let (spare_letters, spare_bytes) = (self.most_letters / 100, self.most_bytes / 100);
        if !self.due && self.letters <= spare_letters && self.bytes <= spare_bytes {
            return None;
        }
        (self.letters, self.bytes, self.due) = (0, 0, false);
        Some(Write::BoundDeadLetters {
            letters: self.most_letters - spare_letters,
            bytes: self.most_bytes - spare_bytes,
            limit: letters + AT_ONCE,
        })
    }

    /// It has not come to that, or there may be more: the next commit that brings one looks again.
    pub fn again(&mut self) {
        self.due = true;
    }

    /// Whether so many removed were all that had to go, by what [`Self::bound`] allowed: it allowed more than this.
    pub fn is_enough(removed: usize) -> bool {
        removed < AT_ONCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, store::NewDeadLetter};

    fn buried(letters: usize, bytes: usize) -> Buried {
        let mut buried =
            Buried::new(&config::Store { max_dead_letters: letters, max_dead_letter_bytes: bytes, ..Config::defaults().store });
        assert!(matches!(buried.bound(&[dead(1, 0)]), Some(Write::BoundDeadLetters { .. })), "nothing is known at the start");
        buried
    }

    fn dead(letters: usize, bytes: usize) -> Write {
        let letter = || NewDeadLetter { item: None, reason: "bad", detail: String::new() };
        Write::Receive(Receive {
            raw: vec![0; bytes].into(),
            received_at: chrono::Utc::now(),
            notifications: vec![],
            dead_letters: (0..letters).map(|_| letter()).collect(),
        })
    }

    #[test]
    fn the_bounds_are_looked_after_each_hundredth_part_and_leave_room_for_the_next() {
        let mut buried = buried(1_000, 100_000);
        assert!(buried.bound(&[dead(4, 10), dead(0, 9_999), dead(6, 10)]).is_none(), "what brings no letter does not count");
        let Some(Write::BoundDeadLetters { letters: 990, bytes: 99_000, limit: 501 }) = buried.bound(&[dead(1, 0)]) else {
            panic!("the eleventh")
        };
        assert!(buried.bound(&[dead(1, 1_000)]).is_none());
        assert!(buried.bound(&[Write::Probe, dead(1, 1)]).is_some(), "by its bytes");
        buried.again();
        assert!(buried.bound(&[Write::Probe, dead(0, 1)]).is_none(), "no letter, nothing to do");
        assert!(buried.bound(&[dead(1, 0)]).is_some());
    }

    #[test]
    fn small_bounds_are_looked_after_each_time() {
        let mut buried = buried(5, 50);
        for _ in 0..3 {
            assert!(matches!(buried.bound(&[dead(1, 1)]), Some(Write::BoundDeadLetters { letters: 5, bytes: 50, .. })));
        }
    }
}
