//! How metrics come into the registry: each of them can be seen from the start, so that a rate over its first event is right.

use prometheus_client::{
    encoding::EncodeMetric,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::histogram::{Histogram, PATIENT};

/// A family with one label whose values are all known in the source, so that its size is bounded.
pub type Labelled = Family<[(&'static str, &'static str); 1], Counter>;

/// The same of times.
pub type LabelledTimes = Family<[(&'static str, &'static str); 1], Histogram, fn() -> Histogram>;

/// Registers a metric.
pub(super) fn add<M>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M
where
    M: EncodeMetric + Clone + Send + Sync + std::fmt::Debug + 'static,
{
    registry.register(name, help, metric.clone());
    metric
}

/// Registers a counter.
pub(super) fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    add(registry, name, help, Counter::default())
}

/// Registers a gauge.
pub(super) fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    add(registry, name, help, Gauge::default())
}

/// Registers a counter with a label; these values begin at zero.
pub(super) fn labelled(
    registry: &mut Registry,
    name: &str,
    help: &str,
    label: &'static str,
    values: &[&'static str],
) -> Labelled {
    let family = add(registry, name, help, Labelled::default());
    for value in values {
        drop(family.get_or_create(&[(label, *value)]));
    }
    family
}

/// Registers times that somebody waits for, with a label.
pub(super) fn labelled_times(registry: &mut Registry, name: &str, help: &str) -> LabelledTimes {
    let family = Family::new_with_constructor((|| Histogram::of_times(PATIENT)) as fn() -> Histogram);
    add(registry, name, help, family)
}

/// Registers a histogram.
pub(super) fn histogram(registry: &mut Registry, name: &str, help: &str, histogram: Histogram) -> Histogram {
    add(registry, name, help, histogram)
}
