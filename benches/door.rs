//! What a webhook of about 1 KB costs before it goes to the store: its signature checked, its JSON read, its strings cleaned.
//!
//! In CPU time of this process, by scheme; ends with 1 where one costs more than it may.

#![allow(clippy::expect_used, reason = "a benchmark fails by panicking")]

#[allow(dead_code, reason = "no server is started here")]
mod server;

use std::{hint::black_box, process::ExitCode, time::SystemTime};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER};
use lookout::{
    actors::intake::Intake,
    config::{Config, Secret, SignatureScheme},
    http::signature::Signature,
    notification::provider::DeliveryHeaders,
};
use ring::{
    hmac::{HMAC_SHA256, Key, sign},
    signature::{Ed25519KeyPair, KeyPair},
};

/// What one webhook may cost, µs.
const LIMIT: f64 = 60.0;
/// How many are measured: CPU time is told in hundredths of a second.
const WEBHOOKS: u32 = 40_000;

const SECRET: &str = "a secret of 32 bytes, more or less";
const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";

fn body() -> Bytes {
    let body = serde_json::json!({
        "custom_reference": "analyst-07|true", "subscription_id": "6b0409f05787c25675f3a015", "created_at": "2026-11-23T11:15:00Z",
        "vessel": {"imo": "9999993", "mmsi": "636999901", "name": "NORDLYS PIONEER", "call_sign": "D5ZZ9", "flag": "Liberia",
            "type": "Bulk carrier", "asset_id": "0b000000-0000-4000-8000-000000000001", "flag_code": "LBR"},
        "event": {"type": "zone_entry", "id": "0c000000-0000-4000-8000-000000000001", "timestamp": "2026-11-23T10:35:00Z",
            "latitude": 63.91204, "longitude": 7.40311, "course": 178.5, "heading": 181,
            "navigational_status": {"status": "Under way using engine", "code": 0},
            "reported_destination": "NLRTM > DEHAM", "reported_eta": "2026-11-25T06:00:00Z"},
        "zone_port_information": {"id": "0a000000-0000-4000-8000-0000000000e1", "type": "Jurisdictional",
            "sub_type": "Exclusive Economic Zones (EEZ)", "name": "Northern Shelf EEZ", "description": "depth < 200 m",
            "country_code": "NOR", "url": "https://example.test/zones/1", "centroid": {"latitude": 64.5, "longitude": 6.25}},
    });
    body.to_string().into()
}

fn main() -> ExitCode {
    let body = body();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let signed = [format!("{ID}.{now}.").as_bytes(), &body].concat();
    let standard = |signature: String| {
        vec![("webhook-id", ID.to_owned()), ("webhook-timestamp", now.to_string()), ("webhook-signature", signature)]
    };
    let hmac = |bytes: &[u8]| sign(&Key::new(HMAC_SHA256, SECRET.as_bytes()), bytes);
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed has 32 bytes");
    let (whsec, whpk) =
        (format!("whsec_{}", BASE64.encode(SECRET.as_bytes())), format!("whpk_{}", BASE64.encode(pair.public_key().as_ref())));
    let schemes = [
        ("none", SignatureScheme::None, vec![], vec![]),
        ("token", SignatureScheme::Token, vec![SECRET], vec![("x-signature", SECRET.to_owned())]),
        (
            "hmac-sha256",
            SignatureScheme::HmacSha256,
            vec![SECRET],
            vec![("x-signature", format!("sha256={}", HEXLOWER.encode(hmac(&body).as_ref())))],
        ),
        (
            "standard-webhooks v1",
            SignatureScheme::StandardWebhooks,
            vec![&whsec],
            standard(format!("v1,{}", BASE64.encode(hmac(&signed).as_ref()))),
        ),
        (
            "standard-webhooks v1a",
            SignatureScheme::StandardWebhooks,
            vec![&whpk],
            standard(format!("v1a,{}", BASE64.encode(pair.sign(&signed).as_ref()))),
        ),
    ];
    println!("{} bytes a webhook, {WEBHOOKS} webhooks a scheme", body.len());
    let mut within = true;
    for (name, scheme, secrets, headers) in schemes {
        let cost = measure(scheme, &secrets, &headers, now, &body);
        within &= cost < LIMIT;
        println!("{name:22} {cost:6.2} µs of CPU, of {LIMIT} that it may cost");
    }
    if within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// µs of CPU for one webhook.
fn measure(scheme: SignatureScheme, secrets: &[&str], headers: &[(&'static str, String)], now: u64, body: &Bytes) -> f64 {
    let mut config = Config::defaults();
    config.ingest.signature.scheme = scheme;
    config.ingest.signature.secrets = secrets.iter().map(|secret| Secret::new(*secret)).collect();
    config.ingest.signature.header = "X-Signature".into();
    let signature = Signature::new(&config.ingest.signature);
    let intake = Intake::new(&config.ingest, &config.screening, "list");
    let pair = |(name, value): &(&'static str, String)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header value"))
    };
    let headers: HeaderMap = headers.iter().map(pair).collect();
    let take = || {
        let claim = signature.claim(&headers, now).unwrap_or_else(|cause| panic!("{cause:?}"));
        let delivery = signature.prove(claim, body).unwrap_or_else(|cause| panic!("{cause:?}"));
        let prepared = intake.prepare(body.clone(), &DeliveryHeaders::default(), chrono::Utc::now());
        assert_eq!(prepared.receive.notifications.len(), 1);
        black_box((delivery, prepared));
    };
    (0..WEBHOOKS / 10).for_each(|_| take());
    let before = server::cpu_seconds(std::process::id());
    (0..WEBHOOKS).for_each(|_| take());
    (server::cpu_seconds(std::process::id()) - before) / f64::from(WEBHOOKS) * 1e6
}
