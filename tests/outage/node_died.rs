//! A node that dies at the worst moment, and what the other one and its readers notice of it.

use std::time::{Duration, Instant};

use mongodb::bson::doc;
use nix::sys::signal::Signal;

use crate::{
    fleet::Fleet,
    node::{assert_shown, keep},
    support::{event, post, wait_for},
};

#[test]
fn what_a_node_kept_before_it_died_reaches_the_readers_of_the_other() {
    let mut fleet = Fleet::start("200ms");
    fleet.redis.kill9();
    for round in 0..3 {
        let marker = format!("dying-{round}");
        keep(&fleet.nodes[0], &marker);
        fleet.nodes[0].kill9();
        assert_shown(&mut fleet.readers[1], &[&marker]);
        fleet.nodes[0].restart();
    }
}

#[test]
fn a_node_that_dies_in_a_commit_holds_the_other_up_for_seconds_only() {
    let mut fleet = Fleet::start("200ms");
    let mut sender = fleet.nodes[0].sender().expect("a connection");
    let sender = std::thread::spawn(move || {
        let bodies =
            (0..).map(|number| serde_json::to_vec(&event("test_user|false", &format!("early-{number}"))).expect("a body"));
        bodies.take_while(|body| post(&mut sender, body, &[]).is_ok_and(|answer| answer.status() == 200)).count()
    });
    // It is stopped where it is until it stands between two calls of a transaction, and dies there.
    wait_for("a moment in a commit", || {
        fleet.nodes[0].signal(Signal::SIGSTOP);
        let status = fleet.mongod.command(doc! { "serverStatus": 1 });
        let open = status.get_document("transactions").expect("transactions").get_i64("currentInactive").expect("a count");
        if open == 0 {
            fleet.nodes[0].signal(Signal::SIGCONT);
        }
        (open > 0).then_some(())
    });
    fleet.nodes[0].kill9();
    let acknowledged = sender.join().expect("no panic");
    let start = Instant::now();
    keep(&fleet.nodes[1], "late");
    // MongoDB by itself takes a dead client's transaction back after a minute.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let early: Vec<_> = (0..acknowledged).map(|number| format!("early-{number}")).collect();
    assert_shown(&mut fleet.readers[1], &early.iter().map(String::as_str).chain(["late"]).collect::<Vec<_>>());
}
