//! `openapi.json`: what the public listener takes and answers, for programs. Made from the types that are answered, so that it
//! stays true.

pub mod answers;
pub mod objects;

use actix_web::{HttpResponse, http::header::ContentType};
use bytes::Bytes;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document, RefOr, Schema,
        schema::AdditionalProperties,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};

use super::{history, stream, webhook};

/// The public listener.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Lookout",
        description = "Zone and port events about vessels: posted to a webhook, screened, and streamed to dashboards.",
    ),
    paths(stream::open, history::page, history::one, webhook::receive),
    components(schemas(objects::Message)),
    tags(
        (name = "reading", description = "For dashboards"),
        (name = "webhook", description = "For the provider"),
    ),
    security((), ("bearer" = []), ("query" = [])),
    modifiers(&Tokens, &Closed),
)]
struct Public;

/// The document as text.
pub fn document() -> String {
    // No description fails to serialise.
    Public::openapi().to_pretty_json().unwrap_or_default() + "\n"
}

/// Answers with the document.
pub async fn serve(document: Bytes) -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::json()).body(document)
}

/// How a token is brought along where `auth.mode` asks for one; none has to be where it does not. A cookie has the name that
/// `auth.jwt_cookie` gives it, so it is not described.
struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        let query = ApiKeyValue::with_description("access_token", "For browsers, whose EventSource sets no header.");
        components.add_security_scheme("query", SecurityScheme::ApiKey(ApiKey::Query(query)));
    }
}

/// Objects have no other fields than those described, but for those that say so themselves.
struct Closed;

impl Modify for Closed {
    fn modify(&self, document: &mut Document) {
        for schema in document.components.get_or_insert_default().schemas.values_mut() {
            close(schema);
        }
    }
}

fn close(schema: &mut RefOr<Schema>) {
    let RefOr::T(schema) = schema else { return };
    match schema {
        Schema::Object(object) if !object.properties.is_empty() => {
            object.properties.values_mut().for_each(close);
            object.additional_properties.get_or_insert_with(|| Box::new(AdditionalProperties::FreeForm(false)));
        }
        Schema::OneOf(one_of) => one_of.items.iter_mut().for_each(close),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{
        super::{HISTORY, NOTIFICATION, STREAM, WEBHOOK},
        *,
    };

    #[test]
    fn the_committed_document_is_what_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        if std::env::var_os("LOOKOUT_WRITE_OPENAPI").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == document(), "openapi.json is of another commit: LOOKOUT_WRITE_OPENAPI=1 cargo test --lib openapi");
    }

    #[test]
    fn every_public_route_but_the_pages_and_the_document_is_in_it() {
        let table = include_str!("../mod.rs");
        let table = table.split_once("pub fn public(").unwrap().1.split_once("pub fn admin(").unwrap().0;
        let routes: BTreeSet<&str> = table
            .split("only(Method::")
            .skip(1)
            .filter_map(|route| match route.split([',', ')']).nth(1).unwrap().trim() {
                "STREAM" => Some(STREAM),
                "HISTORY" => Some(HISTORY),
                "NOTIFICATION" => Some(NOTIFICATION),
                "WEBHOOK" => Some(WEBHOOK),
                "OPENAPI" | "page.path" => None,
                other => panic!("{other} is a route that the document may have to have"),
            })
            .collect();
        let paths = Public::openapi().paths.paths;
        assert_eq!(paths.keys().map(String::as_str).collect::<BTreeSet<_>>(), routes);
    }
}
