//! Each kind of fault, its words, and that none hides another.
//!
//! The words are compared because they are what an operator has to go by.

use super::*;

#[test]
fn a_value_that_a_key_cannot_have_is_refused_by_name() {
    let table = [
        ("server.bind", "'localhost:8000'", "IP address with a port"),
        ("server.bind", "''", "IP address with a port"),
        ("server.workers", "513", "must be 0 to 512, is 513"),
        ("server.workers", "-1", "must not be negative, is -1"),
        ("server.shutdown_grace", "'2h'", "must be 0s to 1h, is 2h"),
        ("server.tls_cert", "1", "must be text"),
        ("server.tls_reload_interval", "'0s'", "must be 1ms to 1day, is 0s"),
        ("server.head_timeout", "'0s'", "must be 1ms to 1h, is 0s"),
        ("server.max_head", "'129KiB'", "must be 1.0 KiB to 128.0 KiB, is 129.0 KiB"),
        ("server.max_pages", "0", "must be 1 to 65536, is 0"),
        ("server.keep_alive", "'2h'", "must be 1ms to 1h, is 2h"),
        ("server.trusted_proxies", "['10.0.0.1/8']", "which says more than its range"),
        ("server.proxy_header", "'x-real-ip'", "must be one of \"x-forwarded-for\", \"forwarded\", is \"x-real-ip\""),
        ("limits.streams_per_ip", "1000001", "must be 0 to 1000000, is 1000001"),
        ("limits.streams_burst", "0", "must be 1 to 1000000, is 0"),
        ("limits.webhooks_per_ip", "-1", "must not be negative, is -1"),
        ("limits.webhooks_burst", "0", "must be 1 to 1000000, is 0"),
        ("limits.connections_per_ip", "1000001", "must be 0 to 1000000, is 1000001"),
        ("limits.streams_per_connection", "0", "must be 1 to 10000, is 0"),
        ("limits.tracked_ips", "1", "must be 2 to 10000000, is 1"),
        ("limits.exempt", "['loopback']", "must be an address or a range"),
        ("ingest.max_depth", "128", "must be 4 to 127, is 128"),
        ("ingest.max_nodes", "0", "must be 100 to 100000000, is 0"),
        ("ingest.bind", "'8002'", "IP address with a port"),
        ("ingest.max_body", "0", "must be 1.0 KiB to 256.0 MiB, is 0 B"),
        ("ingest.max_body", "'1TiB'", "is 1.0 TiB"),
        ("ingest.max_batch", "0", "must be 1 to 100000, is 0"),
        ("ingest.max_in_flight", "0", "must be 1 to 65536, is 0"),
        ("ingest.body_timeout", "'0s'", "must be 1ms to 1h, is 0s"),
        ("ingest.answer_timeout", "'0s'", "must be 1ms to 1h, is 0s"),
        (
            "ingest.signature.scheme",
            "'hmac'",
            "must be one of \"none\", \"standard-webhooks\", \"hmac-sha256\", \"token\", is \"hmac\"",
        ),
        ("ingest.signature.secrets", "['a', ' b']", "entry 2 must not be empty or have blanks around it"),
        ("ingest.signature.secrets", "['']", "entry 1 must not be empty"),
        (
            "ingest.signature.secrets",
            "['1','2','3','4','5','6','7','8','9','a','b','c','d','e','f','g','h']",
            "must be 16 at most, are 17",
        ),
        ("ingest.signature.header", "'X Signature'", "must be the name of a header"),
        ("ingest.signature.encoding", "'base32'", "must be one of \"hex\", \"base64\""),
        ("ingest.signature.tolerance", "'0s'", "must be 1s to 1day, is 0s"),
        ("stream.max_connections", "0", "must be 1 to 1000000, is 0"),
        ("stream.max_connections_per_user", "1000001", "must be 0 to 1000000"),
        ("stream.queue_size", "0", "must be 1 to 65536, is 0"),
        ("stream.recent", "'2GiB'", "must be 0 B to 1.0 GiB, is 2.0 GiB"),
        ("stream.recent", "'much'", "must be a size such as \"1MiB\""),
        ("stream.stall_timeout", "'0s'", "must be 1ms to 1day, is 0s"),
        ("stream.connection_timeout", "'2d'", "must be 1ms to 1day, is 2days"),
        ("stream.heartbeat_interval", "'0s'", "must be 1ms to 1day, is 0s"),
        ("stream.heartbeat_interval", "'30'", "time unit needed"),
        ("stream.max_lifetime", "'0s'", "must be 1ms to 1year, is 0s; \"off\" is none"),
        ("stream.max_lifetime", "'never'", "\"off\" is none"),
        ("stream.retry", "'0s'", "must be 1ms to 1h, is 0s"),
        ("stream.audience", "'nobody'", "must be one of \"everyone\", \"owner\", is \"nobody\""),
        ("auth.mode", "'none'", "must be one of \"list\", \"store\", \"jwt\", \"http\", \"open\", is \"none\""),
        ("auth.users", "['a', ' b']", "blanks around it, has \" b\""),
        ("auth.users", "['']", "has \"\""),
        ("auth.url", "'auth.example.com'", "must be a URL such as"),
        ("auth.url", "'ftp://auth.example.com'", "must be a URL such as"),
        ("auth.url", "'https://user:s3cret@auth.example.com'", "without a user name in it"),
        ("auth.timeout", "'0s'", "must be 1ms to 1m, is 0s"),
        ("auth.cache_for", "'2h'", "must be 0s to 1h, is 2h"),
        ("auth.cache_size", "0", "must be 1 to 1000000, is 0"),
        ("auth.jwt_jwks", "'http://auth.example.com/jwks'", "must be an https URL"),
        ("auth.jwt_jwks", "'ftp://127.0.0.1/jwks'", "must be a URL such as"),
        ("auth.jwt_refresh", "'9s'", "must be 10s to 1day, is 9s"),
        ("auth.jwt_algorithms", "['none']", "must be one of \"HS256\", \"RS256\", \"ES256\", \"EdDSA\", is \"none\""),
        ("auth.jwt_algorithms", "[]", "must not be empty"),
        ("auth.jwt_audience", "['']", "must not be empty"),
        ("auth.jwt_issuer", "[' a']", "blanks around it"),
        ("auth.jwt_leeway", "'2h'", "must be 0s to 1h, is 2h"),
        ("auth.jwt_cookie", "'a b'", "must be the name of a cookie, is \"a b\""),
        ("cors.allowed_origins", "['dash.example.com']", "it has no scheme"),
        ("screening.provider", "'List'", "must be one of \"list\", \"none\""),
        ("screening.lists", "['']", "must not be empty"),
        ("screening.reload_interval", "'0s'", "must be 1ms to 1day"),
        ("screening.deliver_within", "'2d'", "must be 0s to 1day"),
        ("screening.give_up_after", "'0s'", "must be 1ms to 1year"),
        ("screening.max_list_age", "'2years'", "must be 1ms to 1year, is 2years"),
        ("screening.skip_vessel_types", "['']", "must not be empty"),
        ("screening.max_in_flight", "0", "must be 1 to 65536, is 0"),
        ("store.kind", "'sqlite'", "must be one of \"embedded\", \"mongodb\", is \"sqlite\""),
        ("store.uri", "'localhost:27017'", "must begin with mongodb:// or mongodb+srv:// and name a host"),
        ("store.database", "''", "must be 1 to 63 bytes"),
        ("store.database", "'a.b'", "without any of"),
        ("store.select_timeout", "'0s'", "must be 1ms to 1h, is 0s"),
        ("store.timeout", "'0s'", "must be 1ms to 1h, is 0s"),
        ("store.path", "''", "must name a file"),
        ("store.max_dead_letters", "0", "must be 1 to 100000, is 0"),
        ("store.max_dead_letter_bytes", "0", "must be 1.0 MiB to 1.0 TiB, is 0 B"),
        ("admin.allowed_hosts", "['Node:8001']", "must be a lower-case host name without a port"),
        ("store.retention", "'0s'", "must be 1ms to 100years, is 0s; \"forever\" is none"),
        ("store.read_connections", "0", "must be 1 to 64, is 0"),
        ("store.max_commit", "0", "must be 1 to 100000, is 0"),
        ("cluster.kind", "'nats'", "must be one of \"none\", \"redis\", is \"nats\""),
        ("cluster.url", "'redis://'", "must begin with redis:// and name a host"),
        ("cluster.url", "'redis://bus:port'", "cannot be read"),
        ("cluster.url", "'redis://bus:66000'", "cannot be read"),
        ("cluster.url", "'redis://bus/not-a-number'", "cannot be read"),
        ("cluster.url", "'redis://:s3%ret/@bus'", "cannot be read"),
        ("store.uri", "'mongodb://db:port'", "cannot be read"),
        ("store.uri", "'mongodb://lookout:s3c/ret@db'", "cannot be read"),
        ("store.uri", "'mongodb://db/?tls=perhaps'", "cannot be read"),
        ("store.uri", "'mongodb+srv://one.example,two.example'", "cannot be read"),
        ("cluster.stream", "''", "must not be empty"),
        ("cluster.max_len", "0", "must be 1 to 10000000, is 0"),
        ("cluster.look_interval", "'0s'", "must be 1ms to 1h, is 0s"),
        ("cluster.take_over_after", "'1s'", "must be 2s to 1h, is 1s"),
        ("log.level", "'loud'", "must be one of \"error\", \"warn\", \"info\", \"debug\", \"trace\", is \"loud\""),
        ("log.format", "'xml'", "must be one of \"text\", \"json\""),
        ("mailbox.webhook_handler", "0", "must be 1 to 65536, is 0"),
        ("mailbox.archivist", "0", "must be 1 to 65536, is 0"),
        ("mailbox.screener", "0", "must be 1 to 65536, is 0"),
        ("mailbox.broadcaster", "0", "must be 1 to 65536, is 0"),
        ("mailbox.courier", "0", "must be 1 to 65536, is 0"),
        ("mailbox.relay", "0", "must be 1 to 65536, is 0"),
        ("mailbox.session", "65537", "must be 1 to 65536, is 65537"),
        ("mailbox.session_supervisor", "0", "must be 1 to 65536, is 0"),
    ];
    for (key, value, words) in table {
        let lines = fault_lines(&one_key(key, value), &[]);
        assert_eq!(lines.len(), 1, "{key} = {value}: {lines:?}");
        assert!(lines[0].starts_with(&format!("{key} (lookout.toml): ")), "{lines:?}");
        assert!(lines[0].contains(words), "{key} = {value}: {lines:?}");
        assert!(!lines[0].contains("s3"), "{lines:?}");
    }
}

#[test]
fn values_at_their_bounds_are_taken() {
    for (key, value) in [
        ("server.shutdown_grace", "'0s'"),
        ("ingest.max_body", "1024"),
        ("ingest.max_body", "'256MiB'"),
        ("stream.queue_size", "1"),
        ("stream.recent", "0"),
        ("stream.retry", "'1ms'"),
        ("stream.stall_timeout", "'300s'"),
        ("stream.heartbeat_interval", "'299s'"),
        ("screening.deliver_within", "'0s'"),
        ("screening.deliver_within", "'10m'"),
        ("screening.max_list_age", "'1year'"),
        ("mailbox.session", "65536"),
        ("auth.cache_for", "'0s'"),
        ("auth.url", "'http://auth:8080/check?key=1'"),
        ("auth.jwt_jwks", "'https://auth.example.com/jwks'"),
        ("auth.jwt_jwks", "'http://[::1]:1/jwks'"),
        ("auth.jwt_jwks", "'http://localhost/jwks'"),
        ("auth.jwt_cookie", "'__Host-token'"),
        ("cluster.url", "'redis://user:p%40ss@[::1]:6380/2'"),
        ("store.uri", "'mongodb://user:p%40ss@a:1,b:2/admin?replicaSet=rs0&tls=true'"),
        ("store.uri", "'mongodb+srv://user:p%40ss@cluster.example/?authSource=admin'"),
    ] {
        assert!(load(&one_key(key, value), &[]).is_ok(), "{key} = {value}");
    }
}

#[test]
fn combinations_that_cannot_work_are_refused_by_both_names() {
    let table: [(&str, &[&str]); 26] = [
        ("[auth]\nmode = 'jwt'", &["auth.mode", "auth.jwt_key", "auth.jwt_jwks"]),
        ("[auth]\nmode = 'jwt'\njwt_key = 'key.pem'\njwt_jwks = 'set.json'", &["auth.mode", "auth.jwt_key", "auth.jwt_jwks"]),
        (
            "[auth]\nmode = 'jwt'\njwt_jwks = 'https://a.example/jwks'\njwt_algorithms = ['HS256']",
            &["auth.jwt_jwks", "auth.jwt_algorithms"],
        ),
        ("[auth]\nmode = 'http'", &["auth.mode", "auth.url"]),
        ("[server]\ntls_cert = 'chain.pem'", &["server.tls_cert", "server.tls_key"]),
        ("[stream]\nheartbeat_interval = '300s'", &["stream.heartbeat_interval", "stream.connection_timeout"]),
        ("[stream]\nstall_timeout = '301s'", &["stream.stall_timeout", "stream.connection_timeout"]),
        ("[screening]\ndeliver_within = '11m'", &["screening.deliver_within", "screening.give_up_after"]),
        ("[store]\nretention = '10m'", &["store.retention", "screening.give_up_after"]),
        ("[cors]\nallow_credentials = true", &["cors.allowed_origins", "cors.allow_credentials"]),
        ("[cors]\nallowed_origins = ['*', 'https://a.example']", &["cors.allowed_origins"]),
        ("[auth]\nmode = 'open'\n[server]\nbind = '0.0.0.0:80'", &["auth.mode", "server.bind"]),
        ("[auth]\nmode = 'open'\n[ingest]\nbind = '[::]:80'", &["auth.mode", "ingest.bind"]),
        ("[auth]\nmode = 'open'\n[admin]\nbind = '10.0.0.1:80'\nallow_remote = true", &["auth.mode", "admin.bind"]),
        (
            "[store]\nmax_dead_letter_bytes = '1MiB'\n[ingest]\nmax_body = '2MiB'",
            &["store.max_dead_letter_bytes", "ingest.max_body"],
        ),
        ("[admin]\nbind = '10.0.0.1:80'", &["admin.bind", "admin.allow_remote"]),
        ("[ingest.signature]\nscheme = 'token'\nheader = 'X-Token'", &["ingest.signature.scheme", "ingest.signature.secrets"]),
        ("[ingest.signature]\nsecrets = ['s3cret']", &["ingest.signature.scheme", "ingest.signature.secrets"]),
        ("[ingest.signature]\nscheme = 'token'\nsecrets = ['s3cret']", &["ingest.signature.scheme", "ingest.signature.header"]),
        (
            "[ingest.signature]\nscheme = 'hmac-sha256'\nsecrets = ['s3cret']",
            &["ingest.signature.scheme", "ingest.signature.header"],
        ),
        (
            "[ingest.signature]\nscheme = 'standard-webhooks'\nsecrets = ['s3cret']",
            &["ingest.signature.scheme", "ingest.signature.secrets"],
        ),
        ("[admin]\nbind = '127.0.0.1:8000'", &["server.bind", "admin.bind"]),
        ("[admin]\nbind = '0.0.0.0:8000'\nallow_remote = true", &["server.bind", "admin.bind"]),
        ("[admin]\nbind = '[::]:8000'\nallow_remote = true", &["server.bind", "admin.bind"]),
        ("[ingest]\nbind = '127.0.0.1:8000'", &["server.bind", "ingest.bind"]),
        ("[ingest]\nbind = '[::ffff:127.0.0.1]:8001'", &["admin.bind", "ingest.bind"]),
    ];
    for (text, keys) in table {
        let faults = load(text, &[]).unwrap_err();
        let found: Vec<_> = faults.iter().map(Fault::keys).collect();
        assert_eq!(found, [keys], "{text}: {faults}");
    }
}

#[test]
fn open_to_anybody_is_fine_on_loopback_and_port_0_is_never_shared() {
    for text in [
        "[auth]\nmode = 'open'\n[server]\nbind = '[::1]:8000'\n[ingest]\nbind = '127.9.9.9:8000'",
        "[server]\nbind = '127.0.0.1:0'\n[admin]\nbind = '127.0.0.1:0'\n[ingest]\nbind = '127.0.0.1:0'",
        "[server]\nbind = '0.0.0.0:8000'\n[admin]\nbind = '[::1]:8000'",
    ] {
        assert!(load(text, &[]).is_ok(), "{text}");
    }
}

#[test]
fn a_conflict_names_who_set_each_side() {
    let lines = fault_lines("[stream]\nconnection_timeout = '20s'", &[("LOOKOUT__STREAM__HEARTBEAT_INTERVAL", "25s")]);
    assert!(
        lines[0].starts_with(
            "stream.heartbeat_interval (LOOKOUT__STREAM__HEARTBEAT_INTERVAL), stream.connection_timeout (lookout.toml): "
        ),
        "{lines:?}"
    );
    let lines = fault_lines("[stream]\nconnection_timeout = '30s'", &[]);
    assert!(lines[0].starts_with("stream.heartbeat_interval (default), stream.connection_timeout (lookout.toml): "), "{lines:?}");
}

#[test]
fn a_refused_value_makes_no_conflict_of_its_own() {
    let lines = fault_lines("[stream]\nconnection_timeout = 'long'\nheartbeat_interval = '400s'\n[admin]\nbind = 'x'", &[]);
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[test]
fn a_wrong_type_says_what_is_taken_and_what_was_found() {
    for (key, value, words) in [
        ("stream.queue_size", "'50'", "must be a whole number, is string"),
        ("stream.queue_size", "1.5", "must be a whole number, is float"),
        ("stream.retry", "3", "must be a duration such as \"30s\", is integer"),
        ("stream.max_lifetime", "false", "must be a duration such as \"30s\", is boolean"),
        ("stream.recent", "true", "must be a size such as \"1MiB\", is boolean"),
        ("cors.allow_credentials", "'yes'", "must be true or false, is string"),
        ("auth.users", "'a'", "must be a list of texts such as [\"a\", \"b\"], is string"),
        ("auth.users", "['a', 1]", "must be a list of texts such as [\"a\", \"b\"], is array"),
        ("server.bind", "8000", "must be text, is integer"),
        ("log.level", "{ sse = 'debug' }", "must be text, is table"),
    ] {
        assert_eq!(fault_lines(&one_key(key, value), &[]), [format!("{key} (lookout.toml): {words}")]);
    }
    assert_eq!(fault_lines("stream = 5", &[]), ["stream (lookout.toml): must be a section, is integer"]);
    assert_eq!(
        load_variables(&[("LOOKOUT__AUTH__USERS", "a,b")]).unwrap_err().to_string(),
        "auth.users (LOOKOUT__AUTH__USERS): must be a list of texts such as [\"a\", \"b\"], is string"
    );
}

#[test]
fn unknown_names_are_refused_with_what_was_meant() {
    for (text, line) in [
        ("[stream]\nqueue_sise = 1", "stream.queue_sise (lookout.toml): unknown, did you mean stream.queue_size?"),
        ("[server]\nqueue_size = 1", "server.queue_size (lookout.toml): unknown, did you mean stream.queue_size?"),
        ("queue_size = 1", "queue_size (lookout.toml): unknown, did you mean stream.queue_size?"),
        ("[steam]\nqueue_size = 1\nretry = '1s'", "steam (lookout.toml): unknown, did you mean [stream]?"),
        ("[fleet]\nkind = 'redis'", "fleet (lookout.toml): unknown"),
        ("[stream]\nzzz = 1", "stream.zzz (lookout.toml): unknown"),
        ("[ingest.signatures]\nscheme = 'none'", "ingest.signatures (lookout.toml): unknown, did you mean [ingest.signature]?"),
        (
            "[ingest.signature]\nsecret = 'x'",
            "ingest.signature.secret (lookout.toml): unknown, did you mean ingest.signature.secrets?",
        ),
        ("\"a\\nb\" = 1", "a\\nb (lookout.toml): unknown"),
    ] {
        assert_eq!(fault_lines(text, &[]), [line]);
    }
    let meant = ", did you mean LOOKOUT__STREAM__QUEUE_SIZE?";
    for (name, key, meant) in [
        ("LOOKOUT__STREAM__QUEUE_SISE", "stream.queue_sise", meant),
        ("LOOKOUT__STEAM__QUEUE_SISE", "steam.queue_sise", meant),
        ("LOOKOUT__stream__queue_size", "stream.queue_size", meant),
        ("LOOKOUT__INGEST__SIGNATURE__SCHEMA", "ingest.signature.schema", ", did you mean LOOKOUT__INGEST__SIGNATURE__SCHEME?"),
        ("LOOKOUT__STREAM", "stream", ", did you mean LOOKOUT__CLUSTER__STREAM?"),
        ("LOOKOUT__", "", ""),
    ] {
        let faults = load_variables(&[(name, "1")]).unwrap_err();
        assert_eq!(faults.to_string(), format!("{key} ({name}): unknown{meant}"));
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let text =
        "[stream]\nqueue_size = 0\nretry = 3\nwhatever = 1\nheartbeat_interval = '1h'\n[auth]\nusers = ['', ' ']\n[x]\ny = 1";
    let lines = fault_lines(text, &[("LOOKOUT__MAILBOX__RELAY", "0"), ("LOOKOUT__NO__SUCH", "1")]);
    for start in [
        "stream.whatever (lookout.toml)",
        "x (lookout.toml)",
        "no.such (LOOKOUT__NO__SUCH)",
        "stream.queue_size (lookout.toml)",
        "stream.retry (lookout.toml)",
        "auth.users (lookout.toml)",
        "mailbox.relay (LOOKOUT__MAILBOX__RELAY)",
        "stream.heartbeat_interval (lookout.toml), stream.connection_timeout (default)",
    ] {
        assert!(lines.iter().any(|line| line.starts_with(start)), "{start}: {lines:#?}");
    }
    assert_eq!(lines.len(), 9, "both users are told: {lines:#?}");
}

#[test]
fn a_syntax_error_names_line_and_column_without_showing_the_line() {
    let lines = fault_lines("[stream]\n# é\nqueue_size = = 5 # secret\n[auth\n", &[("LOOKOUT__STREAM__RETRY", "soon")]);
    assert!(lines[0].starts_with("lookout.toml: line 3, column 14: "), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("lookout.toml: line 4, ")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("stream.retry (LOOKOUT__STREAM__RETRY): ")), "{lines:#?}");
    assert!(!lines.concat().contains("secret"));

    let twice = fault_lines("[stream]\nqueue_size = 5\nqueue_size = 6\n", &[]);
    assert!(twice[0].starts_with("lookout.toml: line 3, column 1: duplicate key"), "{twice:?}");
    let huge = fault_lines("[stream]\nqueue_size = 99999999999999999999\n", &[]);
    assert!(huge[0].starts_with("lookout.toml: line 2, column 14: "), "{huge:?}");
}

#[test]
fn a_variable_is_not_held_against_a_file_that_could_not_be_read() {
    let text = "[stream]\nconnection_timeout = '2h'\nqueue_size = \n";
    let lines = fault_lines(text, &[("LOOKOUT__STREAM__HEARTBEAT_INTERVAL", "1h")]);
    assert!(lines.iter().all(|line| line.starts_with("lookout.toml: line 3, ")), "{lines:#?}");
}

#[test]
fn a_file_that_cannot_be_read_is_a_fault_beside_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("absent.toml");
    let faults = Config::load(Some(&path), owned(&[("LOOKOUT__STREAM__QUEUE_SIZE", "0")])).unwrap_err();
    let found: Vec<_> = faults.iter().collect();
    assert!(matches!(found[..], [Fault::Unreadable { .. }, Fault::Impossible { .. }]), "{faults}");

    fs::write(&path, b"[stream]\n\xff").unwrap();
    let faults = Config::load(Some(&path), owned(&[])).unwrap_err();
    assert!(faults.to_string().contains("UTF-8"), "{faults}");
}

#[test]
fn a_connection_string_is_never_shown() {
    let lines = fault_lines("[store]\nuri = 'mongo://ana:s3cret@host'\n[cluster]\nurl = 'redis//:s3cret@host'\n", &[]);
    assert_eq!(lines.len(), 2);
    let config =
        load("[store]\nuri = 'mongodb://ana:s3cret@host'\n[cluster]\nurl = 'redis://:s3cret@host'\n", &[]).unwrap().config;
    assert!(!format!("{lines:?} {config:?}").contains("s3cret"));
}

#[test]
fn a_secret_that_is_no_key_is_told_by_its_number_and_never_shown() {
    for (secret, why) in [
        ("s3cret", "secret 2 begins with neither whsec_ nor whpk_"),
        ("whsec_s3cret!", "secret 2 is not base64 behind its prefix"),
        ("whsec_", "secret 2 has nothing behind its prefix"),
        ("whpk_s3cretAA", "secret 2 has not the 32 bytes of a public key"),
        ("whsk_s3cretAA", "secret 2 is a private key"),
    ] {
        let secrets = format!("['whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD', '{secret}']");
        let text = format!("[ingest.signature]\nscheme = 'standard-webhooks'\nsecrets = {secrets}\n");
        let lines = fault_lines(&text, &[]);
        assert!(lines.len() == 1 && lines[0].contains(why), "{secret}: {lines:?}");
        assert!(!lines[0].contains("s3cret"), "{lines:?}");
    }
    let text = "[ingest.signature]\nscheme = 'token'\nheader = 'X-Token'\nsecrets = ['s3cret']\n";
    assert!(!format!("{:?}", load(text, &[]).unwrap()).contains("s3cret"));
    for wrong in ["'s3cret'", "[['s3cret']]", "[' s3cret']", "{ a = 's3cret' }"] {
        let lines = fault_lines(&one_key("ingest.signature.secrets", wrong), &[]);
        assert!(!lines.is_empty() && !lines.concat().contains("s3cret"), "{wrong}: {lines:?}");
    }
}

#[test]
fn what_the_kind_of_store_cannot_do_is_refused() {
    let lines = fault_lines("[cluster]\nkind = 'redis'\n", &[]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("set store.kind to \"mongodb\""), "{lines:?}");
    let lines = fault_lines("[ingest]\nmax_body = '16MiB'\n[store]\nkind = 'mongodb'\n", &[]);
    assert!(lines.len() == 1 && lines[0].contains("15MiB at most"), "{lines:?}");
    assert!(load("[cluster]\nkind = 'redis'\n[store]\nkind = 'mongodb'\n", &[]).is_ok());
}
