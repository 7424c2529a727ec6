//! Health and metrics, for operators and their load balancers; never on the public listener.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::Serialize;

use super::answer::json;
use crate::{actors::archivist::StoreHealth, metrics::Metrics};

/// What readiness is made of.
pub struct Readiness {
    /// Set when the ordered stop begins.
    pub stopping: AtomicBool,
    /// Whether the last commit worked.
    pub store: Arc<StoreHealth>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Every kind of actor.
    pub actors: Vec<ActorKind>,
}

/// One kind of actor, as an operator sees it.
pub struct ActorKind {
    /// Its name, that of its mailbox key.
    pub name: &'static str,
    /// What its mailbox is configured to hold.
    pub mailbox: usize,
    /// How many of them live.
    pub living: Box<dyn Fn() -> usize + Send + Sync>,
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<&'static str>,
}

#[derive(Serialize)]
struct ActorState {
    actor: &'static str,
    mailbox: usize,
    living: usize,
    restarts: u64,
}

/// Each kind of actor: what its mailbox holds, how many live, how often one was rebuilt.
pub async fn actors(readiness: web::Data<Readiness>) -> HttpResponse {
    let state = |kind: &ActorKind| ActorState {
        actor: kind.name,
        mailbox: kind.mailbox,
        living: (kind.living)(),
        restarts: readiness.metrics.actor_restarts.get(&[("actor", kind.name)]).map_or(0, |count| count.get()),
    };
    let states: Vec<ActorState> = readiness.actors.iter().map(state).collect();
    json(StatusCode::OK, &serde_json::json!({ "actors": states }))
}

/// Alive: the process answers.
pub async fn healthz() -> HttpResponse {
    json(StatusCode::OK, &Health { status: "ok", reasons: Vec::new() })
}

/// Ready: webhooks are kept and streams are opened. 503 with the reasons where they are not.
pub async fn readyz(readiness: web::Data<Readiness>) -> HttpResponse {
    let mut reasons = Vec::new();
    if readiness.stopping.load(Ordering::Relaxed) {
        reasons.push("stopping");
    }
    if !readiness.store.load(Ordering::Relaxed) {
        reasons.push("store_failing");
    }
    if reasons.is_empty() {
        json(StatusCode::OK, &Health { status: "ready", reasons })
    } else {
        json(StatusCode::SERVICE_UNAVAILABLE, &Health { status: "not_ready", reasons })
    }
}

/// Everything that is counted, OpenMetrics text.
pub async fn metrics(readiness: web::Data<Readiness>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(readiness.metrics.to_text())
}
