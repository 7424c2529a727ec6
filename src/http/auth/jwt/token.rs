//! Where a caller's token is: `Authorization: Bearer`, a cookie, or `access_token` in the query, which is all that `EventSource` can.

use actix_web::{
    HttpRequest,
    http::header::{AUTHORIZATION, COOKIE},
};

use super::super::Credentials;
use crate::error::Refusal;

/// The longest token, bytes.
const LONGEST: usize = 16 << 10;

/// The token; none where there is none. It may come in several ways, but it must be the same one: else who the caller is would be
/// ours to choose.
pub fn of(credentials: &Credentials<'_>, cookie: Option<&str>) -> Result<Option<String>, Refusal> {
    let Credentials { request, access_token } = credentials;
    let query = access_token.filter(|token| !token.is_empty()).map(str::to_owned);
    let mut tokens: Vec<String> = bearers(request).chain(cookies(request, cookie)).chain(query).collect();
    tokens.dedup();
    match tokens.pop() {
        Some(_) if !tokens.is_empty() => Err(Refusal::new(400, "several_tokens", "The request holds different tokens.")),
        Some(token) if token.len() > LONGEST => Err(Refusal::new(400, "token_too_long", "The token is longer than 16 KiB.")),
        token => Ok(token),
    }
}

/// Other schemes are for somebody else, a proxy for instance.
fn bearers(request: &HttpRequest) -> impl Iterator<Item = String> {
    request.headers().get_all(AUTHORIZATION).filter_map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes());
        let (scheme, token) = text.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
    })
}

fn cookies(request: &HttpRequest, name: Option<&str>) -> impl Iterator<Item = String> {
    let values = request.headers().get_all(COOKIE).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let of_name = move |cookies: String| {
        let pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        let found = pairs.filter(|(key, value)| Some(*key) == name && !value.is_empty());
        found.map(|(_, value)| value.trim_matches('"').to_owned()).collect::<Vec<_>>()
    };
    values.flat_map(of_name)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn of_headers(headers: &[(&'static str, &str)], access_token: Option<&str>) -> Result<Option<String>, u16> {
        let request = headers.iter().fold(TestRequest::default(), |request, header| request.append_header(*header));
        let request = request.to_http_request();
        of(&Credentials { request: &request, access_token }, Some("token")).map_err(|refusal| refusal.status)
    }

    #[test]
    fn a_token_is_found_wherever_it_may_be_and_nowhere_else() {
        let found = Ok(Some("a.b.c".to_owned()));
        assert_eq!(of_headers(&[("authorization", "Bearer a.b.c")], None), found);
        assert_eq!(of_headers(&[("authorization", "bEARER  a.b.c ")], None), found);
        assert_eq!(of_headers(&[("cookie", "x=1; token=a.b.c; y=2")], None), found);
        assert_eq!(of_headers(&[("cookie", "token=\"a.b.c\"")], None), found);
        assert_eq!(of_headers(&[], Some("a.b.c")), found);
        assert_eq!(of_headers(&[("authorization", "Basic a.b.c"), ("cookie", "tokens=x; Token=x; atoken=x")], None), Ok(None));
        assert_eq!(of_headers(&[("authorization", "Bearer"), ("cookie", "token=")], Some("")), Ok(None));
    }

    #[test]
    fn the_same_token_twice_is_fine_and_two_different_ones_are_refused() {
        let (one, other) = ("Bearer a.b.c", "Bearer d.e.f");
        assert_eq!(of_headers(&[("authorization", one), ("cookie", "token=a.b.c")], Some("a.b.c")), Ok(Some("a.b.c".to_owned())));
        for headers in [
            &[("authorization", one), ("authorization", other)][..],
            &[("authorization", other), ("cookie", "token=a.b.c")],
            &[("cookie", "token=a.b.c; token=d.e.f")],
            &[("cookie", "token=a.b.c"), ("cookie", "token=d.e.f")],
            &[("authorization", one), ("cookie", "token=d.e.f; token=a.b.c")],
        ] {
            assert_eq!(of_headers(headers, None), Err(400), "{headers:?}");
        }
        assert_eq!(of_headers(&[("authorization", one)], Some("d.e.f")), Err(400));
    }
}
