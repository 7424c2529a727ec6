//! The last minute of one kind of actor, second by second: what an operator looks at, where counters since the start say too little.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    histogram::Snapshot,
    mailbox::{Kind, Look},
};

/// How often it is looked at.
pub const EVERY: Duration = Duration::from_secs(1);
/// How many looks are kept.
pub const LOOKS: usize = 60;

/// The looks at one kind.
#[derive(Debug)]
pub struct Window {
    kind: Arc<Kind>,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    /// The one before the oldest that is kept.
    before: Look,
    looks: VecDeque<Look>,
    last_refused: u64,
    count: u64,
    /// The size of the mailboxes that `since` and the three below are about.
    capacity: usize,
    since: Start,
    high_water: usize,
    most_refused: u64,
}

/// Where the counters stood when mailboxes got their size.
#[derive(Debug, Default)]
struct Start {
    refused: u64,
    handled: u64,
    count: u64,
}

/// What was seen since the mailboxes have the size that they have: what another size led to says nothing about this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// The most messages in one mailbox at once.
    pub high_water: usize,
    /// Messages that found a full mailbox.
    pub refused: u64,
    /// The most of them within a second; those of two looks that follow each other.
    pub most_refused: u64,
    /// Messages handled.
    pub handled: u64,
    /// How long it has been looked at.
    pub seen_for: Duration,
}

/// What a window shows.
#[derive(Debug)]
pub struct View {
    /// The most messages in one mailbox in each second, oldest first.
    pub peaks: Vec<usize>,
    /// Messages refused within the window.
    pub refused: u64,
    /// How long messages waited within the window.
    pub waiting: Snapshot,
    /// The longest wait within it.
    pub longest_wait: Duration,
    /// How long they were handled within it.
    pub handling: Snapshot,
    /// The longest of it.
    pub longest_handling: Duration,
}

impl Window {
    /// Begins to look at this kind.
    pub fn new(kind: Arc<Kind>) -> Self {
        let seen = Seen {
            before: kind.look(),
            looks: VecDeque::with_capacity(LOOKS + 1),
            last_refused: 0,
            count: 0,
            capacity: kind.capacity(),
            since: Start::default(),
            high_water: 0,
            most_refused: 0,
        };
        Self { kind, seen: Mutex::new(seen) }
    }

    /// Which kind.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// One more look; to be called each [`EVERY`].
    pub fn look(&self) {
        let (look, capacity) = (self.kind.look(), self.kind.capacity());
        let mut seen = self.seen();
        let refused_before = seen.looks.back().map_or(seen.before.refused, |last| last.refused);
        let refused = look.refused.saturating_sub(refused_before);
        seen.count += 1;
        if seen.capacity == capacity {
            // A second need not begin when it is looked at.
            seen.most_refused = seen.most_refused.max(seen.last_refused.saturating_add(refused));
            seen.last_refused = refused;
            seen.high_water = seen.high_water.max(look.peak);
        } else {
            // What came since the look before may still have found the old size.
            seen.capacity = capacity;
            seen.since = Start { refused: look.refused, handled: look.handling.count(), count: seen.count };
            (seen.high_water, seen.last_refused, seen.most_refused) = (0, 0, 0);
        }
        seen.looks.push_back(look);
        if seen.looks.len() > LOOKS
            && let Some(oldest) = seen.looks.pop_front()
        {
            seen.before = oldest;
        }
    }

    /// How many looks there have been, since the start.
    pub fn looks(&self) -> u64 {
        self.seen().count
    }

    /// What it shows now.
    pub fn view(&self) -> View {
        let seen = self.seen();
        let last = seen.looks.back().unwrap_or(&seen.before);
        let longest = |of: fn(&Look) -> u64| Duration::from_nanos(seen.looks.iter().map(of).max().unwrap_or(0));
        View {
            peaks: seen.looks.iter().map(|look| look.peak).collect(),
            refused: last.refused.saturating_sub(seen.before.refused),
            waiting: last.waiting.since(&seen.before.waiting),
            longest_wait: longest(|look| look.longest_wait),
            handling: last.handling.since(&seen.before.handling),
            longest_handling: longest(|look| look.longest_handling),
        }
    }

    /// What was seen since the mailboxes have their size; nothing before the first look at that.
    pub fn trial(&self) -> Trial {
        let seen = self.seen();
        if seen.capacity != self.kind.capacity() {
            return Trial { high_water: 0, refused: 0, most_refused: 0, handled: 0, seen_for: Duration::ZERO };
        }
        let Start { refused, handled, count } = seen.since;
        Trial {
            high_water: seen.high_water.max(self.kind.peak()),
            refused: self.kind.refused().saturating_sub(refused),
            most_refused: seen.most_refused,
            handled: self.kind.handling().snapshot().count().saturating_sub(handled),
            seen_for: EVERY.saturating_mul(u32::try_from(seen.count - count).unwrap_or(u32::MAX)),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::mailbox::Mailbox;

    #[test]
    fn a_window_forgets_what_is_older_than_its_looks_and_keeps_the_worst_second() {
        let kind = Kind::new("relay", 4);
        let (window, mailbox) = (Window::new(kind.clone()), Mailbox::new(kind));
        let (mut ticket, depth) = mailbox.post();
        mailbox.mark(depth);
        ticket.take();
        drop(ticket);
        (0..7).for_each(|_| mailbox.refuse());
        window.look();
        mailbox.refuse();
        window.look();
        let view = window.view();
        assert_eq!((view.peaks, view.refused, view.waiting.count(), view.handling.count()), (vec![1, 0], 8, 1, 1));
        assert_eq!(
            window.trial(),
            Trial { high_water: 1, refused: 8, most_refused: 8, handled: 1, seen_for: EVERY * 2 },
            "the worst second may lie in two looks"
        );
        (1..LOOKS).for_each(|_| window.look());
        let view = window.view();
        assert_eq!((view.peaks.len(), view.refused, view.waiting.count()), (LOOKS, 1, 0));
        assert_eq!((window.trial().most_refused, window.trial().high_water), (8, 1));
    }

    #[test]
    fn another_size_is_judged_by_what_comes_once_it_holds() {
        let kind = Kind::new("relay", 4);
        let (window, mailbox) = (Window::new(kind.clone()), Mailbox::new(kind.clone()));
        let fill = |messages: usize| {
            let tickets: Vec<_> = (0..messages).map(|_| mailbox.post()).collect();
            tickets.into_iter().for_each(|(mut ticket, depth)| {
                mailbox.mark(depth);
                ticket.take();
            });
            mailbox.refuse();
        };
        fill(4);
        window.look();
        let nothing = Trial { high_water: 0, refused: 0, most_refused: 0, handled: 0, seen_for: Duration::ZERO };
        kind.set_capacity(8);
        assert_eq!(window.trial(), nothing);
        // Sent before the actor has taken its new size.
        fill(4);
        window.look();
        assert_eq!(window.trial(), nothing);
        fill(6);
        window.look();
        let seen = Trial { high_water: 6, refused: 1, most_refused: 1, handled: 6, seen_for: EVERY };
        assert_eq!(window.trial(), seen);
        kind.set_capacity(8);
        window.look();
        assert_eq!(window.trial(), Trial { seen_for: EVERY * 2, ..seen }, "the same size is no change");
        assert_eq!((kind.high_water(), kind.refused()), (6, 3), "the counters are those since the start");
    }
}
