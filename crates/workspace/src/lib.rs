//! The local workspace: jobs that really run, behind the API of Databricks.
//!
//! A *job* is a settings document with *tasks* that depend on each other. A
//! *run* is one execution of it; each try of a task within a run is a *task
//! run* with an id of its own. Most tasks run as child processes: a Python
//! file, a notebook or a function of a package, started with parameters,
//! environment and secrets (`launch`). The server itself does the rest
//! (`conduct`): conditions, loops, other jobs, SQL.
//!
//! Three things are promised, and each has a test that kills something:
//!
//! * **A run survives its server.** A task is not a child of the server but of
//!   a small *supervisor* (the program's own hidden verb, see [`supervise`]),
//!   which leads a session of its own, keeps the output in files, and leaves
//!   the exit status in a file. A server that starts again adopts the
//!   supervisor by its pid and start time; see `folder`.
//! * **A task run starts at most once.** The row that intends it is durable
//!   before the process exists, and the process is claimed by a marker that
//!   only one can make. What went down with the machine is a failed attempt of
//!   the same run, and the task's retry policy decides what follows.
//! * **The same idempotency token gives the same run**, for ever.
//!
//! ```text
//!              Look: upstream is done   Placed              ended 0
//!   blocked ─────────────────────────▶ pending ─▶ running ─────────▶ ended (success)
//!      │                                            │  │  ended ≠ 0
//!      └─▶ ended (upstream failed, excluded …)      │  └──────────▶ ended (failed) ─▶ a new attempt,
//!                                                   │                                  waiting for retry
//!                                timeout or cancel  └─▶ stopping ─▶ ended (timed out, canceled)
//! ```
//!
//! Everything that lives here is *decide, record, act*: `decide`
//! is a pure function over a run and its task runs, `work` records
//! what it decided and acts. The words of the API (life cycle, result,
//! termination code) are derived from the few states above by
//! [`view`](mod@view), and only there.
//!
//! The crate knows nothing of the rest of the house: not who its callers are
//! elsewhere (it has its own tokens), and not what its jobs are for.

mod id;
mod error;
mod data_error;
pub mod settings;
mod parameters;
mod inputs;
mod condition;
mod paging;
mod job;
pub mod run;
mod decide;
mod references;
pub mod view;
mod token;
mod permission;
mod principal;
mod addresses;
mod acting;
mod repair;
mod secrets;
mod secret_acls;
mod files;
mod folder;
mod output;
mod redact;
mod supervisor;
mod exported;
mod process;
mod environment;
mod launch;
mod run_job;
mod sql_task;
mod conduct;
mod destinations;
mod notices;
mod clockwork;
mod tables;
mod record;
mod runs;
mod workspace;
mod retention;
mod work;
pub mod sql;
mod statements;
mod warehouses;
mod copied;
mod serving;
mod serving_acls;
mod queries;
mod volumes;
mod storage;
mod objects;

#[cfg(test)]
mod tests;

pub use addresses::{ADDRESS_LISTS_SWITCH, AddressList, AddressListChange, AddressListSort};
pub use data_error::DataError;
pub use destinations::{Destination, DestinationSort, ShownDestination};
pub use error::Error;
pub use exported::ExportedNotebook;
pub use folder::Limits;
pub use id::{JobId, RunId};
pub use job::{Job, JobsQuery};
pub use objects::{ImportFormat, ObjectKind, WorkspaceObject};
pub use output::{LogPiece, LogPlace};
pub use paging::Page;
pub use permission::{Level, Principal, Rule};
pub use principal::{
    AccessToken, PRINCIPAL_SECRET_LIFE_MAX, PRINCIPAL_SECRETS_MAX, PrincipalChange, PrincipalSecret, ServicePrincipal,
};
pub use queries::SavedQuery;
pub use repair::{Repair, RepairRequest, Stretch};
pub use run::{Overriding, ResultState, RunCause, RunRequest, RunType};
pub use secret_acls::SecretPermission;
pub use secrets::{SecretInfo, SecretScope};
pub use serving::{Endpoint, EndpointConfig, Entity, EntityKind, Served, UpdateState};
pub use serving_acls::{EndpointLevel, EndpointRule};
pub use settings::{ApiVersion, JobSettings};
pub use statements::{ChunkInfo, Disposition, Manifest, StatementSpec, StatementState, StatementView};
pub use storage::{StoredEntry, StoredUpload};
pub use supervisor::supervise;
pub use token::TokenInfo;
pub use view::{FailedRuns, OutputView, RunCounts, RunView, RunsQuery, TaskRunView};
pub use volumes::VOLUMES_VARIABLE;
pub use warehouses::Warehouse;
pub use workspace::{Options, Workspace};

/// The tables that this crate owns in the control database.
pub const MIGRATIONS: &[base::db::Migration] = &[
    base::db::Migration { name: "workspace/0001_workspace", sql: include_str!("../migrations/0001_workspace.sql") },
    base::db::Migration { name: "workspace/0002_tasks", sql: include_str!("../migrations/0002_tasks.sql") },
    base::db::Migration { name: "workspace/0003_house", sql: include_str!("../migrations/0003_house.sql") },
    base::db::Migration { name: "workspace/0004_data", sql: include_str!("../migrations/0004_data.sql") },
    base::db::Migration { name: "workspace/0005_retention", sql: include_str!("../migrations/0005_retention.sql") },
    base::db::Migration { name: "workspace/0006_clockwork", sql: include_str!("../migrations/0006_clockwork.sql") },
];
