//! Requests to other systems: bounded in time and size, never redirected, over TLS with the certificates that the system trusts.

use std::{rc::Rc, sync::Arc, time::Duration};

use actix_web::{
    http::{
        StatusCode, Uri,
        header::{HeaderName, HeaderValue},
    },
    rt,
};
use awc::{Client, Connector};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

/// Connections at once; further requests wait for one, within their time.
const CONNECTIONS: usize = 64;

/// Bytes of an answer that are read for the sake of its connection.
const LONGEST_REST: usize = 64 << 10;

/// Asks one URL. Lives on one thread.
#[derive(Clone)]
pub struct Outgoing {
    client: Client,
    url: Rc<Uri>,
    timeout: Duration,
}

/// Why there is no answer. It does not name the URL, which may hold a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// Nothing came in time.
    #[error("no answer within {0:?}")]
    Slow(Duration),
    /// It cannot be reached, or does not speak HTTP.
    #[error("it cannot be asked: {0}")]
    Failed(String),
    /// It answered something else than what was asked for.
    #[error("it answered {0}")]
    Status(u16),
    /// Its answer is longer than it may be.
    #[error("its answer is longer than {0} bytes")]
    TooLong(usize),
}

impl Outgoing {
    /// To this URL, which is valid.
    pub fn new(url: &Uri, timeout: Duration) -> Result<Self, rustls::Error> {
        let mut connector = Connector::new().limit(CONNECTIONS).timeout(timeout).handshake_timeout(timeout);
        if url.scheme_str() == Some("https") {
            connector = connector.rustls_0_23(Arc::new(tls()?));
        }
        let client = Client::builder().connector(connector).disable_redirects().timeout(timeout).finish();
        Ok(Self { client, url: Rc::new(url.clone()), timeout })
    }

    /// What is there, at most so many bytes of it.
    pub async fn get(&self, max_bytes: usize) -> Result<Vec<u8>, Unanswered> {
        let get = async {
            let mut answer = self.client.get(&*self.url).send().await.map_err(|error| Unanswered::Failed(error.to_string()))?;
            if answer.status() != StatusCode::OK {
                return Err(Unanswered::Status(answer.status().as_u16()));
            }
            let body = answer.body().limit(max_bytes).await.map_err(|error| match error {
                awc::error::PayloadError::Overflow => Unanswered::TooLong(max_bytes),
                error => Unanswered::Failed(error.to_string()),
            })?;
            Ok(body.to_vec())
        };
        tokio::time::timeout(self.timeout, get).await.unwrap_or(Err(Unanswered::Slow(self.timeout)))
    }

    /// How it answers this, sent with these headers. Its body is not looked at.
    pub async fn post(&self, body: &Value, headers: &[(HeaderName, HeaderValue)]) -> Result<StatusCode, Unanswered> {
        let mut request = self.client.post(&*self.url);
        for (name, value) in headers {
            request = request.append_header((name.clone(), value.clone()));
        }
        let post = async { request.send_json(body).await.map_err(|error| Unanswered::Failed(error.to_string())) };
        let timeout = self.timeout;
        let mut answer = tokio::time::timeout(timeout, post).await.unwrap_or(Err(Unanswered::Slow(timeout)))?;
        let status = answer.status();
        // Read to its end, or the connection is of no more use; nobody waits for that.
        rt::spawn(async move { tokio::time::timeout(timeout, answer.body().limit(LONGEST_REST)).await.map(drop) });
        Ok(status)
    }
}

/// HTTP/1.1 over TLS.
fn tls() -> Result<ClientConfig, rustls::Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        log::warn!(target: "notifications", "event=no_certificates the system trusts nobody: install its package of CA certificates");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
