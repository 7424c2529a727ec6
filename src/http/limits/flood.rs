//! Keeps a flood of refusals from becoming a flood of log lines.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Between two lines of the same kind.
const PAUSE: Duration = Duration::from_secs(1);

/// The lines of one kind.
#[derive(Debug, Default)]
pub struct Flood(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    last: Option<Instant>,
    unlogged: u64,
}

impl Flood {
    /// Whether a line may be written now; if so, how many were not since the last one.
    pub fn tell(&self, now: Instant) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.last.is_some_and(|last| now.saturating_duration_since(last) < PAUSE) {
            told.unlogged += 1;
            return None;
        }
        told.last = Some(now);
        Some(std::mem::take(&mut told.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_says_how_many_others_there_were() {
        let (flood, start) = (Flood::default(), Instant::now());
        let told: Vec<_> = (0..25).filter_map(|tenth| flood.tell(start + Duration::from_millis(100 * tenth))).collect();
        assert_eq!(told, [0, 9, 9]);
    }
}
