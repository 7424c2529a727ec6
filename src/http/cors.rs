//! Which pages of other origins may read, by `[cors]`.

use actix_cors::{Cors, CorsError};
use actix_web::{
    Error,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderValue},
    },
    middleware::{DefaultHeaders, Next},
};

use super::answer::refused;
use crate::{config, error::Refusal};

/// The middleware for the public listener.
pub fn cors(config: &config::Cors) -> Cors {
    let mut cors = Cors::default()
        .allowed_methods([Method::GET, Method::POST])
        .allowed_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::CACHE_CONTROL, super::stream::LAST_EVENT_ID])
        .expose_headers([header::RETRY_AFTER])
        .block_on_origin_mismatch(false)
        .max_age(3600);
    if config.allow_credentials {
        cors = cors.supports_credentials();
    }
    if is_open(config) {
        return cors.allow_any_origin().send_wildcard();
    }
    config.allowed_origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}

/// `Access-Control-Allow-Origin: *` also where no origin was named: caches keep one answer for all.
pub fn wildcard(config: &config::Cors) -> DefaultHeaders {
    if is_open(config) { DefaultHeaders::new().add((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")) } else { DefaultHeaders::new() }
}

fn is_open(config: &config::Cors) -> bool {
    config.allowed_origins.iter().any(|origin| origin == "*")
}

/// Gives a refused preflight the shape of every other error, and credentials to nobody but whom an answer names.
pub async fn finish<B: MessageBody + 'static>(
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
    let headers = answer.headers_mut();
    if !headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
        headers.remove(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
    }
    Ok(answer.map_into_left_body())
}
