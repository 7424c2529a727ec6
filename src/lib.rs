//! Lookout: maritime zone and port events from a webhook to browser dashboards, screened, never lost, in one order.
//!
//! `webhook -> ingest -> store (durable, then 2xx) -> screening -> log position -> broadcast -> session -> socket`
//!
//! Arrows between the modules point down only:
//! `main → app → http → actors → {screening, store, sanitize, metrics} → notification → {config, error}`.

pub mod app;
pub mod config;
pub mod notification;
pub mod sanitize;
pub mod screening;
pub mod store;
