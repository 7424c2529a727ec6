//! Senders that must prove themselves, and those who cannot: what they are answered, and what is kept of them.

use lookout::config::SignatureScheme::{HmacSha256, StandardWebhooks, Token};
use serde_json::{Value, json};

use crate::support::{
    Answer, Hub, Server, Setup, event,
    sign::{SECRET, WHSEC, borrowed, hmac, standard, standard_at},
};

const WEBHOOK: &str = "/notifications/webhook/zone-port-event";

/// An event that no fact key recognises.
fn keyless() -> Vec<u8> {
    json!({"custom_reference": "test_user|false", "vessel": {"name": "NO KEY"}}).to_string().into_bytes()
}

fn post_signed(hub: &Hub, headers: &[(String, String)], body: &[u8]) -> Answer {
    hub.post_bytes(body, &borrowed(headers))
}

/// Checks that nothing of a sender was kept, and that it was counted.
fn assert_nothing_is_kept(hub: &Hub, refused: f64) {
    assert_eq!(hub.history("")["count"], 0);
    assert_eq!(hub.metric("lookout_dead_letters_total"), 0.0);
    assert_eq!(hub.metric("lookout_signature_failures_total"), refused);
}

#[test]
fn a_signed_webhook_is_kept_and_one_with_a_wrong_signature_leaves_nothing() {
    let hub = Setup::new().signed_by(StandardWebhooks, &[WHSEC]).start();
    let body = event("test_user|false", "a").to_string();
    let good = standard("webhook", WHSEC, "msg_1", body.as_bytes());
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let now = chrono::Utc::now().timestamp();
    let refusals = [
        hub.post(&body),
        post_signed(&hub, &good[1..], body.as_bytes()),
        post_signed(&hub, &standard("webhook", other, "msg_1", body.as_bytes()), body.as_bytes()),
        post_signed(&hub, &good, body.replace("test_user", "best_user").as_bytes()),
        post_signed(&hub, &good, b"not JSON"),
        post_signed(&hub, &standard_at("webhook", WHSEC, "msg_1", now - 400, body.as_bytes()), body.as_bytes()),
        post_signed(&hub, &standard_at("webhook", WHSEC, "msg_1", now + 400, body.as_bytes()), body.as_bytes()),
        post_signed(&hub, &standard_at("webhook", WHSEC, "msg_1", i64::MIN, body.as_bytes()), body.as_bytes()),
    ];
    for refusal in &refusals {
        assert_eq!(refusal.assert_error(401)["error"], "bad_signature");
        assert_eq!(refusal.text(), refusals[0].text(), "it does not tell what was wrong");
    }
    assert_nothing_is_kept(&hub, refusals.len() as f64);
    post_signed(&hub, &good, body.as_bytes()).assert_success();
    assert_eq!(hub.history("")["count"], 1);
}

#[test]
fn a_secret_is_changed_by_giving_the_new_beside_the_old_one() {
    let hub = Setup::new().signed_by(HmacSha256, &["the old one", SECRET]).start();
    for secret in ["the old one", SECRET] {
        let body = event("test_user|false", secret).to_string();
        hub.post_bytes(body.as_bytes(), &[("X-Signature", &hmac(secret, body.as_bytes()))]).assert_success();
    }
    let body = event("test_user|false", "c").to_string();
    hub.post_bytes(body.as_bytes(), &[("X-Signature", &hmac("the next one", body.as_bytes()))]).assert_error(401);
}

#[test]
fn a_token_lets_in_and_nothing_else_does() {
    let hub = Setup::new().signed_by(Token, &[SECRET]).start();
    let post = |token: &str| hub.post_bytes(event("test_user|false", "a").to_string().as_bytes(), &[("x-signature", token)]);
    post(&SECRET[1..]).assert_error(401);
    hub.post(event("test_user|false", "a")).assert_error(401);
    assert_nothing_is_kept(&hub, 2.0);
    post(SECRET).assert_success();
}

#[test]
fn a_stranger_is_refused_before_its_body_is_read_and_takes_no_place() {
    let hub = Setup::new()
        .signed_by(StandardWebhooks, &[WHSEC])
        .with(|config| {
            config.ingest.max_in_flight = 1;
            config.ingest.body_timeout = std::time::Duration::from_secs(3_600);
        })
        .start();
    let body = keyless();
    let headers = standard("webhook", WHSEC, "msg_1", &body);
    let length = body.len().to_string();
    let mut all = borrowed(&headers);
    all.extend([("Content-Length", length.as_str()), ("Expect", "100-continue")]);
    let mut honest = hub.sender().unwrap();
    honest.begin("POST", WEBHOOK, &all).unwrap();
    assert_eq!(honest.answer(true).unwrap().status(), 100);
    honest.send(&body[..5]).unwrap();
    let mut stranger = hub.sender().unwrap();
    stranger.begin("POST", WEBHOOK, &[("Content-Length", "1000000")]).unwrap();
    stranger.answer(false).unwrap().assert_error(401);

    honest.send(&body[5..]).unwrap();
    honest.answer(false).unwrap().assert_success();
}

#[test]
fn the_body_of_a_refused_webhook_is_never_taken_for_a_request() {
    let hub = Setup::new().signed_by(Token, &[SECRET]).start();
    let smuggled = format!("POST {WEBHOOK} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nX-Signature: {SECRET}\r\n\r\n");
    let mut sender = hub.sender().unwrap();
    sender.request("POST", WEBHOOK, &[], smuggled.as_bytes()).unwrap().assert_error(401);
    // Whether the connection can be used again or not: the next answer is to the next request.
    if let Ok(answer) = sender.request("POST", WEBHOOK, &[], b"") {
        answer.assert_error(401);
    }
    assert_eq!(hub.metric("lookout_webhook_answers_total"), hub.metric("lookout_signature_failures_total"));
}

/// Posts a request, then the same one again with other headers beside the signed ones: one event.
fn assert_a_replay_is_a_duplicate(hub: &Hub, headers: &[(String, String)], body: &[u8], changes: &[(&str, &str)]) {
    let first = post_signed(hub, headers, body).assert_success();
    assert_eq!(first["duplicate"], false);
    for change in [None].into_iter().chain(changes.iter().map(Some)) {
        let mut all = borrowed(headers);
        all.extend(change);
        let again = hub.post_bytes(body, &all).assert_success();
        assert_eq!((&again["duplicate"], &again["notification_id"]), (&json!(true), &first["notification_id"]), "{change:?}");
    }
    assert_eq!(hub.history("")["count"], 1);
}

#[test]
fn a_signed_request_posted_again_is_a_duplicate_whatever_its_other_headers_say() {
    let body = keyless();
    let forged = [("X-Delivery-ID", "forged"), ("ce-id", "forged"), ("svix-id", "forged")];
    let hub = Setup::new().signed_by(StandardWebhooks, &[WHSEC]).start();
    assert_a_replay_is_a_duplicate(&hub, &standard("webhook", WHSEC, "msg_1", &body), &body, &forged);

    let hub = Setup::new().signed_by(StandardWebhooks, &[WHSEC]).start();
    let forged = [("X-Delivery-ID", "forged"), ("webhook-id", "forged")];
    assert_a_replay_is_a_duplicate(&hub, &standard("svix", WHSEC, "msg_1", &body), &body, &forged);

    let hub = Setup::new().signed_by(HmacSha256, &[SECRET]).start();
    let headers = [("X-Signature".to_owned(), hmac(SECRET, &body))];
    assert_a_replay_is_a_duplicate(&hub, &headers, &body, &forged);
}

#[test]
fn another_event_of_the_same_content_has_an_id_of_its_own() {
    let hub = Setup::new().signed_by(StandardWebhooks, &[WHSEC]).start();
    let body = keyless();
    let deliver = |id: &str| post_signed(&hub, &standard("webhook", WHSEC, id, &body), &body).assert_success();
    assert_eq!(
        [deliver("msg_1")["duplicate"].clone(), deliver("msg_2")["duplicate"].clone()],
        [Value::from(false), Value::from(false)]
    );
}

#[test]
fn an_unusable_body_of_a_known_sender_is_a_dead_letter_as_ever() {
    let hub = Setup::new().signed_by(HmacSha256, &[SECRET]).start();
    hub.post_bytes(b"not JSON", &[("X-Signature", &hmac(SECRET, b"not JSON"))]).assert_error(400);
    assert_eq!(hub.metric("lookout_dead_letters_total"), 1.0);
}

#[test]
fn no_secret_token_or_signature_is_logged_or_answered() {
    let server = Server::start(&[
        ("INGEST__SIGNATURE__SCHEME", "token"),
        ("INGEST__SIGNATURE__HEADER", "X-Signature"),
        ("INGEST__SIGNATURE__SECRETS", &format!("[{SECRET:?}, {WHSEC:?}]")),
        ("LOG__LEVEL", "trace"),
    ]);
    let body = event("test_user|false", "a").to_string();
    let refused = server.post_bytes(body.as_bytes(), &[("X-Signature", "a wrong token")]);
    refused.assert_error(401);
    server.post_bytes(body.as_bytes(), &[("X-Signature", SECRET)]).assert_success();
    server.post_bytes(b"not JSON", &[("X-Signature", SECRET)]).assert_error(400);
    let log = server.log();
    assert!(log.contains("event=bad_signature cause=wrong"), "{log}");
    for secret in [SECRET, WHSEC, "a wrong token"] {
        assert!(!log.contains(secret) && !refused.text().contains(secret), "{secret} is in\n{log}");
    }
}
