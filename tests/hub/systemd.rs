//! What the service manager is told: ready only when it is so, alive only while the hub answers, stopping.

use std::{
    io::ErrorKind,
    os::unix::net::UnixDatagram,
    sync::mpsc,
    time::{Duration, Instant},
};

use lookout::{
    actors::{session_supervisor::Guard, ward::Ward},
    systemd,
};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::support::{Client, Hub, PATIENCE, Server};

/// What systemd listens with.
struct Manager {
    socket: UnixDatagram,
    folder: TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        Self { socket, folder }
    }

    fn server(&self, settings: &[(&str, &str)]) -> Server {
        Server::prepared(settings).with_variable("NOTIFY_SOCKET", self.folder.path().join("notify").to_str().unwrap())
    }

    /// The next message; none within this time.
    fn next(&self, patience: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let mut message = [0; 4096];
        match self.socket.recv(&mut message) {
            Ok(length) => Some(String::from_utf8(message[..length].to_vec()).unwrap().trim_end().to_owned()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            Err(error) => panic!("{error}"),
        }
    }

    fn expect(&self, wanted: &str) {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            match self.next(PATIENCE) {
                Some(message) if message == wanted => return,
                Some(message) if message == "WATCHDOG=1" => {}
                other => panic!("{wanted} was to come, not {other:?}"),
            }
        }
        panic!("waited in vain for {wanted}");
    }
}

#[test]
fn ready_is_said_when_streams_are_taken_and_stopping_when_they_end() {
    let manager = Manager::new();
    let mut server = manager.server(&[]).started();
    manager.expect("READY=1");
    assert_eq!(manager.next(Duration::from_millis(300)), None, "nobody has asked for a watchdog");
    server.signal(Signal::SIGTERM);
    manager.expect("STOPPING=1");
    assert_eq!(server.wait_for_exit().code(), Some(0));
}

#[test]
fn a_reload_is_told_from_its_beginning_to_its_end() {
    let manager = Manager::new();
    let server = manager.server(&[]).started();
    manager.expect("READY=1");
    server.signal(Signal::SIGHUP);
    let begun = manager.next(PATIENCE).unwrap();
    let (state, since) = begun.split_once('\n').unwrap();
    assert_eq!(state, "RELOADING=1");
    assert!(since.strip_prefix("MONOTONIC_USEC=").unwrap().parse::<u64>().unwrap() > 0);
    manager.expect("READY=1");
    assert!(server.log().contains("event=reloaded"), "{}", server.log());
}

#[test]
fn a_server_that_cannot_start_is_never_ready() {
    let manager = Manager::new();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let output = manager.server(&[("INGEST__BIND", &taken.local_addr().unwrap().to_string())]).run(&["serve"]);
    assert!(!output.status.success());
    assert_eq!(manager.next(Duration::from_millis(1)), None);
}

#[test]
fn a_watchdog_is_fed_in_time_again_and_again() {
    let manager = Manager::new();
    let mut server = manager.server(&[]).with_variable("WATCHDOG_USEC", "900000").started();
    manager.expect("READY=1");
    let mut last = Instant::now();
    for _ in 0..6 {
        assert_eq!(manager.next(PATIENCE).as_deref(), Some("WATCHDOG=1"));
        assert!(last.elapsed() < Duration::from_millis(900), "{:?}", last.elapsed());
        last = Instant::now();
    }
    assert!(!server.log().contains("watchdog_not_fed"), "a server that has just started is not taken for one that hangs");
    server.kill9();
}

#[test]
fn a_process_without_a_service_manager_is_served_as_ever() {
    let server = Server::start(&[]);
    assert!(!server.log().contains("systemd"), "{}", server.log());
}

#[test]
fn a_watchdog_is_not_fed_while_the_supervisor_hangs_and_again_when_it_goes_on() {
    let mut hub = Hub::start();
    let (pulse, interval) = (hub.pulse(), Duration::from_millis(150));
    let (eaten, meals) = mpsc::channel();
    std::thread::spawn(move || {
        actix::System::new().block_on(systemd::feed(pulse, interval, move || _ = eaten.send(())));
    });
    meals.recv_timeout(PATIENCE).expect("it is fed");
    let (release, released) = mpsc::channel::<()>();
    let (hung, hangs) = mpsc::channel();
    let alive = move || {
        let _ = hung.send(());
        // From the second call on nobody holds the other end.
        let _ = released.recv();
        true
    };
    hub.lines().session_supervisor.send(Guard(Ward { name: "relay", alive: Box::new(alive), rebuild: Box::new(|| {}) }));
    hangs.recv_timeout(PATIENCE).expect("the supervisor looks at it");
    // One that was under way.
    while meals.recv_timeout(3 * interval).is_ok() {}
    assert!(meals.recv_timeout(4 * interval).is_err(), "nobody feeds it");
    let health = Client::connect(hub.admin).and_then(|mut admin| admin.request("GET", "/healthz", &[], b"")).unwrap();
    assert_eq!(health.status(), 200, "although the listener answers");
    drop(release);
    meals.recv_timeout(PATIENCE).expect("it is fed again");
}
