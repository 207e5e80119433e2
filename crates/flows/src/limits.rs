//! How much a flow may take, and how patient the engine is with failures.

use std::time::Duration;

use crate::store::StoreLimits;

/// Limits of flows and their runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a flow's text.
    pub text_bytes_max: usize,
    /// Operations of one run; beyond it ends with `OperationsLimitExceededError`.
    pub operations_max: u64,
    /// Working time of one run, in which sleeping does not count; beyond it
    /// ends with `ScenarioTimeoutError`.
    pub working_time_max: Duration,
    /// Time of one operation; beyond it fails with `ModuleTimeoutError`.
    pub operation_time_max: Duration,
    /// Bytes of what one operation gives; beyond it fails with
    /// `DataSizeLimitExceededError`.
    pub bundle_bytes_max: usize,
    /// How deep flows may call one another.
    pub call_depth_max: u32,
    /// Incomplete executions of one flow that can be open.
    pub incomplete_max: u64,
    /// Bytes of one incomplete execution.
    pub incomplete_bytes_max: usize,
    /// Failed runs in a row after which an imported flow is switched off whose
    /// runs are started by data at once.
    pub instant_errors_max: u32,
    /// Waits before an incomplete execution is tried again by itself, where
    /// the flow names none.
    pub retry_delays: Vec<Duration>,
    /// Waits before a flow that could not reach somebody runs again, where
    /// incomplete executions are not stored; after the last it is switched off.
    pub rerun_delays: Vec<Duration>,
    /// So many attempts by themselves at incomplete executions of a flow that
    /// fail within `failed_attempts_within` switch it off; 0 for never.
    pub failed_attempts_max: u64,
    /// See there.
    pub failed_attempts_within: Duration,
    /// How large data stores may become.
    pub stores: StoreLimits,
}

fn minutes(minutes: &[u64]) -> Vec<Duration> {
    minutes.iter().map(|minutes| Duration::from_mins(*minutes)).collect()
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            text_bytes_max: 5 << 20,
            operations_max: 1_000_000,
            working_time_max: Duration::from_hours(1),
            operation_time_max: Duration::from_mins(5),
            bundle_bytes_max: 64 << 20,
            call_depth_max: 10,
            incomplete_max: 1_000,
            incomplete_bytes_max: 5 << 20,
            instant_errors_max: 1,
            retry_delays: minutes(&[1, 10, 10, 30, 30, 30, 180, 180]),
            rerun_delays: minutes(&[1, 2, 5, 10, 60, 180, 720, 1_440]),
            failed_attempts_max: 10,
            failed_attempts_within: Duration::from_mins(2),
            stores: StoreLimits::default(),
        }
    }
}
