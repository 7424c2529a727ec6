//! A socket in a node's place, which shows exactly what nginx sends to a node and leaves as no node can be made to leave.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use memchr::memmem::find;

/// A small answer after which the connection stays open.
pub const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

/// Listens until the test ends. For each request it is told the number of its connection, from 0, and the whole request as
/// text; it gives an answer, or none to close the connection.
pub fn listen(answer: impl Fn(usize, String) -> Option<&'static str> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for (number, socket) in listener.incoming().enumerate() {
            let (mut socket, answer) = (socket.unwrap(), answer.clone());
            thread::spawn(move || {
                while let Some(request) = read_request(&mut socket) {
                    let Some(answer) = answer(number, request) else { return };
                    // The peer may be gone.
                    let _ = socket.write_all(answer.as_bytes());
                }
            });
        }
    });
    address
}

/// The next request, unless the peer closes the connection instead.
fn read_request(socket: &mut TcpStream) -> Option<String> {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(end) = find(&request, b"\r\n\r\n") {
            let head = String::from_utf8(request[..end].to_vec()).unwrap();
            let length = head.lines().filter_map(|line| line.split_once(": "));
            let mut length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            let length: usize = length.next().map_or(0, |(_, length)| length.parse().unwrap());
            if request.len() == end + 4 + length {
                return Some(String::from_utf8(request).unwrap());
            }
        }
        match socket.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(read) => request.extend_from_slice(&buffer[..read]),
        }
    }
}
