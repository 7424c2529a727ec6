//! The HTTP surface: which route of which listener leads where.
//!
//! Two audiences, up to three listeners: people and providers on the public one (the webhook moves to its own where
//! `ingest.bind` is set), operators on the admin one.

pub mod admin;
pub mod answer;
pub mod auth;
pub mod body;
pub mod caller;
pub mod cors;
pub mod history;
pub mod listen;
pub mod page;
pub mod stream;
pub mod users;
pub mod watched;
pub mod webhook;

use actix_web::{HttpRequest, HttpResponse, Route, guard, http::Method, web};

use crate::error::Refusal;
use answer::refused;

/// Where browsers open their stream.
pub const STREAM: &str = "/notifications/zone-port-events/stream";
/// Where the provider posts.
pub const WEBHOOK: &str = "/notifications/webhook/zone-port-event";
/// Where commands change the users of a running server.
pub const USERS: &str = "/users";
/// Where the history is read.
pub const HISTORY: &str = "/notifications/zone-port-notifications";

/// Streams, history and the test page.
pub fn public(app: &mut web::ServiceConfig) {
    app.service(only(Method::GET, STREAM, web::get().to(stream::open)))
        .service(only(Method::GET, HISTORY, web::get().to(history::page)))
        .service(only(Method::GET, &format!("{HISTORY}/{{notification_id}}"), web::get().to(history::one)));
    for page in crate::pages::PAGES {
        app.service(only(Method::GET, page.path, web::get().to(move || page::serve(page))));
    }
}

/// The webhook.
pub fn ingest(app: &mut web::ServiceConfig) {
    app.service(only(Method::POST, WEBHOOK, web::post().to(webhook::receive)));
}

/// Health, metrics and users.
pub fn admin(app: &mut web::ServiceConfig) {
    app.service(only(Method::GET, "/healthz", web::get().to(admin::healthz)))
        .service(only(Method::GET, "/readyz", web::get().to(admin::readyz)))
        .service(only(Method::GET, "/metrics", web::get().to(admin::metrics)))
        .service(only(Method::GET, "/actors", web::get().to(admin::actors)))
        .service(
            web::resource(USERS)
                .route(web::get().to(users::list))
                .route(web::post().to(users::add))
                .default_service(not_allowed("GET, POST")),
        )
        .service(only(Method::DELETE, &format!("{USERS}/{{user}}"), web::delete().to(users::remove)));
}

/// A resource with one method; every other method is 405 with `Allow`.
fn only(method: Method, path: &str, route: Route) -> actix_web::Resource {
    web::resource(path.to_owned()).route(route).default_service(not_allowed(method.as_str()))
}

/// Every other method than these.
fn not_allowed(allowed: &str) -> Route {
    let allowed = allowed.to_owned();
    let refuse = move |request: HttpRequest| {
        let refusal = Refusal::new(405, "method_not_allowed", format!("{} is not allowed here.", request.method()));
        let mut answer = refused(&refusal);
        if let Ok(allow) = allowed.parse() {
            answer.headers_mut().insert(actix_web::http::header::ALLOW, allow);
        }
        async move { answer }
    };
    web::route().guard(guard::fn_guard(|_| true)).to(refuse)
}

/// Every path that leads nowhere.
pub async fn not_found() -> HttpResponse {
    refused(&Refusal::new(404, "not_found", "There is nothing at this path."))
}
