//! TLS in front of both listeners: off, self-signed, or from files.
//!
//! Some clients refuse an address that begins with `http://`; for them a
//! self-signed certificate is enough. It is made once and kept in the data
//! folder, so that whoever chose to trust it needs to do so once.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Time that a caller has to agree on TLS.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Callers that have agreed and wait to be served.
const AGREED_MAX: usize = 128;

/// What the setting `tls` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// Plain http.
    Off,
    /// A certificate of our own making.
    SelfSigned,
    /// A certificate chain and its key, as PEM files.
    Files {
        /// The chain, the server's own certificate first.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
    },
}

impl Tls {
    /// Reads the setting: `off`, `self-signed`, or `CERT,KEY`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "off" => Some(Tls::Off),
            "self-signed" => Some(Tls::SelfSigned),
            _ => {
                let (certificate, key) = text.split_once(',')?;
                Some(Tls::Files { certificate: certificate.into(), key: key.into() })
            }
        }
    }
}

/// A certificate with its key, ready to serve.
#[derive(Clone)]
pub(crate) struct Identity {
    config: Arc<ServerConfig>,
    /// The server's own certificate: what our own calls to ourselves accept.
    pub(crate) certificate: CertificateDer<'static>,
}

/// Loads or makes the certificate; nothing if TLS is off.
pub(crate) fn identity(tls: &Tls, data: &Path) -> Result<Option<Identity>> {
    let (certificate, key) = match tls {
        Tls::Off => return Ok(None),
        Tls::SelfSigned => self_signed(data)?,
        Tls::Files { certificate, key } => (certificate.clone(), key.clone()),
    };
    let chain = certificates(&certificate)?;
    let own = chain[0].clone();
    let key =
        PrivateKeyDer::from_pem_file(&key).with_context(|| format!("the key {} cannot be read", key.display()))?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("certificate and key do not belong together")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(Identity { config: Arc::new(config), certificate: own }))
}

/// Reads a PEM file with one certificate or more.
pub(crate) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .with_context(|| format!("the certificate {} cannot be read", file.display()))?;
    if certificates.is_empty() {
        bail!("{} holds no certificate", file.display());
    }
    Ok(certificates)
}

/// Makes a certificate for this machine, unless the data folder has one.
fn self_signed(data: &Path) -> Result<(PathBuf, PathBuf)> {
    let (certificate, key) = (data.join("tls.crt"), data.join("tls.key"));
    if certificate.is_file() && key.is_file() {
        return Ok((certificate, key));
    }
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).context("a certificate cannot be made")?;
    write_private(&key, &made.signing_key.serialize_pem())?;
    std::fs::write(&certificate, made.cert.pem())
        .with_context(|| format!("{} cannot be written", certificate.display()))?;
    Ok((certificate, key))
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("{} cannot be written", path.display()))
}

/// A listener whose callers have agreed on TLS before they are served. A slow
/// handshake holds up nobody else.
pub(crate) struct TlsListener {
    agreed: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl TlsListener {
    /// Starts accepting.
    pub(crate) fn new(listener: TcpListener, identity: &Identity) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, agreed) = mpsc::channel(AGREED_MAX);
        let acceptor = TlsAcceptor::from(identity.config.clone());
        tokio::spawn(async move {
            while !sender.is_closed() {
                let Ok((stream, from)) = listener.accept().await else {
                    // Out of descriptors, most likely: let others finish first.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let (acceptor, sender) = (acceptor.clone(), sender.clone());
                tokio::spawn(async move {
                    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => drop(sender.send((stream, from)).await),
                        Ok(Err(error)) => tracing::debug!(%from, %error, "a caller did not agree on TLS"),
                        Err(_) => tracing::debug!(%from, "a caller was too slow to agree on TLS"),
                    }
                });
            }
        });
        Ok(TlsListener { agreed, address })
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.agreed.recv().await {
            Some(agreed) => agreed,
            // The accepting task lives as long as this receiver.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
