//! The pages that are compiled in.

use actix_web::{HttpResponse, http::header};

use crate::pages::Page;

/// One file of a page, under a policy that lets nothing run but the page's own files.
pub async fn serve(page: Page) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(page.content_type)
        .insert_header((header::CONTENT_SECURITY_POLICY, page.policy))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(page.body)
}
