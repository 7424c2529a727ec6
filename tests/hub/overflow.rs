//! Readers that cannot keep up: the slow one gets everything, the one that has stopped is removed, and nobody else notices.

use crate::support::{Hub, Message, Server, USER, batch, marker, sized_batch};

const ITEMS: usize = 1_000;

/// Checks that these are all items of the batch in their order.
fn assert_whole(messages: &[Message]) {
    let markers: Vec<_> = messages.iter().map(|message| marker(&message.json)).collect();
    let expected: Vec<_> = (0..ITEMS).map(|index| format!("e-{index}")).collect();
    assert_eq!(markers, expected);
}

#[test]
fn a_slow_reader_is_not_cut_off_and_gets_everything_in_order() {
    let hub = Hub::start();
    let mut slow = hub.stream(USER).small_buffers().connect().at_rate(100_000);
    hub.post(sized_batch("test_user|false", "e", ITEMS, 200)).assert_success();
    assert_whole(&slow.notifications(ITEMS));
    assert!(hub.metric("lookout_queue_overflows_total") >= 1.0, "the queue must have overflowed");
    assert!(hub.metric("lookout_catch_ups_total") >= 1.0, "the rest must have come from the log");
    assert_eq!(hub.metric("lookout_connections_closed_total"), 0.0);
    hub.post(batch("test_user|false", "live", 1)).assert_success();
    assert_eq!(marker(&slow.notification().json), "live-0", "it is live again");
}

#[test]
fn a_reader_that_stops_reading_is_removed_and_resumes_whole() {
    let server = Server::start(&[("STREAM__STALL_TIMEOUT", "3s"), ("INGEST__MAX_BODY", "4MiB")]);
    let mut stalled = server.stream(USER).small_buffers().connect();
    let mut neighbours = [server.reader(USER), server.reader(USER)];
    server.post(sized_batch("test_user|false", "e", ITEMS, 1_000)).assert_success();
    let whole = neighbours.each_mut().map(|neighbour| neighbour.notifications(ITEMS));
    assert_whole(&whole[0]);
    assert_eq!(whole[0], whole[1]);
    server.wait_for_metric("lookout_connections_closed_total", 1.0);
    assert!(server.log().contains("Connection queue full, removing stale connection"), "{}", server.log());
    assert_eq!(server.metric("lookout_connections"), 2.0);

    let (mut messages, _) = stalled.rest();
    // A heartbeat may come before the batch.
    messages.retain(|message| message.json["type"] == "zone_port_notification");
    assert!(messages.len() < ITEMS, "it was removed before it had everything");
    let mut resumed = server.stream(USER).after(&stalled.last_id()).connect();
    messages.extend(resumed.notifications(ITEMS - messages.len()));
    assert_eq!(messages, whole[0]);
    assert_eq!(server.metric("lookout_connections_closed_total"), 1.0, "the neighbours stay");
}

#[test]
fn a_hundred_readers_get_a_batch_of_a_thousand_whole_and_in_order() {
    let hub = Hub::start();
    let readers: Vec<_> = (0..100).map(|_| hub.reader(USER)).collect();
    std::thread::scope(|scope| {
        let reading: Vec<_> =
            readers.into_iter().map(|mut reader| scope.spawn(move || (reader.notifications(ITEMS), reader))).collect();
        hub.post(batch("test_user|false", "e", ITEMS)).assert_success();
        let read: Vec<_> = reading.into_iter().map(|reading| reading.join().unwrap()).collect();
        read.iter().for_each(|(messages, _)| assert_whole(messages));
        assert_eq!(hub.metric("lookout_connections"), 100.0);
    });
}
