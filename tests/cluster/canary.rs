//! What readiness says of the bus: one that stands still is named, one that is known to be away is a warning.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    stage::{SOON, Stage, is_on_the_bus},
    support::{Hub, hold, wait_for},
};

const INTERVAL: Duration = Duration::from_millis(500);
/// What a busy machine may add to the two intervals.
const LATE: Duration = Duration::from_millis(700);

fn node(stage: &Stage, interval: Duration) -> Hub {
    let node = stage.node(SOON).with(|config| config.admin.canary_interval = Some(interval)).start();
    is_on_the_bus(&node);
    came_through(&node);
    node
}

fn came_through(node: &Hub) {
    wait_for("a canary to come through", || (node.metric("lookout_canary_age_seconds") < 0.25).then_some(()));
}

fn readiness(node: &Hub) -> (u16, Value) {
    let answer = node.admin("/readyz");
    (answer.status(), answer.json())
}

fn stuck_on_the_bus(node: &Hub, since: Instant) {
    let answer =
        wait_for("a node that is not ready", || Some(readiness(node)).filter(|(status, _)| *status == 503).map(|(_, json)| json));
    assert!(since.elapsed() < 2 * INTERVAL + LATE, "{:?}", since.elapsed());
    assert_eq!(answer["reasons"], json!(["bus_stuck"]));
}

fn ready(node: &Hub) -> Value {
    wait_for("a node that is ready", || Some(readiness(node)).filter(|(status, _)| *status == 200).map(|(_, json)| json))
}

#[test]
fn a_courier_that_stands_still_is_named() {
    let stage = Stage::new();
    let node = node(&stage, INTERVAL);
    for _ in 0..2 {
        let held = hold(node.lines().courier.as_ref().unwrap());
        stuck_on_the_bus(&node, Instant::now());
        drop(held);
        assert_eq!(ready(&node), json!({ "status": "ready" }));
        came_through(&node);
    }
}

#[test]
fn a_frozen_redis_is_named_until_it_is_known_to_be_away() {
    let mut stage = Stage::new();
    let node = node(&stage, INTERVAL);
    stage.redis.freeze();
    stuck_on_the_bus(&node, Instant::now());
    let warned = json!({ "status": "ready", "warnings": ["bus_lost"] });
    wait_for("a warning instead", || (readiness(&node) == (200, warned.clone())).then_some(()));
    stage.redis.thaw();
    wait_for("the bus", || (readiness(&node) == (200, json!({ "status": "ready" }))).then_some(()));
    came_through(&node);
}

#[test]
fn canaries_of_several_nodes_do_not_take_each_others_place_and_need_no_redis() {
    let mut stage = Stage::new();
    let interval = Duration::from_secs(3);
    let nodes = [node(&stage, interval), node(&stage, interval)];
    stage.redis.kill9();
    let warned = json!({ "status": "ready", "warnings": ["bus_lost"] });
    for node in &nodes {
        wait_for("a warning", || {
            let (status, json) = readiness(node);
            assert_eq!(status, 200, "{json}");
            (json == warned).then_some(())
        });
        came_through(node);
        assert_eq!(readiness(node), (200, warned.clone()));
        assert_eq!(node.metric("lookout_bus_dropped_total"), 0.0, "nothing on the bus was not believed");
    }
}
