//! Reading a webhook body: from bytes in any known provider's shape to events in ours.
//!
//! Providers cannot be asked to change and their bodies cannot be asked for again, so everything that can be understood is,
//! and what cannot be is refused with a sentence that an operator can act on.

mod document;
mod event_id;
mod event_type;
#[cfg(test)]
mod fact_tests;
mod fields;
mod item;
mod lift;
#[cfg(test)]
mod payload_tests;
mod place;
#[cfg(test)]
mod property_tests;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Timestamp, keys::Key, reference::CustomReference, subject::Subject};

/// Names that a body cannot set at the top of a notification; `vessel` and `event` are set from what was lifted.
pub const RESERVED_NAMES: [&str; 9] =
    ["_id", "notification_id", "user_id", "auto_screen", "received_at", "screening_results", "vessel", "event", "normalised"];

/// How much a body may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Items of a batch: `ingest.max_batch`.
    pub max_batch: usize,
    /// Objects and arrays inside each other: `ingest.max_depth`. The parser itself gives up at 128.
    pub max_depth: usize,
    /// Values, objects and arrays included: `ingest.max_nodes`.
    pub max_nodes: usize,
}

/// What the headers of a delivery say about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryHeaders {
    /// `webhook-id` or `X-Delivery-ID`, or the source and id of a CloudEvent in binary mode.
    pub delivery_id: Option<String>,
}

/// A body that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// Whether it was a batch, and is to be answered like one.
    pub batch: bool,
    /// One for each item, in order; exactly one where it was no batch.
    pub items: Vec<Reading>,
}

/// What one item is.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// An event.
    Event(Box<ReadEvent>),
    /// A provider's test of the webhook: neither vessel nor event, and a type that is `ping` or ends in `test`.
    Ping,
    /// Neither.
    Unusable(ItemError),
}

/// An event in our shape. `vessel`, `event` and `rest` share nothing and hold values as they were sent; only `event.type` is in
/// normal form.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadEvent {
    /// Whose it is.
    pub reference: CustomReference,
    /// The vessel; an empty object where none was named.
    pub vessel: Value,
    /// The event; an empty object where only a vessel was named.
    pub event: Value,
    /// Every other field under its own name, in the order of the body, without [`RESERVED_NAMES`].
    pub rest: Map<String, Value>,
    /// The facts in normal form.
    pub normalised: Normalised,
    /// Whom to screen.
    pub subject: Subject,
    /// Recognises the same item of the same delivery; none without a delivery id.
    pub delivery_key: Option<Key>,
    /// Recognises the same event in any delivery; none where too little is known.
    pub fact_key: Option<Key>,
}

/// The facts of an event in normal form; none where not known or impossible.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Normalised {
    /// A valid IMO ship number, seven digits.
    pub imo: Option<String>,
    /// A ship's MMSI, nine digits.
    pub mmsi: Option<String>,
    /// Upper case, letters and digits only.
    pub call_sign: Option<String>,
    /// RFC 3339. When the event was received, where the provider gave no time at all; none where it gave one that cannot be
    /// read, null included: it knew of the field and did not know the time.
    pub event_time: Option<String>,
    /// Degrees north.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
}

/// Why a whole body cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Nothing but blanks.
    #[error("the body is empty")]
    Empty,
    /// JSON is UTF-8.
    #[error("the body is not UTF-8 from byte {valid_up_to} on")]
    BadUtf8 {
        /// How many bytes are.
        valid_up_to: usize,
    },
    /// The parser's own words; they say where, and nothing of what the body holds.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// More levels than [`BodyLimits::max_depth`].
    #[error("the body has more than {max_depth} objects and arrays inside each other (ingest.max_depth)")]
    TooDeep {
        /// The limit.
        max_depth: usize,
    },
    /// More values than [`BodyLimits::max_nodes`].
    #[error("the body has more than {max_nodes} values (ingest.max_nodes)")]
    TooManyNodes {
        /// The limit.
        max_nodes: usize,
    },
    /// A number such as `1e999`.
    #[error("the number in `{field}` is beyond a double")]
    NumberOutOfRange {
        /// The innermost field that holds it, cut short.
        field: String,
    },
    /// A text, a number, true, false or null.
    #[error("the body is neither an object nor an array of objects")]
    NotAnObject,
    /// More items than [`BodyLimits::max_batch`].
    #[error("the batch has {items} items, the limit is {max_batch} (ingest.max_batch); send it in parts")]
    BatchTooLarge {
        /// How many there are.
        items: usize,
        /// The limit.
        max_batch: usize,
    },
}

impl BodyError {
    /// `error` in the answer, and the reason of the dead letter.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty_body",
            Self::BadUtf8 { .. } => "invalid_encoding",
            Self::NotJson(_) => "not_json",
            Self::TooDeep { .. } => "too_deep",
            Self::TooManyNodes { .. } => "too_many_nodes",
            Self::NumberOutOfRange { .. } => "number_out_of_range",
            Self::NotAnObject => "not_an_object",
            Self::BatchTooLarge { .. } => "batch_too_large",
        }
    }

    /// The HTTP status of the answer. Every 400 is a dead letter; a 413 can be sent again in parts.
    pub fn status(&self) -> u16 {
        match self {
            Self::BatchTooLarge { .. } => 413,
            _ => 400,
        }
    }
}

/// Why one item cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// A text, a number, an array, true, false or null.
    #[error("the item is not an object")]
    NotAnObject,
    /// Nothing that happened to anybody.
    #[error("the item has neither a `vessel` nor an `event`")]
    NoVesselNoEvent,
}

impl ItemError {
    /// `error` in the answer, and the reason of the dead letter.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAnObject => "not_an_object",
            Self::NoVesselNoEvent => "no_vessel_no_event",
        }
    }

    /// The HTTP status of the answer where no item could be used.
    pub fn status(&self) -> u16 {
        400
    }
}

/// Reads a body of one event, an array of events, or an object that wraps such an array in `data`.
pub fn read_body(
    bytes: &[u8],
    headers: &DeliveryHeaders,
    limits: &BodyLimits,
    received_at: Timestamp,
) -> Result<Body, BodyError> {
    let read = |index, item, envelope: &Map<String, Value>| item::read(item, index, envelope, headers, received_at);
    match document::items(document::parse(bytes, limits)?)? {
        document::Items::One(item) => Ok(Body { batch: false, items: vec![read(0, item, &Map::new())] }),
        document::Items::Batch { items, .. } if items.len() > limits.max_batch => {
            Err(BodyError::BatchTooLarge { items: items.len(), max_batch: limits.max_batch })
        }
        document::Items::Batch { items, envelope } => {
            let items = items.into_iter().enumerate().map(|(index, item)| read(index, item, &envelope)).collect();
            Ok(Body { batch: true, items })
        }
    }
}
