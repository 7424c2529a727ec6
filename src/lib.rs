//! Lookout: maritime zone and port events from a webhook to browser dashboards, screened, never lost, in one order.
//!
//! `webhook -> ingest -> store (durable, then 2xx) -> screening -> log position -> broadcast -> session -> socket`
//!
//! Arrows between the modules point down only:
//! `main → app → http → actors → {screening, store, cluster, sanitize, metrics} → notification → {config, error}`, and
//! `main → commands → store`.

pub mod actors;
pub mod app;
pub mod cluster;
pub mod commands;
pub mod config;
pub mod error;
pub mod http;
pub mod logging;
pub mod metrics;
pub mod notification;
pub mod pages;
pub mod sanitize;
pub mod screening;
pub mod shutdown;
pub mod store;
pub mod systemd;
