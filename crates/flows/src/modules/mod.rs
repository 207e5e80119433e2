//! The kinds of steps.
//!
//! A module is a folder: its code, a JSON Schema of its settings from which the
//! editor draws a form, its icon, and its page of the reference, whose example
//! is a test. Behaviours are *pure* (the same input gives the same bundles, so
//! a replay may compute them again) or *effects*: those only plan here what is
//! to be done outside, and the engine does it between two commits.

/// Puts a module together from the files of its folder.
macro_rules! module {
    ($name:literal, versions $versions:expr, $behaviour:expr) => {
        module!($name, versions $versions, $behaviour, json $crate::modules::nothing_is_json)
    };
    ($name:literal, versions $versions:expr, $behaviour:expr, json $is_json:expr) => {
        $crate::modules::Module {
            name: $name,
            versions: &$versions,
            schema: include_str!("schema.json"),
            icon: include_str!("icon.svg"),
            page: include_str!("page.md"),
            behaviour: $behaviour,
            is_json: $is_json,
        }
    };
}

pub mod builtin;
pub mod catalogue;
pub mod csv;
pub mod databricks;
pub mod datastore;
pub mod email;
mod failure;
pub mod gateway;
pub mod http;
pub mod json;
pub mod loopwright;
pub mod regexp;
pub mod scenario_service;
pub mod slack;
pub mod util;
pub mod xml;

use std::time::Duration;

use serde_json::{Map, Value as Json};

use crate::blueprint::ModuleNode;
use crate::databricks::Errand;
use crate::engine::Variables;
use crate::hook::Response;
use crate::semantics::Semantics;
use crate::store::StoreCall;
use crate::structure::Field;
use crate::value::{FieldType, Value};

pub use failure::{Class, ModuleError, Reaction};

/// A kind of step.
pub struct Module {
    /// `app:Name`, as blueprints have it.
    pub name: &'static str,
    /// Versions of the app that are known; others run as the newest of these.
    pub versions: &'static [u32],
    /// JSON Schema of parameters and mapper.
    pub schema: &'static str,
    /// An SVG of 24 by 24, in the colour of the text around it.
    pub icon: &'static str,
    /// Its page of the reference, in Markdown.
    pub page: &'static str,
    /// What it does.
    pub behaviour: Behaviour,
    /// Tells whether a field of the mapper holds JSON text, in which mapped
    /// values are escaped.
    pub is_json: fn(&ModuleNode, &str) -> bool,
}

/// What a module does.
#[derive(Clone, Copy)]
pub enum Behaviour {
    /// It begins a run, and turns what arrived into its bundle.
    Start(fn(Value) -> Value),
    /// It computes bundles from a bundle.
    Pure(fn(&mut Call<'_>) -> Result<Vec<Value>, ModuleError>),
    /// The same, and each bundle is a turn of a loop.
    Loop(fn(&mut Call<'_>) -> Result<Vec<Value>, ModuleError>),
    /// It plans something outside.
    Effect(fn(&mut Call<'_>) -> Result<Plan, ModuleError>),
    /// It answers whoever brought the start bundle, and lets the bundle go on.
    Respond(fn(&mut Call<'_>) -> Result<Response, ModuleError>),
    /// It collects the bundles of its feeder's operation, and makes one of them.
    Aggregator(fn(&Gathered<'_>) -> Result<Value, ModuleError>),
    /// It sends a bundle along each route whose filter lets it pass.
    Router,
    /// It sends a bundle along the first branch whose condition holds.
    IfElse,
    /// Branches of an if-else come back to it.
    Merge,
    /// It repeats the modules inside until a condition holds.
    RepeatUntil,
    /// It says what becomes of a failed bundle.
    Directive(Directive),
}

/// What becomes of a failed bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directive {
    /// It is dropped, the others go on.
    Ignore,
    /// Another bundle takes its place.
    Resume,
    /// The run stops here, as a success.
    Commit,
    /// The run stops here, as an error.
    Rollback,
    /// It is stored as an incomplete execution, the others go on.
    Break,
}

/// What an aggregator is given when it closes.
pub struct Gathered<'a> {
    /// Static settings.
    pub parameters: &'a Map<String, Json>,
    /// Names of the fields in the mapper, in their order.
    pub fields: &'a [String],
    /// The mapper, evaluated for each bundle.
    pub items: &'a [Value],
}

/// What a module is given for one operation.
pub struct Call<'a> {
    /// Id of the module in the flow.
    pub module: u32,
    /// Static settings.
    pub parameters: &'a Map<String, Json>,
    /// The mapper, evaluated.
    pub input: &'a Value,
    /// Variables of the run.
    pub variables: &'a mut Variables,
    /// How open points are read.
    pub semantics: &'a Semantics,
}

impl Module {
    /// Returns those fields of the mapper of which the schema says a type to
    /// which any value is converted. Texts are not among them: what a module
    /// makes of a list or a collection is its own affair.
    pub fn typed_fields(&self) -> Vec<Field> {
        let schema: Json = serde_json::from_str(self.schema).unwrap_or_default();
        let Some(properties) = schema.pointer("/properties/mapper/properties").and_then(Json::as_object) else {
            return Vec::new();
        };
        let of = |(name, property): (&String, &Json)| {
            let kind = FieldType::named(property["type"].as_str()?);
            let converts =
                matches!(kind, FieldType::Integer | FieldType::Number | FieldType::Boolean | FieldType::Array);
            converts.then(|| Field::new(name, kind))
        };
        properties.iter().filter_map(of).collect()
    }
}

impl Call<'_> {
    /// Returns a static setting that is a text.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).and_then(Json::as_str).filter(|text| !text.is_empty())
    }

    /// Returns a static setting that is on or off.
    pub fn is_on(&self, name: &str) -> bool {
        self.parameters.get(name).and_then(Json::as_bool).unwrap_or(false)
    }
}

/// Something outside, planned and not yet done.
#[derive(Clone)]
pub enum Plan {
    /// Nothing is to be done after all.
    Nothing(Vec<Value>),
    /// Time is to pass.
    Wait(Duration),
    /// A request is to be sent.
    Http(Box<http::HttpCall>),
    /// Another flow is to be run.
    Flow(FlowCall),
    /// A counter that goes on from run to run is to go one further.
    Count,
    /// A mail is to be sent.
    Mail(Box<email::MailCall>),
    /// Rows are to be pushed into a pool.
    Push(Box<loopwright::push_rows::PushCall>),
    /// A person is to be asked.
    Ask(Box<loopwright::task::Question>),
    /// Something is to be done in a data store.
    Store(Box<StoreCall>),
    /// A conversation with a workspace is to be held.
    Databricks(Box<Errand>),
}

impl Plan {
    /// Tells whether somebody else wakes the run when it can go on.
    pub fn is_woken(&self) -> bool {
        matches!(self, Plan::Flow(_) | Plan::Ask(_) | Plan::Databricks(_))
    }

    /// Tells whether it reaches for the outside, so that its time is work.
    pub fn is_work(&self) -> bool {
        matches!(self, Plan::Http(_) | Plan::Mail(_) | Plan::Push(_))
    }

    /// Hands in the cookies of the run, where a request shares them.
    pub fn share(&mut self, jar: &http::Jar) {
        if let Plan::Http(call) = self
            && let Some(shared) = &mut call.jar
        {
            shared.clone_from(jar);
        }
    }
}

/// A run of another flow.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowCall {
    /// Key of the flow.
    pub flow: String,
    /// What it is given.
    pub input: Value,
    /// The run goes on when the other one has ended, with what that one gives
    /// back.
    pub waits: bool,
}

/// What came of an effect: what the journal keeps and a replay is given again.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// Its bundles, or why there are none.
    pub result: Result<Vec<Value>, ModuleError>,
    /// HTTP status, where there is one.
    pub status_code: Option<u16>,
    /// Cookies that later requests of the run share.
    pub cookies: Vec<http::Cookie>,
}

impl Settled {
    /// Makes a result that has no status.
    pub fn new(result: Result<Vec<Value>, ModuleError>) -> Self {
        Settled { result, status_code: None, cookies: Vec::new() }
    }

    /// Writes it for the journal.
    pub fn to_stored(&self) -> Json {
        let mut stored = match &self.result {
            Ok(bundles) => serde_json::json!({
                "bundles": bundles.iter().map(Value::to_stored).collect::<Vec<_>>(), "status": self.status_code,
            }),
            Err(error) => serde_json::json!({"error": error.to_stored(), "status": self.status_code}),
        };
        if !self.cookies.is_empty() {
            stored["cookies"] = self.cookies.iter().map(http::Cookie::to_stored).collect();
        }
        stored
    }

    /// Reads what [`Settled::to_stored`] wrote; nothing if it is something else.
    pub fn from_stored(json: Json) -> Option<Self> {
        let status_code = json["status"].as_u64().and_then(|code| u16::try_from(code).ok());
        let result = if let Some(error) = json.get("error") {
            Err(ModuleError::from_stored(error)?)
        } else {
            let bundles = json["bundles"].as_array()?;
            Ok(bundles.iter().cloned().map(Value::from_stored).collect())
        };
        let cookies = json["cookies"].as_array().into_iter().flatten().filter_map(http::Cookie::from_stored).collect();
        Some(Settled { result, status_code, cookies })
    }
}

/// All modules that run.
pub static MODULES: &[&Module] = &[
    &loopwright::signal::SIGNAL,
    &loopwright::manual::MANUAL,
    &loopwright::repeat_until::REPEAT_UNTIL,
    &loopwright::fail::FAIL,
    &loopwright::given::GIVEN,
    &loopwright::push_rows::PUSH_ROWS,
    &loopwright::write_row::WRITE_ROW,
    &loopwright::query_model::QUERY_MODEL,
    &loopwright::query_pool::QUERY_POOL,
    &loopwright::create_task::CREATE_TASK,
    &loopwright::wait_for_approval::WAIT_FOR_APPROVAL,
    &databricks::run_job_and_wait::RUN_JOB_AND_WAIT,
    &databricks::run_job::RUN_JOB,
    &databricks::submit_run::SUBMIT_RUN,
    &databricks::get_run::GET_RUN,
    &databricks::cancel_run::CANCEL_RUN,
    &databricks::repair_run::REPAIR_RUN,
    &databricks::list_jobs::LIST_JOBS,
    &databricks::query_endpoint::QUERY_ENDPOINT,
    &databricks::execute_statement::EXECUTE_STATEMENT,
    &databricks::upload_file::UPLOAD_FILE,
    &databricks::write_rows::WRITE_ROWS,
    &databricks::run_ended::RUN_ENDED,
    &email::send_email::SEND_EMAIL,
    &slack::create_message::CREATE_MESSAGE,
    &scenario_service::start::START,
    &scenario_service::call::CALL,
    &scenario_service::call::CALL_FLOW,
    &scenario_service::return_data::RETURN_DATA,
    &gateway::custom_webhook::CUSTOM_WEBHOOK,
    &gateway::custom_mailhook::CUSTOM_MAILHOOK,
    &gateway::webhook_respond::WEBHOOK_RESPOND,
    &http::send_data::SEND_DATA,
    &http::basic_auth::BASIC_AUTH,
    &http::api_key_auth::API_KEY_AUTH,
    &http::oauth::OAUTH,
    &http::get_file::GET_FILE,
    &http::make_request::MAKE_REQUEST,
    &http::download_file::DOWNLOAD_FILE,
    &http::resolve_url::RESOLVE_URL,
    &json::parse::PARSE,
    &json::create::CREATE,
    &json::transform::TRANSFORM,
    &json::aggregate::AGGREGATE,
    &csv::create::CREATE,
    &csv::create::CREATE_ADVANCED,
    &csv::parse::PARSE,
    &regexp::parser::PARSER,
    &regexp::advanced_parser::ADVANCED_PARSER,
    &regexp::replace::REPLACE,
    &regexp::html_to_text::HTML_TO_TEXT,
    &regexp::elements_from_text::ELEMENTS_FROM_TEXT,
    &regexp::elements_from_html::ELEMENTS_FROM_HTML,
    &xml::parse::PARSE,
    &xml::transform::TRANSFORM,
    &datastore::add_record::ADD_RECORD,
    &datastore::update_record::UPDATE_RECORD,
    &datastore::get_record::GET_RECORD,
    &datastore::search_record::SEARCH_RECORD,
    &datastore::exist_record::EXIST_RECORD,
    &datastore::delete_record::DELETE_RECORD,
    &datastore::delete_all_records::DELETE_ALL_RECORDS,
    &datastore::count_records::COUNT_RECORDS,
    &util::basic_trigger::BASIC_TRIGGER,
    &util::set_variables::SET_VARIABLES,
    &util::set_variable::SET_VARIABLE,
    &util::set_variable::SET_VARIABLE_1,
    &util::get_variables::GET_VARIABLES,
    &util::get_variable::GET_VARIABLE,
    &util::get_variable::GET_VARIABLE_1,
    &util::sleep::SLEEP,
    &util::increment::INCREMENT,
    &util::compose::COMPOSE,
    &util::switch::SWITCH,
    &util::text_aggregator::TEXT_AGGREGATOR,
    &util::numeric_aggregator::NUMERIC_AGGREGATOR,
    &util::table_aggregator::TABLE_AGGREGATOR,
    &builtin::router::ROUTER,
    &builtin::if_else::IF_ELSE,
    &builtin::merge::MERGE,
    &builtin::iterator::ITERATOR,
    &builtin::repeater::REPEATER,
    &builtin::aggregator::AGGREGATOR,
    &builtin::ignore::IGNORE,
    &builtin::resume::RESUME,
    &builtin::commit::COMMIT,
    &builtin::rollback::ROLLBACK,
    &builtin::put_off::BREAK,
];

/// Finds a module by its name.
pub fn find(name: &str) -> Option<&'static Module> {
    MODULES.iter().copied().find(|module| module.name == name)
}

/// Finds the module of a node. Names of the modules that create CSV are not
/// public, so whatever of that app has a source module is taken as one.
pub fn for_node(node: &ModuleNode) -> Option<&'static Module> {
    let is_csv_aggregator = || node.module.starts_with("csv:") && node.parameters.contains_key("feeder");
    find(&node.module).or_else(|| is_csv_aggregator().then_some(&csv::create::CREATE_ADVANCED))
}

/// Tells whether the fields of a node become a document with the types of a
/// data structure.
pub fn writes_structure(node: &ModuleNode) -> bool {
    let writes_json = matches!(node.module.as_str(), "json:CreateJSON" | "json:AggregateToJSON");
    writes_json || node.module.starts_with("csv:") && node.parameters.contains_key("feeder")
}

/// For modules without fields of JSON text.
fn nothing_is_json(_node: &ModuleNode, _field: &str) -> bool {
    false
}

#[cfg(test)]
mod tests;
