//! An HMAC-SHA256 over the body in one header: GitHub's `sha256=<hex>`, bare hex, or base64.

use actix_web::http::header::HeaderMap;
use data_encoding::{BASE64_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use ring::hmac::{HMAC_SHA256, Key, sign};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::{Cause, Delivery, one};
use crate::config::{self, SignatureEncoding};

/// The keys that are believed.
pub struct Hmac {
    header: String,
    encoding: SignatureEncoding,
    keys: Vec<Key>,
}

/// A signature that is not compared yet.
pub struct Claim([u8; 32]);

impl Hmac {
    pub(super) fn new(config: &config::Signature) -> Self {
        let keys = config.secrets.iter().map(|secret| Key::new(HMAC_SHA256, secret.expose().as_bytes())).collect();
        Self { header: config.header.clone(), encoding: config.encoding, keys }
    }

    pub(super) fn claim(&self, headers: &HeaderMap) -> Result<Claim, Cause> {
        let text = one(headers, &self.header)?;
        let text = text.strip_prefix("sha256=").unwrap_or(text);
        let bytes = match self.encoding {
            SignatureEncoding::Hex => HEXLOWER_PERMISSIVE.decode(text.as_bytes()),
            SignatureEncoding::Base64 => BASE64_NOPAD.decode(text.trim_end_matches('=').as_bytes()),
        };
        bytes.ok().and_then(|bytes| bytes.try_into().ok()).map(Claim).ok_or(Cause::Malformed)
    }

    /// Only the body is signed: the same bytes are the same delivery, whatever the other headers say. Else whoever has recorded a
    /// request could post it again under another delivery id.
    pub(super) fn prove(&self, Claim(given): &Claim, body: &[u8]) -> Result<Delivery, Cause> {
        let any = self.keys.iter().fold(Choice::from(0), |any, key| any | sign(key, body).as_ref().ct_eq(given.as_slice()));
        if bool::from(any) { Ok(Delivery::Id(HEXLOWER.encode(&Sha256::digest(body)))) } else { Err(Cause::Wrong) }
    }
}
