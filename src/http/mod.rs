//! The HTTP surface: which route of which listener leads where.
//!
//! Two audiences, up to three listeners: people and providers on the public one (the webhook moves to its own where
//! `ingest.bind` is set), operators on the admin one.

pub mod actors;
pub mod actors_live;
pub mod admin;
pub mod admin_guard;
pub mod answer;
pub mod arrivals;
pub mod audit;
pub mod auth;
pub mod body;
pub mod caller;
pub mod connection;
pub mod cors;
pub mod dead_letters;
pub mod departures;
pub mod gate;
pub mod history;
pub mod limits;
pub mod listen;
pub mod openapi;
pub mod page;
pub mod reload;
pub mod security;
pub mod signature;
pub mod stream;
pub mod users;
pub mod webhook;

use actix_web::{HttpRequest, HttpResponse, Route, guard, http::Method, middleware::from_fn, web};

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

/// Where one notification is read.
pub const NOTIFICATION: &str = "/notifications/zone-port-notifications/{notification_id}";
/// What the public listener answers, for programs.
pub const OPENAPI: &str = "/openapi.json";

/// Where operators handle dead letters.
pub const DEAD_LETTERS: &str = "/dead-letters";

/// Streams, history, their description and the test page.
pub fn public(app: &mut web::ServiceConfig) {
    app.service(only(Method::GET, STREAM, web::get().to(stream::open).wrap(from_fn(limits::of_streams))))
        .service(only(Method::GET, HISTORY, web::get().to(history::page)))
        .service(only(Method::GET, NOTIFICATION, web::get().to(history::one)));
    let document = bytes::Bytes::from(openapi::document());
    app.service(only(Method::GET, OPENAPI, web::get().to(move || openapi::serve(document.clone()))));
    for page in crate::pages::TEST_CLIENT {
        app.service(only(Method::GET, page.path, web::get().to(move || page::serve(page))));
    }
}

/// The webhook.
pub fn ingest(app: &mut web::ServiceConfig) {
    app.service(only(Method::POST, WEBHOOK, web::post().to(webhook::receive).wrap(from_fn(limits::of_webhooks))));
}

/// Health, metrics, the page of the actors, and what commands change.
pub fn admin(app: &mut web::ServiceConfig) {
    app.service(only(Method::GET, "/healthz", web::get().to(admin::healthz)))
        .service(only(Method::GET, "/readyz", web::get().to(admin::readyz)))
        .service(only(Method::GET, "/metrics", web::get().to(admin::metrics)))
        .service(only(Method::GET, "/actors", web::get().to(actors::page)))
        .service(only(Method::GET, "/audit", web::get().to(audit::answer)))
        .service(only(Method::POST, "/reload", web::post().to(reload::post)))
        .service(only(Method::GET, "/actors/stream", web::get().to(actors_live::stream)))
        .service(each(
            DEAD_LETTERS,
            vec![(Method::GET, web::get().to(dead_letters::list)), (Method::DELETE, web::delete().to(dead_letters::drop_all))],
        ))
        .service(each(
            &format!("{DEAD_LETTERS}/{{seq}}"),
            vec![(Method::GET, web::get().to(dead_letters::show)), (Method::DELETE, web::delete().to(dead_letters::drop_one))],
        ))
        .service(only(Method::POST, &format!("{DEAD_LETTERS}/{{seq}}/retry"), web::post().to(dead_letters::retry)))
        .service(each(USERS, vec![(Method::GET, web::get().to(users::list)), (Method::POST, web::post().to(users::add))]))
        .service(only(Method::DELETE, &format!("{USERS}/{{user}}"), web::delete().to(users::remove)));
    for page in crate::pages::ACTORS {
        app.service(only(Method::GET, page.path, web::get().to(move || page::serve(page))));
    }
}

/// A resource with one method; every other method is 405 with `Allow`.
fn only(method: Method, path: &str, route: Route) -> actix_web::Resource {
    each(path, vec![(method, route)])
}

/// A resource with these methods; every other method is 405 with `Allow`.
fn each(path: &str, routes: Vec<(Method, Route)>) -> actix_web::Resource {
    let (methods, routes): (Vec<Method>, Vec<Route>) = routes.into_iter().unzip();
    let allow = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let refuse = move |request: HttpRequest| {
        let refusal = Refusal::new(405, "method_not_allowed", format!("{} is not allowed here.", request.method()));
        let mut answer = refused(&refusal);
        if let Ok(allow) = allow.parse() {
            answer.headers_mut().insert(actix_web::http::header::ALLOW, allow);
        }
        async move { answer }
    };
    let resource = routes.into_iter().fold(web::resource(path.to_owned()), actix_web::Resource::route);
    resource.default_service(web::route().guard(guard::fn_guard(|_| true)).to(refuse))
}

/// Every path that leads nowhere.
pub async fn not_found() -> HttpResponse {
    refused(&Refusal::new(404, "not_found", "There is nothing at this path."))
}
