//! The story that the demo tells, chapter by chapter, and what it verifies.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value as Json, json};

use super::example::{self, FLOW, MODEL, POOL, TABLE, TRIGGER};
use super::receiver::Receiver;
use super::replay::Replay;
use super::report::Report;
use super::server::{Server, ServerPlan};
use crate::apply;
use crate::cli::say;
use crate::client::{Client, segment};

/// Time that everything in flight has to come to rest after the last step.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(75);
/// Time that a task has to print its first line.
const FIRST_LINE_TIMEOUT: Duration = Duration::from_secs(20);
/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The demo under way.
pub(super) struct Story {
    server: Server,
    main: Client,
    workspace: Client,
    receiver: Receiver,
    pool: String,
    replay: Replay,
    subscription: String,
    report: Report,
}

/// The task that was running when the server was killed.
struct Interrupted {
    run_id: i64,
    first_line: String,
}

impl Story {
    /// Pushes the history, brings the example into being and subscribes.
    pub(super) async fn begin(server: Server, plan: &ServerPlan, receiver: Receiver) -> Result<Self> {
        let main = Client::new(&server.url(), Some(&plan.app_key));
        let workspace = Client::bearer(&server.workspace_url(), &plan.workspace_token);
        let pool = main.post("/api/v1/pools", &json!({ "name": POOL })).await?;
        let pool = pool["id"].as_str().ok_or_else(|| anyhow!("the server did not name the pool"))?.to_owned();

        let mut replay = Replay::new(&pool)?;
        let rows = replay.history(&main).await?;
        say(&format!("history is in: {rows} rows before {}", example::HISTORY_ENDS));

        let folder = example::unpack(&plan.data)?;
        let values = BTreeMap::from([
            ("LOOPWRIGHT_APP_KEY".to_owned(), plan.app_key.clone()),
            ("LOOPWRIGHT_WORKSPACE_TOKEN".to_owned(), plan.workspace_token.clone()),
        ]);
        let environment = apply::Environment::default();
        let target = apply::Target { main: &main, workspace: Some(&workspace), values, environment, dry_run: false };
        apply::apply(&folder, target, &mut |line| say(&format!("  {line}"))).await?;

        let subscription = receiver.subscribe(&main, MODEL, TRIGGER).await?;
        say(&format!("a subscription sends every signal to {}", receiver.address()));
        let report = Report {
            pool: pool.clone(),
            history_ends: example::HISTORY_ENDS.to_owned(),
            step_seconds: example::STEP_SECONDS,
            steps: example::STEPS,
            ..Report::default()
        };
        Ok(Story { server, main, workspace, receiver, pool, replay, subscription, report })
    }

    /// Plays the live part, kills the server in its middle, waits until all
    /// is at rest, and reads everything back.
    pub(super) async fn tell(mut self) -> Result<(Server, Report)> {
        let begun = Instant::now();
        let mut interrupted = None;
        while self.replay.step(&self.main).await? {
            if interrupted.is_none()
                && let Some(task) = self.first_line_of_a_task().await?
            {
                say(&format!("run {} has printed \"{}\": the server is killed", task.run_id, task.first_line));
                self.server = self.server.kill_and_start_again().await?;
                say("the server is up again on the same folder");
                interrupted = Some(task);
            }
        }
        let Some(interrupted) = interrupted else { bail!("no signal fired, so there was nothing to interrupt") };
        say("the log is played; waiting for the last deliveries and runs");
        self.settle().await?;
        self.read_back(&interrupted).await?;
        self.report.seconds = begun.elapsed().as_secs_f64();
        Ok((self.server, self.report))
    }

    async fn signals(&self) -> Result<u64> {
        let status = self.main.get("/api/v1/status").await?;
        Ok(status["signals"].as_u64().unwrap_or(0))
    }

    /// Waits until some running task has printed something; returns nothing
    /// as soon as no run is under way.
    async fn first_line_of_a_task(&self) -> Result<Option<Interrupted>> {
        let begun = Instant::now();
        while begun.elapsed() < FIRST_LINE_TIMEOUT {
            if !self.something_is_under_way().await? {
                return Ok(None);
            }
            let runs = self.workspace.get("/api/2.1/jobs/runs/list?active_only=true&expand_tasks=true").await?;
            for run in runs["runs"].as_array().into_iter().flatten() {
                let (Some(run_id), Some(task)) = (run["run_id"].as_i64(), run["tasks"][0]["run_id"].as_i64()) else {
                    continue;
                };
                let output = self.workspace.get(&format!("/api/2.1/jobs/runs/get-output?run_id={task}")).await?;
                let logs = output["logs"].as_str().unwrap_or_default();
                let still_runs = output["metadata"]["state"]["life_cycle_state"] == "RUNNING";
                if let Some(line) = logs.lines().next().filter(|_| still_runs) {
                    return Ok(Some(Interrupted { run_id, first_line: line.to_owned() }));
                }
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        bail!("no task printed a line within {} s", FIRST_LINE_TIMEOUT.as_secs())
    }

    /// Tells whether some signal has not yet led to the end of a run.
    async fn something_is_under_way(&self) -> Result<bool> {
        let status = self.main.get("/api/v1/status").await?;
        Ok(status["signals"].as_u64() > Some(ended_runs(&status)))
    }

    /// Waits until every signal was delivered and every run has ended.
    async fn settle(&self) -> Result<()> {
        let begun = Instant::now();
        let mut last = String::new();
        while begun.elapsed() < SETTLE_TIMEOUT {
            let status = self.main.get("/api/v1/status").await?;
            let signals = status["signals"].as_u64().unwrap_or(0);
            let ended = ended_runs(&status);
            let received = *self.receiver.count().borrow();
            if received == signals && ended == signals {
                return Ok(());
            }
            last = format!("{signals} signals, {received} received, runs {}", status["runs"]);
            tokio::time::sleep(LOOK_AGAIN * 5).await;
        }
        bail!("not at rest after {} s: {last}", SETTLE_TIMEOUT.as_secs())
    }

    /// Reads everything back and notes what holds.
    async fn read_back(&mut self, interrupted: &Interrupted) -> Result<()> {
        let rows = self.count(&format!("SELECT count(*) AS n FROM \"{TABLE}\"")).await?;
        let expected = self.replay.rows() as u64;
        self.report.check("every row of the log is in its table", rows == expected, format!("{rows} of {expected}"));

        let signals = self.signals().await?;
        let cases = self.count("SELECT count(DISTINCT case_id) AS n FROM \"RecommendedActions\"").await?;
        let book = self.receiver.book();
        self.report.check(
            "the trigger fired, each time once",
            signals > 20 && signals == distinct(&book.events, |event| event["event"]["id"].to_string()),
            format!("{signals} signals for {cases} cases"),
        );
        let own = self.main.get(&format!("/api/v1/subscriptions/{}", segment(&self.subscription))).await?;
        let delivered = own["delivered"].as_u64().unwrap_or(0);
        let trouble = book.complaints.join("; ");
        self.report.check(
            "each event came signed, in the order of its offset",
            trouble.is_empty() && book.events.len() as u64 == signals && delivered == signals,
            if trouble.is_empty() { format!("{delivered} delivered, {} repeated", book.repeats) } else { trouble },
        );
        self.check_subscription(signals).await?;
        self.check_runs(signals, interrupted).await?;
        self.check_tables(signals).await?;
        self.report.events = book.events;
        Ok(())
    }

    async fn check_subscription(&mut self, signals: u64) -> Result<()> {
        let page = self.main.get("/intelligence/api/subscriptions").await?;
        let mut all = page["content"].as_array().into_iter().flatten();
        let own = all.find(|listed| listed["id"] == self.subscription.as_str());
        let own = own.ok_or_else(|| anyhow!("the subscription is gone"))?;
        let (status, offset) = (own["status"].as_str().unwrap_or_default().to_owned(), own["offset"].as_u64());
        let last = self.receiver.book().events.last().and_then(|event| event["offset"].as_u64());
        self.report.check(
            "the subscription is active and has nothing left to send",
            status == "active" && offset == last && last.is_some(),
            format!("{status}, offset {} after {signals} events", offset.unwrap_or(0)),
        );
        Ok(())
    }

    async fn check_runs(&mut self, signals: u64, interrupted: &Interrupted) -> Result<()> {
        let runs = self.main.get(&format!("/api/v1/flows/{}/runs?limit=1000", segment(FLOW))).await?;
        let runs: Vec<Json> = runs.as_array().cloned().unwrap_or_default();
        let succeeded = runs.iter().filter(|run| run["outcome"] == "success").count() as u64;
        self.report.check(
            "the flow ran once for every signal and succeeded",
            runs.len() as u64 == signals && succeeded == signals,
            format!("{} runs, {succeeded} succeeded", runs.len()),
        );

        let job_runs = self.job_runs().await?;
        let done = job_runs.iter().filter(|run| run["state"]["result_state"] == "SUCCESS").count() as u64;
        self.report.check(
            "the job ran once for every signal, no run twice",
            job_runs.len() as u64 == signals && done == signals,
            format!("{} job runs, {done} succeeded", job_runs.len()),
        );

        let run = self.workspace.get(&format!("/api/2.1/jobs/runs/get?run_id={}", interrupted.run_id)).await?;
        let task = &run["tasks"][0];
        let output = format!("/api/2.1/jobs/runs/get-output?run_id={}", task["run_id"]);
        let output = self.workspace.get(&output).await?;
        let logs = output["logs"].as_str().unwrap_or_default();
        let went_on = run["state"]["result_state"] == "SUCCESS"
            && logs.lines().next() == Some(interrupted.first_line.as_str())
            && logs.lines().count() > 1;
        self.report.check(
            "the run that was under way when the server was killed went on",
            went_on,
            format!("run {}, attempt {}, {}", interrupted.run_id, task["attempt_number"], run["state"]["result_state"]),
        );
        Ok(())
    }

    /// Reads all job runs, page by page.
    async fn job_runs(&self) -> Result<Vec<Json>> {
        let mut all = Vec::new();
        let mut page = String::new();
        loop {
            let answer = self.workspace.get(&format!("/api/2.1/jobs/runs/list?limit=24{page}")).await?;
            all.extend(answer["runs"].as_array().into_iter().flatten().cloned());
            match answer["next_page_token"].as_str() {
                Some(token) if !token.is_empty() => page = format!("&page_token={}", segment(token)),
                _ => return Ok(all),
            }
        }
    }

    async fn check_tables(&mut self, signals: u64) -> Result<()> {
        let actions = self.main.sql(&self.pool, "SELECT * FROM \"RecommendedActions\"").await?;
        let audit = self.main.sql(&self.pool, "SELECT * FROM \"ScoringAudit\"").await?;
        let run_of = |row: &Json| row["run_id"].to_string().trim_matches('"').to_owned();
        let acted: BTreeSet<String> = actions.iter().map(run_of).collect();
        let audited: BTreeSet<String> = audit.iter().map(run_of).collect();
        self.report.check(
            "the flow pushed one recommended action per run back into the pool",
            actions.len() as u64 == signals && acted.len() == actions.len(),
            format!("{} rows", actions.len()),
        );
        self.report.check(
            "each job run left exactly one row in the audit table, of the same run",
            audit.len() as u64 == signals && audited == acted,
            format!("{} rows", audit.len()),
        );
        for table in [TABLE, "RecommendedActions", "ScoringAudit"] {
            let path = format!("/api/v1/pools/{}/tables/{table}/flush", segment(&self.pool));
            self.main.post(&path, &json!({})).await.context("a table cannot be brought to rest")?;
        }
        self.report.actions = actions;
        self.report.audit = audit;
        Ok(())
    }

    async fn count(&self, query: &str) -> Result<u64> {
        let rows = self.main.sql(&self.pool, query).await?;
        rows.first().and_then(|row| row["n"].as_u64()).ok_or_else(|| anyhow!("\"{query}\" returned no number"))
    }
}

fn ended_runs(status: &Json) -> u64 {
    ["succeeded", "warning", "failed"].iter().filter_map(|state| status["runs"][state].as_u64()).sum()
}

fn distinct(items: &[Json], of: impl Fn(&Json) -> String) -> u64 {
    items.iter().map(of).collect::<BTreeSet<_>>().len() as u64
}
