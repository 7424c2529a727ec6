//! Redis gone, silent, back, or back with nothing: nodes go on from the store alone, and use the bus again when it is there.

use std::time::{Duration, Instant};

use crate::{
    fleet::Fleet,
    node::{assert_shown, next},
    support::USER,
};

/// An interval so long that what comes sooner was brought by Redis.
const SELDOM: &str = "5s";
const OFTEN: &str = "200ms";

#[test]
fn what_one_node_takes_both_show_in_one_order_and_at_once() {
    let mut fleet = Fleet::start(SELDOM);
    let origin = fleet.readers[0].start.clone();
    assert_eq!(fleet.readers[1].start, origin);
    fleet.wait_for_the_bus();
    fleet.keep_and_show(20);
    fleet.assert_kept(&origin);
}

#[test]
fn a_reader_goes_on_at_the_other_node_where_it_stopped() {
    let mut fleet = Fleet::start(OFTEN);
    fleet.keep_and_show(2);
    let last = fleet.readers[0].last_id();
    fleet.keep(0);
    fleet.keep(1);
    let mut reader = fleet.nodes[1].stream(USER).after(&last).connect();
    assert_eq!(reader.start, last);
    assert_shown(&mut reader, &["2", "3"]);
    let caught_up = next(&mut reader);
    assert_eq!((caught_up.kind(), &caught_up.json["replayed"]), ("caught_up", &2.into()));
    fleet.keep(0);
    assert_shown(&mut reader, &["4"]);
}

#[test]
fn without_redis_nodes_go_on_from_the_store_and_say_so() {
    let mut fleet = Fleet::start(OFTEN);
    let origin = fleet.readers[0].start.clone();
    fleet.keep_and_show(4);
    fleet.redis.kill9();
    fleet.keep_and_show(6);
    fleet.wait_for_a_warning();
    for node in &fleet.nodes {
        assert_eq!(node.admin("/readyz").status(), 200, "without Redis a node is slower, not away");
    }
    fleet.keep_and_show(6);
    fleet.assert_kept(&origin);
}

#[test]
fn a_frozen_redis_holds_up_no_webhook_and_no_reader() {
    let mut fleet = Fleet::start(OFTEN);
    let origin = fleet.readers[0].start.clone();
    fleet.keep_and_show(2);
    fleet.redis.freeze();
    let start = Instant::now();
    fleet.keep_and_show(6);
    // One wait of any length that Redis could cause, six times, would be longer.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    fleet.redis.thaw();
    fleet.keep_and_show(6);
    fleet.assert_kept(&origin);
}

#[test]
fn a_redis_that_was_restarted_is_used_again() {
    let mut fleet = Fleet::start(SELDOM);
    let origin = fleet.readers[0].start.clone();
    fleet.wait_for_the_bus();
    fleet.redis.kill9();
    fleet.keep_and_show(2);
    fleet.redis.restart();
    fleet.wait_for_the_bus();
    fleet.assert_kept(&origin);
}

#[test]
fn a_redis_that_lost_its_data_is_used_again_and_no_entry_is_lost_with_it() {
    let mut fleet = Fleet::start(SELDOM);
    let origin = fleet.readers[0].start.clone();
    fleet.wait_for_the_bus();
    for _ in 0..2 {
        fleet.redis.kill9();
        fleet.keep(0);
        fleet.keep(1);
        fleet.redis.restart_empty();
        fleet.assert_shown(2);
        fleet.wait_for_the_bus();
    }
    fleet.assert_kept(&origin);
}

#[test]
fn a_redis_that_is_emptied_under_the_nodes_costs_no_entry() {
    let mut fleet = Fleet::start(OFTEN);
    let origin = fleet.readers[0].start.clone();
    for _ in 0..5 {
        fleet.keep(0);
        assert_eq!(fleet.redis.ask("FLUSHALL"), "+OK");
        fleet.keep(1);
        fleet.assert_shown(2);
    }
    fleet.assert_kept(&origin);
}
