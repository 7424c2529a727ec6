//! Which pages of other origins may read, by `[cors]`, asked anew for each request: a reload replaces it.

use std::sync::Arc;

use actix_cors::{Cors, CorsError};
use actix_web::{
    Error,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderValue},
    },
    middleware::Next,
    web,
};
use arc_swap::ArcSwap;

use super::answer::refused;
use crate::{config, error::Refusal};

/// What a reload replaces.
pub type Rules = Arc<ArcSwap<config::Cors>>;

/// The middleware for the public listener. [`finish`] cuts its answers down to what the rules say.
pub fn cors(rules: &Rules) -> Cors {
    let rules = rules.clone();
    Cors::default()
        .allowed_methods([Method::GET, Method::POST])
        .allowed_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::CACHE_CONTROL, super::stream::LAST_EVENT_ID])
        .expose_headers([header::RETRY_AFTER])
        .block_on_origin_mismatch(false)
        .supports_credentials()
        .allowed_origin_fn(move |origin, _| allows(&rules.load(), origin))
        .max_age(3600)
}

fn allows(rules: &config::Cors, origin: &HeaderValue) -> bool {
    is_open(rules) || rules.allowed_origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
}

fn is_open(rules: &config::Cors) -> bool {
    rules.allowed_origins.iter().any(|origin| origin == "*")
}

/// Gives a refused preflight the shape of every other error, `*` to everybody where anybody may read (also where no origin was named:
/// caches keep one answer for all), and credentials to nobody but whom an answer names.
pub async fn finish<B: MessageBody + 'static>(
    rules: web::ThinData<Rules>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let mut answer = next.call(request).await?;
    let why = answer.response().error().and_then(|error| error.as_error::<CorsError>()).map(ToString::to_string);
    if let Some(why) = why {
        let mut refusal = refused(&Refusal::new(400, "cors_refused", format!("{why}.")));
        refusal.headers_mut().insert(header::VARY, HeaderValue::from_static("Origin"));
        return Ok(answer.into_response(refusal).map_into_right_body());
    }
    let (rules, headers) = (rules.load(), answer.headers_mut());
    if is_open(&rules) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    if !rules.allow_credentials || !headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
        headers.remove(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
    }
    Ok(answer.map_into_left_body())
}
