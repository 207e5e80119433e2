//! From where a connection comes.
//!
//! The address is that of whoever opened the connection: behind a proxy, the
//! proxy's. No header is believed here; [`crate::forwarded`] tells which may be.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::task::{Context, Poll};

use axum::middleware::AddExtension;
use axum::serve::{IncomingStream, Listener};
use axum::{Extension, Router};
use tower::{Layer, Service};

/// The other end of the connection on which a request came.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub(crate) SocketAddr);

/// A router that tells its handlers from where each request comes, for
/// `axum::serve`. (axum's own way needs an implementation per listener, which
/// another crate than this one could not write.)
#[derive(Clone)]
pub struct WithPeers(pub Router);

impl<L: Listener<Addr = SocketAddr>> Service<IncomingStream<'_, L>> for WithPeers {
    type Response = AddExtension<Router, Peer>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, stream: IncomingStream<'_, L>) -> Self::Future {
        let peer = Peer(*stream.remote_addr());
        ready(Ok(Extension(peer).layer(self.0.clone())))
    }
}
