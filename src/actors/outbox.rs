//! The queue between one session and its socket: bounded, shared by the session actor (pushes) and the response body (takes).
//!
//! Both ends live on the same worker thread, so the lock is never contended; it is a lock and not a cell because the
//! session is started from another thread.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use actix::Addr;
use bytes::Bytes;

use super::{
    link::Link,
    session::{BodyGone, Room, Session},
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
    link: Arc<Link>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    queue: VecDeque<Bytes>,
    taken: u64,
    end: Option<End>,
    body_gone: bool,
    wants_room: bool,
    body: Option<Waker>,
    session: Option<Addr<Session>>,
}

impl Outbox {
    /// An empty queue for `capacity` frames (`stream.queue_size`) to the socket at the other end of this link.
    pub fn new(capacity: usize, link: Arc<Link>) -> Self {
        Self { capacity, link, inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code in here can panic half way through a change, so a poisoned queue is whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Session: from now on the body's signals go to this actor. False when the body is gone already.
    pub fn attach(&self, session: Addr<Session>) -> bool {
        let mut inner = self.lock();
        inner.session = Some(session);
        !inner.body_gone
    }

    /// Session: how many more log entries may wait here.
    pub fn room(&self) -> usize {
        self.capacity.saturating_sub(self.lock().queue.len())
    }

    /// Session: lets `fill` push frames, told how many more log entries may wait here, and wakes the body once. Frames that are
    /// no log entries (heartbeats, goodbyes) may go over that, one or two at a time.
    pub fn fill<T>(&self, fill: impl FnOnce(usize, &mut VecDeque<Bytes>) -> T) -> T {
        let mut inner = self.lock();
        let before = inner.queue.len();
        let result = fill(self.capacity.saturating_sub(before), &mut inner.queue);
        if inner.end.is_some() {
            inner.queue.truncate(before);
        } else if inner.queue.len() > before {
            inner.wake();
        }
        result
    }

    /// Session: queues one frame that is no log entry.
    pub fn push(&self, frame: Bytes) {
        self.fill(|_, queue| queue.push_back(frame));
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
        inner.end = Some(end);
        if end == End::Cut {
            self.link.cut();
        }
        inner.wake();
    }

    /// Session: why the socket has failed, if it has.
    pub fn failure(&self) -> Option<&str> {
        self.link.failure()
    }

    /// Session: how many frames the socket has taken so far, and how full the queue is.
    pub fn level(&self) -> Level {
        let inner = self.lock();
        Level { taken: inner.taken, waiting: inner.queue.len(), full: inner.queue.len() >= self.capacity }
    }

    /// Body: the next frame; none ends the response.
    pub fn poll_take(&self, waker: &Waker) -> Poll<Option<Result<Bytes, Cut>>> {
        let mut inner = self.lock();
        if inner.end == Some(End::Cut) {
            return Poll::Ready(Some(Err(Cut)));
        }
        if !inner.body.as_ref().is_some_and(|known| known.will_wake(waker)) {
            inner.body = Some(waker.clone());
        }
        if let Some(frame) = inner.queue.pop_front() {
            inner.taken += 1;
            self.tell_of_room(&mut inner);
            return Poll::Ready(Some(Ok(frame)));
        }
        if inner.end == Some(End::Clean) {
            return Poll::Ready(None);
        }
        Poll::Pending
    }

    /// Body: it is dropped; the client is gone or the response has ended.
    pub fn body_gone(&self) {
        let mut inner = self.lock();
        inner.body_gone = true;
        inner.queue = VecDeque::new();
        if let Some(session) = inner.session.take() {
            session.do_send(BodyGone);
        }
    }

    fn tell_of_room(&self, inner: &mut Inner) {
        if inner.wants_room
            && inner.queue.len() <= self.capacity / 2
            && let Some(session) = &inner.session
        {
            inner.wants_room = false;
            session.do_send(Room);
        }
    }
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

impl Inner {
    /// Wakes the connection's task. The waker is kept: while the peer does not read nobody polls the body for a new one. Waking
    /// only marks the task, so the lock may be held.
    fn wake(&self) {
        if let Some(waker) = &self.body {
            waker.wake_by_ref();
        }
    }
}
