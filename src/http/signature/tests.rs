//! Published vectors pass, one of `v1a` that OpenSSL made too, and whatever is not exactly right does not.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use data_encoding::{BASE64, HEXLOWER};
use proptest::prelude::*;

use super::*;
use crate::config::{Config, Secret, SignatureEncoding};

const WHSEC: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const WHPK: &str = "whpk_K2SGt6aeGNd2r7E5tSDCVTxf2n6L9ZoiXtZCAE/uUyk=";
const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
const AT: u64 = 1_649_367_553;
const BODY: &str = r#"{"email":"test@example.com","username":"test_user"}"#;
const V1: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
const V1A: &str = "v1a,/kkYxzrV3pSKZyLJy5ZR/VARBUmJ7hNo1ZrMttZE+12vsYxymcyWNk8kKYlWk+3mjepl3eGg2fiSLaAZ2zHjCQ==";

const GITHUB_SECRET: &str = "It's a Secret to Everybody";
const GITHUB: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

fn signature(scheme: SignatureScheme, secrets: &[&str]) -> Signature {
    let (secrets, header) = (secrets.iter().map(|secret| Secret::new(*secret)).collect(), "X-Signature".to_owned());
    Signature::new(&config::Signature { scheme, secrets, header, ..Config::defaults().ingest.signature })
}

fn standard(secrets: &[&str]) -> Signature {
    signature(SignatureScheme::StandardWebhooks, secrets)
}

fn headers(all: &[(&str, &str)]) -> HeaderMap {
    let pair =
        |(name, value): &(&str, &str)| (HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    all.iter().map(pair).collect()
}

fn signed(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
    headers(&[("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signature)])
}

fn check(by: &Signature, headers: &HeaderMap, now: u64, body: &str) -> Result<Delivery, Cause> {
    by.claim(headers, now).and_then(|claim| by.prove(claim, body.as_bytes()))
}

/// The vector with this signature and these keys, at its own time.
fn vector(secrets: &[&str], signature: &str) -> Result<Delivery, Cause> {
    check(&standard(secrets), &signed(ID, &AT.to_string(), signature), AT, BODY)
}

#[test]
fn the_vectors_of_standard_webhooks_pass() {
    let proven = Ok(Delivery::Id(ID.to_owned()));
    assert_eq!(vector(&[WHSEC], V1), proven);
    assert_eq!(vector(&[WHPK], V1A), proven);
    assert_eq!(vector(&[WHSEC], V1.trim_end_matches('=')), proven, "padding is of no matter");
}

#[test]
fn any_signature_of_the_header_counts_with_any_secret() {
    let other_key = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let wrong = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for (secrets, signatures) in [
        (&[other_key, WHSEC][..], V1.to_owned()),
        (&[WHSEC, other_key], format!("{wrong} {V1}")),
        (&[WHSEC], format!("v2,of-tomorrow {wrong} not-one v1,cut {V1}")),
        (&[WHSEC, WHPK], V1A.to_owned()),
        (&[WHPK], format!("{V1} {V1A}")),
    ] {
        assert!(vector(secrets, &signatures).is_ok(), "{secrets:?} {signatures}");
    }
    assert_eq!(vector(&[other_key], V1), Err(Cause::Wrong));
    assert_eq!(vector(&[WHSEC], wrong), Err(Cause::Wrong));
}

#[test]
fn a_signature_is_of_its_id_its_time_and_its_body_alone() {
    for (keys, signature) in [(WHSEC, V1), (WHPK, V1A)] {
        let by = standard(&[keys]);
        for (id, at, body) in
            [("msg_28", AT, BODY), (ID, AT + 1, BODY), (ID, AT, &BODY[1..]), (ID, AT, ""), (ID, AT, &format!("{BODY} "))]
        {
            assert_eq!(check(&by, &signed(id, &at.to_string(), signature), AT, body), Err(Cause::Wrong), "{id} {at} {body}");
        }
    }
}

#[test]
fn a_public_key_is_never_taken_for_a_shared_one() {
    let public = BASE64.decode(WHPK.trim_start_matches("whpk_").as_bytes()).unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &public);
    let forged = ring::hmac::sign(&key, format!("{ID}.{AT}.{BODY}").as_bytes());
    let forged = BASE64.encode(forged.as_ref());
    assert_eq!(vector(&[WHPK], &format!("v1,{forged}")), Err(Cause::Malformed), "there is no shared key");
    assert_eq!(vector(&[WHPK, WHSEC], &format!("v1,{forged}")), Err(Cause::Wrong));
    assert_eq!(vector(&[WHPK, WHSEC], &format!("v1a,{forged}")), Err(Cause::Malformed));
}

#[test]
fn a_time_counts_within_the_tolerance_on_both_sides() {
    let by = standard(&[WHSEC]);
    let headers = signed(ID, &AT.to_string(), V1);
    for (now, outcome) in
        [(AT - 300, true), (AT - 301, false), (AT + 300, true), (AT + 301, false), (0, false), (u64::MAX, false)]
    {
        assert_eq!(check(&by, &headers, now, BODY).is_ok(), outcome, "{now}");
    }
    assert_eq!(check(&by, &headers, AT + 301, BODY), Err(Cause::Stale));
}

#[test]
fn no_timestamp_overflows() {
    let by = standard(&[WHSEC]);
    let now = |timestamp: &str, now| check(&by, &signed(ID, timestamp, V1), now, BODY).unwrap_err();
    for timestamp in ["0", "18446744073709551615", "9223372036854775807", "99999999999"] {
        assert_eq!(now(timestamp, AT), Cause::Stale, "{timestamp}");
    }
    assert_eq!(now("18446744073709551615", 0), Cause::Stale);
    for timestamp in [
        "",
        "-1",
        "+1649367553",
        "1649367553.0",
        "1.6e9",
        "0x1",
        "18446744073709551616",
        "16493675531649367553164936755316493675",
    ] {
        assert_eq!(now(timestamp, AT), Cause::Malformed, "{timestamp}");
    }
}

#[test]
fn each_header_must_be_there_once() {
    let by = standard(&[WHSEC]);
    let at = AT.to_string();
    let all = [("webhook-id", ID), ("webhook-timestamp", at.as_str()), ("webhook-signature", V1)];
    for index in 0..3 {
        let mut fewer = all.to_vec();
        let name = fewer.remove(index).0;
        assert_eq!(check(&by, &headers(&fewer), AT, BODY), Err(Cause::Missing), "{name}");
        let mut twice = headers(&all);
        twice.append(HeaderName::try_from(name).unwrap(), HeaderValue::from_static("other"));
        assert_eq!(check(&by, &twice, AT, BODY), Err(Cause::Malformed), "{name}");
    }
    assert_eq!(check(&by, &signed("", &at, V1), AT, BODY), Err(Cause::Malformed));
    assert_eq!(check(&by, &signed("m\u{e9}", &at, V1), AT, BODY), Err(Cause::Malformed));
    let svix = [("svix-id", ID), ("svix-timestamp", at.as_str()), ("svix-signature", V1)];
    assert!(check(&by, &headers(&svix), AT, BODY).is_ok());
    let mixed = [("svix-id", ID), ("webhook-timestamp", at.as_str()), ("webhook-signature", V1)];
    assert_eq!(check(&by, &headers(&mixed), AT, BODY), Err(Cause::Missing));
}

#[test]
fn a_header_of_many_signatures_is_refused_before_they_cost_anything() {
    let filler = format!("v1a,{} ", BASE64.encode(&[7; 64]));
    let keys = [WHPK, WHSEC];
    assert!(vector(&keys, &format!("{}{V1}", filler.repeat(15))).is_ok());
    assert_eq!(vector(&keys, &format!("{}{V1}", filler.repeat(16))), Err(Cause::Malformed));
}

#[test]
fn the_vector_of_github_passes_in_every_spelling() {
    let by = signature(SignatureScheme::HmacSha256, &["another", GITHUB_SECRET]);
    let body = "Hello, World!";
    for text in [format!("sha256={GITHUB}"), GITHUB.to_owned(), GITHUB.to_uppercase()] {
        assert!(check(&by, &headers(&[("x-signature", &text)]), 0, body).is_ok(), "{text}");
    }
    let base64 = BASE64.encode(&HEXLOWER.decode(GITHUB.as_bytes()).unwrap());
    assert_eq!(check(&by, &headers(&[("x-signature", &base64)]), 0, body), Err(Cause::Malformed));
    let mut config = config::Signature { encoding: SignatureEncoding::Base64, ..Config::defaults().ingest.signature };
    config.scheme = SignatureScheme::HmacSha256;
    config.header = "x-signature".into();
    config.secrets = vec![Secret::new(GITHUB_SECRET)];
    let by_base64 = Signature::new(&config);
    for text in [base64.clone(), format!("sha256={base64}"), base64.trim_end_matches('=').to_owned()] {
        assert!(check(&by_base64, &headers(&[("x-signature", &text)]), 0, body).is_ok(), "{text}");
    }
}

#[test]
fn an_hmac_that_is_not_the_bodys_is_refused() {
    let by = signature(SignatureScheme::HmacSha256, &[GITHUB_SECRET]);
    let with = |text: &str, body| check(&by, &headers(&[("x-signature", text)]), 0, body);
    assert_eq!(with(GITHUB, "Hello, World"), Err(Cause::Wrong));
    assert_eq!(with(&GITHUB.replace("757", "758"), "Hello, World!"), Err(Cause::Wrong));
    for text in ["", "sha256=", &GITHUB[2..], &format!("{GITHUB}00"), &format!("sha1={GITHUB}"), "sha256=zz"] {
        assert_eq!(with(text, "Hello, World!"), Err(Cause::Malformed), "{text}");
    }
    assert_eq!(check(&by, &HeaderMap::new(), 0, "Hello, World!"), Err(Cause::Missing));
}

#[test]
fn the_same_signed_bytes_are_the_same_delivery() {
    let by = signature(SignatureScheme::HmacSha256, &[GITHUB_SECRET]);
    let delivery = |id: &str| check(&by, &headers(&[("x-signature", GITHUB), ("webhook-id", id)]), 0, "Hello, World!").unwrap();
    assert_eq!(delivery("one"), delivery("two"));
    assert_ne!(delivery("one"), Delivery::AsTold);
}

#[test]
fn a_token_is_the_whole_value_of_its_header() {
    let by = signature(SignatureScheme::Token, &["Bearer old", "Bearer new"]);
    let with = |text: &str| by.claim(&headers(&[("x-signature", text)]), 0).map(|_| ());
    assert_eq!((with("Bearer old"), with("Bearer new")), (Ok(()), Ok(())));
    for text in ["", "Bearer", "Bearer ol", "Bearer older", "bearer old", "Bearer old, Bearer new"] {
        assert_eq!(with(text), Err(Cause::Wrong), "{text}");
    }
    assert_eq!(by.claim(&HeaderMap::new(), 0).map(|_| ()), Err(Cause::Missing));
    assert_eq!(check(&by, &headers(&[("x-signature", "Bearer old")]), 0, "anything"), Ok(Delivery::AsTold));
}

#[test]
fn without_a_scheme_everything_passes_and_without_a_secret_nothing() {
    assert_eq!(check(&signature(SignatureScheme::None, &[]), &HeaderMap::new(), 0, ""), Ok(Delivery::AsTold));
    assert!(vector(&[], V1).is_err());
    assert!(vector(&["no key"], V1).is_err());
    for scheme in [SignatureScheme::HmacSha256, SignatureScheme::Token] {
        assert!(check(&signature(scheme, &[]), &headers(&[("x-signature", GITHUB)]), 0, "Hello, World!").is_err());
    }
}

proptest! {
    #[test]
    fn no_headers_panic_and_none_are_believed_by_chance(
        id in "[ -~]{0,20}", timestamp in "[0-9]{0,25}|[ -~]{0,10}", text in "((v1|v1a|v2),[A-Za-z0-9+/=]{0,90} ?){0,4}|[ -~]{0,80}",
        body in ".{0,20}", now in any::<u64>(),
    ) {
        prop_assert!(check(&standard(&[WHSEC, WHPK]), &signed(&id, &timestamp, &text), now, &body).is_err());
        for scheme in [SignatureScheme::HmacSha256, SignatureScheme::Token] {
            let by = signature(scheme, &[GITHUB_SECRET]);
            prop_assert!(check(&by, &headers(&[("x-signature", &text)]), now, &body).is_err());
        }
    }
}
