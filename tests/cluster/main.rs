//! Several nodes over one MongoDB and one Redis, seen from the wire: one log in one order, whatever becomes of the bus.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod actors;
mod audit;
mod bus;
mod canary;
mod delivery;
#[expect(dead_code, unused_imports, reason = "the stories of other targets use the rest")]
#[path = "../servers/mod.rs"]
mod servers;
mod sharing;
mod stage;
#[expect(dead_code, unused_imports, reason = "the stories of other targets use the rest")]
#[path = "../hub/support/mod.rs"]
mod support;
mod trouble;
mod users;
