//! Senders that sign what they post.

use data_encoding::{BASE64, HEXLOWER};
use lookout::config::{Secret, SignatureScheme};

use super::Setup;

/// A secret of Standard Webhooks.
pub const WHSEC: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
/// Any other secret.
pub const SECRET: &str = "not to be seen anywhere";

impl Setup {
    /// With signatures by this scheme, in the header `X-Signature` where the scheme has none of its own.
    pub fn signed_by(self, scheme: SignatureScheme, secrets: &[&str]) -> Self {
        self.with(|config| {
            config.ingest.signature.scheme = scheme;
            config.ingest.signature.secrets = secrets.iter().map(|secret| Secret::new(*secret)).collect();
            config.ingest.signature.header = "X-Signature".into();
        })
    }
}

/// The HMAC-SHA256 of a body in hex, as GitHub writes it.
pub fn hmac(secret: &str, body: &[u8]) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    format!("sha256={}", HEXLOWER.encode(ring::hmac::sign(&key, body).as_ref()))
}

/// The three headers of Standard Webhooks, with this prefix of their names, signed now.
pub fn standard(prefix: &str, whsec: &str, id: &str, body: &[u8]) -> Vec<(String, String)> {
    standard_at(prefix, whsec, id, chrono::Utc::now().timestamp(), body)
}

/// The same at another time, seconds since 1970.
pub fn standard_at(prefix: &str, whsec: &str, id: &str, at: i64, body: &[u8]) -> Vec<(String, String)> {
    let key = BASE64.decode(whsec.trim_start_matches("whsec_").as_bytes()).expect("a whsec_ secret");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
    let signed = [format!("{id}.{at}.").as_bytes(), body].concat();
    let signature = format!("v1,{}", BASE64.encode(ring::hmac::sign(&key, &signed).as_ref()));
    let header = |name, value| (format!("{prefix}-{name}"), value);
    vec![header("id", id.to_owned()), header("timestamp", at.to_string()), header("signature", signature)]
}

/// Headers as the client takes them.
pub fn borrowed(headers: &[(String, String)]) -> Vec<(&str, &str)> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}
