//! What waits to be sent to other nodes: a bounded bag out of which the oldest entries fall, since those are the first that
//! other nodes have read from the store.

use std::collections::VecDeque;

use crate::notification::entry::Entry;

/// Bytes that it holds.
const MOST_BYTES: usize = 8 << 20;
/// Entries that are sent at once.
const ENTRIES_AT_ONCE: usize = 500;
/// Bytes that are sent at once; the first entry is of any size.
const BYTES_AT_ONCE: usize = 1 << 20;

/// Entries in the order in which they were committed.
#[derive(Debug, Default)]
pub struct Bag {
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl Bag {
    /// Puts entries in; says how many have fallen out.
    pub fn put(&mut self, entries: Vec<Entry>) -> usize {
        self.bytes += entries.iter().map(Entry::size).sum::<usize>();
        self.entries.extend(entries);
        self.shed()
    }

    /// Puts entries back that were taken out; says how many have fallen out.
    pub fn put_back(&mut self, entries: Vec<Entry>) -> usize {
        for entry in entries.into_iter().rev() {
            self.bytes += entry.size();
            self.entries.push_front(entry);
        }
        self.shed()
    }

    fn shed(&mut self) -> usize {
        let mut fallen = 0;
        while self.bytes > MOST_BYTES
            && let Some(oldest) = self.entries.pop_front()
        {
            self.bytes -= oldest.size();
            fallen += 1;
        }
        fallen
    }

    /// Takes out what is to be sent next.
    pub fn take(&mut self) -> Vec<Entry> {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while taken.len() < ENTRIES_AT_ONCE
            && let Some(next) = self.entries.front()
            && (taken.is_empty() || bytes + next.size() <= BYTES_AT_ONCE)
        {
            bytes += next.size();
            taken.extend(self.entries.pop_front());
        }
        self.bytes -= bytes;
        taken
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
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

    fn numbers(entries: Vec<Entry>) -> Vec<u64> {
        entries.iter().map(|entry| entry.position.n).collect()
    }

    #[test]
    fn what_is_taken_is_in_order_and_of_a_bounded_size_but_for_one_that_is_larger_alone() {
        let mut bag = Bag::default();
        assert_eq!(bag.put(vec![entry(1, 600_000), entry(2, 600_000), entry(3, 2_000_000), entry(4, 1)]), 0);
        let first = bag.take();
        assert_eq!(bag.put_back(first), 0, "as if it had not been taken");
        for expected in [vec![1], vec![2], vec![3], vec![4], vec![]] {
            assert_eq!(numbers(bag.take()), expected);
        }
        assert!(bag.is_empty() && bag.bytes == 0);
        assert_eq!(bag.put((1..=501).map(|n| entry(n, 1)).collect()), 0);
        assert_eq!(numbers(bag.take()), (1..=500).collect::<Vec<_>>());
        assert_eq!(numbers(bag.take()), [501]);
    }

    #[test]
    fn the_oldest_fall_out_of_a_full_bag() {
        let mut bag = Bag::default();
        assert_eq!(bag.put((1..=8).map(|n| entry(n, 1_000_000)).collect()), 0);
        assert_eq!(bag.put(vec![entry(9, 1_000_000)]), 1);
        assert_eq!(numbers(bag.take()), [2]);
        assert_eq!(bag.put(vec![entry(10, MOST_BYTES)]), 8, "also one that is larger than the bag");
        assert!(bag.is_empty() && bag.bytes == 0);
    }
}
