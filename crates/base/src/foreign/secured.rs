//! TLS for the PostgreSQL driver, made by whoever made the socket.
//!
//! The driver decides by its `sslmode` whether TLS is wanted and asks the
//! server for it; the handshake is the dialler's, which holds the roots.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use super::{Dial, Stream};
use crate::BoxFuture;
use crate::http::HttpError;

/// Agrees on TLS with one host.
pub(super) struct Handshake {
    pub(super) dial: Arc<dyn Dial>,
    pub(super) host: String,
}

impl TlsConnect<Wire> for Handshake {
    type Stream = Wire;
    type Error = HttpError;
    type Future = BoxFuture<'static, Result<Wire, HttpError>>;

    fn connect(self, stream: Wire) -> Self::Future {
        let handshake = self.dial.secure(self.host, stream.0);
        Box::pin(async move { Ok(Wire(handshake.await?)) })
    }
}

/// A connection, bare or under TLS.
pub(super) struct Wire(pub(super) Box<dyn Stream>);

impl TlsStream for Wire {
    /// None: SCRAM goes without it, and the certificate was checked.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Wire {
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
