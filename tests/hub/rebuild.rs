//! Actors that die are built again, and nobody outside notices more than a refused webhook.

use std::time::{Duration, Instant};

use lookout::actors::line::Stop;

use crate::support::{Hub, USER, event};

/// Posts until the webhook is acknowledged: while an actor is being rebuilt it may be refused, and only that.
fn post_until_kept(hub: &Hub, id: &str) {
    let patience = Instant::now();
    loop {
        let answer = hub.post(event("test_user|false", id));
        if answer.status() == 200 {
            return;
        }
        answer.assert_error(503);
        assert!(patience.elapsed() < Duration::from_secs(10), "the pipeline comes back");
    }
}

fn dies_and_comes_back(actor: &str, kill: impl Fn(&Hub)) {
    let hub = Hub::start();
    let mut reader = hub.reader(USER);
    for round in 1..=3 {
        kill(&hub);
        hub.wait_for_metric(&format!("lookout_actor_restarts_total{{actor=\"{actor}\"}}"), f64::from(round));
        let id = format!("{actor}-{round}");
        post_until_kept(&hub, &id);
        assert_eq!(reader.notification().json["data"]["event"]["id"], id, "the open stream goes on");
        let mut another = hub.reader(USER);
        post_until_kept(&hub, &format!("{id}-again"));
        for reader in [&mut reader, &mut another] {
            assert_eq!(reader.notification().json["data"]["event"]["id"], format!("{id}-again"));
        }
    }
}

#[test]
fn a_dead_webhook_handler_is_rebuilt() {
    dies_and_comes_back("webhook_handler", |hub| hub.lines().webhook_handler.send(Stop));
}

#[test]
fn a_dead_archivist_is_rebuilt() {
    dies_and_comes_back("archivist", |hub| hub.lines().archivist.send(Stop));
}

#[test]
fn a_dead_broadcaster_is_rebuilt() {
    dies_and_comes_back("broadcaster", |hub| hub.lines().broadcaster.send(Stop));
}

#[test]
fn a_dead_session_supervisor_is_rebuilt_and_still_counts() {
    dies_and_comes_back("session_supervisor", |hub| {
        hub.lines().session_supervisor.send(Stop);
        assert!(hub.metric("lookout_connections") >= 1.0);
    });
}

#[test]
fn a_dead_relay_is_rebuilt_with_its_sessions() {
    let hub = Hub::start();
    // One reader on each worker thread, so that both relays have somebody to lose.
    let mut readers = [hub.reader(USER), hub.reader(USER)];
    for relay in hub.lines().relays.load().iter() {
        relay.send(Stop);
    }
    hub.wait_for_metric("lookout_actor_restarts_total{actor=\"relay\"}", 2.0);
    hub.post_kept(event("test_user|false", "behind"));
    for reader in &mut readers {
        assert_eq!(reader.notification().json["data"]["event"]["id"], "behind");
    }
}

#[test]
fn a_dead_screener_is_rebuilt_and_settles_what_was_open() {
    let hub = Hub::start();
    let mut reader = hub.reader(USER);
    hub.lines().screener.send(Stop);
    hub.post_kept(event("test_user|true", "open meanwhile"));
    hub.wait_for_metric("lookout_actor_restarts_total{actor=\"screener\"}", 1.0);
    assert_eq!(reader.notification().json["data"]["screening_results"]["status"], "done");
}
