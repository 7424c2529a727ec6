//! A peer that falls silent without a word: only a network can do that, so these tests build one and take it down.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[expect(dead_code, unused_imports, reason = "the stories of the other target use the rest")]
mod support;

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, TcpStream},
    process::Command,
    sync::mpsc,
    time::{Duration, Instant},
};

use lookout::http::actors_live::MOST_VIEWERS;
use nix::{
    sched::{CloneFlags, unshare},
    unistd::gettid,
};
use support::{Doors, Reader, Server, USER, event, wait_for};

/// Set in the process that lives in a network of its own.
const INSIDE: &str = "LOOKOUT_TEST_NETWORK";
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("ip of iproute2");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs this very test again in a user and a network namespace of its own, where nobody else's network can be harmed.
fn in_a_network_of_its_own(test: &str, story: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        ip("link set lo up");
        return story();
    }
    let mut command = Command::new("unshare");
    command.arg("-rn").arg(std::env::current_exe().expect("this test's binary")).args(["--exact", test, "--nocapture"]);
    let output = command.env(INSIDE, "1").output().expect("unshare of util-linux");
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

/// The cable to a second network.
struct Cable {
    pull: mpsc::Sender<()>,
    pulled: mpsc::Receiver<()>,
}

impl Cable {
    /// Takes the far end down: what is sent now arrives nowhere, and nothing comes back.
    fn pull(&self) {
        self.pull.send(()).expect("the far end is there");
        self.pulled.recv().expect("the far end is down");
    }
}

/// Opens a stream to [`SERVER`] from a second network.
fn distant_reader(server: &Server) -> (Reader, Cable) {
    let doors = Doors { public: (SERVER, server.public.port()).into(), ..**server };
    distant(move || doors.reader(USER))
}

/// Opens something to [`SERVER`] from a second network.
fn distant<T: Send + 'static>(open: impl FnOnce() -> T + Send + 'static) -> (T, Cable) {
    let (arrive, arrived) = mpsc::channel();
    let (plug, plugged) = mpsc::channel();
    let (connected, reader) = mpsc::channel();
    let (pull, pulling) = mpsc::channel();
    let (down, pulled) = mpsc::channel();
    std::thread::spawn(move || {
        // A namespace belongs to the thread; its sockets stay in it, whichever thread uses them later.
        unshare(CloneFlags::CLONE_NEWNET).expect("a second network");
        arrive.send(gettid()).expect("the story waits");
        plugged.recv().expect("the story goes on");
        ip("addr add 10.77.0.2/24 dev far-end");
        ip("link set far-end up");
        connected.send(open()).expect("the story waits");
        if pulling.recv().is_ok() {
            ip("link set far-end down");
            down.send(()).expect("the story waits");
        }
    });
    let network = arrived.recv().expect("the second network");
    ip("link add near-end type veth peer name far-end");
    ip(&format!("link set far-end netns {network}"));
    ip(&format!("addr add {SERVER}/24 dev near-end"));
    ip("link set near-end up");
    plug.send(()).expect("the thread waits");
    (reader.recv().expect("a stream over the cable"), Cable { pull, pulled })
}

#[test]
fn a_vanished_reader_frees_its_place_within_two_heartbeats() {
    in_a_network_of_its_own("a_vanished_reader_frees_its_place_within_two_heartbeats", || {
        const HEARTBEAT: Duration = Duration::from_secs(2);
        let settings = [("STREAM__HEARTBEAT_INTERVAL", "2s"), ("STREAM__MAX_CONNECTIONS", "1")];
        let server = Server::start_on(IpAddr::V4(Ipv4Addr::UNSPECIFIED), &settings);
        let (mut gone, cable) = distant_reader(&server);
        server.post_kept(event("test_user|false", "before"));
        gone.notification();
        server.stream(USER).refused().assert_error(503);

        cable.pull();
        let start = Instant::now();
        server.wait_for_metric("lookout_connections", 0.0);
        assert!(start.elapsed() < 2 * HEARTBEAT + Duration::from_millis(500), "{:?}", start.elapsed());
        let mut back = server.stream(USER).after(&gone.last_id()).connect();
        let id = server.post_kept(event("test_user|false", "after"));
        assert_eq!(back.expect("caught_up").json["replayed"], 0);
        assert_eq!(back.notification().json["notification_id"], id);
    });
}

#[test]
fn vanished_viewers_of_the_actors_free_their_places() {
    in_a_network_of_its_own("vanished_viewers_of_the_actors_free_their_places", || {
        let settings = [("STREAM__HEARTBEAT_INTERVAL", "2s"), ("ADMIN__ALLOW_REMOTE", "true")];
        let server = Server::start_on(IpAddr::V4(Ipv4Addr::UNSPECIFIED), &settings);
        let view = |address| {
            let mut socket = TcpStream::connect(address).expect("a connection");
            socket.write_all(b"GET /actors/stream HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
            let mut status = [0; 12];
            socket.read_exact(&mut status).expect("an answer");
            (status == *b"HTTP/1.1 200").then_some(socket)
        };
        let distant_door = (SERVER, server.admin.port()).into();
        let (gone, cable) = distant(move || (0..MOST_VIEWERS).map(|_| view(distant_door)).collect::<Vec<_>>());
        assert!(gone.iter().all(Option::is_some));
        assert!(view(server.admin).is_none(), "all places are taken");
        cable.pull();
        wait_for("a place that a vanished viewer had", || view(server.admin));
    });
}
