//! Runs of a workspace, started and waited for: by an engine that may die, of a
//! workspace that may not answer.

use std::collections::BTreeMap;

use base::BoxFuture;
use base::http::{HttpError, Request, Response};
use base::testing::reply;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::crash::DeadlyClock;
use super::*;

/// A workspace in which every run takes a minute.
pub(super) struct Lakehouse {
    clock: Arc<SimClock>,
    pub(super) state: Mutex<State>,
    /// The next answers, whatever is asked.
    pub(super) says: Mutex<Vec<Result<Response, HttpError>>>,
    /// What was asked: method and path.
    pub(super) asked: Mutex<Vec<String>>,
    /// An answer to run-now never comes, so often.
    swallows: Mutex<u32>,
    crash: Arc<Notify>,
    seed: Option<u64>,
}

#[derive(Default)]
pub(super) struct State {
    /// Runs by token.
    pub(super) runs: BTreeMap<String, Run>,
    pub(super) next: i64,
}

#[derive(Clone)]
pub(super) struct Run {
    pub(super) id: i64,
    pub(super) since: Timestamp,
    pub(super) cancelled: Option<Timestamp>,
    pub(super) body: Json,
}

const MINUTE: Duration = Duration::from_mins(1);

impl Lakehouse {
    pub(super) fn new(house: &House) -> Arc<Self> {
        Lakehouse::dying(house, None, Arc::new(Notify::new()))
    }

    fn dying(house: &House, seed: Option<u64>, crash: Arc<Notify>) -> Arc<Self> {
        Arc::new(Lakehouse {
            clock: house.clock.clone(),
            state: Mutex::default(),
            says: Mutex::default(),
            asked: Mutex::default(),
            swallows: Mutex::default(),
            crash,
            seed,
        })
    }

    fn say(&self, status: u16, body: &str) {
        self.says.lock().push(Ok(reply(status, body)));
    }

    fn run_json(&self, run: &Run) -> Json {
        let now = base::Clock::now(&*self.clock);
        let ended = run.cancelled.or_else(|| Some(run.since.plus(MINUTE)).filter(|at| *at <= now));
        let (life, result) = match (ended, run.cancelled, run.body["job_id"] == 13) {
            (None, ..) => ("RUNNING", None),
            (_, Some(_), _) => ("TERMINATED", Some("CANCELED")),
            (_, _, true) => ("INTERNAL_ERROR", Some("FAILED")),
            _ => ("TERMINATED", Some("SUCCESS")),
        };
        let mut state = json!({"life_cycle_state": life, "state_message": ""});
        if let Some(result) = result {
            state["result_state"] = result.into();
        }
        let task = json!({"task_key": "t", "run_id": run.id + 1_000_000, "state": state});
        json!({
            "run_id": run.id, "job_id": run.body["job_id"], "state": state, "tasks": [task],
            "start_time": run.since.as_millis(), "end_time": ended.map_or(0, Timestamp::as_millis),
            "run_page_url": format!("https://ws.example/run/{}", run.id),
        })
    }

    fn answer(&self, request: &Request) -> Json {
        let url = url::Url::parse(&request.url).expect("an address");
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let number = |name: &str| query.get(name).and_then(|text| text.parse::<i64>().ok());
        let sent: Json = serde_json::from_slice(&request.body).unwrap_or_default();
        let mut state = self.state.lock();
        match url.path() {
            "/api/2.2/jobs/run-now" => {
                let token = sent["idempotency_token"].as_str().expect("every start bears a token").to_owned();
                assert!(token.len() <= 64);
                let since = base::Clock::now(&*self.clock);
                if !state.runs.contains_key(&token) {
                    state.next += 1;
                    let id = 812_345_678_901_234_000 + state.next;
                    state.runs.insert(token.clone(), Run { id, since, cancelled: None, body: sent });
                }
                json!({"run_id": state.runs[&token].id})
            }
            "/api/2.2/jobs/runs/cancel" => {
                let now = base::Clock::now(&*self.clock);
                let run = state.runs.values_mut().find(|run| sent["run_id"] == run.id).expect("the run is there");
                run.cancelled.get_or_insert(now);
                json!({})
            }
            "/api/2.2/jobs/runs/get" => {
                let run = state.runs.values().find(|run| Some(run.id) == number("run_id")).expect("the run is there");
                self.run_json(run)
            }
            "/api/2.2/jobs/runs/get-output" => {
                let id = number("run_id").expect("a run") - 1_000_000;
                let failed = state.runs.values().any(|run| run.id == id && run.body["job_id"] == 13);
                if failed {
                    json!({"error": "ValueError: no", "error_trace": "…"})
                } else {
                    json!({"logs": "done\n"})
                }
            }
            "/api/2.2/jobs/runs/list" => {
                let all = state.runs.values().map(|run| self.run_json(run));
                let is_open = |run: &Json| run["state"]["life_cycle_state"] == "RUNNING";
                let (open, completed) = (query.contains_key("active_only"), query.contains_key("completed_only"));
                let mut wanted: Vec<Json> =
                    all.filter(|run| !(open && !is_open(run) || completed && is_open(run))).collect();
                wanted.sort_by_key(|run| std::cmp::Reverse(run["start_time"].as_i64()));
                let from = number("page_token").unwrap_or(0) as usize;
                let limit = number("limit").expect("a limit") as usize;
                let page: Vec<Json> = wanted.iter().skip(from).take(limit).cloned().collect();
                let mut answer = json!({"runs": page, "has_more": from + limit < wanted.len()});
                if from + limit < wanted.len() {
                    answer["next_page_token"] = (from + limit).to_string().into();
                }
                answer
            }
            path => panic!("nobody asks for {path}"),
        }
    }
}

impl Http for Lakehouse {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        let path = request.url.strip_prefix("https://ws.example").expect("only the workspace is called");
        let number = {
            let mut asked = self.asked.lock();
            asked.push(format!("{} {}", request.method, path.split('?').next().unwrap_or_default()));
            asked.len()
        };
        assert!(request.headers.contains_key("authorization"));
        let fate = self.seed.map_or(255, |seed| super::crash::roll(seed, "answer", number as u32));
        let said = {
            let mut says = self.says.lock();
            if says.is_empty() { None } else { Some(says.remove(0)) }
        };
        if let Some(said) = said {
            return Box::pin(async move { said });
        }
        if fate < 20 {
            self.crash.notify_one();
            return Box::pin(std::future::pending());
        }
        let answer = self.answer(&request);
        let is_swallowed = {
            let mut swallows = self.swallows.lock();
            let is_swallowed = *swallows > 0 && path.contains("run-now");
            *swallows -= u32::from(is_swallowed);
            is_swallowed || (20..50).contains(&fate)
        };
        Box::pin(async move {
            if is_swallowed {
                self.crash.notify_one();
                return std::future::pending().await;
            }
            match fate {
                50..=70 => Ok(reply(503, "")),
                71..=90 => Err(HttpError::Broken { target: "ws.example".into(), detail: "reset".into() }),
                _ => Ok(reply(200, &answer.to_string())),
            }
        })
    }
}

pub(super) async fn connect(flows: &Flows) {
    let spec = ConnectionSpec {
        kind: "databricks-pat".into(),
        credentials: Credentials::Bearer(Secret::new("dapi-1")),
        origin: Some("https://ws.example".into()),
        expires_at: Some(flows.clock.now().plus(Duration::from_hours(24 * 3_000))),
        imported_ids: Vec::new(),
    };
    flows.put_connection(&ann(), "dbx", spec).await.expect("a connection");
}

fn waiting(job: u32, more: &str) -> String {
    format!(
        r#"
flow:
  - {{ id: 1, module: "loopwright:Manual" }}
  - {{ id: 2, module: "databricks:RunJobAndWait", parameters: {{ connection: dbx }}, mapper: {{ job_id: {job}, job_parameters: {{ case_id: "17" }}{more} }} }}
"#
    )
}

async fn start(flows: &Arc<Flows>, text: &str) -> crate::run::RunId {
    flows.put(&ann(), "f", text).await.expect("a flow");
    flows.run_once(&ann(), "f", json!({})).await.expect("a run")
}

/// Lets time pass, in small steps, with all looks that are due.
async fn pass(house: &House, flows: &Arc<Flows>, seconds: u64) {
    for _ in 0..seconds.div_ceil(5) {
        house.clock.advance(Duration::from_secs(5));
        flows.look_at_workspaces().await.expect("a look");
        flows.run_until_idle().await;
    }
}

#[tokio::test]
async fn a_job_is_run_and_its_end_waited_for() {
    for (_engine, _guard, house) in houses() {
        let lakehouse = Lakehouse::new(&house);
        let flows = house.engine(lakehouse.clone(), 1);
        connect(&flows).await;
        let run = start(&flows, &waiting(12, "")).await;
        flows.run_until_idle().await;
        assert_eq!(lakehouse.asked.lock().clone(), ["POST /api/2.2/jobs/run-now"]);
        assert_eq!(flows.run_details(run).await.expect("a run").info.state, RunState::Live);
        // Another engine goes on with the row.
        let flows = house.engine(lakehouse.clone(), 2);
        pass(&house, &flows, 70).await;
        let details = flows.run_details(run).await.expect("a run");
        assert_eq!(details.info.outcome, Some(Outcome::Success), "{details:?}");
        let bundle = &details.operations[1].output[0];
        assert_eq!(bundle["run_id"], 812_345_678_901_234_001_i64);
        assert_eq!((&bundle["result_state"], &bundle["tasks"][0]["logs"]), (&json!("SUCCESS"), &json!("done\n")));
        let calls = flows.calls_of_connection("dbx", None, 100).await.expect("calls");
        assert_eq!(calls.len(), lakehouse.asked.lock().len(), "every call is written down");
        let first = calls.last().expect("a call");
        assert_eq!(
            (first.operation.as_str(), first.path.as_str()),
            ("databricks:RunJobAndWait", "/api/2.2/jobs/run-now")
        );
        assert_eq!(first.databricks_run.as_deref(), Some("812345678901234001"));
        assert_eq!((first.who.clone(), first.status), (ann().id, Some(200)));
        assert!(first.idempotency_token.is_some() && !format!("{calls:?}").contains("dapi"));
    }
}

#[tokio::test]
async fn a_run_that_fails_is_a_failure_unless_the_flow_wants_to_go_on() {
    for (_engine, _guard, house) in houses() {
        let lakehouse = Lakehouse::new(&house);
        let flows = house.engine(lakehouse.clone(), 1);
        connect(&flows).await;
        let run = start(&flows, &waiting(13, "")).await;
        flows.run_until_idle().await;
        pass(&house, &flows, 70).await;
        let reason = flows.run_details(run).await.expect("a run").info.reason.expect("it failed");
        assert!(
            reason.contains(
                "run 812345678901234001 of job 13 ended as FAILED: ValueError: no (task \"t\"); its log: https://"
            ),
            "{reason}"
        );
        let goes_on = waiting(13, "").replace("connection: dbx", "connection: dbx, onFailure: continue");
        let run = start(&flows, &goes_on).await;
        flows.run_until_idle().await;
        pass(&house, &flows, 70).await;
        let details = flows.run_details(run).await.expect("a run");
        assert_eq!(details.info.outcome, Some(Outcome::Success));
        assert_eq!(details.operations[1].output[0]["error"], "ValueError: no");
    }
}

#[tokio::test]
async fn what_passes_is_tried_again_with_the_same_token() {
    for (_engine, _guard, house) in houses() {
        let lakehouse = Lakehouse::new(&house);
        let flows = house.engine(lakehouse.clone(), 1);
        connect(&flows).await;
        let broken = HttpError::Broken { target: "ws.example".into(), detail: "reset".into() };
        lakehouse.say(503, "");
        lakehouse.says.lock().push(Err(broken));
        lakehouse.say(429, "");
        start(&flows, &waiting(12, "")).await;
        flows.run_until_idle().await;
        pass(&house, &flows, 60).await;
        assert_eq!(lakehouse.state.lock().runs.len(), 1);
        let starts = lakehouse.asked.lock().iter().filter(|path| path.ends_with("run-now")).count();
        assert_eq!(starts, 4);
        let calls = flows.calls_of_connection("dbx", None, 100).await.expect("calls");
        let tokens: std::collections::BTreeSet<_> =
            calls.iter().filter_map(|call| call.idempotency_token.clone()).collect();
        assert_eq!(tokens.len(), 1);
    }
}

#[tokio::test]
async fn a_refusal_is_final_and_says_what_to_do() {
    for (_engine, _guard, house) in houses() {
        let lakehouse = Lakehouse::new(&house);
        let flows = house.engine(lakehouse.clone(), 1);
        connect(&flows).await;
        lakehouse.say(403, r#"{"error_code": "PERMISSION_DENIED", "message": "no Manage Run"}"#);
        let run = start(&flows, &waiting(12, "")).await;
        flows.run_until_idle().await;
        let reason = flows.run_details(run).await.expect("a run").info.reason.expect("it failed");
        assert!(reason.contains("give them CAN MANAGE RUN on job 12"), "{reason}");
        assert_eq!(lakehouse.asked.lock().len(), 1);
    }
}

#[tokio::test]
async fn what_takes_too_long_is_cancelled() {
    for (_engine, _guard, house) in houses() {
        let lakehouse = Lakehouse::new(&house);
        let flows = house.engine(lakehouse.clone(), 1);
        connect(&flows).await;
        let run = start(&flows, &waiting(12, ", deadline: 0.5")).await;
        flows.run_until_idle().await;
        pass(&house, &flows, 40).await;
        let details = flows.run_details(run).await.expect("a run");
        let reason = details.info.reason.expect("it failed");
        assert!(reason.contains("was cancelled, because it took longer than 30 seconds"), "{reason}");
        assert!(lakehouse.state.lock().runs.values().all(|run| run.cancelled.is_some()));
    }
}

#[tokio::test]
async fn another_attempt_is_another_run() {
    for (_engine, _guard, house) in houses() {
        let lakehouse = Lakehouse::new(&house);
        let flows = house.engine(lakehouse.clone(), 1);
        connect(&flows).await;
        for _ in 0..2 {
            start(&flows, &waiting(12, "")).await;
            flows.run_until_idle().await;
        }
        assert_eq!(lakehouse.state.lock().runs.len(), 2);
    }
}

#[tokio::test]
async fn a_thousand_open_runs_cost_few_calls() {
    const RUNS: usize = 1_000;
    let (_engine, _guard, mut house) = houses().remove(0);
    house.options.databricks.calls_per_second = 1_000_000;
    let lakehouse = Lakehouse::new(&house);
    let flows = house.engine(lakehouse.clone(), 1);
    connect(&flows).await;
    flows.put(&ann(), "f", &waiting(12, "")).await.expect("a flow");
    for _ in 0..RUNS {
        flows.run_once(&ann(), "f", json!({})).await.expect("a run");
    }
    flows.run_until_idle().await;
    assert_eq!(lakehouse.state.lock().runs.len(), RUNS);
    // They take an hour, not a minute.
    let hour = base::Clock::now(&*house.clock).plus(Duration::from_hours(1));
    lakehouse.state.lock().runs.values_mut().for_each(|run| run.since = hour);
    let before = lakehouse.asked.lock().len();
    let until = base::Clock::now(&*house.clock).plus(Duration::from_mins(10));
    let mut looks = 0;
    while base::Clock::now(&*house.clock) < until {
        let next = flows.look_at_workspaces().await.expect("a look").expect("more to come");
        let wait = next.since(base::Clock::now(&*house.clock)).max(Duration::from_secs(1));
        house.clock.advance(wait);
        looks += 1;
        assert!(looks < 100, "the looks have pauses");
    }
    let asked = lakehouse.asked.lock().len() - before;
    assert!(asked <= 42 * 16, "{asked} calls in ten minutes for {RUNS} open runs");
    assert!(asked >= 42, "they are looked at");
}

/// Beside a workspace one that takes runs and then says nothing any more.
struct Beside(Arc<Lakehouse>);

impl Http for Beside {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        match request.url.strip_prefix("https://silent.example") {
            None => self.0.send(request),
            Some(path) if path.contains("run-now") => Box::pin(async { Ok(reply(200, r#"{"run_id": 7}"#)) }),
            Some(_) => Box::pin(std::future::pending()),
        }
    }
}

#[tokio::test]
async fn a_workspace_that_says_nothing_holds_up_no_other() {
    let (_engine, _guard, house) = houses().remove(0);
    let flows = house.engine(Arc::new(Beside(Lakehouse::new(&house))), 1);
    connect(&flows).await;
    let silent = ConnectionSpec {
        kind: "databricks-pat".into(),
        credentials: Credentials::Bearer(Secret::new("dapi-2")),
        origin: Some("https://silent.example".into()),
        expires_at: None,
        imported_ids: Vec::new(),
    };
    flows.put_connection(&ann(), "a-silent-one", silent).await.expect("a connection");
    let text = waiting(12, "").replace("connection: dbx", "connection: a-silent-one");
    flows.put(&ann(), "g", &text).await.expect("a flow");
    let stuck = flows.run_once(&ann(), "g", json!({})).await.expect("a run");
    let run = start(&flows, &waiting(12, "")).await;
    flows.run_until_idle().await;
    house.clock.advance(2 * MINUTE);
    let (watched, stop) = (flows.clone(), tokio_util::sync::CancellationToken::new());
    let watching = tokio::spawn(watched.watch_workspaces(stop.clone()));
    loop {
        flows.nudge.notified().await;
        flows.run_until_idle().await;
        if flows.run_details(run).await.expect("a run").info.state == RunState::Ended {
            break;
        }
    }
    assert_eq!(flows.run_details(stuck).await.expect("a run").info.state, RunState::Live);
    stop.cancel();
    watching.await.expect("it stops though one says nothing");
}

#[tokio::test]
async fn a_statement_that_may_have_run_is_held_in_doubt() {
    const INSERT: &str = r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "databricks:ExecuteStatement", parameters: { connection: dbx }, mapper: { warehouse_id: w, statement: "INSERT INTO t VALUES (1)" } }
"#;
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        connect(&flows).await;
        let run = start(&flows, INSERT).await;
        die_in_flight(&house, Arc::new(Silence(ScriptedHttp::default()))).await;
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 3);
        flows.run_until_idle().await;
        assert_eq!(flows.run_details(run).await.expect("a run").info.state, RunState::InDoubt);
        // What is known to have begun is in no doubt, however often the program dies.
        http.push(200, r#"{"statement_id": "s-1", "status": {"state": "PENDING"}}"#);
        flows.decide(&ann(), run, Decision::Repeat).await.expect("a decision");
        flows.run_until_idle().await;
        http.push(200, r#"{"statement_id": "s-1", "status": {"state": "SUCCEEDED"}, "manifest": {}, "result": {}}"#);
        house.clock.advance(Duration::from_secs(5));
        let flows = house.engine(http.clone(), 4);
        flows.look_at_workspaces().await.expect("a look");
        flows.run_until_idle().await;
        let details = flows.run_details(run).await.expect("a run");
        assert_eq!(details.info.outcome, Some(Outcome::Success), "{details:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_starts_nothing_twice() {
    for (_engine, _guard, house) in houses() {
        let crash = Arc::new(Notify::new());
        let lakehouse = Lakehouse::dying(&house, None, crash.clone());
        *lakehouse.swallows.lock() = 3;
        let flows = house.engine(lakehouse.clone(), 1);
        connect(&flows).await;
        let run = start(&flows, &waiting(12, "")).await;
        for life in 2..5 {
            let flows = house.engine(lakehouse.clone(), life);
            tokio::select! {
                biased;
                () = crash.notified() => {}
                () = flows.run_until_idle() => panic!("its answer does not come"),
            }
        }
        let flows = house.engine(lakehouse.clone(), 5);
        flows.run_until_idle().await;
        pass(&house, &flows, 70).await;
        assert_eq!(flows.run_details(run).await.expect("a run").info.outcome, Some(Outcome::Success));
        assert_eq!(lakehouse.state.lock().runs.len(), 1);
    }
}

#[tokio::test]
async fn an_engine_that_dies_anywhere_starts_one_run_and_tells_its_end_once() {
    const SEEDS: u64 = 20;
    let mut deaths = 0;
    for seed in 1..=SEEDS {
        let (_engine, _guard, mut house) = houses().remove(0);
        house.options.deaths_max = u32::MAX;
        house.options.databricks.patience = Duration::from_hours(1_000);
        let crash = Arc::new(Notify::new());
        let lakehouse = Lakehouse::dying(&house, Some(seed), crash.clone());
        let flows = house.engine(lakehouse.clone(), 1);
        connect(&flows).await;
        let run = start(&flows, &waiting(12, "")).await;
        let clock = Arc::new(DeadlyClock::new(house.clock.clone(), Some(seed), crash.clone()));
        for life in 2..10_000 {
            let keys = Arc::new(KeyRing::generate(&SeededChance::new(1)));
            let chance = Arc::new(SeededChance::new(life));
            let flows = Arc::new(Flows::new(
                house.db.clone(),
                lakehouse.clone(),
                keys,
                clock.clone(),
                chance,
                house.options.clone(),
            ));
            let lives = async {
                flows.run_until_idle().await;
                flows.look_at_workspaces().await.expect("a look");
                flows.run_until_idle().await;
            };
            let died = tokio::select! {
                biased;
                () = crash.notified() => true,
                () = lives => false,
            };
            drop(flows);
            tokio::task::yield_now().await;
            house.db.write("test.flush", |_| Ok::<_, db::Error>(())).await.expect("the database lives on");
            deaths += u32::from(died);
            house.clock.advance(Duration::from_secs(7));
            let flows = house.engine(lakehouse.clone(), 0);
            let info = flows.run_details(run).await.expect("a run").info;
            assert!(matches!(info.state, RunState::Live | RunState::Ended), "seed {seed}: {info:?}");
            if info.state == RunState::Ended {
                break;
            }
        }
        let flows = house.engine(lakehouse.clone(), 0);
        let details = flows.run_details(run).await.expect("a run");
        assert_eq!(details.info.outcome, Some(Outcome::Success), "seed {seed}: {details:?}");
        assert_eq!(lakehouse.state.lock().runs.len(), 1, "seed {seed}");
    }
    assert!(deaths > SEEDS as u32, "the engine died only {deaths} times");
}

const ENDS: &str = r#"
flow:
  - { id: 1, module: "databricks:RunEnded", parameters: { connection: dbx, exceeds: 0.5 } }
  - { id: 2, module: "util:ComposeTransformer", mapper: { value: "{{1.event}} {{1.run_id}} {{1.result_state}}" } }
"#;

impl Lakehouse {
    /// Somebody else starts a run.
    fn begin(&self, job: u32) -> i64 {
        let mut state = self.state.lock();
        state.next += 1;
        let id = 812_345_678_901_234_000 + state.next;
        let since = base::Clock::now(&*self.clock);
        let body = json!({ "job_id": job });
        state.runs.insert(format!("other {id}"), Run { id, since, cancelled: None, body });
        id
    }
}

/// What came of the runs of a flow, in order.
async fn told(flows: &Arc<Flows>, flow: &str) -> Vec<String> {
    let mut told = Vec::new();
    for run in flows.runs(flow, 1_000).await.expect("runs") {
        let details = flows.run_details(run.id).await.expect("a run");
        told.push(details.operations[1].output[0]["value"].as_str().expect("a text").to_owned());
    }
    told.sort();
    told
}

/// Plays half an hour in which runs begin; `hints` says when the workspace
/// calls for each: never, or so many seconds after the end, perhaps twice.
async fn half_an_hour(seed: u64, hints: &[u64]) -> (Vec<String>, Vec<i64>) {
    let (_engine, _guard, house) = houses().remove(0);
    let lakehouse = Lakehouse::new(&house);
    let mut flows = house.engine(lakehouse.clone(), 1);
    connect(&flows).await;
    lakehouse.begin(12);
    house.clock.advance(Duration::from_mins(2));
    // What ended before is none of its business.
    publish(&flows, "ends", ENDS).await;
    let mut begun = Vec::new();
    let mut calls: Vec<(u64, i64)> = Vec::new();
    for step in 0..180_u64 {
        let dice = super::crash::roll(seed, "step", step as u32);
        if step < 160 && dice < 40 {
            let id = lakehouse.begin(if dice < 10 { 13 } else { 12 });
            begun.push(id);
            calls.extend(hints.iter().map(|after| (step * 10 + 60 + after, id)));
        }
        if (40..60).contains(&dice) {
            lakehouse.say(503, "");
        }
        for (_, id) in calls.extract_if(.., |(at, _)| *at <= step * 10) {
            let hint = json!({"event_type": "jobs.on_success", "run": {"run_id": id}});
            flows.take_hint("ends", &hint).await.expect("a hint");
        }
        // Now and then it is down for a while.
        if dice < 200 {
            flows.look_at_workspaces().await.expect("a look");
            flows.run_until_idle().await;
        }
        if dice > 240 {
            flows = house.engine(lakehouse.clone(), step + 2);
        }
        house.clock.advance(Duration::from_secs(10));
    }
    lakehouse.says.lock().clear();
    for _ in 0..3 {
        house.clock.advance(Duration::from_mins(2));
        flows.look_at_workspaces().await.expect("a look");
        flows.run_until_idle().await;
    }
    (told(&flows, "ends").await, begun)
}

#[tokio::test]
async fn every_end_starts_its_flow_once_whether_the_workspace_calls_or_not() {
    for seed in 1..=6 {
        let (without, begun) = half_an_hour(seed, &[]).await;
        let ended = |told: &[String]| -> Vec<String> {
            told.iter().filter(|line| line.starts_with("ended")).cloned().collect()
        };
        let mut expected: Vec<String> =
            ended(&without).iter().map(|line| line.split(' ').nth(1).expect("an id").to_owned()).collect();
        expected.sort();
        let mut ids: Vec<String> = begun.iter().map(ToString::to_string).collect();
        ids.sort();
        assert_eq!(expected, ids, "seed {seed}: every end once");
        assert!(without.iter().any(|line| line.contains("FAILED")) || seed > 3);
        for hints in [&[0_u64][..], &[0, 0], &[300], &[0, 100, 200]] {
            let (with, _) = half_an_hour(seed, hints).await;
            assert_eq!(ended(&with), ended(&without), "seed {seed}, called after {hints:?} seconds");
        }
    }
}
