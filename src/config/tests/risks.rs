//! What is allowed but risky is said, and nothing else is.
//!
//! A warning on a sound configuration teaches operators to overlook warnings.

use super::*;

const LISTED: &str = "[screening]\nlists = ['sdn.csv']\n";

fn warnings(text: &str) -> Vec<String> {
    load(text, &[]).unwrap().warnings
}

#[test]
fn the_defaults_warn_only_that_nothing_is_screened() {
    assert_eq!(load_variables(&[]).unwrap().warnings, ["screening.lists is empty: every screening result is UNKNOWN"]);
    assert_eq!(warnings(LISTED), [""; 0]);
}

#[test]
fn each_risk_is_told() {
    for (text, starts) in [
        (
            "[server]\nbind = '0.0.0.0:8000'",
            &["cors.allowed_origins", "auth.mode", "stream.audience", "server.bind is not on loopback and webhooks"][..],
        ),
        (
            "[server]\nbind = '0.0.0.0:8000'\n[cors]\nallowed_origins = []\n[stream]\naudience = 'owner'\n[ingest]\nbind = '127.0.0.1:7'",
            &["auth.mode"],
        ),
        ("[ingest]\nbind = '10.0.0.1:8002'", &["ingest.bind is not on loopback and webhooks are not signed"]),
        (
            "[ingest]\nbind = '10.0.0.1:8002'\nsignature = { scheme = 'token', header = 'X-Token', secrets = ['twenty-four bytes of text'] }",
            &["ingest.bind is not on loopback and has no TLS"],
        ),
        (
            "[ingest]\nbind = '10.0.0.1:8002'\nsignature = { scheme = 'hmac-sha256', header = 'X-Sig', secrets = ['twenty-four bytes of text'] }",
            &[],
        ),
        ("[admin]\nbind = '0.0.0.0:8001'\nallow_remote = true", &["admin.bind is not on loopback"]),
        ("[stream]\nheartbeat_interval = '60s'", &[]),
        ("[stream]\nheartbeat_interval = '61s'", &["stream.heartbeat_interval is over 60 s"]),
        (
            "[store]\nkind = 'mongodb'\nuri = 'mongodb://ana:s3cret@db.internal'",
            &["store.uri leads to another machine without TLS"],
        ),
        ("[store]\nkind = 'mongodb'\nuri = 'mongodb://ana:s3cret@db.internal/?tls=true'", &[]),
        ("[store]\nuri = 'mongodb://db.internal'", &[]),
        (
            "[store]\nkind = 'mongodb'\n[cluster]\nkind = 'redis'\nurl = 'redis://:s3cret@bus.internal'",
            &["cluster.url leads to another machine"],
        ),
        ("[cluster]\nurl = 'redis://bus.internal'", &[]),
        ("[server]\ntrusted_proxies = ['0.0.0.0/0']", &["server.trusted_proxies holds every address"]),
        ("[server]\ntrusted_proxies = ['10.0.0.0/8']", &[]),
        ("[auth]\nusers = []", &["auth.users is empty"]),
        ("[auth]\nusers = []\nmode = 'open'", &["auth.mode is \"open\" and cors.allowed_origins"]),
        ("[auth]\nusers = []\nmode = 'open'\n[cors]\nallowed_origins = []", &[]),
        ("[auth]\nmode = 'store'", &[]),
        (
            "[auth]\nmode = 'store'\n[server]\nbind = '0.0.0.0:8000'\n[cors]\nallowed_origins = []\n[stream]\naudience = 'owner'\n[ingest]\nbind = '127.0.0.1:7'",
            &["auth.mode is \"store\""],
        ),
        ("[auth]\nmode = 'jwt'\njwt_key = 'key.pem'", &["auth.mode is \"jwt\" and stream.audience"]),
        ("[auth]\nmode = 'jwt'\njwt_key = 'key.pem'\n[stream]\naudience = 'owner'", &[]),
        (
            "[auth]\nmode = 'http'\nurl = 'http://auth:80/'",
            &["auth.mode is \"http\" and stream.max_lifetime", "auth.url is http"],
        ),
        ("[auth]\nmode = 'http'\nurl = 'http://127.0.0.1:80/'\n[stream]\nmax_lifetime = '1h'", &[]),
        (
            "[auth]\nmode = 'jwt'\njwt_key = 'key.pem'\n[server]\nbind = '0.0.0.0:8000'\n[cors]\nallowed_origins = []\n[stream]\naudience = 'owner'\n[ingest]\nbind = '127.0.0.1:7'",
            &["server.bind is not on loopback, has no TLS"],
        ),
        (
            "[auth]\nmode = 'jwt'\njwt_key = 'key.pem'\n[server]\nbind = '0.0.0.0:8000'\ntrusted_proxies = ['10.0.0.10']\n[cors]\nallowed_origins = []\n[stream]\naudience = 'owner'\n[ingest]\nbind = '127.0.0.1:7'",
            &[],
        ),
        ("[limits]\nstreams_per_ip = 0", &[]),
        (
            "[limits]\nwebhooks_per_ip = 0\n[ingest]\nbind = '10.0.0.1:8002'\nsignature = { scheme = 'hmac-sha256', header = 'X-Sig', secrets = ['twenty-four bytes of text'] }",
            &["limits has a 0"],
        ),
        (
            "[limits]\nexempt = ['0.0.0.0/0']\n[ingest]\nbind = '10.0.0.1:8002'\nsignature = { scheme = 'hmac-sha256', header = 'X-Sig', secrets = ['twenty-four bytes of text'] }",
            &["limits has a 0"],
        ),
        ("[store]\nretention = '3d'", &["store.retention is below 4 days"]),
        ("[store]\nretention = '4d'", &[]),
        ("[ingest]\nmax_body = '8MiB'", &[]),
        ("[ingest]\nmax_body = '9MiB'", &["ingest.max_body times ingest.max_in_flight"]),
    ] {
        let found = warnings(&format!("{LISTED}{text}"));
        assert_eq!(found.len(), starts.len(), "{text}: {found:#?}");
        for (warning, start) in found.iter().zip(starts) {
            assert!(warning.starts_with(start), "{text}: {found:#?}");
        }
    }
    assert!(!format!("{:?}", warnings("[store]\nkind = 'mongodb'\nuri = 'mongodb://ana:s3cret@db.internal'")).contains("s3cret"));
    let unread = warnings("[screening]\nprovider = 'none'\nlists = ['sdn.csv']");
    assert!(unread.len() == 1 && unread[0].starts_with("screening.provider is \"none\""), "{unread:?}");
}

#[test]
fn a_variable_with_single_underscores_is_told_not_dropped_in_silence() {
    let loaded = load(LISTED, &[("LOOKOUT_STREAM_QUEUE_SIZE", "9"), ("LOOKOUT_SERVICE_HOST", "10.0.0.1")]).unwrap();
    assert_eq!(loaded.config.stream.queue_size, 50);
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].ends_with("LOOKOUT__STREAM__QUEUE_SIZE"), "{:?}", loaded.warnings);
}

#[test]
fn a_secret_that_may_be_guessed_is_told_and_not_shown() {
    let signed = |scheme: &str, secrets: &str| {
        warnings(&format!("{LISTED}[ingest.signature]\nscheme = '{scheme}'\nheader = 'X-Signature'\nsecrets = ['{secrets}']"))
    };
    let long = "0123456789abcdefghijklmn";
    for (scheme, secret, short) in [
        ("token", long, false),
        ("token", &long[1..], true),
        ("hmac-sha256", long, false),
        ("hmac-sha256", &long[1..], true),
        ("standard-webhooks", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", false),
        ("standard-webhooks", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspo", true),
        ("standard-webhooks", "whpk_6r44sFEidyf9ueNhz2Rg+5vkbBWaIfXSrUZlKgHH0Gg=", false),
    ] {
        let found = signed(scheme, secret);
        assert_eq!(found.len(), usize::from(short), "{scheme} {secret}: {found:?}");
        assert!(!found.concat().contains(secret));
    }
}
