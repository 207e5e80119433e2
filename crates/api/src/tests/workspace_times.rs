//! The workspace's listener: jobs that run by themselves, who is told, who
//! there is.

use std::time::Duration;

use serde_json::{Value, json};

use super::House;

fn job(more: Value) -> String {
    let mut job = json!({
        "name": "score",
        "tasks": [{ "task_key": "score", "spark_python_task": { "python_file": "/Shared/score.py" } }],
    });
    for (name, value) in more.as_object().expect("fields") {
        job[name] = value.clone();
    }
    job.to_string()
}

#[tokio::test]
async fn a_schedule_reads_back_and_its_next_time_is_told() {
    let house = House::open().await;
    let schedule = json!({ "quartz_cron_expression": "0 0 8 ? * MON-FRI", "timezone_id": "Europe/Berlin" });
    let made = house.call_workspace("POST /api/2.1/jobs/create", job(json!({ "schedule": schedule }))).await.json();
    let id = &made["job_id"];
    let read = house.call_workspace(&format!("GET /api/2.2/jobs/get?job_id={id}"), "").await.json();
    assert_eq!(read["settings"]["schedule"]["pause_status"], "UNPAUSED");
    assert_eq!(read["run_as_user_name"], "admin");
    let next = async || {
        let told = house.call_workspace(&format!("GET /api/2.0/loopwright/next-run?job_id={id}"), "").await.json();
        told["next_run_time"].clone()
    };
    assert!(next().await.is_i64());
    let paused = json!({ "job_id": id, "new_settings": { "schedule": {
        "quartz_cron_expression": "0 0 8 ? * MON-FRI", "timezone_id": "Europe/Berlin", "pause_status": "PAUSED",
    } } });
    assert_eq!(house.call_workspace("POST /api/2.1/jobs/update", paused.to_string()).await.status, 200);
    assert_eq!(next().await, Value::Null);
    for (wrong, status, word) in [
        (json!({ "schedule": { "quartz_cron_expression": "0 8 * * *", "timezone_id": "UTC" } }), 400, "5 fields"),
        (json!({ "trigger": { "file_arrival": { "url": "/Volumes/x" } } }), 501, "trigger.file_arrival"),
        (json!({ "email_notifications": { "on_failure": ["a@example.org"] } }), 501, "webhook_notifications"),
    ] {
        let answer = house.call_workspace("POST /api/2.1/jobs/create", job(wrong)).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
        assert!(answer.json()["message"].as_str().is_some_and(|told| told.contains(word)), "{}", answer.body);
    }
}

#[tokio::test]
async fn destinations_are_made_listed_changed_and_removed() {
    let house = House::open().await;
    let root = "/api/2.0/notification-destinations";
    let make = async |name: &str| {
        let config = json!({ "generic_webhook": { "url": "https://example.org/hook?s3cret", "password": "s3cret" } });
        let sent = json!({ "display_name": name, "config": config }).to_string();
        let made = house.call_workspace(&format!("POST {root}"), sent).await;
        assert_eq!(made.status, 200, "{}", made.body);
        assert!(!made.body.contains("s3cret"), "{}", made.body);
        made.json()
    };
    let first = make("one").await;
    assert_eq!(
        (&first["destination_type"], &first["config"]["generic_webhook"]["password_set"]),
        (&json!("WEBHOOK"), &json!(true))
    );
    house.clock.advance(Duration::from_secs(1));
    make("two").await;
    let page = house.call_workspace(&format!("GET {root}?page_size=1"), "").await.json();
    assert_eq!((&page["results"][0]["display_name"], &page["next_page_token"]), (&json!("one"), &json!("1")));
    let page = house.call_workspace(&format!("GET {root}?page_size=1&page_token=1"), "").await.json();
    assert_eq!((&page["results"][0]["display_name"], &page["next_page_token"]), (&json!("two"), &Value::Null));
    let one = format!("{root}/{}", first["id"].as_str().expect("an id"));
    let changed = house.call_workspace(&format!("PATCH {one}"), json!({ "display_name": "uno" }).to_string()).await;
    assert_eq!(changed.json()["display_name"], "uno");
    assert_eq!(house.call_workspace(&format!("GET {one}"), "").await.json(), changed.json());
    assert_eq!(house.call_workspace(&format!("DELETE {one}"), "").await.status, 200);
    assert_eq!(house.call_workspace(&format!("GET {one}"), "").await.status, 404);
    let told = json!({ "webhook_notifications": { "on_success": [{ "id": "x" }] } });
    assert_eq!(house.call_workspace("POST /api/2.1/jobs/create", job(told)).await.status, 400);
}

#[tokio::test]
async fn people_are_those_with_an_app_key_and_are_read_only() {
    let house = House::open().await;
    let scim = "/api/2.0/preview/scim/v2";
    let users = house.call_workspace(&format!("GET {scim}/Users"), "").await.json();
    let names: Vec<&str> =
        users["Resources"].as_array().expect("a list").iter().filter_map(|user| user["userName"].as_str()).collect();
    assert!(names.contains(&"stranger") && names.contains(&"admin"), "{names:?}");
    let filter = format!("GET {scim}/Users?filter=userName%20eq%20%22stranger%22");
    let found = house.call_workspace(&filter, "").await.json();
    assert_eq!(found["totalResults"], 1);
    let id = found["Resources"][0]["id"].as_str().expect("an id");
    let one = house.call_workspace(&format!("GET {scim}/Users/{id}"), "").await.json();
    assert_eq!(one, found["Resources"][0]);
    let admins = house.call_workspace(&format!("GET {scim}/Groups/admins"), "").await.json();
    let members: Vec<&str> =
        admins["members"].as_array().expect("a list").iter().filter_map(|member| member["display"].as_str()).collect();
    assert!(members.contains(&"admin") && !members.contains(&"stranger"), "{members:?}");
    assert_eq!(house.call_workspace(&format!("GET {scim}/Groups"), "").await.json()["totalResults"], 2);
    assert_eq!(house.call_workspace(&format!("GET {scim}/Users/none"), "").await.status, 404);
    let refused = house.call_workspace(&format!("POST {scim}/Users"), "{}").await;
    assert_eq!(refused.status, 501);
    assert!(refused.json()["detail"].as_str().is_some_and(|told| told.contains("app key")), "{}", refused.body);
}
