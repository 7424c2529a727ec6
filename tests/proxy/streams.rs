//! Streams through nginx: at once, to the right node, and from where the client left off.

use crate::{
    curl::{STREAM, Stream, VERSIONS, get},
    nginx::Nginx,
    process::free_port,
    support::{Server, USER, event, marker, wait_for},
    two_nodes,
};

/// Posted to all, seen once by each reader wherever it is.
fn post_to_all(nodes: &[Server], name: &str) {
    for node in nodes {
        node.post_kept(event(&format!("{USER}|false"), name));
    }
}

fn connections(nodes: &[Server]) -> Vec<f64> {
    nodes.iter().map(|node| node.metric("lookout_connections")).collect()
}

#[test]
fn messages_arrive_at_once_and_the_stream_stays_open_over_both_versions_of_http() {
    let nodes = two_nodes(&[("STREAM__HEARTBEAT_INTERVAL", "1s")]);
    let nginx = Nginx::start(&[nodes[0].public, nodes[1].public]);
    for (version, spoken) in VERSIONS.into_iter().zip(["HTTP/1.1", "HTTP/2"]) {
        let mut stream = Stream::open(&nginx, version);
        assert_eq!(stream.version(), spoken);
        assert_eq!(stream.header("content-type"), Some("text/event-stream"));
        assert_eq!(stream.header("cache-control"), Some("no-cache"));
        for name in ["first", "second"] {
            post_to_all(&nodes, &format!("{name} {version}"));
            assert_eq!(marker(&stream.expect("zone_port_notification").json), format!("{name} {version}"));
            stream.expect("heartbeat");
        }
        assert!(stream.is_open());
    }
}

#[test]
fn the_last_event_id_goes_through() {
    let node = Server::start(&[]);
    let nginx = Nginx::start(&[node.public]);
    for version in VERSIONS {
        let mut stream = Stream::open(&nginx, version);
        node.post_kept(event(&format!("{USER}|false"), &format!("seen {version}")));
        let last_id = stream.expect("zone_port_notification").id.unwrap();
        drop(stream);
        let missed = [1, 2].map(|number| format!("missed {number} {version}"));
        for name in &missed {
            node.post_kept(event(&format!("{USER}|false"), name));
        }
        let mut stream = Stream::open_after(&nginx, version, &last_id);
        for name in &missed {
            assert_eq!(marker(&stream.expect("zone_port_notification").json), name);
        }
        assert_eq!(stream.expect("caught_up").json["replayed"], 2);
    }
}

#[test]
fn a_node_that_dies_is_passed_over_and_one_that_never_was_there_too() {
    let mut nodes = two_nodes(&[]);
    let nobody = ([127, 0, 0, 1], free_port()).into();
    let nginx = Nginx::start(&[nodes[0].public, nodes[1].public, nobody]);
    let mut streams: Vec<_> = (0..6).map(|index| Stream::open(&nginx, VERSIONS[index % 2])).collect();
    assert_eq!(connections(&nodes), [3.0, 3.0], "each node gets as many");

    nodes[0].kill9();
    wait_for("the streams of the dead node to end", || {
        (streams.iter_mut().filter_map(|stream| stream.is_open().then_some(())).count() == 3).then_some(())
    });
    streams.retain_mut(Stream::is_open);
    streams.extend((0..3).map(|index| Stream::open(&nginx, VERSIONS[index % 2])));
    assert_eq!(connections(&nodes[1..]), [6.0]);
    post_to_all(&nodes[1..], "after");
    for stream in &mut streams {
        assert_eq!(marker(&stream.expect("zone_port_notification").json), "after");
    }

    nodes[0].restart();
    streams.extend((0..6).map(|index| Stream::open(&nginx, VERSIONS[index % 2])));
    assert_eq!(connections(&nodes), [6.0, 6.0], "the one with the fewest is filled up");
}

#[test]
fn a_full_node_is_passed_over_and_full_nodes_say_when_to_come_back() {
    let nodes = ["1", "5"].map(|most| Server::start(&[("STREAM__MAX_CONNECTIONS", most)]));
    let nginx = Nginx::start(&[nodes[0].public, nodes[1].public]);
    for version in VERSIONS {
        let mut streams: Vec<_> = (0..6).map(|_| Stream::open(&nginx, version)).collect();
        // Often: a node that refuses is not left alone for it.
        for _ in 0..5 {
            let refused = get(&nginx, version, STREAM);
            assert_eq!(refused.status(), 503, "{refused:?}");
            assert!(refused.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
            assert_eq!(refused.json()["error"], "too_many_connections");
        }
        assert!(streams.iter_mut().all(Stream::is_open));
        drop(streams);
        wait_for("the nodes to notice that their readers have left", || (connections(&nodes) == [0.0, 0.0]).then_some(()));
    }
}

#[test]
fn an_ordered_stop_ends_streams_with_a_time_to_come_back() {
    let node = Server::start(&[]);
    let nginx = Nginx::start(&[node.public]);
    let streams = VERSIONS.map(|version| Stream::open(&nginx, version));
    node.signal(nix::sys::signal::Signal::SIGTERM);
    for stream in streams {
        let (retries, clean) = stream.ending();
        assert_eq!(retries.len(), 2, "one at the start, one with the goodbye: {retries:?}");
        assert!(clean);
    }
}
