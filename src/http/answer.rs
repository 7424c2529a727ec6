//! JSON answers, and the one shape of every error.

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use super::security;
use crate::{error::Refusal, store::StoreError};

/// Why a request was refused.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorBody<'a> {
    #[schema(pattern = "^error$")]
    status: &'static str,
    /// What programs look at.
    #[schema(pattern = "^[a-z][a-z0-9_]*$")]
    error: &'a str,
    /// One sentence for people.
    #[schema(min_length = 1)]
    message: &'a str,
}

/// An answer with this status and JSON body.
pub fn json(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status).json(body)
}

/// The error answer.
pub fn refused(refusal: &Refusal) -> HttpResponse {
    let body = ErrorBody { status: "error", error: refusal.code, message: &refusal.message };
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = json(status, &body);
    if let Some(seconds) = refusal.retry_after {
        answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    if let Some(challenge) = refusal.challenge {
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    answer
}

/// The error answer as the bytes of a whole HTTP/1.1 answer, behind which the connection is closed: for clients with whom HTTP itself has
/// nothing to do any more.
pub fn raw(refusal: &Refusal, secure: bool) -> Bytes {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = ErrorBody { status: "error", error: refusal.code, message: &refusal.message };
    // No text fails to serialise.
    let body = serde_json::to_string(&body).unwrap_or_default();
    let mut answer = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    answer.push_str("Connection: close\r\n");
    if let Some(seconds) = refusal.retry_after {
        answer.push_str(&format!("Retry-After: {seconds}\r\n"));
    }
    for (name, value) in security::headers(secure) {
        answer.push_str(&format!("{name}: {value}\r\n"));
    }
    (answer + "\r\n" + &body).into()
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        refused(self)
    }
}

/// What a caller is told when the store cannot serve it. The store's own words may hold a path: they stay in the log.
pub fn store_refusal(error: &StoreError) -> Refusal {
    let code = match error {
        StoreError::Full(_) => "store_full",
        _ => "store_unavailable",
    };
    Refusal::busy(code, "The store cannot serve this right now; nothing was acknowledged.", 5)
}
