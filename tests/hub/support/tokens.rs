//! Tokens as an issuer makes them, and as no honest issuer would: signed by hand, so that every part can be wrong.

use base64::{Engine, prelude::*};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::{Value, json};

/// Two RSA keys; ring makes none.
const RSA: [&str; 2] = [include_str!("../../keys/rsa.pem"), include_str!("../../keys/rsa_other.pem")];

/// What stands before a public key in its DER form.
const RSA_INFO: &[u8] = b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00";
const P256_INFO: &[u8] =
    b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
const ED25519_INFO: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// What an issuer signs with.
pub enum TokenKey {
    /// A secret.
    Hs256(Vec<u8>),
    /// One of two RSA keys.
    Rs256(Box<RsaKeyPair>),
    /// A new key on P-256.
    Es256(Box<EcdsaKeyPair>),
    /// A new Ed25519 key.
    EdDsa(Box<Ed25519KeyPair>),
}

impl TokenKey {
    /// This secret.
    pub fn hs256(secret: impl Into<Vec<u8>>) -> Self {
        Self::Hs256(secret.into())
    }

    /// The first or second RSA key.
    pub fn rs256(number: usize) -> Self {
        let base64: String =
            RSA[number].lines().skip_while(|line| !line.starts_with('-')).filter(|line| !line.starts_with('-')).collect();
        let der = BASE64_STANDARD.decode(base64).expect("base64");
        Self::Rs256(Box::new(RsaKeyPair::from_pkcs8(&der).expect("an RSA key")))
    }

    /// A new key on P-256.
    pub fn es256() -> Self {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        Self::Es256(Box::new(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &random).expect("a key")))
    }

    /// A new Ed25519 key.
    pub fn ed_dsa() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        Self::EdDsa(Box::new(Ed25519KeyPair::from_pkcs8(key.as_ref()).expect("a key")))
    }

    /// One of each kind.
    pub fn of_each_kind() -> [Self; 4] {
        [Self::hs256(*b"a secret that is thirty-two bytes"), Self::rs256(0), Self::es256(), Self::ed_dsa()]
    }

    /// Its name in headers and in the configuration.
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Hs256(_) => "HS256",
            Self::Rs256(_) => "RS256",
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    /// What verifies, as the standards have it: the secret, or the bytes of the public key.
    pub fn public(&self) -> Vec<u8> {
        match self {
            Self::Hs256(secret) => secret.clone(),
            Self::Rs256(key) => key.public().as_ref().to_vec(),
            Self::Es256(key) => key.public_key().as_ref().to_vec(),
            Self::EdDsa(key) => key.public_key().as_ref().to_vec(),
        }
    }

    /// The public key in DER form.
    pub fn der(&self) -> Vec<u8> {
        let info = match self {
            Self::Hs256(_) => panic!("a secret has no public form"),
            // A bit string begins with the number of bits that are left over.
            Self::Rs256(_) => RSA_INFO,
            Self::Es256(_) => P256_INFO,
            Self::EdDsa(_) => ED25519_INFO,
        };
        [info, &self.public()].concat()
    }

    /// The content of a key file.
    pub fn file(&self) -> Vec<u8> {
        if let Self::Hs256(secret) = self {
            return secret.clone();
        }
        let base64 = BASE64_STANDARD.encode(self.der());
        let lines: Vec<_> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("text")).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n")).into_bytes()
    }

    /// The key as a member of a key set.
    pub fn jwk(&self, kid: &str) -> Value {
        let public = self.public();
        let mut jwk = match self {
            Self::Hs256(_) => json!({ "kty": "oct", "k": text(&public) }),
            // The two numbers as they stand in their DER form, of 2048 and 17 bits.
            Self::Rs256(_) => json!({ "kty": "RSA", "n": text(&public[9..265]), "e": text(&public[267..]) }),
            Self::Es256(_) => json!({ "kty": "EC", "crv": "P-256", "x": text(&public[1..33]), "y": text(&public[33..]) }),
            Self::EdDsa(_) => json!({ "kty": "OKP", "crv": "Ed25519", "x": text(&public) }),
        };
        jwk["kid"] = kid.into();
        jwk
    }

    /// A token that says this.
    pub fn token(&self, claims: &Value) -> String {
        self.sign(&json!({ "alg": self.algorithm(), "typ": "JWT" }), claims)
    }

    /// A token that says this and names its key.
    pub fn token_by(&self, kid: &str, claims: &Value) -> String {
        self.sign(&json!({ "alg": self.algorithm(), "kid": kid }), claims)
    }

    /// A token with any header.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// A token of any text.
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", text(header), text(claims));
        let signature = self.signature(message.as_bytes());
        format!("{message}.{}", text(&signature))
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Hs256(secret) => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec(),
            Self::Rs256(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("a signature");
                signature
            }
            Self::Es256(key) => key.sign(&random, message).expect("a signature").as_ref().to_vec(),
            Self::EdDsa(key) => key.sign(message).as_ref().to_vec(),
        }
    }
}

/// A part of a token.
pub fn text(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Seconds since 1970.
pub fn now() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// What a token for this user says that is good for an hour.
pub fn claims(user: &str) -> Value {
    json!({ "sub": user, "exp": now() as u64 + 3600 })
}
