//! One reader's queue and place in the log, between whoever fills it and its socket.
//!
//! Three share it, all on the worker thread of the connection: the relay adds live frames, the session what it catches up
//! with, the response body takes. The relay fills it directly and not by a message to the session: a mailbox, a task and a
//! timer fewer to touch for each delivery are a quarter of what a delivery costs beside its socket write. The lock is never
//! contended; it is a lock and not a cell because the session is started from another thread.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use bytes::Bytes;

use super::{
    ledger::Standing,
    link::Sent,
    mailbox::Address,
    progress::{Next, Progress, Queued},
    session::{BodyGone, Room, Session},
    wire::Wire,
};
use crate::{
    notification::{frame::Frame, position::Position},
    store::audit::Connection,
};

/// How a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// What is queued is still sent, then the response ends as HTTP wants it.
    Clean,
    /// Nothing more is sent; the connection is broken off, even while its peer does not read.
    Cut,
}

/// One session's queue of encoded frames.
pub struct Outbox {
    capacity: usize,
    wire: Wire,
    connection: Option<Connection>,
    inner: Mutex<Inner>,
}

struct Inner {
    queue: VecDeque<Queued>,
    progress: Progress,
    taken: u64,
    /// The last entry that was queued, and the last that was sent.
    queued: u64,
    sent: u64,
    end: Option<End>,
    body_gone: bool,
    wants_room: bool,
    body: Option<Waker>,
    session: Option<Address<Session>>,
}

impl Outbox {
    /// An empty queue for `capacity` frames (`stream.queue_size`) of a reader who stands here, at the other end of this wire; what the
    /// audit calls it, where it is written about.
    pub fn new(capacity: usize, wire: Wire, progress: Progress, connection: Option<Connection>) -> Self {
        let passed = progress.passed();
        let inner = Inner {
            queue: VecDeque::new(),
            progress,
            taken: 0,
            queued: passed,
            sent: passed,
            end: None,
            body_gone: false,
            wants_room: false,
            body: None,
            session: None,
        };
        Self { capacity, wire, connection, inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A frame is queued before its position counts as passed, so even a panic in between leaves a queue that is whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `step` decide and fill the queue, told how many more log entries may wait in it, and wakes the body if it did.
    fn advance(&self, step: impl FnOnce(&mut Progress, usize, &mut VecDeque<Queued>) -> Next) -> (Next, usize) {
        let mut inner = self.lock();
        let Inner { queue, progress, end, queued, .. } = &mut *inner;
        if end.is_some() {
            return (Next::Nothing, 0);
        }
        let before = queue.len();
        let next = step(progress, self.capacity.saturating_sub(before), queue);
        let added = queue.len() - before;
        if added > 0 {
            *queued = last(queue).max(*queued);
            inner.wake();
        }
        (next, added)
    }

    /// Relay: live frames. What must be done next is the session's to do.
    ///
    /// A single frame with nothing before it goes straight to the socket, where the wire leads there. Several go through the queue: the connection's task
    /// sends them in one system call.
    pub fn live(&self, frames: &[Frame]) -> Live {
        let mut inner = self.lock();
        if inner.end.is_some() || inner.body_gone {
            return Live::Gone;
        }
        let Inner { queue, progress, taken, queued, sent, .. } = &mut *inner;
        let before = queue.len();
        let next = progress.live(frames, self.capacity.saturating_sub(before), queue);
        let taken_now = queue.len() - before;
        if taken_now == 0 {
            return Live::Offered { taken: 0, next };
        }
        *queued = last(queue);
        if let (Wire::Direct(link), [frame], 0, 1..) = (&self.wire, frames, before, *taken) {
            let outcome = link.send(&frame.chunk);
            if outcome != Sent::Not {
                queue.pop_front();
                *taken += 1;
                *sent = frame.position.n;
            }
            if outcome == Sent::Whole {
                return Live::Offered { taken: taken_now, next };
            }
        }
        inner.wake();
        Live::Offered { taken: taken_now, next }
    }

    /// Session: what it has read, and the newest entry broadcast since. How many entries were queued comes along.
    pub fn chunk(&self, frames: &[Frame], newest: u64) -> (Next, usize) {
        self.advance(|progress, room, queue| progress.chunk(frames, newest, room, queue))
    }

    /// Session: a look whether anything was missed.
    pub fn proceed(&self, newest: u64) -> Next {
        self.advance(|progress, room, _| progress.proceed(newest, room)).0
    }

    /// Session: a read has failed; [`Self::proceed`] tries again.
    pub fn read_failed(&self) {
        self.lock().progress.read_failed();
    }

    /// Session: queues a frame that is no log entry (a heartbeat, a goodbye), made with the last position passed. It may go over
    /// the capacity, one or two at a time.
    pub fn tell(&self, frame: impl FnOnce(Position) -> Bytes) {
        self.advance(|progress, _, queue| {
            queue.push_back(Queued { n: 0, bytes: frame(progress.id()) });
            Next::Nothing
        });
    }

    /// Session: from now on the body's signals go to this actor. False when the body is gone already.
    pub fn attach(&self, session: Address<Session>) -> bool {
        let mut inner = self.lock();
        inner.session = Some(session);
        !inner.body_gone
    }

    /// Session: send [`Room`] once half of the queue is free (at once when it is already).
    pub fn ask_for_room(&self) {
        let mut inner = self.lock();
        inner.wants_room = true;
        self.tell_of_room(&mut inner);
    }

    /// Session: no more frames.
    pub fn end(&self, end: End) {
        let mut inner = self.lock();
        if inner.body_gone {
            // The response has ended, perhaps with its last bytes still on their way, or the client has gone.
            return;
        }
        inner.end = Some(end);
        if end == End::Cut {
            self.wire.cut();
        }
        inner.wake();
    }

    /// Session: why the socket has failed, if it has.
    pub fn failure(&self) -> Option<&str> {
        self.wire.failure()
    }

    /// Session: how many frames the socket has taken so far, and how full the queue is.
    pub fn level(&self) -> Level {
        let inner = self.lock();
        Level { taken: inner.taken, waiting: inner.queue.len(), full: inner.queue.len() >= self.capacity }
    }

    /// Relay: what the audit calls it; none where it is not written about.
    pub fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// Relay: how far its reader is.
    pub fn standing(&self) -> Standing {
        let inner = self.lock();
        Standing { passed: inner.progress.passed(), queued: inner.queued, sent: inner.sent }
    }

    /// Body: the next frame; none ends the response.
    pub fn poll_take(&self, waker: &Waker) -> Poll<Option<Result<Bytes, Cut>>> {
        let mut inner = self.lock();
        if inner.end == Some(End::Cut) {
            return Poll::Ready(Some(Err(Cut)));
        }
        if let Some(Queued { n, bytes }) = inner.queue.pop_front() {
            inner.taken += 1;
            inner.sent = n.max(inner.sent);
            self.tell_of_room(&mut inner);
            return Poll::Ready(Some(Ok(bytes)));
        }
        if inner.end == Some(End::Clean) {
            return Poll::Ready(None);
        }
        if !inner.body.as_ref().is_some_and(|known| known.will_wake(waker)) {
            inner.body = Some(waker.clone());
        }
        Poll::Pending
    }

    /// Body: it is dropped; the client is gone or the response has ended.
    pub fn body_gone(&self) {
        let mut inner = self.lock();
        inner.body_gone = true;
        inner.queue = VecDeque::new();
        if let Some(session) = inner.session.take() {
            session.send(BodyGone);
        }
    }

    fn tell_of_room(&self, inner: &mut Inner) {
        if inner.wants_room
            && inner.queue.len() <= self.capacity / 2
            && let Some(session) = &inner.session
        {
            inner.wants_room = false;
            session.send(Room);
        }
    }
}

/// The entry at the end of a queue.
fn last(queue: &VecDeque<Queued>) -> u64 {
    queue.back().map_or(0, |last| last.n)
}

impl Inner {
    /// Wakes the connection's task. The waker is kept: while the peer does not read nobody polls the body for a new one. Waking
    /// only marks the task, so the lock may be held.
    fn wake(&self) {
        if let Some(waker) = &self.body {
            waker.wake_by_ref();
        }
    }
}

/// What became of live frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {
    /// Nobody reads any more.
    Gone,
    /// The reader has so many of them; the others it does not see, has already, or reads from the log.
    Offered {
        /// How many.
        taken: usize,
        /// What must be done.
        next: Next,
    },
}

/// How full an outbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Frames that the body has taken since the stream began.
    pub taken: u64,
    /// Frames that wait.
    pub waiting: usize,
    /// Whether live frames are turned away.
    pub full: bool,
}

/// The session broke its stream off.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("stream broken off")]
pub struct Cut;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::{
        actors::{
            link::Link,
            progress::{Start, View},
        },
        notification::position::{Epoch, Tag},
    };

    fn position(n: u64) -> Position {
        Position { epoch: Epoch(1), n, tag: Tag(0) }
    }

    fn frame(n: u64) -> Frame {
        let bytes = Bytes::from(n.to_string());
        Frame { position: position(n), owner: None, chunk: bytes.clone(), bytes }
    }

    #[tokio::test]
    async fn what_a_live_frame_came_to_is_told_taken_turned_away_and_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let wire = Wire::Alone(Arc::new(Link::new(listener.accept().await.unwrap().0)));
        let start = Start { passed: 0, id: position(0), replay: false };
        let outbox = Outbox::new(2, wire, Progress::new(start, View::All), None);
        assert_eq!(outbox.live(&[frame(1)]), Live::Offered { taken: 1, next: Next::Nothing });
        assert_eq!(outbox.live(&[frame(1)]), Live::Offered { taken: 0, next: Next::Nothing }, "it has that one");
        assert_eq!(outbox.live(&[frame(2), frame(3)]), Live::Offered { taken: 1, next: Next::AwaitRoom });
        assert_eq!(outbox.live(&[frame(4)]), Live::Offered { taken: 0, next: Next::Nothing }, "it reads the log");
        outbox.body_gone();
        assert_eq!(outbox.live(&[frame(5)]), Live::Gone);
    }
}
