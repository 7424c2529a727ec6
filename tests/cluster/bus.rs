//! What anybody could write into the Redis stream is looked at before it is believed.

use std::time::Duration;

use lookout::notification::position::Tag;
use mongodb::bson::{Bson, doc};

use crate::{
    stage::{NEVER, Stage},
    support::{Hub, Message, Reader, USER, event, marker},
};

/// The command that sends an invented entry as number `n` of the log of this epoch, as a node does.
pub fn message(epoch: &str, n: u64) -> String {
    let payload = format!(r#"{{"type":"zone_port_notification","n":{n}}}"#);
    let position = format!("{epoch}-{n}-{:08x}", Tag::of(&payload).0);
    add(&position, &format!("{n:024x}"), &payload)
}

fn add(position: &str, notification: &str, payload: &str) -> String {
    format!("XADD lookout * position {position} kind notification notification {notification} payload '{payload}'")
}

/// The epoch of the log that a reader reads.
pub fn epoch(reader: &Reader) -> String {
    reader.start.split('-').next().expect("an epoch").to_owned()
}

fn next_marker(reader: &mut Reader) -> String {
    marker(&reader.notification().json).to_owned()
}

/// A message that is passed over, and counted under this cause.
fn is_passed_over(node: &Hub, reader: &mut Reader, command: &str, redis: &crate::servers::Redis, cause: &str, count: f64) {
    let added = redis.ask(command);
    assert!(added.starts_with('$'), "{command}: {added}");
    node.wait_for_metric(&format!("lookout_bus_dropped_total{{cause=\"{cause}\"}}"), count);
    let behind = format!("behind {cause} {count}");
    node.post_kept(event("test_user|false", &behind));
    assert_eq!(next_marker(reader), behind, "and the bus goes on");
}

#[test]
fn messages_that_are_no_entries_of_this_log_are_passed_over_and_counted() {
    let stage = Stage::new();
    let [node] = stage.nodes(NEVER);
    let mut reader = node.reader(USER);
    let (redis, epoch) = (&stage.redis, epoch(&reader));
    let good = message(&epoch, 2);
    is_passed_over(&node, &mut reader, "XADD lookout * some thing", redis, "malformed", 1.0);
    is_passed_over(&node, &mut reader, &good.replace("payload", "other"), redis, "malformed", 2.0);
    is_passed_over(&node, &mut reader, &good.replace("\"n\":2", "\"n\":3"), redis, "malformed", 3.0);
    let other = if epoch == "00000001" { "00000002" } else { "00000001" };
    is_passed_over(&node, &mut reader, &message(other, 2), redis, "other_epoch", 1.0);
    node.wait_for_metric("lookout_bus_received_total", 4.0);
}

#[test]
fn entries_that_come_again_or_out_of_order_are_shown_once_and_in_order() {
    let stage = Stage::new();
    let mute = stage.node_without_bus(NEVER).start();
    let [node] = stage.nodes(NEVER);
    let mut readers = [mute.reader(USER), node.reader(USER)];
    for round in 0..10 {
        let posted: Vec<_> = (0..5).map(|index| format!("{round}-{index}")).collect();
        posted.iter().for_each(|marker| drop(mute.post_kept(event("test_user|false", marker))));
        let committed = readers[0].notifications(5);
        for index in [2, 1, 1, 4, 0, 0, 2, 3, 4] {
            let entry = &committed[index];
            let payload = entry.frame.lines().find_map(|line| line.strip_prefix("data: ")).expect("a payload");
            let (position, id) =
                (entry.id.as_deref().expect("a position"), entry.json["notification_id"].as_str().expect("an id"));
            assert!(stage.redis.ask(&add(position, id, payload)).starts_with('$'));
        }
        let frames = |messages: &[Message]| messages.iter().map(|message| message.frame.clone()).collect::<Vec<_>>();
        assert_eq!(frames(&readers[1].notifications(5)), frames(&committed));
    }
}

#[test]
fn an_entry_that_was_never_committed_is_looked_for_and_forgotten() {
    let stage = Stage::new();
    let nodes: [Hub; 2] = stage.nodes(NEVER);
    let mut readers: Vec<Reader> = nodes.iter().map(|node| node.reader(USER)).collect();
    for n in [70, 1_000_000, 9_000_000_000_000_000_000] {
        stage.redis.ask(&message(&epoch(&readers[0]), n));
        for node in &nodes {
            node.post_kept(event("test_user|false", &format!("behind {n} on {}", node.public)));
        }
        let seen: Vec<Vec<String>> = readers.iter_mut().map(|reader| vec![next_marker(reader), next_marker(reader)]).collect();
        assert_eq!(seen[0], seen[1]);
    }
    let reads = || {
        let status = stage.mongod.command(doc! { "serverStatus": 1 });
        status.get_document("opcounters").unwrap().get("query").and_then(Bson::as_i64).unwrap()
    };
    let before = reads();
    std::thread::sleep(Duration::from_secs(1));
    // Screeners look for work; whoever went on looking for the entry would ask without a pause.
    assert!(reads() - before < 100, "{} reads in a second", reads() - before);
}
