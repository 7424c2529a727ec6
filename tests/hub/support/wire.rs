//! The two framings of a stream, chunked transfer and SSE, read without mercy: what the server should not send is a failure.

use memchr::memmem::find;
use serde_json::Value;

/// One event with data, as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its `id:` line.
    pub id: Option<String>,
    /// Its one `data:` line.
    pub json: Value,
    /// All of its bytes, the blank line included.
    pub frame: String,
}

impl Message {
    /// The message's `type`.
    pub fn kind(&self) -> &str {
        self.json["type"].as_str().unwrap_or_else(|| panic!("no type in {}", self.frame))
    }

    /// Whether it is an entry of the log.
    pub fn is_entry(&self) -> bool {
        matches!(self.kind(), "zone_port_notification" | "screening_update")
    }

    /// The names of the message's fields, in order.
    pub fn fields(&self) -> Vec<&str> {
        self.json.as_object().expect("a message is an object").keys().map(String::as_str).collect()
    }
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With the final chunk.
    Clean,
    /// Without it: the connection was closed or reset.
    Cut,
}

/// Chunked transfer coding, fed piece by piece.
#[derive(Debug, Default)]
pub struct Chunks {
    waiting: Vec<u8>,
    /// Whether the final chunk has come.
    pub ended: bool,
}

impl Chunks {
    /// Takes in bytes from the socket; gives back the content of the chunks that are complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        assert!(!self.ended || bytes.is_empty(), "bytes behind the final chunk: {:?}", String::from_utf8_lossy(bytes));
        self.waiting.extend_from_slice(bytes);
        let (mut content, mut at) = (Vec::new(), 0);
        while let Some(line_end) = find(&self.waiting[at..], b"\r\n") {
            let size = std::str::from_utf8(&self.waiting[at..at + line_end]).ok();
            let size = size.and_then(|text| usize::from_str_radix(text, 16).ok()).expect("a chunk begins with its size");
            let start = at + line_end + 2;
            let Some(end) = self.waiting.get(start + size..start + size + 2) else { break };
            assert_eq!(end, b"\r\n", "a chunk ends where its size says");
            content.extend_from_slice(&self.waiting[start..start + size]);
            at = start + size + 2;
            if size == 0 {
                self.ended = true;
                assert_eq!(at, self.waiting.len(), "bytes behind the final chunk");
                break;
            }
        }
        self.waiting.drain(..at);
        content
    }
}

/// An SSE stream, fed piece by piece.
#[derive(Debug, Default)]
pub struct Events {
    waiting: Vec<u8>,
    /// Every `retry:` that came, milliseconds.
    pub retries: Vec<u64>,
}

impl Events {
    /// Takes in content; gives back the messages that are complete.
    pub fn feed(&mut self, content: &[u8]) -> Vec<Message> {
        // A blank line may span two pieces, so the search starts one byte before the new one.
        let mut from = self.waiting.len().saturating_sub(1);
        self.waiting.extend_from_slice(content);
        let (mut messages, mut at) = (Vec::new(), 0);
        while let Some(found) = find(&self.waiting[from..], b"\n\n") {
            let end = from + found + 2;
            let frame = std::str::from_utf8(&self.waiting[at..end]).expect("a stream is UTF-8").to_owned();
            messages.extend(self.read(frame));
            (at, from) = (end, end);
        }
        self.waiting.drain(..at);
        messages
    }

    fn read(&mut self, frame: String) -> Option<Message> {
        assert!(!frame.contains(['\r', '\0']), "a carriage return or NUL in {frame:?}");
        let (mut id, mut json) = (None, None);
        for line in frame.trim_end_matches('\n').split('\n') {
            let (field, value) = line.split_once(": ").unwrap_or_else(|| panic!("no field in {line:?} of {frame:?}"));
            match field {
                "id" => assert_eq!(id.replace(value.to_owned()), None, "two ids in {frame:?}"),
                "data" => {
                    let value = serde_json::from_str(value).unwrap_or_else(|error| panic!("{error} in {frame:?}"));
                    assert_eq!(json.replace(value), None, "two data lines in {frame:?}");
                }
                "retry" => self.retries.push(value.parse().expect("retry is in milliseconds")),
                _ => panic!("a field {field:?} in {frame:?}"),
            }
        }
        assert!(id.is_none() || json.is_some(), "an id without a message in {frame:?}");
        json.map(|json| Message { id, json, frame })
    }
}
