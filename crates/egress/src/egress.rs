//! The one door through which requests leave.
//!
//! Whatever a user directs (HTTP modules of flows, callbacks of
//! subscriptions) passes here. The guard sits in the connector, on the final
//! socket address: a name is resolved once, every address it has is judged,
//! and exactly the judged addresses are dialled, so that a name that changes
//! its mind between check and use gains nothing.
//!
//! Private, loopback, link-local and other special ranges are closed unless
//! the allow-list names them. Our own two listeners are open by name, not by
//! range: `loopwright://this/…` and `loopwright://workspace/…`; the workspace
//! also by the very address at which it listens.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use base::BoxFuture;
use base::http::{Http, HttpError, OURSELVES, Request, Response};
use http::{HeaderValue, Uri, header};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;

use crate::alias::{self, HostAlias};
use crate::connections::{Answer, Connections, Failure};
use crate::identity;
use crate::network::{Allowed, special_range};

/// Time to reach a host and agree on TLS; within the time of the whole call.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where our own listeners stand.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// `loopwright://this`.
    pub this: Option<SocketAddr>,
    /// `loopwright://workspace`.
    pub workspace: Option<SocketAddr>,
    /// The certificate that both present, where TLS is on; no other is accepted.
    pub certificate: Option<CertificateDer<'static>>,
}

/// Sends requests under the egress rules. Cheap to clone.
#[derive(Clone)]
pub struct Egress {
    outside: Arc<Connections<HttpsConnector<Guarded>>>,
    inside: Arc<Connections<HttpsConnector<ToOurselves>>>,
    inside_scheme: &'static str,
    pub(crate) authorities: Arc<[CertificateDer<'static>]>,
    /// Names that stand for ourselves.
    aliases: Arc<[HostAlias]>,
    /// Where our workspace listens.
    workspace: Option<SocketAddr>,
    /// For what is not HTTP; see [`crate::dial`].
    pub(crate) guarded: Guarded,
}

impl Egress {
    /// Makes the door with the ranges that `allowed` opens, and the way to
    /// ourselves. Certificates of others are checked against the well-known
    /// authorities.
    pub fn new(allowed: Vec<Allowed>, origins: Origins) -> Self {
        Egress::trusting(allowed, origins, &[])
    }

    /// Makes the door, and trusts authorities of one's own house besides.
    pub fn trusting(allowed: Vec<Allowed>, origins: Origins, authorities: &[CertificateDer<'static>]) -> Self {
        let guarded = Guarded { allowed: allowed.into() };
        let outside = HttpsConnectorBuilder::new()
            .with_tls_config(trust(authorities))
            .https_or_http()
            .enable_http1()
            .wrap_connector(guarded.clone());
        let inside_scheme = if origins.certificate.is_some() { "https" } else { "http" };
        let workspace = origins.workspace;
        let inside = HttpsConnectorBuilder::new()
            .with_tls_config(only(origins.certificate.clone()))
            .https_or_http()
            .enable_http1()
            .wrap_connector(ToOurselves(Arc::new(origins)));
        Egress {
            outside: Connections::new(outside),
            inside: Connections::new(inside),
            inside_scheme,
            authorities: authorities.into(),
            aliases: Arc::default(),
            workspace,
            guarded,
        }
    }

    /// Lets calls to these hosts go to ourselves.
    #[must_use]
    pub fn with_aliases(self, aliases: Vec<HostAlias>) -> Self {
        Egress { aliases: aliases.into(), ..self }
    }

    async fn call(&self, request: Request) -> Result<Response, HttpError> {
        let mut request = request;
        let mut redirects_left = request.redirects_max;
        loop {
            // What is not sent a second time need not be copied.
            if redirects_left == 0 {
                return self.call_once(request).await;
            }
            let response = self.call_once(request.clone()).await?;
            let Some(next) = request.redirected(&response) else { return Ok(response) };
            // Nor may anybody send us to ourselves by another name.
            if self.own_address(&next.url).is_some() && self.own_address(&request.url).is_none() {
                return Ok(response);
            }
            redirects_left -= 1;
            request = next;
        }
    }

    async fn call_once(&self, request: Request) -> Result<Response, HttpError> {
        let Request { method, url, headers, body, response_bytes_max, tls, .. } = request;
        let url = self.own_address(&url).unwrap_or(url);
        let bad_address = || HttpError::BadAddress { url: without_query(&url) };
        let (uri, ours) = match url.strip_prefix(OURSELVES) {
            Some(rest) => (format!("{}://{rest}", self.inside_scheme).parse::<Uri>().map_err(|_| bad_address())?, true),
            None => (url.parse::<Uri>().map_err(|_| bad_address())?, false),
        };
        if uri.host().is_none() || !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(bad_address());
        }
        let target = uri.clone();
        let mut outgoing = http::Request::new(Full::new(body));
        *outgoing.method_mut() = method;
        *outgoing.uri_mut() = uri;
        *outgoing.headers_mut() = headers;
        outgoing.headers_mut().entry(header::USER_AGENT).or_insert(HeaderValue::from_static("loopwright"));
        let answer = match tls {
            _ if ours => self.inside.call(outgoing, response_bytes_max).await,
            None => self.outside.call(outgoing, response_bytes_max).await,
            // Such calls are few, so each makes its own connection.
            Some(tls) => {
                let config = identity::config(&tls, &self.authorities)
                    .map_err(|detail| HttpError::Tls { target: target_of(&target), detail })?;
                let connector = HttpsConnectorBuilder::new()
                    .with_tls_config(config)
                    .https_or_http()
                    .enable_http1()
                    .wrap_connector(self.guarded.clone());
                Connections::new(connector).call(outgoing, response_bytes_max).await
            }
        };
        let Answer { parts, body, truncated } = answer.map_err(|failure| error_of(&failure, &target_of(&target)))?;
        Ok(Response { status: parts.status, headers: parts.headers, body, truncated })
    }
}

impl Http for Egress {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        Box::pin(async move {
            let after_ms = u64::try_from(request.timeout.as_millis()).unwrap_or(u64::MAX);
            let target = without_query(&request.url);
            match tokio::time::timeout(request.timeout, self.call(request)).await {
                Ok(answer) => answer,
                Err(_) => Err(HttpError::Timeout { target, after_ms }),
            }
        })
    }

    fn own_address(&self, url: &str) -> Option<String> {
        if url.starts_with(OURSELVES) {
            return Some(url.to_owned());
        }
        alias::own_address(&self.aliases, url).or_else(|| alias::own_listener(self.workspace, self.inside_scheme, url))
    }
}

fn without_query(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

fn target_of(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    uri.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Finds the guard's or the operating system's own words in the chain of causes.
fn error_of(failure: &Failure, target: &str) -> HttpError {
    let error: &(dyn std::error::Error + 'static) = match failure {
        Failure::Connect(error) => &**error,
        Failure::Broken(error) => error,
    };
    let mut cause = Some(error);
    let mut deepest = error.to_string();
    while let Some(inner) = cause {
        if let Some(refusal) = inner.downcast_ref::<ConnectError>() {
            return refusal.0.clone();
        }
        deepest = inner.to_string();
        if inner.is::<rustls::Error>() {
            return HttpError::Tls { target: target.to_owned(), detail: deepest };
        }
        // TLS errors travel inside an input/output error.
        cause = match inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inside) => Some(inside),
            None => inner.source(),
        };
    }
    match failure {
        Failure::Connect(_) => HttpError::Connect { target: target.to_owned(), detail: deepest },
        Failure::Broken(_) => HttpError::Broken { target: target.to_owned(), detail: deepest },
    }
}

/// Carries our own error through hyper.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConnectError(pub(crate) HttpError);

/// A connection, with what the pool wants to know of it.
pub(crate) type Socket = TokioIo<Stream>;

pub(crate) struct Stream(TcpStream);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl tokio::io::AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl tokio::io::AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Dials hosts of the outside, judging every address first.
#[derive(Clone)]
pub(crate) struct Guarded {
    allowed: Arc<[Allowed]>,
}

impl Guarded {
    async fn dial(self, uri: Uri) -> Result<Socket, ConnectError> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        Ok(TokioIo::new(Stream(self.dial_host(host, port).await?)))
    }

    pub(crate) async fn dial_host(&self, host: String, port: u16) -> Result<TcpStream, ConnectError> {
        let target = format!("{host}:{port}");
        let resolved = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => tokio::net::lookup_host((host.as_str(), port))
                .await
                .map(Iterator::collect::<Vec<_>>)
                .unwrap_or_default(),
        };
        if resolved.is_empty() {
            return Err(ConnectError(HttpError::UnknownHost { host }));
        }
        for address in &resolved {
            self.judge(&target, *address)?;
        }
        connect(&resolved, &target).await
    }

    /// One forbidden address refuses the whole name: a name with a public and
    /// a private address is an attack or a mistake.
    fn judge(&self, target: &str, address: SocketAddr) -> Result<(), ConnectError> {
        let Some(range) = special_range(address.ip()) else { return Ok(()) };
        if self.allowed.iter().any(|allowed| allowed.covers(address)) {
            return Ok(());
        }
        let reason = format!(
            "{} is {range}; to open it, add \"{}:{}\" to LOOPWRIGHT_EGRESS_ALLOW",
            address.ip(),
            address.ip(),
            address.port()
        );
        Err(ConnectError(HttpError::Forbidden { target: target.to_owned(), reason }))
    }
}

async fn connect(addresses: &[SocketAddr], target: &str) -> Result<TcpStream, ConnectError> {
    let mut last = String::from("no address");
    for address in addresses {
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Small requests must not wait for a full segment.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => last = error.to_string(),
            Err(_) => last = format!("no connection within {} s", CONNECT_TIMEOUT.as_secs()),
        }
    }
    Err(ConnectError(HttpError::Connect { target: target.to_owned(), detail: last }))
}

impl tower::Service<Uri> for Guarded {
    type Response = Socket;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Socket, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().dial(uri))
    }
}

/// Dials nothing but our own two listeners.
#[derive(Clone)]
struct ToOurselves(Arc<Origins>);

impl tower::Service<Uri> for ToOurselves {
    type Response = Socket;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Socket, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let origins = self.0.clone();
        Box::pin(async move {
            let host = uri.host().unwrap_or_default().to_owned();
            let address = match host.as_str() {
                "this" => origins.this,
                "workspace" => origins.workspace,
                _ => None,
            };
            match address {
                Some(address) => Ok(TokioIo::new(Stream(connect(&[address], &host).await?))),
                None => Err(ConnectError(HttpError::UnknownHost { host: format!("loopwright://{host}") })),
            }
        })
    }
}

/// Trusts whom the well-known authorities vouch for, and `authorities`
/// besides. One that cannot be used is passed over.
pub(crate) fn trust(authorities: &[CertificateDer<'static>]) -> ClientConfig {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(authorities.iter().cloned());
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the ring provider offers the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Makes a TLS setting that accepts one certificate and no other, whatever
/// name it bears: we know exactly who we are.
fn only(certificate: Option<CertificateDer<'static>>) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = OnlyOurs { certificate, provider: provider.clone() };
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the ring provider offers the default protocol versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth()
}

#[derive(Debug)]
struct OnlyOurs {
    certificate: Option<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for OnlyOurs {
    fn verify_server_cert(
        &self,
        presented: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.certificate.as_ref().is_some_and(|ours| ours == presented) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::General("the certificate is not our own".into()))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
