//! The domain, without I/O: what a notification is, where it stands in the log, and how it looks on the wire.
//!
//! Everything here is a plain function or type, so the rules that users rely on are tested without a server.

pub mod entry;
pub mod event_time;
pub mod frame;
pub mod identifier;
pub mod keys;
pub mod message;
pub mod position;
pub mod provider;
pub mod reference;
pub mod results;
pub mod subject;

/// The id of one notification: a real MongoDB ObjectId in every store, so that ids survive a change of store.
pub type NotificationId = mongodb::bson::oid::ObjectId;

/// A point in time, always UTC.
pub type Timestamp = chrono::DateTime<chrono::Utc>;

/// RFC 3339 in UTC with milliseconds and `Z`: the only form in which Lookout writes a time.
pub fn rfc3339(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
