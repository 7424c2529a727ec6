//! `/users` on the admin listener: who may connect in auth mode `store`. What `lookout user` talks to beside a running server.

use std::{sync::Arc, time::Duration};

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;

use super::answer::{json, store_refusal};
use crate::{
    actors::{
        archivist::{Archivist, SetUser},
        line::Line,
        session_supervisor::{LookAtUsers, SessionSupervisor},
    },
    error::Refusal,
    store::{Store, check_user},
};

/// How long a change may take until it is durable, and until the streams of who was removed are told.
const PATIENCE: Duration = Duration::from_secs(10);

/// What changing users needs.
pub struct UserBook {
    /// Writes them down.
    pub archivist: Line<Archivist>,
    /// Ends the streams of who is removed.
    pub supervisor: Line<SessionSupervisor>,
    /// Lists them.
    pub store: Arc<dyn Store>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    user_id: String,
}

/// All users, ascending.
pub async fn list(book: web::Data<UserBook>) -> Result<HttpResponse, Refusal> {
    let users = book.store.users().await.map_err(|error| store_refusal(&error))?.ids;
    Ok(json(StatusCode::OK, &json!({ "status": "success", "count": users.len(), "users": users })))
}

/// Adds `{"user_id":…}`.
pub async fn add(body: Result<web::Bytes, actix_web::Error>, book: web::Data<UserBook>) -> Result<HttpResponse, Refusal> {
    let body = body.map_err(|_| Refusal::new(400, "invalid_body", "The body cannot be read."))?;
    let NewUser { user_id } = serde_json::from_slice(&body)
        .map_err(|_| Refusal::new(400, "invalid_body", "The body must be {\"user_id\":…} and nothing else."))?;
    book.set(&user_id, true).await
}

/// Removes a user, and answers when all of the user's streams on this node are told.
pub async fn remove(user: web::Path<String>, book: web::Data<UserBook>) -> Result<HttpResponse, Refusal> {
    book.set(&user, false).await
}

impl UserBook {
    async fn set(&self, user: &str, known: bool) -> Result<HttpResponse, Refusal> {
        check_user(user).map_err(|reason| Refusal::new(400, "invalid_user_id", format!("A user id {reason}.")))?;
        let change = async {
            let (reply, set) = oneshot::channel();
            let message = SetUser { user: user.into(), known, reply };
            self.archivist.try_send(message).map_err(|_| busy())?;
            let changed = set.await.map_err(|_| busy())?.map_err(|error| store_refusal(&error))?;
            let (reply, looked) = oneshot::channel();
            self.supervisor.send(LookAtUsers { reply });
            looked.await.map_err(|_| busy())?;
            Ok(json(StatusCode::OK, &json!({ "status": "success", "user_id": user, "changed": changed })))
        };
        tokio::time::timeout(PATIENCE, change).await.unwrap_or_else(|_| Err(busy()))
    }
}

fn busy() -> Refusal {
    Refusal::busy("busy", "The change may not have been made; ask again in a moment.", 1)
}
