//! Users of a fleet: whoever is removed anywhere loses the streams of every node.

use std::time::{Duration, Instant};

use lookout::{
    commands,
    config::{AuthMode, Config, Secret, StoreKind},
};

use crate::{
    stage::{SOON, Stage},
    support::{Client, End, Hub, Next, Reader, wait_for},
};

fn node(stage: &Stage) -> Hub {
    stage.node_without_bus(SOON).with(|config| config.auth.mode = AuthMode::Store).start()
}

/// What `lookout user add` and `remove` do, without a server of their own.
fn set(stage: &Stage, user: &str, known: bool) {
    let mut config = Config::defaults();
    config.store.kind = StoreKind::MongoDb;
    config.store.uri = Secret::new(stage.mongod.uri());
    let done = actix::System::new().block_on(commands::set_users(&config, vec![user.to_owned()], known)).unwrap();
    assert_eq!(done, [(user.to_owned(), true)]);
}

fn gets_in(node: &Hub, user: &str) -> Reader {
    wait_for("the user to be let in", || (node.stream(user).status().unwrap() == 200).then(|| node.reader(user)))
}

fn assert_dismissed(reader: &mut Reader) {
    assert_eq!(reader.expect("session_ended").json["reason"], "user_removed");
    assert!(matches!(reader.next_within(Duration::from_secs(20)), Next::Ended(End::Clean)));
}

#[test]
fn a_user_who_is_removed_by_a_command_loses_the_streams_of_every_node() {
    let stage = Stage::new();
    let nodes = [(); 2].map(|()| node(&stage));
    set(&stage, "ana", true);
    set(&stage, "ben", true);
    let mut anas = nodes.each_ref().map(|node| gets_in(node, "ana"));
    let mut bens = nodes.each_ref().map(|node| gets_in(node, "ben"));
    let begun = Instant::now();
    set(&stage, "ana", false);
    anas.iter_mut().for_each(assert_dismissed);
    // Far below the patience of a reader: a look of each node, and a busy machine.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    for node in &nodes {
        node.stream("ana").refused().assert_error(401);
        node.wait_for_metric("lookout_connections", 1.0);
    }
    bens.iter_mut().for_each(|ben| assert!(ben.stays_open(Duration::from_millis(200))));
}

#[test]
fn a_user_who_is_removed_at_one_node_loses_the_streams_of_the_others_too() {
    let stage = Stage::new();
    let nodes = [(); 2].map(|()| node(&stage));
    let admin = |method: &str, path: &str, body: &str| {
        let answer = Client::connect(nodes[0].admin)
            .and_then(|mut client| client.request(method, path, &[("X-Lookout-Admin", "1")], body.as_bytes()));
        answer.unwrap().assert_success();
    };
    admin("POST", "/users", r#"{"user_id":"ana"}"#);
    // At the node that was asked at once, at the other one soon.
    let mut anas = [nodes[0].reader("ana"), gets_in(&nodes[1], "ana")];
    admin("DELETE", "/users/ana", "");
    nodes[0].stream("ana").refused().assert_error(401);
    anas.iter_mut().for_each(assert_dismissed);
    nodes[1].stream("ana").refused().assert_error(401);
}

#[test]
fn a_node_that_cannot_ask_the_store_lets_nobody_in_before_long_and_leaves_streams_alone() {
    let mut stage = Stage::new();
    let node = node(&stage);
    set(&stage, "ana", true);
    let mut reader = gets_in(&node, "ana");
    stage.mongod.freeze();
    let refused = wait_for("the node to be unsure", || {
        let answer = node.stream("ana");
        (answer.status().unwrap() == 503).then(|| answer.refused())
    });
    assert_eq!(refused.assert_error(503)["error"], "auth_unavailable");
    assert!(reader.stays_open(Duration::from_millis(100)));
    stage.mongod.thaw();
    gets_in(&node, "ana");
}
