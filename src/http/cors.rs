//! Which pages of other origins may read, by `[cors]`.

use actix_cors::Cors;
use actix_web::http::{Method, header};

use crate::config;

/// The middleware for the public listener.
pub fn cors(config: &config::Cors) -> Cors {
    let mut cors = Cors::default()
        .allowed_methods([Method::GET, Method::POST])
        .allowed_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::CACHE_CONTROL, super::stream::LAST_EVENT_ID])
        .block_on_origin_mismatch(false)
        .max_age(3600);
    if config.allow_credentials {
        cors = cors.supports_credentials();
    }
    if config.allowed_origins.iter().any(|origin| origin == "*") {
        return cors.allow_any_origin().send_wildcard();
    }
    config.allowed_origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}
