//! `GET /actors`: each kind of actor, what its mailbox has been through, and what to do about it.
//!
//! Times are seconds, as in the metrics. `recent` is about the last minute, everything else about the time since the start.

use std::{sync::Arc, time::Duration};

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::Serialize;

use super::{admin::Readiness, answer::json};
use crate::metrics::{
    Metrics,
    advice::{Seen, advise},
    histogram::Snapshot,
    window::{EVERY, LOOKS, View, Window},
};

/// One kind of actor, as an operator sees it.
pub struct ActorKind {
    /// What its mailboxes have been through.
    pub window: Arc<Window>,
    /// How many of them live.
    pub living: Box<dyn Fn() -> usize + Send + Sync>,
}

#[derive(Serialize)]
struct Page {
    uptime_s: f64,
    window_s: f64,
    /// How many seconds of `recent.peaks` there were, since the start: whoever asks twice knows which of them are new.
    looks: u64,
    /// As `/readyz` tells them: none, and it is ready.
    reasons: Vec<&'static str>,
    warnings: Vec<&'static str>,
    connections: i64,
    /// Live entries, each time for one reader, since the start.
    delivered: u64,
    broadcasts: Broadcasts,
    actors: Vec<ActorState>,
}

/// Since the start: whoever asks twice has what came in between.
#[derive(Serialize)]
struct Broadcasts {
    count: u64,
    seconds: f64,
}

#[derive(Serialize)]
struct ActorState {
    actor: &'static str,
    key: String,
    mailbox: usize,
    when_full: &'static str,
    living: usize,
    restarts: u64,
    panics: u64,
    depth: u64,
    high_water: usize,
    handled: u64,
    refused: u64,
    recent: RecentState,
    recommendation: Recommendation,
}

#[derive(Serialize)]
struct RecentState {
    /// The most messages in one mailbox in each second, oldest first.
    peaks: Vec<usize>,
    handled: u64,
    refused: u64,
    waiting: Times,
    handling: Times,
}

#[derive(Serialize)]
struct Times {
    mean: f64,
    p50: f64,
    p99: f64,
    max: f64,
}

#[derive(Serialize)]
struct Recommendation {
    verdict: &'static str,
    text: String,
    suggestion: Option<Suggestion>,
}

#[derive(Serialize)]
struct Suggestion {
    key: String,
    value: usize,
}

/// Every kind.
pub async fn page(readiness: web::Data<Readiness>) -> HttpResponse {
    json(StatusCode::OK, &everything(&readiness))
}

/// The same as text.
pub fn snapshot(readiness: &Readiness) -> String {
    // Nothing of it fails to serialise.
    serde_json::to_string(&everything(readiness)).unwrap_or_default()
}

fn everything(readiness: &Readiness) -> Page {
    let actors = readiness.actors.iter().map(|kind| state(kind, &readiness.metrics)).collect();
    let streams = &readiness.metrics.streams;
    let (reasons, warnings) = readiness.judge();
    let broadcasts = streams.broadcast_duration.snapshot();
    Page {
        uptime_s: readiness.started.elapsed().as_secs_f64(),
        looks: readiness.actors.first().map_or(0, |kind| kind.window.looks()),
        window_s: (EVERY * LOOKS as u32).as_secs_f64(),
        reasons,
        warnings,
        connections: streams.connections.get(),
        delivered: streams.deliveries.delivered.get(),
        broadcasts: Broadcasts { count: broadcasts.count(), seconds: broadcasts.total().as_secs_f64() },
        actors,
    }
}

fn state(actor: &ActorKind, metrics: &Metrics) -> ActorState {
    let (kind, view) = (actor.window.kind(), actor.window.view());
    let key = format!("mailbox.{}", kind.name);
    let label = [("actor", kind.name)];
    let advice = advise(Seen {
        capacity: kind.capacity(),
        trial: actor.window.trial(),
        wait: view.waiting.quantile(0.99).min(view.longest_wait),
    });
    ActorState {
        actor: kind.name,
        mailbox: kind.capacity(),
        when_full: when_full(kind.name),
        living: (actor.living)(),
        restarts: metrics.actors.restarts.get(&label).map_or(0, |count| count.get()),
        panics: metrics.actors.panics.get(&label).map_or(0, |count| count.get()),
        depth: kind.depth(),
        high_water: kind.high_water(),
        handled: kind.handling().snapshot().count(),
        refused: kind.refused(),
        recent: recent(view),
        recommendation: Recommendation {
            verdict: advice.verdict.label(),
            text: advice.text + &beside(kind.name, metrics),
            suggestion: advice.value.map(|value| Suggestion { key: key.clone(), value }),
        },
        key,
    }
}

fn recent(view: View) -> RecentState {
    RecentState {
        handled: view.handling.count(),
        refused: view.refused,
        waiting: times(&view.waiting, view.longest_wait),
        handling: times(&view.handling, view.longest_handling),
        peaks: view.peaks,
    }
}

/// A quantile is only as exact as its bounds, so it is never told to be above the longest.
fn times(all: &Snapshot, longest: Duration) -> Times {
    let quantile = |part| all.quantile(part).min(longest).as_secs_f64();
    Times { mean: all.mean().as_secs_f64(), p50: quantile(0.5), p99: quantile(0.99), max: longest.as_secs_f64() }
}

/// What else holds back readers of this kind of actor: a session waits for its reader in a queue that is not its mailbox.
fn beside(actor: &str, metrics: &Metrics) -> String {
    match (actor, metrics.streams.queue_overflows.get()) {
        ("session", overflows @ 1..) => format!("; full queues of readers: {overflows}, see `stream.queue_size`"),
        _ => String::new(),
    }
}

/// As in `actors.md`.
fn when_full(actor: &str) -> &'static str {
    match actor {
        "webhook_handler" => "the webhook is answered 503 with `Retry-After`",
        "archivist" => "the webhook, or the command, is answered 503 with `Retry-After`; results of screenings are always taken",
        "screener" => "the wake-up is dropped; the next tick looks into the store",
        "broadcaster" => "the message is dropped; the hole is noticed by contiguity and read from the store",
        "courier" => "the oldest that wait are dropped; other nodes read them from the store",
        "relay" => {
            "the broadcast is dropped for this thread; its sessions notice by contiguity and read from memory or the store"
        }
        "session" => {
            "an outbox that is full takes no live frame; its session catches up from memory or the store; nobody is cut off for being slow"
        }
        "session_supervisor" => "a new stream is answered 503 with `Retry-After`; goodbyes are always taken",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_full_mailbox_is_what_the_page_says() {
        let rows = include_str!("../../actors.md").lines().filter(|line| line.contains("| `src/actors/"));
        let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
        let told = cells.map(|cells| assert_eq!(when_full(cells[1]), cells[8], "{}", cells[1]));
        assert_eq!(told.count(), 8);
    }
}
