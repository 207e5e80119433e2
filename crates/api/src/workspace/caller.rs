//! Who is calling the workspace: it has tokens of its own, and an app key of
//! the main listener means nothing here.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use base::Actor;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::app::App;
use crate::caller::{Caller, authorization};
use crate::fault::Fault;
use crate::forwarded;
use crate::peer::Peer;

/// The header by which clients learn the workspace's number.
const ORG_ID: HeaderName = HeaderName::from_static("x-databricks-org-id");

/// Signs a caller in by `Authorization: Bearer …`, or refuses the request.
pub(super) async fn sign_in(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    match caller_of(&app, request.headers(), peer).await {
        Ok(actor) => {
            request.extensions_mut().insert(Caller(actor));
            let mut response = next.run(request).await;
            response.headers_mut().insert(ORG_ID, HeaderValue::from(app.workspace.options().workspace_id));
            response
        }
        Err(fault) => fault.into_response(),
    }
}

/// Tells who calls. That the address is shut out is told to nobody but those
/// who are known.
async fn caller_of(app: &App, headers: &HeaderMap, peer: Option<Peer>) -> Result<Actor, Fault> {
    let given = authorization(headers);
    let actor = match given.and_then(|given| app.flows.caller_of(given)) {
        // A flow of ours, by the connection "Local workspace".
        Some(caller) => app.access.acting_for(&caller.author, &caller.flow).await?,
        None => app.workspace.authenticate(given).await?,
    };
    if let Some(peer) = peer {
        let address = forwarded::caller_of(peer.0.ip(), headers, &app.trusted_proxies);
        // From where nobody knows is no address of any list.
        app.workspace.check_address(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))).await?;
    }
    Ok(actor)
}
