//! Dead letters on the admin listener: what could not be used, looked at, taken in again, dropped.

use std::{ops::RangeInclusive, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{
    answer::{json, store_refusal},
    caller::query,
    webhook::{Ingest, render},
};
use crate::{
    actors::{
        archivist::{Archivist, Discard},
        line::Line,
        webhook_handler::Retry,
    },
    error::Refusal,
    notification::rfc3339,
    store::{DeadLetter, Store},
};

/// Dead letters dropped in one commit, so that webhooks never wait long behind it.
const DROPPED_AT_ONCE: usize = 500;

/// Where dead letters are.
pub struct Letters {
    /// Has them.
    pub store: Arc<dyn Store>,
    /// Drops them.
    pub archivist: Line<Archivist>,
}

#[derive(Deserialize)]
struct Parameters {
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Listed<'a> {
    seq: i64,
    received_at: String,
    item: Option<usize>,
    body_bytes: u64,
    error: &'a str,
    message: &'a str,
}

impl<'a> Listed<'a> {
    fn of(letter: &'a DeadLetter) -> Self {
        let DeadLetter { seq, received_at, item, reason, detail, body_bytes } = letter;
        Self {
            seq: *seq,
            received_at: rfc3339(*received_at),
            item: *item,
            body_bytes: *body_bytes,
            error: reason,
            message: detail,
        }
    }
}

/// The newest first.
pub async fn list(request: HttpRequest, letters: web::Data<Letters>) -> Result<HttpResponse, Refusal> {
    let Parameters { limit } = query(&request)?;
    let found = letters.store.dead_letters(limit.unwrap_or(100)).await.map_err(|error| store_refusal(&error))?;
    let listed: Vec<Listed<'_>> = found.iter().map(Listed::of).collect();
    let body = serde_json::json!({ "status": "success", "count": listed.len(), "dead_letters": listed });
    Ok(json(StatusCode::OK, &body))
}

/// The exact bytes of the body that one came in. A browser must not take them for a page.
pub async fn show(letters: web::Data<Letters>, seq: web::Path<String>) -> Result<HttpResponse, Refusal> {
    let (_, body) = find(&letters, number(&seq)?).await?;
    Ok(HttpResponse::Ok()
        .content_type("application/octet-stream")
        .insert_header((header::CONTENT_DISPOSITION, "attachment"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(body))
}

/// Takes one in again, and answers as its sender would be answered.
pub async fn retry(
    letters: web::Data<Letters>,
    ingest: web::Data<Ingest>,
    seq: web::Path<String>,
) -> Result<HttpResponse, Refusal> {
    let seq = number(&seq)?;
    let permit = ingest.permit()?;
    let (letter, body) = find(&letters, seq).await?;
    let (reply, answer) = oneshot::channel();
    let retry = Retry { seq, item: letter.item, body, permit, reply };
    ingest.handler.try_send(retry).map_err(|_| busy())?;
    let answer = ingest.answered(answer).await?.ok_or_else(|| unknown(seq))?;
    Ok(render(&answer))
}

/// Drops one.
pub async fn drop_one(letters: web::Data<Letters>, seq: web::Path<String>) -> Result<HttpResponse, Refusal> {
    let seq = number(&seq)?;
    match letters.discard(seq..=seq).await? {
        0 => Err(unknown(seq)),
        _ => Ok(dropped(1)),
    }
}

/// Drops all that are there now; one that comes meanwhile has not been seen by anybody.
pub async fn drop_all(letters: web::Data<Letters>) -> Result<HttpResponse, Refusal> {
    let newest = letters.store.dead_letters(1).await.map_err(|error| store_refusal(&error))?;
    let Some(newest) = newest.first() else { return Ok(dropped(0)) };
    let mut count = 0;
    loop {
        let some = letters.discard(i64::MIN..=newest.seq).await?;
        count += some;
        if some < DROPPED_AT_ONCE {
            return Ok(dropped(count));
        }
    }
}

impl Letters {
    async fn discard(&self, letters: RangeInclusive<i64>) -> Result<usize, Refusal> {
        let (reply, count) = oneshot::channel();
        self.archivist.try_send(Discard { letters, limit: DROPPED_AT_ONCE, reply }).map_err(|_| busy())?;
        count.await.map_err(|_| busy())?.map_err(|error| store_refusal(&error))
    }
}

async fn find(letters: &Letters, seq: i64) -> Result<(DeadLetter, bytes::Bytes), Refusal> {
    letters.store.dead_letter(seq).await.map_err(|error| store_refusal(&error))?.ok_or_else(|| unknown(seq))
}

fn number(seq: &str) -> Result<i64, Refusal> {
    seq.parse().map_err(|_| Refusal::new(404, "unknown_dead_letter", "A dead letter has a number."))
}

fn unknown(seq: i64) -> Refusal {
    Refusal::new(404, "unknown_dead_letter", format!("There is no dead letter {seq}."))
}

fn busy() -> Refusal {
    Refusal::busy("busy", "The pipeline takes nothing right now.", 1)
}

fn dropped(count: usize) -> HttpResponse {
    json(StatusCode::OK, &serde_json::json!({ "status": "success", "dropped": count }))
}
