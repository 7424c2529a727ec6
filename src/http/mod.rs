//! The HTTP surface: which route of which listener leads where.
//!
//! Two audiences, up to three listeners: people and providers on the public one (the webhook moves to its own where
//! `ingest.bind` is set), operators on the admin one.

pub mod admin;
pub mod answer;
pub mod arrivals;
pub mod auth;
pub mod body;
pub mod caller;
pub mod connection;
pub mod cors;
pub mod gate;
pub mod history;
pub mod limits;
pub mod listen;
pub mod page;
pub mod security;
pub mod stream;
pub mod webhook;

use actix_web::{HttpRequest, HttpResponse, Route, guard, http::Method, middleware::from_fn, web};

use crate::error::Refusal;
use answer::refused;

/// Where browsers open their stream.
pub const STREAM: &str = "/notifications/zone-port-events/stream";
/// Where the provider posts.
pub const WEBHOOK: &str = "/notifications/webhook/zone-port-event";
/// Where the history is read.
pub const HISTORY: &str = "/notifications/zone-port-notifications";

/// Streams, history and the test page.
pub fn public(app: &mut web::ServiceConfig) {
    app.service(only(Method::GET, STREAM, web::get().to(stream::open).wrap(from_fn(limits::of_streams))))
        .service(only(Method::GET, HISTORY, web::get().to(history::page)))
        .service(only(Method::GET, &format!("{HISTORY}/{{notification_id}}"), web::get().to(history::one)));
    for page in crate::pages::PAGES {
        app.service(only(Method::GET, page.path, web::get().to(move || page::serve(page))));
    }
}

/// The webhook.
pub fn ingest(app: &mut web::ServiceConfig) {
    app.service(only(Method::POST, WEBHOOK, web::post().to(webhook::receive).wrap(from_fn(limits::of_webhooks))));
}

/// Health and metrics.
pub fn admin(app: &mut web::ServiceConfig) {
    app.service(only(Method::GET, "/healthz", web::get().to(admin::healthz)))
        .service(only(Method::GET, "/readyz", web::get().to(admin::readyz)))
        .service(only(Method::GET, "/metrics", web::get().to(admin::metrics)))
        .service(only(Method::GET, "/actors", web::get().to(admin::actors)));
}

/// A resource with one method; every other method is 405 with `Allow`.
fn only(method: Method, path: &str, route: Route) -> actix_web::Resource {
    let refuse = move |request: HttpRequest| {
        let refusal = Refusal::new(405, "method_not_allowed", format!("{} is not allowed here.", request.method()));
        let mut answer = refused(&refusal);
        if let Ok(allow) = method.as_str().parse() {
            answer.headers_mut().insert(actix_web::http::header::ALLOW, allow);
        }
        async move { answer }
    };
    web::resource(path.to_owned()).route(route).default_service(web::route().guard(guard::fn_guard(|_| true)).to(refuse))
}

/// Every path that leads nowhere.
pub async fn not_found() -> HttpResponse {
    refused(&Refusal::new(404, "not_found", "There is nothing at this path."))
}
