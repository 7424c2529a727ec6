//! Sends canaries off, one at a time, and says which stage is stuck.
//!
//! A plain type and not an actor: what watches the actors must not stand in a mailbox itself.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    canary::{Stage, Trip},
    lines::Lines,
};

/// Looks in one interval: so soon is one that got lost followed by another.
const LOOKS: u32 = 8;

/// The keeper.
pub struct CanaryKeeper {
    interval: Duration,
    lines: Arc<Lines>,
    state: Mutex<State>,
}

struct State {
    /// When the last one that came through was sent; at first, when it all began.
    through: Instant,
    under_way: Option<(Instant, Arc<Trip>)>,
    /// What was logged last.
    told: Option<Stage>,
}

impl CanaryKeeper {
    /// A keeper that sends one canary along these lines each `interval` (`admin.canary_interval`).
    pub fn new(interval: Duration, lines: Lines) -> Self {
        let state = State { through: Instant::now(), under_way: None, told: None };
        Self { interval, lines: Arc::new(lines), state: Mutex::new(state) }
    }

    /// Sends them off for ever.
    pub async fn keep(self: Arc<Self>) {
        let mut look = tokio::time::interval(self.interval / LOOKS);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            self.look(Instant::now());
        }
    }

    /// How long ago the last one that came through was sent.
    pub fn age(&self) -> Duration {
        self.state().through.elapsed()
    }

    /// The stage that has held a canary up for so long that two intervals have passed since the last one that came through was sent.
    pub fn stuck(&self) -> Option<Stage> {
        self.state().stuck(Instant::now(), self.interval)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.arrived();
        state
    }

    fn look(&self, now: Instant) {
        let mut state = self.state();
        let stuck = state.stuck(now, self.interval);
        match (stuck, std::mem::replace(&mut state.told, stuck)) {
            (Some(stage), told) if told != Some(stage) => {
                log::error!(target: "notifications", "event=canary_stuck reason={}", stage.reason());
            }
            (None, Some(_)) => log::info!(target: "notifications", "event=canary_back"),
            _ => {}
        }
        let due = match &state.under_way {
            None => now.duration_since(state.through) >= self.interval,
            // One that lies somewhere still is not overtaken: a mailbox that stands still must not fill with them.
            Some((_, trip)) => trip.is_lost(),
        };
        if due {
            state.under_way = Some((now, Trip::begin(&self.lines)));
        }
    }
}

impl State {
    /// Takes note where the one under way is through.
    fn arrived(&mut self) {
        if let Some((sent, trip)) = &self.under_way
            && trip.stage().is_none()
        {
            self.through = *sent;
            self.under_way = None;
        }
    }

    fn stuck(&self, now: Instant, interval: Duration) -> Option<Stage> {
        if now.duration_since(self.through) < 2 * interval {
            return None;
        }
        self.under_way.as_ref().and_then(|(_, trip)| trip.stage())
    }
}
