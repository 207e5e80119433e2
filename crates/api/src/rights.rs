//! Which right a verb asks for, and on what.
//!
//! Rights are asked before existence is told: whoever may not see a pool does
//! not learn from a 404 that it is not there.

use access::{Permission, Scope};
use base::Actor;
use http::StatusCode;
use mining::ModelSummary;
use pools::Pool;

use crate::app::App;
use crate::fault::Fault;

/// Finds a pool by id or name, for somebody who has a right on it.
pub(crate) async fn pool(app: &App, actor: &Actor, pool: &str, right: Permission) -> Result<Pool, Fault> {
    match app.pools.pool(pool).await {
        Ok(pool) => {
            app.access.require(actor, right, &Scope::Pool(pool.id.to_string())).await?;
            Ok(pool)
        }
        Err(error) => {
            app.access.require(actor, right, &Scope::Pool(pool.to_owned())).await?;
            Err(error.into())
        }
    }
}

/// Lists the pools that the caller may use.
pub(crate) async fn usable_pools(app: &App, actor: &Actor) -> Result<Vec<Pool>, Fault> {
    let reach = app.access.reach(actor, Permission::UsePool).await?;
    let mut pools = app.pools.list().await?;
    pools.retain(|pool| reach.contains(&Scope::Pool(pool.id.to_string())));
    Ok(pools)
}

/// Lists the knowledge models in packages that the caller may use.
pub(crate) async fn usable_models(app: &App, actor: &Actor) -> Result<Vec<ModelSummary>, Fault> {
    let reach = app.access.reach(actor, Permission::UsePackage).await?;
    let mut models = app.mining.list().await?;
    models.retain(|model| reach.contains(&Scope::Package(model.package.clone())));
    Ok(models)
}

/// Asks for the right to read what is in a model's package.
pub(crate) async fn use_model(app: &App, actor: &Actor, model: &str) -> Result<(), Fault> {
    on_package_of(app, actor, model, Permission::UsePackage).await
}

/// Asks for the right to change what is in a model's package.
pub(crate) async fn edit_model(app: &App, actor: &Actor, model: &str) -> Result<(), Fault> {
    on_package_of(app, actor, model, Permission::EditPackage).await
}

/// Asks for the right to subscribe to the triggers of a model: to use its
/// package, and to edit it or at least to manage subscriptions in it.
pub(crate) async fn subscribe_to_model(app: &App, actor: &Actor, model: &str) -> Result<(), Fault> {
    on_package_of(app, actor, model, Permission::UsePackage).await?;
    match on_package_of(app, actor, model, Permission::ManageSubscriptions).await {
        Err(fault) if fault.status == StatusCode::FORBIDDEN => {
            on_package_of(app, actor, model, Permission::EditPackage).await
        }
        answered => answered,
    }
}

async fn on_package_of(app: &App, actor: &Actor, model: &str, right: Permission) -> Result<(), Fault> {
    let package = split(model).map_or(model, |(package, _)| package);
    Ok(app.access.require(actor, right, &Scope::Package(package.to_owned())).await?)
}

/// Asks for the right to see what is in a package.
pub(crate) async fn use_package(app: &App, actor: &Actor, package: &str) -> Result<(), Fault> {
    Ok(app.access.require(actor, Permission::UsePackage, &Scope::Package(package.to_owned())).await?)
}

/// Asks for the right to change and publish what is in a package.
pub(crate) async fn edit_package(app: &App, actor: &Actor, package: &str) -> Result<(), Fault> {
    Ok(app.access.require(actor, Permission::EditPackage, &Scope::Package(package.to_owned())).await?)
}

/// Asks for the right to see flows and their runs. Flows of
/// several packages share connections and hooks, so the right is one on all.
pub(crate) async fn use_flows(app: &App, actor: &Actor) -> Result<(), Fault> {
    Ok(app.access.require(actor, Permission::UsePackage, &Scope::Team).await?)
}

/// Asks for the right to start published flows by hand, and to answer what
/// they ask.
pub(crate) async fn run_flows(app: &App, actor: &Actor) -> Result<(), Fault> {
    Ok(app.access.require(actor, Permission::RunFlows, &Scope::Team).await?)
}

/// Asks for the right to change, publish and start flows.
pub(crate) async fn edit_flows(app: &App, actor: &Actor) -> Result<(), Fault> {
    Ok(app.access.require(actor, Permission::EditPackage, &Scope::Team).await?)
}

/// Asks for the right to make connections.
pub(crate) async fn manage_connections(app: &App, actor: &Actor) -> Result<(), Fault> {
    Ok(app.access.require(actor, Permission::ManageConnections, &Scope::Team).await?)
}

/// Splits `package.key`, the id of a knowledge model.
pub(crate) fn split(model: &str) -> Option<(&str, &str)> {
    model.split_once('.').filter(|(package, key)| !package.is_empty() && !key.is_empty())
}
