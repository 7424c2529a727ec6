//! `GET /notifications/zone-port-notifications`: what the stream has shown, page by page, and one notification.

use std::{fmt::Write, sync::Arc};

use actix_web::{HttpRequest, HttpResponse, http::header::ContentType, web};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::{
    answer::{ErrorBody, store_refusal},
    auth::Door,
    caller::{Caller, query},
    departures::Departures,
    limits::{Limit, Limits},
    openapi::{
        answers::{Anywhere, Later, Reader, Refused},
        objects::{self, HistoryPage, Notification},
    },
    stream::Streams,
};
use crate::{
    actors::{progress::View, resume::honour},
    error::Refusal,
    notification::{
        NotificationId,
        entry::Entry,
        position::{GapReason, Position},
    },
    store::{From, HistoryQuery},
};

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;

#[derive(Deserialize)]
struct Parameters {
    limit: Option<usize>,
    after: Option<String>,
    before: Option<String>,
}

/// How pages leave.
pub struct Exit {
    /// On their way out.
    pub departures: Arc<Departures>,
    /// What is met when there is no place.
    pub limits: Arc<Limits>,
}

/// A page: newest first, or oldest first behind `after`.
#[utoipa::path(
    get,
    path = super::HISTORY,
    tag = "reading",
    summary = "What the stream has shown, page by page",
    description = "Newest first, older ones behind `before`; or oldest first behind `after`. `next` is the cursor of the next page.",
    params(
        Reader,
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "How many at most; 100 unless given."),
        ("after" = Option<objects::Position>, Query, description = "Only what is newer than this position. Not with `before`."),
        ("before" = Option<objects::Position>, Query, description = "Only what is older than this position. Not with `after`."),
    ),
    responses((status = 200, description = "The page", body = HistoryPage), Refused, Anywhere, Later),
)]
pub async fn page(
    request: HttpRequest,
    door: web::Data<Door>,
    streams: web::Data<Streams>,
    exit: web::Data<Exit>,
) -> Result<HttpResponse, Refusal> {
    let caller = Caller::admit(&request, &door, streams.around.stream.audience).await?;
    let Parameters { limit, after, before } = query(&request)?;
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Refusal::new(400, "invalid_parameter", format!("The query parameter limit must be 1 to {MAX_LIMIT}.")));
    }
    let (from, after) = match (after, before) {
        (Some(_), Some(_)) => {
            return Err(Refusal::new(
                400,
                "invalid_parameter",
                "Only one of the query parameters after and before can be given.",
            ));
        }
        (Some(after), None) => {
            let after = cursor("after", &after, &streams).await?;
            (From::After(after.n), Some(after))
        }
        (None, Some(before)) => (From::Before(cursor("before", &before, &streams).await?.n), None),
        (None, None) => (From::Newest, None),
    };
    let owner = match caller.view {
        View::All => None,
        View::Own(user) => Some(user),
    };
    let place = exit.place(&request).await?;
    let store = &streams.around.store;
    let page = store.history(HistoryQuery { owner, from, limit }).await.map_err(|error| store_refusal(&error))?;
    let last = page.entries.last().map(|entry| entry.position);
    let next = match after {
        None => last.filter(|_| page.more),
        Some(_) if page.more => last,
        // The page has seen everything up to the newest entry, so the next one need not look at it again.
        Some(after) => page.newest.or(Some(after)),
    };
    Ok(exit.send(place, &request, answer(&page.entries, next)))
}

/// One notification. Somebody else's is 404, as if it were not there.
#[utoipa::path(
    get,
    path = super::NOTIFICATION,
    tag = "reading",
    summary = "One notification",
    params(Reader, ("notification_id" = String, Path, description = "24 hex digits; whatever else is unknown.")),
    responses(
        (status = 200, description = "The notification, with the newest screening results", body = Notification),
        (status = 404, description = "There is none with this id that this user may see", body = ErrorBody),
        Refused,
        Anywhere,
        Later,
    ),
)]
pub async fn one(
    request: HttpRequest,
    door: web::Data<Door>,
    streams: web::Data<Streams>,
    exit: web::Data<Exit>,
    id: web::Path<String>,
) -> Result<HttpResponse, Refusal> {
    let caller = Caller::admit(&request, &door, streams.around.stream.audience).await?;
    let unknown = || Refusal::new(404, "unknown_notification", "There is no such notification.");
    let id = NotificationId::parse_str(id.as_str()).map_err(|_| unknown())?;
    let place = exit.place(&request).await?;
    let entry = streams.around.store.notification(id).await.map_err(|error| store_refusal(&error))?;
    let entry = entry.filter(|entry| caller.sees(entry.owner.as_deref())).ok_or_else(unknown)?;
    Ok(exit.send(place, &request, object(&entry)))
}

impl Exit {
    async fn place(&self, request: &HttpRequest) -> Result<OwnedSemaphorePermit, Refusal> {
        self.departures.place().await.ok_or_else(|| {
            self.limits.met_by(Limit::MaxPages, request);
            Refusal::busy("busy", "As many pages of history are on their way as may be (server.max_pages).", 1)
        })
    }

    fn send(&self, place: OwnedSemaphorePermit, request: &HttpRequest, page: String) -> HttpResponse {
        let body = self.departures.send(place, self.limits.client(request), page);
        HttpResponse::Ok().content_type(ContentType::json()).body(body)
    }
}

/// The cursor of a page. One that cannot be honoured is an error, because a page from elsewhere would hide a gap.
async fn cursor(name: &str, text: &str, streams: &Streams) -> Result<Position, Refusal> {
    let around = &streams.around;
    honour(text, &around.recent, &*around.store).await.map_err(|error| store_refusal(&error))?.map_err(|reason| {
        let (code, why) = match reason {
            GapReason::UnknownId => ("unknown_position", "is no position of this log"),
            GapReason::OtherEpoch => ("other_epoch", "is a position of another log"),
            GapReason::Pruned => ("pruned_position", "is older than what is kept"),
        };
        Refusal::new(400, code, format!("The query parameter {name} {why}."))
    })
}

fn answer(entries: &[Entry], next: Option<Position>) -> String {
    let mut body = format!(r#"{{"status":"success","count":{},"notifications":["#, entries.len());
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(&object(entry));
    }
    // Writing to a String cannot fail.
    let _ = match next {
        Some(next) => write!(body, r#"],"next":"{next}"}}"#),
        None => write!(body, r#"],"next":null}}"#),
    };
    body
}

/// The stream's own object with its `position` at the end. Spliced, not parsed: a payload is an object of our own making.
fn object(entry: &Entry) -> String {
    let open = entry.payload.strip_suffix('}').unwrap_or(&entry.payload);
    format!(r#"{open},"position":"{}"}}"#, entry.position)
}
