//! Data models of a pool.

use access::Permission;
use axum::Json;
use axum::extract::{Path, State};
use pools::{ActivityTable, DataModel, DataModelSpec, ForeignKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// A data model as it is written.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = DataModelToPut)]
pub(super) struct NewDataModel {
    /// May repeat the key of the address, so that a file says what it is.
    key: Option<String>,
    #[serde(default)]
    name: String,
    tables: Vec<String>,
    #[serde(default)]
    foreign_keys: Vec<Connection>,
    activity: Activities,
}

/// A data model as it is shown.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DataModel)]
pub(super) struct DataModelShown {
    id: String,
    pool: String,
    key: String,
    version: u64,
    name: String,
    tables: Vec<String>,
    foreign_keys: Vec<Connection>,
    activity: Activities,
    /// What is strange about it; told when it is put.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ForeignKey)]
struct Connection {
    from_table: String,
    from_columns: Vec<String>,
    to_table: String,
    to_columns: Vec<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ActivityTable)]
struct Activities {
    table: String,
    case_column: String,
    activity_column: String,
    timestamp_column: String,
    #[serde(default)]
    end_timestamp_column: Option<String>,
    #[serde(default)]
    sorting_column: Option<String>,
    #[serde(default)]
    case_table: Option<String>,
    #[serde(default)]
    case_table_column: Option<String>,
}

/// A guessed data model, as it can be put.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = GuessedDataModel)]
pub(super) struct Guessed {
    name: String,
    tables: Vec<String>,
    foreign_keys: Vec<Connection>,
    activity: Activities,
}

/// Which tables to guess from; all of the pool if none is named.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DataModelGuessFrom)]
pub(super) struct GuessFrom {
    #[serde(default)]
    tables: Vec<String>,
}

/// What the assistant says.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DataModelAdvice)]
pub(super) struct Advice {
    data_model: Guessed,
    reasons: Vec<String>,
    warnings: Vec<String>,
}

/// Guesses a data model from the tables there are.
pub(super) async fn guess(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
    body::MaybeJson(from): body::MaybeJson<GuessFrom>,
) -> Result<Json<Advice>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::UsePool).await?;
    let guessed = app.pools.guess_data_model(pool.id, &from.unwrap_or_default().tables).await?;
    Ok(Json(Advice { data_model: guessed.spec.into(), reasons: guessed.reasons, warnings: guessed.warnings }))
}

/// Lists the data models of a pool.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
) -> Result<Json<Vec<DataModelShown>>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::UsePool).await?;
    let models = app.pools.data_models(pool.id).await?;
    Ok(Json(models.into_iter().map(DataModelShown::from).collect()))
}

/// Shows a data model.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, key)): Path<(String, String)>,
) -> Result<Json<DataModelShown>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::UsePool).await?;
    Ok(Json(app.pools.data_model(pool.id, &key).await?.into()))
}

/// Makes a data model, or replaces it by a new version.
pub(super) async fn put(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, key)): Path<(String, String)>,
    body::Json(new): body::Json<NewDataModel>,
) -> Result<Json<DataModelShown>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::AdminPool).await?;
    if let Some(written) = new.key.as_ref().filter(|written| **written != key) {
        let detail = format!("the body says key \"{written}\", the address says \"{key}\"");
        return Err(Fault::invalid("key", "data-model-key-mismatch", detail));
    }
    let put = app.pools.put_data_model(&actor, pool.id, &key, new.into()).await?;
    Ok(Json(DataModelShown { notes: put.notes, ..put.model.into() }))
}

impl From<NewDataModel> for DataModelSpec {
    fn from(new: NewDataModel) -> Self {
        DataModelSpec {
            name: new.name,
            tables: new.tables,
            foreign_keys: new.foreign_keys.into_iter().map(ForeignKey::from).collect(),
            activity: new.activity.into(),
        }
    }
}

impl From<DataModelSpec> for Guessed {
    fn from(spec: DataModelSpec) -> Self {
        Guessed {
            name: spec.name,
            tables: spec.tables,
            foreign_keys: spec.foreign_keys.into_iter().map(Connection::from).collect(),
            activity: spec.activity.into(),
        }
    }
}

impl From<DataModel> for DataModelShown {
    fn from(model: DataModel) -> Self {
        DataModelShown {
            id: model.id.to_string(),
            pool: model.pool.to_string(),
            key: model.key,
            version: model.version,
            name: model.name,
            tables: model.tables,
            foreign_keys: model.foreign_keys.into_iter().map(Connection::from).collect(),
            activity: model.activity.into(),
            notes: Vec::new(),
        }
    }
}

impl From<Connection> for ForeignKey {
    fn from(connection: Connection) -> Self {
        let Connection { from_table, from_columns, to_table, to_columns } = connection;
        ForeignKey { from_table, from_columns, to_table, to_columns }
    }
}

impl From<ForeignKey> for Connection {
    fn from(key: ForeignKey) -> Self {
        let ForeignKey { from_table, from_columns, to_table, to_columns } = key;
        Connection { from_table, from_columns, to_table, to_columns }
    }
}

impl From<Activities> for ActivityTable {
    fn from(activity: Activities) -> Self {
        ActivityTable {
            table: activity.table,
            case_column: activity.case_column,
            activity_column: activity.activity_column,
            timestamp_column: activity.timestamp_column,
            end_timestamp_column: activity.end_timestamp_column,
            sorting_column: activity.sorting_column,
            case_table: activity.case_table,
            case_table_column: activity.case_table_column,
        }
    }
}

impl From<ActivityTable> for Activities {
    fn from(table: ActivityTable) -> Self {
        Activities {
            table: table.table,
            case_column: table.case_column,
            activity_column: table.activity_column,
            timestamp_column: table.timestamp_column,
            end_timestamp_column: table.end_timestamp_column,
            sorting_column: table.sorting_column,
            case_table: table.case_table,
            case_table_column: table.case_table_column,
        }
    }
}
