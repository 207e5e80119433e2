//! Who is calling.
//!
//! Each surface signs its callers in once, in a layer, so that no route can
//! forget it; handlers take a [`Caller`]. Credentials stand in the
//! `Authorization` header and nowhere else: an address ends up in logs.

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base::{Actor, Causes};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::app::App;
use crate::fault::Fault;

/// The person or program that a request was signed in for.
#[derive(Clone)]
pub(crate) struct Caller(pub(crate) Actor);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.ok_or_else(|| access::Error::NoCredentials.into())
    }
}

/// Signs a caller of the main listener in, or refuses the request.
pub(crate) async fn sign_in(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let given = authorization(request.headers());
    let authenticated = match given.and_then(|given| app.flows.caller_of(given)) {
        // A flow of ours may do what whoever stands behind it may.
        Some(caller) => app.access.acting_for(&caller.author, &caller.flow).await,
        None => app.access.authenticate(given).await,
    };
    match authenticated {
        Ok(actor) => {
            // Only somebody who is known is believed.
            let causes = Causes::of_headers(request.headers());
            request.extensions_mut().insert(Caller(Actor { causes, ..actor }));
            next.run(request).await
        }
        Err(error) => Fault::from(error).into_response(),
    }
}

/// Returns the `Authorization` header. What is not text is as good as empty:
/// present, and malformed.
pub(crate) fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap_or_default())
}
