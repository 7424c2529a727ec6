//! The bytes of one entry on the wire: encoded once, shared by every session, the same when replayed.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::{entry::Entry, position::Position};

/// An entry ready for sockets. Cloning shares the bytes.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The entry's place; `bytes` carries it as `id:`.
    pub position: Position,
    /// The user it belongs to.
    pub owner: Option<Arc<str>>,
    /// `id: …\ndata: …\n\n`.
    pub bytes: Bytes,
}

impl Frame {
    /// Encodes an entry.
    pub fn of(entry: &Entry) -> Self {
        Self { position: entry.position, owner: entry.owner.clone(), bytes: encode(entry.position, &entry.payload) }
    }

    /// The same frame in an allocation of its own, so that one worker's reference count is not shared with others.
    pub fn copied(&self) -> Self {
        Self { bytes: Bytes::copy_from_slice(&self.bytes), ..self.clone() }
    }
}

/// An unnamed event with an id: browsers hand it to `onmessage`.
pub fn encode(position: Position, payload: &str) -> Bytes {
    let message = russe::Message { data: payload.into(), event: None, retry: None, id: Some(position.to_string().into()) };
    // The only error is a control character in the id, and a position is hexadecimal digits and dashes.
    russe::Event::Message(message).into_bytestring().map(|text| text.into_bytes()).unwrap_or_default()
}

/// The field that tells a client how long to wait before it comes back.
pub fn retry(after: Duration) -> Bytes {
    // Only a message can fail to encode.
    russe::Event::Retry(after).into_bytestring().map(|text| text.into_bytes()).unwrap_or_default()
}
