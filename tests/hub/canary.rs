//! Readiness that tells the truth: whichever stage of the flow stands still is named, and nobody meets what finds that out.

use std::time::{Duration, Instant};

use actix::{Actor, Context, Handler};
use lookout::{
    actors::{
        line::{Line, Stop},
        lines::Lines,
    },
    notification::position::Position,
};
use serde_json::json;
use tokio::sync::oneshot;

use crate::support::{Hold, Hub, Server, Setup, USER, event, hold, wait_for};

const INTERVAL: Duration = Duration::from_millis(500);
/// What a busy machine may add to the two intervals.
const LATE: Duration = Duration::from_millis(500);

fn start() -> Hub {
    let hub = Setup::new().with(|config| config.admin.canary_interval = Some(INTERVAL)).start();
    wait_for("a canary to come through", || came_through(&hub).then_some(()));
    hub
}

/// Whether the last one that came through was sent a moment ago.
fn came_through(hub: &Hub) -> bool {
    hub.metric("lookout_canary_age_seconds") < INTERVAL.as_secs_f64() / 2.0
}

/// The reasons of readiness; none where it is ready.
fn reasons(hub: &Hub) -> Vec<String> {
    let answer = hub.admin("/readyz");
    let json = answer.json();
    let reasons = json["reasons"].as_array().map(|reasons| reasons.iter().map(|reason| reason.as_str().unwrap().to_owned()));
    let reasons: Vec<_> = reasons.into_iter().flatten().collect();
    assert_eq!(answer.status(), if reasons.is_empty() { 200 } else { 503 }, "{json}");
    reasons
}

fn held_it_is_named<A>(reason: &str, line: impl Fn(&Lines) -> Line<A>)
where
    A: Actor<Context = Context<A>> + Handler<Hold>,
{
    let hub = start();
    for _ in 0..2 {
        let held: oneshot::Sender<()> = hold(&line(hub.lines()));
        let since = Instant::now();
        let named = wait_for("a reason", || Some(reasons(&hub)).filter(|reasons| !reasons.is_empty()));
        assert!(since.elapsed() < 2 * INTERVAL + LATE, "{:?}", since.elapsed());
        assert_eq!(named, [reason]);
        assert_eq!(hub.admin("/actors").json()["reasons"], json!([reason]), "the page of the actors says the same");
        assert_eq!(hub.admin("/healthz").status(), 200, "it lives");
        assert!(hub.metric("lookout_canary_age_seconds") >= 2.0 * INTERVAL.as_secs_f64());
        drop(held);
        wait_for("readiness", || reasons(&hub).is_empty().then_some(()));
        wait_for("a canary to come through", || came_through(&hub).then_some(()));
    }
}

#[test]
fn a_webhook_handler_that_stands_still_is_named() {
    held_it_is_named("ingest_stuck", |lines| lines.webhook_handler.clone());
}

#[test]
fn an_archivist_that_stands_still_is_named() {
    held_it_is_named("store_stuck", |lines| lines.archivist.clone());
}

#[test]
fn a_screener_that_stands_still_is_named() {
    held_it_is_named("screening_stuck", |lines| lines.screener.clone());
}

#[test]
fn a_broadcaster_that_stands_still_is_named() {
    held_it_is_named("broadcaster_stuck", |lines| lines.broadcaster.clone());
}

#[test]
fn one_relay_of_several_that_stands_still_is_named() {
    held_it_is_named("relay_stuck", |lines| lines.relays.load().last().unwrap().clone());
}

#[test]
fn a_session_supervisor_that_stands_still_is_named() {
    held_it_is_named("session_stuck", |lines| lines.session_supervisor.clone());
}

#[test]
fn actors_that_die_and_are_rebuilt_do_not_cost_readiness() {
    let hub = Setup::new().with(|config| config.admin.canary_interval = Some(Duration::from_secs(2))).start();
    let lines = hub.lines();
    wait_for("both relays", || (lines.relays.load().len() == 2).then_some(()));
    for round in 1..=4 {
        lines.webhook_handler.send(Stop);
        lines.screener.send(Stop);
        lines.broadcaster.send(Stop);
        lines.relays.load().iter().for_each(|relay| relay.send(Stop));
        hub.wait_for_metric("lookout_actor_restarts_total", f64::from(5 * round));
        assert_eq!(reasons(&hub), [""; 0]);
    }
    wait_for("a canary to come through", || came_through(&hub).then_some(()));
}

#[test]
fn without_canaries_nothing_is_sent_and_the_node_is_ready() {
    let hub = Setup::new().with(|config| config.admin.canary_interval = None).start();
    let _held = hold(&hub.lines().broadcaster);
    assert_eq!((reasons(&hub).len(), hub.metric("lookout_canary_age_seconds")), (0, 0.0));
}

#[test]
fn nobody_meets_a_canary() {
    let server =
        Server::start(&[("ADMIN__CANARY_INTERVAL", "100ms"), ("STREAM__HEARTBEAT_INTERVAL", "200s"), ("SERVER__WORKERS", "2")]);
    let mut reader = server.reader(USER);
    let origin = reader.start.clone();
    let mut canaries = 0;
    for round in 0..3 {
        server.post_kept(event("test_user|false", &round.to_string()));
        let mut age = server.metric("lookout_canary_age_seconds");
        for _ in 0..3 {
            wait_for("a canary to come through", || {
                let before = std::mem::replace(&mut age, server.metric("lookout_canary_age_seconds"));
                (age < before).then_some(())
            });
            canaries += 1;
        }
    }
    assert_eq!(canaries, 9);
    let seen = reader.notifications(3);
    let places: Vec<u64> = seen.iter().map(|message| message.id.as_ref().unwrap().parse::<Position>().unwrap().n).collect();
    assert_eq!(places, [1, 2, 3], "no place of the log is taken");
    assert_eq!(server.history("")["count"], 3);
    let mut again = server.stream(USER).after(&origin).connect();
    assert_eq!(again.notifications(3), seen);
    let exported = server.run(&["export", "-"]).stdout;
    assert!(!String::from_utf8(exported).unwrap().contains("canary"));
    for (metric, value) in [
        ("lookout_connections", 2.0),
        ("lookout_connections_opened_total", 2.0),
        ("lookout_connections_closed_total", 0.0),
        ("lookout_webhook_answers_total", 3.0),
        ("lookout_duplicates_total", 0.0),
        ("lookout_dead_letters_total", 0.0),
        ("lookout_refilled_entries_total", 0.0),
        ("lookout_queue_overflows_total", 0.0),
        ("lookout_store_failures_total", 0.0),
    ] {
        assert_eq!(server.metric(metric), value, "{metric}");
    }
}
