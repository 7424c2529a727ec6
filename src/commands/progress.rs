//! How far a transfer has come, on standard error: standard output may be the export itself.

use std::time::{Duration, Instant};

use crate::store::transfer::{Progress, Tally};

/// The shortest time between two lines.
const EVERY: Duration = Duration::from_secs(1);

/// What is shown of one transfer.
pub(super) struct Shown {
    verb: &'static str,
    last: Instant,
}

impl Shown {
    /// Nothing for the first second: most transfers are over by then.
    pub fn new(verb: &'static str) -> Self {
        Self { verb, last: Instant::now() }
    }

    pub fn report(&mut self, Progress { done, all }: Progress) {
        if self.last.elapsed() >= EVERY {
            self.last = Instant::now();
            eprintln!("lookout: {} {done} of {all} records", self.verb);
        }
    }

    pub fn end(&self, tally: &Tally) {
        let Tally { bodies, entries, screenings, retold, dead_letters, users } = tally;
        eprintln!(
            "lookout: {} all {} records: {entries} entries of the log, {screenings} open screenings, {dead_letters} dead letters, \
             {bodies} bodies, {retold} told again, {users} users",
            self.verb,
            tally.sum()
        );
    }
}
