//! What a screening's result makes of a stored notification, in every store alike.
//!
//! Nothing may wait for ever on a payload that damage made unreadable: that one goes out as it is.

use serde_json::Value;

use crate::notification::{NotificationId, Timestamp, message};

/// The payload with which a notification is released, and whether it holds the results: not where it cannot be read.
pub(super) fn release(id: NotificationId, payload: &str, at: Timestamp, results: &Value) -> (String, bool) {
    match message::with_results(payload, results, Some(at)) {
        Ok(payload) => (payload, true),
        Err(error) => {
            log::error!(target: "notifications", "event=released_as_it_is notification={id} error={:?}", error.to_string());
            (payload.to_owned(), false)
        }
    }
}

/// The payload of the update that follows the notification with this payload. None where not even its owner can be read: a
/// screening that stayed open for that would be tried for ever.
pub(super) fn update(id: NotificationId, payload: &str, at: Timestamp, results: &Value) -> Option<String> {
    message::update(id, at, payload, results)
        .inspect_err(|error| {
            log::error!(target: "notifications", "event=update_lost notification={id} error={:?}", error.to_string());
        })
        .ok()
}
