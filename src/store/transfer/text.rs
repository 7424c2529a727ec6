//! How ids, keys and bytes stand in an export: as text that is the same wherever it is written.
//!
//! A JSON number would do for some, but not in every program that people look at such a file with.

use std::fmt::Display;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::{
    notification::{
        NotificationId, Timestamp,
        position::{Epoch, Position, Tag},
    },
    store::Key,
};

/// What is written as text.
pub(super) trait Text: Sized {
    /// What it is called where something else stands in its place.
    const WHAT: &'static str;

    fn write(&self) -> String;

    /// None where the text says something else.
    fn read(text: &str) -> Option<Self>;
}

impl Text for NotificationId {
    const WHAT: &'static str = "an id of 24 hex digits";

    fn write(&self) -> String {
        self.to_hex()
    }

    fn read(text: &str) -> Option<Self> {
        Self::parse_str(text).ok()
    }
}

impl Text for Epoch {
    const WHAT: &'static str = "an epoch of 8 hex digits";

    fn write(&self) -> String {
        format!("{:08x}", self.0)
    }

    fn read(text: &str) -> Option<Self> {
        number(text).map(Self)
    }
}

impl Text for Tag {
    const WHAT: &'static str = "a tag of 8 hex digits";

    fn write(&self) -> String {
        format!("{:08x}", self.0)
    }

    fn read(text: &str) -> Option<Self> {
        number(text).map(Self)
    }
}

impl Text for Position {
    const WHAT: &'static str = "a position";

    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// A key, or what else is a SHA-256.
impl Text for Key {
    const WHAT: &'static str = "a SHA-256 of 64 hex digits";

    fn write(&self) -> String {
        self.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut key = [0; 32];
        for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(key)
    }
}

impl Text for Bytes {
    const WHAT: &'static str = "bytes in base64";

    fn write(&self) -> String {
        BASE64_STANDARD.encode(self)
    }

    fn read(text: &str) -> Option<Self> {
        BASE64_STANDARD.decode(text).ok().map(Self::from)
    }
}

fn number(text: &str) -> Option<u32> {
    let is_whole = text.len() == 8 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    if is_whole { u32::from_str_radix(text, 16).ok() } else { None }
}

fn read<T: Text, E: Error>(text: &str) -> Result<T, E> {
    T::read(text).ok_or_else(|| not(T::WHAT))
}

fn not<E: Error>(what: impl Display) -> E {
    E::custom(format_args!("it is not {what}"))
}

pub(super) fn serialize<T: Text, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.write())
}

pub(super) fn deserialize<'de, T: Text, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    read(&String::deserialize(deserializer)?)
}

/// The same, or null.
pub(super) mod option {
    use super::*;

    pub fn serialize<T: Text, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_ref().map(Text::write).serialize(serializer)
    }

    pub fn deserialize<'de, T: Text, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
        Option::<String>::deserialize(deserializer)?.map(|text| read(&text)).transpose()
    }
}

/// An array of them.
pub(super) mod list {
    use super::*;

    pub fn serialize<T: Text, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(Text::write))
    }

    pub fn deserialize<'de, T: Text, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        Vec::<String>::deserialize(deserializer)?.iter().map(|text| read(text)).collect()
    }
}

/// A time, as milliseconds since 1970.
pub(super) mod millis {
    use super::*;

    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.timestamp_millis())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        Timestamp::from_timestamp_millis(i64::deserialize(deserializer)?).ok_or_else(|| not("a time in milliseconds"))
    }
}
