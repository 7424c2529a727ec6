//! What goes through the mailboxes of one kind of actor: actix tells neither how full a mailbox is nor how long a message waited in it.
//!
//! Counted where a message is sent and where it is taken out: some atomics a message, none for each client that a message is for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use super::histogram::{Histogram, QUICK, Snapshot, nanos};

/// One kind of actor: all its mailboxes together.
#[derive(Debug)]
pub struct Kind {
    /// Its name, that of its mailbox key.
    pub name: &'static str,
    capacity: AtomicUsize,
    posted: AtomicU64,
    left: AtomicU64,
    refused: AtomicU64,
    high_water: AtomicUsize,
    peak: AtomicUsize,
    waiting: Times,
    handling: Times,
}

/// Times, and the longest since somebody looked.
#[derive(Debug)]
struct Times {
    all: Histogram,
    longest: AtomicU64,
}

/// One mailbox.
#[derive(Debug)]
pub struct Mailbox {
    kind: Arc<Kind>,
    depth: AtomicUsize,
}

/// Goes with one message: tells that it is taken out, and when it is dropped that it was handled, or was lost with its mailbox.
#[derive(Debug)]
pub struct Ticket {
    mailbox: Arc<Mailbox>,
    since: Instant,
    is_taken: bool,
}

/// A kind as it stands now. `peak` and the longest times are those since the look before.
#[derive(Debug, Clone)]
pub struct Look {
    /// The most messages in one mailbox at once.
    pub peak: usize,
    /// Messages that found a full mailbox, since the start.
    pub refused: u64,
    /// How long messages have waited, since the start.
    pub waiting: Snapshot,
    /// The longest wait, nanoseconds.
    pub longest_wait: u64,
    /// How long they were handled, since the start.
    pub handling: Snapshot,
    /// The longest of it, nanoseconds.
    pub longest_handling: u64,
}

impl Kind {
    /// A kind whose mailboxes hold so many messages.
    pub fn new(name: &'static str, capacity: usize) -> Arc<Self> {
        let times = || Times { all: Histogram::of_times(QUICK), longest: AtomicU64::new(0) };
        Arc::new(Self {
            name,
            capacity: AtomicUsize::new(capacity),
            posted: AtomicU64::new(0),
            left: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            high_water: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            waiting: times(),
            handling: times(),
        })
    }

    /// What one mailbox is configured to hold.
    pub fn capacity(&self) -> usize {
        self.capacity.load(Relaxed)
    }

    /// What it is configured to hold from now on.
    pub fn set_capacity(&self, capacity: usize) {
        self.capacity.store(capacity, Relaxed);
    }

    /// Messages that wait now, in all its mailboxes.
    pub fn depth(&self) -> u64 {
        // In this order, so that a message that comes and goes in between is not counted as one less than none.
        let left = self.left.load(Relaxed);
        self.posted.load(Relaxed).saturating_sub(left)
    }

    /// The most that have waited in one mailbox at once, since the start.
    pub fn high_water(&self) -> usize {
        self.high_water.load(Relaxed)
    }

    /// The same since it was looked at last.
    pub fn peak(&self) -> usize {
        self.peak.load(Relaxed)
    }

    /// Messages that found a full mailbox, since the start.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// How long messages have waited.
    pub fn waiting(&self) -> &Histogram {
        &self.waiting.all
    }

    /// How long its actors were busy with one message.
    pub fn handling(&self) -> &Histogram {
        &self.handling.all
    }

    /// Looks at it; for one who looks regularly.
    pub fn look(&self) -> Look {
        Look {
            peak: self.peak.swap(0, Relaxed),
            refused: self.refused(),
            waiting: self.waiting.all.snapshot(),
            longest_wait: self.waiting.longest.swap(0, Relaxed),
            handling: self.handling.all.snapshot(),
            longest_handling: self.handling.longest.swap(0, Relaxed),
        }
    }
}

impl Times {
    fn observe(&self, since: Instant, now: Instant) {
        let time = now.duration_since(since);
        self.all.observe(time);
        raise(&self.longest, nanos(time));
    }
}

impl Mailbox {
    /// One more mailbox of this kind.
    pub fn new(kind: Arc<Kind>) -> Arc<Self> {
        Arc::new(Self { kind, depth: AtomicUsize::new(0) })
    }

    /// A message is about to be posted. With its ticket comes how many wait then, itself included.
    pub fn post(self: &Arc<Self>) -> (Ticket, usize) {
        self.kind.posted.fetch_add(1, Relaxed);
        let depth = self.depth.fetch_add(1, Relaxed) + 1;
        (Ticket { mailbox: self.clone(), since: Instant::now(), is_taken: false }, depth)
    }

    /// So many waited once a message was in.
    pub fn mark(&self, depth: usize) {
        if self.kind.high_water.load(Relaxed) < depth {
            self.kind.high_water.fetch_max(depth, Relaxed);
        }
        if self.kind.peak.load(Relaxed) < depth {
            self.kind.peak.fetch_max(depth, Relaxed);
        }
    }

    /// A message found it full.
    pub fn refuse(&self) {
        self.kind.refused.fetch_add(1, Relaxed);
    }
}

impl Ticket {
    /// The actor begins with the message.
    pub fn take(&mut self) {
        let now = Instant::now();
        self.leave();
        self.mailbox.kind.waiting.observe(self.since, now);
        (self.since, self.is_taken) = (now, true);
    }

    fn leave(&self) {
        self.mailbox.depth.fetch_sub(1, Relaxed);
        self.mailbox.kind.left.fetch_add(1, Relaxed);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.is_taken {
            self.mailbox.kind.handling.observe(self.since, Instant::now());
        } else {
            self.leave();
        }
    }
}

fn raise(highest: &AtomicU64, value: u64) {
    if highest.load(Relaxed) < value {
        highest.fetch_max(value, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_counted_whether_it_is_handled_or_lost() {
        let kind = Kind::new("relay", 4);
        let mailboxes = [Mailbox::new(kind.clone()), Mailbox::new(kind.clone())];
        let mut tickets = Vec::new();
        for mailbox in [&mailboxes[0], &mailboxes[0], &mailboxes[0], &mailboxes[1]] {
            let (ticket, depth) = mailbox.post();
            mailbox.mark(depth);
            tickets.push(ticket);
        }
        assert_eq!((kind.depth(), kind.high_water()), (4, 3), "the high-water mark is that of one mailbox");
        let mut handled = tickets.remove(0);
        handled.take();
        assert_eq!((kind.depth(), kind.waiting().snapshot().count(), kind.handling().snapshot().count()), (3, 1, 0));
        drop(handled);
        assert_eq!(kind.handling().snapshot().count(), 1);
        drop(tickets);
        assert_eq!((kind.depth(), kind.waiting().snapshot().count()), (0, 1), "what was lost has not waited for anything");
        let look = kind.look();
        assert_eq!((look.peak, kind.look().peak, kind.high_water()), (3, 0, 3));
    }
}
