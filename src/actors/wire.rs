//! What carries one stream to its client: a plain HTTP/1.1 connection, one under TLS, or one of several streams on an HTTP/2 connection.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::link::Link;

/// One stream's way to its client.
#[derive(Debug, Clone)]
pub enum Wire {
    /// Plain HTTP/1.1: a chunk that nothing stands before goes to the socket at once.
    Direct(Arc<Link>),
    /// A connection of its own whose bytes something else makes: TLS, or HTTP/1.0.
    Alone(Arc<Link>),
    /// An HTTP/2 stream beside others.
    Shared(Branch),
    /// Nobody: the stream of a canary.
    Nowhere,
}

/// One stream of an HTTP/2 connection.
#[derive(Debug, Clone)]
pub struct Branch {
    link: Arc<Link>,
    cut: Arc<AtomicBool>,
}

impl Branch {
    /// A fresh one on this connection.
    pub fn new(link: Arc<Link>) -> Self {
        Self { link, cut: Arc::default() }
    }

    /// HTTP: whether the session has given the stream up.
    pub fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }
}

impl Wire {
    /// Session: the stream is to fail from now on, its neighbours are not. Takes effect when its task is woken.
    pub fn cut(&self) {
        match self {
            Self::Direct(link) | Self::Alone(link) => link.cut(),
            Self::Shared(branch) => branch.cut.store(true, Ordering::Release),
            Self::Nowhere => {}
        }
    }

    /// Session: why the connection has failed, as the system words it.
    pub fn failure(&self) -> Option<&str> {
        match self {
            Self::Direct(link) | Self::Alone(link) => link.failure(),
            Self::Shared(branch) => branch.link.failure(),
            Self::Nowhere => None,
        }
    }
}
