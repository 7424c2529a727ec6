//! What was told before its turn: several nodes commit, so news of entries may come in any order, and some may not come at all.
//!
//! Entries go on only without a hole. Those behind one are kept for a moment, so that what is missing costs one small read of
//! the store, and none where it comes by itself meanwhile.

use std::collections::BTreeMap;

use crate::notification::entry::Entry;

/// Bytes that are kept; what does not fit is read from the store when its turn comes.
const MOST_BYTES: usize = 8 << 20;

/// Entries that wait for those before them, and how far the log is known to go.
#[derive(Debug, Default)]
pub struct Ahead {
    waiting: BTreeMap<u64, Entry>,
    bytes: usize,
    told: u64,
}

impl Ahead {
    /// Takes entries in; gives those whose turn it is behind entry `newest`, in order and without a hole.
    pub fn admit(&mut self, newest: u64, entries: Vec<Entry>) -> Vec<Entry> {
        let mut next = newest + 1;
        let mut turn = Vec::with_capacity(entries.len());
        for entry in entries {
            let n = entry.position.n;
            self.told = self.told.max(n);
            if n == next {
                turn.push(entry);
                next += 1;
                while let Some(entry) = self.take(next) {
                    turn.push(entry);
                    next += 1;
                }
            } else if n > next {
                self.keep(entry);
            }
        }
        turn
    }

    /// The log goes on up to entry `n`, at least.
    pub fn told_of(&mut self, n: u64) {
        self.told = self.told.max(n);
    }

    /// How many entries behind `newest` are missing, as far as is known.
    pub fn missing(&self, newest: u64) -> u64 {
        let known = self.waiting.range(newest + 1..).next().map_or(self.told, |(n, _)| n - 1);
        known.saturating_sub(newest)
    }

    /// Nothing of what was told is there.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Entry `n`; those before it are of no use any more.
    fn take(&mut self, n: u64) -> Option<Entry> {
        while let Some(first) = self.waiting.first_entry()
            && *first.key() <= n
        {
            let entry = first.remove();
            self.bytes -= entry.size();
            if entry.position.n == n {
                return Some(entry);
            }
        }
        None
    }

    fn keep(&mut self, entry: Entry) {
        if self.bytes + entry.size() <= MOST_BYTES && !self.waiting.contains_key(&entry.position.n) {
            self.bytes += entry.size();
            self.waiting.insert(entry.position.n, entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::notification::{
        NotificationId,
        entry::Kind,
        position::{Epoch, Position, Tag},
    };

    fn entry(n: u64, bytes: usize) -> Entry {
        let position = Position { epoch: Epoch(1), n, tag: Tag(0) };
        let payload = "x".repeat(bytes).into();
        Entry { position, kind: Kind::Notification, notification_id: NotificationId::new(), owner: None, payload }
    }

    fn numbers(entries: &[Entry]) -> Vec<u64> {
        entries.iter().map(|entry| entry.position.n).collect()
    }

    proptest! {
        #[test]
        fn in_whatever_order_and_however_often_entries_come_each_has_its_turn_once(
            told in proptest::collection::vec(proptest::collection::vec(1u64..30, 0..6), 0..40),
        ) {
            let (mut ahead, mut newest, mut highest) = (Ahead::default(), 0, 0);
            let mut seen = std::collections::BTreeSet::new();
            for group in told {
                highest = group.iter().copied().max().unwrap_or(0).max(highest);
                seen.extend(group.iter().copied());
                let turn = numbers(&ahead.admit(newest, group.iter().map(|n| entry(*n, 1)).collect()));
                let without_a_hole = (1..).take_while(|n| seen.contains(n)).last().unwrap_or(0);
                prop_assert_eq!(turn, (newest + 1..=without_a_hole).collect::<Vec<_>>());
                newest = newest.max(without_a_hole);
                // What is missing up to the first that waits is exactly the hole.
                let hole = (newest + 1..=highest).take_while(|n| !seen.contains(n)).count();
                prop_assert_eq!(ahead.missing(newest), hole as u64);
                prop_assert_eq!(ahead.bytes, ahead.waiting.values().map(Entry::size).sum::<usize>());
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_missing_and_not_lost() {
        let mut ahead = Ahead::default();
        assert!(ahead.admit(0, vec![entry(2, 5_000_000), entry(3, 5_000_000), entry(4, 1)]).is_empty());
        assert_eq!(ahead.missing(0), 1);
        assert_eq!(numbers(&ahead.admit(0, vec![entry(1, 1)])), [1, 2]);
        assert_eq!(ahead.missing(2), 1, "3 did not fit, 4 waits");
        assert_eq!(numbers(&ahead.admit(2, vec![entry(3, 1)])), [3, 4]);
        assert_eq!((ahead.missing(4), ahead.bytes), (0, 0));
    }

    #[test]
    fn a_log_that_is_only_known_to_go_on_is_missing_as_a_whole_until_it_is_forgotten() {
        let mut ahead = Ahead::default();
        ahead.told_of(9);
        ahead.told_of(5);
        assert_eq!((ahead.missing(2), ahead.missing(9), ahead.missing(20)), (7, 0, 0));
        ahead.forget();
        assert_eq!(ahead.missing(2), 0);
    }
}
