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
    most_refused: u64,
    count: u64,
}

/// What a window shows.
#[derive(Debug)]
pub struct View {
    /// The most messages in one mailbox in each second, oldest first.
    pub peaks: Vec<usize>,
    /// Messages refused within the window.
    pub refused: u64,
    /// The most refused within a second, since the start; those of two looks that follow each other.
    pub most_refused: u64,
    /// How long messages waited within the window.
    pub waiting: Snapshot,
    /// The longest wait within it.
    pub longest_wait: Duration,
    /// How long they were handled within it.
    pub handling: Snapshot,
    /// The longest of it.
    pub longest_handling: Duration,
    /// How long it has been looked at, since the start.
    pub seen_for: Duration,
}

impl Window {
    /// Begins to look at this kind.
    pub fn new(kind: Arc<Kind>) -> Self {
        let seen =
            Seen { before: kind.look(), looks: VecDeque::with_capacity(LOOKS + 1), last_refused: 0, most_refused: 0, count: 0 };
        Self { kind, seen: Mutex::new(seen) }
    }

    /// Which kind.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// One more look; to be called each [`EVERY`].
    pub fn look(&self) {
        let look = self.kind.look();
        let mut seen = self.seen();
        let refused_before = seen.looks.back().map_or(seen.before.refused, |last| last.refused);
        let refused = look.refused.saturating_sub(refused_before);
        // A second need not begin when it is looked at.
        seen.most_refused = seen.most_refused.max(seen.last_refused.saturating_add(refused));
        seen.last_refused = refused;
        seen.count += 1;
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
            most_refused: seen.most_refused,
            waiting: last.waiting.since(&seen.before.waiting),
            longest_wait: longest(|look| look.longest_wait),
            handling: last.handling.since(&seen.before.handling),
            longest_handling: longest(|look| look.longest_handling),
            seen_for: EVERY.saturating_mul(u32::try_from(seen.count).unwrap_or(u32::MAX)),
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
        assert_eq!((view.peaks, view.refused, view.most_refused, view.waiting.count()), (vec![1, 0], 8, 8, 1));
        assert_eq!((view.handling.count(), view.seen_for), (1, EVERY * 2));
        (1..LOOKS).for_each(|_| window.look());
        let view = window.view();
        assert_eq!((view.peaks.len(), view.refused, view.most_refused, view.waiting.count()), (LOOKS, 1, 8, 0));
    }
}
