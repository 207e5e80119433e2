//! Versions of a knowledge model: what was published when, what differs, and
//! the way back.

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use mining::{Change, ModelDifference, ObjectDifference, VersionView, Which};
use serde::Serialize;
use utoipa::ToSchema;

use super::models::{Published, in_places};
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// A publication.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are those of the wire")]
pub(super) struct Version {
    version: u64,
    /// What its author calls it.
    #[schema(required = true)]
    name: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    published_at: Timestamp,
    published_by: String,
    /// The version whose text was published again.
    #[schema(required = true)]
    of_version: Option<u64>,
    current: bool,
}

/// The text of a version, and those on which it was built.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelVersionText)]
pub(super) struct VersionShown {
    model: String,
    version: String,
    text: String,
    bases: Vec<String>,
}

/// What two texts differ in.
#[derive(Serialize, ToSchema)]
pub(super) struct Difference {
    objects: Vec<ObjectChange>,
    /// As `diff -u` writes it.
    text: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ObjectChange {
    list: String,
    id: String,
    change: &'static str,
    keys: Vec<KeyChange>,
    /// For a trigger: whether it starts anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    logic_changed: Option<bool>,
}

#[derive(Serialize, ToSchema)]
struct KeyChange {
    key: String,
    #[schema(required = true)]
    before: Option<String>,
    #[schema(required = true)]
    after: Option<String>,
}

/// Lists the publications, the latest first.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
) -> Result<Json<Vec<Version>>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    Ok(Json(app.mining.versions(&model).await?.into_iter().map(Version::from).collect()))
}

/// Returns a text: of a version, the `draft`, or what is `published`.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, version)): Path<(String, String)>,
) -> Result<Json<VersionShown>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let source = app.mining.source(&model, which(&version)?).await?;
    Ok(Json(VersionShown { model, version, text: source.text, bases: source.bases }))
}

/// Compares two texts.
pub(super) async fn difference(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, from, to)): Path<(String, String, String)>,
) -> Result<Json<Difference>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    Ok(Json(app.mining.difference(&model, which(&from)?, which(&to)?).await.map_err(in_places)?.into()))
}

/// Publishes the text of an older version again; the draft stays as it is.
pub(super) async fn roll_back(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, version)): Path<(String, String)>,
) -> Result<Json<Published>, Fault> {
    rights::edit_model(&app, &actor, &model).await?;
    let Which::Version(version) = which(&version)? else {
        let detail = "a rollback names the number of a version; the draft is published at /publish";
        return Err(Fault::invalid("version", "knowledge-model-version-invalid", detail));
    };
    Ok(Json(app.mining.roll_back(&actor, &model, version).await.map_err(in_places)?.into()))
}

fn which(text: &str) -> Result<Which, Fault> {
    text.parse().map_err(|()| {
        let detail = format!("\"{text}\" is no version: write its number, \"draft\" or \"published\"");
        Fault::invalid("version", "knowledge-model-version-invalid", detail)
    })
}

impl From<VersionView> for Version {
    fn from(view: VersionView) -> Self {
        let VersionView { version, published_at, published_by, of_version, name, is_current } = view;
        Version { version, name, published_at, published_by, of_version, current: is_current }
    }
}

impl From<ModelDifference> for Difference {
    fn from(difference: ModelDifference) -> Self {
        let objects = difference.objects.into_iter().map(ObjectChange::from).collect();
        Difference { objects, text: difference.text }
    }
}

impl From<ObjectDifference> for ObjectChange {
    fn from(object: ObjectDifference) -> Self {
        let ObjectDifference { list, id, change, keys, logic_changed } = object;
        let change = match change {
            Change::Added => "added",
            Change::Changed => "changed",
            Change::Removed => "removed",
        };
        let keys = keys.into_iter().map(|key| KeyChange { key: key.key, before: key.before, after: key.after });
        ObjectChange { list, id, change, keys: keys.collect(), logic_changed }
    }
}
