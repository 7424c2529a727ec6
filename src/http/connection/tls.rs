//! TLS: the certificate of `server.tls_cert`, exchanged while connections stay.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use crate::config::Server;

/// What the handshake calls HTTP/2.
pub(super) const HTTP2: &[u8] = b"h2";

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read.
    #[error("{path} cannot be read: {source}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file holds no PEM of this kind.
    #[error("{path} holds no {wanted} in PEM form", path = .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
    /// The two do not fit together, or cannot be used.
    #[error("the certificate and its key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// A pair of files, and what they hold.
struct Pair {
    key: CertifiedKey,
    /// Recognises the same content without keeping the private key a second time.
    digest: [u8; 32],
}

/// Both files.
#[derive(Clone)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn read(&self) -> Result<(Vec<u8>, Vec<u8>), TlsError> {
        let read = |path: &Path| fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source });
        Ok((read(&self.certificate)?, read(&self.key)?))
    }

    fn load(&self, known: Option<[u8; 32]>) -> Result<Option<Pair>, TlsError> {
        let (certificate, key) = self.read()?;
        let digest = Sha256::new().chain_update(&certificate).chain_update([0]).chain_update(&key).finalize().into();
        if known == Some(digest) {
            return Ok(None);
        }
        let empty = |path: &Path, wanted| TlsError::Empty { path: path.to_owned(), wanted };
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&certificate)
            .collect::<Result<_, _>>()
            .map_err(|_| empty(&self.certificate, "certificate"))?;
        if chain.is_empty() {
            return Err(empty(&self.certificate, "certificate"));
        }
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| empty(&self.key, "private key"))?;
        Ok(Some(Pair { key: CertifiedKey::from_der(chain, key, &ring::default_provider())?, digest }))
    }
}

/// The newest good certificate.
struct Newest(ArcSwap<CertifiedKey>);

impl fmt::Debug for Newest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Newest")
    }
}

impl ResolvesServerCert for Newest {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// The way into TLS; none where none is configured. From now on the files are looked at for a change.
pub fn acceptor(server: &Server) -> Result<Option<TlsAcceptor>, TlsError> {
    let (Some(certificate), Some(key)) = (&server.tls_cert, &server.tls_key) else { return Ok(None) };
    let files = Files { certificate: certificate.clone(), key: key.clone() };
    let Some(Pair { key, digest }) = files.load(None)? else { return Ok(None) };
    let newest = Arc::new(Newest(ArcSwap::from_pointee(key)));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(newest.clone());
    config.alpn_protocols = vec![HTTP2.to_vec(), b"http/1.1".to_vec()];
    // Readers who all come back at once need no signature each.
    config.ticketer = ring::Ticketer::new()?;
    actix_web::rt::spawn(keep_up(files, newest, digest, server.tls_reload_interval));
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// Looks at the files again and again. A pair that cannot be used is told once, and the last good one stays.
async fn keep_up(files: Files, newest: Arc<Newest>, mut known: [u8; 32], interval: Duration) {
    let mut told = String::new();
    loop {
        tokio::time::sleep(interval).await;
        let (looked_at, digest) = (files.clone(), known);
        let Ok(found) = tokio::task::spawn_blocking(move || looked_at.load(Some(digest))).await else { continue };
        match found {
            Ok(None) => told.clear(),
            Ok(Some(Pair { key, digest })) => {
                newest.0.store(Arc::new(key));
                known = digest;
                told.clear();
                log::info!(target: "notifications", "event=certificate_exchanged file={}", files.certificate.display());
            }
            Err(error) => {
                let text = error.to_string();
                if text != told {
                    log::error!(target: "notifications", "event=certificate_refused the last good one stays in use: {text}");
                    told = text;
                }
            }
        }
    }
}
