//! The same door for what is not HTTP: databases that sources read.

use std::sync::Arc;

use base::BoxFuture;
use base::foreign::{Dial, Stream};
use base::http::HttpError;
use hyper_rustls::ConfigBuilderExt;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use crate::egress::Egress;

impl Dial for Egress {
    fn dial<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<Box<dyn Stream>, HttpError>> {
        Box::pin(async move {
            let stream = self.guarded.dial_host(host.to_owned(), port).await.map_err(|refusal| refusal.0)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn secure(&self, host: String, stream: Box<dyn Stream>) -> BoxFuture<'static, Result<Box<dyn Stream>, HttpError>> {
        Box::pin(async move {
            let failed = |detail: String| HttpError::Tls { target: host.clone(), detail };
            let name = ServerName::try_from(host.clone()).map_err(|error| failed(error.to_string()))?;
            let secured = TlsConnector::from(Arc::new(well_known())).connect(name, stream).await;
            Ok(Box::new(secured.map_err(|error| failed(error.to_string()))?) as Box<dyn Stream>)
        })
    }
}

fn well_known() -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the ring provider offers the default protocol versions")
        .with_webpki_roots()
        .with_no_client_auth()
}
