//! A small HTTP/1.1 client on a plain socket: tests see what is on the wire, not what a library makes of it.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
};

use memchr::memmem::find;
use serde_json::Value;

use super::{PATIENCE, wire::Chunks};

/// A status line and its headers.
#[derive(Debug, Clone)]
pub struct Head {
    /// The status code.
    pub status: u16,
    headers: Vec<(String, String)>,
}

impl Head {
    /// The value of a header; several of one name are joined.
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> =
            self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status and headers.
    pub head: Head,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The status code.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("a text body")
    }

    /// The body as JSON, which its content type must say too.
    pub fn json(&self) -> Value {
        let content_type = self.head.header("content-type").unwrap_or_default();
        assert!(content_type.starts_with("application/json"), "{content_type:?} for {:?}", self.text());
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// Checks that it is this refusal, in the shape that every error has.
    pub fn assert_error(&self, status: u16) -> Value {
        assert_eq!(self.status(), status, "{}", self.text());
        let json = self.json();
        let fields: Vec<_> = json.as_object().expect("an error is an object").keys().collect();
        assert_eq!(fields, ["status", "error", "message"], "{json}");
        assert_eq!(json["status"], "error");
        let code = json["error"].as_str().expect("a code");
        assert!(!code.is_empty() && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "code {code:?}");
        assert!(json["message"].as_str().is_some_and(|sentence| !sentence.is_empty()), "{json}");
        json
    }

    /// Checks that it is a success and gives its JSON.
    pub fn assert_success(&self) -> Value {
        assert_eq!(self.status(), 200, "{}", self.text());
        let json = self.json();
        assert_eq!(json["status"], "success", "{json}");
        json
    }
}

/// One connection that is kept between requests.
#[derive(Debug)]
pub struct Client {
    socket: TcpStream,
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect_timeout(&address, PATIENCE)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { socket })
    }

    /// Sends one request and reads its answer.
    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
        let mut request = request_head(method, path, headers);
        if !body.is_empty() || method == "POST" {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body);
        self.send(&bytes)?;
        self.answer(method == "HEAD")
    }

    /// Sends the head of a request alone.
    pub fn begin(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> io::Result<()> {
        let head = request_head(method, path, headers);
        self.send(format!("{head}\r\n").as_bytes())
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes)
    }

    /// Says that nothing more will be sent.
    pub fn half_close(&self) -> io::Result<()> {
        self.socket.shutdown(std::net::Shutdown::Write)
    }

    /// Reads one answer.
    pub fn answer(&mut self, without_body: bool) -> io::Result<Answer> {
        let (head, mut body) = read_head(&mut self.socket)?;
        if without_body || matches!(head.status, 204 | 304) {
            assert!(body.is_empty(), "a body where none may be");
        } else if let Some(length) = head.header("content-length") {
            let length: usize = length.parse().expect("a length");
            let read = body.len();
            body.resize(length.max(read), 0);
            self.socket.read_exact(&mut body[read..])?;
            assert_eq!(body.len(), length, "bytes behind the answer");
        } else {
            body = self.chunked(&body)?;
        }
        Ok(Answer { head, body })
    }

    fn chunked(&mut self, first: &[u8]) -> io::Result<Vec<u8>> {
        let mut chunks = Chunks::default();
        let mut body = chunks.feed(first);
        let mut buffer = [0; 16 * 1024];
        while !chunks.ended {
            let read = self.socket.read(&mut buffer)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            body.extend(chunks.feed(&buffer[..read]));
        }
        Ok(body)
    }
}

/// The lines of a request up to its own last ones.
pub fn request_head(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head
}

/// Reads a head; gives what came behind it too.
pub fn read_head(socket: &mut TcpStream) -> io::Result<(Head, Vec<u8>)> {
    let mut bytes = Vec::new();
    // Small pieces: a reader with a small receive buffer must not take in more than the head by accident.
    let mut buffer = [0; 512];
    loop {
        if let Some(end) = find(&bytes, b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            return Ok((parse_head(&bytes), body));
        }
        let read = socket.read(&mut buffer)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&buffer[..read]);
    }
}

fn parse_head(bytes: &[u8]) -> Head {
    let text = std::str::from_utf8(bytes).expect("a head is text");
    let mut lines = text.trim_end().split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).and_then(|rest| rest.get(..3));
    let status = status.and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no status line in {text:?}"));
    let headers = lines.map(|line| line.split_once(": ").unwrap_or_else(|| panic!("no header in {line:?}")));
    Head { status, headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect() }
}
