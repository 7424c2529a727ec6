//! Every node answers who was sent what by any of them.

use lookout::config::Config;
use serde_json::{Value, json};

use crate::{
    stage::{NEVER, SOON, Stage},
    support::{Hub, USER, event, wait_for},
};

fn deliveries(node: &Hub, query: &str) -> Vec<Value> {
    node.admin(&format!("/audit?{query}")).assert_success()["deliveries"].as_array().unwrap().clone()
}

#[test]
fn each_node_tells_what_any_of_them_has_sent() {
    let stage = Stage::new();
    let often = |config: &mut Config| config.audit.interval = Some(SOON);
    let nodes = [(); 2].map(|()| stage.node(NEVER).with(often).start());
    nodes.iter().for_each(crate::stage::is_on_the_bus);
    let [here, there] = &nodes;
    let (mut near, mut far) = (here.reader(USER), there.reader(USER));
    let posted = here.post_kept(event("test_user|false", "a"));
    near.notification();
    let last = far.notification();
    let told = wait_for("both deliveries", || {
        let told = deliveries(here, &format!("notification_id={posted}"));
        (told.len() == 2).then_some(told)
    });
    assert_eq!(told, deliveries(there, &format!("notification_id={posted}")));
    assert!(told.iter().all(|delivery| delivery["position"] == json!(last.id)), "{told:?}");
    // Who moves to the other node is on another connection there, and is sent only what is new.
    drop(far);
    let mut moved = here.stream(USER).after(last.id.as_deref().unwrap()).connect();
    let next = there.post_kept(event("test_user|false", "b"));
    near.notification();
    moved.expect("caught_up");
    moved.notification();
    let told = wait_for("all four", || {
        let told = deliveries(there, &format!("user_id={USER}"));
        (told.len() == 4).then_some(told)
    });
    let connections =
        |id: &str| told.iter().filter(|one| one["notification_id"] == id).map(|one| &one["connection_id"]).collect::<Vec<_>>();
    let (first, second) = (connections(&posted), connections(&next));
    assert_eq!((first.len(), second.len()), (2, 2));
    assert!(second.iter().any(|connection| !first.contains(connection)), "the connection that was opened last");
}
