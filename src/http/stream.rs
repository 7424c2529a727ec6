//! `GET /notifications/zone-port-events/stream`: opens one SSE stream.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use actix_web_lab::header::{CacheControl, CacheDirective};
use serde::Deserialize;
use tokio::sync::oneshot;

use super::{
    answer::store_refusal,
    auth::Door,
    body::StreamBody,
    caller::{Caller, query},
    connection,
    limits::{Limit, Limits},
    openapi::{
        answers::{Anywhere, Later, Reader, Refused},
        objects::StreamEvent,
    },
};
use crate::{
    actors::{
        line::Line,
        outbox::Outbox,
        progress::{Progress, View},
        resume::{Resume, resume},
        session::Surroundings,
        session_supervisor::{Connect, SessionSupervisor, Worker},
    },
    error::Refusal,
    sanitize,
    store::audit::{Connection, ConnectionId},
};

/// The spellings of a last id in the query; the header goes before both.
#[derive(Deserialize)]
struct LastId {
    last_event_id: Option<String>,
    #[serde(rename = "lastEventId")]
    last_event_id_camel: Option<String>,
}

/// What opening a stream needs.
pub struct Streams {
    /// What sessions share.
    pub around: Arc<Surroundings>,
    /// Starts sessions.
    pub supervisor: Line<SessionSupervisor>,
}

/// Opens a stream.
#[utoipa::path(
    get,
    path = super::STREAM,
    tag = "reading",
    summary = "The live stream: Server-Sent Events without end",
    description = "Unnamed events, each with one JSON object (`Message`) in `data:`. Entries of the log carry their position as `id:`; \
        with it as `Last-Event-ID` a reader misses nothing and sees nothing twice.",
    params(
        Reader,
        ("Last-Event-ID" = Option<String>, Header, description = "The id seen last; goes before those in the query."),
        ("last_event_id" = Option<String>, Query, description = "The same, for clients that set no header."),
        ("lastEventId" = Option<String>, Query, description = "The same, as some polyfills spell it."),
    ),
    responses(
        (status = 200, description = "The stream, event by event", content_type = "text/event-stream", body = StreamEvent, headers(
            ("X-Accel-Buffering" = String, description = "`no`: proxies must not hold anything back"),
        )),
        Refused,
        Anywhere,
        Later,
    ),
)]
pub async fn open(
    request: HttpRequest,
    door: web::Data<Door>,
    streams: web::Data<Streams>,
    limits: web::Data<Limits>,
    worker: web::ThinData<Arc<Worker>>,
) -> Result<HttpResponse, Refusal> {
    let around = &streams.around;
    let caller = Caller::admit(&request, &door, around.stream.audience).await?;
    let last_id = last_id(&request)?;
    let Resume { start, gap } =
        resume(last_id.as_deref(), &around.recent, &*around.store).await.map_err(|error| store_refusal(&error))?;

    let wire = connection::wire(&request).ok_or_else(busy)?;
    let connection = Connection {
        id: ConnectionId::new(),
        user: caller.user.clone(),
        own: matches!(caller.view, View::Own(_)),
        opened_at: chrono::Utc::now(),
        after: start.passed,
        end: None,
    };
    let progress = Progress::new(start, caller.view);
    let outbox = Arc::new(Outbox::new(around.stream.queue_size, wire, progress, Some(connection)));
    // Made before the session: if this client hangs up while we wait, dropping the body is what ends the session.
    let body = StreamBody::new(outbox.clone());
    let (reply, opened) = oneshot::channel();
    let clean_user = sanitize::text(&caller.user).into_owned();
    let until = caller.until;
    let has_last_id = last_id.is_some();
    let connect = Connect { user: caller.user, clean_user, has_last_id, gap, until, outbox, worker: worker.0.clone(), reply };
    streams.supervisor.try_send(connect).map_err(|_| {
        around.metrics.streams.connections_refused.get_or_create(&[("cause", "busy")]).inc();
        busy()
    })?;
    opened.await.map_err(|_| busy())?.inspect_err(|refusal| {
        if let Some(limit) = Limit::of(refusal.code) {
            limits.met_by(limit, &request);
        }
    })?;

    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(CacheControl(vec![CacheDirective::NoCache]))
        .insert_header(("X-Accel-Buffering", "no"))
        .body(body))
}

fn busy() -> Refusal {
    Refusal::busy("busy", "This server cannot open a stream right now.", 1)
}

/// The id that the client has seen last. An empty one is none: that is what a client sends before its first event.
fn last_id(request: &HttpRequest) -> Result<Option<String>, Refusal> {
    // What is no text was never handed out; it is answered as an unknown id.
    let header = request.headers().get(LAST_EVENT_ID).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let LastId { last_event_id, last_event_id_camel } = query(request)?;
    Ok([header, last_event_id, last_event_id_camel].into_iter().flatten().find(|id| !id.is_empty()))
}

/// The header name, for CORS.
pub const LAST_EVENT_ID: header::HeaderName = header::HeaderName::from_static("last-event-id");
