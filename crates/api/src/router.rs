//! The two listeners: which surface answers which path.
//!
//! Inside out: a handler returns a value or a fault; the layer of its surface
//! gives the fault a body; the door gives every answer its id and counts it;
//! and before all of that the path is tidied.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tower::ServiceExt;

use crate::app::App;
use crate::door::{self, Door};
use crate::fault::{self, Voice};
use crate::{automation, body, health, hooks, intelligence, own, path, problem, push, tasks, ui, workspace};

/// Returns the service of the main listener: our own interface, the compatible
/// ones, the browser's files.
pub fn main_router(app: App) -> Router {
    let routes = Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .nest(own::PREFIX, own::routes(&app))
        .nest(intelligence::PREFIX, intelligence::routes(&app))
        .merge(push::routes(&app))
        .nest(automation::PREFIX, automation::routes(&app))
        .merge(hooks::routes(&app))
        .merge(tasks::routes(&app))
        .fallback(ui::serve)
        .method_not_allowed_fallback(fault::unknown_method)
        .layer(from_fn_with_state(problem::say as Voice, fault::speak));
    behind_door("main", routes, app)
}

/// Returns the service of the workspace's listener.
pub fn workspace_router(app: App) -> Router {
    let routes = workspace::routes(&app);
    behind_door("workspace", routes, app)
}

fn behind_door(listener: &'static str, routes: Router<App>, app: App) -> Router {
    let door = Door { listener, clock: app.clock.clone(), chance: app.chance.clone(), metrics: app.metrics.clone() };
    let routes = routes.layer(from_fn_with_state(door, door::pass)).with_state(app);
    // A router looks at the path before its layers do, so that tidying it has
    // to stand in front of the router.
    let routes = routes.map_request(|request| body::without_silence(path::tidied(request), body::SILENCE_MAX));
    Router::new().fallback_service(routes)
}
