//! Packages that are installed for a task, tokens and limits of its process.

use expect_test::expect;
use serde_json::{Value as Json, json};

use super::{House, admin, story};
use crate::{ApiVersion, Limits, LogPlace, Options, Overriding, RunRequest, RunView};

/// A house with a real interpreter, whose installer asks no index.
fn house() -> House {
    House::with(Options { pip_arguments: vec!["--no-index".into()], ..Options::default() })
}

/// Makes a wheel of a package `greet` whose program is `source`.
async fn wheel(house: &House, path: &str, source: &str) {
    const MAKE: &str = r#"
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    info = "greet-1.0.dist-info/"
    files = {
        "greet/__init__.py": sys.argv[2],
        info + "METADATA": "Metadata-Version: 2.1\nName: greet\nVersion: 1.0\n",
        info + "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        info + "entry_points.txt": "[console_scripts]\nhello = greet:main\n",
    }
    record = "".join(name + ",,\n" for name in [*files, info + "RECORD"])
    for name, text in {**files, info + "RECORD": record}.items():
        wheel.writestr(name, text)
"#;
    let place = tempfile::tempdir().expect("a temporary folder");
    let file = place.path().join("greet-1.0-py3-none-any.whl");
    let made = std::process::Command::new("python3").args(["-c", MAKE]).arg(&file).arg(source).status();
    assert!(made.expect("there is a Python").success());
    let bytes = std::fs::read(file).expect("the wheel was made");
    house.workspace.import_file(&admin(), path, bytes, true).await.expect("it can be stored");
}

const GREET: &str =
    "import sys\ndef main():\n    print('hello', *sys.argv[1:])\ndef shout():\n    print('HELLO', *sys.argv[1:])\n";
const WHEEL: &str = "/Shared/greet-1.0-py3-none-any.whl";

impl House {
    async fn run_wheel(&self, body: Json, more: Json, overriding: Overriding) -> RunView {
        let mut task = json!({ "task_key": "main", "python_wheel_task": body, "libraries": [{ "whl": WHEEL }] });
        for (name, value) in more.as_object().expect("fields") {
            task[name] = value.clone();
        }
        let environment = json!({ "environment_key": "e", "spec": { "client": "1", "dependencies": [WHEEL] } });
        let job = self.job_of(json!({ "tasks": [task], "environments": [environment] })).await;
        let request = RunRequest { overriding, ..RunRequest::default() };
        let run = self.workspace.run_now(&admin(), job, request).await.expect("the job can run");
        self.until_ended(run).await
    }

    async fn told(&self, view: &RunView) -> String {
        let output = self.workspace.output(view.run).await.expect("an output");
        output.error.unwrap_or(output.logs)
    }
}

#[tokio::test]
async fn a_function_of_a_wheel_is_called() {
    let house = house();
    wheel(&house, WHEEL, GREET).await;
    let body =
        |entry_point: &str| json!({ "package_name": "greet", "entry_point": entry_point, "parameters": ["a", "b"] });
    let view = house.run_wheel(body("hello"), json!({}), Overriding::default()).await;
    assert_eq!(house.told(&view).await, "hello a b\n");
    let in_environment = json!({ "environment_key": "e", "libraries": [] });
    let view = house.run_wheel(body("shout"), in_environment, Overriding::default()).await;
    assert_eq!(house.told(&view).await, "HELLO a b\n");
    let named =
        json!({ "package_name": "greet", "entry_point": "hello", "named_parameters": { "case": "1", "days": "5" } });
    let python_named_params = [("case".to_owned(), "4711".to_owned())].into();
    let overriding = Overriding { python_named_params, ..Overriding::default() };
    let view = house.run_wheel(named, json!({}), overriding).await;
    assert_eq!(house.told(&view).await, "hello --case=4711 --days=5\n");
    let view = house.run_wheel(body("other"), json!({}), Overriding::default()).await;
    assert_eq!(house.told(&view).await, "package \"greet\" has neither an entry point nor a function \"other\"");
    let environments = house.workspace.folder.join("environments");
    assert_eq!(std::fs::read_dir(&environments).expect("a folder").count(), 1, "all of them share one environment");

    wheel(&house, WHEEL, &GREET.replace("hello", "good day")).await;
    let view = house.run_wheel(body("hello"), json!({}), Overriding::default()).await;
    assert_eq!(house.told(&view).await, "good day a b\n");
    assert_eq!(std::fs::read_dir(&environments).expect("a folder").count(), 2);
}

#[tokio::test]
async fn what_cannot_be_installed_fails_the_task_by_name() {
    let house = house();
    let body = json!({ "package_name": "greet", "entry_point": "hello" });
    let missing = json!({ "libraries": [{ "pypi": { "package": "no-such-package==1" } }] });
    let view = house.run_wheel(body.clone(), missing, Overriding::default()).await;
    expect!["INTERNAL_ERROR FAILED | TERMINATED RUN_EXECUTION_ERROR CLIENT_ERROR | main#0: TERMINATED FAILED"]
        .assert_eq(&story(&view));
    expect!["the process could not be started: no-such-package==1 could not be installed: ERROR: No matching distribution found for no-such-package==1"]
        .assert_eq(&house.told(&view).await);
    let view = house.run_wheel(body, json!({}), Overriding::default()).await;
    let expected = format!("the process could not be started: there is no file \"{WHEEL}\" in the workspace");
    assert_eq!(house.told(&view).await, expected);
}

#[tokio::test]
async fn a_notebook_installs_what_it_needs() {
    let house = house();
    wheel(&house, WHEEL, GREET).await;
    let file = house.workspace.files_folder().join(WHEEL.trim_start_matches('/'));
    let source = format!(
        "# Databricks notebook source\n# MAGIC %pip install {}\n\n# COMMAND ----------\n\nimport greet\ngreet.shout()",
        file.display()
    );
    house.script("/Shared/nb.py", &source).await;
    let tasks = json!({ "tasks": [{ "task_key": "main", "notebook_task": { "notebook_path": "/Shared/nb" } }] });
    let run = house.workspace.submit(&admin(), tasks, ApiVersion::V2_2).await.expect("good settings");
    let view = house.until_ended(run).await;
    assert_eq!(view.state.result, Some("SUCCESS"), "{}", house.told(&view).await);
    let printed = house.workspace.logs(view.tasks[0].run, LogPlace::default()).await.expect("a log").output;
    assert_eq!(printed, "HELLO\n");
}

#[tokio::test]
async fn a_task_acts_for_whoever_its_job_is_of_and_only_while_it_runs() {
    let house = House::new();
    let gate = house.gate("gate");
    let script = "echo $DATABRICKS_HOST $DATABRICKS_TOKEN; echo $DATABRICKS_TOKEN > token; echo up; read go < $1";
    let task = json!({ "spark_python_task": { "python_file": "/Shared/task.sh", "parameters": [gate.to_string()] } });
    let job = house.job(script, task).await;
    let other = base::Actor { id: "u-2".into(), name: "bob".into(), administrator: false, ..admin() };
    let run = house.workspace.run_now(&other, job, RunRequest::default()).await.expect("a run");
    house.until_printed(run, "up").await;
    let logs = house.workspace.output(run).await.expect("an output").logs;
    assert_eq!(logs, "http://127.0.0.1:8081 [REDACTED]\nup\n");
    let token = std::fs::read_to_string(house.workspace.files_folder().join("Shared/token")).expect("a token");
    let header = format!("Bearer {}", token.trim());
    let actor = house.workspace.authenticate(Some(&header)).await.expect("a good token");
    assert_eq!(actor, admin(), "the job is hers, whoever runs it");
    assert_eq!(house.workspace.tokens(&admin()).await.expect("a list"), [], "it is in no list");
    house.workspace.cancel(&admin(), run).await.expect("a run");
    house.until_ended(run).await;
    assert!(house.workspace.authenticate(Some(&header)).await.is_err(), "it ended with its task");
}

#[tokio::test]
async fn a_process_gets_no_more_than_its_limits() {
    let limits = Limits { open_files: 64, ..Limits::default() };
    let house = House::with(Options { limits, ..Options::default() });
    let script = "import resource, time\nwhile resource.getrlimit(resource.RLIMIT_NOFILE)[0] != 64:\n    time.sleep(0.001)\nopen_files = [open('/dev/null') for _ in range(100)]\n";
    let job = house.job(script, json!({})).await;
    let view = house.until_ended(house.run_now(job).await).await;
    let error = house.told(&view).await;
    assert!(error.starts_with("OSError: [Errno 24] Too many open files"), "{error}");
}

#[tokio::test]
async fn a_file_of_a_volume_runs_too() {
    let house = House::new();
    let place = house.workspace.volume_path("/Volumes/loopwright/orders/in/task.sh").expect("a path of a volume");
    std::fs::create_dir_all(place.parent().expect("a folder")).expect("the disk is there");
    std::fs::write(place, "echo from $LOOPWRIGHT_VOLUMES").expect("the disk is there");
    let task = json!({ "spark_python_task": { "python_file": "dbfs:/Volumes/loopwright/orders/in/task.sh" } });
    let job = house.job("true", task).await;
    let view = house.until_ended(house.run_now(job).await).await;
    assert_eq!(house.told(&view).await, format!("from {}\n", house.workspace.volumes_folder().display()));
}
