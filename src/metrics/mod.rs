//! What Lookout counts about itself, as Prometheus reads it. `docs/metrics.md` lists all of it.
//!
//! One value, cloned by reference into every actor: no registry look-up on any path.

pub mod actors;
pub mod advice;
pub mod bus;
pub mod door;
pub mod histogram;
pub mod mailbox;
mod register;
pub mod screening;
pub mod store;
pub mod streams;
mod text;
pub mod webhooks;
pub mod window;

use prometheus_client::{encoding::text::encode, registry::Registry};

use crate::config;

pub use register::{Labelled, LabelledTimes};

/// Everything that is counted, by subject.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Streams, and what is sent on them.
    pub streams: streams::Streams,
    /// Webhooks, up to the store.
    pub webhooks: webhooks::Webhooks,
    /// Limits and who is kept out.
    pub door: door::Door,
    /// Commits.
    pub store: store::Store,
    /// Screenings and watch-lists.
    pub screening: screening::Screening,
    /// The bus between nodes.
    pub bus: bus::Bus,
    /// Actors and their mailboxes.
    pub actors: actors::Actors,
}

impl Metrics {
    /// All at zero, for actors with mailboxes of these sizes.
    pub fn new(mailbox: &config::Mailbox) -> Self {
        let mut registry = Registry::with_prefix("lookout");
        Self {
            streams: streams::Streams::register(&mut registry),
            webhooks: webhooks::Webhooks::register(&mut registry),
            door: door::Door::register(&mut registry),
            store: store::Store::register(&mut registry),
            screening: screening::Screening::register(&mut registry),
            bus: bus::Bus::register(&mut registry),
            actors: actors::Actors::register(&mut registry, mailbox),
            registry,
        }
    }

    /// Everything as OpenMetrics text.
    pub fn to_openmetrics(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// Everything in the older text form of Prometheus, for what does not read the newer one.
    pub fn to_prometheus(&self) -> String {
        text::prometheus(&self.to_openmetrics())
    }
}
