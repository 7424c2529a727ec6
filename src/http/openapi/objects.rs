//! The objects of the webhook, the stream and the history, as programs meet them.
//!
//! Payloads are written once and passed on as text, so nothing else in the code has their whole shape.

#![expect(dead_code, missing_docs, reason = "describes what is written elsewhere")]

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

use crate::notification::{message::EndReason, results::ScreeningResults};

/// RFC 3339, UTC.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?Z$")]
pub struct Time(String);

/// A place in the log, opaque to clients.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^[0-9a-f]{8}-[0-9]+-[0-9a-f]{8}$")]
pub struct Position(String);

/// The id of a notification.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^[0-9a-f]{24}$")]
pub struct Id(String);

/// What is posted.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum Body {
    Event(Event),
    Events(Vec<Event>),
    Data {
        data: Vec<Event>,
        #[schema(additional_properties)]
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    },
}

/// One event. Providers' own shapes are read too: nested, flat, camelCase, upper-case, CloudEvents.
#[derive(ToSchema)]
pub struct Event {
    /// `<user id>|<auto_screen>`: whose it is, and whether the vessel is screened (`true`).
    #[schema(nullable = false)]
    custom_reference: Option<String>,
    vessel: SentVessel,
    event: SentEvent,
    #[schema(additional_properties)]
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// The vessel. `mmsi`, `name`, `call_sign`, `flag`, `type` and whatever else is known stand beside the number, which may be missing.
#[derive(ToSchema)]
pub struct SentVessel {
    /// The IMO number.
    #[schema(pattern = "^[0-9]{7}$")]
    imo: String,
    #[schema(additional_properties)]
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// What happened. `id`, `timestamp`, the zone and whatever else is known stand beside the type.
#[derive(ToSchema)]
pub struct SentEvent {
    /// `zone_entry`, `ZONE_EXIT`, `port.arrival`, …
    #[schema(min_length = 1)]
    r#type: String,
    #[schema(additional_properties)]
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// A page of history.
#[derive(ToSchema)]
pub struct HistoryPage {
    #[schema(pattern = "^success$")]
    status: String,
    /// How many notifications this page holds.
    #[schema(maximum = 1000)]
    count: usize,
    notifications: Vec<Notification>,
    /// The cursor of the next page; null where there is none.
    #[schema(required)]
    next: Option<Position>,
}

/// A notification of the history: the stream's own object, and its position.
#[derive(ToSchema)]
pub struct Notification {
    #[schema(pattern = "^zone_port_notification$")]
    r#type: String,
    notification_id: Id,
    timestamp: Time,
    /// The user named in `custom_reference`.
    #[schema(required)]
    user_id: Option<String>,
    data: Data,
    position: Position,
}

/// What a notification carries. Whatever else the provider sent is beside it, under its own name.
#[derive(ToSchema)]
pub struct Data {
    /// As sent, lifted from where the provider put it; `imo`, `mmsi`, `name`, `call_sign`, `flag`, `type` under these names.
    vessel: Value,
    /// As sent, but for `type` in normal form; the provider's own word is in `provider_type`.
    event: Value,
    /// Null where screening was not asked for.
    #[schema(required)]
    screening_results: Option<ScreeningResults>,
    received_at: Time,
    auto_screen: bool,
    normalised: Normalised,
    #[schema(additional_properties)]
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// Each in normal form, or null where unknown or impossible.
#[derive(ToSchema)]
pub struct Normalised {
    #[schema(required, pattern = "^[0-9]{7}$")]
    imo: Option<String>,
    #[schema(required, pattern = "^[0-9]{9}$")]
    mmsi: Option<String>,
    #[schema(required, pattern = "^[0-9A-Z]+$")]
    call_sign: Option<String>,
    #[schema(required)]
    event_time: Option<Time>,
    /// Degrees north.
    #[schema(required, minimum = -90, maximum = 90)]
    latitude: Option<f64>,
    /// Degrees east.
    #[schema(required, minimum = -180, maximum = 180)]
    longitude: Option<f64>,
}

/// One event of the stream.
#[derive(ToSchema)]
pub struct StreamEvent {
    /// Where this reader stands now: what it gives back as `Last-Event-ID`.
    #[schema(nullable = false)]
    id: Option<Position>,
    /// Events have no name, which is this one.
    #[schema(nullable = false, pattern = "^message$")]
    event: Option<String>,
    /// A `Message` as JSON.
    #[schema(content_media_type = "application/json")]
    data: String,
}

/// What one `data:` of the stream holds.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum Message {
    ConnectionEstablished {
        #[schema(pattern = "^connection_established$")]
        r#type: String,
        user_id: String,
        timestamp: Time,
        message: String,
    },
    Heartbeat {
        #[schema(pattern = "^heartbeat$")]
        r#type: String,
        timestamp: Time,
    },
    ZonePortNotification {
        #[schema(pattern = "^zone_port_notification$")]
        r#type: String,
        notification_id: Id,
        timestamp: Time,
        #[schema(required)]
        user_id: Option<String>,
        data: Box<Data>,
    },
    ScreeningUpdate {
        #[schema(pattern = "^screening_update$")]
        r#type: String,
        notification_id: Id,
        timestamp: Time,
        #[schema(required)]
        user_id: Option<String>,
        data: UpdateData,
    },
    ReplayGap {
        #[schema(pattern = "^replay_gap$")]
        r#type: String,
        timestamp: Time,
        #[schema(pattern = "^(unknown_id|pruned|other_epoch)$")]
        reason: String,
        #[schema(required)]
        oldest: Option<Position>,
    },
    SessionEnded {
        #[schema(pattern = "^session_ended$")]
        r#type: String,
        timestamp: Time,
        reason: EndReason,
    },
    CaughtUp {
        #[schema(pattern = "^caught_up$")]
        r#type: String,
        timestamp: Time,
        replayed: u64,
    },
}

/// What a `screening_update` carries.
#[derive(ToSchema)]
pub struct UpdateData {
    screening_results: ScreeningResults,
}
