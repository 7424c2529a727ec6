//! The real curl straight to a node under TLS, both versions of HTTP; and what a node makes of the addresses that nginx tells it.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use nix::sys::signal::Signal;

use crate::{
    curl::{self, Answer, STREAM, Stream, VERSIONS, WEBHOOK},
    nginx::Nginx,
    support::{Identity, PATIENCE, Server, USER, event, marker},
};

/// A node under TLS; the identity must outlive it.
fn node(identity: &Identity, settings: &[(&str, &str)]) -> Server {
    let (certificate, key) = (identity.certificate(), identity.key());
    let tls = [("SERVER__TLS_CERT", certificate.to_str().unwrap()), ("SERVER__TLS_KEY", key.to_str().unwrap())];
    Server::start(&[&tls, settings].concat())
}

/// A curl that speaks this version to this node about a path.
fn curl_to(node: &Server, identity: &Identity, version: &str, path: &str) -> Command {
    let mut command = Command::new("curl");
    command.args(["-q", "--silent", "--show-error", "--no-buffer", "--include", "--noproxy", "*", version]);
    command.args(["--max-time", &PATIENCE.as_secs().to_string(), "--header", "Expect:", "--cacert"]).arg(identity.certificate());
    command.arg(format!("https://127.0.0.1:{}{path}", node.public.port()));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Posts these bytes.
fn post(node: &Server, identity: &Identity, version: &str, body: &[u8]) -> Answer {
    let mut command = curl_to(node, identity, version, WEBHOOK);
    let mut child = command.args(["--data-binary", "@-"]).spawn().unwrap();
    // It may be answered before it is all sent.
    let _ = child.stdin.take().unwrap().write_all(body);
    Answer::of(child.wait_with_output().unwrap())
}

#[test]
fn curl_streams_posts_and_reads_over_both_versions_and_sees_every_answer_end_as_it_should() {
    let identity = Identity::new();
    let node = node(&identity, &[]);
    let streams = VERSIONS.map(|version| Stream::of(curl_to(&node, &identity, version, STREAM)));
    for (mut stream, spoken) in streams.into_iter().zip(["HTTP/1.1", "HTTP/2"]) {
        assert_eq!(stream.version(), spoken);
        assert_eq!(stream.header("content-type"), Some("text/event-stream"));
        assert_eq!(stream.header("transfer-encoding"), (spoken == "HTTP/1.1").then_some("chunked"));
        assert_eq!(stream.header("connection"), None);
        let version = VERSIONS[usize::from(spoken == "HTTP/2")];
        let body = event(&format!("{USER}|false"), spoken).to_string();
        assert_eq!(post(&node, &identity, version, body.as_bytes()).status(), 200);
        while marker(&stream.expect("zone_port_notification").json) != spoken {}
        assert!(stream.is_open());

        let page = Answer::of(curl_to(&node, &identity, version, "/sse_test_client.html").output().unwrap());
        assert_eq!((page.status(), page.header("strict-transport-security")), (200, Some("max-age=31536000")));
        let head = Answer::of(curl_to(&node, &identity, version, STREAM).arg("--head").output().unwrap());
        assert_eq!(head.status(), 405);
        let large = post(&node, &identity, version, &vec![b' '; 3 << 20]);
        assert_eq!((large.status(), &large.json()["error"]), (413, &"body_too_large".into()));
        let odd =
            Answer::of(curl_to(&node, &identity, version, "/%2e%2e/sse_test_client.html").arg("--path-as-is").output().unwrap());
        assert_eq!((odd.status(), &odd.json()["error"]), (404, &"not_found".into()));
    }
    let streams = VERSIONS.map(|version| Stream::of(curl_to(&node, &identity, version, STREAM)));
    node.signal(Signal::SIGTERM);
    for stream in streams {
        let (retries, ended_well) = stream.ending();
        assert_eq!((retries.len(), ended_well), (2, true));
    }
}

#[test]
fn a_node_knows_the_clients_behind_nginx_by_their_own_addresses() {
    let settings = [
        ("SERVER__TRUSTED_PROXIES", "[\"127.0.0.1\"]"),
        ("LIMITS__EXEMPT", "[]"),
        ("LIMITS__WEBHOOKS_PER_IP", "1"),
        ("LIMITS__WEBHOOKS_BURST", "1"),
        ("LIMITS__CONNECTIONS_PER_IP", "1"),
    ];
    let node = Server::start(&settings);
    let nginx = Nginx::start(&[node.public]);
    let post = |address: &str, version: &str, name: &str| {
        let mut command = curl::curl(&nginx, version);
        command.args([
            "--interface",
            address,
            "--header",
            "X-Forwarded-For: 203.0.113.9",
            "--header",
            "Forwarded: for=203.0.113.9",
        ]);
        command.args(["--data-binary", &event(&format!("{USER}|false"), name).to_string()]);
        Answer::of(command.arg(curl::url(&nginx, WEBHOOK)).output().unwrap())
    };
    for (address, version) in ["127.0.0.2", "127.0.0.3"].into_iter().zip(VERSIONS) {
        assert_eq!(post(address, version, address).status(), 200);
        let refused = post(address, version, "again");
        assert_eq!((refused.status(), &refused.json()["error"]), (429, &"too_many_requests".into()));
        assert!(refused.header("retry-after").is_some());
    }
    // The second may have come too soon behind the first for a line of its own.
    let log = node.log();
    assert!(log.contains("limit=webhooks_per_ip address=127.0.0.2 "), "{log}");
    assert!(!log.contains("203.0.113.9") && !log.contains("address=127.0.0.1 "), "{log}");
}
