//! The settings document: defaults, refusals, changes.

use expect_test::{Expect, expect};
use serde_json::{Value as Json, json};

use crate::parameters::{References, resolve};
use crate::settings::merge;
use crate::{ApiVersion, JobSettings};

fn task(more: Json) -> Json {
    let mut task = json!({ "task_key": "main", "spark_python_task": { "python_file": "/Shared/x.py" } });
    for (name, value) in more.as_object().expect("fields") {
        task[name] = value.clone();
    }
    task
}

#[test]
fn what_is_read_back_has_the_defaults_that_clients_compare() {
    let settings = JobSettings::read(json!({ "tasks": [task(json!({}))] }), ApiVersion::V2_2).expect("good settings");
    expect![[r#"
        {
          "name": "Untitled",
          "tasks": [
            {
              "task_key": "main",
              "run_if": "ALL_SUCCESS",
              "spark_python_task": {
                "python_file": "/Shared/x.py",
                "source": "WORKSPACE"
              },
              "timeout_seconds": 0,
              "email_notifications": {}
            }
          ],
          "max_concurrent_runs": 1,
          "timeout_seconds": 0,
          "queue": {
            "enabled": true
          },
          "format": "MULTI_TASK",
          "email_notifications": {},
          "webhook_notifications": {}
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&settings.document()).expect("JSON"));
    let stored = JobSettings::stored(&settings.document().to_string()).expect("what was stored reads back");
    assert_eq!(stored, settings);
}

#[test]
fn what_says_nothing_is_as_good_as_left_out() {
    let document = json!({
        "schedule": null, "queue": null, "tasks": [task(json!({ "libraries": [], "new_cluster": null }))],
        "email_notifications": { "on_failure": [], "no_alert_for_skipped_runs": false },
    });
    let settings = JobSettings::read(document, ApiVersion::V2_1).expect("good settings");
    let plain = JobSettings::read(json!({ "tasks": [task(json!({}))] }), ApiVersion::V2_1).expect("good settings");
    assert_eq!(settings, plain);
}

#[test]
fn version_2_1_brings_no_queue() {
    let settings = JobSettings::read(json!({}), ApiVersion::V2_1).expect("good settings");
    assert_eq!(settings.queue, None);
    let settings =
        JobSettings::read(json!({ "queue": { "enabled": false } }), ApiVersion::V2_2).expect("good settings");
    assert!(!settings.is_queued());
}

#[test]
fn dependencies_come_back_sorted_and_inert_words_are_kept() {
    let document = json!({
        "tags": { "team": "p2p" },
        "tasks": [
            task(json!({ "task_key": "z" })),
            task(json!({ "task_key": "a", "existing_cluster_id": "c-1" })),
            task(json!({ "task_key": "m", "depends_on": [{ "task_key": "z" }, { "task_key": "a" }] })),
        ],
        "job_clusters": [{ "job_cluster_key": "c", "new_cluster": { "spark_version": "15.4.x", "num_workers": 2 } }],
    });
    let document = JobSettings::read(document, ApiVersion::V2_1).expect("good settings").document();
    assert_eq!(document["tags"], json!({ "team": "p2p" }));
    assert_eq!(document["tasks"][1]["existing_cluster_id"], json!("c-1"));
    assert_eq!(document["tasks"][2]["depends_on"], json!([{ "task_key": "a" }, { "task_key": "z" }]));
    assert_eq!(document["job_clusters"][0]["new_cluster"], json!({ "spark_version": "15.4.x", "num_workers": 2 }));
}

fn check_refused(document: Json, expected: Expect) {
    let error = JobSettings::read(document, ApiVersion::V2_1).expect_err("it must be refused");
    expected.assert_eq(&error.to_string());
}

#[test]
fn what_would_not_act_is_refused() {
    check_refused(
        json!({ "tasks": [{ "task_key": "main", "dbt_task": { "commands": [] } }] }),
        expect![[
            r#"task "main" is a "dbt_task", which this workspace does not run: it runs "spark_python_task", "notebook_task", "python_wheel_task", "sql_task", "run_job_task", "condition_task", "for_each_task""#
        ]],
    );
    check_refused(
        json!({ "schedule": { "quartz_cron_expression": "0 0 * * * ?", "timezone_id": "UTC" }, "continuous": { "pause_status": "PAUSED" } }),
        expect![[
            r#"the job settings are not valid: "schedule", "trigger" and "continuous" exclude each other: leave one of them"#
        ]],
    );
    check_refused(
        json!({ "trigger": { "file_arrival": { "url": "/Volumes/x" } } }),
        expect![[
            r#""trigger.file_arrival" is not supported by this workspace: "trigger.periodic", "schedule" and "continuous" are"#
        ]],
    );
    check_refused(
        json!({ "email_notifications": { "on_failure": ["a@example.org"] } }),
        expect![[
            r#""email_notifications" is not supported by this workspace: name a notification destination in the job's "webhook_notifications""#
        ]],
    );
    check_refused(
        json!({ "tasks": [task(json!({ "libraries": [{ "jar": "/x.jar" }] }))] }),
        expect![[
            r#""tasks.main.libraries.jar" is not supported by this workspace: "whl", "pypi" and "requirements" are"#
        ]],
    );
    check_refused(
        json!({ "tasks": [task(json!({ "libraries": [{ "whl": "x.whl" }] }))] }),
        expect![[
            r#"the job settings are not valid: task "main": library "x.whl" is not a package, or not a path of the workspace"#
        ]],
    );
    check_refused(
        json!({ "environments": [{ "environment_key": "e", "spec": { "client": "1", "dependencies": ["--index-url=x"] } }] }),
        expect![[
            r#"the job settings are not valid: environments.e.dependencies: "--index-url=x" is not a package, a wheel or "-r FILE""#
        ]],
    );
    check_refused(
        json!({ "tasks": [{ "task_key": "m", "sql_task": { "warehouse_id": "w", "dashboard": { "dashboard_id": "d" } } }] }),
        expect![[
            r#""tasks.m.sql_task.dashboard" is not supported by this workspace: it takes a "file" of the workspace, or a saved "query""#
        ]],
    );
    check_refused(
        json!({ "tasks": [task(json!({ "spark_python_task": { "python_file": "/x", "parameters": ["{{secrets/a/b}}"] } }))] }),
        expect![[
            r#""{{secrets/a/b}} in parameters" is not supported by this workspace: parameters can be seen; put it into spark_env_vars"#
        ]],
    );
}

#[test]
fn what_does_not_hold_together_is_refused() {
    check_refused(
        json!({ "max_runs": 1 }),
        expect![[r#"the job settings are not valid: "max_runs" is not a setting"#]],
    );
    check_refused(
        json!({ "tasks": [{ "task_key": "main" }] }),
        expect![[
            r#"the job settings are not valid: task "main" has nothing to run: one of "spark_python_task", "notebook_task", "python_wheel_task", "sql_task", "run_job_task", "condition_task", "for_each_task""#
        ]],
    );
    check_refused(
        json!({ "tasks": [task(json!({})), task(json!({}))] }),
        expect![[r#"the job settings are not valid: task key "main" is empty or stands twice"#]],
    );
    check_refused(
        json!({ "tasks": [task(json!({ "depends_on": [{ "task_key": "other" }] }))] }),
        expect![[r#"the job settings are not valid: task "main": it depends on "other", which is not there"#]],
    );
    check_refused(
        json!({ "tasks": [
            task(json!({ "task_key": "a", "depends_on": [{ "task_key": "b" }] })),
            task(json!({ "task_key": "b", "depends_on": [{ "task_key": "a" }] })),
        ] }),
        expect![[r#"the job settings are not valid: task "a" depends on itself, through others"#]],
    );
    check_refused(
        json!({ "tasks": [task(json!({ "job_cluster_key": "c" }))] }),
        expect![[r#"the job settings are not valid: task "main" uses job cluster "c", which is not there"#]],
    );
    check_refused(
        json!({ "tasks": [task(json!({ "spark_python_task": { "python_file": "../x.py" } }))] }),
        expect![[r#""../x.py" is not a path of this workspace: it does not begin with "/""#]],
    );
    let many: Vec<Json> = (0..101).map(|number| task(json!({ "task_key": format!("t{number}") }))).collect();
    check_refused(
        json!({ "tasks": many }),
        expect![[r"the job settings are not valid: it has 101 tasks, and 100 are allowed"]],
    );
}

#[test]
fn an_update_merges_lists_by_key() {
    let mut document =
        json!({ "name": "a", "tags": { "x": "1" }, "tasks": [{ "task_key": "a", "n": 1 }, { "task_key": "b" }] });
    let changes = json!({ "tags": { "y": "2" }, "tasks": [{ "task_key": "a", "n": 2 }, { "task_key": "c" }] });
    merge(&mut document, changes, &["name".into(), "tasks/b".into()]).expect("objects");
    assert_eq!(document, json!({ "tags": { "y": "2" }, "tasks": [{ "task_key": "a", "n": 2 }, { "task_key": "c" }] }));
}

#[test]
fn references_take_their_values() {
    let values = [("job.parameters.a", "1 {{b}}"), ("b", "2")];
    let known =
        References { values: values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect() };
    for (text, expected) in [
        ("{{job.parameters.a}} and {{ b }}", "1 {{b}} and 2"),
        ("{{other}} {{b", "{{other}} {{b"),
        ("{{}}", "{{}}"),
        ("", ""),
        ("ä{{b}}ö", "ä2ö"),
    ] {
        assert_eq!(resolve(text, &known).expect("all are known"), expected, "{text}");
    }
    let error = resolve("{{job.parameters.c}}", &known).expect_err("it is not known");
    assert_eq!(error.to_string(), "\"{{job.parameters.c}}\" is not a parameter of the job or of this run");
}

#[test]
fn every_body_reads_back_as_it_came_with_its_defaults() {
    let nested =
        json!({ "task_key": "each", "spark_python_task": { "python_file": "/x", "parameters": ["{{input}}"] } });
    for (body, given, expected) in [
        ("notebook_task", json!({ "notebook_path": "/n" }), json!({ "notebook_path": "/n", "source": "WORKSPACE" })),
        (
            "condition_task",
            json!({ "op": "GREATER_THAN_OR_EQUAL", "left": "{{job.id}}", "right": "1" }),
            json!({ "op": "GREATER_THAN_OR_EQUAL", "left": "{{job.id}}", "right": "1" }),
        ),
        (
            "for_each_task",
            json!({ "inputs": "[1, 2]", "task": nested }),
            json!({ "inputs": "[1, 2]", "task": {
                "task_key": "each", "run_if": "ALL_SUCCESS", "timeout_seconds": 0, "email_notifications": {},
                "spark_python_task": { "python_file": "/x", "parameters": ["{{input}}"], "source": "WORKSPACE" },
            } }),
        ),
    ] {
        let document = json!({ "tasks": [{ "task_key": "main", body: given }] });
        let settings = JobSettings::read(document, ApiVersion::V2_1).expect("good settings");
        assert_eq!(settings.document()["tasks"][0][body], expected);
        assert_eq!(JobSettings::stored(&settings.document().to_string()).expect("it reads back"), settings);
    }
}

#[test]
fn bodies_that_can_never_run_are_refused() {
    let check = |task: Json, expected: Expect| check_refused(json!({ "tasks": [task] }), expected);
    check(
        json!({ "task_key": "m", "notebook_task": { "notebook_path": "/n" }, "condition_task": {} }),
        expect![[
            r#"the job settings are not valid: task "m" is two things at once, "notebook_task" and "condition_task""#
        ]],
    );
    check(
        json!({ "task_key": "m", "condition_task": { "op": "LIKE", "left": "a", "right": "b" } }),
        expect![
            "the job settings are not valid: unknown variant `LIKE`, expected one of `EQUAL_TO`, `NOT_EQUAL`, `GREATER_THAN`, `GREATER_THAN_OR_EQUAL`, `LESS_THAN`, `LESS_THAN_OR_EQUAL`"
        ],
    );
    check(
        json!({ "task_key": "m", "for_each_task": { "inputs": "{}", "task": { "task_key": "x", "condition_task": { "op": "EQUAL_TO", "left": "", "right": "" } } } }),
        expect![[r#"the job settings are not valid: task "m": inputs: "{}" is not a JSON array"#]],
    );
    check(
        json!({ "task_key": "m", "for_each_task": { "inputs": "[]", "concurrency": 101, "task": { "task_key": "x", "condition_task": { "op": "EQUAL_TO", "left": "", "right": "" } } } }),
        expect![[r#"the job settings are not valid: task "m": concurrency 101 is not between 1 and 100"#]],
    );
    check(
        json!({ "task_key": "m", "for_each_task": { "inputs": "[]", "task": { "task_key": "x", "dbt_task": {} } } }),
        expect![[
            r#"task "x" is a "dbt_task", which this workspace does not run: it runs "spark_python_task", "notebook_task", "python_wheel_task", "sql_task", "run_job_task", "condition_task", "for_each_task""#
        ]],
    );
    let mut after = task(json!({ "task_key": "b", "depends_on": [{ "task_key": "main", "outcome": "true" }] }));
    after["task_key"] = json!("b");
    check_refused(
        json!({ "tasks": [task(json!({})), after] }),
        expect![[
            r#"the job settings are not valid: task "b": it depends on an outcome of "main", which is no "condition_task""#
        ]],
    );
}
