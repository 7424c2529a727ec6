//! The keys that tokens are checked with. Each has one algorithm, which follows from what kind of key it is and never from a token.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, errors::ErrorKind};
use serde::Deserialize;

use super::super::cache::{Cache, key};
use crate::config::{Auth, JwtAlgorithm};

/// A key.
pub struct Key {
    /// What tokens call it.
    pub id: Option<String>,
    /// The one algorithm that it is for.
    pub algorithm: JwtAlgorithm,
    /// The key itself.
    pub decoding: DecodingKey,
}

/// What a genuine token says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Claims {
    /// Whom it is for.
    pub sub: Arc<str>,
    /// When it ends, seconds since 1970.
    pub exp: f64,
    /// When it begins, likewise.
    #[serde(default)]
    pub nbf: Option<f64>,
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is no token, or none that we take.
    Malformed,
    /// No key has made its signature.
    Forged,
    /// It names a key that is not known, which may be a new one.
    UnknownKey,
    /// It is for another audience or from another issuer.
    NotForUs,
}

/// What tokens are held to, beside their signature.
#[derive(Debug, Clone)]
pub struct Rules {
    algorithms: Vec<JwtAlgorithm>,
    validation: Validation,
}

impl Rules {
    pub fn new(config: &Auth) -> Self {
        let mut validation = Validation::default();
        let mut required = vec!["sub"];
        if !config.jwt_audience.is_empty() {
            required.push("aud");
            validation.set_audience(&config.jwt_audience);
        }
        if !config.jwt_issuer.is_empty() {
            required.push("iss");
            validation.set_issuer(&config.jwt_issuer);
        }
        validation.set_required_spec_claims(&required);
        // Times are checked with the claims, each time anew. The library would also take no fraction of a second, because numbers
        // leave this program's JSON reader as they came.
        validation.validate_exp = false;
        Self { algorithms: config.jwt_algorithms.clone(), validation }
    }

    /// Whether keys of this algorithm may be used.
    pub fn allow(&self, algorithm: JwtAlgorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }
}

/// A set of keys, and the tokens that were found to be signed by one of them.
pub struct KeySet {
    keys: Vec<(Key, Validation)>,
    genuine: Cache<Claims>,
}

impl KeySet {
    /// Of keys that the rules allow; remembers so many tokens.
    pub fn new(keys: Vec<Key>, rules: &Rules, cache_size: usize) -> Self {
        let with_rules = |key: Key| {
            let validation = Validation { algorithms: vec![in_header(key.algorithm)], ..rules.validation.clone() };
            (key, validation)
        };
        Self { keys: keys.into_iter().map(with_rules).collect(), genuine: Cache::new(cache_size) }
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// What a token says, if it is genuine and for us. Whether it is good now is for the caller to see: its signature is checked
    /// once only, and time goes on.
    pub fn read(&self, token: &str) -> Result<Claims, Fault> {
        let known = key([token]);
        if let Some(claims) = self.genuine.get(&known) {
            return Ok(claims);
        }
        let claims = self.check(token)?;
        self.genuine.put(known, claims.clone());
        Ok(claims)
    }

    fn check(&self, token: &str) -> Result<Claims, Fault> {
        let header = decode_header(token).map_err(|_| Fault::Malformed)?;
        if header.crit.is_some() {
            // It demands to be refused by who does not understand an extension, and we know of none.
            return Err(Fault::Malformed);
        }
        let named = |key: &Key| header.kid.is_none() || key.id.is_none() || key.id == header.kid;
        let mut candidates = self.keys.iter().filter(|(key, _)| named(key)).peekable();
        if candidates.peek().is_none() {
            return Err(Fault::UnknownKey);
        }
        let mut fault = Fault::Forged;
        for (key, validation) in candidates.filter(|(key, _)| in_header(key.algorithm) == header.alg) {
            match decode::<Claims>(token, &key.decoding, validation) {
                Ok(token) => return Ok(token.claims),
                Err(error) => match error.kind() {
                    // Another key may have signed it.
                    ErrorKind::InvalidSignature => {}
                    ErrorKind::InvalidAudience | ErrorKind::InvalidIssuer => fault = Fault::NotForUs,
                    _ => fault = Fault::Malformed,
                },
            }
        }
        Err(fault)
    }
}

/// As it stands in the header of a token.
fn in_header(algorithm: JwtAlgorithm) -> Algorithm {
    match algorithm {
        JwtAlgorithm::Hs256 => Algorithm::HS256,
        JwtAlgorithm::Rs256 => Algorithm::RS256,
        JwtAlgorithm::Es256 => Algorithm::ES256,
        JwtAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}
