//! The JSON objects of the stream, each with its fields in the order that the specification fixes.

use serde::Serialize;
use serde_json::Value;

use super::{NotificationId, Timestamp, position::GapReason, results::ScreeningResults, rfc3339};

/// A message of the stream. `timestamp` is when it was made.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message<'a> {
    /// First on every stream. `user_id` must be clean text.
    ConnectionEstablished {
        /// Who the stream is for.
        user_id: &'a str,
        /// RFC 3339.
        timestamp: String,
        /// Fixed text.
        message: &'static str,
    },
    /// Sent each `stream.heartbeat_interval`.
    Heartbeat {
        /// RFC 3339.
        timestamp: String,
    },
    /// The notification. `user_id` and `data` must be clean.
    ZonePortNotification {
        /// 24 hex digits.
        notification_id: String,
        /// RFC 3339.
        timestamp: String,
        /// The owner.
        user_id: Option<&'a str>,
        /// What happened.
        data: &'a Value,
    },
    /// A result that came after its notification.
    ScreeningUpdate {
        /// 24 hex digits.
        notification_id: String,
        /// RFC 3339.
        timestamp: String,
        /// The owner, as clean as it stands in the notification.
        user_id: Option<&'a str>,
        /// The result.
        data: UpdateData<'a>,
    },
    /// The last id could not be honoured; what is still there follows.
    ReplayGap {
        /// RFC 3339.
        timestamp: String,
        /// Why.
        reason: GapReason,
        /// The oldest position that is still there; null when the log is empty.
        oldest: Option<String>,
    },
    /// Last on a stream that ends for a reason of its client's: the same request would be refused now.
    SessionEnded {
        /// RFC 3339.
        timestamp: String,
        /// Why.
        reason: EndReason,
    },
    /// The replay has ended; what follows is live.
    CaughtUp {
        /// RFC 3339.
        timestamp: String,
        /// How many entries were sent again.
        replayed: u64,
    },
}

/// Why a client's stream was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The token that opened it is no longer good.
    TokenExpired,
    /// Its user was removed.
    UserRemoved,
}

impl EndReason {
    /// As it is sent and counted.
    pub fn label(self) -> &'static str {
        match self {
            Self::TokenExpired => "token_expired",
            Self::UserRemoved => "user_removed",
        }
    }
}

/// What a `screening_update` carries.
#[derive(Debug, Serialize)]
pub struct UpdateData<'a> {
    /// The result, clean.
    pub screening_results: &'a Value,
}

impl Message<'_> {
    /// The `data:` line. No value in here can fail to serialise: every map has string keys.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The payload of a notification, ready for the log.
pub fn notification(id: NotificationId, at: Timestamp, clean_owner: Option<&str>, data: &Value) -> String {
    Message::ZonePortNotification { notification_id: id.to_hex(), timestamp: rfc3339(at), user_id: clean_owner, data }.to_json()
}

/// The stored payload of a notification with another `screening_results`, and another `timestamp` where one is given.
pub fn with_results(payload: &str, results: &Value, at: Option<Timestamp>) -> Result<String, serde_json::Error> {
    let mut message: Value = serde_json::from_str(payload)?;
    if let Some(data) = message.get_mut("data").and_then(Value::as_object_mut) {
        data.insert("screening_results".into(), results.clone());
    }
    if let (Some(at), Some(object)) = (at, message.as_object_mut()) {
        object.insert("timestamp".into(), rfc3339(at).into());
    }
    serde_json::to_string(&message)
}

/// The `screening_results` in a payload of either kind; null where it has none.
pub fn results_of(payload: &str) -> Result<Value, serde_json::Error> {
    let mut message: Value = serde_json::from_str(payload)?;
    Ok(message.pointer_mut("/data/screening_results").map(Value::take).unwrap_or_default())
}

/// The payload of a notification with the results of its update. None where one of them cannot be read: it is shown as it was
/// streamed then, since one damaged row must not hide a page.
pub fn with_results_of(payload: &str, update: &str) -> Option<String> {
    with_results(payload, &results_of(update).ok()?, None).ok()
}

/// The payload of the update that follows the notification with this payload.
pub fn update(id: NotificationId, at: Timestamp, notification: &str, results: &Value) -> Result<String, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct Owner {
        user_id: Option<String>,
    }
    let owner: Owner = serde_json::from_str(notification)?;
    Ok(Message::ScreeningUpdate {
        notification_id: id.to_hex(),
        timestamp: rfc3339(at),
        user_id: owner.user_id.as_deref(),
        data: UpdateData { screening_results: results },
    }
    .to_json())
}

impl ScreeningResults {
    /// As JSON, to be cleaned and put into a payload.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }
}
