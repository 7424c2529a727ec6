//! Whose stream has ended a moment ago: who opens one now without a last id has come back, and has missed what came in between.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

/// How long somebody who left is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);
/// How many are, at most; the oldest are forgotten first.
const MOST: usize = 50_000;

/// Who has left.
#[derive(Debug, Default)]
pub struct Left {
    users: HashMap<Arc<str>, Leaves>,
    /// When each was noted, to forget it by.
    order: VecDeque<(Instant, Arc<str>)>,
}

#[derive(Debug)]
struct Leaves {
    streams: usize,
    last: Instant,
}

impl Left {
    /// A stream of this user has ended.
    pub fn note(&mut self, user: Arc<str>, now: Instant) {
        if self.order.len() >= MOST {
            self.forget_oldest();
        }
        let leaves = self.users.entry(user.clone()).or_insert(Leaves { streams: 0, last: now });
        (leaves.streams, leaves.last) = (leaves.streams + 1, now);
        self.order.push_back((now, user));
    }

    /// Whether one has, not long ago. True once for each of them.
    pub fn has(&mut self, user: &str, now: Instant) -> bool {
        while self.order.front().is_some_and(|(at, _)| now.duration_since(*at) > REMEMBERED) {
            self.forget_oldest();
        }
        let Some(leaves) = self.users.get_mut(user) else { return false };
        leaves.streams -= 1;
        if leaves.streams == 0 {
            self.users.remove(user);
        }
        true
    }

    /// Who has left again since is remembered by that.
    fn forget_oldest(&mut self) {
        if let Some((at, user)) = self.order.pop_front()
            && self.users.get(&user).is_some_and(|leaves| leaves.last <= at)
        {
            self.users.remove(&user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_left_comes_back_once_for_each_stream_and_only_for_a_while() {
        let (mut left, start) = (Left::default(), Instant::now());
        assert!(!left.has("ana", start));
        left.note("ana".into(), start);
        left.note("ana".into(), start);
        left.note("ben".into(), start);
        assert_eq!(["ana", "ana", "ana"].map(|user| left.has(user, start)), [true, true, false]);
        assert!(!left.has("ben", start + REMEMBERED + Duration::from_secs(1)));
        assert!(left.users.is_empty() && left.order.is_empty());
        left.note("ana".into(), start);
        left.note("ana".into(), start + REMEMBERED);
        assert!(left.has("ana", start + REMEMBERED * 2));
    }

    #[test]
    fn no_more_than_so_many_are_remembered() {
        let (mut left, start) = (Left::default(), Instant::now());
        let now = start + Duration::from_secs(1);
        (0..=MOST).for_each(|number| left.note(number.to_string().into(), start));
        assert_eq!((left.users.len(), left.order.len()), (MOST, MOST));
        assert!(!left.has("0", now));
        assert!(left.has(&MOST.to_string(), now));
    }
}
