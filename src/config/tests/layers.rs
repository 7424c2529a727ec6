//! Defaults below the file below the environment.
//!
//! The defaults are written out once more here, so that a slip in `config.toml` cannot go by unnoticed.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::config::settings::{DEFAULTS, Settings, variable};

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let expected = Config {
        server: Server {
            bind: ([127, 0, 0, 1], 8000).into(),
            workers: std::thread::available_parallelism().unwrap().get(),
            tls_cert: None,
            tls_key: None,
            tls_reload_interval: secs(10),
            head_timeout: secs(10),
            max_head: 16 << 10,
            keep_alive: secs(5),
            max_pages: 32,
            trusted_proxies: Vec::new(),
            proxy_header: ProxyHeader::XForwardedFor,
            shutdown_grace: secs(10),
        },
        limits: Limits {
            streams_per_ip: 50,
            streams_burst: 500,
            webhooks_per_ip: 1000,
            webhooks_burst: 5000,
            connections_per_ip: 1000,
            streams_per_connection: 100,
            tracked_ips: 65_536,
            exempt: ["127.0.0.0/8", "::1/128"].map(|network| network.parse().unwrap()).into(),
        },
        ingest: Ingest {
            bind: None,
            max_body: 1 << 20,
            max_batch: 1000,
            max_depth: 64,
            max_nodes: 100_000,
            max_in_flight: 256,
            body_timeout: secs(10),
            answer_timeout: secs(10),
            signature: Signature {
                scheme: SignatureScheme::None,
                secrets: Vec::new(),
                header: String::new(),
                encoding: SignatureEncoding::Hex,
                tolerance: secs(300),
            },
        },
        stream: Stream {
            max_connections: 100,
            max_connections_per_user: 0,
            queue_size: 50,
            recent: 16 << 20,
            stall_timeout: secs(10),
            connection_timeout: secs(300),
            heartbeat_interval: secs(30),
            max_lifetime: None,
            retry: secs(3),
            audience: Audience::Everyone,
        },
        auth: Auth {
            mode: AuthMode::List,
            users: vec!["test_user".to_owned()],
            url: None,
            timeout: secs(2),
            cache_for: secs(10),
            cache_size: 10_000,
            jwt_key: None,
            jwt_jwks: None,
            jwt_refresh: secs(300),
            jwt_algorithms: vec![JwtAlgorithm::Hs256, JwtAlgorithm::Rs256, JwtAlgorithm::Es256, JwtAlgorithm::EdDsa],
            jwt_audience: Vec::new(),
            jwt_issuer: Vec::new(),
            jwt_leeway: secs(10),
            jwt_cookie: None,
        },
        cors: Cors { allowed_origins: vec!["*".to_owned()], allow_credentials: false },
        screening: Screening {
            provider: Provider::List,
            lists: Vec::new(),
            reload_interval: secs(5),
            deliver_within: secs(5),
            give_up_after: secs(600),
            max_list_age: secs(7 * 24 * 3600),
            skip_vessel_types: vec!["Tug".to_owned(), "Push-boat".to_owned()],
            max_in_flight: 256,
        },
        store: Store {
            kind: StoreKind::Embedded,
            path: "lookout.db".into(),
            uri: Secret::new("mongodb://127.0.0.1:27017"),
            database: "lookout".to_owned(),
            select_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(5),
            max_dead_letters: 10_000,
            max_dead_letter_bytes: 256 << 20,
            retention: None,
            read_connections: 2,
            max_commit: 1000,
        },
        cluster: Cluster {
            kind: ClusterKind::None,
            url: Secret::new("redis://127.0.0.1:6379"),
            stream: "lookout".to_owned(),
            max_len: 10_000,
            look_interval: Duration::from_millis(500),
            take_over_after: Duration::from_secs(10),
        },
        audit: Audit { interval: Some(Duration::from_secs(1)), max_ended: 10_000 },
        admin: Admin {
            bind: ([127, 0, 0, 1], 8001).into(),
            allow_remote: false,
            allowed_hosts: Vec::new(),
            canary_interval: Some(Duration::from_secs(10)),
        },
        log: Log { level: log::LevelFilter::Info, format: LogFormat::Text },
        mailbox: Mailbox {
            webhook_handler: 256,
            archivist: 1024,
            screener: 256,
            broadcaster: 256,
            courier: 256,
            relay: 256,
            session: 16,
            session_supervisor: 1024,
        },
    };
    assert_eq!(Config::defaults(), expected);
    assert_eq!(load_variables(&[]).unwrap().config, expected);
    assert_eq!(load(DEFAULTS, &[]).unwrap().config, expected, "config.toml as a file says the same");
}

#[test]
fn config_toml_has_exactly_the_fields_of_the_types() {
    let mut fields = Vec::new();
    let (mut section, mut inner) = (String::new(), String::new());
    for line in format!("{:#?}", Config::defaults()).lines() {
        let name = line.trim_start().split(':').next().unwrap();
        match line.len() - line.trim_start().len() {
            4 if line.ends_with('{') => section = name.to_owned(),
            8 if line.ends_with('{') => inner = name.to_owned(),
            12 if line.contains(": ") => fields.push(format!("{section}.{inner}.{name}")),
            8 if line.contains(": ") => fields.push(format!("{section}.{name}")),
            _ => {}
        }
    }
    fields.sort();
    let settings = Settings::defaults();
    assert_eq!(settings.keys().collect::<Vec<_>>(), fields);
}

#[test]
fn each_key_of_config_toml_is_read() {
    for key in Settings::defaults().keys() {
        let faults = load(&one_key(key, "[[]]"), &[]).unwrap_err();
        let found: Vec<_> = faults.iter().collect();
        assert!(matches!(found[..], [Fault::WrongType { key: named, .. }] if named == key), "{key}: {faults}");
    }
}

#[test]
fn each_key_of_config_toml_has_a_sentence_of_meaning() {
    let lines: Vec<&str> = DEFAULTS.lines().collect();
    let keys: Vec<usize> = (0..lines.len()).filter(|i| lines[*i].contains(" = ") && !lines[*i].starts_with('#')).collect();
    assert_eq!(keys.len(), Settings::defaults().keys().count(), "each key has a line of its own");
    for i in keys {
        assert!(lines[i - 1].starts_with("# ") && lines[i - 1].ends_with('.'), "line {}: {}", i + 1, lines[i]);
    }
}

#[test]
fn the_file_wins_over_defaults_and_the_environment_over_both() {
    let text = "[stream]\nqueue_size = 70\nretry = \"7s\"\n";
    let stream = load(text, &[("LOOKOUT__STREAM__QUEUE_SIZE", "90")]).unwrap().config.stream;
    assert_eq!((stream.queue_size, stream.retry, stream.max_connections), (90, secs(7), 100));
}

#[test]
fn a_good_variable_mends_a_bad_value_of_the_file() {
    let loaded = load(&one_key("stream.queue_size", "0"), &[("LOOKOUT__STREAM__QUEUE_SIZE", "9")]).unwrap();
    assert_eq!(loaded.config.stream.queue_size, 9);
}

#[test]
fn variables_are_read_as_toml_where_they_are_toml_and_as_text_otherwise() {
    let config = load_variables(&[
        ("LOOKOUT__SERVER__BIND", "127.0.0.1:9000"),
        ("LOOKOUT__ADMIN__BIND", "\"[::1]:9001\""),
        ("LOOKOUT__INGEST__BIND", ""),
        ("LOOKOUT__INGEST__MAX_BODY", "1_000_000"),
        ("LOOKOUT__INGEST__MAX_BATCH", " 19000 "),
        ("LOOKOUT__STREAM__RECENT", "2MiB"),
        ("LOOKOUT__STREAM__HEARTBEAT_INTERVAL", "500ms"),
        ("LOOKOUT__STREAM__MAX_LIFETIME", "5m"),
        ("LOOKOUT__STREAM__AUDIENCE", "owner"),
        ("LOOKOUT__AUTH__USERS", r#"["a","b|c"]"#),
        ("LOOKOUT__CORS__ALLOW_CREDENTIALS", "true"),
        ("LOOKOUT__CORS__ALLOWED_ORIGINS", "['https://dash.example.com']"),
        ("LOOKOUT__STORE__PATH", "2027"),
        ("LOOKOUT__STORE__RETENTION", "90d"),
        ("LOOKOUT__LOG__LEVEL", "debug"),
        ("PATH", "/bin"),
    ])
    .unwrap()
    .config;
    assert_eq!(config.server.bind.port(), 9000);
    assert_eq!(config.admin.bind, "[::1]:9001".parse().unwrap());
    assert_eq!(config.ingest.bind, None);
    assert_eq!((config.ingest.max_body, config.ingest.max_batch), (1_000_000, 19_000));
    assert_eq!((config.stream.recent, config.stream.heartbeat_interval), (2 << 20, Duration::from_millis(500)));
    assert_eq!((config.stream.max_lifetime, config.stream.audience), (Some(secs(300)), Audience::Owner));
    assert_eq!(config.auth.users, ["a", "b|c"]);
    assert!(config.cors.allow_credentials);
    assert_eq!(config.cors.allowed_origins, ["https://dash.example.com"]);
    assert_eq!((config.store.path, config.store.retention), ("2027".into(), Some(secs(90 * 24 * 3600))));
    assert_eq!(config.log.level, log::LevelFilter::Debug);
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_fine() {
    let stream = load("\u{feff}[stream]\r\nqueue_size = 70\r\n", &[]).unwrap().config.stream;
    assert_eq!(stream.queue_size, 70);
}

#[test]
fn relative_lists_and_keys_are_beside_the_file_and_the_store_is_in_the_working_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lookout.toml");
    let text = "[auth]\njwt_key = 'key.pem'\njwt_jwks = 'keys/set.json'\n[screening]\nlists = ['ofac.csv', '/srv/uk.csv']\n\
                [store]\npath = 'kept/lookout.db'\n";
    fs::write(&path, text).unwrap();
    let config = Config::load(Some(&path), std::iter::empty()).unwrap().config;
    assert_eq!(config.auth.jwt_key, Some(folder.path().join("key.pem")));
    assert_eq!(config.auth.jwt_jwks, Some(Jwks::File(folder.path().join("keys/set.json"))));
    assert_eq!(config.screening.lists, [folder.path().join("ofac.csv"), "/srv/uk.csv".into()]);
    assert_eq!(config.store.path, Path::new("kept/lookout.db"));

    let variables = [("LOOKOUT__SCREENING__LISTS", "['ofac.csv']")];
    let beside = Config::load(Some(&path), owned(&variables)).unwrap().config;
    assert_eq!(beside.screening.lists, [folder.path().join("ofac.csv")]);
    assert_eq!(load_variables(&variables).unwrap().config.screening.lists, paths(&["ofac.csv"]));
}

fn any_key() -> impl Strategy<Value = String> {
    prop::sample::select(Settings::defaults().keys().map(str::to_owned).collect::<Vec<_>>())
}

/// Text that comes close to what keys take, and text that does not.
fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "-?[0-9]{1,25}",
        "[0-9.]{1,22} ?(ms|s|m|d|y|KiB|MiB|EiB|B)",
        r#"\[("[*a-z:/. ]{0,9}",? ?){0,3}\]"#,
        "[\\[\\]{}\"'=,.0-9eE:TZ+_-]{0,12}",
        "[a-z]{1,6}://[a-zA-Z0-9.:@/*\\[\\]-]{0,12}",
        "[0-9a-f.:\\[\\]]{1,20}",
    ]
}

proptest! {
    #[test]
    fn no_value_of_a_variable_panics_and_each_fault_is_one_line(key in any_key(), value in any_value()) {
        if let Err(faults) = load_variables(&[(&variable(&key), &value)]) {
            prop_assert_eq!(faults.to_string().lines().count(), faults.iter().count());
            prop_assert!(faults.iter().all(|fault| fault.keys().contains(&key.as_str())), "{}", faults);
        }
    }

    #[test]
    fn no_name_of_a_variable_panics_and_none_is_overlooked(name in any::<String>()) {
        let faults = load_variables(&[(&format!("LOOKOUT__{name}"), "1")]).unwrap_err();
        prop_assert_eq!(faults.to_string().lines().count(), 1);
    }

    #[test]
    fn no_text_of_a_file_panics(text in prop_oneof![any::<String>(), "[\\[\\]a-z\"'=\\.,#0-9\\n {}]{0,60}"]) {
        if let Err(faults) = load(&text, &[]) {
            prop_assert_eq!(faults.to_string().lines().count(), faults.iter().count(), "{}", faults);
        }
    }

    #[test]
    fn a_file_and_a_variable_say_the_same_of_a_key(key in any_key(), value in any_value()) {
        let Ok(parsed) = value.trim().parse::<toml::Value>() else { return Ok(()) };
        if let Ok(of_file) = load(&one_key(&key, &parsed.to_string()), &[]) {
            let mut of_variable = load_variables(&[(&variable(&key), &value)]).unwrap();
            of_variable.config.screening.lists.clone_from(&of_file.config.screening.lists);
            of_variable.config.auth.jwt_key.clone_from(&of_file.config.auth.jwt_key);
            of_variable.config.auth.jwt_jwks.clone_from(&of_file.config.auth.jwt_jwks);
            prop_assert_eq!(of_file, of_variable);
        }
    }
}
