//! The canary that a courier has on its way over the bus.
//!
//! What goes over the bus may get lost, so a canary that does not come back is sent again; it is held until it does.

use super::canary::{Canary, Stage};

/// At most one: no other is sent off while it is under way.
#[derive(Default)]
pub struct Aboard {
    canary: Option<Canary>,
    /// Whether it is to be sent.
    waits: bool,
    /// Whether it was sent since the last [`Self::again`].
    fresh: bool,
}

impl Aboard {
    /// Takes one.
    pub fn put(&mut self, canary: Canary) {
        *self = Self { canary: Some(canary), waits: true, fresh: false };
    }

    /// Whether one is to be sent.
    pub fn waits(&self) -> bool {
        self.waits
    }

    /// What is to be sent now, if anything.
    pub fn take(&mut self) -> Option<u64> {
        let id = self.canary.as_ref().filter(|_| self.waits).map(Canary::id);
        (self.waits, self.fresh) = (false, id.is_some());
        id
    }

    /// A while has passed: has one sent again that has been on its way for all of it.
    pub fn again(&mut self) {
        if !self.fresh {
            self.waits = self.canary.is_some();
        }
        self.fresh = false;
    }

    /// These have come over the bus, those of other nodes among them.
    pub fn heard(&mut self, ids: &[u64]) {
        if self.canary.as_ref().is_some_and(|canary| ids.contains(&canary.id())) {
            self.pass();
        }
    }

    /// It is back, or there is no way that it could go.
    pub fn pass(&mut self) {
        if let Some(canary) = std::mem::take(self).canary {
            canary.pass(Stage::Bus);
        }
    }
}
