//! From a webhook body to what the store keeps: read, cleaned, and decided who must wait for a screening.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::{
    config,
    error::Refusal,
    notification::{
        NotificationId, Timestamp, message,
        provider::{self, BodyLimits, DeliveryHeaders, RESERVED_NAMES, ReadEvent, Reading},
        rfc3339,
    },
    sanitize,
    screening::rules,
    store::{NewDeadLetter, NewNotification, Receive},
};

/// Reads bodies.
pub struct Intake {
    limits: BodyLimits,
    skip_vessel_types: Vec<String>,
    provider: &'static str,
}

/// A body, ready to be kept.
#[derive(Debug)]
pub struct Prepared {
    /// What is kept of it.
    pub receive: Receive,
    /// What its sender is told.
    pub verdict: Verdict,
    /// Keys that sanitising dropped.
    pub dropped_keys: u64,
}

/// What a body was.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// One event, or one item that is none.
    Single(Item),
    /// An array, or `{"data":[…]}`.
    Batch(Vec<Item>),
    /// Nothing that could be read.
    Refused(Refusal),
}

/// What an item was.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    /// A usable event.
    Event,
    /// A provider's test ping.
    Ping,
    /// Nothing usable.
    Unusable(Refusal),
}

impl Prepared {
    /// Only this item, where the body is a batch: the others were taken in or refused when it came first.
    pub fn only(mut self, item: usize) -> Self {
        let Verdict::Batch(items) = self.verdict else { return self };
        let before = items.iter().take(item).filter(|item| **item == Item::Event).count();
        let item_of = items.into_iter().nth(item);
        let receive = &mut self.receive;
        receive.dead_letters.retain(|letter| letter.item == Some(item));
        receive.notifications =
            if item_of == Some(Item::Event) { receive.notifications.drain(before..=before).collect() } else { Vec::new() };
        let gone = || Verdict::Refused(Refusal::new(400, "no_such_item", format!("The body has no item {item}.")));
        self.verdict = item_of.map_or_else(gone, Verdict::Single);
        self
    }

    /// Whether anything of it could be used, if only a test ping.
    pub fn is_usable(&self) -> bool {
        let refused = matches!(self.verdict, Verdict::Refused(_));
        !refused && (!self.receive.notifications.is_empty() || self.receive.dead_letters.is_empty())
    }
}

impl Intake {
    /// Reads bodies as configured; `provider` is who screens.
    pub fn new(ingest: &config::Ingest, screening: &config::Screening, provider: &'static str) -> Self {
        let skip_vessel_types = screening.skip_vessel_types.clone();
        Self { limits: BodyLimits { max_batch: ingest.max_batch, max_depth: BodyLimits::MAX_DEPTH }, skip_vessel_types, provider }
    }

    /// Reads a body. Whatever cannot be used becomes a dead letter; a batch that is too large is refused whole, because its
    /// sender can split it.
    pub fn prepare(&self, raw: Bytes, headers: &DeliveryHeaders, received_at: Timestamp) -> Prepared {
        let mut receive = Receive { raw, received_at, notifications: Vec::new(), dead_letters: Vec::new() };
        let body = match provider::read_body(&receive.raw, headers, &self.limits, received_at) {
            Ok(body) => body,
            Err(error) => {
                let refusal = Refusal::new(error.status(), error.code(), error.to_string());
                if refusal.status == 400 {
                    receive.dead_letters.push(NewDeadLetter {
                        item: None,
                        reason: refusal.code,
                        detail: refusal.message.clone(),
                    });
                }
                return Prepared { receive, verdict: Verdict::Refused(refusal), dropped_keys: 0 };
            }
        };
        let mut dropped_keys = 0;
        let mut items = Vec::with_capacity(body.items.len());
        for (index, reading) in body.items.into_iter().enumerate() {
            items.push(match reading {
                Reading::Event(event) => {
                    let (notification, dropped) = self.notification(*event, received_at);
                    dropped_keys += dropped;
                    receive.notifications.push(notification);
                    Item::Event
                }
                Reading::Ping => Item::Ping,
                Reading::Unusable(error) => {
                    let refusal = Refusal::new(error.status(), error.code(), error.to_string());
                    let item = body.batch.then_some(index);
                    receive.dead_letters.push(NewDeadLetter { item, reason: refusal.code, detail: refusal.message.clone() });
                    Item::Unusable(refusal)
                }
            });
        }
        let verdict = match items.pop() {
            Some(item) if !body.batch => Verdict::Single(item),
            last => {
                items.extend(last);
                Verdict::Batch(items)
            }
        };
        Prepared { receive, verdict, dropped_keys }
    }

    fn notification(&self, event: ReadEvent, received_at: Timestamp) -> (NewNotification, u64) {
        let ReadEvent { reference, mut vessel, mut event, mut rest, normalised, subject, delivery_key, fact_key } = event;
        // No key of it can fail to serialise.
        let mut normalised = serde_json::to_value(normalised).unwrap_or_default();
        let dropped = sanitize::value(&mut vessel).dropped
            + sanitize::value(&mut event).dropped
            + sanitize::value(&mut normalised).dropped
            + sanitize::object(&mut rest, &RESERVED_NAMES).dropped;
        let skip = || rules::skipped(&subject, &self.skip_vessel_types, self.provider, received_at);
        let skipped = reference.auto_screen.then(skip).flatten();
        let screen = (reference.auto_screen && skipped.is_none()).then_some(subject);
        let results = skipped.map_or(Value::Null, |results| {
            let mut results = results.to_value();
            sanitize::value(&mut results);
            results
        });
        let mut data = Map::with_capacity(6 + rest.len());
        data.insert("vessel".into(), vessel);
        data.insert("event".into(), event);
        data.insert("screening_results".into(), results);
        data.insert("received_at".into(), rfc3339(received_at).into());
        data.insert("auto_screen".into(), reference.auto_screen.into());
        data.insert("normalised".into(), normalised);
        data.extend(rest);
        let id = NotificationId::new();
        let clean_owner = reference.owner.as_deref().map(sanitize::text);
        let payload = message::notification(id, received_at, clean_owner.as_deref(), &Value::Object(data));
        let owner = reference.owner.map(Arc::from);
        (NewNotification { id, owner, delivery_key, fact_key, payload, screen }, dropped)
    }
}
