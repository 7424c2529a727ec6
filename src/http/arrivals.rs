//! Bodies of webhooks while they arrive: bounded in size, in time and in number, and none that dawdles keeps others out.
//!
//! A place is held from the first byte to the commit, which bounds memory. Held by senders who never finish, the places would be gone;
//! so the body that has been arriving for longest gives its place up to one that is there.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{HttpRequest, web::Payload};
use bytes::{Bytes, BytesMut};
use futures_util::{
    StreamExt,
    future::{Either, select},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot},
    time::{Instant, timeout, timeout_at},
};

use super::admin::Readiness;
use crate::config;

/// A body that takes longer may have to give its place to one that has yet to arrive. To one that is there it always may.
const SLOW: Duration = Duration::from_secs(1);
/// How long the sender that gives its place up may take to be told so.
const HAND_OVER: Duration = Duration::from_secs(1);
/// Reserved before anything has come, whatever length was announced.
const FIRST_PIECE: usize = 16 * 1024;

/// The places, and who is arriving.
pub struct Arrivals {
    places: Arc<Semaphore>,
    readiness: Arc<Readiness>,
    arriving: Mutex<Arriving>,
}

#[derive(Default)]
struct Arriving {
    next: u64,
    /// In the order in which they began.
    bodies: BTreeMap<u64, (Instant, oneshot::Sender<()>)>,
}

/// Why a body is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotArrived {
    /// All places are held by webhooks that have arrived, or it had to give its own up, or the server stops.
    NoPlace,
    /// It took longer than this.
    TooSlow(Duration),
    /// It is larger than this.
    TooLarge(usize),
    /// Its sender has gone.
    CutOff,
}

impl Arrivals {
    /// With these places.
    pub fn new(places: Arc<Semaphore>, readiness: Arc<Readiness>) -> Self {
        Self { places, readiness, arriving: Mutex::default() }
    }

    /// A body, and the place that it holds from now on.
    pub async fn take(
        &self,
        request: &HttpRequest,
        payload: Payload,
        config: &config::Ingest,
    ) -> Result<(Bytes, OwnedSemaphorePermit), NotArrived> {
        let deadline = Instant::now() + config.body_timeout;
        let too_slow = |_| NotArrived::TooSlow(config.body_timeout);
        let mut body = Body::announced(request, payload, config.max_body)?;
        let whole = timeout_at(deadline, poll_fn(|cx| body.poll_beginning(cx))).await.map_err(too_slow)??;
        let place = self.place(whole).await.ok_or(NotArrived::NoPlace)?;
        if !whole {
            let (_ticket, evicted) = self.enter();
            let rest = pin!(timeout_at(deadline, body.take_rest()));
            match select(rest, evicted).await {
                Either::Left((rest, _)) => rest.map_err(too_slow)??,
                Either::Right(_) => return Err(NotArrived::NoPlace),
            }
        }
        Ok((body.bytes.freeze(), place))
    }

    /// A place for a body that is there: one that is still arriving gives its own up for it.
    pub async fn place_for_one_that_is_there(&self) -> Result<OwnedSemaphorePermit, NotArrived> {
        self.place(true).await.ok_or(NotArrived::NoPlace)
    }

    async fn place(&self, whole: bool) -> Option<OwnedSemaphorePermit> {
        // Who is under way when the server stops is waited for.
        let may_evict = || !self.readiness.stopping.load(Ordering::Relaxed);
        match self.places.clone().try_acquire_owned() {
            Ok(place) => Some(place),
            Err(TryAcquireError::NoPermits) if may_evict() && self.evict(if whole { Duration::ZERO } else { SLOW }) => {
                timeout(HAND_OVER, self.places.clone().acquire_owned()).await.ok()?.ok()
            }
            Err(_) => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Arriving> {
        self.arriving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Turns the oldest out, if it is older than this.
    fn evict(&self, age: Duration) -> bool {
        let mut arriving = self.lock();
        let Some(oldest) = arriving.bodies.first_entry() else { return false };
        if oldest.get().0.elapsed() < age {
            return false;
        }
        // One that has gone by itself has left a place, too.
        let _ = oldest.remove().1.send(());
        true
    }

    fn enter(&self) -> (Ticket<'_>, oneshot::Receiver<()>) {
        let (evict, evicted) = oneshot::channel();
        let mut arriving = self.lock();
        let number = arriving.next;
        arriving.next += 1;
        arriving.bodies.insert(number, (Instant::now(), evict));
        (Ticket { arrivals: self, number }, evicted)
    }
}

/// A body that is arriving; leaves when dropped.
struct Ticket<'a> {
    arrivals: &'a Arrivals,
    number: u64,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.arrivals.lock().bodies.remove(&self.number);
    }
}

struct Body {
    payload: Payload,
    bytes: BytesMut,
    max: usize,
}

impl Body {
    fn announced(request: &HttpRequest, payload: Payload, max: usize) -> Result<Self, NotArrived> {
        let length = request.headers().get("Content-Length").and_then(|value| value.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: usize| length > max) {
            return Err(NotArrived::TooLarge(max));
        }
        Ok(Self { payload, bytes: BytesMut::with_capacity(length.unwrap_or(0).min(FIRST_PIECE)), max })
    }

    /// Waits for the first bytes, and takes what comes with them. Whether that was all.
    fn poll_beginning(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, NotArrived>> {
        loop {
            match self.payload.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(piece))) => self.add(piece)?,
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(NotArrived::CutOff)),
                Poll::Ready(None) => return Poll::Ready(Ok(true)),
                Poll::Pending if self.bytes.is_empty() => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Ok(false)),
            }
        }
    }

    async fn take_rest(&mut self) -> Result<(), NotArrived> {
        while let Some(piece) = self.payload.next().await {
            self.add(piece.map_err(|_| NotArrived::CutOff)?)?;
        }
        Ok(())
    }

    fn add(&mut self, piece: Bytes) -> Result<(), NotArrived> {
        if self.bytes.len() + piece.len() > self.max {
            return Err(NotArrived::TooLarge(self.max));
        }
        self.bytes.extend_from_slice(&piece);
        Ok(())
    }
}
