//! The actors, one file each, and the plain types that decide for them.
//!
//! An actor here only receives, asks a plain type and passes on. How they hang together, who bounds what and what happens
//! when something is full or dies stands in `actors.md`.

pub mod aboard;
pub mod ahead;
pub mod archivist;
pub mod auditor;
pub mod bag;
pub mod broadcaster;
pub mod buried;
pub mod canary;
pub mod canary_keeper;
pub mod courier;
pub mod echo;
pub mod farewell;
pub mod intake;
pub mod ledger;
pub mod left;
pub mod line;
pub mod lines;
pub mod link;
pub mod looks;
pub mod loopback;
pub mod mailbox;
pub mod outbox;
pub mod progress;
pub mod recent;
pub mod registry;
pub mod relay;
mod reply;
pub mod resize;
pub mod resume;
pub mod screener;
pub mod session;
pub mod session_supervisor;
pub mod stall;
pub mod users;
pub mod ward;
pub mod webhook_handler;
pub mod wire;
