//! Who is told how runs went.

use std::sync::Arc;
use std::time::Duration;

use base::testing::ScriptedHttp;
use expect_test::expect;
use serde_json::{Value as Json, json};

use super::{House, PATIENCE, admin};
use crate::{Error, JobId};

async fn webhook(house: &House) -> String {
    let config = json!({ "generic_webhook": { "url": "https://example.org/hook?key=s3cret", "username": "ann", "password": "pw" } });
    let made = house.workspace.create_destination(&admin(), "ours", &config).await.expect("a good destination");
    assert_eq!(
        made.config,
        json!({ "generic_webhook": { "url_set": true, "username_set": true, "password_set": true } })
    );
    made.destination.id
}

async fn job_that_tells(house: &House, text: &str, events: &[&str], more: Json) -> JobId {
    let told = json!([{ "id": webhook(house).await }]);
    let mut webhooks = json!({});
    for event in events {
        webhooks[*event] = told.clone();
    }
    house.script("/Shared/task.sh", text).await;
    let mut settings = json!({
        "name": "payroll",
        "webhook_notifications": webhooks,
        "tasks": [{ "task_key": "main", "spark_python_task": { "python_file": "/Shared/task.sh" } }],
    });
    for (name, value) in more.as_object().expect("fields") {
        settings[name] = value.clone();
    }
    house.job_of(settings).await
}

/// Waits until there were so many calls, and returns what they said.
async fn until_called(http: &ScriptedHttp, count: usize) -> Vec<Json> {
    let wait = async {
        while http.requests().len() < count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the calls come in time");
    let bodies = http.requests().into_iter().map(|request| serde_json::from_slice(&request.body).expect("JSON"));
    bodies.collect()
}

/// Waits until nothing is left to be told.
async fn until_told(house: &House) {
    let wait = async {
        while house.workspace.db.read("test.notices", crate::tables::next_notice).await.expect("an answer").is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("all is told in time");
}

fn silent(house: &House) -> Arc<ScriptedHttp> {
    let http = Arc::new(ScriptedHttp::default());
    house.workspace.set_http(http.clone());
    http
}

fn named(told: &[Json]) -> String {
    told.iter().map(|told| told["event_type"].as_str().unwrap_or("?")).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_run_is_told_of_when_it_starts_and_ends() {
    let house = House::new();
    let http = silent(&house);
    http.push(200, "");
    http.push(204, "");
    let job = job_that_tells(&house, "echo done", &["on_start", "on_success", "on_failure"], json!({})).await;
    let run = house.run_now(job).await;
    house.until_ended(run).await;
    let told = until_called(&http, 2).await;
    assert_eq!(named(&told), "jobs.on_start jobs.on_success");
    assert_eq!(
        told[1],
        json!({
            "event_type": "jobs.on_success",
            "workspace_id": "1",
            "run": { "run_id": run.to_string() },
            "job": { "job_id": job.to_string(), "name": "payroll" },
        })
    );
    let request = &http.requests()[1];
    assert_eq!(request.url, "https://example.org/hook?key=s3cret");
    assert_eq!(request.headers["authorization"], "Basic YW5uOnB3");
    until_told(&house).await;
}

#[tokio::test]
async fn what_could_not_be_told_is_told_later_be_it_by_the_next_server() {
    let mut house = House::new();
    let http = silent(&house);
    http.push(503, "");
    http.push(500, "");
    let job = job_that_tells(&house, "exit 1", &["on_failure"], json!({})).await;
    let run = house.run_now(job).await;
    house.until_ended(run).await;
    until_called(&http, 1).await;
    house.go_down().await;
    house.clock.advance(Duration::from_secs(10));
    house.come_back();
    house.workspace.set_http(http.clone());
    until_called(&http, 2).await;
    http.push(200, "");
    // Twice as long.
    let due = async || house.workspace.db.read("test.notices", crate::tables::next_notice).await.expect("an answer");
    while due().await.is_some_and(|due| due <= base::Clock::now(&*house.clock)) {
        tokio::task::yield_now().await;
    }
    house.advance(Duration::from_secs(20));
    let told = until_called(&http, 3).await;
    assert_eq!(named(&told), "jobs.on_failure jobs.on_failure jobs.on_failure");
    until_told(&house).await;
}

#[tokio::test]
async fn a_run_that_takes_long_is_told_of_once_and_goes_on() {
    let house = House::new();
    let http = silent(&house);
    http.push(200, "");
    http.push(200, "");
    let mut gate = house.gate("gate");
    let rules =
        json!({ "health": { "rules": [{ "metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": 60 }] } });
    let events = ["on_duration_warning_threshold_exceeded", "on_success"];
    let job = job_that_tells(&house, &format!("echo ready; read go < {gate}"), &events, rules).await;
    let run = house.run_now(job).await;
    house.until_printed(run, "ready").await;
    house.advance(Duration::from_secs(59));
    house.advance(Duration::from_secs(2));
    assert_eq!(named(&until_called(&http, 1).await), "jobs.on_duration_warning_threshold_exceeded");
    house.advance(Duration::from_mins(10));
    gate.open();
    house.until_ended(run).await;
    let told = until_called(&http, 2).await;
    assert_eq!(named(&told), "jobs.on_duration_warning_threshold_exceeded jobs.on_success");
    until_told(&house).await;
}

#[tokio::test]
async fn nobody_hears_of_what_nobody_wants_to_hear_of() {
    let house = House::new();
    let http = silent(&house);
    http.push(200, "");
    let quiet = json!({ "no_alert_for_skipped_runs": true, "no_alert_for_canceled_runs": true });
    for (settings, count) in [(quiet, 0), (json!({ "no_alert_for_canceled_runs": true }), 1)] {
        let more = json!({ "notification_settings": settings, "max_concurrent_runs": 0 });
        let job = job_that_tells(&house, "echo done", &["on_failure"], more).await;
        // There is room for no run, so it is skipped.
        house.run_now(job).await;
        until_told(&house).await;
        assert_eq!(until_called(&http, count).await.len(), count);
    }
}

#[tokio::test]
async fn a_destination_is_made_by_administrators_and_its_address_stays_inside() {
    let house = House::asleep(crate::Options::default());
    let stranger = base::Actor { id: "u-2".into(), name: "ben".into(), administrator: false, ..admin() };
    let slack = json!({ "slack": { "url": "https://hooks.example.org/T/B" } });
    let refused = house.workspace.create_destination(&stranger, "x", &slack).await;
    assert!(matches!(refused, Err(Error::AdministratorsOnly { .. })));
    let refusal = async |config: Json| {
        house.workspace.create_destination(&admin(), "x", &config).await.expect_err("it is not good").to_string()
    };
    expect![[r#""config.email" is not supported by this workspace: "config.generic_webhook" and "config.slack" are"#]]
        .assert_eq(&refusal(json!({ "email": { "addresses": ["a@example.org"] } })).await);
    expect![[r#""config.slack.url" is no address that begins with https:// or http://"#]]
        .assert_eq(&refusal(json!({ "slack": { "url": "ftp://x" } })).await);
    expect![[r#""config.slack.url" is missing"#]].assert_eq(&refusal(json!({ "slack": {} })).await);
    expect![[r#""config" has exactly one of "generic_webhook" and "slack""#]].assert_eq(&refusal(json!({})).await);
    let made = house.workspace.create_destination(&admin(), "x", &slack).await.expect("a good destination");
    let id = made.destination.id;
    let change = json!({ "generic_webhook": { "url": "http://127.0.0.1:1/x" } });
    let changed = house.workspace.change_destination(&admin(), &id, Some("y"), Some(&change)).await;
    let changed = changed.expect("a good change");
    assert_eq!((changed.destination.display_name.as_str(), changed.destination.sort.as_str()), ("y", "WEBHOOK"));
    assert_eq!(house.workspace.destinations().await.expect("a list").len(), 1);
    house.workspace.delete_destination(&admin(), &id).await.expect("it is there");
    let settings = json!({ "webhook_notifications": { "on_start": [{ "id": id }] } });
    let refused = house.workspace.create_job(&admin(), settings, crate::ApiVersion::V2_1).await;
    let refused = refused.expect_err("it is gone").to_string().replace(&id, "ID");
    expect![[r#"the job settings are not valid: webhook_notifications.on_start: there is no notification destination "ID"; an administrator makes one with /api/2.0/notification-destinations"#]].assert_eq(&refused);
}
