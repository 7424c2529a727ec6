//! What an operator may set: typed sub-configurations, read from `config.toml`'s defaults, a file and the environment.

mod changes;
mod fault;
mod load;
mod read;
mod secret;
mod settings;
mod units;
mod url;
mod validate;

#[cfg(test)]
mod tests;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;

pub use changes::{Changes, Effect, effects};
pub use fault::{Fault, Faults, Source};
pub use load::{Loaded, environment};
pub use secret::{Secret, SigningKey};

/// The whole configuration, valid as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[limits]`
    pub limits: Limits,
    /// `[ingest]`
    pub ingest: Ingest,
    /// `[stream]`
    pub stream: Stream,
    /// `[auth]`
    pub auth: Auth,
    /// `[cors]`
    pub cors: Cors,
    /// `[screening]`
    pub screening: Screening,
    /// `[store]`
    pub store: Store,
    /// `[cluster]`
    pub cluster: Cluster,
    /// `[audit]`
    pub audit: Audit,
    /// `[admin]`
    pub admin: Admin,
    /// `[log]`
    pub log: Log,
    /// `[mailbox]`
    pub mailbox: Mailbox,
}

/// The listeners of readers and senders.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Where streams, history, the test page and, unless `ingest.bind` is set, the webhook listen.
    pub bind: SocketAddr,
    /// Worker threads; `0` in the file means one a core, resolved when loaded.
    pub workers: usize,
    /// The certificate chain, PEM; `""` in the file: no TLS.
    pub tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    pub tls_key: Option<PathBuf>,
    /// How often the two files are looked at for a change.
    pub tls_reload_interval: Duration,
    /// How long the head of a request, and the handshake before it, may take to arrive; longer is 408.
    pub head_timeout: Duration,
    /// Bytes of the head of a request; more is 431.
    pub max_head: usize,
    /// A connection without a request is closed after so long.
    pub keep_alive: Duration,
    /// Pages of history in memory; one more waits.
    pub max_pages: usize,
    /// Whose word is taken for the address of a client.
    pub trusted_proxies: Vec<IpNet>,
    /// Where they say it.
    pub proxy_header: ProxyHeader,
    /// How long a stop may take.
    pub shutdown_grace: Duration,
}

/// Where a proxy says for whom it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`
    XForwardedFor,
    /// `Forwarded` of RFC 7239.
    Forwarded,
}

/// What one client address may have of the server.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Streams that it may open a second, over time; 0 is no limit.
    pub streams_per_ip: usize,
    /// Streams that it may open at once, after a pause.
    pub streams_burst: usize,
    /// Webhooks that it may post a second, over time; 0 is no limit.
    pub webhooks_per_ip: usize,
    /// Webhooks that it may post at once, after a pause.
    pub webhooks_burst: usize,
    /// Connections that it may have open; 0 is no limit.
    pub connections_per_ip: usize,
    /// Requests that one HTTP/2 connection may have open.
    pub streams_per_connection: usize,
    /// Addresses that are remembered for each rate.
    pub tracked_ips: usize,
    /// Who has no limits.
    pub exempt: Vec<IpNet>,
}

/// The webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct Ingest {
    /// A listener of its own for the webhook; `""` in the file: the public one.
    pub bind: Option<SocketAddr>,
    /// Bytes of one body; more is 413.
    pub max_body: usize,
    /// Items of one batch; more is 413.
    pub max_batch: usize,
    /// Objects and arrays inside each other; more is 400.
    pub max_depth: usize,
    /// Objects, arrays, texts, numbers and words in one body; more is 400.
    pub max_nodes: usize,
    /// Webhooks that may be between their first body byte and their commit; one more is 503.
    pub max_in_flight: usize,
    /// How long a body may take to arrive; longer is 408.
    pub body_timeout: Duration,
    /// How long a commit may take before the sender is told 503; the event may still be kept, a retry is then a duplicate.
    pub answer_timeout: Duration,
    /// `[ingest.signature]`
    pub signature: Signature,
}

/// How senders of webhooks prove themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct Signature {
    /// By which rules.
    pub scheme: SignatureScheme,
    /// What they share with this server; any of them counts.
    pub secrets: Vec<Secret>,
    /// The header that holds the signature or token; `standard-webhooks` has its own.
    pub header: String,
    /// How a signature of `hmac-sha256` is written.
    pub encoding: SignatureEncoding,
    /// How far a timestamp may be from this server's clock.
    pub tolerance: Duration,
}

/// By which rules senders prove themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureScheme {
    /// Not at all.
    None,
    /// Those of the Standard Webhooks specification.
    StandardWebhooks,
    /// An HMAC over the body in a header.
    HmacSha256,
    /// A fixed value in a header.
    Token,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureEncoding {
    /// Digits of either case.
    Hex,
    /// With padding or without.
    Base64,
}

/// The SSE streams.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// Open streams on this node; one more is 503.
    pub max_connections: usize,
    /// Open streams a user on this node; 0 is no limit.
    pub max_connections_per_user: usize,
    /// Frames that wait in memory for one client; more are read from the log as the socket drains.
    pub queue_size: usize,
    /// Bytes of the newest frames kept in memory for catching up.
    pub recent: usize,
    /// A full queue that has not moved for so long ends its stream.
    pub stall_timeout: Duration,
    /// A socket that has taken no byte for so long is closed.
    pub connection_timeout: Duration,
    /// Each session sends a heartbeat this often.
    pub heartbeat_interval: Duration,
    /// A session ends at a random 80–100 % of it; `"off"` in the file is none.
    pub max_lifetime: Option<Duration>,
    /// The reconnection time that clients are told.
    pub retry: Duration,
    /// Who sees what.
    pub audience: Audience,
}

/// Who sees a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Every connected user.
    Everyone,
    /// The user named in its reference.
    Owner,
}

/// Who may connect.
#[derive(Debug, Clone, PartialEq)]
pub struct Auth {
    /// How a user is checked.
    pub mode: AuthMode,
    /// The users of mode `list`.
    pub users: Vec<String>,
    /// Whom mode `http` asks; `""` in the file is none.
    pub url: Option<Secret>,
    /// How long `url`, or a key set at a URL, may take to answer.
    pub timeout: Duration,
    /// How long an answer of `url` is good.
    pub cache_for: Duration,
    /// The most answers, or genuine tokens, in memory.
    pub cache_size: usize,
    /// The key file of mode `jwt`, resolved against the folder of the configuration file; `""` in the file is none.
    pub jwt_key: Option<PathBuf>,
    /// The key set of mode `jwt`; `""` in the file is none.
    pub jwt_jwks: Option<Jwks>,
    /// How often a key set at a URL is fetched.
    pub jwt_refresh: Duration,
    /// What tokens may be signed with.
    pub jwt_algorithms: Vec<JwtAlgorithm>,
    /// A token must be for one of them; when empty, for nobody in particular.
    pub jwt_audience: Vec<String>,
    /// A token must be from one of them; when empty, from anybody who has the key.
    pub jwt_issuer: Vec<String>,
    /// How much clocks may differ.
    pub jwt_leeway: Duration,
    /// The cookie that holds a token; `""` in the file is none.
    pub jwt_cookie: Option<String>,
}

/// How a user is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// `auth.users`.
    List,
    /// The users in the store.
    Store,
    /// Whoever brings a token that is signed by a known key.
    Jwt,
    /// Whom `auth.url` lets in.
    Http,
    /// Anybody; refused unless every listener is on loopback.
    Open,
}

/// Where a JSON Web Key Set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Jwks {
    /// In a file, resolved against the folder of the configuration file.
    File(PathBuf),
    /// At a URL: https, or http on loopback.
    Url(Secret),
}

/// What a token may be signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256: the one with a secret that whoever verifies could sign with too.
    Hs256,
    /// RSA (PKCS #1 v1.5) with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

/// Which pages of other origins may read.
#[derive(Debug, Clone, PartialEq)]
pub struct Cors {
    /// Exact origins, or the one word `*`.
    pub allowed_origins: Vec<String>,
    /// Whether they may send cookies; impossible with `*`.
    pub allow_credentials: bool,
}

/// Screening.
#[derive(Debug, Clone, PartialEq)]
pub struct Screening {
    /// Who screens.
    pub provider: Provider,
    /// Files of the provider `list`, resolved against the folder of the configuration file.
    pub lists: Vec<PathBuf>,
    /// How often the list files are looked at for a change.
    pub reload_interval: Duration,
    /// A notification is broadcast as pending when its result takes longer.
    pub deliver_within: Duration,
    /// After so long without a result the screening ends as failed or timed out.
    pub give_up_after: Duration,
    /// A list read longer ago cannot say OK.
    pub max_list_age: Duration,
    /// Vessel types that are not screened, compared without case.
    pub skip_vessel_types: Vec<String>,
    /// Screenings under way at once; the others wait in the store.
    pub max_in_flight: usize,
}

/// Who screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// Watch-lists read from files.
    List,
    /// Nobody: everything is UNKNOWN.
    None,
}

/// The store.
#[derive(Debug, Clone, PartialEq)]
pub struct Store {
    /// Which kind.
    pub kind: StoreKind,
    /// The embedded store's file, relative to the working folder.
    pub path: PathBuf,
    /// MongoDB's connection string.
    pub uri: Secret,
    /// The MongoDB database.
    pub database: String,
    /// How long MongoDB's primary is searched.
    pub select_timeout: Duration,
    /// How long one commit or read in MongoDB may take.
    pub timeout: Duration,
    /// The most dead letters; the oldest go first.
    pub max_dead_letters: usize,
    /// The most bytes of the bodies that they came in.
    pub max_dead_letter_bytes: usize,
    /// How long entries are kept; `"forever"` in the file is none.
    pub retention: Option<Duration>,
    /// Read-only connections for replay and history.
    pub read_connections: usize,
    /// Writes in one commit; the rest goes into the next.
    pub max_commit: usize,
}

/// Which kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// SQLite in a file.
    Embedded,
    /// A MongoDB replica set, which several nodes may share.
    MongoDb,
}

/// How nodes that share a store hear of each other's entries.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// What carries them.
    pub kind: ClusterKind,
    /// Where Redis is.
    pub url: Secret,
    /// The Redis stream.
    pub stream: String,
    /// The most entries in it, about.
    pub max_len: usize,
    /// How often the store is asked for what others have committed.
    pub look_interval: Duration,
    /// After so long without a sign of life a node's screenings are taken over.
    pub take_over_after: Duration,
}

/// What carries entries between nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterKind {
    /// Nothing: each node looks into the store.
    None,
    /// A Redis stream.
    Redis,
}

/// Who was sent what.
#[derive(Debug, Clone, PartialEq)]
pub struct Audit {
    /// How often it is written; `"off"` in the file is never.
    pub interval: Option<Duration>,
    /// Ends of streams that wait on one worker thread; beyond it they are lost.
    pub max_ended: usize,
}

/// The admin listener.
#[derive(Debug, Clone, PartialEq)]
pub struct Admin {
    /// Where health, metrics and what commands change are served.
    pub bind: SocketAddr,
    /// Whether `bind` may be another address than loopback.
    pub allow_remote: bool,
    /// Names, beside addresses and localhost, by which it may be asked for.
    pub allowed_hosts: Vec<String>,
    /// How often a canary is sent through the whole flow; `"off"` in the file is none.
    pub canary_interval: Option<Duration>,
}

/// Logging.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: log::LevelFilter,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// `<time> [LEVEL] target: message`
    Text,
    /// One JSON object a line.
    Json,
}

/// Mailbox capacities, messages. Never 0: actix reads that as no bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Mailbox {
    /// Webhooks waiting to be read.
    pub webhook_handler: usize,
    /// Writes that the archivist has not taken up.
    pub archivist: usize,
    /// Wake-ups.
    pub screener: usize,
    /// Commits waiting to be broadcast.
    pub broadcaster: usize,
    /// Commits waiting to be sent to other nodes.
    pub courier: usize,
    /// Broadcasts waiting on one worker thread.
    pub relay: usize,
    /// Signals waiting for one session.
    pub session: usize,
    /// Connects and goodbyes.
    pub session_supervisor: usize,
}
