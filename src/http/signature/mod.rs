//! Whether a webhook comes from somebody who knows a secret, by `[ingest.signature]`.
//!
//! What the headers alone can tell is told before the body is read, so that a stranger costs nothing; the rest is told of the exact
//! bytes before anything of them is parsed. A sender is never told why it was refused.

mod hmac;
mod standard;
mod token;

#[cfg(test)]
mod tests;

use actix_web::http::header::HeaderMap;

use crate::config::{self, SignatureScheme};

/// Checks webhooks by the configured scheme.
pub enum Signature {
    /// Everybody is believed.
    None,
    /// `standard-webhooks`
    Standard(standard::Standard),
    /// `hmac-sha256`
    Hmac(hmac::Hmac),
    /// `token`
    Token(token::Token),
}

/// What is left to be checked of a webhook whose headers are in order.
pub enum Claim {
    /// Nothing.
    Proven,
    /// A signature of Standard Webhooks.
    Standard(standard::Claim),
    /// An HMAC.
    Hmac(hmac::Claim),
}

/// Why a webhook is not believed: for counters, never for its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A header that must be there is not.
    Missing,
    /// A header cannot be what it should be.
    Malformed,
    /// Its time is too far from now.
    Stale,
    /// It was made with another secret, or for another body.
    Wrong,
}

impl Cause {
    /// Its name in counters.
    pub fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Stale => "stale",
            Self::Wrong => "wrong",
        }
    }
}

/// What is believed about the delivery of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// What its headers say: nothing vouches for them, or the sender could write anything anyway.
    AsTold,
    /// This id: it is signed, the other headers are not.
    Id(String),
}

impl Signature {
    /// As configured.
    pub fn new(config: &config::Signature) -> Self {
        match config.scheme {
            SignatureScheme::None => Self::None,
            SignatureScheme::StandardWebhooks => Self::Standard(standard::Standard::new(config)),
            SignatureScheme::HmacSha256 => Self::Hmac(hmac::Hmac::new(config)),
            SignatureScheme::Token => Self::Token(token::Token::new(config)),
        }
    }

    /// Checks all that can be checked without the body; `now` is seconds since 1970.
    pub fn claim(&self, headers: &HeaderMap, now: u64) -> Result<Claim, Cause> {
        match self {
            Self::None => Ok(Claim::Proven),
            Self::Standard(standard) => standard.claim(headers, now).map(Claim::Standard),
            Self::Hmac(hmac) => hmac.claim(headers).map(Claim::Hmac),
            Self::Token(token) => token.check(headers).map(|()| Claim::Proven),
        }
    }

    /// Checks the exact bytes of the body against what was claimed for them.
    pub fn prove(&self, claim: Claim, body: &[u8]) -> Result<Delivery, Cause> {
        match (self, claim) {
            (Self::None | Self::Token(_), Claim::Proven) => Ok(Delivery::AsTold),
            (Self::Standard(standard), Claim::Standard(claim)) => standard.prove(claim, body),
            (Self::Hmac(hmac), Claim::Hmac(claim)) => hmac.prove(&claim, body),
            // A claim of another scheme proves nothing in this one.
            _ => Err(Cause::Wrong),
        }
    }
}

/// The one value of a header. A second one makes it ambiguous: another program on the way may have looked at that.
fn one<'h>(headers: &'h HeaderMap, name: &str) -> Result<&'h str, Cause> {
    let mut values = headers.get_all(name);
    let value = values.next().ok_or(Cause::Missing)?;
    if values.next().is_some() {
        return Err(Cause::Malformed);
    }
    value.to_str().map(str::trim).map_err(|_| Cause::Malformed)
}
