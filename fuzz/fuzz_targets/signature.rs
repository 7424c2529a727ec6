//! Who is believed: nobody without the secret, whatever the headers say, and everybody who signs as the scheme has it.
//!
//! The input is a name of a scheme, lines of headers, an empty line and the body, so that seeds can be read.

#![no_main]

use std::sync::LazyLock;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use data_encoding::{BASE64, HEXLOWER};
use libfuzzer_sys::fuzz_target;
use lookout::{
    config::{Config, Secret, SignatureEncoding, SignatureScheme},
    http::signature::{Cause, Delivery, Signature},
};
use ring::{
    digest::{SHA256, digest},
    hmac::{HMAC_SHA256, Key, sign},
    signature::{Ed25519KeyPair, KeyPair},
};

const SECRET: &str = "a secret of 32 bytes, more or less";
const NOW: u64 = 1_795_440_000;

static PAIR: LazyLock<Ed25519KeyPair> = LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("32 bytes"));

/// One of each, and the HMAC in its other form.
static SCHEMES: LazyLock<[Signature; 5]> = LazyLock::new(|| {
    let (hex, base64) = (SignatureEncoding::Hex, SignatureEncoding::Base64);
    [
        signature(SignatureScheme::None, hex),
        signature(SignatureScheme::Token, hex),
        signature(SignatureScheme::HmacSha256, hex),
        signature(SignatureScheme::StandardWebhooks, hex),
        signature(SignatureScheme::HmacSha256, base64),
    ]
});

fn signature(scheme: SignatureScheme, encoding: SignatureEncoding) -> Signature {
    let mut config = Config::defaults().ingest.signature;
    let secrets = match scheme {
        SignatureScheme::StandardWebhooks => {
            vec![
                format!("whsec_{}", BASE64.encode(SECRET.as_bytes())),
                format!("whpk_{}", BASE64.encode(PAIR.public_key().as_ref())),
            ]
        }
        _ => vec![SECRET.to_owned()],
    };
    config.secrets = secrets.into_iter().map(Secret::new).collect();
    (config.scheme, config.encoding, config.header) = (scheme, encoding, "X-Signature".into());
    Signature::new(&config)
}

/// The signature that the secret makes of these bytes.
fn tag(message: &[u8]) -> Vec<u8> {
    sign(&Key::new(HMAC_SHA256, SECRET.as_bytes()), message).as_ref().to_vec()
}

fn hash(body: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, body).as_ref())
}

fn judge(signature: &Signature, headers: &HeaderMap, body: &[u8]) -> Result<Delivery, Cause> {
    signature.prove(signature.claim(headers, NOW)?, body)
}

fn with(headers: &HeaderMap, name: &'static str, value: &str) -> HeaderMap {
    let mut headers = headers.clone();
    headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header value"));
    headers
}

/// What is claimed by one scheme proves nothing in another.
fn assert_claims_do_not_travel(headers: &HeaderMap, body: &[u8]) {
    let kinds = &SCHEMES[..4];
    for (here, from) in kinds.iter().enumerate() {
        for (there, to) in kinds.iter().enumerate().filter(|(there, _)| *there != here) {
            if let Ok(claim) = from.claim(headers, NOW) {
                // No signature and a token have both nothing left to prove.
                let both = here < 2 && there < 2;
                assert!(both || to.prove(claim, body).is_err(), "from {here} to {there}");
            }
        }
    }
}

/// The signatures of Standard Webhooks by the secret and by the private key.
fn standard_tags(id: &str, at: &str, body: &[u8]) -> [String; 2] {
    let message = [id.as_bytes(), b".", at.as_bytes(), b".", body].concat();
    [BASE64.encode(&tag(&message)), BASE64.encode(PAIR.sign(&message).as_ref())]
}

/// A header that stands there once, as text.
fn one<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name);
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok().map(str::trim) }
}

/// Whoever is believed has brought the signature itself.
fn assert_believed_with_the_secret_only(headers: &HeaderMap, body: &[u8]) {
    let [none, token, hmac, standard, hmac_base64] = &*SCHEMES;
    assert_eq!(judge(none, headers, body), Ok(Delivery::AsTold));
    let sent = one(headers, "x-signature");
    assert_eq!(judge(token, headers, body).is_ok(), sent == Some(SECRET));
    if let Ok(delivery) = judge(hmac, headers, body) {
        assert!(sent.is_some_and(|sent| sent.to_ascii_lowercase().ends_with(&HEXLOWER.encode(&tag(body)))));
        assert_eq!(delivery, Delivery::Id(hash(body)));
    }
    if judge(hmac_base64, headers, body).is_ok() {
        assert!(sent.is_some_and(|sent| sent.contains(BASE64.encode(&tag(body)).trim_end_matches('='))));
    }
    if let Ok(delivery) = judge(standard, headers, body) {
        let [id, at, signatures] = standard_headers(headers).map(|header| header.expect("it was read"));
        assert!(standard_tags(id, at, body).iter().any(|tag| signatures.contains(tag.trim_end_matches('='))));
        assert!(at.parse::<u64>().is_ok_and(|at| at.abs_diff(NOW) <= 300), "{at}");
        assert_eq!(delivery, Delivery::Id(id.to_owned()));
    }
}

/// Id, time and signatures.
fn standard_headers(headers: &HeaderMap) -> [Option<&str>; 3] {
    let prefix = if headers.contains_key("webhook-signature") { "webhook" } else { "svix" };
    ["id", "timestamp", "signature"].map(|name| one(headers, &format!("{prefix}-{name}")))
}

/// Whoever signs is believed, but not for another body, id or time.
fn assert_signed_is_believed(headers: &HeaderMap, body: &[u8]) {
    let [_, _, hmac, standard, hmac_base64] = &*SCHEMES;
    let other = [body, b"x"].concat();
    let hex = format!("sha256={}", HEXLOWER.encode(&tag(body)));
    for (scheme, signature) in [(hmac, hex), (hmac_base64, BASE64.encode(&tag(body)))] {
        let signed = with(headers, "x-signature", &signature);
        assert_eq!(judge(scheme, &signed, body), Ok(Delivery::Id(hash(body))));
        assert_eq!(judge(scheme, &signed, &other), Err(Cause::Wrong));
    }
    let [Some(id), ..] = standard_headers(headers) else { return };
    if id.is_empty() {
        return;
    }
    let at = NOW.to_string();
    let signed = with(&with(headers, "webhook-id", id), "webhook-timestamp", &at);
    let [shared, public] = standard_tags(id, &at, body);
    for signature in [format!("v1,{shared}"), format!("v1a,{public}")] {
        let signed = with(&signed, "webhook-signature", &signature);
        assert_eq!(judge(standard, &signed, body), Ok(Delivery::Id(id.to_owned())));
        assert_eq!(judge(standard, &signed, &other), Err(Cause::Wrong));
        assert_eq!(judge(standard, &with(&signed, "webhook-id", &format!("{id}x")), body), Err(Cause::Wrong));
        assert_eq!(judge(standard, &with(&signed, "webhook-timestamp", &(NOW + 1).to_string()), body), Err(Cause::Wrong));
    }
}

fuzz_target!(|input: &[u8]| {
    let Some(end) = input.windows(2).position(|pair| pair == b"\n\n") else { return };
    let (head, body) = (&input[..end], &input[end + 2..]);
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(&line[colon + 1..]));
        let (Ok(name), Ok(value)) = (name, value) else { continue };
        headers.append(name, value);
    }
    assert_believed_with_the_secret_only(&headers, body);
    assert_signed_is_believed(&headers, body);
    assert_claims_do_not_travel(&headers, body);
});
