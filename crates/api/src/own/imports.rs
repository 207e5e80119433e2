//! Imports: files that a person brings, looks at, and commits.
//!
//! Files come as a form with any number of files in it, or as they are, one in
//! a body. They are streamed to the spool, looked at, and answered with a
//! preview; what is guessed wrong is said better with PUT; POST to `commit`
//! sends the rows on their way.

use access::Permission;
use axum::Json;
use axum::extract::{FromRequest, Multipart, Path, Request, State};
use futures::StreamExt;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use pools::rows::ColumnType;
use pools::{ColumnChoice, CsvOptions, Format, ImportId, ImportOptions, ImportUpload};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::import_shown::{Progress, Shown};
use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// What can be said in the address, with the files.
#[derive(Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", default)]
#[into_params(parameter_in = Query)]
pub(super) struct Said {
    /// The name of a file that comes as it is.
    name: Option<String>,
    /// The table to fill; named after the file if nothing is said.
    table: Option<String>,
    /// `csv`, `parquet`, `xes` or `ocel`; guessed if nothing is said.
    #[param(value_type = Option<String>)]
    format: Option<Format>,
    /// Whether the rows take the place of those that are there.
    replace: Option<bool>,
    /// What stands between the cells of a line.
    separator: Option<String>,
}

/// What a person says about an import; what is left out is guessed.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[schema(as = ImportOptions)]
pub(super) struct Options {
    table: Option<String>,
    #[schema(value_type = Option<String>)]
    format: Option<Format>,
    replace: bool,
    keys: Vec<String>,
    separator: Option<String>,
    quote: Option<String>,
    escape: Option<String>,
    charset: Option<String>,
    decimal_separator: Option<String>,
    thousand_separator: Option<String>,
    date_format: Option<String>,
    columns: Vec<Choice>,
    case: Option<String>,
    activity: Option<String>,
    time: Option<String>,
}

/// What a person says of one column.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[schema(as = ImportColumnChoice)]
struct Choice {
    name: String,
    rename: Option<String>,
    #[serde(rename = "type")]
    #[schema(value_type = Option<String>)]
    column_type: Option<ColumnType>,
    skip: bool,
    date_format: Option<String>,
    decimal_separator: Option<String>,
    thousand_separator: Option<String>,
}

/// Takes files and looks at them.
pub(super) async fn stage(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
    body::Query(said): body::Query<Said>,
    request: Request,
) -> Result<(StatusCode, Json<Shown>), Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::DataPush).await?;
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let uploads = if kind.starts_with("multipart/form-data") {
        take_form(&app, request).await?
    } else {
        vec![take_body(&app, said.name.as_deref().unwrap_or_default(), request).await?]
    };
    let options = ImportOptions {
        table: said.table,
        format: said.format,
        replace: said.replace.unwrap_or_default(),
        csv: CsvOptions { separator: said.separator, ..CsvOptions::default() },
        ..ImportOptions::default()
    };
    let import = app.pools.stage_files(&actor, pool.id, options, uploads).await?;
    Ok((StatusCode::CREATED, Json(Shown::from(&import))))
}

async fn take_form(app: &App, request: Request) -> Result<Vec<ImportUpload>, Fault> {
    let broken = |error| body::broken_form("file", &error);
    let no_form = |_| Fault::invalid("file", "import-not-a-form", "the form has no boundary");
    let mut form = Multipart::from_request(request, &()).await.map_err(no_form)?;
    let mut uploads = Vec::new();
    while let Some(mut part) = form.next_field().await.map_err(broken)? {
        // What is no file is not looked at: options are for the address.
        let Some(name) = part.file_name().map(str::to_owned) else { continue };
        let mut upload = app.pools.import_file(&name);
        while let Some(bytes) = part.chunk().await.map_err(broken)? {
            upload.write(bytes).await?;
        }
        upload.finish().await?;
        uploads.push(upload);
    }
    if uploads.is_empty() {
        return Err(Fault::invalid("file", "import-file-missing", "the form has no file"));
    }
    Ok(uploads)
}

async fn take_body(app: &App, name: &str, request: Request) -> Result<ImportUpload, Fault> {
    let mut upload = app.pools.import_file(name);
    let mut pieces = request.into_body().into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| body::broken_body(&error))?;
        upload.write(piece).await?;
    }
    upload.finish().await?;
    Ok(upload)
}

/// Lists the imports of a pool, the newest first.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
) -> Result<Json<Vec<Progress>>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::DataPush).await?;
    let imports = app.pools.imports(pool.id).await?;
    Ok(Json(imports.iter().map(Progress::from).collect()))
}

/// Shows an import, and how far it has come.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, import)): Path<(String, String)>,
) -> Result<Json<Shown>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::DataPush).await?;
    let import = app.pools.import(pool.id, read_id(&import)?).await?;
    Ok(Json(Shown::from(&import)))
}

/// Says something else about an import.
pub(super) async fn choose(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, import)): Path<(String, String)>,
    body::Json(options): body::Json<Options>,
) -> Result<Json<Shown>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::DataPush).await?;
    let import = app.pools.choose_import(&actor, pool.id, read_id(&import)?, options.into()).await?;
    Ok(Json(Shown::from(&import)))
}

/// Sends the rows on their way.
pub(super) async fn commit(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, import)): Path<(String, String)>,
) -> Result<(StatusCode, Json<Progress>), Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::DataPush).await?;
    let import = app.pools.commit_import(&actor, pool.id, read_id(&import)?).await?;
    Ok((StatusCode::ACCEPTED, Json(Progress::from(&import))))
}

/// Forgets an import.
pub(super) async fn remove(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, import)): Path<(String, String)>,
) -> Result<StatusCode, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::DataPush).await?;
    app.pools.delete_import(&actor, pool.id, read_id(&import)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read_id(text: &str) -> Result<ImportId, Fault> {
    text.parse().map_err(|_| Fault::not_found("import-unknown", format!("import \"{text}\" does not exist")))
}

impl From<Options> for ImportOptions {
    fn from(options: Options) -> Self {
        ImportOptions {
            table: options.table,
            format: options.format,
            replace: options.replace,
            keys: options.keys,
            csv: CsvOptions {
                separator: options.separator,
                quote: options.quote,
                escape: options.escape,
                charset: options.charset,
                decimal_separator: options.decimal_separator,
                thousand_separator: options.thousand_separator,
                date_format: options.date_format,
                ..CsvOptions::default()
            },
            columns: options.columns.into_iter().map(ColumnChoice::from).collect(),
            case: options.case,
            activity: options.activity,
            time: options.time,
        }
    }
}

impl From<ImportOptions> for Options {
    fn from(options: ImportOptions) -> Self {
        let ImportOptions { table, format, replace, keys, csv, columns, case, activity, time } = options;
        Options {
            table,
            format,
            replace,
            keys,
            separator: csv.separator,
            quote: csv.quote,
            escape: csv.escape,
            charset: csv.charset,
            decimal_separator: csv.decimal_separator,
            thousand_separator: csv.thousand_separator,
            date_format: csv.date_format,
            columns: columns.into_iter().map(Choice::from).collect(),
            case,
            activity,
            time,
        }
    }
}

impl From<Choice> for ColumnChoice {
    fn from(choice: Choice) -> Self {
        let Choice { name, rename, column_type, skip, date_format, decimal_separator, thousand_separator } = choice;
        ColumnChoice { name, rename, column_type, skip, date_format, decimal_separator, thousand_separator }
    }
}

impl From<ColumnChoice> for Choice {
    fn from(choice: ColumnChoice) -> Self {
        let ColumnChoice { name, rename, column_type, skip, date_format, decimal_separator, thousand_separator } =
            choice;
        Choice { name, rename, column_type, skip, date_format, decimal_separator, thousand_separator }
    }
}
