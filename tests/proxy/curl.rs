//! The real curl as browser and as sender: a client that speaks HTTP/2 and TLS and was made by others.

use std::{
    collections::VecDeque,
    io::{Read, Write},
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
};

use serde_json::Value;

use crate::{
    nginx::{HOST, Nginx},
    support::{Events, Message, PATIENCE},
};

/// The path of the stream for the user of the default configuration.
pub const STREAM: &str = "/notifications/zone-port-events/stream?user_id=test_user";
/// The path of the webhook.
pub const WEBHOOK: &str = "/notifications/webhook/zone-port-event";
/// Both versions, as curl is asked for them and as it then names them.
pub const VERSIONS: [&str; 2] = ["--http1.1", "--http2"];

/// A curl that speaks this version to this nginx, and shows the head of its answer.
pub fn curl(nginx: &Nginx, version: &str) -> Command {
    let mut command = Command::new("curl");
    command.args(["-q", "--silent", "--show-error", "--no-buffer", "--include", "--noproxy", "*", version]);
    command.args(["--max-time", &PATIENCE.as_secs().to_string(), "--header", "Expect:", "--cacert"]).arg(nginx.certificate());
    for port in [nginx.https(), nginx.http()] {
        command.arg("--resolve").arg(format!("{HOST}:{port}:127.0.0.1"));
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The address of a path behind nginx.
pub fn url(nginx: &Nginx, path: &str) -> String {
    format!("https://{HOST}:{}{path}", nginx.https())
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    head: String,
    body: String,
}

impl Answer {
    /// From what curl has written.
    pub fn of(output: Output) -> Self {
        assert!(output.status.success(), "curl: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
        Self { head: head.to_owned(), body: body.to_owned() }
    }

    /// Its status.
    pub fn status(&self) -> u16 {
        status(&self.head)
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// Its body, which must be JSON and say so.
    pub fn json(&self) -> Value {
        assert!(self.header("content-type").is_some_and(|kind| kind.starts_with("application/json")), "{self:?}");
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// Asks for a path.
pub fn get(nginx: &Nginx, version: &str, path: &str) -> Answer {
    Answer::of(curl(nginx, version).arg(url(nginx, path)).output().unwrap())
}

/// What the listener without TLS says.
pub fn redirect(nginx: &Nginx) -> Answer {
    Answer::of(curl(nginx, "--http1.1").arg(format!("http://{HOST}:{}{STREAM}", nginx.http())).output().unwrap())
}

/// Starts to post a webhook.
pub fn posting(nginx: &Nginx, version: &str, body: &[u8]) -> Child {
    let mut command = curl(nginx, version);
    command.args(["--data-binary", "@-"]).arg(url(nginx, WEBHOOK)).stdin(Stdio::piped());
    let mut child = command.spawn().expect("curl is installed: tests/run installs it");
    // It may have been answered before it is all sent.
    let _ = child.stdin.take().unwrap().write_all(body);
    child
}

/// Posts a webhook.
pub fn post(nginx: &Nginx, version: &str, body: &Value) -> Answer {
    Answer::of(posting(nginx, version, body.to_string().as_bytes()).wait_with_output().unwrap())
}

/// An open stream. Left when dropped.
pub struct Stream {
    child: Child,
    pieces: Receiver<Vec<u8>>,
    head: String,
    events: Events,
    ready: VecDeque<Message>,
}

impl Stream {
    /// Opens one.
    pub fn open(nginx: &Nginx, version: &str) -> Self {
        let mut command = curl(nginx, version);
        command.arg(url(nginx, STREAM));
        Self::of(command)
    }

    /// Comes back with a last id.
    pub fn open_after(nginx: &Nginx, version: &str, position: &str) -> Self {
        let mut command = curl(nginx, version);
        command.args(["--header", &format!("Last-Event-ID: {position}")]).arg(url(nginx, STREAM));
        Self::of(command)
    }

    /// The stream that this curl opens.
    pub fn of(mut command: Command) -> Self {
        let mut child = command.spawn().expect("curl is installed: tests/run installs it");
        let mut output = child.stdout.take().unwrap();
        let (sender, pieces) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut stream = Self { child, pieces, head: String::new(), events: Events::default(), ready: VecDeque::new() };
        let mut bytes = Vec::new();
        let body = loop {
            bytes.extend(stream.pieces.recv_timeout(PATIENCE).expect("a head"));
            if let Some(end) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
                break bytes.split_off(end + 4);
            }
        };
        stream.head = String::from_utf8(bytes).unwrap();
        assert_eq!(status(&stream.head), 200, "{}{}", stream.head, String::from_utf8_lossy(&body));
        stream.ready.extend(stream.events.feed(&body));
        stream.expect("connection_established");
        stream
    }

    /// A header of its answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// The version that was spoken, as the first line of the answer names it.
    pub fn version(&self) -> &str {
        self.head.split(' ').next().unwrap()
    }

    /// The next message of this type; heartbeats before it are passed over, nothing else is.
    pub fn expect(&mut self, kind: &str) -> Message {
        loop {
            let message = self.next().unwrap_or_else(|| panic!("the stream has ended before {kind}"));
            if message.kind() == kind {
                return message;
            }
            assert_eq!(message.kind(), "heartbeat", "expected {kind}, got {}", message.frame);
        }
    }

    /// Waits until nothing more comes: every `retry:` that came, and whether curl saw the answer end as HTTP wants it.
    pub fn ending(mut self) -> (Vec<u64>, bool) {
        while self.next().is_some() {}
        (self.events.retries.clone(), self.child.wait().unwrap().success())
    }

    /// Whether more may come.
    pub fn is_open(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    fn next(&mut self) -> Option<Message> {
        while self.ready.is_empty() {
            match self.pieces.recv_timeout(PATIENCE) {
                Ok(piece) => self.ready.extend(self.events.feed(&piece)),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("nothing has come"),
            }
        }
        self.ready.pop_front()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no status in {head:?}"))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
