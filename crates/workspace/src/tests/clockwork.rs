//! Jobs that run by themselves.

use std::time::Duration;

use base::Clock;
use base::time::Timestamp;
use expect_test::{Expect, expect};
use serde_json::{Value as Json, json};

use super::{House, PATIENCE, admin};
use crate::settings::Timetable;
use crate::{ApiVersion, JobId, JobSettings, RunView, RunsQuery};

/// Monday, 2 March 2026, at noon.
const MONDAY: i64 = 1_772_452_800_000;

fn settings(times: Json) -> Json {
    let mut settings = times;
    settings["name"] = "job".into();
    settings["tasks"] = json!([{ "task_key": "main", "spark_python_task": { "python_file": "/Shared/task.sh" } }]);
    settings
}

fn check(expression: &str, expected: Expect) {
    let schedule = json!({ "quartz_cron_expression": expression, "timezone_id": "Europe/Berlin" });
    let read = JobSettings::read(settings(json!({ "schedule": schedule })), ApiVersion::V2_1);
    let told = match read.map(|settings| settings.timetable().expect("it was checked")) {
        Err(error) => error.to_string(),
        Ok(table) => {
            let Some(Timetable::Cron(schedule)) = table else { panic!("a schedule") };
            let mut at = Timestamp::from_millis(MONDAY);
            let mut times = Vec::new();
            for _ in 0..3 {
                let Some(next) = schedule.next_after(at) else { break };
                times.push(next.to_string().replace(":00.000Z", ""));
                at = next;
            }
            times.join(" ")
        }
    };
    expected.assert_eq(&told);
}

#[test]
fn quartz_expressions_are_read_as_quartz_does() {
    check("0 0 * * * ?", expect!["2026-03-02T13:00 2026-03-02T14:00 2026-03-02T15:00"]);
    check("0 30 8 ? * 2", expect!["2026-03-09T07:30 2026-03-16T07:30 2026-03-23T07:30"]);
    check("0 30 8 ? * MON-FRI", expect!["2026-03-03T07:30 2026-03-04T07:30 2026-03-05T07:30"]);
    check("0 30 8 ? * FRI-MON", expect!["2026-03-06T07:30 2026-03-07T07:30 2026-03-08T07:30"]);
    check("0 0 22-1 * * ?", expect!["2026-03-02T21:00 2026-03-02T22:00 2026-03-02T23:00"]);
    check("0 0/20 12 * * ?", expect!["2026-03-03T11:00 2026-03-03T11:20 2026-03-03T11:40"]);
    check("0 0 12 L * ?", expect!["2026-03-31T10:00 2026-04-30T10:00 2026-05-31T10:00"]);
    check("0 0 12 ? * L", expect!["2026-03-07T11:00 2026-03-14T11:00 2026-03-21T11:00"]);
    check("0 0 12 ? * 6L", expect!["2026-03-27T11:00 2026-04-24T10:00 2026-05-29T10:00"]);
    check("0 0 12 ? * 6#3", expect!["2026-03-20T11:00 2026-04-17T10:00 2026-05-15T10:00"]);
    check("0 0 12 15W * ?", expect!["2026-03-16T11:00 2026-04-15T10:00 2026-05-15T10:00"]);
    check("0 0 12 1 JAN ? 2027", expect!["2027-01-01T11:00"]);
    check("0 0 12 1 JAN ? 2020", expect![[""]]);
}

#[test]
fn what_quartz_would_not_read_is_refused_with_its_place() {
    check(
        "0 0 12 * * *",
        expect![[
            r#"the job settings are not valid: schedule.quartz_cron_expression "0 0 12 * * *": exactly one of day of month (field 4) and day of week (field 6) must be "?""#
        ]],
    );
    check(
        "0 0 12 ? * ?",
        expect![[
            r#"the job settings are not valid: schedule.quartz_cron_expression "0 0 12 ? * ?": exactly one of day of month (field 4) and day of week (field 6) must be "?""#
        ]],
    );
    check(
        "*/5 * * * *",
        expect![[
            r#"the job settings are not valid: schedule.quartz_cron_expression "*/5 * * * *": it has 5 fields, and 6 or 7 are needed: seconds, minutes, hours, day of month, month, day of week, and maybe the year, such as "0 30 8 * * ?""#
        ]],
    );
    check(
        "0 0 25 * * ?",
        expect![[
            r#"the job settings are not valid: schedule.quartz_cron_expression "0 0 25 * * ?": field 3 (hours) "25" is not within 0 to 23"#
        ]],
    );
    check(
        "0 0 12 ? * 0",
        expect![[
            r#"the job settings are not valid: schedule.quartz_cron_expression "0 0 12 ? * 0": field 6 (day of week) "0" is not within 1 to 7, or SUN to SAT"#
        ]],
    );
    check(
        "0 0 12 LW * ?",
        expect![[
            r#"the job settings are not valid: schedule.quartz_cron_expression "0 0 12 LW * ?": field 4 (day of month) "LW" is not supported: "L", "15W" and days from 1 to 31 are"#
        ]],
    );
    check(
        "0 0 12 ? FOO MON",
        expect![[
            r#"the job settings are not valid: schedule.quartz_cron_expression "0 0 12 ? FOO MON": field 5 (month) "FOO" is not within 1 to 12, or JAN to DEC"#
        ]],
    );
    let schedule = json!({ "quartz_cron_expression": "0 0 * * * ?", "timezone_id": "Berlin" });
    let refused = JobSettings::read(json!({ "schedule": schedule }), ApiVersion::V2_1).expect_err("no such zone");
    expect![[
        r#"the job settings are not valid: schedule.timezone_id: "Berlin" is not a time zone such as "Europe/Berlin""#
    ]]
    .assert_eq(&refused.to_string());
    let refused = JobSettings::read(
        json!({ "continuous": {"pause_status": "UNPAUSED"}, "max_concurrent_runs": 2 }),
        ApiVersion::V2_1,
    );
    expect![[r#"the job settings are not valid: a job with "continuous" has one run at a time: set max_concurrent_runs 2 to 1"#]].assert_eq(&refused.expect_err("too many").to_string());
}

impl House {
    async fn runs_of(&self, job: JobId) -> Vec<RunView> {
        let query = RunsQuery { job: Some(job), ..RunsQuery::default() };
        self.workspace.runs(query).await.expect("a list").items
    }

    /// Waits until a job has so many runs, all of them over.
    async fn until_runs(&self, job: JobId, count: usize) -> Vec<RunView> {
        let mut changes = self.workspace.changes();
        let wait = async {
            loop {
                let runs = self.runs_of(job).await;
                if runs.len() >= count && runs.iter().all(|run| run.end.is_some()) {
                    assert_eq!(runs.len(), count, "no run too many");
                    return runs;
                }
                changes.changed().await.expect("the workspace is there");
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the runs come in time")
    }

    async fn next_run(&self, job: JobId) -> Option<u64> {
        let due = self.workspace.next_run_of(job).await.expect("an answer")?;
        Some(due.since(self.clock.now()).as_secs())
    }
}

/// A job that runs on the hour.
async fn hourly(house: &House, more: Json) -> JobId {
    let mut schedule = json!({ "quartz_cron_expression": "0 0 * * * ?", "timezone_id": "UTC" });
    for (name, value) in more.as_object().expect("fields") {
        schedule[name] = value.clone();
    }
    house.script("/Shared/task.sh", "echo done").await;
    house.job_of(settings(json!({ "schedule": schedule }))).await
}

#[tokio::test]
async fn a_time_makes_one_run_and_missed_ones_make_one_together() {
    let mut house = House::new();
    let job = hourly(&house, json!({})).await;
    let first = house.next_run(job).await.expect("a time");
    assert!(first <= 3_600);
    house.advance(Duration::from_secs(first));
    let runs = house.until_runs(job, 1).await;
    assert_eq!((runs[0].cause.as_str(), runs[0].creator.as_str()), ("PERIODIC", "ada"));
    assert_eq!(house.next_run(job).await, Some(3_600));

    let missed = house.workspace.next_run_of(job).await.expect("an answer");
    house.go_down().await;
    house.clock.advance(Duration::from_hours(50));
    house.come_back();
    house.until_runs(job, 2).await;
    assert_eq!(house.next_run(job).await, Some(3_600), "no storm of what was missed");

    // As if the machine had gone down before the next time was remembered.
    let put = crate::tables::DueJob { job, due_at: missed, failures: 0 };
    house.workspace.db.write("test.due_again", move |tx| crate::tables::put_due(tx, &put)).await.expect("a row");
    house.workspace.fire_due().await.expect("it fires");
    assert_eq!(house.until_runs(job, 2).await.len(), 2, "the time is known by its run");
}

#[tokio::test]
async fn a_paused_schedule_waits_for_what_comes_after() {
    let house = House::new();
    let job = hourly(&house, json!({ "pause_status": "PAUSED" })).await;
    assert_eq!(house.next_run(job).await, None);
    house.advance(Duration::from_hours(5));
    let status = async |status: &str| {
        let mut document = house.workspace.job(job).await.expect("a job").settings.document();
        document["schedule"]["pause_status"] = status.into();
        let change = json!({ "schedule": document["schedule"] });
        house.workspace.update_job(&admin(), job, change, vec![]).await.expect("a good change");
    };
    status("UNPAUSED").await;
    let wait = house.next_run(job).await.expect("a time");
    assert_eq!(house.runs_of(job).await.len(), 0, "nobody asked for the hours before");
    // What has nothing to do with it changes nothing of it.
    house.workspace.update_job(&admin(), job, json!({ "name": "other" }), vec![]).await.expect("a good change");
    assert_eq!(house.next_run(job).await, Some(wait));
    house.advance(Duration::from_secs(wait));
    house.until_runs(job, 1).await;
    status("PAUSED").await;
    assert_eq!(house.next_run(job).await, None);
    house.workspace.delete_job(&admin(), job).await.expect("it is there");
}

#[tokio::test]
async fn a_span_counts_from_when_it_was_set() {
    let house = House::new();
    house.script("/Shared/task.sh", "echo done").await;
    let trigger = json!({ "trigger": { "periodic": { "interval": 2, "unit": "HOURS" } } });
    let job = house.job_of(settings(trigger)).await;
    assert_eq!(house.next_run(job).await, Some(7_200));
    house.advance(Duration::from_hours(7));
    assert_eq!(house.until_runs(job, 1).await[0].cause.as_str(), "PERIODIC");
    assert_eq!(house.next_run(job).await, Some(3_600), "it keeps its beat");
}

#[tokio::test]
async fn a_continuous_job_runs_again_and_rests_longer_after_failures() {
    let house = House::new();
    house.script("/Shared/task.sh", "exit 1").await;
    let job = house.job_of(settings(json!({ "continuous": { "pause_status": "UNPAUSED" } }))).await;
    for (count, rest) in [(1, 10), (2, 20), (3, 40)] {
        let runs = house.until_runs(job, count).await;
        assert_eq!(runs[0].cause.as_str(), "CONTINUOUS");
        assert_eq!(house.next_run(job).await, Some(rest));
        house.advance(Duration::from_secs(rest - 1));
        assert_eq!(house.runs_of(job).await.len(), count);
        house.script("/Shared/task.sh", if count == 3 { "echo fine" } else { "exit 1" }).await;
        house.advance(Duration::from_secs(1));
    }
    house.until_runs(job, 4).await;
    assert_eq!(house.next_run(job).await, Some(5));
    let pause = json!({ "continuous": { "pause_status": "PAUSED" } });
    house.workspace.update_job(&admin(), job, pause, vec![]).await.expect("a good change");
    assert_eq!(house.next_run(job).await, None);
}
