//! What callers show and what an operator keeps secret is in no log line and in no answer.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    Answer, Reply, Server, USER, Upstream,
    tokens::{TokenKey, claims, now},
    wait_for,
};

const HISTORY: &str = "/notifications/zone-port-notifications?user_id=test_user";

/// Brings a credential in every way, to a stream and to history.
fn bring(server: &Server, credential: &str) -> Vec<Answer> {
    let bearer = format!("Bearer {credential}");
    let cookie = format!("session={credential}");
    let mut answers = vec![server.get(&format!("{HISTORY}&access_token={credential}"))];
    for header in [("Authorization", bearer.as_str()), ("Cookie", cookie.as_str())] {
        answers.push(server.ask("GET", HISTORY, &[header]));
        let stream = server.stream(USER).header(header.0, header.1);
        if stream.status().unwrap() != 200 {
            answers.push(stream.refused());
        }
    }
    answers.push(server.stream("somebody").header("Authorization", &bearer).query("last_event_id=nonsense").refused());
    answers
}

/// Checks that none of these is in the log, nor in an answer.
fn assert_unseen(server: &Server, answers: &[Answer], secrets: &[&str]) {
    let log = server.log();
    assert!(log.contains("cause="), "the log is there: {log}");
    for secret in secrets.iter().chain(&["access_token", "user_id=", "Bearer", "session="]) {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    for (answer, secret) in answers.iter().flat_map(|answer| secrets.iter().map(move |secret| (answer, secret))) {
        assert!(!answer.text().contains(secret), "{secret} in {}", answer.text());
    }
}

#[test]
fn no_token_is_logged_or_shown_whether_it_is_good_or_not() {
    let (key, other) = (TokenKey::es256(), TokenKey::es256());
    let issuer = Upstream::start({
        let set = json!({ "keys": [key.jwk("a")] }).to_string();
        move |_| Reply::body(set.clone())
    });
    let url = issuer.url("/jwks?key=s3cret");
    let server = Server::start(&[
        ("AUTH__MODE", "jwt"),
        ("AUTH__JWT_JWKS", &url),
        ("AUTH__JWT_COOKIE", "session"),
        ("AUTH__JWT_LEEWAY", "0s"),
        ("LOG__LEVEL", "trace"),
    ]);
    let good = key.token_by("a", &claims(USER));
    wait_for("the keys", || {
        let answer = server.ask("GET", HISTORY, &[("Authorization", &format!("Bearer {good}"))]);
        (answer.status() == 200).then_some(())
    });
    let short = key.token_by("a", &json!({ "sub": USER, "exp": now() as u64 + 2 }));
    let reader = server.stream(USER).query(&format!("access_token={short}")).connect();
    let tokens = [
        good,
        short,
        key.token_by("a", &json!({ "sub": USER, "exp": now() as u64 - 60 })),
        key.token_by("a", &json!({ "sub": "somebody-else", "exp": now() as u64 + 60 })),
        key.token_by("a", &json!({ "sub": USER, "exp": "never-ever" })),
        key.token_by("unknown-key-id", &claims(USER)),
        other.token_by("a", &claims(USER)),
        "a-text-that-is-no-token".to_owned(),
    ];
    let answers: Vec<_> = tokens.iter().flat_map(|token| bring(&server, token)).collect();
    let (_, end) = { reader }.rest();
    assert_eq!(end, crate::support::End::Clean);
    drop(issuer);
    server.wait_for_metric("lookout_connections", 0.0);
    let parts: Vec<&str> = tokens.iter().flat_map(|token| token.split('.')).collect();
    let secrets = [&parts[..], &["s3cret", "unknown-key-id", "never-ever", "somebody-else", "jwks?"]].concat();
    assert_unseen(&server, &answers, &secrets);
}

#[test]
fn what_the_auth_system_is_shown_is_logged_nowhere_also_when_it_fails() {
    let system = Upstream::start(|asked| {
        let good = asked.header("authorization") == ["Bearer good-credential"] && asked.body.contains(USER);
        Reply::status(if good { 200 } else { 401 })
    });
    let url = system.url("/check?key=s3cret");
    let server = Server::start(&[
        ("AUTH__MODE", "http"),
        ("AUTH__URL", &url),
        ("AUTH__TIMEOUT", "300ms"),
        ("AUTH__CACHE_FOR", "0s"),
        ("LOG__LEVEL", "trace"),
    ]);
    let mut answers = bring(&server, "good-credential");
    answers.extend(bring(&server, "bad-credential"));
    system.answer(|_| Reply { headers: "Location: http://127.0.0.1:1/?next=s3cret\r\n".into(), ..Reply::status(302) });
    answers.extend(bring(&server, "any-credential"));
    system.answer(|_| Reply::status(200).after(Duration::from_secs(1)));
    answers.extend(bring(&server, "slow-credential"));
    drop(system);
    answers.extend(bring(&server, "late-credential"));
    server.wait_for_metric("lookout_connections", 0.0);
    assert_unseen(&server, &answers, &["credential", "s3cret", "check?"]);
}

#[test]
fn a_configuration_fault_shows_no_url_that_may_hold_a_key() {
    for (key, value) in
        [("AUTH__URL", "https://user:s3cret@auth.example.com"), ("AUTH__JWT_JWKS", "http://auth.example.com/?s3cret")]
    {
        let output = Server::prepared(&[(key, value)]).run(&["check"]);
        let text = [output.stdout, output.stderr].concat();
        assert!(!output.status.success() && !String::from_utf8(text).unwrap().contains("s3cret"), "{key}");
    }
}

#[test]
fn a_server_without_usable_keys_does_not_start_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    for (content, words) in [(None, "No such file"), (Some("too short a secret"), "32 bytes")] {
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        let settings = [("AUTH__MODE", "jwt"), ("AUTH__JWT_KEY", file.to_str().unwrap())];
        let output = Server::prepared(&settings).run(&["serve"]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains("auth.jwt_key") && text.contains(words), "{text}");
        assert!(!text.contains("too short a secret"), "{text}");
    }
}
