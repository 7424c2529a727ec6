//! Coming back with a last id: what was missed follows, once and in order, or the gap is named.

use std::time::Duration;

use serde_json::json;

use crate::support::{Hub, Message, Reader, USER, batch, event, marker, wait_for};

/// Reads a replay of so many notifications and its end.
fn replayed(reader: &mut Reader, count: usize) -> Vec<Message> {
    let messages = reader.notifications(count);
    let caught_up = reader.expect("caught_up");
    assert_eq!(caught_up.fields(), ["type", "timestamp", "replayed"]);
    assert_eq!(caught_up.json["replayed"], count);
    let passed = messages.last().map_or(Some(reader.start.clone()), |message| message.id.clone());
    assert_eq!(caught_up.id, passed);
    messages
}

#[test]
fn a_reader_that_comes_back_gets_what_it_missed_byte_for_byte() {
    let hub = Hub::start();
    let mut live = hub.reader(USER);
    let start = live.start.clone();
    for event in batch("test_user|false", "e", 30) {
        hub.post_kept(event);
    }
    let sent = live.notifications(30);
    let mut back = hub.stream(USER).after(&start).connect();
    assert_eq!(back.start, start);
    assert_eq!(replayed(&mut back, 30), sent);
    let mut half_way = hub.stream(USER).after(sent[14].id.as_ref().unwrap()).connect();
    assert_eq!(replayed(&mut half_way, 15), sent[15..]);
    hub.post_kept(event("test_user|false", "live"));
    assert_eq!(back.notification(), half_way.notification());
}

#[test]
fn a_replay_joins_the_live_stream_without_gap_or_double() {
    let hub = Hub::start();
    let origin = hub.reader(USER).start.clone();
    hub.post(batch("test_user|false", "old", 500)).assert_success();
    let expected: Vec<_> = (0..500).map(|n| format!("old-{n}")).chain((0..100).map(|n| format!("new-{n}"))).collect();
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            for event in batch("test_user|false", "new", 100) {
                hub.post_kept(event);
            }
        });
        let readers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut reader = hub.stream(USER).after(&origin).connect();
                    let mut seen = Vec::new();
                    while seen.len() < expected.len() {
                        let message = reader.message();
                        if message.is_entry() {
                            seen.push(marker(&message.json).to_owned());
                        }
                    }
                    assert_eq!(seen, expected);
                })
            })
            .collect();
        sender.join().unwrap();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
}

#[test]
fn the_header_wins_over_the_query() {
    let hub = Hub::start();
    let mut live = hub.reader(USER);
    let start = live.start.clone();
    for event in batch("test_user|false", "e", 3) {
        hub.post_kept(event);
    }
    let sent = live.notifications(3);
    let second = sent[1].id.as_ref().unwrap();
    for name in ["last_event_id", "lastEventId"] {
        let by_query = hub.stream(USER).query(&format!("{name}={start}"));
        assert_eq!(replayed(&mut by_query.connect(), 3), sent);
        assert_eq!(replayed(&mut by_query.after(second).connect(), 1), sent[2..]);
    }
}

#[test]
fn a_reader_that_missed_nothing_is_told_so() {
    let hub = Hub::start();
    let start = hub.reader(USER).start.clone();
    replayed(&mut hub.stream(USER).after(&start).connect(), 0);
    let hub = hub.stop().start();
    replayed(&mut hub.stream(USER).after(&start).connect(), 0);
}

#[test]
fn a_replay_after_a_restart_is_the_same_bytes() {
    let hub = Hub::start();
    let mut live = hub.reader(USER);
    for event in batch("test_user|true", "e", 5) {
        hub.post_kept(event);
    }
    let sent = live.notifications(5);
    let hub = hub.stop().start();
    assert_eq!(replayed(&mut hub.stream(USER).after(&live.start).connect(), 5), sent);
}

#[test]
fn an_id_that_never_was_names_the_gap_and_gives_everything() {
    let hub = Hub::start();
    let mut live = hub.reader(USER);
    for event in batch("test_user|false", "e", 3) {
        hub.post_kept(event);
    }
    let sent = live.notifications(3);
    let newest = sent[2].id.clone().unwrap();
    let (rest, tag) = newest.rsplit_once('-').unwrap();
    let other_tag = format!("{rest}-{:08x}", !u32::from_str_radix(tag, 16).unwrap());
    for id in ["garbage", "0", &other_tag] {
        let mut reader = hub.stream(USER).after(id).connect();
        let gap = reader.expect("replay_gap");
        assert_eq!(gap.fields(), ["type", "timestamp", "reason", "oldest"]);
        assert_eq!((&gap.json["reason"], &gap.json["oldest"]), (&json!("unknown_id"), &json!(sent[0].id)), "{id}");
        assert_eq!(replayed(&mut reader, 3), sent, "{id}");
    }
}

#[test]
fn an_id_of_another_log_names_the_gap() {
    let (one, other) = (Hub::start(), Hub::start());
    let mut live = one.reader(USER);
    one.post_kept(event("test_user|false", "one"));
    other.post_kept(event("test_user|false", "other"));
    let mut reader = other.stream(USER).after(&live.notification().id.unwrap()).connect();
    assert_eq!(reader.expect("replay_gap").json["reason"], "other_epoch");
    assert_eq!(marker(&replayed(&mut reader, 1)[0].json), "other");
}

#[test]
fn an_id_that_a_restored_backup_gave_to_another_entry_is_unknown() {
    let hub = Hub::start();
    hub.post_kept(event("test_user|false", "kept"));
    let setup = hub.stop();
    let backup = tempfile::tempdir().unwrap();
    copy_files(setup.store_folder(), backup.path());

    let hub = setup.start();
    let mut live = hub.reader(USER);
    hub.post_kept(event("test_user|false", "lost with the disk"));
    let lost = live.notification().id.unwrap();
    let setup = hub.stop();
    for entry in std::fs::read_dir(setup.store_folder()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    copy_files(backup.path(), setup.store_folder());

    let hub = setup.start();
    let mut ahead = hub.stream(USER).after(&lost).connect();
    assert_eq!(ahead.expect("replay_gap").json["reason"], "unknown_id", "ahead of the log");
    hub.post_kept(event("test_user|false", "in its place"));
    let mut reader = hub.stream(USER).after(&lost).connect();
    assert_eq!(reader.expect("replay_gap").json["reason"], "unknown_id", "another entry");
    let markers: Vec<_> = replayed(&mut reader, 2).iter().map(|message| marker(&message.json).to_owned()).collect();
    assert_eq!(markers, ["kept", "in its place"]);
}

fn copy_files(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn an_id_that_retention_has_removed_names_the_gap() {
    let hub = Hub::start();
    let mut live = hub.reader(USER);
    for event in batch("test_user|false", "e", 3) {
        hub.post_kept(event);
    }
    let sent = live.notifications(3);
    let hub = hub.stop().with(|config| config.store.retention = Some(Duration::from_millis(1))).start();
    wait_for("retention to leave the newest entry only", || (hub.history("")["count"] == 1).then_some(()));
    let mut reader = hub.stream(USER).after(sent[0].id.as_ref().unwrap()).connect();
    let gap = reader.expect("replay_gap").json;
    assert_eq!((&gap["reason"], &gap["oldest"]), (&json!("pruned"), &json!(sent[2].id)));
    assert_eq!(replayed(&mut reader, 1), sent[2..]);
}
