//! Pages of history while they go out: so many are in memory at once, and none that dawdles keeps others out.
//!
//! A page may have megabytes, and a client that does not read would hold them for as long as it likes. So the page that has been going
//! out for longest gives its place up, with what is left of it.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, interval, timeout},
};

use super::limits::{Limit, Limits};

/// A page that takes longer may have to give its place up.
const SLOW: Duration = Duration::from_secs(1);
/// How long a request may wait for a place: it holds no memory meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often somebody who waits looks for a page that dawdles.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Given to a socket at once: what it has taken is out of anybody's reach.
const PIECE: usize = 16 * 1024;

/// The places, and what is going out.
pub struct Departures {
    places: Arc<Semaphore>,
    limits: Arc<Limits>,
    leaving: Mutex<Leaving>,
}

#[derive(Default)]
struct Leaving {
    next: u64,
    /// In the order in which they began.
    pages: BTreeMap<u64, Page>,
}

struct Page {
    begun: Instant,
    client: Option<IpAddr>,
    rest: Bytes,
    _place: OwnedSemaphorePermit,
}

/// The place of a page was given to another one.
#[derive(Debug, thiserror::Error)]
#[error("the page was not read in time")]
pub struct GivenUp;

impl Departures {
    /// With so many places.
    pub fn new(places: usize, limits: Arc<Limits>) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), limits, leaving: Mutex::default() }
    }

    /// A place for a page that is about to be read; none where all are held by pages that do not dawdle.
    pub async fn place(&self) -> Option<OwnedSemaphorePermit> {
        let mut place = pin!(self.places.clone().acquire_owned());
        let wait = async {
            let mut looks = interval(LOOK_EVERY);
            loop {
                tokio::select! {
                    biased;
                    place = &mut place => return place.ok(),
                    _ = looks.tick() => self.evict(),
                }
            }
        };
        timeout(PATIENCE, wait).await.ok().flatten()
    }

    /// Sends a page to this client.
    pub fn send(self: &Arc<Self>, place: OwnedSemaphorePermit, client: Option<IpAddr>, page: String) -> Departing {
        let mut leaving = self.lock();
        let (number, length) = (leaving.next, page.len() as u64);
        leaving.next += 1;
        leaving.pages.insert(number, Page { begun: Instant::now(), client, rest: page.into(), _place: place });
        Departing { departures: self.clone(), number, length }
    }

    fn lock(&self) -> MutexGuard<'_, Leaving> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the oldest up, if it dawdles. Its client is cut off as soon as it takes anything more.
    fn evict(&self) {
        let mut leaving = self.lock();
        let Some(oldest) = leaving.pages.first_entry().filter(|oldest| oldest.get().begun.elapsed() >= SLOW) else { return };
        if let Some(client) = oldest.remove().client {
            self.limits.met(Limit::MaxPages, client);
        }
    }
}

/// The body of an answer. Its place is free when it is dropped.
pub struct Departing {
    departures: Arc<Departures>,
    number: u64,
    length: u64,
}

impl MessageBody for Departing {
    type Error = GivenUp;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.length)
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, GivenUp>>> {
        let mut leaving = self.departures.lock();
        Poll::Ready(match leaving.pages.get_mut(&self.number) {
            None => Some(Err(GivenUp)),
            Some(page) if page.rest.is_empty() => None,
            Some(page) => {
                let length = page.rest.len().min(PIECE);
                Some(Ok(page.rest.split_to(length)))
            }
        })
    }
}

impl Drop for Departing {
    fn drop(&mut self) {
        self.departures.lock().pages.remove(&self.number);
    }
}
