//! The command line: a contract, because scripts rely on it.
//!
//! `serve` and `demo` open a data folder; every other verb is a client of a
//! running server and takes `--url` and `LOOPWRIGHT_APP_KEY`.

mod app_key;
mod check;
mod connections;
mod deliveries;
mod flow;
mod packages;
mod runs;
mod hooks;
mod memory;
mod models;
mod outcomes;
mod explore;
mod measure;
mod explain;
mod run_events;
mod listen;
mod push;
mod sql;
mod data_stores;
mod structures;
mod table;
mod tasks;
pub(crate) mod verify;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use base::Secret;
use clap::{Args, Parser, Subcommand};

use crate::client::Client;
use crate::config::{self, Config};
use crate::{apply, bench, demo, serve, telemetry};

/// Closes the loop from process data to action.
#[derive(Parser)]
#[command(name = "loopwright", version, about, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Start the server.
    Serve(ServerFlags),
    /// Show the closed loop on the example, live in the browser.
    Demo(demo::DemoFlags),
    /// Create or update what the files describe; applying twice changes nothing.
    Apply {
        /// Folders with a loopwright.yaml, or such files.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// What is other where it is applied: NAME=VALUE lines for `${env.NAME}`, or a YAML file with names too.
        ///
        /// A YAML file has `connections`, `hooks`, `pools` and `models`, each from the name in the folder to the
        /// name there, `variables` of flows, `team` variables, and `values` for `${env.NAME}`. What flows name and
        /// is neither there nor mapped is told, and then nothing is changed.
        #[arg(long)]
        env: Option<PathBuf>,
        /// Only print what would happen.
        #[arg(long)]
        dry_run: bool,
        /// Address of the local workspace.
        #[arg(long, env = "LOOPWRIGHT_WORKSPACE_URL", default_value = "http://127.0.0.1:8081")]
        workspace_url: String,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Push CSV, Parquet, XES or OCEL files into a table, with a look before.
    Push(push::PushFlags),
    /// Ask SQL of a pool's tables.
    Sql(sql::SqlFlags),
    /// Ask PQL of a knowledge model.
    Query(sql::QueryFlags),
    Models(models::ModelsFlags),
    Triggers(models::TriggersFlags),
    Held(models::HeldFlags),
    Outcomes(outcomes::OutcomesFlags),
    Map(explore::MapFlags),
    Variants(explore::VariantsFlags),
    Cases(measure::CasesFlags),
    Case(explore::CaseFlags),
    Throughput(measure::ThroughputFlags),
    Activities(measure::ActivitiesFlags),
    Conformance(measure::ConformanceFlags),
    Backtest(explain::BacktestFlags),
    Why(explain::WhyFlags),
    RunEvents(run_events::RunEventsFlags),
    Memory(memory::MemoryFlags),
    Flow(flow::FlowFlags),
    DataStores(data_stores::DataStoresFlags),
    Packages(packages::PackagesFlags),
    Export(packages::ExportFlags),
    Structures(structures::StructuresFlags),
    Connections(connections::ConnectionsFlags),
    Tasks(tasks::TasksFlags),
    Runs(runs::RunsFlags),
    Run(runs::RunFlags),
    Hooks(hooks::HooksFlags),
    Listen(listen::ListenFlags),
    Deliveries(deliveries::DeliveriesFlags),
    Verify(verify::VerifyFlags),
    /// Check the configuration, the data folder and the ports without starting.
    Check(ServerFlags),
    /// Print the configuration that is in force, without secrets.
    Config {
        /// Print the documented defaults instead.
        #[arg(long)]
        defaults: bool,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Make, list and revoke app keys.
    AppKey {
        #[command(subcommand)]
        verb: app_key::AppKeyVerb,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Measure the program against itself; `cargo xtask bench` calls it.
    #[command(hide = true)]
    Bench {
        /// What to measure.
        name: String,
    },
    /// Run one task of the local workspace in a session of its own.
    #[command(hide = true)]
    SuperviseTask {
        /// The task's folder.
        folder: PathBuf,
    },
}

/// Flags of the verbs that open a data folder. They win over the environment
/// and the configuration file.
#[derive(Args, Clone, Default)]
pub(crate) struct ServerFlags {
    /// A configuration file; `loopwright config --defaults` shows one.
    #[arg(long, env = "LOOPWRIGHT_CONFIG")]
    config: Option<PathBuf>,
    /// The folder that holds everything.
    #[arg(long)]
    data: Option<String>,
    /// Where the API and the browser UI listen.
    #[arg(long)]
    listen: Option<String>,
    /// Where the local workspace listens, or "off".
    #[arg(long)]
    workspace_listen: Option<String>,
    /// TLS on both: off, self-signed, or CERT,KEY.
    #[arg(long)]
    tls: Option<String>,
}

impl ServerFlags {
    /// Puts all layers of the configuration together.
    pub(crate) fn load(&self) -> Result<Config> {
        let mut flags = BTreeMap::new();
        for (name, value) in [
            ("data", &self.data),
            ("listen", &self.listen),
            ("workspace_listen", &self.workspace_listen),
            ("tls", &self.tls),
        ] {
            if let Some(value) = value {
                flags.insert(name, value.clone());
            }
        }
        let environment = std::env::vars().filter(|(name, _)| name != "LOOPWRIGHT_CONFIG");
        Ok(config::load(self.config.as_deref(), environment, &flags)?)
    }
}

/// Flags of the verbs that are clients.
#[derive(Args, Clone)]
pub(crate) struct ClientFlags {
    /// Address of the server.
    #[arg(long, env = "LOOPWRIGHT_URL", default_value = "http://127.0.0.1:8080", global = true)]
    url: String,
}

impl ClientFlags {
    /// Makes the client; the key comes from the environment only, because
    /// arguments can be seen by everyone on the machine.
    pub(crate) fn client(&self) -> Client {
        let key = secret_variable("LOOPWRIGHT_APP_KEY");
        Client::new(&self.url, key.as_ref())
    }
}

#[expect(clippy::disallowed_methods, reason = "a client's credential comes from its environment")]
fn secret_variable(name: &str) -> Option<Secret> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).map(Secret::new)
}

impl Arguments {
    /// Does what was asked for.
    pub(crate) async fn run(self) -> Result<()> {
        match self.verb {
            Verb::Serve(flags) => {
                let config = flags.load()?;
                telemetry::start(&config.log, config.log_format).map_err(anyhow::Error::msg)?;
                serve::serve(config).await
            }
            Verb::Demo(flags) => demo::run(flags).await,
            Verb::Apply { paths, env, dry_run, workspace_url, client } => {
                let client = client.client();
                let workspace = secret_variable("LOOPWRIGHT_WORKSPACE_TOKEN");
                let workspace = workspace.map(|token| Client::bearer(&workspace_url, &token));
                let is_yaml = |file: &&PathBuf| file.extension().is_some_and(|end| end == "yaml" || end == "yml");
                let environment =
                    env.as_ref().filter(is_yaml).map(|file| apply::Environment::read(file)).transpose()?;
                let mut values = values(env.as_deref().filter(|_| environment.is_none()))?;
                let environment = environment.unwrap_or_default();
                values.extend(environment.values());
                for path in paths {
                    let target = apply::Target {
                        main: &client,
                        workspace: workspace.as_ref(),
                        values: values.clone(),
                        environment: environment.clone(),
                        dry_run,
                    };
                    apply::apply(&path, target, &mut |line| say(line)).await?;
                }
                Ok(())
            }
            Verb::Push(flags) => push::run(flags).await,
            Verb::Sql(flags) => sql::run_sql(flags).await,
            Verb::Query(flags) => sql::run_query(flags).await,
            Verb::Models(flags) => models::run_models(flags).await,
            Verb::Triggers(flags) => models::run_triggers(flags).await,
            Verb::Held(flags) => models::run_held(flags).await,
            Verb::Outcomes(flags) => outcomes::run_outcomes(flags).await,
            Verb::Map(flags) => explore::run_map(flags).await,
            Verb::Cases(flags) => measure::run_cases(flags).await,
            Verb::Throughput(flags) => measure::run_throughput(flags).await,
            Verb::Activities(flags) => measure::run_activities(flags).await,
            Verb::Conformance(flags) => measure::run_conformance(flags).await,
            Verb::RunEvents(flags) => run_events::run(flags).await,
            Verb::Variants(flags) => explore::run_variants(flags).await,
            Verb::Case(flags) => explore::run_case(flags).await,
            Verb::Backtest(flags) => explain::run_backtest(flags).await,
            Verb::Why(flags) => explain::run_why(flags).await,
            Verb::Memory(flags) => memory::run(flags).await,
            Verb::Flow(flags) => flow::run(flags).await,
            Verb::Packages(flags) => packages::run(flags).await,
            Verb::Export(flags) => packages::export(flags).await,
            Verb::Runs(flags) => runs::run_runs(flags).await,
            Verb::Run(flags) => runs::run_run(flags).await,
            Verb::DataStores(flags) => data_stores::run(flags).await,
            Verb::Structures(flags) => structures::run(flags).await,
            Verb::Connections(flags) => connections::run(flags).await,
            Verb::Tasks(flags) => tasks::run(flags).await,
            Verb::Hooks(flags) => hooks::run(flags).await,
            Verb::Listen(flags) => listen::run(flags).await,
            Verb::Deliveries(flags) => deliveries::run(flags).await,
            Verb::Check(flags) => check::run(&flags.load()?).await,
            Verb::Config { defaults: true, .. } => {
                write(config::DEFAULTS);
                Ok(())
            }
            Verb::Config { server, .. } => {
                write(&server.load()?.describe());
                Ok(())
            }
            Verb::AppKey { verb, client } => app_key::run(verb, &client.client()).await,
            Verb::Bench { name } => bench::run(&name).await,
            Verb::Verify(_) | Verb::SuperviseTask { .. } => unreachable!("main handles it before the runtime starts"),
        }
    }

    /// Returns the signature to check, if that was asked for. It needs neither
    /// a runtime nor a server, and answers by its own exit codes.
    pub(crate) fn call_to_verify(&self) -> Option<&verify::VerifyFlags> {
        match &self.verb {
            Verb::Verify(flags) => Some(flags),
            _ => None,
        }
    }

    /// Returns the task to supervise, if that was asked for. It must not share
    /// a process with a runtime.
    pub(crate) fn supervised_task(&self) -> Option<&std::path::Path> {
        match &self.verb {
            Verb::SuperviseTask { folder } => Some(folder),
            _ => None,
        }
    }
}

/// Reads NAME=VALUE lines over the environment.
fn values(file: Option<&std::path::Path>) -> Result<BTreeMap<String, Secret>> {
    let mut values: BTreeMap<String, Secret> =
        std::env::vars().map(|(name, value)| (name, Secret::new(value))).collect();
    let Some(file) = file else { return Ok(values) };
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) =
            line.split_once('=').with_context(|| format!("{}, line {}: not NAME=VALUE", file.display(), number + 1))?;
        values.insert(name.trim().to_owned(), Secret::new(value.trim()));
    }
    Ok(values)
}

/// Prints a line for the person, or for the script behind a pipe. A reader that
/// has seen enough, such as `head`, ends the program in peace.
pub(crate) fn say(line: &str) {
    write(&format!("{line}\n"));
}

/// Prints a remark for the person, beside the answer.
#[expect(clippy::print_stderr, reason = "what is beside the answer must not get into a script's pipe")]
pub(crate) fn remark(line: &str) {
    eprintln!("{line}");
}

/// Shows a point in time as the clock on the wall does.
fn local_time(at: base::Timestamp) -> String {
    match jiff::Timestamp::from_microsecond(at.as_micros()) {
        Ok(time) => time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        Err(_) => at.to_string(),
    }
}

/// Shows a point in time of an answer, in UTC where that was asked for; nothing
/// if there is none.
fn time_of(at: &serde_json::Value, utc: bool) -> String {
    let Some(text) = at.as_str() else { return String::new() };
    match text.parse() {
        Ok(at) if !utc => local_time(at),
        _ => text.to_owned(),
    }
}

/// Returns what the program ends with after an error.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    error.downcast_ref::<runs::Ended>().map_or(1, |ended| ended.exit_code)
}

/// Cuts a text to so many characters, on one line.
fn short(text: &str, chars_max: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(chars_max) {
        None => line,
        Some(_) => line.chars().take(chars_max - 1).chain(['…']).collect(),
    }
}

fn write(text: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()) {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        panic!("standard output cannot be written: {error}");
    }
}
