//! Every reader of every node sees the one log.

use std::time::{Duration, Instant};

use crate::{
    stage::{NEVER, SOON, Stage, all_see_each_once_in_one_order, markers},
    support::{Hub, Next, Reader, USER, event, wait_for},
};

fn post_many(node: &Hub, prefix: &str, count: usize) -> Vec<String> {
    let markers: Vec<_> = (0..count).map(|index| format!("{prefix}-{index}")).collect();
    markers.iter().for_each(|marker| drop(node.post_kept(event("test_user|false", marker))));
    markers
}

#[test]
fn what_is_posted_on_all_nodes_at_once_reaches_the_readers_of_each_once_and_in_one_order() {
    let stage = Stage::new();
    let nodes: [Hub; 3] = stage.nodes(NEVER);
    let mut readers: Vec<Reader> = nodes.iter().map(|node| node.reader(USER)).collect();
    let posted = std::thread::scope(|scope| {
        let senders = ["a", "b", "c"].map(|prefix| {
            let node = &nodes[usize::from(prefix.as_bytes()[0] - b'a')];
            scope.spawn(move || post_many(node, prefix, 40))
        });
        senders.map(|sender| sender.join().expect("all is kept")).concat()
    });
    all_see_each_once_in_one_order(&mut readers, posted);
    for node in &nodes {
        wait_for("a lag of the bus", || (node.metric("lookout_bus_lag_seconds_count") >= 1.0).then_some(()));
        assert!(node.metric("lookout_bus_lag_seconds_sum") > 0.0);
    }
    // Nothing is left over: what comes next is what is posted next.
    let last = post_many(&nodes[1], "last", 1);
    all_see_each_once_in_one_order(&mut readers, last);
}

#[test]
fn a_batch_that_is_larger_than_one_message_to_the_bus_arrives_whole() {
    let stage = Stage::new();
    let [here, there] = stage.nodes(NEVER);
    let mut readers = [here.reader(USER), there.reader(USER)];
    let events = crate::support::sized_batch("test_user|false", "large", 700, 1000);
    here.post(&events).assert_success();
    all_see_each_once_in_one_order(&mut readers, (0..700).map(|index| format!("large-{index}")).collect());
}

#[test]
fn a_reader_that_moves_continues_whole_also_where_its_last_entry_is_news() {
    let stage = Stage::new();
    // Neither node hears of the other: whatever there knows of here it learns from the reader's id, or by reading the log.
    let (here, there) = (stage.node_without_bus(NEVER).start(), stage.node_without_bus(NEVER).start());
    let mut reader = here.reader(USER);
    post_many(&here, "before", 3);
    assert_eq!(markers(&mut reader, 1), ["before-0"]);
    let mut moved = there.stream(USER).after(&reader.last_id()).connect();
    assert_eq!(markers(&mut moved, 2), ["before-1", "before-2"]);
    assert_eq!(moved.expect("caught_up").json["replayed"], 2);

    let mut ahead = there.stream(USER).after(&moved.last_id()).connect();
    assert_eq!(ahead.expect("caught_up").json["replayed"], 0);
    post_many(&here, "meanwhile", 2);
    post_many(&there, "after", 1);
    for reader in [&mut moved, &mut ahead] {
        assert_eq!(markers(reader, 3), ["meanwhile-0", "meanwhile-1", "after-0"], "nothing twice, nothing left out");
    }
    // And back.
    let mut back = here.stream(USER).after(&moved.last_id()).connect();
    assert_eq!(back.expect("caught_up").json["replayed"], 0);
    post_many(&here, "home", 1);
    assert_eq!(markers(&mut back, 1), ["home-0"]);
}

#[test]
fn a_node_that_starts_late_has_the_whole_log() {
    let stage = Stage::new();
    let [early] = stage.nodes(NEVER);
    let mut reader = early.reader(USER);
    let start = reader.start.clone();
    let posted = post_many(&early, "early", 20);
    assert_eq!(markers(&mut reader, 20), posted);
    let [late] = stage.nodes(NEVER);
    let mut late_reader = late.stream(USER).after(&start).connect();
    assert_eq!(markers(&mut late_reader, 20), posted);
    late_reader.expect("caught_up");
    let last = post_many(&early, "last", 1);
    all_see_each_once_in_one_order(&mut [reader, late_reader], last);
    // What was sent before it came is in the store, and is not read from the bus as well.
    late.wait_for_metric("lookout_bus_received_total", 1.0);
}

#[test]
fn without_a_bus_entries_of_other_nodes_come_within_the_look_interval() {
    let stage = Stage::new();
    let look_interval = Duration::from_millis(500);
    let (here, there) = (stage.node_without_bus(NEVER).start(), stage.node_without_bus(look_interval).start());
    let mut reader = there.reader(USER);
    for round in ["first", "second"] {
        let posted = post_many(&here, round, 5);
        let posted_at = Instant::now();
        assert_eq!(markers(&mut reader, 5), posted);
        // Far above what it takes, far below the other node's interval.
        assert!(posted_at.elapsed() < look_interval + Duration::from_secs(5), "{:?}", posted_at.elapsed());
    }
    let mut deaf = here.reader(USER);
    post_many(&there, "unheard", 1);
    assert!(matches!(deaf.next_within(2 * look_interval), Next::Silence), "nothing else tells of it");
}

#[test]
fn a_commit_that_never_reached_the_bus_arrives_within_the_look_interval() {
    let stage = Stage::new();
    // As if it died between its commits and the bus each time.
    let mute = stage.node_without_bus(SOON).start();
    let [hearing, deaf] = [stage.node(SOON).start(), stage.node(NEVER).start()];
    [&hearing, &deaf].into_iter().for_each(crate::stage::is_on_the_bus);
    let mut readers = [mute.reader(USER), hearing.reader(USER)];
    let posted = post_many(&mute, "unsent", 5);
    all_see_each_once_in_one_order(&mut readers, posted.clone());
    assert_eq!(hearing.metric("lookout_bus_received_total"), 0.0);
    assert_eq!(hearing.metric("lookout_refilled_entries_total"), 5.0);
    // Who does not look sees the hole when something comes over the bus.
    let mut late = deaf.reader(USER);
    let sent = post_many(&hearing, "sent", 1);
    assert_eq!(markers(&mut late, 6), [posted, sent].concat());
}
