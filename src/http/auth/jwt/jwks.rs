//! Keys as a JSON Web Key Set has them (RFC 7517). What cannot be used is passed over: a set is for many readers.

use jsonwebtoken::{
    DecodingKey, DecodingKeyKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

use super::keys::Key;
use crate::config::JwtAlgorithm;

/// A token without a `kid` is tried with each key, so there must not be very many.
const MOST: usize = 32;

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// The keys of a set that can be used. A set that anybody can fetch holds no secrets.
pub fn keys_in(content: &[u8], is_public: bool) -> Result<Vec<Key>, &'static str> {
    let set: Set = serde_json::from_slice(content).map_err(|_| "it is no JSON Web Key Set")?;
    if set.keys.len() > MOST {
        return Err("it holds more than 32 keys");
    }
    let keys = set.keys.into_iter().filter_map(|jwk| serde_json::from_value(jwk).ok());
    let usable = keys.filter_map(|jwk| usable(&jwk));
    Ok(usable.filter(|key| !(is_public && key.algorithm == JwtAlgorithm::Hs256)).collect())
}

fn usable(jwk: &Jwk) -> Option<Key> {
    let common = &jwk.common;
    let signs = common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature);
    let verifies = common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    if !(signs && verifies) {
        return None;
    }
    let decoding = DecodingKey::from_jwk(jwk).ok()?;
    let bytes = match decoding.kind() {
        DecodingKeyKind::SecretOrDer(key) => key.len(),
        DecodingKeyKind::RsaModulusExponent { n, .. } => n.iter().skip_while(|byte| **byte == 0).count(),
    };
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) if bytes >= 256 => (JwtAlgorithm::Rs256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 && bytes == 65 => {
            (JwtAlgorithm::Es256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(ed) if ed.curve == EllipticCurve::Ed25519 && bytes == 32 => {
            (JwtAlgorithm::EdDsa, KeyAlgorithm::EdDSA)
        }
        AlgorithmParameters::OctetKey(_) if bytes >= 32 => (JwtAlgorithm::Hs256, KeyAlgorithm::HS256),
        _ => return None,
    };
    let fits = common.key_algorithm.is_none_or(|wanted| wanted == named);
    fits.then(|| Key { id: common.key_id.clone(), algorithm, decoding })
}
