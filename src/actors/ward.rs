//! An actor that is watched, and built again when it has died.

use crate::metrics::Metrics;

/// One of them.
pub struct Ward {
    /// Its name in logs and counters.
    pub name: &'static str,
    /// Whether it lives.
    pub alive: Box<dyn Fn() -> bool + Send>,
    /// Builds a new one at the end of its line.
    pub rebuild: Box<dyn Fn() + Send>,
}

impl Ward {
    /// Builds a new one where it has died.
    pub fn look_after(&self, metrics: &Metrics) {
        if !(self.alive)() {
            (self.rebuild)();
            metrics.actors.restarts.get_or_create(&[("actor", self.name)]).inc();
            log::error!(target: "notifications", "actor={} event=rebuilt it had died", self.name);
        }
    }
}
