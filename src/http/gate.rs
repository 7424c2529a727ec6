//! Which requests are asked at all. Each route has one spelling and no other, so that no proxy, no log and no rule of an operator can
//! read a path differently than we do.

use actix_web::{
    Error,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
};

use super::answer::refused;
use crate::error::Refusal;

/// The middleware.
pub async fn gate<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    match check(&request) {
        Ok(()) => Ok(next.call(request).await?.map_into_left_body()),
        Err(refusal) => Ok(request.into_response(refused(&refusal)).map_into_right_body()),
    }
}

fn check(request: &ServiceRequest) -> Result<(), Refusal> {
    let uri = request.uri();
    if uri.scheme().is_some() || uri.authority().is_some() {
        return Err(Refusal::new(400, "no_proxy", "This server is no proxy: the request names another one."));
    }
    if !is_plain(uri.path()) {
        return Err(Refusal::new(404, "not_found", "There is nothing at this path."));
    }
    Ok(())
}

/// Whether a path is spelt as routes are: no escapes, no empty or dot segments.
fn is_plain(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    path.bytes().all(plain) && path.split('/').skip(1).all(|segment| !matches!(segment, "." | "..")) && !path.contains("//")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_spelling_of_a_path_is_plain() {
        for path in [
            "/",
            "/sse_test_client.html",
            "/notifications/zone-port-events/stream",
            "/notifications/zone-port-notifications/507f1f77bcf86cd799439011",
            "/a/",
        ] {
            assert!(is_plain(path), "{path}");
        }
        for path in [
            "//",
            "//sse_test_client.html",
            "/notifications//zone-port-events/stream",
            "/./sse_test_client.html",
            "/notifications/../sse_test_client.html",
            "/..",
            "/sse%5Ftest_client.html",
            "/%2e%2e/sse_test_client.html",
            "/notifications%2Fzone-port-events%2Fstream",
            "/a\\b",
            "/a;b",
            "*",
            "/\u{e9}",
        ] {
            assert!(!is_plain(path), "{path}");
        }
    }
}
