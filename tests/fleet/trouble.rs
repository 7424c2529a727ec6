//! Kills servers and starts them again, each in a rhythm of its own, so that every pair of outages meets in time.

use std::{ops::Range, time::Duration};

use fastrand::Rng;
use tokio::{
    task::block_in_place,
    time::{Instant, sleep},
};

use crate::{
    node::Node,
    servers::{Mongod, Redis},
};

/// A server that is killed.
pub trait Victim: Send + 'static {
    /// How long it runs before it is killed, milliseconds.
    const RUNS: Range<u64>;

    /// Ends it at once.
    fn kill(&mut self);

    /// Starts it again.
    fn start(&mut self, rng: &mut Rng);

    /// Looks after it while it runs.
    fn look_after(&mut self) {}
}

/// Kills it again and again until this moment; it runs in the end. Gives how often it was killed.
pub async fn torment<V: Victim>(mut victim: V, mut rng: Rng, until: Instant) -> (V, usize) {
    let mut kills = 0;
    loop {
        let killed = Instant::now() + Duration::from_millis(rng.u64(V::RUNS));
        while Instant::now() < killed {
            if Instant::now() > until {
                return (victim, kills);
            }
            victim.look_after();
            sleep(Duration::from_millis(100)).await;
        }
        block_in_place(|| victim.kill());
        kills += 1;
        sleep(Duration::from_millis(rng.u64(0..3000))).await;
        block_in_place(|| victim.start(&mut rng));
    }
}

impl Victim for Node {
    const RUNS: Range<u64> = 3000..20_000;

    fn kill(&mut self) {
        self.look_after();
        self.kill9();
    }

    fn start(&mut self, _rng: &mut Rng) {
        Node::start(self);
    }

    fn look_after(&mut self) {
        self.keep_up();
    }
}

impl Victim for Mongod {
    const RUNS: Range<u64> = 5000..25_000;

    fn kill(&mut self) {
        self.kill9();
    }

    fn start(&mut self, _rng: &mut Rng) {
        self.restart();
    }
}

/// Redis, and how often it has lost its data.
pub struct ForgetfulRedis {
    /// The server.
    pub redis: Redis,
    /// Restarts without data.
    pub losses: usize,
}

impl Victim for ForgetfulRedis {
    const RUNS: Range<u64> = 3000..15_000;

    fn kill(&mut self) {
        self.redis.kill9();
    }

    fn start(&mut self, rng: &mut Rng) {
        if rng.bool() {
            self.losses += 1;
            self.redis.restart_empty();
        } else {
            self.redis.restart();
        }
    }
}
