//! Who asks, and what they may see: the same answer for the stream and for the history.

use std::{sync::Arc, time::Instant};

use actix_web::HttpRequest;
use actix_web_lab::extract::Query;
use serde::{Deserialize, de::DeserializeOwned};

use super::auth::{Credentials, Door};
use crate::{actors::progress::View, config::Audience, error::Refusal, store::MAX_USER_ID};

/// The parameters that every reader gives.
#[derive(Deserialize)]
struct Parameters {
    user_id: Option<String>,
    scope: Option<Scope>,
    access_token: Option<String>,
}

/// How a reader narrows what it sees.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Scope {
    Own,
    All,
}

/// A reader that was let in.
#[derive(Debug)]
pub struct Caller {
    /// The user.
    pub user: Arc<str>,
    /// What it sees.
    pub view: View,
    /// When it may read no longer.
    pub until: Option<Instant>,
}

impl Caller {
    /// Lets the sender of this request in. Errors: 400 for a faulty parameter, and what the door says.
    pub async fn admit(request: &HttpRequest, door: &Door, audience: Audience) -> Result<Self, Refusal> {
        let Parameters { user_id, scope, access_token } = query(request)?;
        let user = user_id
            .filter(|user| !user.is_empty())
            .ok_or_else(|| Refusal::new(400, "missing_user_id", "The query parameter user_id is missing."))?;
        if user.len() > MAX_USER_ID {
            return Err(Refusal::new(
                400,
                "invalid_parameter",
                format!("The query parameter user_id is longer than {MAX_USER_ID} bytes."),
            ));
        }
        let pass = door.admit(&user, Credentials { request, access_token: access_token.as_deref() }).await?;
        let user: Arc<str> = user.into();
        let view = match (audience, scope) {
            (Audience::Everyone, None | Some(Scope::All)) => View::All,
            (Audience::Owner, _) | (_, Some(Scope::Own)) => View::Own(user.clone()),
        };
        Ok(Self { user, view, until: pass.until })
    }

    /// Whether this reader sees what belongs to this owner.
    pub fn sees(&self, owner: Option<&str>) -> bool {
        match &self.view {
            View::All => true,
            View::Own(user) => owner == Some(user),
        }
    }
}

/// The query parameters of a request. The error names the faulty one, never its value.
pub fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Refusal> {
    Query::<T>::from_query(request.query_string())
        .map(Query::into_inner)
        .map_err(|error| Refusal::new(400, "invalid_parameter", format!("The query parameter {} is invalid.", error.path())))
}
