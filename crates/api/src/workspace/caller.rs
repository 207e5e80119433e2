//! Who is calling the workspace: it has tokens of its own, and an app key of
//! the main listener means nothing here.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::caller::{Caller, authorization};
use crate::fault::Fault;

/// Signs a caller in by `Authorization: Bearer …`, or refuses the request.
pub(super) async fn sign_in(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let given = authorization(request.headers());
    if let Some(caller) = given.and_then(|given| app.flows.caller_of(given)) {
        // A flow of ours, by the connection "Local workspace".
        return match app.access.acting_for(&caller.author, &caller.flow).await {
            Ok(actor) => {
                request.extensions_mut().insert(Caller(actor));
                next.run(request).await
            }
            Err(error) => Fault::from(error).into_response(),
        };
    }
    let authenticated = app.workspace.authenticate(given).await;
    match authenticated {
        Ok(actor) => {
            request.extensions_mut().insert(Caller(actor));
            next.run(request).await
        }
        Err(error) => Fault::from(error).into_response(),
    }
}
