//! `docs/nginx.conf` in the real nginx before real nodes, and what else of the deployment a machine can prove.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod curl;
mod direct;
mod edge;
mod nginx;
mod packaging;
#[expect(dead_code, reason = "databases are killed and frozen, nginx is not")]
#[path = "../servers/process.rs"]
mod process;
mod streams;
#[expect(dead_code, unused_imports, reason = "the stories of the other target use the rest")]
#[path = "../hub/support/mod.rs"]
mod support;
mod tap;
mod webhooks;

use support::Server;

/// Two nodes, each with a store of its own: what is posted to one is seen at that one only.
fn two_nodes(settings: &[(&str, &str)]) -> [Server; 2] {
    [Server::start(settings), Server::start(settings)]
}
