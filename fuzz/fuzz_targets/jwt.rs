//! Whoever comes with a token: let in where a genuine one says so, else told why not, and never by a 5xx.
//!
//! The input is the header of a token, a line end, its claims. It is tried as it is in every place where a token may stand, which
//! nobody has signed, and as a token that the right key has signed, whatever is in it.

#![no_main]

use std::{sync::LazyLock, time::SystemTime};

use actix::{System, SystemRunner};
use actix_web::{
    http::header::{AUTHORIZATION, COOKIE, HeaderValue},
    test::TestRequest,
};
use data_encoding::BASE64URL_NOPAD;
use libfuzzer_sys::fuzz_target;
use lookout::{
    config::{Auth, AuthMode, Config, JwtAlgorithm},
    error::Refusal,
    http::auth::{Credentials, Door, Pass},
};
use ring::hmac::{HMAC_SHA256, Key, sign};
use serde_json::Value;

const SECRET: &[u8] = b"a secret that is thirty-two bytes";
const USER: &str = "analyst-07";
const COOKIE_NAME: &str = "token";

static CONFIG: LazyLock<Auth> = LazyLock::new(|| Auth {
    mode: AuthMode::Jwt,
    jwt_algorithms: vec![JwtAlgorithm::Hs256],
    jwt_cookie: Some(COOKIE_NAME.into()),
    ..Config::defaults().auth
});

thread_local! {
    static DOOR: (SystemRunner, Door) = {
        let system = System::new();
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(&file, SECRET).expect("a key file");
        let config = Auth { jwt_key: Some(file.path().into()), ..CONFIG.clone() };
        let (door, tasks) = system.block_on(async { Door::open(&config, None) }).expect("a door");
        // Nothing of it changes, and the file is gone.
        tasks.iter().for_each(|task| task.abort());
        (system, door)
    };
}

fn admit(request: TestRequest, access_token: Option<&str>) -> Result<Pass, Refusal> {
    let request = request.to_http_request();
    DOOR.with(|(system, door)| system.block_on(door.admit(USER, Credentials { request: &request, access_token })))
}

fn assert_refused(admitted: Result<Pass, Refusal>) {
    let refusal = admitted.expect_err("nobody has signed this");
    assert!(matches!(refusal.status, 400 | 401), "{refusal:?}");
}

/// Whether a token with this header and these claims lets the user in.
fn is_good(header: &[u8], claims: &[u8]) -> bool {
    // What nobody looks at may be no text.
    let read = |json: &[u8]| serde_json::from_str::<Value>(&String::from_utf8_lossy(json));
    let (Ok(header), Ok(claims)) = (read(header), read(claims)) else { return false };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs_f64();
    // A second for the time that passes meanwhile.
    let leeway = CONFIG.jwt_leeway.as_secs_f64() + 1.0;
    header["alg"] == "HS256"
        && header.get("crit").is_none_or(Value::is_null)
        && claims["sub"] == USER
        && claims["exp"].as_f64().is_some_and(|end| end + leeway > now)
        && claims["nbf"].as_f64().is_none_or(|begin| begin - leeway <= now)
}

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    assert_refused(admit(TestRequest::default(), Some(&text)));
    if let Ok(value) = HeaderValue::from_bytes(input) {
        assert_refused(admit(TestRequest::default().insert_header((AUTHORIZATION, value.clone())), None));
        assert_refused(admit(TestRequest::default().insert_header((COOKIE, value.clone())), None));
        let bearer = [b"Bearer ", input].concat();
        if let Ok(bearer) = HeaderValue::from_bytes(&bearer) {
            assert_refused(admit(TestRequest::default().insert_header((AUTHORIZATION, bearer)), Some(&text)));
        }
        let cookie = [COOKIE_NAME.as_bytes(), b"=", input].concat();
        if let Ok(cookie) = HeaderValue::from_bytes(&cookie) {
            assert_refused(admit(TestRequest::default().insert_header((COOKIE, cookie)), None));
        }
    }

    let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return };
    let (header, claims) = (&input[..end], &input[end + 1..]);
    let message = format!("{}.{}", BASE64URL_NOPAD.encode(header), BASE64URL_NOPAD.encode(claims));
    assert_refused(admit(TestRequest::default(), Some(&format!("{message}."))));
    let tag = sign(&Key::new(HMAC_SHA256, SECRET), message.as_bytes());
    let token = format!("{message}.{}", BASE64URL_NOPAD.encode(tag.as_ref()));
    match admit(TestRequest::default(), Some(&token)) {
        Ok(_) => assert!(is_good(header, claims)),
        Err(refusal) => assert!(matches!(refusal.status, 400 | 401 | 403), "{refusal:?}"),
    }
    // Of a token that is genuine nothing may be changed.
    if let Some(forged) = token.strip_suffix(|last: char| last != 'A') {
        assert_refused(admit(TestRequest::default(), Some(&format!("{forged}A"))));
    }
});
