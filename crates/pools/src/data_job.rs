//! Data jobs: SQL that makes tables of a pool out of others, again and again.
//!
//! A data job is an ordered list of *transformations*, each a text of SQL
//! statements. It is started by hand, by a schedule, or because a table
//! changed. What it makes are commits like those of pushes, so whoever follows
//! the pool sees them.
//!
//! A job must not set itself going: it may not write a table that it watches,
//! nor one from which other jobs lead back to it. That is checked when the job
//! is put, from the statements alone.

use std::collections::{BTreeMap, BTreeSet};

use base::Timestamp;
use base::schedule::Schedule;
use serde::{Deserialize, Serialize};

use crate::transformation::{self, Statement, Verb};
use crate::{DataJobId, PoolId};

/// Statements that one job has at most.
const STATEMENTS_MAX: usize = 1_000;
/// Bytes of SQL that one job has at most.
const SQL_BYTES_MAX: usize = 1 << 20;
/// What a connection is called that is none.
const GLOBAL: &str = "Global";

/// What a person writes to make a data job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataJobSpec {
    /// What people read; unique in the pool, case aside.
    pub name: String,
    /// The data connection to whose schema it belongs; nothing is *Global*.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// What is done, in order.
    #[serde(default)]
    pub transformations: Vec<TransformationSpec>,
    /// When it starts by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// It starts when one of these tables has changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_change_of: Vec<String>,
    /// Whether schedule and changes start it; by hand it always starts.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// A named piece of a data job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TransformationSpec {
    /// What people read, and what an error names.
    pub name: String,
    /// SQL statements with a semicolon between them.
    #[serde(alias = "sql")]
    pub statements: String,
}

fn yes() -> bool {
    true
}

/// A data job of a pool.
#[derive(Clone, Debug, PartialEq)]
pub struct DataJob {
    /// Its id.
    pub id: DataJobId,
    /// Whose tables.
    pub pool: PoolId,
    /// What it does and when.
    pub spec: DataJobSpec,
    /// When its schedule starts it next.
    pub next_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Name of who made it.
    pub created_by: String,
    /// When it was last put.
    pub changed_at: Timestamp,
}

impl DataJobSpec {
    /// Lets through what can be kept, tidied; the error is a sentence.
    pub(crate) fn checked(mut self) -> Result<Self, String> {
        self.name = crate::pool::named("data job", &self.name).map_err(|error| error.to_string())?;
        self.connection = self
            .connection
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(GLOBAL));
        let bytes: usize = self.transformations.iter().map(|one| one.statements.len()).sum();
        if bytes > SQL_BYTES_MAX {
            return Err(format!("its statements take {bytes} bytes, and {SQL_BYTES_MAX} is the most: split the job"));
        }
        let count = self.statements()?.len();
        if count > STATEMENTS_MAX {
            return Err(format!("it has {count} statements, and {STATEMENTS_MAX} is the most: split the job"));
        }
        Ok(self)
    }

    /// Returns all statements in order; the error names the place of one that
    /// is none.
    pub(crate) fn statements(&self) -> Result<Vec<Statement>, String> {
        let mut all = Vec::new();
        for one in &self.transformations {
            if one.name.trim().is_empty() {
                return Err("a transformation has no name".into());
            }
            all.extend(transformation::statements(&one.name, &one.statements)?);
        }
        Ok(all)
    }

    /// Returns the names of the tables that it writes, in lower case.
    pub(crate) fn writes(&self) -> BTreeSet<String> {
        let statements = self.statements().unwrap_or_default();
        let writing = statements.iter().filter(|statement| !matches!(statement.verb, Verb::View | Verb::Nothing));
        writing.map(|statement| statement.target.to_ascii_lowercase()).collect()
    }

    /// Returns the names of the tables that it watches, in lower case.
    pub(crate) fn watches(&self) -> BTreeSet<String> {
        self.on_change_of.iter().map(|table| table.trim().to_ascii_lowercase()).collect()
    }
}

/// Refuses a job that would set itself going, by what it writes or by way of
/// other jobs of the pool.
pub(crate) fn check_for_loops(spec: &DataJobSpec, others: &[DataJobSpec]) -> Result<(), String> {
    let watched = spec.watches();
    if watched.is_empty() {
        return Ok(());
    }
    if watched.contains("") {
        return Err("a table that it watches has no name".into());
    }
    if let Some(table) = watched.intersection(&spec.writes()).next() {
        return Err(format!(
            "it watches table \"{table}\" and writes it, so that each run would start the next: \
             watch another table, or start it by a schedule"
        ));
    }
    // From table to table: which jobs a change sets going, and what they write.
    let mut came_from: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut open: Vec<String> = spec.writes().into_iter().collect();
    while let Some(table) = open.pop() {
        for other in others.iter().filter(|other| other.watches().contains(&table)) {
            for written in other.writes() {
                let is_new = !came_from.contains_key(&written);
                if is_new {
                    came_from.insert(written.clone(), (other.name.clone(), table.clone()));
                }
                if watched.contains(&written) {
                    return Err(format!(
                        "it watches table \"{written}\", which data job \"{}\" writes when table \"{table}\" changes, \
                         and this job leads to that: the two would start each other without end",
                        other.name
                    ));
                }
                if is_new {
                    open.push(written);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn job(name: &str, watches: &[&str], sql: &str) -> DataJobSpec {
        DataJobSpec {
            name: name.into(),
            connection: None,
            transformations: vec![TransformationSpec { name: "t".into(), statements: sql.into() }],
            schedule: None,
            on_change_of: watches.iter().map(|&table| table.into()).collect(),
            enabled: true,
        }
    }

    fn check(spec: &DataJobSpec, others: &[DataJobSpec], expected: Expect) {
        expected.assert_eq(&check_for_loops(spec, others).err().unwrap_or_else(|| "fine".into()));
    }

    #[test]
    fn a_job_does_not_set_itself_going() {
        check(&job("a", &["Orders"], "INSERT INTO log SELECT * FROM orders"), &[], expect!["fine"]);
        check(
            &job("a", &["Orders"], "UPDATE \"ORDERS\" SET x = 1"),
            &[],
            expect![[
                r#"it watches table "orders" and writes it, so that each run would start the next: watch another table, or start it by a schedule"#
            ]],
        );
        let others = [
            job("b", &["log"], "CREATE OR REPLACE TABLE sums AS SELECT 1 AS x"),
            job("c", &["sums"], "DELETE FROM orders WHERE x = 1; CREATE VIEW v AS SELECT 1"),
        ];
        check(
            &job("a", &["orders"], "INSERT INTO log SELECT * FROM orders"),
            &others,
            expect![[
                r#"it watches table "orders", which data job "c" writes when table "sums" changes, and this job leads to that: the two would start each other without end"#
            ]],
        );
        check(&job("a", &["orders"], "INSERT INTO elsewhere SELECT * FROM orders"), &others, expect!["fine"]);
    }

    #[test]
    fn a_job_is_written_as_a_file_would_have_it() {
        let text = r#"{"name": " Nightly ", "connection": "global", "onChangeOf": ["Orders"],
            "schedule": {"type": "cron", "cron": "0 2 * * *", "timezone": "Europe/Berlin"},
            "transformations": [{"name": "Clean", "statements": "DROP TABLE IF EXISTS x; "}]}"#;
        let spec: DataJobSpec = serde_json::from_str(text).expect("a data job");
        let spec = spec.checked().expect("it can be kept");
        assert_eq!((spec.name.as_str(), &spec.connection, spec.enabled), ("Nightly", &None, true));
        assert_eq!(spec.statements().expect("one statement").len(), 1);
        let again: DataJobSpec =
            serde_json::from_str(&serde_json::to_string(&spec).expect("JSON")).expect("it reads itself");
        assert_eq!(again, spec);
    }
}
