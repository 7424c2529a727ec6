//! What values mean together: combinations that cannot work, and those that work but are risky.
//!
//! Each value alone has been read within its bounds; what is left are pairs that no bound can express.

use std::{net::SocketAddr, time::Duration};

use super::{
    Audience, AuthMode, ClusterKind, Config, Jwks, JwtAlgorithm, Limits, Provider, Secret, Signature, SignatureScheme,
    SigningKey, StoreKind,
    fault::{Fault, Source},
    settings::Settings,
    units,
    url::Url,
};

/// The longest retry schedule among webhook senders is a little over three days.
const LONGEST_RETRY: Duration = Duration::from_secs(4 * 24 * 3600);

/// MongoDB keeps a body in one document of 16 MiB.
const MONGODB_BODY: usize = 15 << 20;

/// Proxies commonly cut off a connection that was quiet for so long.
const PROXY_PATIENCE: Duration = Duration::from_secs(60);

/// Bytes that the Standard Webhooks specification asks of a secret at least.
const SHORT_SECRET: usize = 24;

/// Bodies in memory beyond this are more than a small machine has.
const MUCH_MEMORY: usize = 2 << 30;

/// Adds a fault for each combination that cannot work. One with a value that is a fault already is not looked at.
pub(super) fn check_together(config: &Config, settings: &Settings, faults: &mut Vec<Fault>) {
    let mut check = Check { settings, faults };
    let (stream, screening, cors) = (&config.stream, &config.screening, &config.cors);
    check.refuse_if(
        stream.heartbeat_interval >= stream.connection_timeout,
        &["stream.heartbeat_interval", "stream.connection_timeout"],
        "heartbeat_interval must be shorter than connection_timeout, else quiet clients that are well are disconnected",
    );
    check.refuse_if(
        stream.stall_timeout > stream.connection_timeout,
        &["stream.stall_timeout", "stream.connection_timeout"],
        "stall_timeout must not be longer than connection_timeout, else it never acts",
    );
    check.refuse_if(
        config.server.tls_cert.is_some() != config.server.tls_key.is_some(),
        &["server.tls_cert", "server.tls_key"],
        "a certificate and its key belong together, set both or neither",
    );
    check.refuse_if(
        screening.deliver_within > screening.give_up_after,
        &["screening.deliver_within", "screening.give_up_after"],
        "deliver_within must not be longer than give_up_after, else screenings end before they may be pending",
    );
    check.refuse_if(
        config.store.retention.is_some_and(|retention| retention <= screening.give_up_after),
        &["store.retention", "screening.give_up_after"],
        "retention must be longer than give_up_after, else notifications are deleted while they are screened",
    );
    check.refuse_if(
        config.cluster.kind == ClusterKind::Redis && config.store.kind == StoreKind::Embedded,
        &["cluster.kind", "store.kind"],
        "nodes of a cluster share their store, which one in a file cannot be; set store.kind to \"mongodb\"",
    );
    check.refuse_if(
        config.store.kind == StoreKind::MongoDb && config.ingest.max_body > MONGODB_BODY,
        &["ingest.max_body", "store.kind"],
        "MongoDB takes no document over 16 MiB: with store.kind \"mongodb\" a body may have 15MiB at most",
    );
    check.refuse_if(
        config.store.max_dead_letter_bytes < config.ingest.max_body,
        &["store.max_dead_letter_bytes", "ingest.max_body"],
        "max_dead_letter_bytes must not be less than max_body, else a body may be dropped as soon as it is kept",
    );
    check_signature(&config.ingest.signature, &mut check);
    check.refuse_if(
        !config.admin.allow_remote && !is_loopback(&config.admin.bind),
        &["admin.bind", "admin.allow_remote"],
        "whoever reaches the admin listener rules the server, so it must be on loopback unless allow_remote is true",
    );
    let wildcard = cors.allowed_origins.iter().any(|origin| origin == "*");
    check.refuse_if(
        wildcard && cors.allow_credentials,
        &["cors.allowed_origins", "cors.allow_credentials"],
        "\"*\" and allow_credentials exclude each other, name the origins",
    );
    check.refuse_if(
        wildcard && cors.allowed_origins.len() > 1,
        &["cors.allowed_origins"],
        "\"*\" stands alone, beside it other origins mean nothing",
    );
    let auth = &config.auth;
    check.refuse_if(
        auth.mode == AuthMode::Jwt && auth.jwt_key.is_some() == auth.jwt_jwks.is_some(),
        &["auth.mode", "auth.jwt_key", "auth.jwt_jwks"],
        "mode \"jwt\" has its keys from one of jwt_key and jwt_jwks",
    );
    check.refuse_if(
        auth.mode == AuthMode::Jwt
            && matches!(auth.jwt_jwks, Some(Jwks::Url(_)))
            && auth.jwt_algorithms.iter().all(|algorithm| *algorithm == JwtAlgorithm::Hs256),
        &["auth.jwt_jwks", "auth.jwt_algorithms"],
        "what can be fetched from a URL is no secret, so it can hold no key of HS256; name other algorithms too",
    );
    check.refuse_if(
        auth.mode == AuthMode::Http && auth.url.is_none(),
        &["auth.mode", "auth.url"],
        "mode \"http\" asks auth.url, which is empty",
    );
    let listeners = listeners(config);
    for (key, address) in &listeners {
        check.refuse_if(
            config.auth.mode == AuthMode::Open && !is_loopback(address),
            &["auth.mode", key],
            &format!("mode \"open\" lets anybody in, so every listener must be on loopback and {address} is not"),
        );
    }
    for (i, (key, address)) in listeners.iter().enumerate() {
        for (other_key, other) in &listeners[..i] {
            let instead =
                if *key == "ingest.bind" && address == other { ", to share the listener leave ingest.bind empty" } else { "" };
            check.refuse_if(
                clash(address, other),
                &[other_key, key],
                &format!("two listeners cannot share {other} and {address}{instead}"),
            );
        }
    }
}

fn check_signature(signature: &Signature, check: &mut Check<'_>) {
    let (scheme, secrets) = (signature.scheme, &signature.secrets);
    let none = scheme == SignatureScheme::None;
    check.refuse_if(
        !none && secrets.is_empty(),
        &["ingest.signature.scheme", "ingest.signature.secrets"],
        "without a secret no sender can prove itself and every webhook is refused",
    );
    check.refuse_if(
        none && !secrets.is_empty(),
        &["ingest.signature.scheme", "ingest.signature.secrets"],
        "with scheme \"none\" the secrets protect nothing; name the scheme, or leave them out",
    );
    check.refuse_if(
        matches!(scheme, SignatureScheme::HmacSha256 | SignatureScheme::Token) && signature.header.is_empty(),
        &["ingest.signature.scheme", "ingest.signature.header"],
        "this scheme needs the name of the header that the sender uses",
    );
    if scheme == SignatureScheme::StandardWebhooks {
        for (index, secret) in secrets.iter().enumerate() {
            let wrong = secret.signing_key().err();
            check.refuse_if(
                wrong.is_some(),
                &["ingest.signature.scheme", "ingest.signature.secrets"],
                &format!("secret {} {}", index + 1, wrong.unwrap_or_default()),
            );
        }
    }
}

/// What is allowed but an operator should have chosen knowingly, one sentence each.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let public = !is_loopback(&config.server.bind);
    let webhook = config.ingest.bind.unwrap_or(config.server.bind);
    let webhook_key = if config.ingest.bind.is_some() { "ingest.bind" } else { "server.bind" };
    let (signature, uri) = (&config.ingest.signature, Url::of(config.store.uri.expose()));
    let list_mode = config.auth.mode == AuthMode::List;
    let risks = [
        (
            public && config.cors.allowed_origins.iter().any(|origin| origin == "*"),
            "cors.allowed_origins is \"*\" and server.bind is not on loopback: any page may read the streams through its visitors"
                .to_owned(),
        ),
        (
            config.auth.mode == AuthMode::Open && config.cors.allowed_origins.iter().any(|origin| origin == "*"),
            "auth.mode is \"open\" and cors.allowed_origins is \"*\": any page in a browser on this machine may read everything".to_owned(),
        ),
        (
            public && matches!(config.auth.mode, AuthMode::List | AuthMode::Store),
            format!(
                "auth.mode is \"{}\" and server.bind is not on loopback: whoever knows a user id may read as that user",
                if list_mode { "list" } else { "store" }
            ),
        ),
        (
            public && config.stream.audience == Audience::Everyone,
            "stream.audience is \"everyone\" and server.bind is not on loopback: every user sees every owner's notifications"
                .to_owned(),
        ),
        (
            !is_loopback(&webhook) && signature.scheme == SignatureScheme::None,
            format!("{webhook_key} is not on loopback and webhooks are not signed: whoever reaches {webhook} may post events"),
        ),
        (
            !is_loopback(&config.admin.bind),
            format!("admin.bind is not on loopback: whoever reaches {} may read and drop what is kept there", config.admin.bind),
        ),
        (
            !is_loopback(&webhook) && signature.scheme == SignatureScheme::Token && config.server.tls_cert.is_none(),
            format!("{webhook_key} is not on loopback and has no TLS: ingest.signature.scheme \"token\" passes its secret in the clear"),
        ),
        (
            signature.secrets.iter().any(|secret| key_bytes(signature.scheme, secret) < SHORT_SECRET),
            format!("ingest.signature.secrets has one of less than {SHORT_SECRET} bytes: it may be guessed"),
        ),
        (
            config.stream.heartbeat_interval > PROXY_PATIENCE,
            "stream.heartbeat_interval is over 60 s: proxies commonly cut off a stream that was quiet for so long".to_owned(),
        ),
        (
            config.store.kind == StoreKind::MongoDb && uri.leads_away() && !uri.has_tls(),
            "store.uri leads to another machine without TLS: whoever listens between reads everything; add tls=true".to_owned(),
        ),
        (
            config.cluster.kind == ClusterKind::Redis && Url::of(config.cluster.url.expose()).leads_away(),
            "cluster.url leads to another machine, and Redis is spoken to without TLS: whoever listens between reads everything"
                .to_owned(),
        ),
        (
            config.auth.mode == AuthMode::Jwt && config.stream.audience == Audience::Everyone && !public,
            "auth.mode is \"jwt\" and stream.audience is \"everyone\": a token shows who reads, and every user sees every owner's \
             notifications all the same"
                .to_owned(),
        ),
        (
            config.auth.mode == AuthMode::Http && config.stream.max_lifetime.is_none(),
            "auth.mode is \"http\" and stream.max_lifetime is \"off\": whom auth.url no longer lets in keeps the streams that are open"
                .to_owned(),
        ),
        (
            config.auth.mode == AuthMode::Http && config.auth.url.as_ref().is_some_and(|url| is_in_the_clear(url.expose())),
            "auth.url is http to another machine: the credentials of users pass in the clear".to_owned(),
        ),
        (
            public
                && matches!(config.auth.mode, AuthMode::Jwt | AuthMode::Http)
                && config.server.tls_cert.is_none()
                && config.server.trusted_proxies.is_empty(),
            "server.bind is not on loopback, has no TLS and no proxy in server.trusted_proxies: what users show to get in passes in the \
             clear"
                .to_owned(),
        ),
        (
            (public || !is_loopback(&webhook)) && has_no_bound(&config.limits),
            "limits has a 0, or everybody in exempt, and a listener is not on loopback: one address may take everything".to_owned(),
        ),
        (
            config.server.trusted_proxies.iter().any(|network| network.prefix_len() == 0),
            "server.trusted_proxies holds every address: whoever connects may claim to be anybody, and no limit holds".to_owned(),
        ),
        (list_mode && config.auth.users.is_empty(), "auth.users is empty: nobody can connect".to_owned()),
        (
            config.screening.provider == Provider::List && config.screening.lists.is_empty(),
            "screening.lists is empty: every screening result is UNKNOWN".to_owned(),
        ),
        (
            config.screening.provider == Provider::None && !config.screening.lists.is_empty(),
            "screening.provider is \"none\": screening.lists is not read and every screening result is UNKNOWN".to_owned(),
        ),
        (
            config.store.retention.is_some_and(|retention| retention < LONGEST_RETRY),
            "store.retention is below 4 days: an event that a sender repeats later than that is delivered twice".to_owned(),
        ),
        (
            config.ingest.max_body.saturating_mul(config.ingest.max_in_flight) > MUCH_MEMORY,
            "ingest.max_body times ingest.max_in_flight is over 2 GiB: so much memory may be taken by webhooks under way".to_owned(),
        ),
    ];
    risks.into_iter().filter(|(risky, _)| *risky).map(|(_, warning)| warning).collect()
}

/// Whether a single address may have as much of something as it likes.
fn has_no_bound(limits: &Limits) -> bool {
    [limits.streams_per_ip, limits.webhooks_per_ip, limits.connections_per_ip].contains(&0)
        || limits.exempt.iter().any(|network| network.prefix_len() == 0)
}

/// Bytes that somebody who guesses has to get right. A public key cannot be guessed from.
fn key_bytes(scheme: SignatureScheme, secret: &Secret) -> usize {
    match secret.signing_key() {
        Ok(SigningKey::Shared(key)) if scheme == SignatureScheme::StandardWebhooks => key.len(),
        Ok(SigningKey::Public(_)) if scheme == SignatureScheme::StandardWebhooks => usize::MAX,
        _ => secret.expose().len(),
    }
}

struct Check<'a> {
    settings: &'a Settings,
    faults: &'a mut Vec<Fault>,
}

impl Check<'_> {
    fn refuse_if(&mut self, broken: bool, keys: &[&'static str], reason: &str) {
        let known_bad = |key: &&str| self.faults.iter().any(|fault| is_of_one_value(fault) && fault.keys().contains(key));
        if broken && !keys.iter().any(known_bad) {
            let keys = keys.iter().map(|key| (*key, self.set_by(key))).collect();
            self.faults.push(Fault::Conflict { keys, reason: reason.to_owned() });
        }
    }

    fn set_by(&self, key: &str) -> Source {
        self.settings.get(key).map_or(Source::Default, |setting| setting.set_by.clone())
    }
}

fn is_of_one_value(fault: &Fault) -> bool {
    matches!(fault, Fault::WrongType { .. } | Fault::Impossible { .. })
}

fn listeners(config: &Config) -> Vec<(&'static str, SocketAddr)> {
    let mut listeners = vec![("server.bind", config.server.bind), ("admin.bind", config.admin.bind)];
    listeners.extend(config.ingest.bind.map(|address| ("ingest.bind", address)));
    listeners
}

fn is_in_the_clear(url: &str) -> bool {
    units::url(url).is_ok_and(|uri| uri.scheme_str() == Some("http") && !units::is_loopback(&uri))
}

fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// Whether the second of two listeners would find its address in use. `[::]` listens on IPv4 as well.
fn clash(a: &SocketAddr, b: &SocketAddr) -> bool {
    let covers = |a: &SocketAddr, b: &SocketAddr| a.ip().is_unspecified() && (a.is_ipv6() || b.is_ipv4());
    a.port() == b.port() && a.port() != 0 && (a.ip().to_canonical() == b.ip().to_canonical() || covers(a, b) || covers(b, a))
}
