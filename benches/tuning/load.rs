//! What callers and readers do to a node.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{Doors, batch, post, sized_batch};

const STREAM: &[u8] = b"GET /notifications/zone-port-events/stream?user_id=u HTTP/1.1\r\nHost: lookout.test\r\n\r\n";

/// So many senders at once, each with so many webhooks one behind the other, each of so many events. Who is refused goes on.
pub fn webhooks(node: &Doors, senders: usize, each: usize, events: usize, screened: bool) {
    let reference = if screened { "u|true" } else { "u|false" };
    thread::scope(|scope| {
        for sender in 0..senders {
            scope.spawn(move || {
                let mut client = node.sender().expect("a connection");
                for round in 0..each {
                    let name = format!("{}-{sender}-{round}", fastrand::u64(..));
                    let mut body = batch(reference, &name, events);
                    if screened {
                        body.iter_mut().for_each(like_many);
                    }
                    let body = serde_json::to_vec(&body).expect("a body");
                    post(&mut client, &body, &[]).expect("an answer");
                }
            });
        }
    });
}

/// No number, and a name that is nearly that of many listed vessels.
fn like_many(event: &mut Value) {
    event["vessel"] = serde_json::json!({ "name": "OCEAN STAR GLORI" });
}

/// Something else while one sender sends the largest batches.
pub fn beside_batches(node: &Doors, something: impl FnOnce()) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                webhooks(node, 1, 1, 1_000, false);
            }
        });
        something();
        over.store(true, Ordering::Relaxed);
    });
}

/// Something else while so many senders send events of half a megabyte.
pub fn beside_long_events(node: &Doors, senders: usize, something: impl FnOnce()) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for sender in 0..senders {
            let over = &over;
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let name = format!("{}-{sender}", fastrand::u64(..));
                    node.post(sized_batch("u|false", &name, 1, 500_000));
                }
            });
        }
        something();
        over.store(true, Ordering::Relaxed);
    });
}

/// Readers that come at once, read for a moment and go, so many times.
pub fn comers(node: &Doors, readers: usize, times: usize) {
    thread::scope(|scope| {
        for _ in 0..readers {
            scope.spawn(|| {
                for _ in 0..times {
                    let mut socket = open(node.public);
                    let mut buffer = [0; 16 * 1024];
                    let until = Instant::now() + Duration::from_millis(50);
                    while Instant::now() < until && socket.read(&mut buffer).is_ok_and(|read| read > 0) {}
                }
            });
        }
    });
}

/// Something while so many readers read all they can.
pub fn beside_readers(node: &Doors, readers: usize, something: impl FnOnce()) {
    let sockets: Vec<TcpStream> = (0..readers).map(|_| open(node.public)).collect();
    read_beside(sockets, Duration::from_millis(5), 64 * 1024, something);
}

/// Something while so many readers read a hundred kilobytes a second each.
pub fn beside_slow_readers(node: &Doors, readers: usize, something: impl FnOnce()) {
    let sockets = (0..readers).map(|_| {
        let socket = open(node.public);
        socket2::SockRef::from(&socket).set_recv_buffer_size(4 * 1024).expect("a small buffer");
        socket
    });
    read_beside(sockets.collect(), Duration::from_millis(20), 2 * 1024, something);
}

fn read_beside(sockets: Vec<TcpStream>, pause: Duration, most: usize, something: impl FnOnce()) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut sockets, mut buffer) = (sockets, vec![0; most]);
            sockets.iter().for_each(|socket| socket.set_nonblocking(true).expect("a socket"));
            while !over.load(Ordering::Relaxed) {
                // Nothing there is no reason to stop.
                sockets.iter_mut().for_each(|socket| _ = socket.read(&mut buffer));
                thread::sleep(pause);
            }
        });
        something();
        over.store(true, Ordering::Relaxed);
    });
}

/// A stream, or a refusal: both are an answer.
fn open(address: SocketAddr) -> TcpStream {
    let mut socket = TcpStream::connect(address).expect("a connection");
    socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
    socket.write_all(STREAM).expect("a request");
    socket
}
