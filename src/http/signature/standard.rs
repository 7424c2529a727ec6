//! The Standard Webhooks specification: `v1`, an HMAC-SHA256, and `v1a`, Ed25519, over `id.timestamp.body`.
//!
//! Its headers are `webhook-id`, `webhook-timestamp` and `webhook-signature`, or those of Svix, from which it comes.

use actix_web::http::header::HeaderMap;
use data_encoding::BASE64_NOPAD;
use ring::{
    hmac::{Context, HMAC_SHA256, Key},
    signature::{ED25519, UnparsedPublicKey},
};
use subtle::{Choice, ConstantTimeEq};

use super::{Cause, Delivery, one};
use crate::config::{self, SigningKey};

/// Signatures in one header that are looked at: a sender that rotates has two, and each costs a check with each key.
const MOST_SIGNATURES: usize = 16;

/// The keys that are believed.
pub struct Standard {
    shared: Vec<Key>,
    public: Vec<UnparsedPublicKey<[u8; 32]>>,
    tolerance: u64,
}

/// Signatures that are not compared yet.
pub struct Claim {
    id: String,
    timestamp: String,
    shared: Vec<[u8; 32]>,
    public: Vec<[u8; 64]>,
}

impl Standard {
    /// A secret that is no key is a fault of the configuration, and believed by nobody.
    pub(super) fn new(config: &config::Signature) -> Self {
        let (mut shared, mut public) = (Vec::new(), Vec::new());
        for secret in &config.secrets {
            match secret.signing_key() {
                Ok(SigningKey::Shared(key)) => shared.push(Key::new(HMAC_SHA256, &key)),
                Ok(SigningKey::Public(key)) => public.push(UnparsedPublicKey::new(&ED25519, key)),
                Err(_) => {}
            }
        }
        Self { shared, public, tolerance: config.tolerance.as_secs() }
    }

    pub(super) fn claim(&self, headers: &HeaderMap, now: u64) -> Result<Claim, Cause> {
        let prefix = if headers.contains_key("webhook-signature") { "webhook" } else { "svix" };
        let header = |name: &str| one(headers, &format!("{prefix}-{name}"));
        let (id, timestamp, signatures) = (header("id")?, header("timestamp")?, header("signature")?);
        if id.is_empty() || timestamp.is_empty() || !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Cause::Malformed);
        }
        let at: u64 = timestamp.parse().map_err(|_| Cause::Malformed)?;
        if now.abs_diff(at) > self.tolerance {
            return Err(Cause::Stale);
        }
        let mut claim = Claim { id: id.into(), timestamp: timestamp.into(), shared: Vec::new(), public: Vec::new() };
        let mut signatures = signatures.split_ascii_whitespace();
        for signature in signatures.by_ref().take(MOST_SIGNATURES) {
            // What another version of the specification would add is passed over.
            match signature.split_once(',') {
                Some(("v1", text)) if !self.shared.is_empty() => claim.shared.extend(decode::<32>(text)),
                Some(("v1a", text)) if !self.public.is_empty() => claim.public.extend(decode::<64>(text)),
                _ => {}
            }
        }
        let too_many = signatures.next().is_some();
        if too_many || (claim.shared.is_empty() && claim.public.is_empty()) { Err(Cause::Malformed) } else { Ok(claim) }
    }

    pub(super) fn prove(&self, claim: Claim, body: &[u8]) -> Result<Delivery, Cause> {
        let signed = [claim.id.as_bytes(), b".", claim.timestamp.as_bytes(), b".", body];
        let is_shared = !claim.shared.is_empty()
            && self.shared.iter().fold(Choice::from(0), |any, key| any | is_any_of(&claim.shared, key, &signed)).into();
        let is_signed = is_shared || (!claim.public.is_empty() && self.is_signed(&claim.public, &signed.concat()));
        if is_signed { Ok(Delivery::Id(claim.id)) } else { Err(Cause::Wrong) }
    }

    /// Nothing of a public key is secret, so this one may end early.
    fn is_signed(&self, signatures: &[[u8; 64]], message: &[u8]) -> bool {
        self.public.iter().any(|key| signatures.iter().any(|signature| key.verify(message, signature).is_ok()))
    }
}

/// Whether this key makes one of these signatures.
fn is_any_of(signatures: &[[u8; 32]], key: &Key, signed: &[&[u8]]) -> Choice {
    let mut context = Context::with_key(key);
    signed.iter().for_each(|part| context.update(part));
    let tag = context.sign();
    signatures.iter().fold(Choice::from(0), |any, signature| any | tag.as_ref().ct_eq(signature.as_slice()))
}

/// The bytes of a signature; none where they are not so many.
fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok()?.try_into().ok()
}
