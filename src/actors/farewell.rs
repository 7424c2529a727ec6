//! In which order, how fast and until when sessions are told goodbye, so that their readers do not come back together.
//!
//! A reader comes back when its turn has come and the `retry:` that it is told has passed. Both grow with its place in the order, so
//! that together they are spread evenly, which two independent draws would not be.

use std::time::{Duration, Instant};

use super::registry::SessionId;

/// The slowest pace: where only a few are there the hub need not take all the time it has.
const SLOWEST: Duration = Duration::from_millis(10);

/// The sessions that are still to be told.
pub struct Farewell {
    /// In reverse order.
    waiting: Vec<SessionId>,
    all: usize,
    begun: Instant,
    over: Duration,
}

impl Farewell {
    /// Begins now with these, in an order of chance, and is through after `longest`, or earlier.
    pub fn new(mut sessions: Vec<SessionId>, now: Instant, longest: Duration) -> Self {
        fastrand::shuffle(&mut sessions);
        let all = sessions.len();
        let over = u32::try_from(all).map_or(longest, |all| longest.min(SLOWEST * all));
        Self { waiting: sessions, all, begun: now, over }
    }

    /// Those whose turn it is, each with the `retry:` that it is told: one to three times the usual one.
    pub fn due(&mut self, now: Instant, retry: Duration) -> Vec<(SessionId, Duration)> {
        let passed = now.saturating_duration_since(self.begun);
        let turns = if passed >= self.over { self.all } else { (self.all as f64 * passed.div_duration_f64(self.over)) as usize };
        let told = self.all - self.waiting.len();
        let due = (told..turns).filter_map(|turn| {
            let place = (turn as f64 + fastrand::f64()) / self.all as f64;
            Some((self.waiting.pop()?, retry.mul_f64(1.0 + 2.0 * place)))
        });
        due.collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// When each of so many is told, and when it comes back.
    fn goodbyes(sessions: u64, longest: Duration, retry: Duration) -> (Vec<Duration>, Vec<Duration>) {
        let begun = Instant::now();
        let mut farewell = Farewell::new((1..=sessions).collect(), begun, longest);
        let (mut told, mut back, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        for look in 0..=longest.as_millis().div_ceil(20) {
            let passed = Duration::from_millis(20 * look as u64);
            for (id, retry) in farewell.due(begun + passed, retry) {
                ids.push(id);
                told.push(passed);
                back.push(passed + retry);
            }
        }
        ids.sort_unstable();
        assert_eq!(ids, (1..=sessions).collect::<Vec<_>>(), "each is told once");
        (told, back)
    }

    proptest! {
        #[test]
        fn all_are_told_in_time_and_come_back_evenly(sessions in 200..3000_u64, longest in 0..10_u64, retry in 1..6_u64) {
            let (longest, retry) = (Duration::from_secs(longest), Duration::from_secs(retry));
            let (told, back) = goodbyes(sessions, longest, retry);
            prop_assert!(told.iter().all(|at| *at <= longest + Duration::from_millis(20)));
            let (first, last) = (*back.iter().min().expect("one"), *back.iter().max().expect("one"));
            let mut seconds = vec![0; (last - first).as_secs() as usize + 1];
            back.iter().for_each(|at| seconds[(*at - first).as_secs() as usize] += 1);
            let largest = *seconds.iter().max().expect("one");
            let mean = sessions as f64 / (last - first).as_secs_f64();
            prop_assert!(f64::from(largest) <= 2.0 * mean, "{seconds:?}");
        }
    }

    #[test]
    fn a_few_are_told_soon_and_without_time_all_at_once() {
        let (told, _) = goodbyes(10, Duration::from_secs(6), Duration::from_secs(3));
        assert!(told.iter().all(|at| *at <= Duration::from_millis(100)), "{told:?}");
        let (told, _) = goodbyes(1000, Duration::ZERO, Duration::from_secs(3));
        assert!(told.iter().all(Duration::is_zero));
    }
}
