//! Pages of other origins: exactly the configured ones may read, and only they with credentials.

use crate::support::{Hub, Setup, USER, event};

const STREAM: &str = "/notifications/zone-port-events/stream";
const HISTORY: &str = "/notifications/zone-port-notifications?user_id=test_user";
const DASHBOARD: &str = "https://dash.example.com";

/// Origins that are nearly the configured one.
const STRANGERS: [&str; 9] = [
    "https://evil.example",
    "https://dash.example.com.evil.example",
    "https://evildash.example.com",
    "https://sub.dash.example.com",
    "http://dash.example.com",
    "https://dash.example.com:444",
    "https://DASH.example.com",
    "https://dash.example.com/",
    "null",
];

fn with_credentials() -> Hub {
    let setup = Setup::new().with(|config| {
        config.cors.allowed_origins = vec![DASHBOARD.into(), "http://localhost:3000".into()];
        config.cors.allow_credentials = true;
    });
    setup.start()
}

#[test]
fn a_configured_origin_reads_with_credentials_and_is_told_by_name() {
    let hub = with_credentials();
    for origin in [DASHBOARD, "http://localhost:3000"] {
        let headers = [("Origin", origin)];
        let heads = [
            hub.stream(USER).header("Origin", origin).connect().head,
            hub.ask("GET", HISTORY, &headers).head,
            // What is refused can be read as well.
            hub.ask("GET", STREAM, &headers).head,
            hub.ask("DELETE", STREAM, &headers).head,
            hub.post_bytes(event("test_user|false", origin).to_string().as_bytes(), &headers).head,
        ];
        for head in heads {
            assert_eq!(head.header("access-control-allow-origin").as_deref(), Some(origin), "{head:?}");
            assert_eq!(head.header("access-control-allow-credentials").as_deref(), Some("true"));
            assert!(head.header("access-control-expose-headers").is_some_and(|names| names.eq_ignore_ascii_case("retry-after")));
            assert!(head.header("vary").is_some_and(|vary| vary.contains("Origin")));
        }
    }
}

#[test]
fn nobody_else_may_read_and_caches_keep_the_answers_apart() {
    let hub = with_credentials();
    for origin in STRANGERS.map(Some).into_iter().chain([None]) {
        let headers: Vec<_> = origin.map(|origin| ("Origin", origin)).into_iter().collect();
        for path in [HISTORY, STREAM, "/nowhere"] {
            let head = hub.ask("GET", path, &headers).head;
            assert_eq!(head.header("access-control-allow-origin"), None, "{origin:?}");
            assert_eq!(head.header("access-control-allow-credentials"), None, "{origin:?}");
            assert!(head.header("vary").is_some_and(|vary| vary.contains("Origin")), "{origin:?}");
        }
    }
}

#[test]
fn a_preflight_allows_what_pages_need_to_configured_origins_only() {
    let hub = with_credentials();
    let ask = |origin: &str, method: &str, names: &str| {
        let headers = [("Origin", origin), ("Access-Control-Request-Method", method), ("Access-Control-Request-Headers", names)];
        hub.ask("OPTIONS", STREAM, &headers)
    };
    let answer = ask(DASHBOARD, "GET", "authorization,cache-control,content-type,last-event-id");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.head.header("access-control-allow-origin").as_deref(), Some(DASHBOARD));
    assert_eq!(answer.head.header("access-control-allow-credentials").as_deref(), Some("true"));
    assert!(answer.head.header("vary").is_some_and(|vary| vary.contains("Origin")));
    let refused = STRANGERS.map(|origin| ask(origin, "GET", "last-event-id"));
    for answer in refused.into_iter().chain([ask(DASHBOARD, "DELETE", ""), ask(DASHBOARD, "GET", "x-anything")]) {
        answer.assert_error(400);
        assert_eq!(answer.head.header("access-control-allow-origin"), None);
        assert_eq!(answer.head.header("access-control-allow-credentials"), None);
        assert_eq!(answer.head.header("vary").as_deref(), Some("Origin"));
    }
}

#[test]
fn any_page_may_read_by_default_and_none_with_credentials() {
    let hub = Hub::start();
    for headers in [&[("Origin", "https://anywhere.example")][..], &[]] {
        let head = hub.ask("GET", HISTORY, headers).head;
        assert_eq!(head.header("access-control-allow-origin").as_deref(), Some("*"));
        assert_eq!(head.header("access-control-allow-credentials"), None);
    }
}
