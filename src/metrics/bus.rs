//! The bus between nodes.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use super::{
    histogram::{Histogram, PATIENT},
    register::{Labelled, counter, gauge, histogram, labelled},
};

/// Its metrics.
#[derive(Debug)]
pub struct Bus {
    /// 1 where there is a bus to other nodes, up or not: what tells one that is lost from none.
    pub bus_configured: Gauge,
    /// 1 while the bus to other nodes carries in both directions; 0 also where there is none.
    pub bus_connected: Gauge,
    /// Entries sent to other nodes.
    pub bus_published: Counter,
    /// Entries heard over the bus, those of this node included.
    pub bus_received: Counter,
    /// Entries not sent or not passed on, by `cause`; read from the store instead.
    pub bus_dropped: Labelled,
    /// From giving an entry to the bus to hearing it from there, by the clock of one node alone.
    pub bus_lag: Histogram,
}

impl Bus {
    pub(super) fn register(to: &mut Registry) -> Self {
        let causes = ["full", "courier_full", "lost", "broadcaster_full", "malformed", "other_epoch"];
        Self {
            bus_configured: gauge(to, "bus_configured", "Whether there is a bus to other nodes, up or not"),
            bus_connected: gauge(to, "bus_connected", "Whether the bus to other nodes carries in both directions"),
            bus_published: counter(to, "bus_published", "Entries sent to other nodes"),
            bus_received: counter(to, "bus_received", "Entries heard over the bus, those of this node included"),
            bus_dropped: labelled(to, "bus_dropped", "Entries of the bus not sent or not passed on", "cause", &causes),
            bus_lag: histogram(
                to,
                "bus_lag_seconds",
                "From giving an entry to the bus to hearing it from there",
                Histogram::of_times(PATIENT),
            ),
        }
    }
}
