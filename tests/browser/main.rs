//! The test client in a real browser against the real server: what a person sees, not what the page intends.

// All of this target is test code; clippy itself spares only what stands inside a `#[test]`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod actors;
mod chromium;
mod connection;
mod origins;
mod rows;
mod server;

use std::time::{Duration, Instant};

/// Asks again and again until it is so. Fails with what it waited for.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so().await {
        assert!(Instant::now() < deadline, "not so in 30 s: {what}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}
