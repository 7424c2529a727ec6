//! The hub seen from the wire: the real App, or the real binary, and clients that behave well, badly or not at all.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

mod actors;
mod actors_live;
mod admin;
mod asking;
mod audit;
mod canary;
mod check;
mod cors;
mod crash;
mod dead_letters;
mod deploy;
mod flood;
mod history;
mod hostile;
mod house;
mod jwt;
mod limits;
mod logs;
mod metrics;
mod overflow;
mod page;
mod patience;
mod payloads;
#[cfg(feature = "server-tests")]
mod promtool;
mod rebuild;
mod reload;
mod replay;
mod requests;
mod screening;
mod secrets;
#[cfg(feature = "server-tests")]
#[path = "../servers/mod.rs"]
#[allow(dead_code, unused_imports, reason = "not every target needs every server")]
mod servers;
mod signature;
mod stop;
mod stream;
mod strictness;
mod systemd;
mod tls;
mod transfer;
mod users;
mod version;
mod webhook;
