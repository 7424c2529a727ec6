//! Headers that every answer of every listener carries: what browsers must not do with it.

use actix_web::middleware::DefaultHeaders;

/// For answers that are no page: nothing in them may run or be framed. A page brings its own.
const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'";

/// The headers; `secure` tells whether the listener speaks TLS.
///
/// `Cross-Origin-Resource-Policy` does not stand in the way of CORS: it is asked only where a page embeds without it.
pub fn headers(secure: bool) -> impl Iterator<Item = (&'static str, &'static str)> {
    let always = [
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("X-Frame-Options", "DENY"),
        ("Content-Security-Policy", NO_PAGE),
    ];
    // Browsers heed it for names whose certificate they trust, and for no address.
    let transport = secure.then_some(("Strict-Transport-Security", "max-age=31536000"));
    always.into_iter().chain(transport)
}

/// The middleware that adds them where an answer does not bring its own.
pub fn middleware(secure: bool) -> DefaultHeaders {
    headers(secure).fold(DefaultHeaders::new(), |middleware, header| middleware.add(header))
}
