//! `GET /audit` on the admin listener: to whom a notification was sent, what was sent to a user, or whether one was sent to the other.

use std::{sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    answer::{json, store_refusal},
    caller::query,
};
use crate::{
    error::Refusal,
    notification::{NotificationId, entry::Kind, rfc3339},
    store::{
        Store,
        audit::{About, Cursor, Delivery, Question, search},
    },
};

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;

/// How long a question waits for the one before it; then it is answered 503.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the audit is.
pub struct Audit {
    store: Arc<dyn Store>,
    /// One question at a time: it reads beside replay and history, and must leave them a reader.
    turn: Semaphore,
}

impl Audit {
    /// What this store keeps of it.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, turn: Semaphore::new(1) }
    }
}

#[derive(Deserialize)]
struct Parameters {
    notification_id: Option<String>,
    user_id: Option<String>,
    limit: Option<usize>,
    from: Option<String>,
}

/// One delivery. Times are RFC 3339.
#[derive(Serialize)]
struct Listed<'a> {
    notification_id: String,
    /// The `type` of what was sent.
    r#type: &'static str,
    /// The `id:` that it had.
    position: String,
    user_id: &'a str,
    connection_id: String,
    /// It was sent between these two.
    sent_after: String,
    sent_before: String,
    connected_at: String,
    /// Null while it is open, and where its node was killed.
    disconnected_at: Option<String>,
    disconnect_cause: Option<&'a str>,
}

impl<'a> Listed<'a> {
    fn of(Delivery { entry, connection, sent_after, sent_before }: &'a Delivery) -> Self {
        Self {
            notification_id: entry.notification_id.to_hex(),
            r#type: match entry.kind {
                Kind::Notification => "zone_port_notification",
                Kind::Update => "screening_update",
            },
            position: entry.position.to_string(),
            user_id: &connection.user,
            connection_id: connection.id.to_hex(),
            sent_after: rfc3339(*sent_after),
            sent_before: rfc3339(*sent_before),
            connected_at: rfc3339(connection.opened_at),
            disconnected_at: connection.end.as_ref().map(|end| rfc3339(end.at)),
            disconnect_cause: connection.end.as_ref().map(|end| &*end.cause),
        }
    }
}

/// A page: those of a notification in the order of the log, those of a user newest first.
pub async fn answer(request: HttpRequest, audit: web::Data<Audit>) -> Result<HttpResponse, Refusal> {
    let Parameters { notification_id, user_id, limit, from } = query(&request)?;
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(invalid(format!("The query parameter limit must be 1 to {MAX_LIMIT}.")));
    }
    let from = from.map(|from| from.parse::<Cursor>()).transpose();
    let from = from.map_err(|()| invalid("The query parameter from must be the next of an earlier answer.".to_owned()))?;
    let unknown = || Refusal::new(404, "unknown_notification", "There is no such notification.");
    let about = match (notification_id, user_id) {
        (Some(id), user) => About::Notification(NotificationId::parse_str(id).map_err(|_| unknown())?, user.map(Arc::from)),
        (None, Some(user)) => About::User(user.into()),
        (None, None) => return Err(invalid("The query parameter notification_id, user_id, or both must be given.".to_owned())),
    };
    let busy = || Refusal::busy("busy", "Other questions are before this one.", 1);
    let _turn = timeout(PATIENCE, audit.turn.acquire()).await.map_err(|_| busy())?.map_err(|_| busy())?;
    let found = search(&*audit.store, &Question { about, from, limit }).await.map_err(|error| store_refusal(&error))?;
    let found = found.ok_or_else(unknown)?;
    let deliveries: Vec<Listed<'_>> = found.deliveries.iter().map(Listed::of).collect();
    let next = found.next.map(|next| next.to_string());
    let body = serde_json::json!({ "status": "success", "count": deliveries.len(), "next": next, "deliveries": deliveries });
    Ok(json(StatusCode::OK, &body))
}

fn invalid(message: String) -> Refusal {
    Refusal::new(400, "invalid_parameter", message)
}
