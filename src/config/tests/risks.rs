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
        ("[admin]\nbind = '0.0.0.0:8001'", &["admin.bind"]),
        ("[server]\ntrusted_proxies = ['0.0.0.0/0']", &["server.trusted_proxies holds every address"]),
        ("[server]\ntrusted_proxies = ['10.0.0.0/8']", &[]),
        ("[auth]\nusers = []", &["auth.users is empty"]),
        ("[auth]\nusers = []\nmode = 'open'", &[]),
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
