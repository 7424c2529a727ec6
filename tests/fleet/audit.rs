//! What must hold when all is quiet: whatever was acknowledged was shown, whatever was shown is in the store, on every node.

use std::{net::SocketAddr, sync::Arc, sync::atomic::Ordering, time::Duration};

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{node::Node, plan::PATIENCE, reader::Reader, stage::Stage};

/// Waits until every node is ready again.
pub async fn all_ready(nodes: &mut [Node]) {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().expect("a client");
    let start = Instant::now();
    for node in nodes {
        let url = format!("http://{}/readyz", node.admin);
        loop {
            node.keep_up();
            let answer = client.get(&url).send().await;
            if answer.as_ref().is_ok_and(|answer| answer.status() == 200) {
                break;
            }
            assert!(start.elapsed() < PATIENCE, "{url} is not ready: {answer:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Waits until somebody has seen all that was acknowledged and every result that was promised, and says how many entries
/// that makes.
pub async fn all_shown(stage: &Stage) {
    let acknowledged = stage.acknowledged.lock().expect("no panic").clone();
    let start = Instant::now();
    loop {
        {
            let log = stage.log.lock().expect("no panic");
            if log.notifications().len() >= acknowledged.len() && log.pending() == 0 {
                assert_eq!(log.notifications(), &acknowledged, "what was shown is what was acknowledged");
                return stage.total.store(log.entries().len(), Ordering::Relaxed);
            }
            let (shown, pending) = (log.notifications().len(), log.pending());
            let all = acknowledged.len();
            assert!(start.elapsed() < PATIENCE, "{shown} of {all} acknowledged are shown, {pending} pending");
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Reads everything from each node, as a stream from the origin and as history, and compares it with what was seen.
pub async fn nothing_seen_is_gone(stage: &Arc<Stage>) {
    for (number, node) in stage.nodes.iter().enumerate() {
        Reader::new(format!("audit-{number}"), stage.clone(), fastrand::Rng::new()).read_all(*node).await;
        let kept = history(*node, &stage.origin).await;
        let log = stage.log.lock().expect("no panic");
        let seen = log.entries().iter().filter(|entry| entry.kind() == "zone_port_notification");
        let seen: Vec<_> = seen.map(|entry| (entry.id.clone(), entry.json["notification_id"].clone())).collect();
        let differs = kept.iter().zip(&seen).position(|(kept, seen)| kept != seen);
        assert_eq!((kept.len(), differs), (seen.len(), None), "the history of node {number} is what was seen");
    }
}

/// The positions and ids of all notifications that a node has, oldest first.
async fn history(node: SocketAddr, origin: &str) -> Vec<(Option<String>, Value)> {
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
    let (mut all, mut after) = (Vec::new(), origin.to_owned());
    loop {
        let url = format!("http://{node}/notifications/zone-port-notifications?user_id=audit&limit=1000&after={after}");
        let answer = client.get(url).send().await.expect("a page of history");
        assert_eq!(answer.status(), 200);
        let page: Value = answer.json().await.expect("a page is JSON");
        let notifications = page["notifications"].as_array().expect("notifications");
        if notifications.is_empty() {
            return all;
        }
        let place = |entry: &Value| (entry["position"].as_str().map(str::to_owned), entry["notification_id"].clone());
        all.extend(notifications.iter().map(place));
        page["next"].as_str().expect("a cursor").clone_into(&mut after);
    }
}
