//! Texts that must not be shown, and the keys that some of them hold.
//!
//! Keys are read while the configuration is, so that a mistyped one is a fault at the start and not a refusal of every webhook.

use std::fmt;

use data_encoding::BASE64_NOPAD;

/// A text that must not be shown: a password, a key, or a connection string with one in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// A key by which signatures of Standard Webhooks are checked.
#[derive(Clone, PartialEq, Eq)]
pub enum SigningKey {
    /// `whsec_`: known to both sides.
    Shared(Vec<u8>),
    /// `whpk_`: the public half of an Ed25519 key.
    Public([u8; 32]),
}

impl Secret {
    /// Keeps a text from being shown by accident.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for whoever connects with it or compares it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The key of Standard Webhooks that it is, or what is wrong with it, in words that hold nothing of it.
    pub fn signing_key(&self) -> Result<SigningKey, &'static str> {
        let decode = |text: &str| {
            let key = BASE64_NOPAD.decode(text.trim_end_matches('=').as_bytes());
            key.map_err(|_| "is not base64 behind its prefix")
        };
        if let Some(shared) = self.0.strip_prefix("whsec_") {
            let key = decode(shared)?;
            return if key.is_empty() { Err("has nothing behind its prefix") } else { Ok(SigningKey::Shared(key)) };
        }
        if let Some(public) = self.0.strip_prefix("whpk_") {
            return decode(public)?.try_into().map(SigningKey::Public).map_err(|_| "has not the 32 bytes of a public key");
        }
        if self.0.starts_with("whsk_") {
            return Err("is a private key, which belongs to the sender alone; give the public one, whpk_");
        }
        Err("begins with neither whsec_ nor whpk_")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
