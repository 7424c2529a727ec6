//! `POST /notifications/webhook/zone-port-event`: takes one body, answers once it is durable.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use arc_swap::ArcSwap;
use serde::Serialize;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::{
    admin::Readiness,
    answer::{ErrorBody, json, refused, store_refusal},
    arrivals::{Arrivals, NotArrived},
    limits::{Limit, Limits},
    openapi::{
        answers::{Anywhere, Later, Taken, Unusable},
        objects::Body,
    },
    signature::{Cause, Delivery, Signature},
};
use crate::{
    actors::{
        intake::{Item, Verdict},
        line::Line,
        webhook_handler::{Answer, Webhook, WebhookHandler},
    },
    config,
    error::Refusal,
    metrics::Metrics,
    notification::provider::DeliveryHeaders,
    store::{Kept, StoreError},
};

/// By what webhooks are taken, for as long as no reload replaces it.
pub struct Rules {
    config: config::Ingest,
    signature: Signature,
}

impl Rules {
    /// Those of `[ingest]`.
    pub fn new(config: &config::Ingest) -> Self {
        Self { config: config.clone(), signature: Signature::new(&config.signature) }
    }
}

/// What taking a webhook needs.
pub struct Ingest {
    /// By what they are taken, and who is believed.
    pub rules: Arc<ArcSwap<Rules>>,
    /// Webhooks between their first body byte and their commit.
    pub arrivals: Arrivals,
    /// Reads bodies.
    pub handler: Line<WebhookHandler>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Tells whether the hub stops.
    pub readiness: Arc<Readiness>,
    /// Counts who is too slow.
    pub limits: Arc<Limits>,
}

/// Takes one webhook.
#[utoipa::path(
    post,
    path = super::WEBHOOK,
    tag = "webhook",
    security(()),
    summary = "Takes one event, an array of events, or {\"data\":[…]}",
    description = "Answered once everything is on disk, without waiting for screening or any reader. Any content type whose bytes \
        are JSON is read; fields beyond those described here are kept and streamed. With `ingest.bind` this route moves to that \
        address.",
    params(
        ("webhook-id" = Option<String>, Header, description = "The delivery: the same one again is a duplicate."),
        ("X-Delivery-ID" = Option<String>, Header, description = "The same, where there is no `webhook-id`."),
    ),
    request_body(content = Body, content_type = "application/json"),
    responses(
        (status = 200, description = "Kept", body = Taken),
        (status = 400, description = "Nothing could be used; what was posted is kept as a dead letter", body = Unusable),
        (status = 401, description = "The sender does not prove who it is (`ingest.signature`)", body = ErrorBody),
        (status = 413, description = "Larger than `ingest.max_body`, or more items than `ingest.max_batch`", body = ErrorBody),
        Anywhere,
        Later,
    ),
)]
pub async fn receive(request: HttpRequest, payload: web::Payload, ingest: web::Data<Ingest>) -> HttpResponse {
    let begun = Instant::now();
    let answer = match take(&request, payload, &ingest).await {
        Ok(answer) => render(&answer),
        Err(refusal) => refused(&refusal),
    };
    ingest.metrics.webhooks.answered(answer.status().as_u16(), begun.elapsed());
    answer
}

async fn take(request: &HttpRequest, payload: web::Payload, ingest: &Ingest) -> Result<Answer, Refusal> {
    // Before a place among the arrivals and the body: a stranger costs neither.
    let now = u64::try_from(chrono::Utc::now().timestamp()).unwrap_or_default();
    // The same ones to the end: what was claimed under a secret is proven with it.
    let rules = ingest.rules.load_full();
    let claim = rules.signature.claim(request.headers(), now).map_err(|cause| disbelieved(cause, &ingest.metrics))?;
    let arrived = ingest.arrivals.take(request, payload, &rules.config).await;
    let (body, permit) = arrived.map_err(|error| not_arrived(error, request, ingest))?;
    let headers = match rules.signature.prove(claim, &body).map_err(|cause| disbelieved(cause, &ingest.metrics))? {
        Delivery::AsTold => delivery_headers(request),
        Delivery::Id(id) => DeliveryHeaders { delivery_id: Some(id) },
    };
    let (reply, answer) = oneshot::channel();
    let webhook = Webhook { body, headers, received_at: chrono::Utc::now(), permit, reply };
    ingest.handler.try_send(webhook).map_err(|_| busy("busy", "The webhook handler's mailbox is full."))?;
    let answer = ingest.answered(answer).await?;
    if let Verdict::Refused(refusal) = &answer.verdict
        && let Some(limit) = Limit::of(refusal.code)
    {
        ingest.limits.met_by(limit, request);
    }
    Ok(answer)
}

impl Ingest {
    /// Waits for what the pipeline says of a body.
    pub(super) async fn answered<T>(&self, answer: oneshot::Receiver<Result<T, StoreError>>) -> Result<T, Refusal> {
        match tokio::time::timeout(self.rules.load().config.answer_timeout, answer).await {
            Ok(Ok(answer)) => answer.map_err(|error| store_refusal(&error)),
            Ok(Err(_)) => Err(busy("lost", "The webhook was lost on its way to the store; it was not acknowledged.")),
            Err(_) => Err(busy("store_slow", "The store has not confirmed the webhook in time; it was not acknowledged.")),
        }
    }
}

pub(super) fn not_arrived(error: NotArrived, request: &HttpRequest, ingest: &Ingest) -> Refusal {
    match error {
        NotArrived::NoPlace if ingest.readiness.stopping.load(Ordering::Relaxed) => busy("stopping", "This server is stopping."),
        NotArrived::NoPlace => {
            ingest.limits.met_by(Limit::MaxInFlight, request);
            busy("busy", "As many webhooks are under way as may be (ingest.max_in_flight).")
        }
        NotArrived::TooSlow(within) => {
            ingest.limits.met_by(Limit::BodyTimeout, request);
            Refusal::new(408, "body_too_slow", format!("The body did not arrive within {within:?} (ingest.body_timeout)."))
        }
        NotArrived::TooLarge(max) => {
            ingest.limits.met_by(Limit::MaxBody, request);
            Refusal::new(413, "body_too_large", format!("The body is larger than {max} bytes (ingest.max_body)."))
        }
        NotArrived::CutOff => Refusal::new(400, "body_cut_off", "The body ended before it was whole."),
    }
}

fn busy(code: &'static str, message: &'static str) -> Refusal {
    Refusal::busy(code, message, 1)
}

/// One answer whatever the cause: it must not tell how near a guess was. Nothing of the webhook is kept.
fn disbelieved(cause: Cause, metrics: &Metrics) -> Refusal {
    metrics.door.signature_failures.get_or_create(&[("cause", cause.label())]).inc();
    log::debug!(target: "notifications", "event=bad_signature cause={}", cause.label());
    Refusal::new(401, "bad_signature", "The webhook does not prove that it comes from a known sender (ingest.signature).")
}

/// What recognises a delivery that comes again: `webhook-id`, else `X-Delivery-ID`, else the two that CloudEvents names in
/// its binary form.
fn delivery_headers(request: &HttpRequest) -> DeliveryHeaders {
    let header = |name: &str| {
        let value = request.headers().get(name)?.to_str().ok()?.trim();
        (!value.is_empty()).then(|| value.to_owned())
    };
    let cloud_event = || Some(format!("{}\n{}", header("ce-source")?, header("ce-id")?));
    DeliveryHeaders { delivery_id: header("webhook-id").or_else(|| header("X-Delivery-ID")).or_else(cloud_event) }
}

/// What one event came to.
#[derive(Serialize, ToSchema)]
pub struct Single<'a> {
    #[schema(pattern = "^success$")]
    status: &'static str,
    message: &'static str,
    /// Null for a test of the provider.
    #[schema(required, pattern = "^[0-9a-f]{24}$")]
    notification_id: Option<&'a str>,
    /// Whether it was there before: the id is the first one's.
    duplicate: bool,
}

/// What the items of a batch came to.
#[derive(Serialize, ToSchema)]
pub struct Batch {
    #[schema(pattern = "^(success|error)$")]
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^no_usable_item$", nullable = false)]
    error: Option<&'static str>,
    message: &'static str,
    results: Vec<ItemResult>,
}

/// What one item came to.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum ItemResult {
    /// It was kept.
    Kept {
        index: usize,
        #[schema(required, pattern = "^[0-9a-f]{24}$")]
        notification_id: Option<String>,
        duplicate: bool,
    },
    /// It is a dead letter.
    Error {
        index: usize,
        #[schema(pattern = "^[a-z][a-z0-9_]*$")]
        error: &'static str,
        message: String,
    },
}

/// What its sender is told of a body.
pub(super) fn render(answer: &Answer) -> HttpResponse {
    let mut kept = answer.kept.iter();
    match &answer.verdict {
        Verdict::Refused(refusal) | Verdict::Single(Item::Unusable(refusal)) => refused(refusal),
        Verdict::Single(Item::Ping) => {
            json(StatusCode::OK, &Single { status: "success", message: "Test received", notification_id: None, duplicate: false })
        }
        Verdict::Single(Item::Event) => {
            let Some(Kept { id, duplicate }) = kept.next() else { return refused(&busy("lost", "The webhook was not kept.")) };
            let message = if *duplicate { "Notification received before" } else { "Notification received" };
            json(
                StatusCode::OK,
                &Single { status: "success", message, notification_id: Some(&id.to_hex()), duplicate: *duplicate },
            )
        }
        Verdict::Batch(items) => {
            let results: Vec<ItemResult> =
                items.iter().enumerate().map(|(index, item)| item_result(index, item, &mut kept)).collect();
            let unusable = results.iter().filter(|result| matches!(result, ItemResult::Error { .. })).count();
            if unusable > 0 && unusable == results.len() {
                let message = "No item of the batch could be used.";
                return json(
                    StatusCode::BAD_REQUEST,
                    &Batch { status: "error", error: Some("no_usable_item"), message, results },
                );
            }
            json(StatusCode::OK, &Batch { status: "success", error: None, message: "Batch received", results })
        }
    }
}

fn item_result<'a>(index: usize, item: &Item, kept: &mut impl Iterator<Item = &'a Kept>) -> ItemResult {
    match item {
        Item::Unusable(refusal) => ItemResult::Error { index, error: refusal.code, message: refusal.message.clone() },
        Item::Ping => ItemResult::Kept { index, notification_id: None, duplicate: false },
        Item::Event => {
            let kept = kept.next();
            ItemResult::Kept {
                index,
                notification_id: kept.map(|kept| kept.id.to_hex()),
                duplicate: kept.is_some_and(|kept| kept.duplicate),
            }
        }
    }
}
