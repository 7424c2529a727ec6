//! Mode `jwt`: whoever brings a token that is signed by a known key, good now, for us, and for this user.

mod crypto;
mod files;
mod jwks;
mod keys;
mod source;
#[cfg(test)]
mod tests;
mod token;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use actix_web::rt::task::JoinHandle;

use self::{
    keys::{Claims, Fault, Rules},
    source::Keys,
};
use super::{Credentials, DoorError, Pass};
use crate::{config::Auth, error::Refusal};

/// A token that ends later than this is not watched for its end.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

const INVALID: &str = "Bearer error=\"invalid_token\"";

/// The mode.
pub struct Jwt {
    keys: Keys,
    leeway: Duration,
    cookie: Option<String>,
}

impl Jwt {
    /// With the task that keeps its keys fresh, on this thread.
    pub fn open(config: &Auth) -> Result<(Self, JoinHandle<()>), DoorError> {
        crypto::install();
        let (keys, task) = Keys::open(config, Rules::new(config))?;
        Ok((Self { keys, leeway: config.jwt_leeway, cookie: config.jwt_cookie.clone() }, task))
    }

    pub async fn admit(&self, user: &str, credentials: Credentials<'_>) -> Result<Pass, Refusal> {
        let Some(token) = token::of(&credentials, self.cookie.as_deref())? else {
            return Err(unauthorized("missing_token", "A token is needed here.").challenge("Bearer"));
        };
        let claims = self.read(&token).await?;
        let left = self.left(&claims, SystemTime::now()).ok_or_else(not_now)?;
        if *claims.sub != *user {
            return Err(Refusal::new(403, "wrong_user", "The token is for another user than this user_id."));
        }
        Ok(Pass { until: (left < LONGEST).then(|| Instant::now() + left) })
    }

    async fn read(&self, token: &str) -> Result<Claims, Refusal> {
        let keys = || {
            let none = || Refusal::busy("auth_unavailable", "The keys of tokens are not known yet; try again in a moment.", 1);
            self.keys.current().ok_or_else(none)
        };
        let claims = match keys()?.read(token) {
            Err(Fault::UnknownKey) => {
                self.keys.read_again().await;
                keys()?.read(token)
            }
            read => read,
        };
        claims.map_err(|fault| {
            log::debug!(target: "sse", "event=token_refused reason={fault:?}");
            refusal(fault)
        })
    }

    /// How long it is still good; none where it is not, or not yet.
    fn left(&self, claims: &Claims, now: SystemTime) -> Option<Duration> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let leeway = self.leeway.as_secs_f64();
        let (left, begun) = (claims.exp + leeway - now, claims.nbf.is_none_or(|begin| begin - leeway <= now));
        (left > 0.0 && begun).then(|| Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX))
    }
}

/// Tells no more than its sender may know: who forges tokens learns nothing of what was wrong.
fn refusal(fault: Fault) -> Refusal {
    let message = match fault {
        Fault::Malformed | Fault::Forged | Fault::UnknownKey => "The token is not valid here.",
        Fault::NotForUs => "The token is for another audience, or from another issuer.",
    };
    unauthorized("invalid_token", message).challenge(INVALID)
}

fn not_now() -> Refusal {
    unauthorized("token_expired", "The token is good no longer, or not yet.").challenge(INVALID)
}

fn unauthorized(code: &'static str, message: &'static str) -> Refusal {
    Refusal::new(401, code, message)
}
