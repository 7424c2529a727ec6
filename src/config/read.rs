//! From settings to the typed configuration, each value within its bounds.
//!
//! A refused value becomes a fault and a stand-in takes its place, so that reading goes on to the next mistake.

use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use bytesize::ByteSize;
use ipnet::IpNet;
use log::LevelFilter;
use mongodb::options::ConnectionString;
use redis::IntoConnectionInfo;

use super::{
    Admin, Audience, Audit, Auth, AuthMode, Cluster, ClusterKind, Config, Cors, Ingest, JwtAlgorithm, Limits, Log, LogFormat,
    Mailbox, Provider, ProxyHeader, Screening, Secret, Server, Signature, SignatureEncoding, SignatureScheme, Store, StoreKind,
    Stream,
    fault::Fault,
    settings::{Setting, Settings},
    units::{self, Refusal},
};

const STAND_IN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

const INSTANT: Duration = Duration::ZERO;
const SHORTEST: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// A claimant gives a sign of life each half second at the latest.
const SHORTEST_LIFE: Duration = Duration::from_secs(2);
/// A key set that were fetched more often would be a burden to whoever serves it.
const SHORTEST_REFRESH: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Each lap is a commit of its own.
const SHORTEST_LAP: Duration = Duration::from_millis(100);
/// A canary writes: more often it would be work of its own.
const SHORTEST_CANARY: Duration = Duration::from_millis(100);
const YEAR: Duration = Duration::from_secs(31_557_600);
const CENTURY: Duration = Duration::from_secs(31_557_600 * 100);

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// actix takes no more worker threads.
const MOST_WORKERS: u64 = 512;
/// Each is tried on each webhook.
const MOST_SECRETS: usize = 16;
/// actix itself stops reading a head there.
const LARGEST_HEAD: u64 = 128 * KIB;
/// The JSON parser gives up beyond.
const DEEPEST: u64 = 127;
/// A million a second is no limit that this server could meet.
const MOST_A_SECOND: u64 = 1_000_000;
/// actix reads 0 as no bound; far above this a mailbox hides an overload instead of showing it.
const MAILBOX: RangeInclusive<u64> = 1..=65_536;

/// Reads the whole configuration; `folder` is where relative watch-lists are. With any fault it must not be used.
pub(super) fn read(settings: &Settings, folder: &Path, faults: &mut Vec<Fault>) -> Config {
    let mut r = Reader { settings, faults };
    Config {
        server: Server {
            bind: r.address("server.bind"),
            workers: r.workers("server.workers"),
            tls_cert: r.optional_path("server.tls_cert", folder),
            tls_key: r.optional_path("server.tls_key", folder),
            tls_reload_interval: r.duration("server.tls_reload_interval", SHORTEST..=DAY),
            head_timeout: r.duration("server.head_timeout", SHORTEST..=HOUR),
            max_head: r.size("server.max_head", KIB..=LARGEST_HEAD),
            keep_alive: r.duration("server.keep_alive", SHORTEST..=HOUR),
            max_pages: r.number("server.max_pages", 1..=65_536),
            trusted_proxies: r.networks("server.trusted_proxies"),
            proxy_header: r.word(
                "server.proxy_header",
                [("x-forwarded-for", ProxyHeader::XForwardedFor), ("forwarded", ProxyHeader::Forwarded)],
            ),
            shutdown_grace: r.duration("server.shutdown_grace", INSTANT..=HOUR),
        },
        limits: Limits {
            streams_per_ip: r.number("limits.streams_per_ip", 0..=MOST_A_SECOND),
            streams_burst: r.number("limits.streams_burst", 1..=MOST_A_SECOND),
            webhooks_per_ip: r.number("limits.webhooks_per_ip", 0..=MOST_A_SECOND),
            webhooks_burst: r.number("limits.webhooks_burst", 1..=MOST_A_SECOND),
            connections_per_ip: r.number("limits.connections_per_ip", 0..=1_000_000),
            streams_per_connection: r.number("limits.streams_per_connection", 1..=10_000),
            tracked_ips: r.number("limits.tracked_ips", 2..=10_000_000),
            exempt: r.networks("limits.exempt"),
        },
        ingest: Ingest {
            bind: r.optional_address("ingest.bind"),
            max_body: r.size("ingest.max_body", KIB..=256 * MIB),
            max_batch: r.number("ingest.max_batch", 1..=100_000),
            max_depth: r.number("ingest.max_depth", 4..=DEEPEST),
            max_nodes: r.number("ingest.max_nodes", 100..=100_000_000),
            max_in_flight: r.number("ingest.max_in_flight", 1..=65_536),
            body_timeout: r.duration("ingest.body_timeout", SHORTEST..=HOUR),
            answer_timeout: r.duration("ingest.answer_timeout", SHORTEST..=HOUR),
            signature: Signature {
                scheme: r.word(
                    "ingest.signature.scheme",
                    [
                        ("none", SignatureScheme::None),
                        ("standard-webhooks", SignatureScheme::StandardWebhooks),
                        ("hmac-sha256", SignatureScheme::HmacSha256),
                        ("token", SignatureScheme::Token),
                    ],
                ),
                secrets: r.secrets("ingest.signature.secrets", MOST_SECRETS),
                header: r.text("ingest.signature.header", units::header_name),
                encoding: r
                    .word("ingest.signature.encoding", [("hex", SignatureEncoding::Hex), ("base64", SignatureEncoding::Base64)]),
                tolerance: r.duration("ingest.signature.tolerance", SECOND..=DAY),
            },
        },
        stream: Stream {
            max_connections: r.number("stream.max_connections", 1..=1_000_000),
            max_connections_per_user: r.number("stream.max_connections_per_user", 0..=1_000_000),
            queue_size: r.number("stream.queue_size", 1..=65_536),
            recent: r.size("stream.recent", 0..=GIB),
            stall_timeout: r.duration("stream.stall_timeout", SHORTEST..=DAY),
            connection_timeout: r.duration("stream.connection_timeout", SHORTEST..=DAY),
            heartbeat_interval: r.duration("stream.heartbeat_interval", SHORTEST..=DAY),
            max_lifetime: r.duration_or("stream.max_lifetime", "off", SHORTEST..=YEAR),
            retry: r.duration("stream.retry", SHORTEST..=HOUR),
            audience: r.word("stream.audience", [("everyone", Audience::Everyone), ("owner", Audience::Owner)]),
        },
        auth: Auth {
            mode: r.word(
                "auth.mode",
                [
                    ("list", AuthMode::List),
                    ("store", AuthMode::Store),
                    ("jwt", AuthMode::Jwt),
                    ("http", AuthMode::Http),
                    ("open", AuthMode::Open),
                ],
            ),
            users: r.texts("auth.users", units::name),
            url: r.optional("auth.url", |text| units::url(text).map(|_| Secret::new(text))),
            timeout: r.duration("auth.timeout", SHORTEST..=MINUTE),
            cache_for: r.duration("auth.cache_for", INSTANT..=HOUR),
            cache_size: r.number("auth.cache_size", 1..=1_000_000),
            jwt_key: r.optional("auth.jwt_key", |text| Ok(folder.join(text))),
            jwt_jwks: r.optional("auth.jwt_jwks", |text| units::key_set(text, folder)),
            jwt_refresh: r.duration("auth.jwt_refresh", SHORTEST_REFRESH..=DAY),
            jwt_algorithms: r.words(
                "auth.jwt_algorithms",
                [
                    ("HS256", JwtAlgorithm::Hs256),
                    ("RS256", JwtAlgorithm::Rs256),
                    ("ES256", JwtAlgorithm::Es256),
                    ("EdDSA", JwtAlgorithm::EdDsa),
                ],
            ),
            jwt_audience: r.texts("auth.jwt_audience", units::name),
            jwt_issuer: r.texts("auth.jwt_issuer", units::name),
            jwt_leeway: r.duration("auth.jwt_leeway", INSTANT..=HOUR),
            jwt_cookie: r.optional("auth.jwt_cookie", |text| units::cookie_name(text).map(|()| text.to_owned())),
        },
        cors: Cors {
            allowed_origins: r.texts("cors.allowed_origins", units::origin),
            allow_credentials: r.boolean("cors.allow_credentials"),
        },
        screening: Screening {
            provider: r.word("screening.provider", [("list", Provider::List), ("none", Provider::None)]),
            lists: r.texts("screening.lists", units::name).iter().map(|file| folder.join(file)).collect(),
            reload_interval: r.duration("screening.reload_interval", SHORTEST..=DAY),
            deliver_within: r.duration("screening.deliver_within", INSTANT..=DAY),
            give_up_after: r.duration("screening.give_up_after", SHORTEST..=YEAR),
            max_list_age: r.duration("screening.max_list_age", SHORTEST..=YEAR),
            skip_vessel_types: r.texts("screening.skip_vessel_types", units::name),
            max_in_flight: r.number("screening.max_in_flight", 1..=65_536),
        },
        store: Store {
            kind: r.word("store.kind", [("embedded", StoreKind::Embedded), ("mongodb", StoreKind::MongoDb)]),
            path: r.path("store.path"),
            uri: r.secret("store.uri", &["mongodb://", "mongodb+srv://"], |uri| ConnectionString::parse(uri).is_ok()),
            database: r.text("store.database", units::database),
            select_timeout: r.duration("store.select_timeout", SHORTEST..=HOUR),
            timeout: r.duration("store.timeout", SHORTEST..=HOUR),
            max_dead_letters: r.number("store.max_dead_letters", 1..=100_000),
            max_dead_letter_bytes: r.size("store.max_dead_letter_bytes", MIB..=1024 * GIB),
            retention: r.duration_or("store.retention", "forever", SHORTEST..=CENTURY),
            read_connections: r.number("store.read_connections", 1..=64),
            max_commit: r.number("store.max_commit", 1..=100_000),
        },
        cluster: Cluster {
            kind: r.word("cluster.kind", [("none", ClusterKind::None), ("redis", ClusterKind::Redis)]),
            url: r.secret("cluster.url", &["redis://"], |url| url.into_connection_info().is_ok()),
            stream: r.text("cluster.stream", units::name),
            max_len: r.number("cluster.max_len", 1..=10_000_000),
            look_interval: r.duration("cluster.look_interval", SHORTEST..=HOUR),
            take_over_after: r.duration("cluster.take_over_after", SHORTEST_LIFE..=HOUR),
        },
        audit: Audit {
            interval: r.duration_or("audit.interval", "off", SHORTEST_LAP..=HOUR),
            max_ended: r.number("audit.max_ended", 1..=1_000_000),
        },
        admin: Admin {
            bind: r.address("admin.bind"),
            allow_remote: r.boolean("admin.allow_remote"),
            allowed_hosts: r.texts("admin.allowed_hosts", units::host),
            canary_interval: r.duration_or("admin.canary_interval", "off", SHORTEST_CANARY..=HOUR),
        },
        log: Log {
            level: r.word(
                "log.level",
                [
                    ("error", LevelFilter::Error),
                    ("warn", LevelFilter::Warn),
                    ("info", LevelFilter::Info),
                    ("debug", LevelFilter::Debug),
                    ("trace", LevelFilter::Trace),
                ],
            ),
            format: r.word("log.format", [("text", LogFormat::Text), ("json", LogFormat::Json)]),
        },
        mailbox: Mailbox {
            webhook_handler: r.number("mailbox.webhook_handler", MAILBOX),
            archivist: r.number("mailbox.archivist", MAILBOX),
            screener: r.number("mailbox.screener", MAILBOX),
            broadcaster: r.number("mailbox.broadcaster", MAILBOX),
            courier: r.number("mailbox.courier", MAILBOX),
            relay: r.number("mailbox.relay", MAILBOX),
            session: r.number("mailbox.session", MAILBOX),
            session_supervisor: r.number("mailbox.session_supervisor", MAILBOX),
        },
    }
}

struct Reader<'a> {
    settings: &'a Settings,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Reader<'a> {
    /// A key's value, or a fault and none.
    fn take<T>(&mut self, key: &'static str, parse: impl FnOnce(&'a Setting) -> Result<T, Refusal>) -> Option<T> {
        let setting = self.settings.get(key)?;
        match parse(setting) {
            Ok(value) => Some(value),
            Err(refusal) => {
                self.refuse(key, setting, refusal);
                None
            }
        }
    }

    fn refuse(&mut self, key: &'static str, setting: &Setting, refusal: Refusal) {
        let (key, set_by) = (key.to_owned(), setting.set_by.clone());
        self.faults.push(match refusal {
            Refusal::Type(expected) => Fault::WrongType { key, set_by, expected, found: setting.value.type_str() },
            Refusal::Value(reason) => Fault::Impossible { key, set_by, reason },
        });
    }

    fn number(&mut self, key: &'static str, range: RangeInclusive<u64>) -> usize {
        self.take(key, |setting| as_usize(within(units::whole_number(setting)?, &range, u64::to_string)?)).unwrap_or(1)
    }

    fn size(&mut self, key: &'static str, range: RangeInclusive<u64>) -> usize {
        let show = |bytes: &u64| ByteSize(*bytes).to_string();
        self.take(key, |setting| as_usize(within(units::size(setting)?, &range, show)?)).unwrap_or(1)
    }

    fn workers(&mut self, key: &'static str) -> usize {
        match self.number(key, 0..=MOST_WORKERS) {
            0 => thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS as usize),
            workers => workers,
        }
    }

    fn duration(&mut self, key: &'static str, range: RangeInclusive<Duration>) -> Duration {
        self.take(key, |setting| within(units::duration(setting)?, &range, show_duration)).unwrap_or(SHORTEST)
    }

    /// A duration, or the word that means none.
    fn duration_or(&mut self, key: &'static str, none: &str, range: RangeInclusive<Duration>) -> Option<Duration> {
        let parse = |setting| match units::text(setting) {
            Ok(word) if word == none => Ok(None),
            _ => match units::duration(setting).and_then(|duration| within(duration, &range, show_duration)) {
                Ok(duration) => Ok(Some(duration)),
                Err(Refusal::Value(reason)) => Err(Refusal::Value(format!("{reason}; {none:?} is none"))),
                Err(refusal) => Err(refusal),
            },
        };
        self.take(key, parse).flatten()
    }

    fn boolean(&mut self, key: &'static str) -> bool {
        self.take(key, units::boolean).unwrap_or_default()
    }

    fn address(&mut self, key: &'static str) -> SocketAddr {
        self.take(key, |setting| units::address(units::text(setting)?)).unwrap_or(STAND_IN)
    }

    fn optional_address(&mut self, key: &'static str) -> Option<SocketAddr> {
        self.optional(key, units::address)
    }

    /// What a text says; an empty one says nothing.
    fn optional<T>(&mut self, key: &'static str, parse: impl FnOnce(&str) -> Result<T, Refusal>) -> Option<T> {
        let parse = |setting| match units::text(setting)? {
            "" => Ok(None),
            text => parse(text).map(Some),
        };
        self.take(key, parse).flatten()
    }

    fn path(&mut self, key: &'static str) -> PathBuf {
        let parse = |setting| match units::text(setting)? {
            "" => Err(Refusal::Value("must name a file, is empty".to_owned())),
            text => Ok(PathBuf::from(text)),
        };
        self.take(key, parse).unwrap_or_default()
    }

    /// A file relative to this folder, or none.
    fn optional_path(&mut self, key: &'static str, folder: &Path) -> Option<PathBuf> {
        let parse = |setting| match units::text(setting)? {
            "" => Ok(None),
            text => Ok(Some(folder.join(text))),
        };
        self.take(key, parse).flatten()
    }

    fn networks(&mut self, key: &'static str) -> Vec<IpNet> {
        let texts = self.texts(key, |text| units::network(text).map(drop));
        texts.iter().filter_map(|text| units::network(text).ok()).collect()
    }

    fn text(&mut self, key: &'static str, check: fn(&str) -> Result<(), Refusal>) -> String {
        let parse = |setting| {
            let text = units::text(setting)?;
            check(text).map(|()| text.to_owned())
        };
        self.take(key, parse).unwrap_or_default()
    }

    /// A URL of one of these schemes, that whoever connects with it can read. The fault does not show it: it may hold a password.
    fn secret(&mut self, key: &'static str, schemes: &[&str], is_usable: fn(&str) -> bool) -> Secret {
        let parse = |setting| {
            let text = units::text(setting)?;
            if !schemes.iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty())) {
                return Err(Refusal::Value(format!("must begin with {} and name a host", schemes.join(" or "))));
            }
            if !is_usable(text) {
                let parts = "its host, its port, what stands behind them, and the percent-encoding of its password";
                return Err(Refusal::Value(format!("cannot be read: check {parts}")));
            }
            Ok(Secret::new(text))
        };
        self.take(key, parse).unwrap_or_else(|| Secret::new(""))
    }

    /// A list of so many secrets at most. No fault shows one.
    fn secrets(&mut self, key: &'static str, most: usize) -> Vec<Secret> {
        let parse = |setting| {
            let texts = units::texts(setting)?;
            if texts.len() > most {
                return Err(Refusal::Value(format!("must be {most} at most, are {}", texts.len())));
            }
            match texts.iter().position(|text| text.is_empty() || text.trim() != *text) {
                Some(index) => Err(Refusal::Value(format!("entry {} must not be empty or have blanks around it", index + 1))),
                None => Ok(texts.into_iter().map(Secret::new).collect()),
            }
        };
        self.take(key, parse).unwrap_or_default()
    }

    /// One of some words, each with its meaning.
    fn word<T: Copy, const N: usize>(&mut self, key: &'static str, words: [(&str, T); N]) -> T {
        self.take(key, |setting| meaning(units::text(setting)?, &words)).unwrap_or(words[0].1)
    }

    /// Some of some words, at least one.
    fn words<T: Copy, const N: usize>(&mut self, key: &'static str, words: [(&str, T); N]) -> Vec<T> {
        let parse = |setting| match &units::texts(setting)?[..] {
            [] => Err(Refusal::Value("must not be empty".to_owned())),
            texts => texts.iter().map(|text| meaning(text, &words)).collect(),
        };
        self.take(key, parse).unwrap_or_default()
    }

    /// A list of texts, with one fault for each entry that is refused.
    fn texts(&mut self, key: &'static str, check: fn(&str) -> Result<(), Refusal>) -> Vec<String> {
        let Some((setting, texts)) = self.take(key, |setting| Ok((setting, units::texts(setting)?))) else {
            return Vec::new();
        };
        for refusal in texts.iter().filter_map(|text| check(text).err()) {
            self.refuse(key, setting, refusal);
        }
        texts.into_iter().map(str::to_owned).collect()
    }
}

fn meaning<T: Copy, const N: usize>(text: &str, words: &[(&str, T); N]) -> Result<T, Refusal> {
    words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let all = words.map(|(word, _)| format!("{word:?}")).join(", ");
        Refusal::Value(format!("must be {}{all}, is {text:?}", if N > 1 { "one of " } else { "" }))
    })
}

fn within<T: PartialOrd>(value: T, range: &RangeInclusive<T>, show: impl Fn(&T) -> String) -> Result<T, Refusal> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(Refusal::Value(format!("must be {} to {}, is {}", show(range.start()), show(range.end()), show(&value))))
}

fn as_usize(value: u64) -> Result<usize, Refusal> {
    usize::try_from(value).map_err(|_| Refusal::Value(format!("{value} is more than this machine can address")))
}

fn show_duration(duration: &Duration) -> String {
    humantime::format_duration(*duration).to_string()
}
