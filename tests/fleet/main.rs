//! A fleet that loses nothing: three nodes, MongoDB, Redis and nginx, all killed and restarted, under readers that come and go.
//!
//! At the end every reader has seen every acknowledged notification exactly once, all in one order, and all of it is in the store.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod audit;
mod balancer;
#[expect(dead_code, reason = "the stories of another target use the rest")]
#[path = "../hub/support/events.rs"]
mod events;
mod log;
mod node;
mod plan;
mod reader;
mod rolling;
mod sender;
#[expect(dead_code, reason = "the stories of other targets use the rest")]
#[path = "../servers/mod.rs"]
mod servers;
mod stage;
mod stream;
mod trouble;
#[expect(dead_code, reason = "the stories of another target use the rest")]
#[path = "../hub/support/wire.rs"]
mod wire;

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
};

use fastrand::Rng;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use node::Node;
use plan::{NODES, PATIENCE, Plan, READERS, SENDERS};
use reader::Reader;
use sender::Sender;
use servers::{Mongod, Redis};
use stage::Stage;
use stream::{Opened, Stream};
use trouble::{ForgetfulRedis, torment};

/// The position before the first entry, which an empty log gives to everybody.
async fn origin(node: SocketAddr) -> String {
    let Ok(Opened::Stream(mut stream)) = Stream::open(node, "origin", "").await else { panic!("no stream") };
    loop {
        let frame = stream.next().await.expect("a frame").expect("a frame");
        if frame.contains("data: ") {
            return log::read(&frame).id.expect("the first message says where the stream starts");
        }
    }
}

/// Waits for all of them; the first that panics ends the story.
async fn all_of(tasks: &mut JoinSet<()>, what: &str) {
    let start = Instant::now();
    while let Some(ended) = timeout(PATIENCE.saturating_sub(start.elapsed()), tasks.join_next()).await.unwrap_or_else(|_| {
        panic!("{} {what} are not through in {PATIENCE:?}", tasks.len());
    }) {
        ended.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_under_kill_9_shows_all_that_was_acknowledged_once_and_in_one_order_to_every_reader() {
    let plan = Plan::from_environment();
    println!("LOOKOUT_FLEET_SEED={}", plan.seed);
    let mut rng = Rng::with_seed(plan.seed);
    let (mongod, redis) = (Mongod::start(), Redis::start());
    let mut nodes: Vec<_> = (0..NODES).map(|number| Node::new(number, &mongod, &redis)).collect();
    nodes.iter_mut().for_each(Node::start);
    audit::all_ready(&mut nodes).await;
    println!("logs: {:?}", nodes.iter().map(Node::log_file).collect::<Vec<_>>());
    let doors: Vec<_> = nodes.iter().map(|node| node.public).collect();
    let nginx = balancer::start(&doors, "error timeout");
    let stage = Arc::new(Stage::new(nginx.address(), doors.clone(), origin(doors[0]).await));

    let mut readers = JoinSet::new();
    for number in 0..READERS {
        readers.spawn(Reader::new(format!("reader-{number}"), stage.clone(), rng.fork()).roam());
    }
    let mut senders = JoinSet::new();
    for number in 0..SENDERS {
        senders.spawn(Sender::new(number, stage.clone(), rng.fork()).send());
    }
    let until = Instant::now() + plan.trouble;
    let mongod = tokio::spawn(torment(mongod, rng.fork(), until));
    let redis = tokio::spawn(torment(ForgetfulRedis { redis, losses: 0 }, rng.fork(), until));
    let nodes: Vec<_> = nodes.into_iter().map(|node| tokio::spawn(torment(node, rng.fork(), until))).collect();
    tokio::select! {
        () = sleep_until(until) => {}
        ended = readers.join_next() => panic!("a reader has ended early: {ended:?}"),
        ended = senders.join_next() => panic!("a sender has ended early: {ended:?}"),
    }

    let (_mongod, mongod_kills) = mongod.await.unwrap();
    let (redis, redis_kills) = redis.await.unwrap();
    let (mut alive, mut node_kills) = (Vec::new(), 0);
    for node in nodes {
        let (node, kills) = node.await.unwrap();
        alive.push(node);
        node_kills += kills;
    }
    audit::all_ready(&mut alive).await;
    stage.enough.store(true, Ordering::Relaxed);
    all_of(&mut senders, "senders").await;
    let quiet = Instant::now();
    audit::all_shown(&stage).await;
    all_of(&mut readers, "readers").await;
    let caught_up = quiet.elapsed();
    let deliveries = stage.deliveries.load(Ordering::Relaxed);
    audit::nothing_seen_is_gone(&stage).await;

    let acknowledged = stage.acknowledged.lock().unwrap().len();
    let entries = stage.total.load(Ordering::Relaxed);
    println!(
        "{acknowledged} acknowledged in {entries} entries, {deliveries} deliveries to {READERS} readers over {} connections; \
         kills: {node_kills} of nodes (and {} ends of their own), {mongod_kills} of MongoDB, {redis_kills} of Redis ({} with \
         its data lost); an acknowledgement took {} ms at most; all caught up {caught_up:?} after the last event",
        stage.connections.load(Ordering::Relaxed),
        alive.iter().map(|node| node.gave_up).sum::<usize>(),
        redis.losses,
        stage.longest.load(Ordering::Relaxed),
    );
    assert_eq!(deliveries, entries * READERS);
    assert!(acknowledged > 0 && node_kills > 0 && mongod_kills > 0 && redis_kills > 0, "the run was too short to say anything");
}
