//! Wiring: the one place where the crates meet.
//!
//! Here the real clock, the real source of chance, the databases and the way
//! out are made, once, and handed to the facades. The crossings between crates
//! that do not know each other are small adapters below: `events` brings a
//! signal to a hook of `flows`, and `flows` asks `events` to be told of one.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use base::db::{self, Control, Db, Migration};
use base::error::{Coded, Kind};
use base::secret::KeyRing;
use base::time::{ShiftedClock, SystemClock};
use base::{Actor, BoxFuture, Chance, Clock};
use egress::{Egress, Origins};
use rustls::pki_types::CertificateDer;
use serde_json::{Value as Json, json};

use crate::config::{Config, FailedRuns, RateLimits};
use crate::statements::StatementsOfLake;
use crate::{memory, tls};

/// The addresses that the listeners have taken.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    pub(crate) main: SocketAddr,
    pub(crate) workspace: Option<SocketAddr>,
    /// The certificate that both present, where TLS is on.
    pub(crate) certificate: Option<CertificateDer<'static>>,
}

impl Addresses {
    /// `http` or `https`.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.certificate.is_some() { "https" } else { "http" }
    }
}

/// All facades, wired.
pub(crate) struct House {
    pub(crate) lake: Arc<lake::Lake>,
    pub(crate) access: Arc<access::Access>,
    pub(crate) pools: Arc<pools::Pools>,
    pub(crate) events: Arc<events::Events>,
    pub(crate) flows: Arc<flows::Flows>,
    pub(crate) workspace: Arc<workspace::Workspace>,
    pub(crate) workspace_ways: api::WorkspaceWays,
    pub(crate) mining: Arc<mining::Mining>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<dyn Chance>,
}

/// Opens the data folder and builds the house in it.
pub(crate) async fn build(config: &Config, addresses: &Addresses) -> Result<House> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let chance: Arc<dyn Chance> = Arc::new(base::chance::SystemChance);
    let keys = Arc::new(key_ring(config, &*chance)?);
    let (control, flows_db) = databases(config)?;
    let origins = Origins {
        this: Some(addresses.main),
        workspace: addresses.workspace,
        certificate: addresses.certificate.clone(),
    };
    let authorities =
        config.ca_file.as_deref().map(tls::certificates).transpose().context("the setting \"ca_file\"")?;
    let authorities = authorities.unwrap_or_default();
    let egress = Egress::trusting(config.egress_allow.clone(), origins, &authorities);
    let egress = Arc::new(egress.with_aliases(config.host_aliases.clone()));
    let way_out = egress.clone();

    let lake = lake::Lake::open(&config.data.join("lake"), clock.clone(), lake_options(config))
        .context("the tables cannot be opened")?;
    let lake = Arc::new(lake);
    let tables: Arc<dyn pools::Tables> = lake.clone();

    let access = Arc::new(access::Access::new(control.clone(), clock.clone(), chance.clone()));
    if let Some(key) = &config.bootstrap_app_key {
        access.bootstrap_app_key(key.expose()).await.context("the setting \"bootstrap_app_key\" cannot be used")?;
    }

    let pools = Arc::new(pools::Pools::with_options(
        control.clone(),
        tables.clone(),
        config.data.join("spool"),
        clock.clone(),
        chance.clone(),
        pools_options(config),
    ));

    pools.open_to_sources(pools::Outside {
        http: egress.clone(),
        foreign: Arc::new(base::foreign::PostgresReader::new(egress.clone())),
        keys: keys.clone(),
        folders: config.source_folders.iter().map(std::path::PathBuf::from).collect(),
    });

    let flows = Arc::new(flows::Flows::new(
        flows_db,
        egress.clone(),
        keys.clone(),
        clock.clone(),
        chance.clone(),
        flows_options(config),
    ));
    flows.set_post(egress.clone());
    flows.set_address(&match config.public_url.as_str() {
        "" => format!("{}://{}", addresses.scheme(), addresses.main),
        url => url.to_owned(),
    });

    let ports = events::Ports {
        db: control.clone(),
        http: egress,
        local: Arc::new(HooksOfFlows(flows.clone())),
        notifier: crate::mail::notifier(config, format!("{}://{}", addresses.scheme(), addresses.main))?,
        keys: keys.clone(),
        clock: clock.clone(),
        chance: chance.clone(),
    };
    let events =
        events::Events::open(ports, events_options(config)?).await.context("the subscriptions cannot be read")?;

    let mining =
        mining::Mining::new(control.clone(), tables, pools.clone(), events.clone(), clock.clone(), chance.clone());
    let mining = Arc::new(mining.with_memory(memory::for_data_models(config.data_models_bytes_max)));
    flows.set_signals(Arc::new(SignalsOfEvents { events: events.clone(), mining: mining.clone() }));
    flows.set_notices(Arc::new(NoticesOfEvents(events.clone())));

    // Only the workspace's clock can be made to jump: everything else goes on.
    let shifted = config.workspace_faults.then(|| Arc::new(ShiftedClock::over(clock.clone())));
    let workspace_ways = api::WorkspaceWays {
        missing_is_400: config.workspace_missing_is_400,
        limits: match config.workspace_rate_limits {
            RateLimits::Off => api::WorkspaceLimits::Off,
            RateLimits::Databricks => api::WorkspaceLimits::Databricks,
        },
        faults: shifted.clone().map(|clock| Arc::new(api::Faults::over(clock))),
    };
    let clock_of_workspace = shifted.map_or_else(|| clock.clone(), |shifted| shifted as Arc<dyn Clock>);
    let workspace = Arc::new(workspace::Workspace::new(
        control,
        config.data.join("workspace"),
        keys,
        clock_of_workspace,
        chance.clone(),
        workspace_options(config, addresses)?,
    ));
    if let Some(token) = &config.workspace_bootstrap_token {
        workspace.bootstrap_token(token).await.context("the setting \"workspace_bootstrap_token\" cannot be used")?;
    }
    workspace.set_http(way_out);
    workspace.set_statements(Arc::new(StatementsOfLake {
        access: access.clone(),
        pools: pools.clone(),
        lake: lake.clone(),
        clock: clock.clone(),
        workspace: Arc::downgrade(&workspace),
    }));
    Ok(House { lake, access, pools, events, flows, workspace, workspace_ways, mining, clock, chance })
}

fn lake_options(config: &Config) -> lake::Options {
    lake::Options {
        sql_time_max: Duration::from_secs(config.sql_seconds_max),
        sql_bytes_max: usize::try_from(config.sql_bytes_max).unwrap_or(usize::MAX),
        sql_scratch_bytes_max: config.sql_scratch_bytes_max,
        transform_time_max: Duration::from_secs(config.transform_seconds_max),
        ..lake::Options::default()
    }
}

/// What the settings say about flows.
fn flows_options(config: &Config) -> flows::Options {
    flows::Options {
        returns_per_hour_max: config.flow_returns_per_hour_max,
        hook_queue_max: config.hook_queue_max,
        hook_queue_bytes_max: config.hook_queue_bytes_max,
        hook_requests_per_10s_max: config.hook_requests_per_ten_seconds,
        hook_answer_max: Duration::from_secs(config.hook_answer_seconds),
        limits: limits_of_flows(config),
        semantics: config.flow_semantics.clone(),
        connection_warning: Duration::from_secs(config.connection_warning_days.saturating_mul(24 * 3_600)),
        databricks: flows::Pacing {
            calls_per_second: u32::try_from(config.databricks_calls_per_second).unwrap_or(u32::MAX),
            calls_kept: Duration::from_secs(config.keep_databricks_calls_days.saturating_mul(24 * 3_600)),
            ..flows::Pacing::default()
        },
        history: Duration::from_secs(config.keep_flow_runs_days.saturating_mul(24 * 3_600)),
        ..flows::Options::default()
    }
}

fn key_ring(config: &Config, chance: &dyn Chance) -> Result<KeyRing> {
    match &config.sealing_keys {
        Some(text) => KeyRing::parse(text).context("the setting \"sealing_keys\" cannot be used"),
        None => {
            let file = config.data.join("keys");
            KeyRing::open_or_create(&file, chance).with_context(|| format!("{} cannot be used", file.display()))
        }
    }
}

fn databases(config: &Config) -> Result<(Db<Control>, Db<db::Flows>)> {
    let control: &[&[Migration]] = &[
        base::MIGRATIONS,
        access::MIGRATIONS,
        pools::MIGRATIONS,
        events::MIGRATIONS,
        workspace::MIGRATIONS,
        mining::MIGRATIONS,
    ];
    let flows: &[&[Migration]] = &[base::MIGRATIONS, flows::MIGRATIONS];
    let options = || db::Options { on_broken_disk: Arc::new(stop_at_once), ..db::Options::default() };
    match &config.database_url {
        Some(url) => Ok((
            Db::open_postgres(url.expose(), control, options()).context("PostgreSQL cannot be used")?,
            Db::open_postgres(url.expose(), flows, options()).context("PostgreSQL cannot be used")?,
        )),
        None => {
            let folder: &Path = &config.data;
            let open = || format!("the control database in {} cannot be opened", folder.display());
            Ok((
                Db::open_sqlite(folder, control, options()).with_context(open)?,
                Db::open_sqlite(folder, flows, options()).with_context(open)?,
            ))
        }
    }
}

/// A failed sync must never be retried: the kernel may have dropped the pages.
/// What was acknowledged is on the disk; the next start recovers from there.
fn stop_at_once(error: &db::Error) {
    tracing::error!(%error, "the disk failed; the process stops and recovers at its next start");
    std::process::abort();
}

/// What the settings say about data integration.
fn pools_options(config: &Config) -> pools::Options {
    pools::Options {
        chunk_bytes_max: config.chunk_bytes_max,
        keep_chunks: Duration::from_secs(config.keep_chunks_hours.saturating_mul(3_600)),
        keep_chunks_bytes_max: config.keep_chunks_bytes,
        executions_per_second_max: config.push_executions_per_second,
        executions_per_hour_max: config.push_executions_per_hour,
        ..pools::Options::default()
    }
}

fn events_options(config: &Config) -> Result<events::Options> {
    const DAY_SECONDS: u64 = 24 * 3_600;
    let days = |days: u64| Duration::from_secs(days.saturating_mul(DAY_SECONDS));
    let suspend_after_ms = config.suspend_after_hours.saturating_mul(3_600_000);
    let policy = events::Policy { suspend_after_ms, ..events::Policy::default() };
    policy.check().context("the setting \"suspend_after_hours\" cannot be used")?;
    Ok(events::Options {
        allow_http_callbacks: config.callback_http,
        policy,
        keep_events: days(config.keep_events_days),
        keep_bytes: config.keep_events_bytes,
        queue_age_max: days(config.queue_events_days),
        queue_bytes_max: config.queue_events_bytes,
        limits: events::Limits {
            subscriptions_max: config.subscriptions_max,
            events_per_day_max: config.events_per_day_max,
            enforce: config.limits_enforce,
        },
        notice_every: Duration::from_secs(config.notice_seconds),
        ..events::Options::default()
    })
}

fn workspace_options(config: &Config, addresses: &Addresses) -> Result<workspace::Options> {
    let program = std::env::current_exe().context("the program cannot find itself")?;
    let own = addresses.workspace.unwrap_or(addresses.main);
    let mut options = workspace::Options {
        supervisor: vec![program.into_os_string(), "supervise-task".into()],
        python: config.python.clone(),
        failed_runs: match config.workspace_failed_runs {
            FailedRuns::InternalError => workspace::view::FailedRuns::InternalError,
            FailedRuns::Terminated => workspace::view::FailedRuns::Terminated,
        },
        chunk_rows: config.workspace_chunk_rows.max(1),
        access_token_life: Duration::from_secs(config.workspace_access_token_seconds.max(1)),
        token_life_max: (config.workspace_token_days_max > 0)
            .then(|| Duration::from_secs(config.workspace_token_days_max.saturating_mul(24 * 3_600))),
        pip_arguments: config.pip_arguments.clone(),
        environments_folder: config.task_environments.clone(),
        spark_remote: Some(config.spark_remote.clone()).filter(|remote| !remote.is_empty()),
        limits: workspace::Limits {
            memory_bytes: config.task_memory_bytes_max,
            cpu_seconds: config.task_cpu_seconds_max,
            open_files: config.task_open_files_max,
        },
        task_token_life: Duration::from_hours(config.task_token_hours),
        runs_kept: Duration::from_secs(config.keep_job_runs_days.saturating_mul(24 * 3_600)),
        public_url: format!("{}://{own}", addresses.scheme()),
        ..workspace::Options::default()
    };
    // Tasks find the program whose rows they work on; who they are, a secret
    // of the job tells.
    let url = format!("{}://{}", addresses.scheme(), addresses.main);
    options.environment.push(("LOOPWRIGHT_URL".into(), url.into()));
    if let Some(path) = std::env::var_os("PATH") {
        options.environment.retain(|(name, _)| name != "PATH");
        options.environment.push(("PATH".into(), path));
    }
    Ok(options)
}

/// Brings events to the hooks of flows.
struct HooksOfFlows(Arc<flows::Flows>);

impl events::LocalSink for HooksOfFlows {
    fn deliver(&self, hook: &str, delivery: events::LocalDelivery) -> BoxFuture<'_, Result<(), events::Busy>> {
        let hook = hook.to_owned();
        Box::pin(async move {
            let key = format!("{}/{}/{}", delivery.trigger.knowledge_model, delivery.trigger.trigger, delivery.offset);
            match self.0.accept_caused(&hook, &key, payload_of(&delivery), delivery.causes()).await {
                Ok(_) => Ok(()),
                Err(error) => {
                    if !matches!(error.kind(), Kind::TooMany | Kind::Unavailable) {
                        tracing::warn!(hook, error = %base::error::chain(&error), "a signal waits for its hook");
                    }
                    Err(events::Busy)
                }
            }
        })
    }
}

/// What a flow sees of a signal: the event as a callback would receive it,
/// and its fields by name.
fn payload_of(delivery: &events::LocalDelivery) -> Json {
    let body: Json = serde_json::from_slice(&delivery.body).unwrap_or_default();
    let fields = body["event"]["fields"].as_array().into_iter().flatten();
    let named: serde_json::Map<String, Json> =
        fields.filter_map(|field| Some((field["id"].as_str()?.to_owned(), field["value"].clone()))).collect();
    json!({
        "knowledgeModelId": delivery.trigger.knowledge_model,
        "triggerId": delivery.trigger.trigger,
        "offset": body["offset"],
        "creationDate": body["creationDate"],
        "eventId": body["event"]["id"],
        "identifier": body["event"]["identifier"],
        "fields": named,
    })
}

fn limits_of_flows(config: &Config) -> flows::Limits {
    let bytes = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    flows::Limits {
        text_bytes_max: bytes(config.flow_text_bytes_max),
        operations_max: config.flow_operations_max,
        working_time_max: Duration::from_secs(config.flow_working_seconds_max),
        operation_time_max: Duration::from_secs(config.flow_operation_seconds_max),
        bundle_bytes_max: bytes(config.flow_bundle_bytes_max),
        call_depth_max: small(config.flow_call_depth_max),
        incomplete_max: config.flow_incomplete_max,
        incomplete_bytes_max: bytes(config.flow_incomplete_bytes_max),
        instant_errors_max: small(config.flow_instant_errors_max),
        retry_delays: config.flow_retry_minutes.clone(),
        rerun_delays: config.flow_rerun_minutes.clone(),
        failed_attempts_max: config.flow_failed_retries_max,
        failed_attempts_within: Duration::from_secs(config.flow_failed_retries_seconds),
        stores: flows::StoreLimits {
            records_max: config.data_store_records_max,
            record_bytes_max: config.data_store_record_bytes_max,
            bytes_max: config.data_store_bytes_max,
        },
    }
}

/// Takes what there is to tell of flows to where the other notices go.
struct NoticesOfEvents(Arc<events::Events>);

impl flows::Notices for NoticesOfEvents {
    fn tell(&self, notice: flows::FlowNotice) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let told = match notice.kind {
                flows::NoticeKind::Paused => self.0.flow_paused(&notice.flow, notice.at, &notice.text).await,
                flows::NoticeKind::ConnectionEnds => {
                    self.0.connection_ends(&notice.flow, notice.at, &notice.text).await
                }
                flows::NoticeKind::SwitchedOff => self.0.flow_switched_off(&notice.flow, notice.at, &notice.text).await,
            };
            if let Err(error) = &told {
                tracing::warn!(error = %base::error::chain(error), "a notice of a flow cannot be written; it is tried again");
            }
            told.is_ok()
        })
    }
}

/// Lets flows ask for signals: they exist if the published model has them.
struct SignalsOfEvents {
    events: Arc<events::Events>,
    mining: Arc<mining::Mining>,
}

impl SignalsOfEvents {
    async fn check(&self, knowledge_model: &str, trigger: &str) -> Result<(), flows::SignalsError> {
        let triggers = self.mining.triggers(knowledge_model).await.map_err(told)?;
        if triggers.iter().any(|known| known.id == trigger) {
            return Ok(());
        }
        Err(flows::SignalsError {
            kind: Kind::NotFound,
            detail: format!("knowledge model \"{knowledge_model}\" has no published trigger \"{trigger}\""),
        })
    }
}

impl flows::Signals for SignalsOfEvents {
    fn watch(
        &self,
        hook: &str,
        knowledge_model: &str,
        trigger: &str,
    ) -> BoxFuture<'_, Result<(), flows::SignalsError>> {
        let (hook, knowledge_model, trigger) = (hook.to_owned(), knowledge_model.to_owned(), trigger.to_owned());
        Box::pin(async move {
            self.check(&knowledge_model, &trigger).await?;
            let actor = Actor::system("flows");
            self.events.watch(&actor, &hook, &events::TriggerRef { knowledge_model, trigger }).await.map_err(told)?;
            Ok(())
        })
    }

    fn unwatch(&self, hook: &str) -> BoxFuture<'_, Result<(), flows::SignalsError>> {
        let hook = hook.to_owned();
        Box::pin(async move { self.events.unwatch(&Actor::system("flows"), &hook).await.map_err(told) })
    }
}

fn told(error: impl Coded) -> flows::SignalsError {
    flows::SignalsError { kind: error.kind(), detail: error.to_string() }
}
