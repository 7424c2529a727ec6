//! What nodes share, screenings and history, and what each has to itself, connections and readiness.

use std::{collections::BTreeSet, time::Duration};

use lookout::{
    actors::{line::Stop, session_supervisor::SayGoodbye},
    notification::results::Severity,
};
use serde_json::json;

use crate::{
    stage::{SOON, Stage, is_on_the_bus, markers},
    support::{Calls, Hub, USER, event, held, result},
};

const TAKE_OVER_AFTER: Duration = Duration::from_secs(1);

fn vessel(name: &str) -> serde_json::Value {
    let mut event = event("test_user|true", name);
    event["vessel"] = json!({ "imo": "9999993", "name": name });
    event
}

/// Waits for so many calls, answers them, and gives the vessels that were asked about.
fn answer(calls: &Calls, count: usize) -> Vec<String> {
    let asked: Vec<_> = (0..count).map(|_| calls.next()).collect();
    let mut names: Vec<_> = asked.iter().map(|asked| asked.subject.name.clone().expect("a name")).collect();
    asked.into_iter().for_each(|asked| asked.answer(Ok(result(Severity::Critical))));
    names.sort();
    names
}

#[test]
fn each_notification_is_screened_once_and_by_whichever_node_has_time() {
    let stage = Stage::new();
    let (screener, calls) = held(Duration::from_secs(60));
    let nodes = [(); 2].map(|()| {
        let setup = stage.node(SOON).with(|config| {
            config.screening.max_in_flight = 3;
            config.screening.deliver_within = Duration::from_secs(60);
        });
        setup.screened_by(screener.clone()).start()
    });
    nodes.iter().for_each(is_on_the_bus);
    let mut readers = nodes.each_ref().map(|node| node.reader(USER));
    let names: Vec<_> = (0..6).map(|index| format!("VESSEL {index}")).collect();
    names.iter().for_each(|name| drop(nodes[0].post_kept(vessel(name))));
    // None of them is answered before all are asked, and one node asks three at most.
    assert_eq!(answer(&calls, 6), names);
    for reader in &mut readers {
        let shown = reader.notifications(6);
        assert!(shown.iter().all(|shown| shown.json["data"]["screening_results"]["overall_severity"] == "CRITICAL"));
        assert_eq!(shown.iter().map(|shown| shown.id.clone()).collect::<BTreeSet<_>>().len(), 6);
    }
    assert!(calls.waiting().is_none(), "nobody is asked again");
    for node in &nodes {
        node.wait_for_metric("lookout_screenings_total", 3.0);
    }
}

#[test]
fn a_dead_node_s_screenings_are_taken_over() {
    let stage = Stage::new();
    let (screener, calls) = held(Duration::from_secs(60));
    let node = || {
        let setup = stage.node(SOON).with(|config| {
            config.cluster.take_over_after = TAKE_OVER_AFTER;
            config.screening.deliver_within = Duration::from_secs(60);
        });
        setup.screened_by(screener.clone()).start()
    };
    let dying = node();
    let names = ["VESSEL A", "VESSEL B"];
    names.iter().for_each(|name| drop(dying.post_kept(vessel(name))));
    let unanswered = [calls.next(), calls.next()];
    let heir = node();
    let mut reader = heir.reader(USER);
    std::thread::sleep(2 * TAKE_OVER_AFTER);
    assert!(calls.waiting().is_none(), "nothing is taken from the living");
    // A node that stops rebuilds nobody, so its screener is dead for good: no sign of life, and nothing is given back.
    dying.lines().session_supervisor.send(SayGoodbye { within: Duration::ZERO });
    dying.stream(USER).refused().assert_error(503);
    dying.lines().screener.send(Stop);
    assert_eq!(answer(&calls, 2), names);
    let mut shown = markers(&mut reader, 2);
    shown.sort();
    assert_eq!(shown, names);
    assert!(calls.waiting().is_none());
    drop(unanswered);
}

#[test]
fn history_is_the_same_on_each_node() {
    let stage = Stage::new();
    // Without a bus, and before the other node has looked: what is asked there is asked from the store.
    let nodes = [(); 2].map(|()| stage.node_without_bus(crate::stage::NEVER).start());
    let start = nodes[0].reader(USER).start.clone();
    let ids: Vec<_> = (0..7).map(|index| nodes[index % 2].post_kept(event("test_user|false", &format!("e{index}")))).collect();
    let newest = nodes[0].history("&limit=1")["notifications"][0]["position"].as_str().unwrap().to_owned();
    for query in ["", "&limit=3", &format!("&after={start}&limit=5"), &format!("&after={newest}"), &format!("&before={newest}")] {
        let pages = nodes.each_ref().map(|node| node.history(query));
        assert_eq!(pages[0], pages[1], "{query}");
    }
    assert_eq!(nodes[1].history("")["count"], 7);
    for id in &ids {
        let path = format!("/notifications/zone-port-notifications/{id}?user_id=test_user");
        let answers = nodes.each_ref().map(|node| node.get(&path));
        assert_eq!((answers[0].status(), answers[0].text()), (200, answers[1].text()));
    }
}

#[test]
fn a_webhook_that_comes_to_two_nodes_is_kept_once() {
    let stage = Stage::new();
    let nodes: [Hub; 2] = stage.nodes(SOON);
    let mut readers = nodes.each_ref().map(|node| node.reader(USER));
    let first = nodes[0].post(event("test_user|false", "twice")).assert_success();
    let second = nodes[1].post(event("test_user|false", "twice")).assert_success();
    assert_eq!((&first["duplicate"], &second["duplicate"]), (&json!(false), &json!(true)));
    assert_eq!(first["notification_id"], second["notification_id"]);
    nodes[1].post_kept(event("test_user|false", "next"));
    for reader in &mut readers {
        assert_eq!(markers(reader, 2), ["twice", "next"]);
    }
}

#[test]
fn each_node_counts_its_own_connections_and_is_ready_by_itself() {
    let stage = Stage::new();
    let [one, other] = [(); 2].map(|()| {
        let setup = stage.node(SOON).with(|config| {
            config.stream.max_connections = 3;
            config.stream.max_connections_per_user = 2;
            config.auth.users.push("ana".into());
        });
        setup.start()
    });
    let _here = [one.reader(USER), one.reader(USER), one.reader("ana")];
    let there = [other.reader(USER), other.reader(USER)];
    assert_eq!((one.metric("lookout_connections"), other.metric("lookout_connections")), (3.0, 2.0));
    one.stream("ana").refused().assert_error(503);
    other.stream(USER).refused().assert_error(503);
    let _one_more = other.reader("ana");
    drop(there);
    other.wait_for_metric("lookout_connections", 1.0);
    assert_eq!(one.metric("lookout_connections"), 3.0);
    drop(other.stop());
    assert_eq!(one.admin("/readyz").status(), 200);
    assert_eq!(one.metric("lookout_connections"), 3.0);
}
