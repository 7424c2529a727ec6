//! `lookout check`: faults end it with 1, risks are told and end it with 0, and no secret is shown.

use crate::support::{Identity, Server};

/// How it ends, and what it says.
fn check(settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = Server::prepared(settings).run(&["check"]);
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[test]
fn a_sound_configuration_ends_with_0() {
    let (code, said) = check(&[("SCREENING__LISTS", "['a.csv']")]);
    assert_eq!((code, &*said), (Some(0), "the configuration is valid\n"));
}

#[test]
fn risks_are_all_told_and_end_with_0() {
    let (code, said) = check(&[
        ("SERVER__BIND", "0.0.0.0:8000"),
        ("ADMIN__BIND", "0.0.0.0:8001"),
        ("ADMIN__ALLOW_REMOTE", "true"),
        ("STREAM__HEARTBEAT_INTERVAL", "2m"),
        ("STORE__RETENTION", "1d"),
    ]);
    assert_eq!(code, Some(0), "{said}");
    for risk in [
        "cors.allowed_origins is \"*\"",
        "stream.audience is \"everyone\"",
        "webhooks are not signed",
        "admin.bind is not on loopback",
        "stream.heartbeat_interval is over 60 s",
        "store.retention is below 4 days",
        "screening.lists is empty",
    ] {
        assert!(said.lines().any(|line| line.starts_with("warning: ") && line.contains(risk)), "{risk}: {said}");
    }
    assert!(said.ends_with("the configuration is valid\n"), "{said}");
}

#[test]
fn faults_are_all_told_and_end_with_1() {
    let (code, said) = check(&[
        ("SERVER__BIND", "0.0.0.0:8000"),
        ("AUTH__MODE", "open"),
        ("ADMIN__BIND", "10.0.0.1:8001"),
        ("CORS__ALLOW_CREDENTIALS", "true"),
        ("INGEST__SIGNATURE__SCHEME", "standard-webhooks"),
        ("INGEST__SIGNATURE__SECRETS", "['whsec_s3cret!']"),
        ("MAILBOX__RELAY", "0"),
        ("STREAM__HEARTBEAT_INTERVAL", "2m"),
    ]);
    assert_eq!(code, Some(1), "{said}");
    for fault in
        ["auth.mode", "admin.allow_remote", "cors.allow_credentials", "secret 1 is not base64 behind its prefix", "mailbox.relay"]
    {
        assert!(said.contains(fault), "{fault}: {said}");
    }
    let risks: Vec<_> = said.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert!(risks.iter().any(|risk| risk.contains("stream.heartbeat_interval is over 60 s")), "risks are told beside: {said}");
    assert!(!risks.iter().any(|risk| risk.contains("admin.bind")), "the fault says more: {said}");
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn files_of_keys_and_certificates_are_read_and_every_fault_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (identity, other) = (Identity::new(), Identity::new());
    let pem = |path: std::path::PathBuf| path.to_str().unwrap().to_owned();
    let (certificate, key, wrong) = (pem(identity.certificate()), pem(identity.key()), pem(other.key()));
    let (good, short) = (file("good", "thirty-two bytes of a good secret"), file("short", "s3cret"));
    let check = |certificate: &str, key: &str, jwt: &str| {
        check(&[
            ("SCREENING__LISTS", "['a.csv']"),
            ("SERVER__TLS_CERT", certificate),
            ("SERVER__TLS_KEY", key),
            ("AUTH__MODE", "jwt"),
            ("AUTH__JWT_KEY", jwt),
            ("STREAM__AUDIENCE", "owner"),
        ])
    };
    assert_eq!(check(&certificate, &key, &good), (Some(0), "the configuration is valid\n".to_owned()));
    for (certificate, key, jwt, words) in [
        (&certificate, &wrong, &good, &["server.tls_cert, server.tls_key", "KeyMismatch"][..]),
        (&key, &key, &good, &["holds no certificate"]),
        (&"/nowhere".to_owned(), &key, &short, &["/nowhere cannot be read", "auth.jwt_key", "32 bytes"]),
    ] {
        let (code, said) = check(certificate, key, jwt);
        assert_eq!(code, Some(1), "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{words:?}: {said}");
        assert!(!said.contains("s3cret") && !said.contains("is valid"), "{said}");
    }
}
