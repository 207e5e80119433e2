//! What the modules of a flow last gave: for an editor, which shows people the
//! real values that they map.

use std::collections::BTreeMap;

use base::Timestamp;
use serde::Serialize;
use serde_json::Value as Json;

use super::Flows;
use crate::error::Error;
use crate::history::RunFilter;
use crate::run::{OperationStatus, RunId};

/// Runs that are looked at.
const RUNS_MAX: u32 = 20;
/// Bundles of a module that are shown.
const BUNDLES_MAX: usize = 3;
/// Bytes of JSON of a bundle; longer ones are left out.
const BUNDLE_BYTES_MAX: usize = 64 * 1024;

/// What a module last gave.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// Its last bundles, the latest last; at most three.
    pub bundles: Vec<Json>,
    /// What it was given for the last of them.
    pub input: Json,
    /// In which run.
    pub run: RunId,
    /// When.
    pub at: Timestamp,
}

impl Flows {
    /// Returns what each module of a flow gave in the last runs in which it
    /// gave anything, by its id. Confidential flows have no history to show.
    pub async fn samples(&self, key: &str) -> Result<BTreeMap<u32, Sample>, Error> {
        let filter = RunFilter { flow: Some(key.to_owned()), ..RunFilter::default() };
        let runs = self.find_runs(filter, None, RUNS_MAX).await?.runs;
        let mut samples = BTreeMap::new();
        for run in runs {
            // A run of an older program that cannot be told is no reason to show nothing.
            let Ok(details) = self.run_details(run.id).await else { continue };
            let mut of_run: BTreeMap<u32, Sample> = BTreeMap::new();
            for operation in details.operations.iter().rev() {
                let is_of_use = matches!(operation.status, OperationStatus::Success | OperationStatus::Warning);
                if !is_of_use || samples.contains_key(&operation.module) {
                    continue;
                }
                let sample = of_run.entry(operation.module).or_insert_with(|| Sample {
                    bundles: Vec::new(),
                    input: operation.input.clone(),
                    run: run.id,
                    at: operation.ended_at,
                });
                let fits = |bundle: &&Json| bundle.to_string().len() <= BUNDLE_BYTES_MAX;
                let room = BUNDLES_MAX - sample.bundles.len();
                let fitting = operation.output.iter().rev().filter(fits);
                sample.bundles.extend(fitting.take(room).cloned());
            }
            of_run.retain(|_, sample| !sample.bundles.is_empty());
            for sample in of_run.values_mut() {
                sample.bundles.reverse();
            }
            samples.extend(of_run);
        }
        Ok(samples)
    }
}
