//! MongoDB and Redis away, slow, failing, and back: nothing is acknowledged that is not kept, streams stay, all resumes by itself.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod canary;
mod fleet;
mod node;
mod node_died;
mod redis_away;
mod store_away;
mod store_failing;

#[expect(dead_code, unused_imports, reason = "the stories of other targets use the rest")]
#[path = "../servers/mod.rs"]
mod servers;
#[expect(dead_code, unused_imports, reason = "the stories of the other target use the rest")]
#[path = "../hub/support/mod.rs"]
mod support;
