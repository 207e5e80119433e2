//! The data of a knowledge model, by the names that it gives.
//!
//! A question comes in the query string or as JSON; both say the same.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use mining::{ColumnType, DataAnswer, DataQuestion, FieldSummary, Header, RECORDS_MAX, Search};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::knowledge_models::type_name;
use crate::app::App;
use crate::body::{self, Integer, Query};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Rows on a page, if nothing is said.
const SIZE_USUAL: u64 = 50;

/// A page of an answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DataPage<T> {
    page: u64,
    page_size: u64,
    total: u64,
    sort: Vec<String>,
    content: T,
}

/// For the document: a page with columns and rows.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DataPage)]
#[expect(dead_code, reason = "it stands for a page of any content")]
pub(super) struct DataTable {
    page: u64,
    page_size: u64,
    total: u64,
    sort: Vec<String>,
    content: Content,
}

/// For the document: a page of rows alone.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it stands for a page of any content")]
pub(super) struct DataRows {
    page: u64,
    page_size: u64,
    total: u64,
    sort: Vec<String>,
    /// By the names of the columns.
    #[schema(value_type = Vec<Object>)]
    content: Vec<Row>,
}

/// Columns and rows.
#[derive(Serialize, ToSchema)]
#[schema(as = DataContent)]
pub(super) struct Content {
    headers: Vec<Column>,
    #[schema(value_type = Vec<Object>)]
    data: Vec<Row>,
}

/// A row: the values by the ids that were asked for.
type Row = Map<String, Value>;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DataColumn)]
struct Column {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[schema(required = true)]
    format: Option<String>,
    #[schema(required = true)]
    unit: Option<String>,
    aggregation: bool,
    filterable: bool,
    sortable: bool,
}

/// The figures of a field.
#[derive(Serialize, ToSchema)]
#[schema(as = FieldSummary)]
pub(super) struct Summary {
    id: String,
    name: String,
    #[serde(rename = "type")]
    column_type: &'static str,
    #[schema(value_type = Value)]
    count: Value,
    #[schema(value_type = Value)]
    distinct: Value,
    #[schema(value_type = Value)]
    min: Value,
    #[schema(value_type = Value)]
    max: Value,
    #[schema(value_type = Value)]
    avg: Value,
}

/// The pairs of a query string, some of them several times.
type Pairs = Query<Vec<(String, String)>>;

/// Answers a question in the query string, to one record.
pub(super) async fn of_record(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, record)): Path<(String, String)>,
    Query(pairs): Pairs,
) -> Result<Json<DataPage<Content>>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    answer(&app, &model, DataQuestion { record: Some(record), ..from_pairs(pairs)? }).await.map(with_headers)
}

/// Answers a question in JSON, to one record.
pub(super) async fn of_record_posted(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, record)): Path<(String, String)>,
    body::Json(body): body::Json<Value>,
) -> Result<Json<DataPage<Content>>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    answer(&app, &model, DataQuestion { record: Some(record), ..from_json(body)? }).await.map(with_headers)
}

/// Answers a question in the query string, across records.
pub(super) async fn of_model(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    Query(pairs): Pairs,
) -> Result<Json<DataPage<Content>>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    answer(&app, &model, from_pairs(pairs)?).await.map(with_headers)
}

/// Answers a question in JSON, across records.
pub(super) async fn of_model_posted(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    body::Json(body): body::Json<Value>,
) -> Result<Json<DataPage<Content>>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    answer(&app, &model, from_json(body)?).await.map(with_headers)
}

/// Answers with rows alone, across records.
pub(super) async fn rows_of_model(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    Query(pairs): Pairs,
) -> Result<Json<DataPage<Vec<Row>>>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    answer(&app, &model, from_pairs(pairs)?).await.map(rows_alone)
}

/// Answers with rows alone, of one record.
pub(super) async fn rows_of_record(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, record)): Path<(String, String)>,
    Query(pairs): Pairs,
) -> Result<Json<DataPage<Vec<Row>>>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    answer(&app, &model, DataQuestion { record: Some(record), ..from_pairs(pairs)? }).await.map(rows_alone)
}

/// Tells what the values of each field of a record are like.
pub(super) async fn summary(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, record)): Path<(String, String)>,
) -> Result<Json<Vec<Summary>>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let summaries = app.mining.record_summary(&model, &record).await?;
    Ok(Json(summaries.into_iter().map(Summary::from).collect()))
}

/// Answers the operations of the original's beta that are not there.
pub(super) async fn not_there() -> Fault {
    let detail = "this operation of the beta is not offered; the data can be had at …/data and …/query";
    Fault::new(StatusCode::NOT_IMPLEMENTED, "not-implemented", detail)
}

async fn answer(app: &App, model: &str, question: DataQuestion) -> Result<DataPage<DataAnswer>, Fault> {
    let (page, page_size) = (question.page, question.page_size);
    let sort = question.sort.iter().map(|entry| entry.trim().to_owned()).collect();
    let content = app.mining.data(model, question).await?;
    Ok(DataPage { page, page_size, total: content.total, sort, content })
}

impl<T> DataPage<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> DataPage<U> {
        let DataPage { page, page_size, total, sort, content } = self;
        DataPage { page, page_size, total, sort, content: change(content) }
    }
}

fn with_headers(page: DataPage<DataAnswer>) -> Json<DataPage<Content>> {
    Json(page.map(|answer| {
        let data = rows(&answer);
        Content { headers: answer.headers.into_iter().map(Column::from).collect(), data }
    }))
}

fn rows_alone(page: DataPage<DataAnswer>) -> Json<DataPage<Vec<Row>>> {
    Json(page.map(|answer| rows(&answer)))
}

fn rows(answer: &DataAnswer) -> Vec<Row> {
    let value = |header: &Header, value: &mining::Value| match (header.column_type, value) {
        (ColumnType::Boolean, mining::Value::Int(number)) => Value::from(*number != 0),
        (_, value) => value.to_json(),
    };
    let row = |row: &Vec<mining::Value>| {
        let cells = answer.headers.iter().zip(row);
        cells.map(|(header, cell)| (header.id.clone(), value(header, cell))).collect()
    };
    answer.rows.iter().map(row).collect()
}

/// A question in JSON; what stands beside `projection` counts as well as what
/// stands in it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Projection {
    fields: Option<Names>,
    kpis: Option<Names>,
    filters: Filters,
    pagination: Pagination,
    sort: Option<String>,
    options: Vec<String>,
    search: Option<SearchAsked>,
}

/// Names with commas between, or a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    Together(String),
    Apart(Vec<String>),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Filters {
    km_filter_names: Vec<String>,
    filter_expr: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Pagination {
    page_number: Option<Integer>,
    page_size: Option<Integer>,
}

#[derive(Deserialize)]
struct SearchAsked {
    term: String,
    field: String,
    precision: Option<Integer>,
}

impl Names {
    fn into_list(self) -> Vec<String> {
        match self {
            Names::Together(text) => names(&text),
            Names::Apart(list) => list,
        }
    }
}

fn names(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn from_json(body: Value) -> Result<DataQuestion, Fault> {
    let Value::Object(mut outer) = body else {
        return Err(Fault::new(StatusCode::BAD_REQUEST, "body-mismatch", "the body is not an object"));
    };
    if let Some(Value::Object(inner)) = outer.remove("projection") {
        outer.extend(inner);
    }
    let asked: Projection = serde_json::from_value(Value::Object(outer))
        .map_err(|error| Fault::invalid("projection", "body-mismatch", format!("the body does not fit: {error}")))?;
    let search = asked.search.map(|search| Search {
        term: search.term,
        field: search.field,
        precision: search.precision.map(|precision| u8::try_from(precision.0).unwrap_or(u8::MAX)),
    });
    Ok(DataQuestion {
        record: None,
        fields: asked.fields.map(Names::into_list).unwrap_or_default(),
        kpis: asked.kpis.map(Names::into_list).unwrap_or_default(),
        filters: asked.filters.km_filter_names,
        filter_exprs: asked.filters.filter_expr,
        sort: asked.sort.as_deref().map(sort).unwrap_or_default(),
        page: asked.pagination.page_number.map_or(0, |page| page.0),
        page_size: page_size(asked.pagination.page_size.map(|size| size.0))?,
        distinct: distinct(&asked.options)?,
        search,
    })
}

fn from_pairs(pairs: Vec<(String, String)>) -> Result<DataQuestion, Fault> {
    let mut question = DataQuestion::default();
    let (mut size, mut options) = (None, Vec::new());
    let (mut term, mut field, mut precision) = (None, None, None);
    for (key, value) in pairs {
        match key.as_str() {
            "fields" => question.fields.extend(names(&value)),
            "kpis" => question.kpis.extend(names(&value)),
            "filters" => question.filters.extend(names(&value)),
            "filterExpr" => question.filter_exprs.push(value),
            "sort" => question.sort.extend(sort(&value)),
            "page" => question.page = number("page", &value)?,
            "pageSize" => size = Some(number("pageSize", &value)?),
            "options" => options.extend(names(&value)),
            "searchTerm" => term = Some(value),
            "searchField" => field = Some(value),
            "searchPrecision" => precision = Some(number("searchPrecision", &value)?),
            _ => {}
        }
    }
    question.page_size = page_size(size)?;
    question.distinct = distinct(&options)?;
    question.search = match (term, field) {
        (None, None) => None,
        (Some(term), Some(field)) => Some(Search {
            term,
            field,
            precision: precision.map(|precision| u8::try_from(precision).unwrap_or(u8::MAX)),
        }),
        _ => {
            let detail = "a search needs \"searchTerm\" and \"searchField\"";
            return Err(Fault::invalid("searchTerm", "body-field-missing", detail));
        }
    };
    Ok(question)
}

/// Cuts an order at its commas; an empty entry stays, to be refused.
fn sort(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}

fn number(name: &'static str, text: &str) -> Result<u64, Fault> {
    text.parse().map_err(|_| {
        Fault::invalid(name, "parameter-mismatch", format!("\"{name}\" must be a whole number from 0, not \"{text}\""))
    })
}

fn page_size(asked: Option<u64>) -> Result<u64, Fault> {
    match asked {
        Some(0) => Err(Fault::invalid("pageSize", "constraint-broken", "\"pageSize\" must be at least 1")),
        size => Ok(size.unwrap_or(SIZE_USUAL).min(RECORDS_MAX)),
    }
}

fn distinct(options: &[String]) -> Result<bool, Fault> {
    match options {
        [] => Ok(false),
        [option] if option.eq_ignore_ascii_case("distinct") => Ok(true),
        [option] => Err(Fault::invalid(
            "options",
            "parameter-illegal",
            format!("\"{option}\" is no option; there is \"distinct\""),
        )),
        _ => Err(Fault::invalid("options", "constraint-broken", "at most one option is possible")),
    }
}

impl From<Header> for Column {
    fn from(header: Header) -> Self {
        let Header { id, name, column_type, format, unit, is_aggregate } = header;
        Column {
            id,
            name,
            kind: type_name(column_type),
            format,
            unit,
            aggregation: is_aggregate,
            // A KPI has its value after the rows were chosen.
            filterable: !is_aggregate,
            sortable: true,
        }
    }
}

impl From<FieldSummary> for Summary {
    fn from(summary: FieldSummary) -> Self {
        let FieldSummary { id, name, column_type, count, distinct, min, max, avg } = summary;
        let [count, distinct, min, max, avg] = [count, distinct, min, max, avg].map(|value| value.to_json());
        Summary { id, name, column_type: type_name(column_type), count, distinct, min, max, avg }
    }
}
