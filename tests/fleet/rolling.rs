//! A new version, node by node: each is told to stop and started again under load, while readers come back when they were told to.
//!
//! `LOOKOUT_FLEET_READERS` says how many of them there are.

use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use fastrand::Rng;
use tokio::{
    task::{JoinSet, block_in_place},
    time::{Instant, sleep},
};

use crate::{
    all_of, audit, balancer,
    node::Node,
    origin,
    plan::{NODES, PATIENCE, rolling_readers},
    reader::Reader,
    sender::Sender,
    servers::{Mongod, Redis},
    stage::Stage,
};

/// Enough of them that every node has something to finish when it stops.
const SENDERS: usize = 2;
/// `server.shutdown_grace`, at its default.
const GRACE: Duration = Duration::from_secs(10);

/// Waits until so many streams were opened, and all of them are open.
async fn all_open(stage: &Stage, readers: usize) {
    let start = Instant::now();
    while stage.open.load(Ordering::Relaxed) < readers {
        assert!(start.elapsed() < PATIENCE, "{} of {readers} streams are open", stage.open.load(Ordering::Relaxed));
        sleep(Duration::from_millis(20)).await;
    }
}

/// How many came back in each second since the first of them.
fn by_second(comebacks: &[Instant]) -> Vec<usize> {
    let first = *comebacks.iter().min().expect("somebody came back");
    let last = *comebacks.iter().max().expect("somebody came back");
    let mut seconds = vec![0; (last - first).as_secs() as usize + 1];
    comebacks.iter().for_each(|at| seconds[(*at - first).as_secs() as usize] += 1);
    seconds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_loses_nothing_and_no_second_brings_many_more_readers_than_another() {
    rlimit::increase_nofile_limit(20_000).expect("open files for the readers");
    let count = rolling_readers();
    let mut rng = Rng::new();
    let (mongod, redis) = (Mongod::start(), Redis::start());
    let mut nodes: Vec<_> = (0..NODES).map(|number| Node::new(number, &mongod, &redis)).collect();
    for node in &mut nodes {
        // All come from one address.
        node.set("LIMITS__STREAMS_PER_IP", "0");
        // Of three nodes two carry all readers while one restarts, and chance does not share them evenly.
        node.set("STREAM__MAX_CONNECTIONS", &count.to_string());
        node.start();
    }
    audit::all_ready(&mut nodes).await;
    let doors: Vec<_> = nodes.iter().map(|node| node.public).collect();
    let nginx = balancer::start(&doors, "error timeout http_503");
    let stage = Arc::new(Stage::new(nginx.address(), doors.clone(), origin(doors[0]).await));

    let comebacks = Arc::new(Mutex::new(Vec::new()));
    let mut readers = JoinSet::new();
    for number in 0..count {
        readers.spawn(Reader::new(format!("reader-{number}"), stage.clone(), rng.fork()).follow(comebacks.clone()));
    }
    all_open(&stage, count).await;
    let mut senders = JoinSet::new();
    for number in 0..SENDERS {
        senders.spawn(Sender::new(number, stage.clone(), rng.fork()).send());
    }
    comebacks.lock().unwrap().clear();

    let mut longest = Duration::ZERO;
    for number in 0..NODES {
        let start = Instant::now();
        block_in_place(|| nodes[number].stop());
        longest = longest.max(start.elapsed());
        nodes[number].start();
        audit::all_ready(&mut nodes).await;
    }
    all_open(&stage, count).await;
    let comebacks = std::mem::take(&mut *comebacks.lock().unwrap());

    stage.enough.store(true, Ordering::Relaxed);
    all_of(&mut senders, "senders").await;
    audit::all_shown(&stage).await;
    all_of(&mut readers, "readers").await;
    let deliveries = stage.deliveries.load(Ordering::Relaxed);
    audit::nothing_seen_is_gone(&stage).await;
    let seconds = by_second(&comebacks);
    let (largest, mean) = (*seconds.iter().max().unwrap(), comebacks.len() as f64 / seconds.len() as f64);
    println!(
        "{count} readers, {} acknowledged, {deliveries} deliveries; a stop took {longest:?} at most; {} came back over {} s, \
         {mean:.1} a second, {largest} in the largest ({:.2} times the mean): {seconds:?}",
        stage.acknowledged.lock().unwrap().len(),
        comebacks.len(),
        seconds.len(),
        largest as f64 / mean,
    );
    assert!(longest < GRACE, "{longest:?}");
    assert_eq!(deliveries, stage.total.load(Ordering::Relaxed) * count);
    assert!(comebacks.len() >= count, "every reader had to come back at least once");
    assert!(largest as f64 <= 3.0 * mean, "{largest} in one second, {mean:.1} in the mean: {seconds:?}");
}
