//! On whose behalf runs act.

use base::Actor;
use expect_test::expect;
use serde_json::{Value as Json, json};

use super::{House, admin};
use crate::{ApiVersion, Options, PrincipalChange};

fn person(name: &str) -> Actor {
    Actor { id: format!("u-{name}"), name: name.into(), administrator: false, ..admin() }
}

fn settings(more: Json) -> Json {
    let mut settings = json!({
        "name": "job",
        "tasks": [{ "task_key": "main", "spark_python_task": { "python_file": "/Shared/x.py" } }],
    });
    for (name, value) in more.as_object().expect("fields") {
        settings[name] = value.clone();
    }
    settings
}

#[tokio::test]
async fn whoever_may_manage_a_job_cannot_make_it_act_as_its_owner() {
    let house = House::asleep(Options::default());
    let workspace = &house.workspace;
    let rules = json!([{ "user_name": "ben", "permission_level": "CAN_MANAGE" }]);
    let of_admin = settings(json!({ "access_control_list": rules }));
    let job = workspace.create_job(&admin(), of_admin, ApiVersion::V2_1).await.expect("good settings");
    let ben = person("ben");
    let owner = async || workspace.job(job).await.expect("a job").owner.expect("somebody").name;
    let update = async |actor: &Actor, change: Json| workspace.update_job(actor, job, change, vec![]).await;
    let other = json!([{ "task_key": "main", "spark_python_task": { "python_file": "/Shared/mine.py" } }]);

    let refused = update(&ben, json!({ "tasks": other })).await.expect_err("it would act as an administrator");
    expect![[
        r#"User ben cannot act for ada: set "run_as" to ben with the change, or let ada or an administrator make it"#
    ]]
    .assert_eq(&refused.to_string());
    update(&ben, json!({ "parameters": [{ "name": "x", "default": "y" }] })).await.expect_err("neither may this");
    let whole = settings(json!({ "tasks": other }));
    workspace.reset_job(&ben, job, whole, ApiVersion::V2_1).await.expect_err("nor this");
    update(&ben, json!({ "name": "other", "timeout_seconds": 60 }))
        .await
        .expect("that changes nothing of what it does");
    assert_eq!(owner().await, "ada");

    update(&ben, json!({ "tasks": other, "run_as": { "user_name": "ben" } })).await.expect("for himself he may");
    assert_eq!(owner().await, "ben");
    let back = update(&ben, json!({ "run_as": { "user_name": "ada" } })).await.expect_err("he is not ada");
    assert_eq!(back.to_string(), refused.to_string());
    // An administrator may act for everybody, so it stays whose it is.
    update(&admin(), json!({ "tasks": [{ "task_key": "main", "spark_python_task": { "python_file": "/x.py" } }] }))
        .await
        .expect("an administrator may");
    assert_eq!(owner().await, "ben");
}

#[tokio::test]
async fn an_administrator_lets_runs_act_as_a_program() {
    let house = House::asleep(Options::default());
    let workspace = &house.workspace;
    let change = PrincipalChange::default();
    let principal = workspace.create_principal(&admin(), Some("etl".into()), change).await.expect("a new one");
    let wanted = settings(json!({ "run_as": { "service_principal_name": "etl" } }));
    let refused = workspace.create_job(&person("ben"), wanted.clone(), ApiVersion::V2_1).await;
    expect![[
        r#"User ben cannot act for etl: set "run_as" to ben with the change, or let etl or an administrator make it"#
    ]]
    .assert_eq(&refused.expect_err("ben is not it").to_string());
    let job = workspace.create_job(&admin(), wanted.clone(), ApiVersion::V2_1).await.expect("an administrator may");
    let found = workspace.job(job).await.expect("a job");
    assert_eq!((found.creator.as_str(), found.owner), ("ada", Some(principal.actor())));
    workspace.create_job(&principal.actor(), wanted, ApiVersion::V2_1).await.expect("it names itself");
    let unknown = settings(json!({ "run_as": { "service_principal_name": "none" } }));
    let refused = workspace.create_job(&admin(), unknown, ApiVersion::V2_1).await;
    expect![[r#"the job settings are not valid: run_as: there is no active service principal "none""#]]
        .assert_eq(&refused.expect_err("there is none").to_string());
    let both = settings(json!({ "run_as": { "service_principal_name": "etl", "user_name": "ada" } }));
    let refused = workspace.create_job(&admin(), both, ApiVersion::V2_1).await;
    expect![[
        r#"the job settings are not valid: "run_as" has exactly one of "user_name" and "service_principal_name""#
    ]]
    .assert_eq(&refused.expect_err("one too many").to_string());
}
