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
    /// The frame as one chunk of an HTTP/1.1 body.
    pub chunk: Bytes,
    /// `id: …\ndata: …\n\n`: the content of the chunk, in the same allocation.
    pub bytes: Bytes,
}

impl Frame {
    /// Encodes an entry.
    pub fn of(entry: &Entry) -> Self {
        let bytes = encode(entry.position, &entry.payload);
        let chunk = [format!("{:X}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat();
        Self::framed(entry.position, entry.owner.clone(), chunk.into(), bytes.len())
    }

    /// The same frame in an allocation of its own, so that one worker's reference count is not shared with others.
    pub fn copied(&self) -> Self {
        Self::framed(self.position, self.owner.clone(), Bytes::copy_from_slice(&self.chunk), self.bytes.len())
    }

    fn framed(position: Position, owner: Option<Arc<str>>, chunk: Bytes, length: usize) -> Self {
        let end = chunk.len() - b"\r\n".len();
        Self { position, owner, bytes: chunk.slice(end - length..end), chunk }
    }
}

/// An unnamed event with an id: browsers hand it to `onmessage`.
pub fn encode(position: Position, payload: &str) -> Bytes {
    let message = russe::Message { data: payload.into(), event: None, retry: None, id: Some(position.to_string().into()) };
    // The only error is a control character in the id, and a position is hexadecimal digits and dashes.
    russe::Event::Message(message).into_bytestring().map(|text| text.into_bytes()).unwrap_or_default()
}

/// An unnamed event without an id, for what has no place in the log.
pub fn unplaced(payload: &str) -> Bytes {
    let message = russe::Message { data: payload.into(), event: None, retry: None, id: None };
    // Only an id or a name can fail to encode.
    russe::Event::Message(message).into_bytestring().map(|text| text.into_bytes()).unwrap_or_default()
}

/// The field that tells a client how long to wait before it comes back.
pub fn retry(after: Duration) -> Bytes {
    // Only a message can fail to encode.
    russe::Event::Retry(after).into_bytestring().map(|text| text.into_bytes()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::{
        NotificationId,
        entry::Kind,
        position::{Epoch, Tag},
    };

    #[test]
    fn a_frame_is_one_event_in_one_chunk_and_its_copy_is_the_same() {
        let position = Position { epoch: Epoch(1), n: 7, tag: Tag(9) };
        let (kind, notification_id) = (Kind::Notification, NotificationId::new());
        let frame = Frame::of(&Entry { position, kind, notification_id, owner: None, payload: r#"{"a":1}"#.into() });
        assert_eq!(frame.bytes, "id: 00000001-7-00000009\ndata: {\"a\":1}\n\n");
        assert_eq!(frame.chunk, format!("{:X}\r\n{}\r\n", frame.bytes.len(), std::str::from_utf8(&frame.bytes).unwrap()));
        let copy = frame.copied();
        assert_eq!((copy.bytes, copy.chunk), (frame.bytes, frame.chunk));
    }
}
