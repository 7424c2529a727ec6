//! An HTTP/2 client: a browser whose tabs share one connection.
//!
//! It lives only while one of its methods runs; between them it answers no ping and takes no frame, as a client that hangs.

use std::{
    collections::VecDeque,
    future::poll_fn,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use h2::{
    Reason, RecvStream,
    client::{Builder, SendRequest},
};
use http::{Method, Request, Response};
use tokio::{runtime::Runtime, task::JoinHandle, time::timeout};
use tokio_rustls::TlsConnector;

use super::{Events, Message, PATIENCE, Trust, socket::server_name};

const CONNECTION_WINDOW: u32 = 8 << 20;

/// One connection.
pub struct Http2 {
    runtime: Runtime,
    requests: SendRequest<Bytes>,
    driver: JoinHandle<()>,
}

impl Http2 {
    /// Connects.
    pub fn connect(address: SocketAddr, trust: &Trust) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let connector = TlsConnector::from(trust.client(&["h2"]));
        let (requests, driver) = runtime.block_on(async {
            let tcp = tokio::net::TcpStream::connect(address).await.expect("a connection");
            let tls = connector.connect(server_name(), tcp).await.expect("a handshake");
            assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            // As browsers do: one tab that is not read does not stop the others.
            let handshake = Builder::new().initial_connection_window_size(CONNECTION_WINDOW).handshake(tls);
            let (requests, connection) = handshake.await.expect("HTTP/2");
            // An error ends its streams, too.
            let driver = tokio::spawn(async move { drop(connection.await) });
            (requests, driver)
        });
        Self { runtime, requests, driver }
    }

    /// Asks, and reads the whole answer.
    pub fn ask(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response<Vec<u8>> {
        let (answer, body) = self.begin(method, path, headers, body).into_parts();
        let body = self.within(PATIENCE, whole(body)).expect("in time").expect("whole");
        Response::from_parts(answer, body)
    }

    /// Opens a stream for this user; its first message is `connection_established`.
    pub fn stream(&mut self, user: &str) -> Tab {
        let path = format!("/notifications/zone-port-events/stream?user_id={user}");
        let (answer, body) = self.begin(Method::GET, &path, &[], b"").into_parts();
        assert_eq!(answer.status, 200);
        let mut tab = Tab { body, ready: VecDeque::new(), events: Events::default() };
        let first = tab.next(self).expect("a first message");
        assert_eq!(first.kind(), "connection_established");
        tab
    }

    /// Whether this path is answered within this time.
    pub fn is_answered_within(&mut self, patience: Duration, path: &str) -> bool {
        let request = Request::get(format!("https://localhost{path}")).body(()).expect("a request");
        let mut requests = self.requests.clone();
        let answer = async move { requests.send_request(request, true).expect("sent").0.await };
        self.within(patience, answer).is_some_and(|answer| answer.is_ok())
    }

    /// Asks for this path and takes it back before there can be an answer. Whether the connection still takes requests.
    pub fn abandon(&mut self, path: &str) -> bool {
        let request = Request::get(format!("https://localhost{path}")).body(()).expect("a request");
        let requests = self.requests.clone();
        self.runtime.block_on(async {
            let Ok(mut requests) = timeout(PATIENCE, requests.ready()).await.expect("in time") else { return false };
            let sent = requests.send_request(request, true);
            // The request is on its way before it is taken back.
            tokio::task::yield_now().await;
            sent.is_ok()
        })
    }

    /// Waits until the server has closed the connection.
    pub fn closed(self) {
        self.runtime.block_on(async { timeout(PATIENCE, self.driver).await }).expect("closed in time").expect("a driver");
    }

    /// What comes of this, if it comes in time.
    fn within<T>(&self, patience: Duration, what: impl Future<Output = T>) -> Option<T> {
        self.runtime.block_on(async { timeout(patience, what).await.ok() })
    }

    fn begin(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response<RecvStream> {
        let mut request = Request::builder().method(method).uri(format!("https://localhost{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a request");
        let body = Bytes::copy_from_slice(body);
        let requests = self.requests.clone();
        self.runtime.block_on(async {
            let mut requests = timeout(PATIENCE, requests.ready()).await.expect("in time").expect("an open connection");
            let (answer, mut sending) = requests.send_request(request, body.is_empty()).expect("sent");
            if !body.is_empty() {
                sending.send_data(body, true).expect("sent");
            }
            timeout(PATIENCE, answer).await.expect("in time").expect("an answer")
        })
    }
}

async fn whole(mut body: RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// One open stream of a connection. Reset when dropped.
pub struct Tab {
    body: RecvStream,
    ready: VecDeque<Message>,
    events: Events,
}

impl Tab {
    /// The next message of this type; heartbeats before it are passed over, nothing else is.
    pub fn expect(&mut self, connection: &Http2, kind: &str) -> Message {
        loop {
            let message = self.next(connection).unwrap_or_else(|end| panic!("the stream has ended before {kind}: {end:?}"));
            if message.kind() == kind {
                return message;
            }
            assert_eq!(message.kind(), "heartbeat", "expected {kind}, got {}", message.frame);
        }
    }

    /// The next so many notifications.
    pub fn notifications(&mut self, connection: &Http2, count: usize) -> Vec<Message> {
        (0..count).map(|_| self.expect(connection, "zone_port_notification")).collect()
    }

    /// Waits until the stream ends: none where it ended as HTTP wants it, else why it was reset.
    pub fn ending(mut self, connection: &Http2) -> (Vec<u64>, Option<Reason>) {
        loop {
            match self.next(connection) {
                Ok(_) => {}
                Err(end) => return (self.events.retries.clone(), end),
            }
        }
    }

    fn next(&mut self, connection: &Http2) -> Result<Message, Option<Reason>> {
        let deadline = Instant::now() + PATIENCE;
        while self.ready.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            let piece = connection.within(left, poll_fn(|cx| self.body.poll_data(cx))).expect("a message in time");
            match piece {
                Some(Ok(piece)) => {
                    self.body.flow_control().release_capacity(piece.len()).expect("capacity");
                    self.ready.extend(self.events.feed(&piece));
                }
                Some(Err(error)) => return Err(Some(error.reason().unwrap_or(Reason::INTERNAL_ERROR))),
                None => return Err(None),
            }
        }
        Ok(self.ready.pop_front().expect("a message"))
    }
}
