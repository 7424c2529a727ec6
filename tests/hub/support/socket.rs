//! A client's end of a connection: plain, or under TLS with a certificate that the test has made.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    ops::Deref,
    path::PathBuf,
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, Stream,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use tempfile::TempDir;

use super::PATIENCE;

/// A certificate and its key in files, as a server reads them.
#[derive(Debug)]
pub struct Identity {
    folder: TempDir,
}

impl Identity {
    /// One for localhost and 127.0.0.1.
    pub fn new() -> Self {
        let identity = Self { folder: tempfile::tempdir().expect("a folder") };
        identity.renew();
        identity
    }

    /// Where the certificate is.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("chain.pem")
    }

    /// Where its key is.
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// Puts another pair in its place, and says how a client recognises it.
    pub fn renew(&self) -> Trust {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        std::fs::write(self.key(), made.signing_key.serialize_pem()).expect("written");
        std::fs::write(self.certificate(), made.cert.pem()).expect("written");
        Trust(made.cert.der().clone())
    }

    /// What a client must trust now.
    pub fn trust(&self) -> Trust {
        use rustls::pki_types::pem::PemObject;
        Trust(CertificateDer::from_pem_file(self.certificate()).expect("a certificate"))
    }
}

/// The one certificate that a client trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust(CertificateDer<'static>);

impl Trust {
    /// A client that offers these protocols.
    pub fn client(&self, protocols: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.clone()).expect("a root");
        let config =
            ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
        let mut config = config.expect("versions").with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        // A resumed session would show no certificate.
        config.resumption = rustls::client::Resumption::disabled();
        Arc::new(config)
    }
}

/// The name by which tests call a server.
pub fn server_name() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}

/// A connection.
#[derive(Debug)]
pub struct Socket {
    tcp: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Socket {
    /// Connects.
    pub fn connect(address: SocketAddr, trust: Option<&Trust>) -> io::Result<Self> {
        let tcp = TcpStream::connect_timeout(&address, PATIENCE)?;
        tcp.set_nodelay(true)?;
        Self::over(tcp, trust)
    }

    /// Over this connection.
    pub fn over(tcp: TcpStream, trust: Option<&Trust>) -> io::Result<Self> {
        tcp.set_read_timeout(Some(PATIENCE))?;
        let mut socket = Self { tcp, tls: None };
        if let Some(trust) = trust {
            let mut tls = ClientConnection::new(trust.client(&["http/1.1"]), server_name()).map_err(io::Error::other)?;
            tls.complete_io(&mut socket.tcp)?;
            socket.tls = Some(Box::new(tls));
        }
        Ok(socket)
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => Stream::new(tls.as_mut(), &mut self.tcp).read(buffer),
            None => self.tcp.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => Stream::new(tls.as_mut(), &mut self.tcp).write(data),
            None => self.tcp.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => Stream::new(tls.as_mut(), &mut self.tcp).flush(),
            None => self.tcp.flush(),
        }
    }
}

impl Deref for Socket {
    type Target = TcpStream;

    fn deref(&self) -> &TcpStream {
        &self.tcp
    }
}
