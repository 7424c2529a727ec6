//! The place of an entry in the log: what a reader gets as SSE `id:` and gives back as `Last-Event-ID`.
//!
//! A position names its log (epoch), its place (n) and its entry (tag). The tag is what makes a log that was restored
//! from a backup safe: the place may be taken again by another entry, the tag then differs and the id is unknown.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

/// Names one log; drawn at random when a store is created and kept for its whole life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(pub u32);

/// The first 32 bits of the SHA-256 of an entry's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(pub u32);

impl Tag {
    /// The tag of an entry with this payload.
    pub fn of(payload: &str) -> Self {
        let digest = Sha256::digest(payload.as_bytes());
        Self(u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]))
    }
}

/// A place in one log. Text form `<epoch>-<n>-<tag>`, opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// The log that this place is in.
    pub epoch: Epoch,
    /// 1 for the first entry ever committed, then dense; 0 is the place before it.
    pub n: u64,
    /// Recognises the entry at `n`.
    pub tag: Tag,
}

impl Position {
    /// The place before the first entry: a reader there has seen nothing.
    pub fn origin(epoch: Epoch) -> Self {
        Self { epoch, n: 0, tag: Tag(0) }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}-{:08x}", self.epoch.0, self.n, self.tag.0)
    }
}

/// The text is no position of any log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a position")]
pub struct NotAPosition;

impl FromStr for Position {
    type Err = NotAPosition;

    /// Accepts exactly what `Display` writes: any other spelling of the same numbers was never handed out.
    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        let mut parts = text.splitn(3, '-');
        let mut part = || parts.next().ok_or(NotAPosition);
        let (epoch, n, tag) = (part()?, part()?, part()?);
        let position = Self {
            epoch: Epoch(u32::from_str_radix(epoch, 16).map_err(|_| NotAPosition)?),
            n: n.parse().map_err(|_| NotAPosition)?,
            tag: Tag(u32::from_str_radix(tag, 16).map_err(|_| NotAPosition)?),
        };
        if position.to_string() == text { Ok(position) } else { Err(NotAPosition) }
    }
}

/// Why a reader's last id cannot be honoured; the `reason` of a `replay_gap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// No position, a position ahead of the log, or one whose entry is another.
    UnknownId,
    /// The entry was there and retention has removed it.
    Pruned,
    /// A position of another log.
    OtherEpoch,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_form_is_read_back(epoch: u32, n: u64, tag: u32) {
            let position = Position { epoch: Epoch(epoch), n, tag: Tag(tag) };
            prop_assert_eq!(position.to_string().parse(), Ok(position));
        }

        #[test]
        fn any_text_is_either_refused_or_exactly_what_is_written(text in ".{0,40}") {
            if let Ok(position) = text.parse::<Position>() {
                prop_assert_eq!(position.to_string(), text);
            }
        }
    }

    #[test]
    fn other_spellings_of_a_position_are_refused() {
        for text in
            ["", "-", "1-2-3", "0000000a-+1-0000000b", "0000000A-1-0000000b", "0000000a-01-0000000b", "0000000a-1-0000000b\n"]
        {
            assert_eq!(text.parse::<Position>(), Err(NotAPosition), "{text:?}");
        }
    }
}
