//! Webhooks through nginx: kept once, never sent twice, and every refusal says when to try again.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::channel,
    },
};

use lookout::config::Config;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{
    curl::{Answer, VERSIONS, WEBHOOK, curl, post, posting, redirect, url},
    nginx::Nginx,
    process::free_port,
    support::{PATIENCE, Server, USER, event, marker, wait_for},
    tap::{self, FINE},
    two_nodes,
};

fn owned(name: &str) -> Value {
    event(&format!("{USER}|false"), name)
}

/// The events that these nodes have kept.
fn kept(nodes: &[Server]) -> Vec<String> {
    let mut all = Vec::new();
    for node in nodes {
        let page = node.history("&limit=1000");
        all.extend(page["notifications"].as_array().unwrap().iter().map(|message| marker(message).to_owned()));
    }
    all
}

/// An event whose body is exactly so long.
fn body_of(length: usize) -> Vec<u8> {
    let mut body = owned("long");
    body["event"]["remark"] = "".into();
    let padding = length - body.to_string().len();
    body["event"]["remark"] = "~".repeat(padding).into();
    body.to_string().into_bytes()
}

#[test]
fn a_webhook_posts_through_and_is_kept_at_one_node() {
    let nodes = two_nodes(&[]);
    let nginx = Nginx::start(&[nodes[0].public, nodes[1].public]);
    for version in VERSIONS {
        let answer = post(&nginx, version, &owned(version));
        assert_eq!((answer.status(), &answer.json()["duplicate"]), (200, &Value::Bool(false)));
    }
    let mut kept = kept(&nodes);
    kept.sort();
    assert_eq!(kept, VERSIONS);
}

#[test]
fn a_body_of_the_largest_size_goes_through_and_one_byte_more_is_413_before_it_reaches_a_node() {
    let nodes = two_nodes(&[]);
    let nginx = Nginx::start(&[nodes[0].public, nodes[1].public]);
    let max = Config::defaults().ingest.max_body;
    for version in VERSIONS {
        let send = |length| Answer::of(posting(&nginx, version, &body_of(length)).wait_with_output().unwrap());
        assert_eq!(send(max).status(), 200);
        let refused = send(max + 1);
        assert_eq!((refused.status(), &refused.json()["error"]), (413, &json!("body_too_large")));
    }
    let answers: f64 = nodes.iter().map(|node| node.metric("lookout_webhook_answers_total")).sum();
    assert_eq!(answers, 2.0);
}

#[test]
fn a_node_that_cannot_be_reached_is_passed_over() {
    let node = Server::start(&[]);
    let nobody = || SocketAddr::from(([127, 0, 0, 1], free_port()));
    let nginx = Nginx::start(&[nobody(), node.public, nobody()]);
    for round in 0..6 {
        assert_eq!(post(&nginx, VERSIONS[round % 2], &owned(&round.to_string())).status(), 200);
    }
    assert_eq!(kept(&[node]).len(), 6);
}

#[test]
fn without_any_node_a_webhook_is_503_with_a_time_to_come_back() {
    let nobody = [(); 3].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port())));
    let nginx = Nginx::start(&nobody);
    for round in 0..4 {
        let answer = post(&nginx, VERSIONS[round % 2], &owned("lost"));
        assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("2")));
        assert_eq!(answer.json()["error"], "no_node");
    }
}

#[test]
fn a_webhook_that_a_node_has_taken_and_not_answered_is_never_sent_to_another() {
    let (taken, has_taken) = channel();
    let taker = || {
        let taken = taken.clone();
        tap::listen(move |_, request| {
            taken.send(request).unwrap();
            None
        })
    };
    let node = [Server::start(&[])];
    let nginx = Nginx::start(&[taker(), taker(), node[0].public]);
    let (mut acknowledged, mut lost) = (BTreeSet::new(), Vec::new());
    let mut round = 0;
    wait_for("each taker to have been given a webhook", || {
        let name = format!("number {round}");
        let answer = post(&nginx, VERSIONS[round % 2], &owned(&name));
        round += 1;
        if answer.status() == 200 {
            acknowledged.insert(name);
        } else {
            assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("2")));
            lost.push(name);
        }
        (lost.len() == 2).then_some(())
    });
    for name in lost {
        assert!(has_taken.try_recv().unwrap().contains(&format!("\"{name}\"")));
    }
    assert!(has_taken.try_recv().is_err());
    assert_eq!(kept(&node).into_iter().collect::<BTreeSet<_>>(), acknowledged);
}

#[test]
fn a_node_that_takes_nothing_answers_for_itself_and_no_other_is_asked() {
    let nodes = two_nodes(&[]);
    let nginx = Nginx::start(&[nodes[0].public, nodes[1].public]);
    // A webhook under way keeps each node in its stop, and a node that stops takes no other.
    let mut under_way: Vec<_> = nodes.iter().map(|node| node.webhook_under_way(10)).collect();
    for (node, sender) in nodes.iter().zip(&mut under_way) {
        sender.send(b"{").unwrap();
        node.wait_for_metric("lookout_webhooks_in_flight", 1.0);
        node.signal(Signal::SIGTERM);
    }
    for node in &nodes {
        wait_for("the node to stop", || (node.admin("/readyz").status() == 503).then_some(()));
    }
    for (index, version) in VERSIONS.into_iter().enumerate() {
        let answer = post(&nginx, version, &owned("stopping"));
        assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("1")));
        assert_eq!(answer.json()["error"], "stopping");
        let answers: f64 = nodes.iter().map(|node| node.metric("lookout_webhook_answers_total")).sum();
        assert_eq!(answers, (index + 1) as f64, "one node was asked, and not the other one too");
    }
    drop(under_way);
}

#[test]
fn a_webhook_goes_to_its_end_though_its_sender_has_hung_up() {
    let (heard, has_heard) = channel();
    let (go, may_go) = channel();
    let may_go = Mutex::new(may_go);
    let node = tap::listen(move |_, request| {
        heard.send(request).unwrap();
        may_go.lock().unwrap().recv().unwrap();
        Some(FINE)
    });
    let nginx = Nginx::start(&[node]);
    for (version, spoken) in VERSIONS.into_iter().zip(["HTTP/1.1", "HTTP/2"]) {
        let mut sender = posting(&nginx, version, owned(version).to_string().as_bytes());
        assert!(has_heard.recv_timeout(PATIENCE).unwrap().contains(version));
        sender.kill().unwrap();
        sender.wait().unwrap();
        // While nginx answers this it has seen the other one go.
        redirect(&nginx);
        go.send(()).unwrap();
        nginx.access_log_with(&["POST", spoken, " 200 "]);
    }
}

#[test]
fn connections_to_a_node_are_used_again() {
    let most = Arc::new(AtomicUsize::new(0));
    let node = tap::listen({
        let most = most.clone();
        move |connection, _| {
            most.fetch_max(connection + 1, Ordering::Relaxed);
            Some(FINE)
        }
    });
    let nginx = Nginx::start(&[node]);
    // One curl is one connection to one worker.
    let body = owned("again").to_string();
    let mut command = curl(&nginx, "--http2");
    command.args(["--data-binary", &body]).args(vec![url(&nginx, WEBHOOK); 5]);
    assert!(command.output().unwrap().status.success());
    assert_eq!(most.load(Ordering::Relaxed), 1);
}
