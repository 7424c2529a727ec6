//! Auth mode `jwt`: which tokens get in, which do not, and what becomes of a stream when its token ends.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::*};
use lookout::config::{AuthMode, Config, JwtAlgorithm};
use serde_json::{Value, json};

use crate::support::{
    Answer, End, Hub, Reader, Reply, Setup, USER, Upstream, event,
    tokens::{TokenKey, claims, now, text},
    wait_for,
};

const HISTORY: &str = "/notifications/zone-port-notifications?user_id=test_user";

/// A hub with this key file, and the configuration changed.
fn hub_with(key: &[u8], change: impl FnOnce(&mut Config)) -> Hub {
    let setup = Setup::new();
    let file = setup.store_folder().join("key");
    std::fs::write(&file, key).unwrap();
    let setup = setup.with(|config| {
        config.auth.mode = AuthMode::Jwt;
        config.auth.jwt_key = Some(file);
        config.auth.jwt_leeway = Duration::ZERO;
        change(config);
    });
    setup.start()
}

fn hub(key: &TokenKey) -> Hub {
    hub_with(&key.file(), |_| {})
}

/// Asks for history with a token; a header that is no text is left out by the client, so everything goes into the query.
fn ask(hub: &Hub, token: &str) -> Answer {
    hub.get(&format!("{HISTORY}&access_token={token}"))
}

fn open(hub: &Hub, token: &str) -> Reader {
    hub.stream(USER).header("Authorization", &format!("Bearer {token}")).connect()
}

/// Checks that a token is refused as worthless, in an answer that shows nothing of it and says what is needed.
fn assert_worthless(answer: &Answer, what: &str) {
    assert_eq!(answer.status(), 401, "{what}: {}", answer.text());
    assert_eq!(answer.assert_error(401)["error"], "invalid_token", "{what}");
    assert_eq!(answer.head.header("www-authenticate").as_deref(), Some("Bearer error=\"invalid_token\""), "{what}");
}

#[test]
fn a_genuine_token_of_each_algorithm_opens_a_stream_however_it_is_brought() {
    for key in TokenKey::of_each_kind() {
        let hub = hub_with(&key.file(), |config| config.auth.jwt_cookie = Some("token".into()));
        let token = key.token(&claims(USER));
        let mut readers = [
            hub.stream(USER).header("Authorization", &format!("Bearer {token}")).connect(),
            hub.stream(USER).header("Cookie", &format!("a=1; token={token}")).connect(),
            hub.stream(USER).query(&format!("access_token={token}")).connect(),
        ];
        hub.post_kept(event("test_user|false", "a"));
        for reader in &mut readers {
            assert_eq!(reader.established["user_id"], USER, "{}", key.algorithm());
            reader.notification();
        }
        assert_eq!(ask(&hub, &token).assert_success()["count"], 1);
    }
}

#[test]
fn a_cookie_counts_only_where_one_is_configured() {
    let key = TokenKey::ed_dsa();
    let cookie = format!("token={}", key.token(&claims(USER)));
    hub(&key).stream(USER).header("Cookie", &cookie).refused().assert_error(401);
}

#[test]
fn who_brings_no_token_is_told_that_one_is_needed() {
    let hub = hub(&TokenKey::es256());
    let id = hub.post_kept(event("test_user|false", "a"));
    for answer in [
        hub.stream(USER).refused(),
        hub.get(HISTORY),
        hub.get(&format!("/notifications/zone-port-notifications/{id}?user_id=test_user")),
        hub.stream(USER).header("Authorization", "Basic dGVzdF91c2VyOnB3").refused(),
        hub.stream(USER).query("access_token=").refused(),
    ] {
        assert_eq!(answer.assert_error(401)["error"], "missing_token");
        assert_eq!(answer.head.header("www-authenticate").as_deref(), Some("Bearer"));
    }
    hub.get("/notifications/zone-port-notifications").assert_error(400);
}

#[test]
fn a_token_for_somebody_else_reads_nothing_of_this_user() {
    let key = TokenKey::es256();
    let hub = hub(&key);
    let id = hub.post_kept(event("test_user|false", "a"));
    for somebody in ["somebody", "Test_User", "test_user ", "test_use", "", "test_user\u{0}"] {
        let token = key.token(&claims(somebody));
        for answer in [
            hub.stream(USER).header("Authorization", &format!("Bearer {token}")).refused(),
            ask(&hub, &token),
            hub.get(&format!("/notifications/zone-port-notifications/{id}?user_id=test_user&access_token={token}")),
        ] {
            assert_eq!(answer.assert_error(403)["error"], "wrong_user", "{somebody:?}");
        }
    }
    // Nor does a second user id or a second token in the query say otherwise.
    let (own, other) = (key.token(&claims("somebody")), key.token(&claims(USER)));
    for query in [
        format!("user_id=somebody&user_id=test_user&access_token={own}"),
        format!("user_id=test_user&access_token={own}&access_token={other}"),
    ] {
        hub.get(&format!("/notifications/zone-port-notifications?{query}")).assert_error(400);
    }
    assert_eq!(hub.metric("lookout_connections_opened_total"), 0.0);
}

#[test]
fn a_public_key_is_no_secret() {
    for key in [TokenKey::rs256(0), TokenKey::es256(), TokenKey::ed_dsa()] {
        let hub = hub(&key);
        let pem = key.file();
        let base64: String = String::from_utf8(pem.clone()).unwrap().lines().filter(|line| !line.starts_with('-')).collect();
        let jwk = serde_json::to_vec(&key.jwk("a")).unwrap();
        for secret in [pem.clone(), pem.trim_ascii().to_vec(), key.der(), key.public(), base64.into_bytes(), jwk, Vec::new()] {
            let forged = TokenKey::hs256(secret.clone()).token(&claims(USER));
            assert_worthless(&ask(&hub, &forged), &format!("HS256 by {} bytes of the {} key", secret.len(), key.algorithm()));
        }
        ask(&hub, &key.token(&claims(USER))).assert_success();
    }
}

#[test]
fn a_token_without_a_signature_is_worthless_whatever_it_calls_that() {
    for key in TokenKey::of_each_kind() {
        let hub = hub(&key);
        let payload = text(claims(USER).to_string());
        for none in ["none", "None", "NONE", "nOnE", "", "null"] {
            let header = text(json!({ "alg": none, "typ": "JWT" }).to_string());
            for token in [format!("{header}.{payload}."), format!("{header}.{payload}"), format!("{header}.{payload}.AA")] {
                assert_worthless(&ask(&hub, &token), &format!("{none} with a key for {}", key.algorithm()));
            }
        }
        for header in [json!({ "typ": "JWT" }), json!({ "alg": null }), json!({ "alg": ["none"] })] {
            assert_worthless(&ask(&hub, &format!("{}.{payload}.", text(header.to_string()))), &header.to_string());
        }
    }
}

#[test]
fn a_token_that_was_changed_or_signed_by_another_key_is_worthless() {
    let others =
        [TokenKey::hs256(*b"a secret that is thirty-two byteS"), TokenKey::rs256(1), TokenKey::es256(), TokenKey::ed_dsa()];
    for (key, other) in TokenKey::of_each_kind().into_iter().zip(&others) {
        let hub = hub(&key);
        let token = key.token(&claims(USER));
        let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
        let longer = text(json!({ "sub": USER, "exp": now() as u64 + 99_999 }).to_string());
        let signed = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        let mut flipped = signed.clone();
        flipped[3] ^= 1;
        let zeros = vec![0; signed.len()];
        let worthless = [
            other.token(&claims(USER)),
            format!("{header}.{longer}.{signature}"),
            format!("{header}.{payload}.{}", text(&flipped)),
            format!("{header}.{payload}.{}", text(&signed[..signed.len() - 1])),
            format!("{header}.{payload}.{}", text([&signed[..], &[0]].concat())),
            format!("{header}.{payload}.{}", text(&zeros)),
            format!("{header}.{payload}."),
            format!("{header}.{payload}"),
            format!("{header}.{payload}.{signature}.{signature}"),
            format!("{header}.{payload}.{signature}%3D"),
            format!("{header}.{payload}.{signature}.."),
            format!("{payload}.{header}.{signature}"),
            format!("..{signature}"),
            "..".to_owned(),
            "a".to_owned(),
            "%00".to_owned(),
            "a.b.c".to_owned(),
            "\u{20ac}.b.c".bytes().map(|byte| format!("%{byte:02X}")).collect(),
        ];
        for token in worthless {
            assert_worthless(&ask(&hub, &token), &format!("{} {token}", key.algorithm()));
        }
        ask(&hub, &token).assert_success();
    }
}

#[test]
fn what_a_token_says_of_its_own_key_is_not_believed() {
    let (key, own) = (TokenKey::rs256(0), TokenKey::rs256(1));
    let issuer = Upstream::start({
        let set = json!({ "keys": [own.jwk("own")] }).to_string();
        move |_| Reply::body(set.clone())
    });
    let hub = hub(&key);
    let (url, certificate) = (issuer.url("/jwks"), BASE64_STANDARD.encode(own.der()));
    for header in [
        json!({ "alg": "RS256", "jwk": own.jwk("own") }),
        json!({ "alg": "RS256", "kid": "own", "jku": url }),
        json!({ "alg": "RS256", "x5u": url }),
        json!({ "alg": "RS256", "x5c": [certificate] }),
        json!({ "alg": "RS256", "kid": url }),
        json!({ "alg": "RS256", "kid": "../../../../dev/null" }),
        json!({ "alg": "RS256", "kid": "' OR 1=1 --" }),
    ] {
        assert_worthless(&ask(&hub, &own.sign(&header, &claims(USER))), &header.to_string());
    }
    // An extension that must be understood, and that we do not understand.
    let critical = json!({ "alg": "RS256", "crit": ["b64"], "b64": false });
    assert_worthless(&ask(&hub, &key.sign(&critical, &claims(USER))), "crit");
    for other in ["RS384", "RS512", "PS256", "HS256", "ES256", "EdDSA", "RSA1_5", "rs256"] {
        assert_worthless(&ask(&hub, &key.sign(&json!({ "alg": other }), &claims(USER))), other);
    }
    assert!(issuer.asked().is_empty(), "nobody is asked because a token says so: {:?}", issuer.asked());
}

#[test]
fn an_algorithm_that_is_not_configured_is_refused_though_there_is_a_key_for_it() {
    let (rsa, ec) = (TokenKey::rs256(0), TokenKey::es256());
    let both = [rsa.file(), ec.file()].concat();
    let hub = hub_with(&both, |config| config.auth.jwt_algorithms = vec![JwtAlgorithm::Es256]);
    ask(&hub, &ec.token(&claims(USER))).assert_success();
    assert_worthless(&ask(&hub, &rsa.token(&claims(USER))), "RS256");
    let hub = hub_with(&both, |_| {});
    ask(&hub, &ec.token(&claims(USER))).assert_success();
    ask(&hub, &rsa.token(&claims(USER))).assert_success();
}

/// What is said of a token with these claims: the code of the refusal, or nothing.
fn verdict(hub: &Hub, key: &TokenKey, claims: &Value) -> Option<String> {
    let answer = ask(hub, &key.token(claims));
    if answer.status() == 200 {
        return None;
    }
    Some(answer.assert_error(401)["error"].as_str().unwrap().to_owned())
}

#[test]
fn a_token_must_be_good_now() {
    let key = TokenKey::ed_dsa();
    let hub = hub(&key);
    let now = now() as i64;
    for (claims, expected) in [
        (json!({ "sub": USER, "exp": now + 60 }), None),
        (json!({ "sub": USER, "exp": now as f64 + 60.5 }), None),
        (json!({ "sub": USER, "exp": now + 60, "nbf": now - 60, "iat": now + 99_999 }), None),
        (json!({ "sub": USER, "exp": now - 1 }), Some("token_expired")),
        (json!({ "sub": USER, "exp": 0 }), Some("token_expired")),
        (json!({ "sub": USER, "exp": now + 60, "nbf": now + 30 }), Some("token_expired")),
        (json!({ "sub": USER }), Some("invalid_token")),
        (json!({ "sub": USER, "exp": null }), Some("invalid_token")),
        (json!({ "sub": USER, "exp": (now + 60).to_string() }), Some("invalid_token")),
        (json!({ "sub": USER, "exp": true }), Some("invalid_token")),
        (json!({ "sub": USER, "exp": [now + 60] }), Some("invalid_token")),
        (json!({ "sub": USER, "exp": -1 }), Some("token_expired")),
        (json!({ "sub": USER, "exp": now + 60, "nbf": now as f64 - 0.5 }), None),
        (json!({ "sub": USER, "exp": now + 60, "nbf": now as f64 + 30.5 }), Some("token_expired")),
        (json!({ "sub": USER, "exp": now + 60, "nbf": "now" }), Some("invalid_token")),
        (json!({ "exp": now + 60 }), Some("invalid_token")),
        (json!({ "sub": null, "exp": now + 60 }), Some("invalid_token")),
        (json!({ "sub": [USER], "exp": now + 60 }), Some("invalid_token")),
        (json!([USER, now + 60]), Some("invalid_token")),
    ] {
        assert_eq!(verdict(&hub, &key, &claims).as_deref(), expected, "{claims}");
    }
    // Said twice is said by two: which one counts must not be ours to choose.
    let header = json!({ "alg": "EdDSA" }).to_string();
    for twice in [
        format!(r#"{{"sub":"test_user","sub":"somebody","exp":{}}}"#, now + 60),
        format!(r#"{{"sub":"test_user","exp":1,"exp":{}}}"#, now + 60),
        r#"{"sub":"test_user","exp":1e999}"#.to_owned(),
        "not json".to_owned(),
    ] {
        assert_worthless(&ask(&hub, &key.sign_text(&header, &twice)), &twice);
    }
    // So far ahead that no timer reaches it.
    for far in ["18446744073709551615", "1e300"] {
        let token = key.sign_text(&header, &format!(r#"{{"sub":"test_user","exp":{far}}}"#));
        let answer = ask(&hub, &token);
        if answer.status() == 200 {
            open(&hub, &token);
        } else {
            assert_worthless(&answer, far);
        }
    }
}

#[test]
fn a_token_must_be_for_us_and_from_whom_we_trust() {
    let key = TokenKey::ed_dsa();
    let strict = hub_with(&key.file(), |config| {
        config.auth.jwt_audience = vec!["lookout".into(), "dashboards".into()];
        config.auth.jwt_issuer = vec!["https://auth.example.com".into()];
    });
    let with = |aud: Value, iss: Value| {
        let mut claims = claims(USER);
        (claims["aud"], claims["iss"]) = (aud, iss);
        claims
    };
    let us = || json!("https://auth.example.com");
    assert_eq!(verdict(&strict, &key, &with(json!("lookout"), us())), None);
    assert_eq!(verdict(&strict, &key, &with(json!(["other", "dashboards"]), us())), None);
    for claims in [
        with(json!("other"), us()),
        with(json!(["other"]), us()),
        with(json!([]), us()),
        with(json!("lookout "), us()),
        with(json!(1), us()),
        with(Value::Null, us()),
        with(json!("lookout"), json!("https://auth.example.com/")),
        with(json!("lookout"), json!("https://evil.example.com")),
        with(json!("lookout"), Value::Null),
        with(json!("lookout"), json!({})),
        claims(USER),
    ] {
        assert_eq!(verdict(&strict, &key, &claims).as_deref(), Some("invalid_token"), "{claims}");
    }
    let lax = hub(&key);
    assert_eq!(verdict(&lax, &key, &with(Value::Null, json!("anybody"))), None);
    let for_others = with(json!("other"), Value::Null);
    assert_eq!(verdict(&lax, &key, &for_others).as_deref(), Some("invalid_token"), "it says that it is for somebody else");
}

#[test]
fn one_request_cannot_bring_two_tokens() {
    let key = TokenKey::ed_dsa();
    let hub = hub_with(&key.file(), |config| {
        config.auth.jwt_cookie = Some("token".into());
        config.server.max_head = 64 << 10;
    });
    let (own, other) = (key.token(&claims(USER)), key.token(&claims("somebody")));
    let bearer = |token: &str| format!("Bearer {token}");
    for stream in [
        hub.stream(USER).header("Authorization", &bearer(&own)).header("Cookie", &format!("token={other}")),
        hub.stream(USER).header("Authorization", &bearer(&other)).query(&format!("access_token={own}")),
        hub.stream(USER).header("Authorization", &bearer(&own)).header("Authorization", &bearer(&other)),
        hub.stream(USER).header("Cookie", &format!("token={own}; token={other}")),
    ] {
        assert_eq!(stream.refused().assert_error(400)["error"], "several_tokens");
    }
    let twice = hub.stream(USER).header("Authorization", &bearer(&own)).query(&format!("access_token={own}"));
    twice.connect();
    let long = "a".repeat(20_000);
    let answer = hub.stream(USER).header("Authorization", &bearer(&long)).refused();
    assert_eq!(answer.assert_error(400)["error"], "token_too_long");
}

#[test]
fn a_stream_ends_when_its_token_does_and_says_why() {
    let key = TokenKey::es256();
    let hub = hub(&key);
    let start = now();
    let end = start as u64 + 3;
    let token = key.token(&json!({ "sub": USER, "exp": end }));
    let mut reader = open(&hub, &token);
    hub.post_kept(event("test_user|false", "a"));
    let entry = reader.notification();
    let (mut messages, how) = reader.rest();
    let ended = now();
    let last = messages.pop().unwrap();
    assert!(messages.iter().all(|message| message.kind() == "heartbeat"), "{messages:?}");
    assert_eq!(last.fields(), ["type", "timestamp", "reason"]);
    assert_eq!((last.kind(), &last.json["reason"]), ("session_ended", &json!("token_expired")));
    assert_eq!(last.id, entry.id, "who comes back with a new token continues from here");
    assert_eq!(how, End::Clean);
    assert!((end as f64..end as f64 + 2.0).contains(&ended), "token to {end}, stream to {ended}");
    let answer = ask(&hub, &token);
    assert_eq!(answer.assert_error(401)["error"], "token_expired");
    hub.wait_for_metric("lookout_connections", 0.0);
    let text = hub.admin("/metrics").text();
    assert!(text.contains("lookout_connections_closed_total{cause=\"token_expired\"} 1"), "{text}");

    hub.post_kept(event("test_user|false", "b"));
    let fresh = key.token(&claims(USER));
    let mut reader = hub.stream(USER).query(&format!("access_token={fresh}")).after(&last.id.unwrap()).connect();
    reader.notification();
    assert_eq!(reader.expect("caught_up").json["replayed"], 1);
}

#[test]
fn clocks_may_differ_by_the_leeway_and_no_more() {
    let key = TokenKey::es256();
    let hub = hub_with(&key.file(), |config| config.auth.jwt_leeway = Duration::from_secs(3));
    let late = json!({ "sub": USER, "exp": now() as u64 - 1 });
    let begun = Instant::now();
    let mut reader = open(&hub, &key.token(&late));
    assert_eq!(reader.expect("session_ended").json["reason"], "token_expired");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(verdict(&hub, &key, &late).as_deref(), Some("token_expired"));
    assert_eq!(verdict(&hub, &key, &json!({ "sub": USER, "exp": now() as u64 - 5 })).as_deref(), Some("token_expired"));
    assert_eq!(verdict(&hub, &key, &json!({ "sub": USER, "exp": now() as u64 + 60, "nbf": now() as u64 + 2 })), None);
    let early = json!({ "sub": USER, "exp": now() as u64 + 60, "nbf": now() as u64 + 20 });
    assert_eq!(verdict(&hub, &key, &early).as_deref(), Some("token_expired"));
}

#[test]
fn a_lifetime_ends_a_stream_before_its_token_does() {
    let key = TokenKey::es256();
    let hub = hub_with(&key.file(), |config| config.stream.max_lifetime = Some(Duration::from_secs(1)));
    let (messages, end) = open(&hub, &key.token(&claims(USER))).rest();
    assert_eq!((messages.len(), end), (0, End::Clean));
}

#[test]
fn a_reader_that_stands_still_loses_its_stream_with_its_token_too() {
    let key = TokenKey::es256();
    let hub = hub_with(&key.file(), |config| {
        config.stream.queue_size = 2;
        config.stream.stall_timeout = Duration::from_secs(1);
    });
    let token = key.token(&json!({ "sub": USER, "exp": now() as u64 + 2 }));
    let _stalled = hub.stream(USER).query(&format!("access_token={token}")).small_buffers().connect();
    for round in 0..40 {
        let mut big = event("test_user|false", &round.to_string());
        big["event"]["remark"] = "~".repeat(20_000).into();
        hub.post_kept(big);
    }
    hub.wait_for_metric("lookout_connections", 0.0);
}

fn replace(file: &Path, content: &[u8]) {
    let new = file.with_extension("new");
    std::fs::write(&new, content).unwrap();
    std::fs::rename(&new, file).unwrap();
}

#[test]
fn a_key_file_is_read_again_when_it_changes_and_a_broken_one_changes_nothing() {
    let (old, new) = (TokenKey::ed_dsa(), TokenKey::es256());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    std::fs::write(&file, old.file()).unwrap();
    let hub = hub_with(b"", |config| config.auth.jwt_key = Some(file.clone()));
    let (with_old, with_new) = (old.token(&claims(USER)), new.token(&claims(USER)));
    ask(&hub, &with_old).assert_success();
    assert_worthless(&ask(&hub, &with_new), "not yet");
    replace(&file, b"-----BEGIN PUBLIC KEY-----\nbroken\n-----END PUBLIC KEY-----\n");
    std::thread::sleep(Duration::from_millis(1500));
    ask(&hub, &with_old).assert_success();
    replace(&file, &[old.file(), new.file()].concat());
    wait_for("the second key", || (ask(&hub, &with_new).status() == 200).then_some(()));
    ask(&hub, &with_old).assert_success();
    replace(&file, &new.file());
    wait_for("the first key to be gone", || (ask(&hub, &with_old).status() == 401).then_some(()));
    ask(&hub, &with_new).assert_success();
}

/// A hub whose keys are at a URL.
fn hub_of(issuer: &Upstream, change: impl FnOnce(&mut Config)) -> Hub {
    let url = lookout::config::Secret::new(issuer.url("/jwks?key=s3cret"));
    hub_with(b"", |config| {
        config.auth.jwt_key = None;
        config.auth.jwt_jwks = Some(lookout::config::Jwks::Url(url));
        config.auth.timeout = Duration::from_millis(500);
        change(config);
    })
}

fn set(keys: &[(&str, &TokenKey)]) -> Vec<u8> {
    let keys: Vec<Value> = keys.iter().map(|(kid, key)| key.jwk(kid)).collect();
    json!({ "keys": keys }).to_string().into_bytes()
}

#[test]
fn a_rotated_key_is_fetched_when_a_token_names_it_and_made_up_ones_fetch_nothing() {
    let (old, new) = (TokenKey::rs256(0), TokenKey::es256());
    let issuer = Upstream::start({
        let set = set(&[("old", &old)]);
        move |_| Reply::body(set.clone())
    });
    let hub = hub_of(&issuer, |_| {});
    let by_old = old.token_by("old", &claims(USER));
    wait_for("the first keys", || (ask(&hub, &by_old).status() == 200).then_some(()));
    assert_eq!(issuer.asked().len(), 1);
    assert_eq!(issuer.asked()[0].line, "GET /jwks?key=s3cret");
    issuer.answer({
        let set = set(&[("new", &new)]);
        move |_| Reply::body(set.clone())
    });
    ask(&hub, &new.token_by("new", &claims(USER))).assert_success();
    assert_worthless(&ask(&hub, &by_old), "its key is gone");
    assert_worthless(&ask(&hub, &old.token_by("new", &claims(USER))), "its signature is not of that key");
    let fetched = issuer.asked().len();
    assert_eq!(fetched, 2);
    for made_up in 0..50 {
        assert_worthless(&ask(&hub, &new.token_by(&format!("kid-{made_up}"), &claims(USER))), "made up");
    }
    assert_eq!(issuer.asked().len(), fetched, "no more than one each ten seconds");
    ask(&hub, &new.token(&claims(USER))).assert_success();
}

#[test]
fn many_who_bring_a_new_key_at_once_have_it_fetched_once() {
    let (old, new) = (TokenKey::ed_dsa(), TokenKey::es256());
    let issuer = Upstream::start({
        let set = set(&[("old", &old)]);
        move |_| Reply::body(set.clone())
    });
    let hub = hub_of(&issuer, |_| {});
    wait_for("the first keys", || (ask(&hub, &old.token_by("old", &claims(USER))).status() == 200).then_some(()));
    issuer.answer({
        let set = set(&[("old", &old), ("new", &new)]);
        move |_| Reply::body(set.clone()).after(Duration::from_millis(200))
    });
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..20).map(|_| scope.spawn(|| ask(&hub, &new.token_by("new", &claims(USER))).status())).collect();
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    assert_eq!(statuses, [200; 20]);
    assert_eq!(issuer.asked().len(), 2);
}

#[test]
fn without_any_keys_yet_it_is_503_and_the_last_good_ones_stay_whatever_comes_later() {
    let key = TokenKey::es256();
    let issuer = Upstream::start(|_| Reply::status(500));
    let hub = hub_of(&issuer, |config| config.auth.jwt_refresh = Duration::from_millis(100));
    let token = key.token_by("a", &claims(USER));
    let answer = ask(&hub, &token);
    assert_eq!(answer.assert_error(503)["error"], "auth_unavailable");
    assert!(answer.head.header("retry-after").is_some());
    hub.stream(USER).query(&format!("access_token={token}")).refused().assert_error(503);

    let good = set(&[("a", &key)]);
    let elsewhere = Upstream::start({
        let good = good.clone();
        move |_| Reply::body(good.clone())
    });
    let redirect = Reply { headers: format!("Location: {}\r\n", elsewhere.url("/jwks")), ..Reply::status(302) };
    let bad = [
        Reply::body("no key set"),
        Reply::body(json!({ "keys": [] }).to_string()),
        Reply::body(json!({ "keys": [{ "kty": "RSA" }, 5, null] }).to_string()),
        Reply::body(set(&[("a", &TokenKey::hs256(*b"a secret that is thirty-two bytes"))])),
        Reply { status: 404, ..Reply::body(good.clone()) },
        redirect,
        Reply::body(vec![b' '; 2 << 20]),
        Reply::body(good.clone()).after(Duration::from_secs(2)),
    ];
    let answer_and_wait = |reply: &Reply| {
        let before = issuer.asked().len();
        let reply = reply.clone();
        issuer.answer(move |_| reply.clone());
        wait_for("the set to be fetched", || (issuer.asked().len() > before + 1).then_some(()));
    };
    for reply in &bad {
        answer_and_wait(reply);
        ask(&hub, &token).assert_error(503);
    }
    answer_and_wait(&Reply::body(good));
    wait_for("the keys", || (ask(&hub, &token).status() == 200).then_some(()));
    for reply in &bad {
        answer_and_wait(reply);
        ask(&hub, &token).assert_success();
    }
    drop(issuer);
    std::thread::sleep(Duration::from_millis(300));
    ask(&hub, &token).assert_success();
    assert!(elsewhere.asked().is_empty(), "a redirect is not followed");
}

#[test]
fn a_set_that_anybody_can_fetch_holds_no_secret_and_a_file_may() {
    let (secret, key) = (TokenKey::hs256(*b"a secret that is thirty-two bytes"), TokenKey::es256());
    let both = set(&[("secret", &secret), ("key", &key)]);
    let issuer = Upstream::start({
        let both = both.clone();
        move |_| Reply::body(both.clone())
    });
    let hub = hub_of(&issuer, |_| {});
    wait_for("the keys", || (ask(&hub, &key.token_by("key", &claims(USER))).status() == 200).then_some(()));
    assert_worthless(&ask(&hub, &secret.token_by("secret", &claims(USER))), "by what everybody can read");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("set.json");
    std::fs::write(&file, both).unwrap();
    let hub = hub_with(b"", |config| {
        config.auth.jwt_key = None;
        config.auth.jwt_jwks = Some(lookout::config::Jwks::File(file.clone()));
    });
    ask(&hub, &secret.token_by("secret", &claims(USER))).assert_success();
    assert_worthless(&ask(&hub, &secret.token_by("key", &claims(USER))), "by another key than it names");
}

#[test]
fn an_open_stream_outlives_the_key_that_opened_it() {
    let key = TokenKey::ed_dsa();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    std::fs::write(&file, key.file()).unwrap();
    let hub = hub_with(b"", |config| config.auth.jwt_key = Some(file.clone()));
    let token = key.token(&claims(USER));
    let mut reader = open(&hub, &token);
    replace(&file, &TokenKey::ed_dsa().file());
    wait_for("the key to be gone", || (ask(&hub, &token).status() == 401).then_some(()));
    assert!(reader.stays_open(Duration::from_millis(100)));
}
