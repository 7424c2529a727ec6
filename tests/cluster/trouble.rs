//! Redis away, frozen, forgetful or unwilling: entries come later, and nothing else changes.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use crate::{
    bus::{epoch, message},
    stage::{SOON, Stage, all_see_each_once_in_one_order, is_on_the_bus},
    support::{Hub, Reader, USER, event, wait_for},
};

fn is_lost(node: &Hub) {
    node.wait_for_metric("lookout_bus_connected", 0.0);
    assert_eq!(node.metric("lookout_bus_configured"), 1.0, "it is not one without a bus");
    let ready = node.admin("/readyz");
    assert_eq!(ready.status(), 200, "the node serves as before");
    assert_eq!(ready.json()["warnings"], serde_json::json!(["bus_lost"]));
}

fn is_found(node: &Hub) {
    is_on_the_bus(node);
    assert_eq!(node.admin("/readyz").text(), r#"{"status":"ready"}"#);
}

/// Posts to all nodes, from one sender each, until the story is over. Gives the markers of what was acknowledged, which is
/// everything.
fn while_all_post<const N: usize>(nodes: &[Hub; N], story: impl FnOnce()) -> Vec<String> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let senders: Vec<_> = nodes
            .iter()
            .enumerate()
            .map(|(number, node)| {
                let over = &over;
                scope.spawn(move || {
                    let mut markers = Vec::new();
                    while !over.load(Ordering::Relaxed) {
                        let marker = format!("{number}-{}", markers.len());
                        let begun = Instant::now();
                        node.post_kept(event("test_user|false", &marker));
                        assert!(begun.elapsed() < Duration::from_secs(2), "no webhook waits for Redis: {:?}", begun.elapsed());
                        markers.push(marker);
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    markers
                })
            })
            .collect();
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(story));
        over.store(true, Ordering::Relaxed);
        told.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        senders.into_iter().flat_map(|sender| sender.join().expect("all is kept")).collect()
    })
}

/// Loses the bus and finds it again, three times, while both nodes take webhooks.
fn nothing_is_lost_doubled_or_disordered(stage: &mut Stage, lose: fn(&mut Stage), find: fn(&mut Stage)) {
    let nodes: [Hub; 2] = stage.nodes(SOON);
    let mut readers: Vec<Reader> = nodes.iter().map(|node| node.reader(USER)).collect();
    let posted = while_all_post(&nodes, || {
        for _ in 0..3 {
            lose(stage);
            nodes.iter().for_each(is_lost);
            find(stage);
            nodes.iter().for_each(is_found);
        }
    });
    all_see_each_once_in_one_order(&mut readers, posted);
    for (number, node) in nodes.iter().enumerate() {
        node.post_kept(event("test_user|false", &format!("last {number}")));
    }
    all_see_each_once_in_one_order(&mut readers, vec!["last 0".into(), "last 1".into()]);
}

#[test]
fn a_redis_that_crashes_and_comes_back_costs_nothing() {
    let mut stage = Stage::new();
    nothing_is_lost_doubled_or_disordered(&mut stage, |stage| stage.redis.kill9(), |stage| stage.redis.restart());
}

#[test]
fn a_redis_that_ends_in_order_and_comes_back_empty_costs_nothing() {
    let mut stage = Stage::new();
    nothing_is_lost_doubled_or_disordered(&mut stage, |stage| stage.redis.stop(), |stage| stage.redis.restart_empty());
}

#[test]
fn a_frozen_redis_is_noticed_and_holds_nobody_up() {
    let mut stage = Stage::new();
    nothing_is_lost_doubled_or_disordered(&mut stage, |stage| stage.redis.freeze(), |stage| stage.redis.thaw());
}

#[test]
fn a_redis_that_forgets_while_it_runs_costs_nothing() {
    let stage = Stage::new();
    let nodes: [Hub; 2] = stage.nodes(SOON);
    let mut readers: Vec<Reader> = nodes.iter().map(|node| node.reader(USER)).collect();
    let posted = while_all_post(&nodes, || {
        for _ in 0..20 {
            assert_eq!(stage.redis.ask("FLUSHALL"), "+OK");
            let heard = nodes[0].metric("lookout_bus_received_total");
            wait_for("the next entry over the bus", || (nodes[0].metric("lookout_bus_received_total") > heard).then_some(()));
        }
    });
    all_see_each_once_in_one_order(&mut readers, posted);
}

#[test]
fn a_redis_that_takes_no_writes_is_lost_until_it_takes_one() {
    let stage = Stage::new();
    let [here, there] = stage.nodes(SOON);
    let mut readers = [here.reader(USER), there.reader(USER)];
    assert_eq!(stage.redis.ask("CONFIG SET maxmemory 1"), "+OK");
    here.post_kept(event("test_user|false", "unsent"));
    all_see_each_once_in_one_order(&mut readers, vec!["unsent".into()]);
    is_lost(&here);
    // That it answers is no sign that it takes writes.
    let deadline = Instant::now() + Duration::from_secs(1);
    while Instant::now() < deadline {
        assert_eq!(here.metric("lookout_bus_connected"), 0.0);
    }
    assert_eq!(stage.redis.ask("CONFIG SET maxmemory 0"), "+OK");
    is_found(&here);
    here.post_kept(event("test_user|false", "sent"));
    all_see_each_once_in_one_order(&mut readers, vec!["sent".into()]);
}

#[test]
fn a_node_starts_without_redis_and_joins_the_bus_when_it_comes() {
    let mut stage = Stage::new();
    stage.redis.stop();
    let nodes = [stage.node(SOON).start(), stage.node(SOON).start()];
    let mut readers: Vec<Reader> = nodes.iter().map(|node| node.reader(USER)).collect();
    nodes.iter().for_each(is_lost);
    nodes[0].post_kept(event("test_user|false", "by the store"));
    all_see_each_once_in_one_order(&mut readers, vec!["by the store".into()]);
    stage.redis.restart();
    nodes.iter().for_each(is_found);
    let heard = nodes[1].metric("lookout_bus_received_total");
    nodes[0].post_kept(event("test_user|false", "by the bus"));
    all_see_each_once_in_one_order(&mut readers, vec!["by the bus".into()]);
    wait_for("an entry over the bus", || (nodes[1].metric("lookout_bus_received_total") > heard).then_some(()));
}

#[test]
fn a_frozen_store_holds_nothing_up_that_comes_over_the_bus() {
    let mut stage = Stage::new();
    let nodes: [Hub; 1] = stage.nodes(SOON);
    let mut reader = nodes[0].reader(USER);
    nodes[0].post_kept(event("test_user|false", "a"));
    reader.notification();
    stage.mongod.freeze();
    // As another node would send what it had committed a moment before.
    for n in 2..=20 {
        stage.redis.ask(&message(&epoch(&reader), n));
        let asked = Instant::now();
        assert_eq!(reader.notification().json["n"], n);
        assert!(asked.elapsed() < Duration::from_secs(1), "no read of the store stands before it: {:?}", asked.elapsed());
        std::thread::sleep(SOON);
    }
    stage.mongod.thaw();
}

#[test]
fn a_dead_courier_is_rebuilt_and_what_it_did_not_carry_comes_all_the_same() {
    let stage = Stage::new();
    let nodes: [Hub; 2] = stage.nodes(SOON);
    let mut readers: Vec<Reader> = nodes.iter().map(|node| node.reader(USER)).collect();
    let posted = while_all_post(&nodes, || {
        for restarts in 1..=5 {
            for node in &nodes {
                let courier = node.lines().courier.as_ref().expect("a courier");
                courier.send(lookout::actors::line::Stop);
                node.wait_for_metric("lookout_actor_restarts_total{actor=\"courier\"}", f64::from(restarts));
                is_found(node);
            }
        }
    });
    all_see_each_once_in_one_order(&mut readers, posted);
    let actors = nodes[0].admin("/actors").json();
    let courier = actors["actors"].as_array().unwrap().iter().find(|actor| actor["actor"] == "courier").expect("it is listed");
    assert_eq!((&courier["living"], &courier["restarts"], &courier["mailbox"]), (&1.into(), &5.into(), &256.into()));
}

#[test]
fn a_broadcaster_that_dies_over_and_over_leaves_no_hole() {
    let stage = Stage::new();
    let nodes: [Hub; 2] = stage.nodes(SOON);
    let mut readers: Vec<Reader> = nodes.iter().map(|node| node.reader(USER)).collect();
    let posted = while_all_post(&nodes, || {
        for restarts in 1..=5 {
            for node in &nodes {
                node.lines().broadcaster.send(lookout::actors::line::Stop);
                node.wait_for_metric("lookout_actor_restarts_total{actor=\"broadcaster\"}", f64::from(restarts));
            }
        }
    });
    all_see_each_once_in_one_order(&mut readers, posted);
}

#[test]
fn mailboxes_of_one_message_lose_nothing() {
    let stage = Stage::new();
    let nodes = [(); 2].map(|()| {
        let setup = stage.node(SOON).with(|config| {
            config.mailbox.courier = 1;
            config.mailbox.broadcaster = 1;
            config.mailbox.relay = 1;
        });
        setup.start()
    });
    nodes.iter().for_each(is_on_the_bus);
    let mut readers: Vec<Reader> = nodes.iter().map(|node| node.reader(USER)).collect();
    let posted = while_all_post(&nodes, || {
        wait_for("many entries", || (nodes[0].metric("lookout_bus_received_total") > 200.0).then_some(()));
    });
    all_see_each_once_in_one_order(&mut readers, posted);
}
