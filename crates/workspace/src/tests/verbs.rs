//! The verbs on rows, on every database engine that is at hand.

use std::sync::Arc;
use std::time::Duration;

use base::chance::SeededChance;
use base::db::Control;
use base::secret::KeyRing;
use base::time::SimClock;
use base::{Actor, Coded, Kind, Secret};
use expect_test::expect;
use serde_json::{Value as Json, json};

use super::{admin, story, with_parameters, with_token};
use crate::{ApiVersion, Error, JobId, JobsQuery, MIGRATIONS, Options, Overriding, RunRequest, RunsQuery, Workspace};

struct Desk {
    workspace: Workspace,
    clock: Arc<SimClock>,
    _folder: tempfile::TempDir,
}

/// Runs a check with a workspace on each engine; its loop does not run, so
/// that runs stay where the verbs put them.
fn on_every_engine<F: Future<Output = ()>>(check: impl Fn(Desk) -> F) {
    base::testing::on_every_engine::<Control>(&[base::MIGRATIONS, MIGRATIONS], |db| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let chance = Arc::new(SeededChance::new(3));
        let keys = Arc::new(KeyRing::generate(&*chance));
        let clock = Arc::new(SimClock::default());
        let workspace = Workspace::new(db, folder.path().to_owned(), keys, clock.clone(), chance, Options::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(check(Desk { workspace, clock, _folder: folder }));
    });
}

fn settings(name: &str) -> Json {
    json!({ "name": name, "tasks": [{ "task_key": "main", "spark_python_task": { "python_file": "/Shared/x.py" } }] })
}

async fn new_job(desk: &Desk, name: &str, version: ApiVersion) -> JobId {
    desk.workspace.create_job(&admin(), settings(name), version).await.expect("good settings")
}

fn refused<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    let error = answer.expect_err("it must be refused");
    format!("{:?} {}: {error}", error.kind(), error.code())
}

#[test]
fn tokens_are_shown_once_and_end() {
    on_every_engine(async |desk| {
        let (info, text) = desk
            .workspace
            .create_token(&admin(), "action flow", Some(Duration::from_hours(2160)))
            .await
            .expect("a token");
        assert!(text.expose().starts_with("dapi"));
        let header = |scheme: &str| format!("{scheme} {}", text.expose());
        for scheme in ["Bearer", "bearer", "BEARER "] {
            let actor = desk.workspace.authenticate(Some(&header(scheme))).await.expect("a good token");
            assert_eq!(actor, admin());
        }
        for header in [None, Some(""), Some("Bearer "), Some("Bearer dapi0"), Some(header("Basic").as_str())] {
            let answer = desk.workspace.authenticate(header).await;
            assert!(matches!(answer, Err(Error::Unauthenticated)), "{header:?}");
        }
        assert_eq!(desk.workspace.tokens(&admin()).await.expect("a list"), std::slice::from_ref(&info));
        desk.clock.advance(Duration::from_hours(2160));
        assert!(desk.workspace.authenticate(Some(&header("Bearer"))).await.is_err(), "it has expired");

        let stranger = Actor { id: "u-2".into(), name: "bob".into(), administrator: false, ..admin() };
        assert!(matches!(desk.workspace.revoke_token(&stranger, &info.id).await, Err(Error::NoToken(_))));
        assert_eq!(desk.workspace.tokens(&stranger).await.expect("a list"), []);
        desk.workspace.revoke_token(&admin(), &info.id).await.expect("an administrator may");
        assert_eq!(desk.workspace.tokens(&admin()).await.expect("a list"), []);
    });
}

#[test]
fn the_bootstrap_token_is_made_once_and_stays_revoked() {
    on_every_engine(async |desk| {
        let token = Secret::new("dapi-of-the-first-start");
        let header = Some("Bearer dapi-of-the-first-start");
        desk.workspace.bootstrap_token(&token).await.expect("a token");
        desk.workspace.bootstrap_token(&token).await.expect("it is there");
        assert!(desk.workspace.authenticate(header).await.expect("a good token").administrator);
        let tokens = desk.workspace.tokens(&admin()).await.expect("a list");
        assert_eq!(tokens.len(), 1);
        desk.workspace.revoke_token(&admin(), &tokens[0].id).await.expect("it is there");
        desk.workspace.bootstrap_token(&token).await.expect("it is known");
        assert!(desk.workspace.authenticate(header).await.is_err());
    });
}

#[test]
fn jobs_are_made_changed_listed_and_deleted() {
    on_every_engine(async |desk| {
        let mut jobs = Vec::new();
        for name in ["one", "Two", "three"] {
            jobs.push(new_job(&desk, name, ApiVersion::V2_1).await);
            desk.clock.advance(Duration::from_secs(1));
        }
        let names = async |query: JobsQuery| {
            let page = desk.workspace.jobs(query).await.expect("a list");
            let names: Vec<String> = page.items.into_iter().map(|job| job.settings.name).collect();
            (names.join(" "), page.next)
        };
        let (first, next) = names(JobsQuery { limit: Some(2), ..JobsQuery::default() }).await;
        assert_eq!(first, "three Two");
        let rest = names(JobsQuery { page_token: next.clone(), ..JobsQuery::default() }).await;
        assert_eq!(rest, ("one".to_owned(), None));
        let page = desk.workspace.jobs(JobsQuery { page_token: next, ..JobsQuery::default() }).await.expect("a page");
        let back = names(JobsQuery { page_token: page.previous, limit: Some(1), ..JobsQuery::default() }).await;
        assert_eq!(back.0, "Two");
        assert_eq!(names(JobsQuery { name: Some("tWO".into()), ..JobsQuery::default() }).await.0, "Two");
        assert_eq!(names(JobsQuery { offset: Some(1), ..JobsQuery::default() }).await.0, "Two one");
        expect![[r"Invalid parameter-invalid: limit 101 is not between 1 and 100"]]
            .assert_eq(&refused(desk.workspace.jobs(JobsQuery { limit: Some(101), ..JobsQuery::default() }).await));
        expect![[r#"Invalid parameter-invalid: "x" is not a page token of this list"#]].assert_eq(&refused(
            desk.workspace.jobs(JobsQuery { page_token: Some("x".into()), ..JobsQuery::default() }).await,
        ));

        let mut wanted = settings("new name");
        wanted["run_as"] = json!({ "user_name": "bob" });
        expect![[r#"Invalid setting-not-supported: "run_as.user_name "bob"" is not supported by this workspace: it takes yourself, or a service principal by its application id; other people set it themselves"#]]
            .assert_eq(&refused(desk.workspace.reset_job(&admin(), jobs[0], wanted, ApiVersion::V2_1).await));
        desk.workspace.reset_job(&admin(), jobs[0], settings("newer"), ApiVersion::V2_2).await.expect("good settings");
        let job = desk.workspace.job(jobs[0]).await.expect("a job");
        assert_eq!((job.settings.name.as_str(), job.creator.as_str()), ("newer", "ada"));

        let change = json!({ "max_concurrent_runs": 7, "tasks": [
            { "task_key": "after", "depends_on": [{ "task_key": "main" }], "spark_python_task": { "python_file": "/y" } },
        ] });
        desk.workspace.update_job(&admin(), jobs[1], change, vec![]).await.expect("good settings");
        let job = desk.workspace.job(jobs[1]).await.expect("a job");
        assert_eq!((job.settings.max_concurrent_runs, job.settings.tasks.len()), (7, 2));
        assert_eq!(job.settings.queue, None, "an update over 2.2 does not bring a queue");
        desk.workspace
            .update_job(&admin(), jobs[1], json!({}), vec!["tasks/after".into(), "max_concurrent_runs".into()])
            .await
            .expect("good settings");
        let job = desk.workspace.job(jobs[1]).await.expect("a job");
        assert_eq!((job.settings.max_concurrent_runs, job.settings.tasks.len()), (1, 1));

        desk.workspace.delete_job(&admin(), jobs[2]).await.expect("it is there");
        let gone = refused(desk.workspace.job(jobs[2]).await);
        assert_eq!(gone, format!("NotFound job-not-found: Job {} does not exist.", jobs[2]));
        assert!(matches!(desk.workspace.delete_job(&admin(), jobs[2]).await, Err(Error::NoJob(_))));
        assert!(matches!(desk.workspace.run_now(&admin(), jobs[2], RunRequest::default()).await, Err(Error::NoJob(_))));
    });
}

#[test]
fn the_same_token_gives_the_same_run_for_ever() {
    on_every_engine(async |desk| {
        let job = new_job(&desk, "one", ApiVersion::V2_2).await;
        let other = new_job(&desk, "other", ApiVersion::V2_2).await;
        let run = async |job, token: &str| desk.workspace.run_now(&admin(), job, with_token(token)).await;
        let first = run(job, "t-1").await.expect("a run");
        assert_eq!(run(job, "t-1").await.expect("a run"), first);
        assert_ne!(run(job, "t-2").await.expect("a run"), first);
        assert_ne!(run(other, "t-1").await.expect("a run"), first, "a token is good for one job");

        let (a, b) = (run(job, "at once"), run(job, "at once"));
        let both = tokio::join!(a, b);
        assert_eq!(both.0.expect("a run"), both.1.expect("a run"));

        desk.workspace.cancel(&admin(), first).await.expect("a run");
        desk.workspace.delete_run(&admin(), first).await.expect("it is over");
        let expected = format!("the idempotency token belongs to run {first}, which was deleted");
        assert_eq!(run(job, "t-1").await.expect_err("it stays reserved").to_string(), expected);
        expect![[r"Invalid parameter-invalid: an idempotency token has 1 to 64 characters"]]
            .assert_eq(&refused(run(job, &"x".repeat(65)).await));

        let mut document = settings("ignored");
        document["run_name"] = json!("once");
        document["idempotency_token"] = json!("t-1");
        let submit = async || desk.workspace.submit(&admin(), document.clone(), ApiVersion::V2_1).await;
        let submitted = submit().await.expect("a run");
        assert_eq!(submit().await.expect("a run"), submitted);
        let view = desk.workspace.show_run(submitted).await.expect("a run");
        assert_eq!((view.name.as_str(), view.kind.as_str(), view.job), ("once", "SUBMIT_RUN", None));
    });
}

#[test]
fn one_run_too_many_is_skipped_or_queued() {
    on_every_engine(async |desk| {
        let run = async |job, queue| {
            let request = RunRequest { queue, ..RunRequest::default() };
            let run = desk.workspace.run_now(&admin(), job, request).await.expect("an answer is a run");
            desk.clock.advance(Duration::from_secs(1));
            run
        };
        let show = async |run| story(&desk.workspace.show_run(run).await.expect("a run"));
        let old = new_job(&desk, "over 2.1", ApiVersion::V2_1).await;
        let first = run(old, None).await;
        expect!["PENDING | PENDING | main#0: PENDING"].assert_eq(&show(first).await);
        let skipped = run(old, None).await;
        expect!["SKIPPED MAXIMUM_CONCURRENT_RUNS_REACHED | TERMINATED MAX_CONCURRENT_RUNS_EXCEEDED CLIENT_ERROR"]
            .assert_eq(&show(skipped).await);
        assert_eq!(desk.workspace.output(skipped).await.expect("an empty output").logs, "");
        let waiting = run(old, Some(true)).await;
        expect!["QUEUED | QUEUED | main#0: BLOCKED"].assert_eq(&show(waiting).await);

        let new = new_job(&desk, "over 2.2", ApiVersion::V2_2).await;
        let (a, b, c) = (run(new, None).await, run(new, None).await, run(new, None).await);
        expect!["QUEUED | QUEUED | main#0: BLOCKED"].assert_eq(&show(c).await);
        desk.workspace.cancel(&admin(), b).await.expect("a queued run can be cancelled");
        expect!["TERMINATED CANCELED | TERMINATED USER_CANCELED SUCCESS | main#0: TERMINATED CANCELED"]
            .assert_eq(&show(b).await);
        desk.workspace.cancel(&admin(), a).await.expect("an active run");
        expect!["PENDING | PENDING | main#0: PENDING"].assert_eq(&show(c).await);

        let mut none = settings("none at all");
        none["max_concurrent_runs"] = json!(0);
        let none = desk.workspace.create_job(&admin(), none, ApiVersion::V2_2).await.expect("good settings");
        assert!(show(run(none, None).await).await.starts_with("SKIPPED"));

        let counts = desk.workspace.run_counts().await.expect("counts");
        assert_eq!((counts.queued, counts.active, counts.canceled, counts.skipped), (1, 2, 2, 2));

        let ids = async |query: RunsQuery| {
            let page = desk.workspace.runs(query).await.expect("a list");
            (page.items.iter().map(|view| view.run).collect::<Vec<_>>(), page.next)
        };
        let of_new = RunsQuery { job: Some(new), limit: Some(2), ..RunsQuery::default() };
        let (newest, next) = ids(of_new.clone()).await;
        assert_eq!(newest, [c, b]);
        assert_eq!(ids(RunsQuery { page_token: next, ..of_new }).await, (vec![a], None));
        let active = RunsQuery { active: Some(true), job: Some(old), ..RunsQuery::default() };
        assert_eq!(ids(active).await.0, [waiting, first]);
        let over = RunsQuery { active: Some(false), job: Some(old), ..RunsQuery::default() };
        assert_eq!(ids(over).await.0, [skipped]);
    });
}

#[test]
fn parameters_must_reach_a_task() {
    on_every_engine(async |desk| {
        let mut with_reference = settings("one");
        with_reference["tasks"][0]["spark_python_task"]["parameters"] = json!(["{{job.parameters.case_id}}"]);
        let job = desk.workspace.create_job(&admin(), with_reference, ApiVersion::V2_1).await.expect("good settings");
        let run = async |request| desk.workspace.run_now(&admin(), job, request).await;
        expect![[r#"Invalid parameter-invalid: "case_id" is not a parameter of the job, and the run does not set it"#]]
            .assert_eq(&refused(run(RunRequest::default()).await));
        let id = run(with_parameters(&[("case_id", "1")])).await.expect("a run");
        let view = desk.workspace.show_run(id).await.expect("a run");
        assert_eq!(view.job_parameters[0].value.as_deref(), Some("1"));
        let python = |text: &str| RunRequest {
            overriding: Overriding { python_params: Some(vec![text.to_owned()]), ..Overriding::default() },
            ..RunRequest::default()
        };
        run(python("plain")).await.expect("a list of its own needs no reference");
        let mut number_as_token = settings("two");
        number_as_token["idempotency_token"] = json!(17);
        expect![[r#"Invalid parameter-invalid: "idempotency_token" must be a text"#]]
            .assert_eq(&refused(desk.workspace.submit(&admin(), number_as_token, ApiVersion::V2_1).await));
        expect![[r#"Invalid parameter-invalid: "python_params" may only hold ASCII: use "job_parameters""#]]
            .assert_eq(&refused(run(python("größer")).await));
        expect![[
            r#"Invalid parameter-invalid: parameters have at most 10000 bytes as JSON, and "job_parameters" has 10014"#
        ]]
        .assert_eq(&refused(run(with_parameters(&[("case_id", &"x".repeat(10_000))])).await));
        let empty = desk.workspace.create_job(&admin(), json!({}), ApiVersion::V2_1).await.expect("good settings");
        expect![[r"Invalid job-settings-invalid: the job settings are not valid: there are no tasks to run"]]
            .assert_eq(&refused(desk.workspace.run_now(&admin(), empty, RunRequest::default()).await));
    });
}

#[test]
fn secrets_go_in_and_do_not_come_out() {
    on_every_engine(async |desk| {
        let value = Secret::new("geheim");
        let put = async |scope: &str, key: &str| desk.workspace.put_secret(&admin(), scope, key, &value).await;
        assert!(matches!(put("none", "a").await, Err(Error::NoScope(_))));
        desk.workspace.create_scope(&admin(), "s").await.expect("a new scope");
        assert!(matches!(desk.workspace.create_scope(&admin(), "s").await, Err(Error::ScopeExists(_))));
        put("s", "a").await.expect("a scope");
        put("s", "a").await.expect("a new value");
        let refused_key = refused(put("s", "not/a/key").await);
        assert!(refused_key.contains("is not a key of a secret"), "{refused_key}");
        let listed = desk.workspace.secrets("s").await.expect("a list");
        assert_eq!(listed.iter().map(|secret| secret.key.as_str()).collect::<Vec<_>>(), ["a"]);
        desk.workspace.delete_secret(&admin(), "s", "a").await.expect("it is there");
        assert_eq!(desk.workspace.secrets("s").await.expect("a list"), []);
        desk.workspace.delete_scope(&admin(), "s").await.expect("it is there");
        assert_eq!(desk.workspace.scopes().await.expect("a list"), []);
        assert_eq!(desk.workspace.secrets("s").await.expect_err("it is gone").kind(), Kind::NotFound);
    });
}

#[test]
fn files_go_in_and_come_out() {
    on_every_engine(async |desk| {
        let import = async |path: &str, overwrite| {
            desk.workspace.import_file(&admin(), path, b"print(1)".to_vec(), overwrite).await
        };
        import("/Shared/x.py", false).await.expect("a new file");
        assert!(matches!(import("/Workspace/Shared/x.py", false).await, Err(Error::FileExists(_))));
        import("/Shared/x.py", true).await.expect("an overwrite");
        assert_eq!(desk.workspace.export_file("/Shared/x.py").await.expect("a file"), b"print(1)");
        expect![[r#"Invalid workspace-path-invalid: "/Shared/../../x" is not a path of this workspace: "." and ".." are not followed"#]]
            .assert_eq(&refused(import("/Shared/../../x", true).await));
        expect![[r#"NotFound file-not-found: there is no file "/Shared/y.py" in the workspace"#]]
            .assert_eq(&refused(desk.workspace.export_file("/Shared/y.py").await));
        let large = desk.workspace.import_file(&admin(), "/x", vec![0; 10 * 1024 * 1024 + 1], true).await;
        assert_eq!(large.expect_err("too large").kind(), Kind::TooLarge);
    });
}
