//! A stub of the composition root, replaced when the server comes: it lets the tests compile.

use std::{net::SocketAddr, sync::Arc};

use crate::{config::Config, screening::Screener};

/// The running server.
#[derive(Debug)]
pub struct App;

impl App {
    /// Starts nothing.
    pub async fn start(_config: Config) -> Result<Self, String> {
        Err("no server yet".into())
    }

    /// Starts nothing.
    pub async fn start_with(_config: Config, _screener: Arc<dyn Screener>) -> Result<Self, String> {
        Err("no server yet".into())
    }

    /// No address.
    pub fn public_addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    /// No address.
    pub fn ingest_addr(&self) -> SocketAddr {
        self.public_addr()
    }

    /// No address.
    pub fn admin_addr(&self) -> SocketAddr {
        self.public_addr()
    }

    /// Stops nothing.
    pub async fn stop(self) {}
}
