//! A rate for each address, over a bounded number of addresses.
//!
//! Of two halves of memory one is filled while the other is asked; when it is full the other one is emptied and they change places. So an
//! address is forgotten only when as many others as one half holds were seen since, and nothing ever walks over all of them.

use std::{
    collections::HashMap,
    net::IpAddr,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, MonotonicClock},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::StateStore,
};

/// How often each address may do something.
pub struct Rate<C: Clock = MonotonicClock>(RateLimiter<IpAddr, Halves, C, NoOpMiddleware<C::Instant>>);

impl Rate {
    /// So many a second over time, so many at once, for at most so many addresses; none where `per_second` is 0.
    pub fn new(per_second: usize, burst: usize, addresses: usize) -> Option<Self> {
        Self::with_clock(per_second, burst, addresses, MonotonicClock)
    }
}

impl<C: Clock> Rate<C> {
    fn with_clock(per_second: usize, burst: usize, addresses: usize, clock: C) -> Option<Self> {
        let positive = |number| u32::try_from(number).ok().and_then(NonZeroU32::new);
        let quota = Quota::per_second(positive(per_second)?).allow_burst(positive(burst)?);
        Some(Self(RateLimiter::new(quota, Halves::new(addresses), clock)))
    }

    /// Once more for this address, or how long it must wait for that.
    pub fn check(&self, address: IpAddr) -> Result<(), Duration> {
        self.0.check_key(&address).map_err(|refused| refused.wait_time_from(self.0.clock().now()))
    }
}

struct Halves {
    most: usize,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    filled: HashMap<IpAddr, Nanos>,
    asked: HashMap<IpAddr, Nanos>,
}

impl Halves {
    fn new(addresses: usize) -> Self {
        Self { most: (addresses / 2).max(1), memory: Mutex::default() }
    }
}

impl StateStore for Halves {
    type Key = IpAddr;

    fn measure_and_replace<T, F, E>(&self, address: &IpAddr, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let known = memory.filled.get(address).or_else(|| memory.asked.get(address)).copied();
        let (outcome, now) = match measure(known) {
            Ok((outcome, now)) => (Ok(outcome), Some(now)),
            // It was seen, too: a flood must not be forgotten while it goes on.
            Err(refused) => (Err(refused), known),
        };
        if let Some(now) = now {
            memory.filled.insert(*address, now);
            if memory.filled.len() >= self.most {
                memory.asked = std::mem::take(&mut memory.filled);
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn a_burst_passes_then_so_many_a_second_and_each_address_for_itself() {
        assert!(Rate::new(0, 5, 10).is_none(), "no limit");
        let clock = FakeRelativeClock::default();
        let rate = Rate::with_clock(2, 5, 10, clock.clone()).unwrap();
        assert!((0..5).all(|_| rate.check(address(1)).is_ok()));
        assert_eq!(rate.check(address(1)), Err(Duration::from_millis(500)));
        assert!(rate.check(address(2)).is_ok());
        clock.advance(Duration::from_millis(500));
        assert!(rate.check(address(1)).is_ok());
        assert!(rate.check(address(1)).is_err());
    }

    #[test]
    fn however_many_addresses_come_only_so_many_are_remembered_and_a_flood_is() {
        let rate = Rate::with_clock(1, 1, 100, FakeRelativeClock::default()).unwrap();
        assert!(rate.check(address(0)).is_ok());
        for other in 1..10_000 {
            assert!(rate.check(address(other)).is_ok(), "never seen");
            if other % 40 == 0 {
                assert!(rate.check(address(0)).is_err(), "seen again and again");
            }
        }
        assert!(rate.check(address(1)).is_ok(), "forgotten");
        let memory = rate.0.into_state_store().memory.into_inner().unwrap();
        assert!(memory.filled.len() + memory.asked.len() <= 100);
    }
}
