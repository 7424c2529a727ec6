//! How long a run takes and what it draws: `LOOKOUT_FLEET_SECONDS`, and `LOOKOUT_FLEET_SEED` to draw the same again.
//!
//! The seed repeats the choices of a run; its timing stays the machine's.

use std::{str::FromStr, time::Duration};

/// Nodes behind the load balancer.
pub const NODES: usize = 3;
/// Readers, each on one connection at a time.
pub const READERS: usize = 300;
/// Senders, each with one webhook under way at a time.
pub const SENDERS: usize = 6;
/// How long anything may take once every server runs again.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// What the environment asks for.
pub struct Plan {
    /// Where every random choice comes from.
    pub seed: u64,
    /// How long servers are killed and started again.
    pub trouble: Duration,
}

impl Plan {
    /// Two minutes and a seed of its own unless the environment says otherwise.
    pub fn from_environment() -> Self {
        let seed = from_environment("LOOKOUT_FLEET_SEED").unwrap_or_else(|| fastrand::u64(..));
        Self { seed, trouble: Duration::from_secs(from_environment("LOOKOUT_FLEET_SECONDS").unwrap_or(120)) }
    }
}

/// How many readers a rolling restart has; `LOOKOUT_FLEET_READERS`.
pub fn rolling_readers() -> usize {
    from_environment("LOOKOUT_FLEET_READERS").unwrap_or(300)
}

fn from_environment<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text:?}")))
}
