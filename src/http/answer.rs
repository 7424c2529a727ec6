//! JSON answers, and the one shape of every error.

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use serde::Serialize;

use crate::{error::Refusal, store::StoreError};

/// `{"status":"error","error":…,"message":…}`
#[derive(Serialize)]
struct ErrorBody<'a> {
    status: &'static str,
    error: &'a str,
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
