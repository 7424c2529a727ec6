//! `GET /actors/stream`: what `GET /actors` tells, each second, for the page at `/`.
//!
//! It shares the encoder of frames with the streams of readers, and not their outbox: a snapshot has no place in the log and is worth
//! nothing once there is a newer one, so a viewer needs neither a queue nor a session, only the newest.

use std::{convert::Infallible, sync::Arc};

use actix_web::{HttpResponse, web};
use actix_web_lab::header::{CacheControl, CacheDirective};
use bytes::Bytes;
use futures_util::stream::unfold;
use tokio::sync::{Semaphore, watch};

use super::{actors, admin::Readiness};
use crate::{error::Refusal, notification::frame};

/// Viewers at once, as `actors.md` says: each is a connection of the admin listener, which has one thread for all that it answers.
pub const MOST_VIEWERS: usize = 16;

/// Where viewers are let in.
#[derive(Clone)]
pub struct Gallery {
    newest: watch::Receiver<Bytes>,
    places: Arc<Semaphore>,
}

/// What they are shown. Dropping it ends all of their streams.
pub struct Picture {
    newest: watch::Sender<Bytes>,
    places: Arc<Semaphore>,
}

/// A picture, and where it is looked at.
pub fn exhibit() -> (Picture, Gallery) {
    let (sender, newest) = watch::channel(Bytes::new());
    let places = Arc::new(Semaphore::new(MOST_VIEWERS));
    (Picture { newest: sender, places: places.clone() }, Gallery { newest, places })
}

impl Picture {
    /// Shows how things are now: made once for all viewers, and not at all for none.
    pub fn renew(&self, readiness: &Readiness) {
        if self.places.available_permits() < MOST_VIEWERS {
            self.newest.send_replace(frame::unplaced(&actors::snapshot(readiness)));
        }
    }
}

/// One more viewer. Whoever reads more slowly than once a second is shown fewer.
pub async fn stream(gallery: web::ThinData<Gallery>) -> Result<HttpResponse, Refusal> {
    let Gallery { mut newest, places } = gallery.0;
    let place = places.try_acquire_owned().map_err(|_| {
        let message = format!("{MOST_VIEWERS} viewers look at this page already; GET /actors answers everybody.");
        Refusal::busy("too_many_viewers", message, 5)
    })?;
    // What was shown to others may be old.
    newest.mark_unchanged();
    let frames = unfold((newest, place), |(mut newest, place)| async {
        newest.changed().await.ok()?;
        let frame = newest.borrow_and_update().clone();
        Some((Ok::<_, Infallible>(frame), (newest, place)))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(CacheControl(vec![CacheDirective::NoCache]))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(frames))
}
