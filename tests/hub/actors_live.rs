//! `GET /actors/stream`: one snapshot a second for whoever looks, for so many at once, until the stop.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use lookout::http::actors_live::MOST_VIEWERS;
use memchr::memmem::find;
use serde_json::Value;

use crate::support::{Chunks, Events, Hub, PATIENCE, USER, wait_for};

/// Who looks at the stream.
struct Viewer {
    socket: TcpStream,
    chunks: Chunks,
    events: Events,
    waiting: Vec<Value>,
}

impl Viewer {
    /// None where it is refused.
    fn open(admin: SocketAddr) -> Option<Self> {
        let mut socket = TcpStream::connect(admin).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(b"GET /actors/stream HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let (mut head, mut buffer) = (Vec::new(), [0; 1]);
        while find(&head, b"\r\n\r\n").is_none() {
            socket.read_exact(&mut buffer).unwrap();
            head.extend(buffer);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        if !head.starts_with("http/1.1 200") {
            assert!(head.starts_with("http/1.1 503") && head.contains("\r\nretry-after: "), "{head}");
            return None;
        }
        assert!(
            head.contains("\r\ncontent-type: text/event-stream\r\n") && head.contains("\r\ncache-control: no-cache\r\n"),
            "{head}"
        );
        Some(Self { socket, chunks: Chunks::default(), events: Events::default(), waiting: Vec::new() })
    }

    /// The next snapshot; none at the end of the stream, which must be a clean one.
    fn next(&mut self) -> Option<Value> {
        let mut buffer = [0; 64 * 1024];
        while self.waiting.is_empty() {
            if self.chunks.ended {
                return None;
            }
            let read = self.socket.read(&mut buffer).unwrap();
            assert!(read > 0, "the stream was cut off");
            let content = self.chunks.feed(&buffer[..read]);
            for message in self.events.feed(&content) {
                assert_eq!(message.id, None);
                self.waiting.push(message.json);
            }
        }
        Some(self.waiting.remove(0))
    }
}

#[test]
fn each_second_everybody_is_shown_the_same_and_it_is_what_actors_tells() {
    let hub = Hub::start();
    let _reader = hub.reader(USER);
    let mut viewers = [Viewer::open(hub.admin).unwrap(), Viewer::open(hub.admin).unwrap()];
    let first = viewers[0].next().unwrap();
    let second = viewers[0].next().unwrap();
    assert_eq!(second["looks"].as_u64(), first["looks"].as_u64().map(|looks| looks + 1));
    assert_eq!(second["connections"], 1);
    let asked = hub.admin("/actors").json();
    let names = |page: &Value| page.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&second), names(&asked));
    assert_eq!(second["actors"].as_array().unwrap().len(), asked["actors"].as_array().unwrap().len());
    let same = wait_for("the other viewer to be shown the same", || {
        let shown = viewers[1].next().unwrap();
        (shown["looks"] == second["looks"]).then_some(shown)
    });
    assert_eq!(same, second, "made once for both");
}

#[test]
fn so_many_may_look_and_who_goes_gives_his_place_to_another() {
    let hub = Hub::start();
    let mut viewers: Vec<_> = (0..MOST_VIEWERS).map(|_| Viewer::open(hub.admin).unwrap()).collect();
    assert!(Viewer::open(hub.admin).is_none());
    assert_eq!(hub.admin("/actors/stream").assert_error(503)["error"], "too_many_viewers");
    viewers.pop();
    let mut late = wait_for("a free place", || Viewer::open(hub.admin));
    assert!(late.next().is_some());
}

#[test]
fn the_stop_ends_the_stream_cleanly() {
    let hub = Hub::start();
    let mut viewer = Viewer::open(hub.admin).unwrap();
    assert!(viewer.next().is_some());
    let watching = std::thread::spawn(move || while viewer.next().is_some() {});
    hub.stop();
    watching.join().unwrap();
}
