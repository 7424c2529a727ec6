//! Health and metrics, for operators and their load balancers; never on the public listener.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::{actors::ActorKind, answer::json};
use crate::{
    actors::{archivist::StoreHealth, canary::Stage, canary_keeper::CanaryKeeper},
    metrics::Metrics,
};

/// What readiness is made of.
pub struct Readiness {
    /// When the server began.
    pub started: Instant,
    /// Set when the ordered stop begins.
    pub stopping: AtomicBool,
    /// Whether the last commit worked.
    pub store: Arc<StoreHealth>,
    /// Knows which stage of the flow is stuck; none where `admin.canary_interval` is off.
    pub canary: Option<Arc<CanaryKeeper>>,
    /// Whether there is a bus to other nodes.
    pub has_bus: bool,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Places for webhooks, and how many are free.
    pub webhooks: (usize, Arc<Semaphore>),
    /// Every kind of actor.
    pub actors: Vec<ActorKind>,
}

impl Readiness {
    /// Why the node cannot do its work, and what it can do without.
    pub fn judge(&self) -> (Vec<&'static str>, Vec<&'static str>) {
        let mut reasons = Vec::new();
        if self.stopping.load(Ordering::Relaxed) {
            reasons.push("stopping");
        }
        if !self.store.load(Ordering::Relaxed) {
            reasons.push("store_failing");
        }
        reasons.extend(self.canary.as_ref().and_then(|canary| canary.stuck()).map(Stage::reason));
        let bus_lost = self.has_bus && self.metrics.bus.bus_connected.get() == 0;
        (reasons, if bus_lost { vec!["bus_lost"] } else { Vec::new() })
    }
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'static str>,
}

/// Alive: the process answers.
pub async fn healthz() -> HttpResponse {
    json(StatusCode::OK, &Health { status: "ok", reasons: Vec::new(), warnings: Vec::new() })
}

/// Ready: webhooks are kept, streams are opened, and a canary comes through all of the flow. 503 with the reasons where they are not. A warning is none: without the bus
/// entries of other nodes come later, and nothing else.
pub async fn readyz(readiness: web::Data<Readiness>) -> HttpResponse {
    let (reasons, warnings) = readiness.judge();
    if reasons.is_empty() {
        json(StatusCode::OK, &Health { status: "ready", reasons, warnings })
    } else {
        json(StatusCode::SERVICE_UNAVAILABLE, &Health { status: "not_ready", reasons, warnings })
    }
}

/// Everything that is counted: OpenMetrics for who asks for it, and the older text form, which every tool reads, for everybody else.
pub async fn metrics(request: HttpRequest, readiness: web::Data<Readiness>) -> HttpResponse {
    let (places, free) = &readiness.webhooks;
    let in_flight = places.saturating_sub(free.available_permits());
    let canary_age = readiness.canary.as_ref().map_or(0.0, |canary| canary.age().as_secs_f64());
    readiness.metrics.actors.canary_age_seconds.set(canary_age);
    readiness.metrics.webhooks.webhooks_in_flight.set(i64::try_from(in_flight).unwrap_or(i64::MAX));
    let accepted = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accepted.contains("application/openmetrics-text") {
        return HttpResponse::Ok()
            .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
            .body(readiness.metrics.to_openmetrics());
    }
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(readiness.metrics.to_prometheus())
}
