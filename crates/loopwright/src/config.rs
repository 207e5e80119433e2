//! Configuration: layers turned once into plain values.
//!
//! The documented default file is embedded in the binary, so documentation
//! and defaults cannot differ. Above it lie a file, the environment and the
//! flags. Unknown names are errors in every layer, because a misspelt setting
//! that is silently ignored is a trap.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use base::{AddressRange, Secret};
use egress::{Allowed, HostAlias};
use figment::providers::{Format, Serialized, Toml};
use figment::value::Dict;
use figment::{Figment, Metadata, Profile, Provider};
use serde::{Deserialize, Deserializer};

use crate::tls::Tls;

/// The documented defaults, as `loopwright config --defaults` prints them.
pub(crate) const DEFAULTS: &str = include_str!("defaults.toml");

/// Variables that start with our prefix, but belong to clients.
const CLIENT_VARIABLES: [&str; 5] = [
    "LOOPWRIGHT_URL",
    "LOOPWRIGHT_APP_KEY",
    "LOOPWRIGHT_SECRET",
    "LOOPWRIGHT_WORKSPACE_URL",
    "LOOPWRIGHT_WORKSPACE_TOKEN",
];

/// Variables that only tests and chores read.
const CHORE_PREFIX: &str = "LOOPWRIGHT_TEST_";

/// The settings in force.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) data: PathBuf,
    #[serde(deserialize_with = "address")]
    pub(crate) listen: SocketAddr,
    #[serde(deserialize_with = "address_or_off")]
    pub(crate) workspace_listen: Option<SocketAddr>,
    #[serde(deserialize_with = "address_or_off")]
    pub(crate) mail_listen: Option<SocketAddr>,
    #[serde(deserialize_with = "tls")]
    pub(crate) tls: Tls,
    #[serde(deserialize_with = "secret_or_none")]
    pub(crate) database_url: Option<Secret>,
    #[serde(deserialize_with = "secret_or_none")]
    pub(crate) bootstrap_app_key: Option<Secret>,
    #[serde(deserialize_with = "secret_or_none")]
    pub(crate) workspace_bootstrap_token: Option<Secret>,
    #[serde(deserialize_with = "secret_or_none")]
    pub(crate) sealing_keys: Option<Secret>,
    #[serde(deserialize_with = "ranges")]
    pub(crate) egress_allow: Vec<Allowed>,
    #[serde(deserialize_with = "ranges")]
    pub(crate) host_aliases: Vec<HostAlias>,
    pub(crate) public_url: String,
    #[serde(deserialize_with = "ranges")]
    pub(crate) trusted_proxies: Vec<AddressRange>,
    #[serde(deserialize_with = "texts")]
    pub(crate) source_folders: Vec<String>,
    #[serde(deserialize_with = "yes_or_no")]
    pub(crate) callback_http: bool,
    #[serde(deserialize_with = "number")]
    pub(crate) subscriptions_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) events_per_day_max: u64,
    #[serde(deserialize_with = "yes_or_no")]
    pub(crate) limits_enforce: bool,
    #[serde(deserialize_with = "number")]
    pub(crate) keep_events_days: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) keep_events_bytes: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) queue_events_days: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) queue_events_bytes: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) suspend_after_hours: u64,
    #[serde(deserialize_with = "secret_or_none")]
    pub(crate) mail_server: Option<Secret>,
    pub(crate) mail_from: String,
    #[serde(deserialize_with = "texts")]
    pub(crate) mail_to: Vec<String>,
    #[serde(deserialize_with = "number")]
    pub(crate) notice_seconds: u64,
    #[serde(deserialize_with = "path_or_none")]
    pub(crate) ca_file: Option<PathBuf>,
    #[serde(deserialize_with = "number")]
    pub(crate) sql_seconds_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) sql_bytes_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) sql_scratch_bytes_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) transform_seconds_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) data_models_bytes_max: u64,
    pub(crate) python: PathBuf,
    pub(crate) workspace_failed_runs: FailedRuns,
    #[serde(deserialize_with = "yes_or_no")]
    pub(crate) workspace_missing_is_400: bool,
    pub(crate) workspace_rate_limits: RateLimits,
    #[serde(deserialize_with = "number")]
    pub(crate) keep_job_runs_days: u64,
    #[serde(deserialize_with = "yes_or_no")]
    pub(crate) workspace_faults: bool,
    #[serde(deserialize_with = "number")]
    pub(crate) workspace_chunk_rows: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) workspace_access_token_seconds: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) workspace_token_days_max: u64,
    #[serde(deserialize_with = "texts")]
    pub(crate) pip_arguments: Vec<String>,
    #[serde(deserialize_with = "path_or_none")]
    pub(crate) task_environments: Option<PathBuf>,
    pub(crate) spark_remote: String,
    #[serde(deserialize_with = "number")]
    pub(crate) task_memory_bytes_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) task_cpu_seconds_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) task_open_files_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) task_token_hours: u64,
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    #[serde(deserialize_with = "number")]
    pub(crate) stop_seconds: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) management_requests_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) intelligence_requests_per_second: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) intelligence_requests_per_day: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) flow_returns_per_hour_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) connection_warning_days: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) databricks_calls_per_second: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) keep_databricks_calls_days: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) keep_flow_runs_days: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) hook_queue_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) hook_queue_bytes_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) hook_requests_per_ten_seconds: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) hook_bytes_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) hook_answer_seconds: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) flow_instant_errors_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) flow_operations_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) flow_working_seconds_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) flow_operation_seconds_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) flow_bundle_bytes_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) data_store_records_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) data_store_record_bytes_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) data_store_bytes_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) flow_text_bytes_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) flow_call_depth_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) flow_incomplete_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) flow_incomplete_bytes_max: u64,
    #[serde(deserialize_with = "spans")]
    pub(crate) flow_retry_minutes: Vec<Duration>,
    #[serde(deserialize_with = "spans")]
    pub(crate) flow_rerun_minutes: Vec<Duration>,
    #[serde(deserialize_with = "number")]
    pub(crate) flow_failed_retries_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) flow_failed_retries_seconds: u64,
    #[serde(deserialize_with = "semantics")]
    pub(crate) flow_semantics: flows::Semantics,
    #[serde(deserialize_with = "number")]
    pub(crate) chunk_bytes_max: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) keep_chunks_hours: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) keep_chunks_bytes: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) push_executions_per_second: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) push_executions_per_hour: u64,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// What the older state block says of a run of the local workspace that failed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum FailedRuns {
    /// What it says on serverless compute.
    InternalError,
    /// What others report of notebooks.
    Terminated,
}

impl FailedRuns {
    /// Returns the word of the settings, which is that of the wire.
    fn word(self) -> &'static str {
        match self {
            FailedRuns::InternalError => "INTERNAL_ERROR",
            FailedRuns::Terminated => "TERMINATED",
        }
    }
}

/// How often the local workspace may be called.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RateLimits {
    /// As often as somebody likes.
    Off,
    /// As often as a real one.
    Databricks,
}

impl RateLimits {
    /// Returns the word of the settings.
    fn word(self) -> &'static str {
        match self {
            RateLimits::Off => "off",
            RateLimits::Databricks => "databricks",
        }
    }
}

/// Says which setting is wrong, where it came from, and how.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file given by `--config` is not there.
    #[error("the configuration file \"{0}\" cannot be read")]
    NoFile(PathBuf),
    /// A value does not fit, or a name is not known.
    #[error("the configuration is wrong: {}", told(.0))]
    Wrong(#[from] Box<figment::Error>),
}

/// Says which setting is wrong, and where it was made.
fn told(error: &figment::Error) -> String {
    let mut text = error.kind.to_string();
    if let Some(setting) = error.path.last() {
        text = format!("{setting}: {text}");
    }
    match error.metadata.as_ref().map(|origin| (&origin.name, origin.source.as_ref().and_then(|it| it.file_path()))) {
        Some((_, Some(file))) => format!("{text} (in {})", file.display()),
        Some((name, None)) => format!("{text} (in {name})"),
        None => text,
    }
}

/// Settings that are all texts, and where they come from.
struct Texts {
    origin: &'static str,
    settings: BTreeMap<String, String>,
}

impl Provider for Texts {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin)
    }

    fn data(&self) -> Result<figment::value::Map<Profile, Dict>, figment::Error> {
        Serialized::defaults(&self.settings).data()
    }
}

/// Puts the layers together.
///
/// `environment` holds the process's variables; `flags` the settings given on
/// the command line, by name.
pub(crate) fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &BTreeMap<&'static str, String>,
) -> Result<Config, ConfigError> {
    let mut layers = Figment::from(Toml::string(DEFAULTS));
    if let Some(file) = file {
        if !file.is_file() {
            return Err(ConfigError::NoFile(file.to_owned()));
        }
        layers = layers.merge(Toml::file_exact(file));
    }
    layers = layers.merge(environment_layer(environment));
    let flags = flags.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    layers = layers.merge(Texts { origin: "the command line", settings: flags });
    Ok(layers.extract().map_err(Box::new)?)
}

/// Turns `LOOPWRIGHT_LISTEN` into `listen`. Values stay texts: a token that
/// looks like a number is still a token.
fn environment_layer(environment: impl IntoIterator<Item = (String, String)>) -> impl Provider {
    let mut settings = BTreeMap::new();
    for (name, value) in environment {
        let ours = !CLIENT_VARIABLES.contains(&name.as_str()) && !name.starts_with(CHORE_PREFIX);
        if let Some(setting) = name.strip_prefix("LOOPWRIGHT_").filter(|_| ours) {
            settings.insert(setting.to_ascii_lowercase(), value);
        }
    }
    Texts { origin: "the environment", settings }
}

impl Config {
    /// Shows the settings in force; a secret shows only whether it is set.
    pub(crate) fn describe(&self) -> String {
        let set = |secret: &Option<Secret>| if secret.is_some() { "(set)" } else { "(not set)" };
        let or_off =
            |address: Option<SocketAddr>| address.map_or_else(|| "off".to_owned(), |address| address.to_string());
        let tls = match &self.tls {
            Tls::Off => "off".to_owned(),
            Tls::SelfSigned => "self-signed".to_owned(),
            Tls::Files { certificate, key } => format!("{},{}", certificate.display(), key.display()),
        };
        let ranges: Vec<String> = self.egress_allow.iter().map(ToString::to_string).collect();
        let aliases: Vec<String> = self.host_aliases.iter().map(ToString::to_string).collect();
        let proxies: Vec<String> = self.trusted_proxies.iter().map(ToString::to_string).collect();
        [
            ("data", self.data.display().to_string()),
            ("listen", self.listen.to_string()),
            ("workspace_listen", or_off(self.workspace_listen)),
            ("mail_listen", or_off(self.mail_listen)),
            ("tls", tls),
            ("database_url", set(&self.database_url).to_owned()),
            ("bootstrap_app_key", set(&self.bootstrap_app_key).to_owned()),
            ("workspace_bootstrap_token", set(&self.workspace_bootstrap_token).to_owned()),
            ("sealing_keys", set(&self.sealing_keys).to_owned()),
            ("egress_allow", ranges.join(", ")),
            ("host_aliases", aliases.join(", ")),
            ("public_url", self.public_url.clone()),
            ("trusted_proxies", proxies.join(", ")),
            ("source_folders", self.source_folders.join(", ")),
            ("callback_http", self.callback_http.to_string()),
            ("subscriptions_max", self.subscriptions_max.to_string()),
            ("events_per_day_max", self.events_per_day_max.to_string()),
            ("limits_enforce", self.limits_enforce.to_string()),
            ("keep_events_days", self.keep_events_days.to_string()),
            ("keep_events_bytes", self.keep_events_bytes.to_string()),
            ("queue_events_days", self.queue_events_days.to_string()),
            ("queue_events_bytes", self.queue_events_bytes.to_string()),
            ("suspend_after_hours", self.suspend_after_hours.to_string()),
            ("ca_file", self.ca_file.as_ref().map_or("(not set)".to_owned(), |file| file.display().to_string())),
            ("mail_server", set(&self.mail_server).to_owned()),
            ("mail_from", self.mail_from.clone()),
            ("mail_to", self.mail_to.join(", ")),
            ("notice_seconds", self.notice_seconds.to_string()),
            ("sql_seconds_max", self.sql_seconds_max.to_string()),
            ("sql_bytes_max", self.sql_bytes_max.to_string()),
            ("sql_scratch_bytes_max", self.sql_scratch_bytes_max.to_string()),
            ("transform_seconds_max", self.transform_seconds_max.to_string()),
            ("data_models_bytes_max", self.data_models_bytes_max.to_string()),
            ("python", self.python.display().to_string()),
            ("workspace_failed_runs", self.workspace_failed_runs.word().to_owned()),
            ("workspace_missing_is_400", self.workspace_missing_is_400.to_string()),
            ("workspace_rate_limits", self.workspace_rate_limits.word().to_owned()),
            ("keep_job_runs_days", self.keep_job_runs_days.to_string()),
            ("workspace_faults", self.workspace_faults.to_string()),
            ("workspace_chunk_rows", self.workspace_chunk_rows.to_string()),
            ("workspace_access_token_seconds", self.workspace_access_token_seconds.to_string()),
            ("workspace_token_days_max", self.workspace_token_days_max.to_string()),
            // The address of an index may hold a password.
            ("pip_arguments", if self.pip_arguments.is_empty() { "(not set)" } else { "(set)" }.to_owned()),
            (
                "task_environments",
                self.task_environments.as_ref().map_or("(not set)".to_owned(), |folder| folder.display().to_string()),
            ),
            ("spark_remote", if self.spark_remote.is_empty() { "(not set)" } else { "(set)" }.to_owned()),
            ("task_memory_bytes_max", self.task_memory_bytes_max.to_string()),
            ("task_cpu_seconds_max", self.task_cpu_seconds_max.to_string()),
            ("task_open_files_max", self.task_open_files_max.to_string()),
            ("task_token_hours", self.task_token_hours.to_string()),
            ("log", self.log.clone()),
            ("log_format", format!("{:?}", self.log_format).to_lowercase()),
            ("stop_seconds", self.stop_seconds.to_string()),
            ("management_requests_max", self.management_requests_max.to_string()),
            ("intelligence_requests_per_second", self.intelligence_requests_per_second.to_string()),
            ("intelligence_requests_per_day", self.intelligence_requests_per_day.to_string()),
            ("flow_returns_per_hour_max", self.flow_returns_per_hour_max.to_string()),
            ("connection_warning_days", self.connection_warning_days.to_string()),
            ("databricks_calls_per_second", self.databricks_calls_per_second.to_string()),
            ("keep_databricks_calls_days", self.keep_databricks_calls_days.to_string()),
            ("keep_flow_runs_days", self.keep_flow_runs_days.to_string()),
            ("hook_queue_max", self.hook_queue_max.to_string()),
            ("hook_queue_bytes_max", self.hook_queue_bytes_max.to_string()),
            ("hook_requests_per_ten_seconds", self.hook_requests_per_ten_seconds.to_string()),
            ("hook_bytes_max", self.hook_bytes_max.to_string()),
            ("hook_answer_seconds", self.hook_answer_seconds.to_string()),
            ("flow_instant_errors_max", self.flow_instant_errors_max.to_string()),
            ("flow_operations_max", self.flow_operations_max.to_string()),
            ("flow_working_seconds_max", self.flow_working_seconds_max.to_string()),
            ("flow_operation_seconds_max", self.flow_operation_seconds_max.to_string()),
            ("flow_bundle_bytes_max", self.flow_bundle_bytes_max.to_string()),
            ("data_store_records_max", self.data_store_records_max.to_string()),
            ("data_store_record_bytes_max", self.data_store_record_bytes_max.to_string()),
            ("data_store_bytes_max", self.data_store_bytes_max.to_string()),
            ("flow_text_bytes_max", self.flow_text_bytes_max.to_string()),
            ("flow_call_depth_max", self.flow_call_depth_max.to_string()),
            ("flow_incomplete_max", self.flow_incomplete_max.to_string()),
            ("flow_incomplete_bytes_max", self.flow_incomplete_bytes_max.to_string()),
            ("flow_retry_minutes", minutes(&self.flow_retry_minutes)),
            ("flow_rerun_minutes", minutes(&self.flow_rerun_minutes)),
            ("flow_failed_retries_max", self.flow_failed_retries_max.to_string()),
            ("flow_failed_retries_seconds", self.flow_failed_retries_seconds.to_string()),
            ("flow_semantics", self.flow_semantics.deviations().join(", ")),
            ("chunk_bytes_max", self.chunk_bytes_max.to_string()),
            ("keep_chunks_hours", self.keep_chunks_hours.to_string()),
            ("keep_chunks_bytes", self.keep_chunks_bytes.to_string()),
            ("push_executions_per_second", self.push_executions_per_second.to_string()),
            ("push_executions_per_hour", self.push_executions_per_hour.to_string()),
        ]
        .map(|(name, value)| format!("{name} = {value}\n"))
        .concat()
    }
}

/// A value as a file or as the environment writes it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Flag(bool),
    Number(u64),
    Text(String),
    List(Vec<String>),
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| wrong::<D>(&text, "an address such as 127.0.0.1:8080"))
}

fn address_or_off<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == "off" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| wrong::<D>(&text, "an address such as 127.0.0.1:8081, or \"off\""))
}

fn tls<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tls, D::Error> {
    let text = String::deserialize(deserializer)?;
    Tls::parse(&text).ok_or_else(|| wrong::<D>(&text, "\"off\", \"self-signed\" or CERT,KEY"))
}

fn secret_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok((!text.is_empty()).then(|| Secret::new(text)))
}

fn path_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok((!text.is_empty()).then(|| text.into()))
}

fn ranges<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    texts(deserializer)?.iter().map(|entry| entry.parse().map_err(serde::de::Error::custom)).collect()
}

/// Reads a list, which the environment writes with commas.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let entries = match Written::deserialize(deserializer)? {
        Written::List(entries) => entries,
        Written::Text(text) => text.split(',').map(|entry| entry.trim().to_owned()).collect(),
        Written::Flag(_) | Written::Number(_) => return Err(wrong::<D>("it", "a list of texts")),
    };
    Ok(entries.into_iter().filter(|entry| !entry.is_empty()).collect())
}

/// Reads a list of minutes.
fn spans<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Duration>, D::Error> {
    let read = |entry: &String| match entry.parse() {
        Ok(minutes) => Ok(Duration::from_mins(minutes)),
        Err(_) => Err(wrong::<D>(entry, "a whole number of minutes")),
    };
    texts(deserializer)?.iter().map(read).collect()
}

fn minutes(spans: &[Duration]) -> String {
    spans.iter().map(|span| (span.as_secs() / 60).to_string()).collect::<Vec<_>>().join(", ")
}

fn semantics<'de, D: Deserializer<'de>>(deserializer: D) -> Result<flows::Semantics, D::Error> {
    flows::Semantics::with_deviations(&texts(deserializer)?).map_err(serde::de::Error::custom)
}

fn yes_or_no<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match Written::deserialize(deserializer)? {
        Written::Flag(flag) => Ok(flag),
        Written::Text(text) if text == "true" => Ok(true),
        Written::Text(text) if text == "false" || text.is_empty() => Ok(false),
        Written::Text(text) => Err(wrong::<D>(&text, "\"true\" or \"false\"")),
        Written::Number(_) | Written::List(_) => Err(wrong::<D>("it", "\"true\" or \"false\"")),
    }
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match Written::deserialize(deserializer)? {
        Written::Number(number) => Ok(number),
        Written::Text(text) => text.parse().map_err(|_| wrong::<D>(&text, "a whole number")),
        Written::Flag(_) | Written::List(_) => Err(wrong::<D>("it", "a whole number")),
    }
}

fn wrong<'de, D: Deserializer<'de>>(given: &str, expected: &str) -> D::Error {
    serde::de::Error::custom(format!("\"{given}\" is not {expected}"))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn load_from(environment: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Config, ConfigError> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let flags = flags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        load(None, environment, &flags)
    }

    #[test]
    fn the_defaults_stand_alone() {
        let config = load_from(&[], &[]).expect("the defaults are complete");
        expect![[r"
            data = loopwright-data
            listen = 127.0.0.1:8080
            workspace_listen = 127.0.0.1:8081
            mail_listen = off
            tls = off
            database_url = (not set)
            bootstrap_app_key = (not set)
            workspace_bootstrap_token = (not set)
            sealing_keys = (not set)
            egress_allow = 
            host_aliases = 
            public_url = 
            trusted_proxies = 
            source_folders = 
            callback_http = false
            subscriptions_max = 10000
            events_per_day_max = 1000000
            limits_enforce = false
            keep_events_days = 7
            keep_events_bytes = 2147483648
            queue_events_days = 30
            queue_events_bytes = 8589934592
            suspend_after_hours = 8
            ca_file = (not set)
            mail_server = (not set)
            mail_from = loopwright@localhost
            mail_to = 
            notice_seconds = 60
            sql_seconds_max = 60
            sql_bytes_max = 536870912
            sql_scratch_bytes_max = 4294967296
            transform_seconds_max = 3600
            data_models_bytes_max = 0
            python = python3
            workspace_failed_runs = INTERNAL_ERROR
            workspace_missing_is_400 = false
            workspace_rate_limits = off
            keep_job_runs_days = 60
            workspace_faults = false
            workspace_chunk_rows = 100000
            workspace_access_token_seconds = 3600
            workspace_token_days_max = 0
            pip_arguments = (not set)
            task_environments = (not set)
            spark_remote = (not set)
            task_memory_bytes_max = 0
            task_cpu_seconds_max = 0
            task_open_files_max = 0
            task_token_hours = 24
            log = info,buoyant_kernel=warn,deltalake_core=warn,datafusion=warn
            log_format = text
            stop_seconds = 20
            management_requests_max = 50
            intelligence_requests_per_second = 20
            intelligence_requests_per_day = 6000
            flow_returns_per_hour_max = 3
            connection_warning_days = 14
            databricks_calls_per_second = 10
            keep_databricks_calls_days = 90
            keep_flow_runs_days = 60
            hook_queue_max = 10000
            hook_queue_bytes_max = 268435456
            hook_requests_per_ten_seconds = 0
            hook_bytes_max = 5242880
            hook_answer_seconds = 180
            flow_instant_errors_max = 1
            flow_operations_max = 1000000
            flow_working_seconds_max = 3600
            flow_operation_seconds_max = 300
            flow_bundle_bytes_max = 67108864
            data_store_records_max = 100000
            data_store_record_bytes_max = 1048576
            data_store_bytes_max = 268435456
            flow_text_bytes_max = 5242880
            flow_call_depth_max = 10
            flow_incomplete_max = 1000
            flow_incomplete_bytes_max = 5242880
            flow_retry_minutes = 1, 10, 10, 30, 30, 30, 180, 180
            flow_rerun_minutes = 1, 2, 5, 10, 60, 180, 720, 1440
            flow_failed_retries_max = 10
            flow_failed_retries_seconds = 120
            flow_semantics = 
            chunk_bytes_max = 1073741824
            keep_chunks_hours = 24
            keep_chunks_bytes = 4294967296
            push_executions_per_second = 0
            push_executions_per_hour = 0
        "]]
        .assert_eq(&config.describe());
    }

    #[test]
    fn flags_win_over_the_environment_and_secrets_stay_hidden() {
        let config = load_from(
            &[
                ("LOOPWRIGHT_LISTEN", "127.0.0.1:1"),
                ("LOOPWRIGHT_WORKSPACE_LISTEN", "off"),
                ("LOOPWRIGHT_WORKSPACE_BOOTSTRAP_TOKEN", "4711"),
                ("LOOPWRIGHT_EGRESS_ALLOW", "127.0.0.1:9000, 10.0.0.0/8"),
                ("LOOPWRIGHT_CALLBACK_HTTP", "true"),
                ("LOOPWRIGHT_MAIL_SERVER", "smtp://user:4712@mail.example.org:587"),
                ("LOOPWRIGHT_MAIL_TO", "ann@example.org, bob@example.org"),
                ("LOOPWRIGHT_APP_KEY", "a client's, not ours"),
                ("PATH", "/bin"),
            ],
            &[("listen", "127.0.0.1:2")],
        )
        .expect("all values fit");
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.workspace_bootstrap_token.as_ref().map(Secret::expose), Some("4711"));
        let text = config.describe();
        assert!(text.contains("egress_allow = 127.0.0.1/32:9000, 10.0.0.0/8\n"), "{text}");
        assert!(text.contains("workspace_listen = off\n"), "{text}");
        assert!(text.contains("mail_server = (set)\n"), "{text}");
        assert!(text.contains("mail_to = ann@example.org, bob@example.org\n"), "{text}");
        assert!(!text.contains("4711") && !text.contains("4712"), "{text}");
    }

    #[test]
    fn a_wrong_setting_is_named() {
        let environments = [
            ("LOOPWRIGHT_LISTN", "x"),
            ("LOOPWRIGHT_LISTEN", "8080"),
            ("LOOPWRIGHT_EGRESS_ALLOW", "lan"),
            ("LOOPWRIGHT_CALLBACK_HTTP", "yes"),
        ];
        let told = environments.map(|variable| load_from(&[variable], &[]).err().expect("a refusal").to_string());
        expect![[r#"
            the configuration is wrong: listn: unknown field: found `listn`, expected `one of `data`, `listen`, `workspace_listen`, `mail_listen`, `tls`, `database_url`, `bootstrap_app_key`, `workspace_bootstrap_token`, `sealing_keys`, `egress_allow`, `host_aliases`, `public_url`, `trusted_proxies`, `source_folders`, `callback_http`, `subscriptions_max`, `events_per_day_max`, `limits_enforce`, `keep_events_days`, `keep_events_bytes`, `queue_events_days`, `queue_events_bytes`, `suspend_after_hours`, `mail_server`, `mail_from`, `mail_to`, `notice_seconds`, `ca_file`, `sql_seconds_max`, `sql_bytes_max`, `sql_scratch_bytes_max`, `transform_seconds_max`, `data_models_bytes_max`, `python`, `workspace_failed_runs`, `workspace_missing_is_400`, `workspace_rate_limits`, `keep_job_runs_days`, `workspace_faults`, `workspace_chunk_rows`, `workspace_access_token_seconds`, `workspace_token_days_max`, `pip_arguments`, `task_environments`, `spark_remote`, `task_memory_bytes_max`, `task_cpu_seconds_max`, `task_open_files_max`, `task_token_hours`, `log`, `log_format`, `stop_seconds`, `management_requests_max`, `intelligence_requests_per_second`, `intelligence_requests_per_day`, `flow_returns_per_hour_max`, `connection_warning_days`, `databricks_calls_per_second`, `keep_databricks_calls_days`, `keep_flow_runs_days`, `hook_queue_max`, `hook_queue_bytes_max`, `hook_requests_per_ten_seconds`, `hook_bytes_max`, `hook_answer_seconds`, `flow_instant_errors_max`, `flow_operations_max`, `flow_working_seconds_max`, `flow_operation_seconds_max`, `flow_bundle_bytes_max`, `data_store_records_max`, `data_store_record_bytes_max`, `data_store_bytes_max`, `flow_text_bytes_max`, `flow_call_depth_max`, `flow_incomplete_max`, `flow_incomplete_bytes_max`, `flow_retry_minutes`, `flow_rerun_minutes`, `flow_failed_retries_max`, `flow_failed_retries_seconds`, `flow_semantics`, `chunk_bytes_max`, `keep_chunks_hours`, `keep_chunks_bytes`, `push_executions_per_second`, `push_executions_per_hour`` (in the environment)
            the configuration is wrong: listen: "8080" is not an address such as 127.0.0.1:8080 (in the environment)
            the configuration is wrong: egress_allow: "lan" is not a range such as 10.1.0.0/16 or 127.0.0.1:9000 (in the environment)
            the configuration is wrong: callback_http: "yes" is not "true" or "false" (in the environment)"#]].assert_eq(&told.join("\n"));
    }
}
