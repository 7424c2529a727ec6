//! `kill -9` at random moments: what was acknowledged reaches every reader exactly once, in one order, and nothing else does.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use fastrand::Rng;
use serde_json::Value;

use crate::support::{Client, Doors, Message, Next, PATIENCE, Server, USER, event, marker, post, wait_for};

const KILLS: usize = 20;
const SENDERS: usize = 3;
const READERS: usize = 3;

/// `LOOKOUT_SEED` repeats a run's choices; its timing stays the machine's.
fn seed() -> u64 {
    std::env::var("LOOKOUT_SEED").map_or_else(|_| fastrand::u64(..), |text| text.parse().expect("LOOKOUT_SEED is a number"))
}

/// Posts events until told to stop, each until it is acknowledged: the id that each marker was given.
fn send(doors: Doors, sender: usize, mut rng: Rng, stop: &AtomicBool) -> HashMap<String, String> {
    let mut acknowledged = HashMap::new();
    let mut connection = None;
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let reference = format!("test_user|{}", rng.bool());
        let events: Vec<_> = (0..rng.usize(1..=3)).map(|item| event(&reference, &format!("s{sender}-{round}-{item}"))).collect();
        let results = keep(doors, &mut connection, &serde_json::to_vec(&events).unwrap());
        for (event, result) in events.iter().zip(&results) {
            let id = result["notification_id"].as_str().unwrap_or_else(|| panic!("not kept: {result}"));
            acknowledged.insert(event["event"]["id"].as_str().unwrap().to_owned(), id.to_owned());
        }
        std::thread::sleep(Duration::from_millis(rng.u64(0..8)));
    }
    acknowledged
}

/// Posts a batch as often as it takes; the results of the acknowledgement.
fn keep(doors: Doors, connection: &mut Option<Client>, body: &[u8]) -> Vec<Value> {
    wait_for("an acknowledgement", || {
        let mut client = connection.take().or_else(|| doors.sender().ok())?;
        let answer = post(&mut client, body, &[]).ok()?;
        if answer.status() == 503 {
            return None;
        }
        *connection = Some(client);
        Some(answer.assert_success()["results"].as_array().expect("a batch has results").clone())
    })
}

/// Follows the log from a position through every crash, until it has so many entries as `all` says in the end.
fn follow(doors: Doors, start: &str, mut rng: Rng, all: &AtomicUsize) -> Vec<Message> {
    let (mut entries, mut last) = (Vec::new(), start.to_owned());
    loop {
        let mut reader = wait_for("a stream", || doors.stream(USER).after(&last).try_connect().ok());
        let mut heard = Instant::now();
        loop {
            if entries.len() >= all.load(Ordering::Relaxed) {
                return entries;
            }
            match reader.next_within(Duration::from_millis(100)) {
                Next::Message(message) => {
                    assert_ne!(message.kind(), "replay_gap", "an entry that was shown is gone: {}", message.frame);
                    if message.is_entry() {
                        entries.push(message);
                    }
                }
                Next::Silence => {
                    assert!(heard.elapsed() < PATIENCE, "{} entries, and no more come", entries.len());
                    continue;
                }
                Next::Ended(_) => break,
            }
            heard = Instant::now();
            last = reader.last_id();
            if rng.u8(..) == 0 {
                reader.reset();
                break;
            }
        }
    }
}

/// Lets the threads end however the story does: a scope waits for them also when it panics.
struct Release<'a> {
    stop: &'a AtomicBool,
    all: &'a AtomicUsize,
}

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.all.store(0, Ordering::Relaxed);
    }
}

/// Reads the whole log until it holds every acknowledged notification, and an update for each that came as pending.
fn audit(server: &Server, origin: &str, acknowledged: &HashMap<String, String>) -> Vec<Message> {
    let mut reader = server.stream(USER).after(origin).connect();
    let (mut entries, mut notifications, mut pending) = (Vec::new(), 0, 0);
    while notifications < acknowledged.len() || pending > 0 {
        let message = reader.message();
        match message.kind() {
            "zone_port_notification" => {
                notifications += 1;
                pending += usize::from(message.json["data"]["screening_results"]["status"] == "pending");
            }
            "screening_update" => pending -= 1,
            _ => continue,
        }
        entries.push(message);
    }
    entries
}

#[test]
fn nothing_acknowledged_is_lost_doubled_or_reordered_by_kill_9() {
    let seed = seed();
    println!("LOOKOUT_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    // Webhooks that wait for a screening are shown as pending early, so that kills meet them in every state.
    let mut server = Server::start(&[("SCREENING__DELIVER_WITHIN", "50ms")]);
    let origin = server.reader(USER).start.clone();
    let doors = *server;
    let (stop, all) = (AtomicBool::new(false), AtomicUsize::new(usize::MAX));
    std::thread::scope(|scope| {
        let _release = Release { stop: &stop, all: &all };
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (rng, stop) = (rng.fork(), &stop);
                scope.spawn(move || send(doors, sender, rng, stop))
            })
            .collect();
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                let (rng, origin, all) = (rng.fork(), &origin, &all);
                scope.spawn(move || follow(doors, origin, rng, all))
            })
            .collect();
        for _ in 0..KILLS {
            std::thread::sleep(Duration::from_millis(rng.u64(20..400)));
            server.kill9();
            server.restart();
        }
        stop.store(true, Ordering::Relaxed);
        let acknowledged: HashMap<_, _> = senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect();
        let log = audit(&server, &origin, &acknowledged);
        all.store(log.len(), Ordering::Relaxed);

        let shown: Vec<_> = log.iter().filter(|entry| entry.kind() == "zone_port_notification").collect();
        assert_eq!(shown.len(), acknowledged.len(), "each once");
        for entry in shown {
            let (marker, id) = (marker(&entry.json), &entry.json["notification_id"]);
            assert_eq!(acknowledged.get(marker).map(String::as_str), id.as_str(), "{marker}");
        }
        for reader in readers {
            let seen = reader.join().unwrap();
            let differs = seen.iter().zip(&log).position(|(seen, entry)| seen != entry);
            assert_eq!((seen.len(), differs), (log.len(), None), "every reader saw the log as it is");
        }
        println!("{} notifications in {} entries through {KILLS} kills", acknowledged.len(), log.len());
    });
}

#[test]
fn a_last_id_is_good_after_a_crash_with_nothing_new_behind_it() {
    let mut server = Server::start(&[]);
    let mut reader = server.reader(USER);
    server.post_kept(event("test_user|true", "a"));
    let last = reader.notification().id.unwrap();
    server.kill9();
    server.restart();
    let mut reader = server.stream(USER).after(&last).connect();
    assert_eq!(reader.start, last);
    assert_eq!(reader.expect("caught_up").json["replayed"], 0);
    server.post_kept(event("test_user|false", "b"));
    assert_eq!(marker(&reader.notification().json), "b");
}

#[test]
fn an_event_posted_again_after_a_crash_is_a_duplicate() {
    let mut server = Server::start(&[]);
    let first = server.post_kept(event("test_user|false", "a"));
    server.kill9();
    server.restart();
    let again = server.post(event("test_user|false", "a")).assert_success();
    assert_eq!((&again["notification_id"], &again["duplicate"]), (&Value::from(first), &Value::from(true)));
}
