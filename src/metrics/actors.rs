//! Every kind of actor, labelled `actor`: how often one was rebuilt, and what its mailboxes have been through.

use std::{
    fmt::Error,
    sync::{Arc, atomic::AtomicU64},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{
        MetricType,
        counter::ConstCounter,
        gauge::{ConstGauge, Gauge},
    },
    registry::{Registry, Unit},
};

use super::{
    mailbox::Kind,
    register::{Labelled, labelled},
};
use crate::config;

/// Every kind of actor, in the order of the pipeline.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "each is the kind of that name")]
pub struct Actors {
    pub webhook_handler: Arc<Kind>,
    pub archivist: Arc<Kind>,
    pub screener: Arc<Kind>,
    pub broadcaster: Arc<Kind>,
    pub courier: Arc<Kind>,
    pub relay: Arc<Kind>,
    pub session: Arc<Kind>,
    pub session_supervisor: Arc<Kind>,
    /// Actors rebuilt after their death.
    pub restarts: Labelled,
    /// Messages whose handling panicked.
    pub panics: Labelled,
    /// Since the last canary that came through was sent, set when it is asked for; 0 where none are sent.
    pub canary_age_seconds: Gauge<f64, AtomicU64>,
}

impl Actors {
    /// With mailboxes of these sizes.
    pub(super) fn register(to: &mut Registry, mailbox: &config::Mailbox) -> Self {
        let actors = Self {
            webhook_handler: Kind::new("webhook_handler", mailbox.webhook_handler),
            archivist: Kind::new("archivist", mailbox.archivist),
            screener: Kind::new("screener", mailbox.screener),
            broadcaster: Kind::new("broadcaster", mailbox.broadcaster),
            courier: Kind::new("courier", mailbox.courier),
            relay: Kind::new("relay", mailbox.relay),
            session: Kind::new("session", mailbox.session),
            session_supervisor: Kind::new("session_supervisor", mailbox.session_supervisor),
            restarts: labelled(to, "actor_restarts", "Actors rebuilt after their death", "actor", &[]),
            panics: labelled(to, "actor_panics", "Messages whose handling panicked", "actor", &[]),
            canary_age_seconds: Gauge::default(),
        };
        let help = "Since the last canary that came through was sent";
        to.register("canary_age_seconds", help, actors.canary_age_seconds.clone());
        for kind in actors.all() {
            drop(actors.restarts.get_or_create(&[("actor", kind.name)]));
            drop(actors.panics.get_or_create(&[("actor", kind.name)]));
        }
        to.register_collector(Box::new(actors.clone()));
        actors
    }

    /// Whoever is built from now on has a mailbox of this size.
    pub fn resize(&self, sizes: &config::Mailbox) {
        self.webhook_handler.set_capacity(sizes.webhook_handler);
        self.archivist.set_capacity(sizes.archivist);
        self.screener.set_capacity(sizes.screener);
        self.broadcaster.set_capacity(sizes.broadcaster);
        self.courier.set_capacity(sizes.courier);
        self.relay.set_capacity(sizes.relay);
        self.session.set_capacity(sizes.session);
        self.session_supervisor.set_capacity(sizes.session_supervisor);
    }

    fn all(&self) -> [&Arc<Kind>; 8] {
        [
            &self.webhook_handler,
            &self.archivist,
            &self.screener,
            &self.broadcaster,
            &self.courier,
            &self.relay,
            &self.session,
            &self.session_supervisor,
        ]
    }

    fn family<M: EncodeMetric>(
        &self,
        encoder: &mut DescriptorEncoder,
        (name, help, unit, of): (&str, &str, Option<Unit>, MetricType),
        figure: impl Fn(&Kind) -> M,
    ) -> Result<(), Error> {
        let mut family = encoder.encode_descriptor(name, help, unit.as_ref(), of)?;
        for kind in self.all() {
            figure(kind).encode(family.encode_family(&[("actor", kind.name)])?)?;
        }
        Ok(())
    }
}

impl Collector for Actors {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), Error> {
        use MetricType::{Counter, Gauge, Histogram};
        let gauge = |number: usize| ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX));
        let to = &mut encoder;
        let mailbox = ("actor_mailbox_depth", "Messages that wait, in all mailboxes of a kind.", None, Gauge);
        self.family(to, mailbox, |kind| gauge(usize::try_from(kind.depth()).unwrap_or(usize::MAX)))?;
        let capacity = ("actor_mailbox_capacity", "Messages that one mailbox is configured to hold.", None, Gauge);
        self.family(to, capacity, |kind| gauge(kind.capacity()))?;
        let high_water =
            ("actor_mailbox_high_water", "The most messages that waited in one mailbox at once since the start.", None, Gauge);
        self.family(to, high_water, |kind| gauge(kind.high_water()))?;
        let refused = ("actor_refused", "Messages that found a full mailbox.", None, Counter);
        self.family(to, refused, |kind| ConstCounter::new(kind.refused()))?;
        let wait = ("actor_wait", "How long messages waited in a mailbox.", Some(Unit::Seconds), Histogram);
        self.family(to, wait, |kind| kind.waiting().clone())?;
        let handling = ("actor_handling", "How long an actor was busy with one message.", Some(Unit::Seconds), Histogram);
        self.family(to, handling, |kind| kind.handling().clone())
    }
}
