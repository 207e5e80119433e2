//! Notebooks that really run: what they are given, what they leave, how they fail.

use base::Secret;
use expect_test::{Expect, expect};
use serde_json::{Value as Json, json};

use super::{House, admin, story};
use crate::output::LogPlace;
use crate::view::BodyOutput;
use crate::{Options, Overriding, RunId, RunRequest, RunView};

/// A house with a real interpreter.
fn house() -> House {
    House::with(Options::default())
}

impl House {
    /// Runs a notebook; `more` are fields of its body.
    async fn notebook(&self, source: &str, more: Json, overriding: Overriding) -> RunView {
        self.script("/Shared/nb.py", source).await;
        let mut body = json!({ "notebook_path": "/Shared/nb" });
        for (name, value) in more.as_object().expect("fields") {
            body[name] = value.clone();
        }
        let job = self.job_of(json!({ "tasks": [{ "task_key": "main", "notebook_task": body }] })).await;
        let request = RunRequest { overriding, ..RunRequest::default() };
        let run = self.workspace.run_now(&admin(), job, request).await.expect("the job can run");
        self.until_ended(run).await
    }

    /// What a notebook ended with.
    async fn exit_of(&self, view: &RunView) -> String {
        let output = self.workspace.output(view.run).await.expect("an output");
        assert_eq!(output.logs, "", "logs of notebooks are not told");
        match output.of_body {
            BodyOutput::Notebook { exit: Some((value, false)) } => value,
            other => panic!("{other:?} {:?} {:?}", output.error, output.error_trace),
        }
    }

    async fn printed(&self, run: RunId) -> String {
        self.workspace.logs(run, LogPlace::default()).await.expect("a log").output
    }
}

const SCORE: &str = "# Databricks notebook source
# MAGIC %md
# MAGIC # Scores a case

# COMMAND ----------

# DBTITLE 1,What we are given
dbutils.widgets.text('case_id', 'none')
dbutils.widgets.text('days', '5')
case, days = dbutils.widgets.get('case_id'), int(dbutils.widgets.get('days'))

# COMMAND ----------

score = days * 2
print('scored', case)
dbutils.notebook.exit(f'{case}:{score}')

# COMMAND ----------

raise RuntimeError('nobody comes here')
";

#[tokio::test]
async fn a_notebook_is_given_widgets_and_ends_with_a_value() {
    let house = house();
    let plain = house.notebook(SCORE, json!({}), Overriding::default()).await;
    expect!["TERMINATED SUCCESS | TERMINATED SUCCESS SUCCESS | main#0: TERMINATED SUCCESS"].assert_eq(&story(&plain));
    assert_eq!(house.exit_of(&plain).await, "none:10");
    assert_eq!(house.printed(plain.tasks[0].run).await, "scored none\n");

    // The page shows what ran, and not what the notebook is by now.
    house.script("/Shared/nb.py", "print('another one')").await;
    let page = house.workspace.export_run(plain.run).await.expect("a page");
    assert_eq!(page.name, "nb");
    for shown in ["score = days * 2", "scored none", "Notebook exited"] {
        assert!(page.html.contains(shown), "{shown}: {}", page.html);
    }
    let base = json!({ "base_parameters": { "case_id": "{{task.name}}", "days": "7" } });
    let view = house.notebook(SCORE, base.clone(), Overriding::default()).await;
    assert_eq!(house.exit_of(&view).await, "main:14");

    let notebook_params = [("case_id".to_owned(), "4711".to_owned())].into();
    let view = house.notebook(SCORE, base, Overriding { notebook_params, ..Overriding::default() }).await;
    assert_eq!(house.exit_of(&view).await, "4711:14");

    // The program decides, nothing else.
    let changed = SCORE.replace("days * 2", "days * 3");
    let view = house.notebook(&changed, json!({}), Overriding::default()).await;
    assert_eq!(house.exit_of(&view).await, "none:15");
}

async fn check_fails(source: &str, expected_error: Expect, expected_trace: Expect) {
    let house = house();
    let view = house.notebook(source, json!({}), Overriding::default()).await;
    assert_eq!(view.tasks[0].state.result, Some("FAILED"));
    let output = house.workspace.output(view.run).await.expect("an output");
    expected_error.assert_eq(&output.error.unwrap_or_default());
    // Newer interpreters mark the place within a line.
    let is_mark = |line: &&str| !line.is_empty() && line.chars().all(|letter| " ~^".contains(letter));
    let trace = output.error_trace.unwrap_or_default();
    let trace: Vec<&str> = trace.lines().filter(|line| !is_mark(line)).collect();
    expected_trace.assert_eq(&trace.join("\n"));
}

#[tokio::test]
async fn an_error_names_the_cell() {
    let source =
        "# Databricks notebook source\ndef f(x):\n    return 1 / x\n\n# COMMAND ----------\n\nprint('before')\nf(0)\n";
    check_fails(
        source,
        expect!["ZeroDivisionError: division by zero (in /Shared/nb, cell 2)"],
        expect![[r#"
            Traceback (most recent call last):
              File "/Shared/nb, cell 2", line 3, in <module>
                f(0)
              File "/Shared/nb, cell 1", line 2, in f
                return 1 / x
            ZeroDivisionError: division by zero (in /Shared/nb, cell 2)"#]],
    )
    .await;
}

#[tokio::test]
async fn what_is_not_there_says_what_to_do() {
    check_fails(
        "spark.sql('SELECT 1')",
        expect![[r#"NotebookError: there is no Spark: set "spark_remote" in the configuration of the server to a Spark Connect endpoint, such as "sc://127.0.0.1:15002" (in /Shared/nb, cell 1)"#]],
        expect![[r#"
            Traceback (most recent call last):
              File "/Shared/nb, cell 1", line 1, in <module>
                spark.sql('SELECT 1')
            NotebookError: there is no Spark: set "spark_remote" in the configuration of the server to a Spark Connect endpoint, such as "sc://127.0.0.1:15002" (in /Shared/nb, cell 1)"#]],
    )
    .await;
    check_fails(
        "dbutils.widgets.get('other')",
        expect![[r#"ValueError: there is no widget "other": declare it, or give the run a parameter of that name (in /Shared/nb, cell 1)"#]],
        expect![[r#"
            Traceback (most recent call last):
              File "/Shared/nb, cell 1", line 1, in <module>
                dbutils.widgets.get('other')
            ValueError: there is no widget "other": declare it, or give the run a parameter of that name (in /Shared/nb, cell 1)"#]],
    )
    .await;
    check_fails(
        "# Databricks notebook source\n# MAGIC %scala\n# MAGIC val x = 1",
        expect![[r#"NotebookError: a cell in "%scala" cannot be run here: python, sql, md, pip, run, sh and fs can (in /Shared/nb, cell 1)"#]],
        expect![[r#"
            Traceback (most recent call last):
              File "/Shared/nb, cell 1"
            NotebookError: a cell in "%scala" cannot be run here: python, sql, md, pip, run, sh and fs can (in /Shared/nb, cell 1)"#]],
    )
    .await;
}

#[tokio::test]
async fn another_notebook_runs_in_the_same_names() {
    let house = house();
    house.script("/Shared/lib/rates.py", "# Databricks notebook source\nrate = 3").await;
    let source = "# Databricks notebook source\n# MAGIC %run ./lib/rates\n\n# COMMAND ----------\n\ndbutils.notebook.exit(rate * 2)";
    let view = house.notebook(source, json!({}), Overriding::default()).await;
    assert_eq!(house.exit_of(&view).await, "6");
}

#[tokio::test]
async fn secrets_are_there_by_name_and_do_not_come_out() {
    let house = house();
    house.workspace.create_scope(&admin(), "loopwright").await.expect("a new scope");
    let secret = Secret::new("sehr-geheim");
    house.workspace.put_secret(&admin(), "loopwright", "key", &secret).await.expect("a new secret");
    house.workspace.put_secret(&admin(), "loopwright", "pin", &Secret::new("11")).await.expect("a new secret");
    let source = "key = dbutils.secrets.get('loopwright', 'key')
print('before 11')
pin = dbutils.secrets.get('loopwright', 'pin')
print('the pin is', pin)
print('the key is', key, 'and has', len(key))
print(dbutils.secrets.list('loopwright'))
import subprocess
subprocess.run(['echo', key])
dbutils.notebook.exit(key)";
    let view = house.notebook(source, json!({}), Overriding::default()).await;
    assert_eq!(house.exit_of(&view).await, "[REDACTED]");
    expect![[r"
        before 11
        the pin is [REDACTED]
        the key is [REDACTED] and has [REDACTED]
        [SecretMetadata(key='key'), SecretMetadata(key='pin')]
        [REDACTED]
    "]]
    .assert_eq(&house.printed(view.tasks[0].run).await);
    let folder = house.workspace.task_folder(view.run, view.tasks[0].run).path;
    let mut places = vec![folder.clone(), folder.join("out")];
    while let Some(place) = places.pop() {
        for file in std::fs::read_dir(place).expect("a folder").map(|file| file.expect("a file").path()) {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            assert!(!text.contains("sehr-geheim"), "{} holds the secret", file.display());
        }
    }
}

#[tokio::test]
async fn a_long_exit_value_is_cut() {
    let house = house();
    let view = house.notebook("dbutils.notebook.exit('ä' * 3_000_000)", json!({}), Overriding::default()).await;
    let output = house.workspace.output(view.run).await.expect("an output");
    let BodyOutput::Notebook { exit: Some((value, true)) } = output.of_body else { panic!("{output:?}") };
    assert_eq!(value.len(), 5 * 1024 * 1024);
}

#[tokio::test]
async fn a_task_has_no_secret_that_its_owner_may_not_read() {
    let house = house();
    house.workspace.create_scope(&admin(), "private").await.expect("a new scope");
    house.workspace.put_secret(&admin(), "private", "key", &Secret::new("geheim")).await.expect("a new secret");
    let bob = base::Actor { id: "u-2".into(), name: "bob".into(), administrator: false, ..admin() };
    house.script("/Shared/nb.py", "dbutils.secrets.get('private', 'key')").await;
    let variables = json!({ "spark_env_vars": { "KEY": "{{secrets/private/key}}" } });
    for (cluster, expected) in [
        (json!({}), "ValueError: there is no secret scope \"private\" that this run may read (in /Shared/nb, cell 1)"),
        (
            variables,
            "the process could not be started: secret \"private/key\" cannot be used: bob does not have READ permission on secret scope \"private\"",
        ),
    ] {
        let task =
            json!({ "task_key": "main", "new_cluster": cluster, "notebook_task": { "notebook_path": "/Shared/nb" } });
        let job = house.workspace.create_job(&bob, json!({ "tasks": [task] }), crate::ApiVersion::V2_1).await;
        // It does not help that somebody runs it who may.
        let run = house.run_now(job.expect("good settings")).await;
        house.until_ended(run).await;
        let error = house.workspace.output(run).await.expect("an output").error;
        assert_eq!(error.as_deref(), Some(expected));
    }
}
