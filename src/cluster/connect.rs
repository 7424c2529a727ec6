//! Where the bus is and how it is reached: every step has its time, and no error holds the URL, which may hold a password.

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, ErrorKind, IntoConnectionInfo, ProtocolVersion, RedisError, aio::MultiplexedConnection,
};

use crate::{config, notification::position::Epoch};

use super::{Publisher, Subscription};

/// How long it may take until Redis takes commands; a frozen one still accepts connections.
const CONNECT: Duration = Duration::from_secs(1);

/// A Redis stream that all nodes of a fleet write to and read from. Nothing is connected yet.
#[derive(Debug, Clone)]
pub struct Bus {
    client: Client,
    pub(super) stream: String,
    pub(super) max_len: usize,
}

/// Why the bus does not carry.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The URL is none.
    #[error("cluster.url cannot be used: check its host, its port and the percent-encoding of its password")]
    Url,
    /// Redis cannot be reached, or refuses.
    #[error("Redis: {0}")]
    Redis(#[from] RedisError),
    /// Redis has answered something else than what was asked.
    #[error("Redis gave an answer that cannot be read")]
    Answer,
}

impl BusError {
    /// Whether Redis is there and has said no: it is full, or takes no writes.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Redis(error) if matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension))
    }
}

impl Bus {
    /// The bus of `[cluster]`.
    ///
    /// # Errors
    /// Where `cluster.url` is no URL of Redis.
    pub fn new(config: &config::Cluster) -> Result<Self, BusError> {
        let info = config.url.expose().into_connection_info().map_err(|_| BusError::Url)?;
        // A small message must not wait for the acknowledgement of the one before it.
        let tcp = info.tcp_settings().clone().set_nodelay(true);
        let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
        let client = Client::open(info.set_tcp_settings(tcp).set_redis_settings(redis)).map_err(|_| BusError::Url)?;
        Ok(Self { client, stream: config.stream.clone(), max_len: config.max_len })
    }

    /// What sends to it. Connects when it is first used.
    pub fn publisher(&self) -> Publisher {
        Publisher::new(self.clone())
    }

    /// What reads the entries of this log from it. Connects when it is first used.
    pub fn subscription(&self, epoch: Epoch) -> Subscription {
        Subscription::new(self.clone(), epoch)
    }

    /// A connection of its own on which no command takes longer than this.
    pub(super) async fn connect(&self, longest: Duration) -> Result<MultiplexedConnection, BusError> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(longest));
        Ok(self.client.get_multiplexed_async_connection_with_config(&config).await?)
    }
}
