//! What can be wrong with a request to the workspace.

use base::{Coded, Kind};

use crate::{JobId, RunId};

/// Why the workspace did not do as told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings document has not the form of one.
    #[error("the job settings are not valid: {detail}")]
    Settings {
        /// What is wrong with it.
        detail: String,
    },
    /// The document names something that this workspace does not do. It is
    /// refused rather than stored and ignored.
    #[error("\"{setting}\" is not supported by this workspace{hint}")]
    Unsupported {
        /// The setting's name, with the path to it.
        setting: String,
        /// What to do instead, beginning with `: `; or nothing.
        hint: String,
    },
    /// A task is of a type that this workspace cannot run.
    #[error("task \"{task}\" is a \"{body}\", which this workspace does not run: it runs {}", known_bodies())]
    TaskType {
        /// Key of the task.
        task: String,
        /// Name of its body.
        body: String,
    },
    /// A family of parameters that no task of the job takes.
    #[error(
        "\"{family}\" only reach a \"{sort}\", and the job has none: it has {}. Send what its tasks take, or \
         \"job_parameters\", to which their own parameters refer as {{{{job.parameters.NAME}}}}",
        listed(has)
    )]
    Family {
        /// The family.
        family: &'static str,
        /// The sort of task that takes it.
        sort: &'static str,
        /// The sorts of tasks that there are.
        has: std::collections::BTreeSet<&'static str>,
    },
    /// What a task asks for could not be installed.
    #[error("{what} could not be installed: {why}")]
    Install {
        /// The packages.
        what: String,
        /// The last word of the installer.
        why: String,
    },
    /// Whoever a job is of may not read a secret that it names.
    #[error("secret \"{place}\" cannot be used: {why}")]
    SecretDenied {
        /// Scope and key.
        place: String,
        /// What stands against it.
        why: String,
    },
    /// A run stands in nobody's name, so its tasks cannot act.
    #[error("run {0} has nobody on whose behalf its tasks could act: make its job anew")]
    NobodyToActFor(RunId),
    /// Jobs would run each other without an end.
    #[error("jobs cannot run inside of themselves, nor deeper than ten: {}", path(.0))]
    Circle(Vec<JobId>),
    /// A parameter of a request is out of its range.
    #[error("{detail}")]
    Parameter {
        /// What is wrong with it.
        detail: String,
    },
    /// There is no such job.
    #[error("Job {0} does not exist.")]
    NoJob(JobId),
    /// There is no such run.
    #[error("Run {0} does not exist.")]
    NoRun(RunId),
    /// The idempotency token belongs to a run that was deleted; tokens stay reserved.
    #[error("the idempotency token belongs to run {0}, which was deleted")]
    TokenOfDeletedRun(RunId),
    /// The output of a run with several tasks is the output of each of them.
    #[error("run {run} has {tasks} tasks: ask for the output of one of its task runs")]
    ManyTasks {
        /// The run.
        run: RunId,
        /// How many tasks it has.
        tasks: usize,
    },
    /// A run can be deleted when it has ended.
    #[error("run {0} is active: cancel it before you delete it")]
    StillActive(RunId),
    /// No credentials were presented, or they are not, or no longer, valid.
    #[error("the access token is missing, invalid or expired")]
    Unauthenticated,
    /// Somebody may not do that with a job or a run, whether or not it is there.
    #[error(
        "User {user} does not have {level} permission on {object} {number}; its owner or an administrator can give it"
    )]
    Denied {
        /// Who asked.
        user: String,
        /// What it takes.
        level: &'static str,
        /// `job` or `run`.
        object: &'static str,
        /// Its number.
        number: i64,
    },
    /// Only administrators may do that.
    #[error("User {user} is not an administrator of this workspace, which this takes")]
    AdministratorsOnly {
        /// Who asked.
        user: String,
    },
    /// Somebody may not act on another one's behalf.
    #[error(
        "User {user} cannot act for {other}: set \"run_as\" to {user} with the change, or let {other} or an \
         administrator make it"
    )]
    CannotActFor {
        /// Who asked.
        user: String,
        /// For whom.
        other: String,
    },
    /// There is no such notification destination.
    #[error("there is no notification destination \"{0}\"")]
    NoDestination(String),
    /// The caller's address is shut out by the lists.
    #[error("Source IP address: {address} is blocked by Databricks IP ACL for workspace")]
    AddressBlocked {
        /// From where the call came.
        address: std::net::IpAddr,
    },
    /// There is no such list of addresses.
    #[error("there is no IP access list \"{0}\"")]
    NoAddressList(String),
    /// There is no such service principal, or secret of one.
    #[error("there is no service principal {0}")]
    NoPrincipal(String),
    /// The application id is taken.
    #[error("there is already a service principal with application id \"{0}\"")]
    PrincipalExists(String),
    /// A run cannot be repaired that way.
    #[error("{detail}")]
    Repair {
        /// Why not.
        detail: String,
    },
    /// There is no such token.
    #[error("there is no token \"{0}\"")]
    NoToken(String),
    /// There is no such scope of secrets.
    #[error("there is no secret scope \"{0}\"")]
    NoScope(String),
    /// A scope of that name is there already.
    #[error("there is already a secret scope \"{0}\"")]
    ScopeExists(String),
    /// There is no such secret.
    #[error("there is no secret \"{key}\" in scope \"{scope}\"")]
    NoSecret {
        /// Its scope.
        scope: String,
        /// Its key.
        key: String,
    },
    /// A path does not name a file of the workspace.
    #[error("\"{path}\" is not a path of this workspace: {problem}")]
    Path {
        /// What was given.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// There is no such file.
    #[error("there is no file \"{0}\" in the workspace")]
    NoFile(String),
    /// A file is there already and must not be overwritten.
    #[error("there is already a file \"{0}\" in the workspace")]
    FileExists(String),
    /// A file is larger than a workspace file may be.
    #[error("the file has {bytes} bytes, and {bytes_max} are allowed")]
    FileTooLarge {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        bytes_max: usize,
    },
    /// The disk under the workspace's folder failed.
    #[error("cannot {deed} \"{path}\"")]
    Disk {
        /// What was attempted: `read`, `write` …
        deed: &'static str,
        /// Where.
        path: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A sealed secret does not open.
    #[error("a secret of the workspace cannot be opened")]
    Secret(#[from] base::secret::SecretError),
    /// The control database failed.
    #[error(transparent)]
    Database(#[from] base::db::Error),
}

fn path(jobs: &[JobId]) -> String {
    jobs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" runs ")
}

fn known_bodies() -> String {
    listed(&crate::settings::BODIES)
}

fn listed<'a>(names: impl IntoIterator<Item = &'a &'static str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("\"{name}\"")).collect();
    names.join(", ")
}

impl Coded for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Settings { .. }
            | Error::Unsupported { .. }
            | Error::TaskType { .. }
            | Error::Parameter { .. }
            | Error::Family { .. }
            | Error::NobodyToActFor(_)
            | Error::Circle(_)
            | Error::TokenOfDeletedRun(_)
            | Error::ManyTasks { .. }
            | Error::Repair { .. }
            | Error::Path { .. } => Kind::Invalid,
            Error::NoJob(_)
            | Error::NoRun(_)
            | Error::NoToken(_)
            | Error::NoScope(_)
            | Error::NoSecret { .. }
            | Error::NoAddressList(_)
            | Error::NoPrincipal(_)
            | Error::NoDestination(_)
            | Error::NoFile(_) => Kind::NotFound,
            Error::StillActive(_) | Error::ScopeExists(_) | Error::FileExists(_) | Error::PrincipalExists(_) => {
                Kind::Conflict
            }
            Error::FileTooLarge { .. } => Kind::TooLarge,
            Error::Denied { .. }
            | Error::AdministratorsOnly { .. }
            | Error::CannotActFor { .. }
            | Error::AddressBlocked { .. }
            | Error::SecretDenied { .. } => Kind::Denied,
            Error::Unauthenticated => Kind::Unauthenticated,
            Error::Disk { .. } | Error::Install { .. } => Kind::Internal,
            Error::Secret(error) => error.kind(),
            Error::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Error::Settings { .. } => "job-settings-invalid",
            Error::Unsupported { .. } => "setting-not-supported",
            Error::TaskType { .. } => "task-type-not-supported",
            Error::SecretDenied { .. } => "secret-denied",
            Error::Install { .. } => "packages-not-installed",
            Error::NobodyToActFor(_) => "run-without-owner",
            Error::Circle(_) => "jobs-in-a-circle",
            Error::Family { .. } => "parameter-family-mismatch",
            Error::Parameter { .. } => "parameter-invalid",
            Error::NoJob(_) => "job-not-found",
            Error::NoRun(_) => "run-not-found",
            Error::TokenOfDeletedRun(_) => "idempotency-token-of-deleted-run",
            Error::ManyTasks { .. } => "run-has-many-tasks",
            Error::StillActive(_) => "run-active",
            Error::Unauthenticated => "token-invalid",
            Error::NoToken(_) => "token-not-found",
            Error::Denied { .. } => "permission-denied",
            Error::AdministratorsOnly { .. } => "administrators-only",
            Error::CannotActFor { .. } => "run-as-denied",
            Error::NoDestination(_) => "notification-destination-not-found",
            Error::AddressBlocked { .. } => "address-blocked",
            Error::NoAddressList(_) => "ip-list-not-found",
            Error::NoPrincipal(_) => "service-principal-not-found",
            Error::PrincipalExists(_) => "service-principal-exists",
            Error::Repair { .. } => "repair-invalid",
            Error::NoScope(_) => "secret-scope-not-found",
            Error::ScopeExists(_) => "secret-scope-exists",
            Error::NoSecret { .. } => "secret-not-found",
            Error::Path { .. } => "workspace-path-invalid",
            Error::NoFile(_) => "file-not-found",
            Error::FileExists(_) => "file-exists",
            Error::FileTooLarge { .. } => "file-too-large",
            Error::Disk { .. } => "workspace-disk",
            Error::Secret(error) => error.code(),
            Error::Database(error) => error.code(),
        }
    }
}
