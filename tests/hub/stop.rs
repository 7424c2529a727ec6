//! An orderly stop: streams end cleanly and spread, webhooks under way are answered, and nothing acknowledged is lost.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::support::{End, Hub, Server, USER, event, post, wait_for};

const STREAMS: usize = 1_000;
const GRACE: Duration = Duration::from_secs(10);

/// Every notification id that history knows.
fn kept(server: &Server) -> HashSet<String> {
    let (mut ids, mut cursor) = (HashSet::new(), String::new());
    loop {
        let page = server.history(&format!("&limit=1000{cursor}"));
        for notification in page["notifications"].as_array().unwrap() {
            ids.insert(notification["notification_id"].as_str().unwrap().to_owned());
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&before={next}"),
            None => return ids,
        }
    }
}

#[test]
fn sigterm_ends_a_thousand_streams_cleanly_and_keeps_every_webhook() {
    rlimit::increase_nofile_limit(u64::MAX).expect("open files for a thousand streams");
    let mut server = Server::start(&[("STREAM__MAX_CONNECTIONS", "1000"), ("STREAM__RETRY", "3s")]);
    let mut readers: Vec<_> = (0..STREAMS).map(|_| server.reader(USER)).collect();
    let doors = *server;
    let body = event("test_user|false", "under way").to_string();
    let (first, second) = body.split_at(body.len() / 2);
    let mut under_way = server.webhook_under_way(body.len());
    under_way.send(first.as_bytes()).unwrap();
    server.wait_for_metric("lookout_webhooks_in_flight", 1.0);
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..4)
            .map(|sender| {
                scope.spawn(move || {
                    let mut acknowledged = HashSet::new();
                    let mut client = doors.sender().unwrap();
                    for round in 0.. {
                        let body = event("test_user|true", &format!("s{sender}-{round}")).to_string();
                        // The connection ends when the server does.
                        let Ok(answer) = post(&mut client, body.as_bytes(), &[]) else { break };
                        if answer.status() != 200 {
                            break;
                        }
                        acknowledged.insert(answer.json()["notification_id"].as_str().unwrap().to_owned());
                        // A thousand streams that nobody reads meanwhile hold everything in the kernel.
                        std::thread::sleep(Duration::from_millis(50));
                    }
                    acknowledged
                })
            })
            .collect();
        readers[0].notification();

        let start = Instant::now();
        server.signal(Signal::SIGTERM);
        wait_for("the server to be ready no more", || {
            let ready =
                crate::support::Client::connect(doors.admin).and_then(|mut admin| admin.request("GET", "/readyz", &[], b""));
            ready.map_or(true, |answer| answer.status() != 200).then_some(())
        });
        under_way.send(second.as_bytes()).unwrap();
        let answer = under_way.answer(false).expect("a webhook under way is answered").assert_success();
        let status = server.wait_for_exit();
        assert_eq!(status.code(), Some(0), "{status}");
        assert!(start.elapsed() < GRACE, "{:?}", start.elapsed());

        let mut acknowledged: HashSet<_> = senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect();
        acknowledged.insert(answer["notification_id"].as_str().unwrap().to_owned());
        server.restart();
        let kept = kept(&server);
        let lost: Vec<_> = acknowledged.difference(&kept).collect();
        assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), acknowledged.len());
    });

    let mut goodbyes = HashSet::new();
    for reader in &mut readers {
        let (_, end) = reader.rest();
        assert_eq!(end, End::Clean);
        assert_eq!(reader.retries().len(), 2, "one retry at the start, one at the end");
        goodbyes.insert(reader.retries()[1]);
    }
    assert!(goodbyes.len() > STREAMS / 10, "reconnections are spread, not {} different times", goodbyes.len());
}

#[test]
fn sigint_is_as_orderly_as_sigterm() {
    let mut server = Server::start(&[]);
    let mut readers: Vec<_> = (0..20).map(|_| server.reader(USER)).collect();
    let id = server.post_kept(event("test_user|false", "last"));
    server.signal(Signal::SIGINT);
    assert_eq!(server.wait_for_exit().code(), Some(0));
    for reader in &mut readers {
        assert_eq!(reader.notification().json["notification_id"], id);
        let (_, end) = reader.rest();
        assert_eq!((end, reader.retries().len()), (End::Clean, 2));
    }
}

#[test]
fn a_stop_does_not_wait_for_a_reader_that_has_stopped_reading() {
    let mut server = Server::start(&[("SERVER__SHUTDOWN_GRACE", "3s")]);
    let _stalled = server.stream(USER).small_buffers().connect();
    server.post(crate::support::sized_batch("test_user|false", "e", 500, 1_000)).assert_success();
    server.wait_for_metric("lookout_queue_overflows_total", 1.0);
    let start = Instant::now();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_for_exit().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_reader_resumes_across_an_orderly_stop() {
    let hub = Hub::start();
    let mut reader = hub.reader(USER);
    let first = hub.post_kept(event("test_user|false", "a"));
    let hub = hub.stop().start();
    let (messages, end) = reader.rest();
    assert_eq!((messages.len(), &messages[0].json["notification_id"], end), (1, &first.into(), End::Clean));
    let second = hub.post_kept(event("test_user|false", "b"));
    let mut reader = hub.stream(USER).after(&reader.last_id()).connect();
    assert_eq!(reader.notification().json["notification_id"], second);
}

#[test]
fn streams_end_one_after_the_other_and_their_readers_are_to_come_back_evenly_over_time() {
    const READERS: usize = 300;
    let mut server =
        Server::start(&[("STREAM__MAX_CONNECTIONS", "301"), ("STREAM__RETRY", "2s"), ("SERVER__SHUTDOWN_GRACE", "5s")]);
    let readers: Vec<_> = (0..READERS).map(|_| server.reader(USER)).collect();
    let start = Instant::now();
    server.signal(Signal::SIGTERM);
    let goodbyes: Vec<(Duration, Duration)> = std::thread::scope(|scope| {
        let waiting: Vec<_> = readers
            .into_iter()
            .map(|mut reader| {
                scope.spawn(move || {
                    assert_eq!(reader.rest().1, End::Clean);
                    (start.elapsed(), Duration::from_millis(*reader.retries().last().unwrap()))
                })
            })
            .collect();
        // What comes while streams are still open is sent elsewhere at once.
        for refused in [server.stream(USER).refused(), server.post(event("test_user|false", "late"))] {
            assert_eq!(refused.assert_error(503)["error"], "stopping");
            assert_eq!(refused.head.header("retry-after").as_deref(), Some("1"));
        }
        assert_eq!(server.admin("/readyz").status(), 503);
        waiting.into_iter().map(|goodbye| goodbye.join().unwrap()).collect()
    });
    assert_eq!(server.wait_for_exit().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());

    let (mut ends, mut comebacks): (Vec<_>, Vec<_>) = goodbyes.into_iter().map(|(end, retry)| (end, end + retry)).unzip();
    ends.sort();
    comebacks.sort();
    assert!(ends[READERS - 1] - ends[0] > Duration::from_secs(2), "paced: {:?} to {:?}", ends[0], ends[READERS - 1]);
    let span = comebacks[READERS - 1] - comebacks[0];
    let mean = READERS as f64 / span.as_secs_f64();
    let within_a_second =
        |at: usize| comebacks[at..].iter().take_while(|later| **later < comebacks[at] + Duration::from_secs(1)).count();
    let largest = (0..READERS).map(within_a_second).max().unwrap();
    println!("{READERS} come back over {span:?}: {mean:.1} a second, {largest} in the largest");
    assert!(largest as f64 <= 3.0 * mean, "{largest} in one second, {mean:.1} in the mean");
}
