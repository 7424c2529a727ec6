//! Takes webhook bodies in: has them read and cleaned, and hands them to the archivist.
//!
//! * receives: `Webhook`, `Retry` (HTTP); `Canary`
//! * sends: `Keep`, `KeepAgain` to the archivist; the answer to HTTP once the body is durable
//! * when full: HTTP answers 503 with `Retry-After`; nothing was taken in
//! * when it dies: webhooks under way are not acknowledged (503); the session supervisor builds it again
//! * runs on: the intake thread, so that reading JSON never holds up a socket

use std::sync::Arc;

use actix::{Actor, ActorContext, Context, Handler, Message, prelude::SendError};
use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{
    archivist::{Archivist, Keep, KeepAgain},
    canary::{Canary, Stage},
    intake::{Intake, Verdict},
    line::{Line, Stop, guarded},
    mailbox::measured,
};
use crate::{
    metrics::Metrics,
    notification::{Timestamp, provider::DeliveryHeaders},
    store::{Kept, StoreError},
};

/// One webhook body. The reply is dropped unsent when the webhook is lost on the way: it is then not acknowledged.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Webhook {
    /// The exact bytes.
    pub body: Bytes,
    /// What identifies the delivery.
    pub headers: DeliveryHeaders,
    /// When the last byte had arrived.
    pub received_at: Timestamp,
    /// One of `ingest.max_in_flight`; given back when the body is durable, whether or not anybody still waits for that.
    pub permit: OwnedSemaphorePermit,
    /// Gets the answer.
    pub reply: oneshot::Sender<Result<Answer, StoreError>>,
}

/// Take a dead letter in again, as if it were posted now.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Retry {
    /// The dead letter.
    pub seq: i64,
    /// Its item of the body, where that was a batch.
    pub item: Option<usize>,
    /// The exact bytes.
    pub body: Bytes,
    /// One of `ingest.max_in_flight`.
    pub permit: OwnedSemaphorePermit,
    /// Gets the answer, or none where the letter was gone.
    pub reply: oneshot::Sender<Result<Option<Answer>, StoreError>>,
}

/// What a sender is told.
#[derive(Debug)]
pub struct Answer {
    /// What the body was.
    pub verdict: Verdict,
    /// One for each usable event, in order.
    pub kept: Vec<Kept>,
}

/// The actor.
pub struct WebhookHandler {
    /// Replaced by a reload.
    intake: Arc<ArcSwap<Intake>>,
    archivist: Line<Archivist>,
    metrics: Arc<Metrics>,
}

impl WebhookHandler {
    /// A handler whose mailbox holds `capacity` (`mailbox.webhook_handler`) messages.
    pub fn create(
        capacity: usize,
        intake: Arc<ArcSwap<Intake>>,
        archivist: Line<Archivist>,
        metrics: Arc<Metrics>,
        ctx: &mut Context<Self>,
    ) -> Self {
        ctx.set_mailbox_capacity(capacity);
        Self { intake, archivist, metrics }
    }
}

measured!(WebhookHandler: Webhook, Retry, Canary, Stop);

impl Actor for WebhookHandler {
    type Context = Context<Self>;
}

impl Handler<Webhook> for WebhookHandler {
    type Result = ();

    fn handle(&mut self, webhook: Webhook, _: &mut Self::Context) {
        guarded("webhook_handler", self, |handler| &handler.metrics, |handler| handler.take_in(webhook));
    }
}

impl Handler<Retry> for WebhookHandler {
    type Result = ();

    fn handle(&mut self, retry: Retry, _: &mut Self::Context) {
        guarded("webhook_handler", self, |handler| &handler.metrics, |handler| handler.take_in_again(retry));
    }
}

impl Handler<Canary> for WebhookHandler {
    type Result = ();

    fn handle(&mut self, canary: Canary, _: &mut Self::Context) {
        canary.pass(Stage::Ingest);
    }
}

impl Handler<Stop> for WebhookHandler {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl WebhookHandler {
    fn take_in(&self, webhook: Webhook) {
        let Webhook { body, headers, received_at, permit, reply } = webhook;
        let prepared = self.intake.load().prepare(body, &headers, received_at);
        self.metrics.webhooks.dropped_keys.inc_by(prepared.dropped_keys);
        self.metrics.webhooks.dead_letters.inc_by(prepared.receive.dead_letters.len() as u64);
        if prepared.receive.notifications.is_empty() && prepared.receive.dead_letters.is_empty() {
            // A test ping or an empty batch: there is nothing that could be lost.
            return drop(reply.send(Ok(Answer { verdict: prepared.verdict, kept: Vec::new() })));
        }
        self.metrics
            .webhooks
            .unrouted
            .inc_by(prepared.receive.notifications.iter().filter(|one| one.owner.is_none()).count() as u64);
        let (metrics, verdict) = (self.metrics.clone(), prepared.verdict);
        let tell = Box::new(move |kept: Result<Vec<Kept>, StoreError>| {
            drop(permit);
            if let Ok(kept) = &kept {
                metrics.webhooks.duplicates.inc_by(kept.iter().filter(|kept| kept.duplicate).count() as u64);
            }
            // Who has hung up meanwhile is not told; it will ask again and find a duplicate.
            let _ = reply.send(kept.map(|kept| Answer { verdict, kept }));
        });
        match self.archivist.try_send(Keep { receive: prepared.receive, tell }) {
            Ok(()) => {}
            Err(SendError::Full(keep) | SendError::Closed(keep)) => {
                (keep.tell)(Err(StoreError::Unavailable("the archivist takes nothing".into())));
            }
        }
    }

    /// What cannot be used still is a dead letter as it was. Of a body of which some can be used now, the items that cannot become dead
    /// letters of their own, as if it were posted.
    fn take_in_again(&self, retry: Retry) {
        let Retry { seq, item, body, permit, reply } = retry;
        let whole = self.intake.load().prepare(body, &DeliveryHeaders::default(), chrono::Utc::now());
        let prepared = match item {
            Some(item) => whole.only(item),
            None => whole,
        };
        if !prepared.is_usable() {
            return drop(reply.send(Ok(Some(Answer { verdict: prepared.verdict, kept: Vec::new() }))));
        }
        self.metrics.webhooks.dropped_keys.inc_by(prepared.dropped_keys);
        self.metrics.webhooks.dead_letters.inc_by(prepared.receive.dead_letters.len() as u64);
        let verdict = prepared.verdict;
        let tell = Box::new(move |kept: Result<Option<Vec<Kept>>, StoreError>| {
            drop(permit);
            let _ = reply.send(kept.map(|kept| kept.map(|kept| Answer { verdict, kept })));
        });
        match self.archivist.try_send(KeepAgain { seq, receive: prepared.receive, tell }) {
            Ok(()) => {}
            Err(SendError::Full(keep) | SendError::Closed(keep)) => {
                (keep.tell)(Err(StoreError::Unavailable("the archivist takes nothing".into())));
            }
        }
    }
}
