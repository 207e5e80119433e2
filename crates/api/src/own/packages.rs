//! Packages: what knowledge models lie in and rights are granted on.

use access::Package;
use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;

/// A package to be made or renamed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PackageToPut)]
pub(super) struct NewPackage {
    name: String,
}

/// A package.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Package)]
pub(super) struct PackageShown {
    key: String,
    name: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Lists the packages that the caller may use.
pub(super) async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<PackageShown>>, Fault> {
    let packages = app.access.packages(&actor).await?;
    Ok(Json(packages.into_iter().map(PackageShown::from).collect()))
}

/// Shows a package.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(package): Path<String>,
) -> Result<Json<PackageShown>, Fault> {
    Ok(Json(app.access.package(&actor, &package).await?.into()))
}

/// Makes a package, or gives it another name.
pub(super) async fn put(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(package): Path<String>,
    body::Json(new): body::Json<NewPackage>,
) -> Result<Json<PackageShown>, Fault> {
    Ok(Json(app.access.put_package(&actor, &package, &new.name).await?.into()))
}

impl From<Package> for PackageShown {
    fn from(package: Package) -> Self {
        let Package { key, name, created_at } = package;
        PackageShown { key, name, created_at }
    }
}
