//! MongoDB gone or silent.

use std::time::{Duration, Instant};

use mongodb::bson::doc;

use crate::{
    node::{Node, assert_shown, assert_stays_open, reader},
    support::{USER, wait_for},
};

#[test]
fn a_store_that_was_killed_refuses_webhooks_keeps_streams_and_comes_back() {
    let mut node = Node::start();
    let mut reader = reader(&node);
    node.keep("before");
    assert_shown(&mut reader, &["before"]);
    for life in ["first", "second"] {
        node.mongod.kill9();
        node.refused(life);
        node.wait_for_readiness(503);
        assert_stays_open(&mut reader);
        node.refused(life);
        node.mongod.restart();
        node.wait_for_readiness(200);
        node.keep(life);
        assert_shown(&mut reader, &[life]);
    }
    node.keep("after");
    assert_shown(&mut reader, &["after"]);
    node.assert_kept(&["before", "first", "second", "after"]);
}

#[test]
fn a_frozen_store_refuses_webhooks_in_time_and_what_it_kept_after_all_is_shown_once() {
    let mut node = Node::start();
    let mut reader = reader(&node);
    node.keep("before");
    assert_shown(&mut reader, &["before"]);
    node.mongod.freeze();
    let start = Instant::now();
    node.refused("frozen");
    // The node gives up on the commit long before a sender would; the margin is for a busy machine.
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    node.wait_for_readiness(503);
    assert_stays_open(&mut reader);
    node.mongod.thaw();
    node.wait_for_readiness(200);
    node.keep("frozen");
    node.keep("after");
    assert_shown(&mut reader, &["frozen", "after"]);
    node.assert_kept(&["before", "frozen", "after"]);
}

#[test]
fn readiness_follows_the_store_with_nobody_posting() {
    let mut node = Node::start();
    node.mongod.stop();
    node.wait_for_readiness(503);
    node.mongod.restart();
    node.wait_for_readiness(200);
}

#[test]
fn a_primary_that_steps_down_is_waited_for() {
    let node = Node::start();
    let mut reader = reader(&node);
    node.keep("before");
    node.mongod.command(doc! { "replSetStepDown": 2, "force": true });
    node.keep("meanwhile");
    node.wait_for_readiness(200);
    node.keep("after");
    assert_shown(&mut reader, &["before", "meanwhile", "after"]);
    node.assert_kept(&["before", "meanwhile", "after"]);
}

#[test]
fn a_reader_that_was_away_during_an_outage_misses_nothing() {
    let mut node = Node::start();
    let mut reader = reader(&node);
    node.keep("before");
    assert_shown(&mut reader, &["before"]);
    let last = reader.last_id();
    drop(reader);
    node.mongod.kill9();
    node.mongod.restart();
    node.wait_for_readiness(200);
    node.keep("after");
    let mut reader = node.stream(USER).after(&last).connect();
    assert_eq!(reader.start, last);
    assert_shown(&mut reader, &["after"]);
}

#[test]
fn what_was_sent_and_who_ended_while_the_store_was_away_is_written_when_it_is_back() {
    let mut node = Node::start();
    let (mut stays, mut leaves) = (reader(&node), reader(&node));
    node.keep("before");
    [&mut stays, &mut leaves].into_iter().for_each(|reader| assert_shown(reader, &["before"]));
    node.mongod.kill9();
    drop(leaves);
    wait_for("a lap to fail", || (node.metric("lookout_audit_failures_total") > 0.0).then_some(()));
    node.mongod.restart();
    wait_for("both streams, and one end", || {
        let found = node.admin(&format!("/audit?user_id={USER}")).json();
        let deliveries = found["deliveries"].as_array()?;
        let ended = deliveries.iter().filter(|delivery| delivery["disconnect_cause"] == "client_closed").count();
        (deliveries.len() == 2 && ended == 1).then_some(())
    });
    node.keep("after");
    assert_shown(&mut stays, &["after"]);
    wait_for("the next one", || {
        let found = node.admin(&format!("/audit?user_id={USER}&limit=1")).json();
        (found["deliveries"][0]["disconnected_at"].is_null() && found["deliveries"][0]["position"] == stays.last_id())
            .then_some(())
    });
}
