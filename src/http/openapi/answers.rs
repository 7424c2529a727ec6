//! What several routes take and answer.

#![expect(dead_code, reason = "describes what is written elsewhere")]

use utoipa::{IntoParams, IntoResponses, ToSchema};

use crate::http::{
    answer::ErrorBody,
    webhook::{Batch, Single},
};

/// What every reader says of itself; read in `http/caller.rs`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Reader {
    /// Who reads.
    #[param(min_length = 1, max_length = 1024)]
    user_id: String,
    /// `own`: only what names this user. `all`: as far as `stream.audience` goes.
    #[param(inline, nullable = false)]
    scope: Option<Scope>,
    /// A token, for clients that set no header.
    #[param(nullable = false)]
    access_token: Option<String>,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum Scope {
    Own,
    All,
}

/// Why a reader is not let in.
#[derive(IntoResponses)]
pub enum Refused {
    /// A parameter is missing or faulty; the message names it.
    #[response(status = 400)]
    Faulty(ErrorBody<'static>),
    /// This user may not connect, or the token does not hold.
    #[response(status = 401)]
    NotLetIn(ErrorBody<'static>),
    /// The token is for another user.
    #[response(status = 403)]
    SomebodyElse(ErrorBody<'static>),
}

/// What any request may meet before its route is asked.
#[derive(IntoResponses)]
pub enum Anywhere {
    /// The head or the body did not arrive in time.
    #[response(status = 408)]
    TooSlow(ErrorBody<'static>),
    /// Too many requests or connections from this address; `Retry-After` says when to come again.
    #[response(status = 429)]
    TooMany(ErrorBody<'static>),
    /// The head is larger than `server.max_head`.
    #[response(status = 431)]
    HeadTooLarge(ErrorBody<'static>),
}

/// What passes by itself.
#[derive(IntoResponses)]
pub enum Later {
    /// Full, stopping, or something that is needed does not answer. Nothing was acknowledged; `Retry-After` says when to come again.
    #[response(status = 503)]
    NotNow(ErrorBody<'static>),
}

/// What was taken.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum Taken {
    /// One event.
    Single(Single<'static>),
    /// Several.
    Batch(Batch),
}

/// Nothing was taken: of the whole, or of each item.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum Unusable {
    /// The body.
    Whole(ErrorBody<'static>),
    /// Each item of it.
    Batch(Batch),
}
