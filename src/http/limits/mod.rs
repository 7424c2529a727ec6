//! What one client address may have, and what is said when it wants more: rates of new streams and of webhooks, open
//! connections, patience. Also where each limit that somebody meets is counted and logged, those of other modules too.
//!
//! One host must not be able to take from all others what is there once: places, processor time, the log of the operator.

pub mod address;
mod crowd;
mod flood;
mod rate;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpRequest,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web,
};
use arc_swap::ArcSwap;
use ipnet::IpNet;

use self::{
    address::Proxies,
    crowd::{Crowd, Place},
    flood::Flood,
    rate::Rate,
};
use super::answer::refused;
use crate::{config::Config, error::Refusal, metrics::Metrics};

/// A limit that may be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `limits.streams_per_ip`
    Streams,
    /// `limits.webhooks_per_ip`
    Webhooks,
    /// `limits.connections_per_ip`
    Connections,
    /// `server.head_timeout`, for the head of a request
    HeadTimeout,
    /// `server.head_timeout`, for a handshake
    HandshakeTimeout,
    /// `server.max_head`
    MaxHead,
    /// `ingest.body_timeout`
    BodyTimeout,
    /// `ingest.max_body`
    MaxBody,
    /// `ingest.max_batch`
    MaxBatch,
    /// `ingest.max_depth`
    MaxDepth,
    /// `ingest.max_nodes`
    MaxNodes,
    /// `ingest.max_in_flight`
    MaxInFlight,
    /// `stream.max_connections`
    MaxStreams,
    /// `stream.max_connections_per_user`
    MaxStreamsOfUser,
    /// `server.max_pages`
    MaxPages,
}

impl Limit {
    const ALL: [Self; 15] = [
        Self::Streams,
        Self::Webhooks,
        Self::Connections,
        Self::HeadTimeout,
        Self::HandshakeTimeout,
        Self::MaxHead,
        Self::BodyTimeout,
        Self::MaxBody,
        Self::MaxBatch,
        Self::MaxDepth,
        Self::MaxNodes,
        Self::MaxInFlight,
        Self::MaxStreams,
        Self::MaxStreamsOfUser,
        Self::MaxPages,
    ];

    /// The one that an error of this code speaks of, if any.
    pub fn of(code: &str) -> Option<Self> {
        Some(match code {
            "too_deep" => Self::MaxDepth,
            "too_many_nodes" => Self::MaxNodes,
            "batch_too_large" => Self::MaxBatch,
            "too_many_connections" => Self::MaxStreams,
            "too_many_connections_for_user" => Self::MaxStreamsOfUser,
            _ => return None,
        })
    }

    /// The name in metrics and log lines.
    fn name(self) -> &'static str {
        match self {
            Self::Streams => "streams_per_ip",
            Self::Webhooks => "webhooks_per_ip",
            Self::Connections => "connections_per_ip",
            Self::HeadTimeout => "head_timeout",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::MaxHead => "max_head",
            Self::BodyTimeout => "body_timeout",
            Self::MaxBody => "max_body",
            Self::MaxBatch => "max_batch",
            Self::MaxDepth => "max_depth",
            Self::MaxNodes => "max_nodes",
            Self::MaxInFlight => "max_in_flight",
            Self::MaxStreams => "max_connections",
            Self::MaxStreamsOfUser => "max_connections_per_user",
            Self::MaxPages => "max_pages",
        }
    }
}

/// The limits of both listeners.
pub struct Limits {
    rules: ArcSwap<Rules>,
    connections: Arc<Crowd>,
    floods: [Flood; Limit::ALL.len()],
    metrics: Arc<Metrics>,
}

/// What a reload replaces.
struct Rules {
    exempt: Vec<IpNet>,
    proxies: Proxies,
    streams: Option<Rate>,
    webhooks: Option<Rate>,
}

impl Rules {
    fn of(config: &Config) -> Self {
        let limits = &config.limits;
        Self {
            exempt: limits.exempt.clone(),
            proxies: Proxies::new(&config.server),
            streams: Rate::new(limits.streams_per_ip, limits.streams_burst, limits.tracked_ips),
            webhooks: Rate::new(limits.webhooks_per_ip, limits.webhooks_burst, limits.tracked_ips),
        }
    }

    fn is_exempt(&self, address: IpAddr) -> bool {
        self.exempt.iter().any(|network| network.contains(&address))
    }
}

impl Limits {
    /// As configured.
    pub fn new(config: &Config, metrics: Arc<Metrics>) -> Self {
        Self {
            rules: ArcSwap::from_pointee(Rules::of(config)),
            connections: Crowd::new(config.limits.connections_per_ip),
            floods: std::array::from_fn(|_| Flood::default()),
            metrics,
        }
    }

    /// From now on by this configuration. Rates begin anew for every address; open connections stay and are counted.
    pub fn change(&self, config: &Config) {
        self.rules.store(Arc::new(Rules::of(config)));
        self.connections.allow(config.limits.connections_per_ip);
    }

    /// A place for one more connection of this peer; an error where it has as many as it may have.
    pub fn connect(&self, peer: SocketAddr) -> Result<Option<Place>, Crowded> {
        let peer = peer.ip().to_canonical();
        let rules = self.rules.load();
        if rules.is_exempt(peer) || rules.proxies.trusts(peer) {
            return Ok(None);
        }
        self.connections.enter(block(peer)).map(Some).ok_or_else(|| {
            self.met(Limit::Connections, peer);
            Crowded
        })
    }

    /// Counts a limit that was met, and logs it unless the same was logged a moment ago.
    pub fn met(&self, limit: Limit, address: IpAddr) {
        let name = limit.name();
        self.metrics.door.limited.get_or_create(&[("limit", name)]).inc();
        if let Some(unlogged) = self.floods[limit as usize].tell(Instant::now()) {
            log::warn!(target: "notifications", "event=limited limit={name} address={address} unlogged={unlogged}");
        }
    }

    /// The same for whoever has sent this request.
    pub fn met_by(&self, limit: Limit, request: &HttpRequest) {
        if let Some(client) = self.client(request) {
            self.met(limit, client);
        }
    }

    /// Whom a request comes from.
    pub fn client(&self, request: &HttpRequest) -> Option<IpAddr> {
        Some(self.rules.load().proxies.client(request.peer_addr()?.ip(), request.headers()))
    }

    fn check(&self, limit: Limit, rate: fn(&Rules) -> Option<&Rate>, request: &HttpRequest) -> Result<(), Refusal> {
        let rules = self.rules.load();
        let (Some(rate), Some(client)) = (rate(&rules), self.client(request)) else { return Ok(()) };
        if rules.is_exempt(client) {
            return Ok(());
        }
        rate.check(block(client)).map_err(|wait| {
            self.met(limit, client);
            too_many(limit, wait)
        })
    }
}

/// This address has as many connections as it may have.
#[derive(Debug)]
pub struct Crowded;

/// The middleware of the stream's route.
pub async fn of_streams<B: MessageBody + 'static>(
    limits: web::Data<Limits>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let checked = limits.check(Limit::Streams, |rules| rules.streams.as_ref(), request.request());
    pass(checked, request, next).await
}

/// The middleware of the webhook's route.
pub async fn of_webhooks<B: MessageBody + 'static>(
    limits: web::Data<Limits>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let checked = limits.check(Limit::Webhooks, |rules| rules.webhooks.as_ref(), request.request());
    pass(checked, request, next).await
}

async fn pass<B: MessageBody + 'static>(
    checked: Result<(), Refusal>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    match checked {
        Ok(()) => Ok(next.call(request).await?.map_into_left_body()),
        Err(refusal) => Ok(request.into_response(refused(&refusal)).map_into_right_body()),
    }
}

fn too_many(limit: Limit, wait: Duration) -> Refusal {
    let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1);
    let message = format!("This address asks for more than one address may have (limits.{}); come back later.", limit.name());
    Refusal { retry_after: Some(seconds), ..Refusal::new(429, "too_many_requests", message) }
}

/// What an address is counted as: a subscriber of IPv6 has a whole /64 to himself.
fn block(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
    }
}
