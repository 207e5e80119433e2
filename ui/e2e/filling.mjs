// A system with something in every place: rows, jobs that went well and that
// failed, a followed model whose trigger fired, subscriptions, flows with runs of
// every status, tasks, incomplete executions, a workspace. Everything comes in as
// users bring it, by the command line and the API, and nothing is left moving.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";

import { KEY, TOKEN, call } from "./walker.mjs";

const EXAMPLES = join(import.meta.dirname, "../../examples");
export const MODEL = "purchase-to-pay.late-steps";
const PATIENCE_MS = 60_000;

/** Outgoing calls may reach receivers on this machine. */
export const SETTINGS = { LOOPWRIGHT_EGRESS_ALLOW: "127.0.0.1/32", LOOPWRIGHT_CALLBACK_HTTP: "true" };

/** Asks until the answer is as it should be. */
export async function until(what, ask) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    assert.ok(Date.now() < end, `${what} within ${PATIENCE_MS / 1000} s`);
    await pause(40);
  }
}

/** Runs the program's own command line against it. */
async function command(url, workspace, ...args) {
  const env = {
    ...process.env,
    LOOPWRIGHT_URL: url,
    LOOPWRIGHT_WORKSPACE_URL: workspace,
    LOOPWRIGHT_APP_KEY: KEY,
    LOOPWRIGHT_WORKSPACE_TOKEN: TOKEN,
  };
  await promisify(execFile)(process.env.LOOPWRIGHT_TEST_PROGRAM, args, { env, maxBuffer: 1 << 24 });
}

/** Calls the workspace; its ids are longer than the numbers of this language are exact, so texts come back. */
export async function work(workspace, method, path, body) {
  const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const answer = await fetch(workspace + path, { method, headers, body: text });
  const said = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${said}`);
  return said;
}

/** Listens on this machine: `/refuses` refuses, everything else is taken, unless `broken` is set. */
export async function startReceiver() {
  const receiver = { seen: [], broken: false };
  const server = createServer(async (request, answer) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    receiver.seen.push({ path: request.url, method: request.method, headers: request.headers, body: Buffer.concat(parts).toString() });
    const refuses = receiver.broken || request.url.startsWith("/refuses");
    answer.writeHead(refuses && request.method !== "HEAD" ? 503 : 200).end();
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return Object.assign(receiver, { url: `http://127.0.0.1:${server.address().port}`, stop });
}

/** What a flow may have written: of each kind that there is a piece. */
const COMPLIANCE = `**9 violations** by 4 people stand in the audit table. The last one is order [1352](/models/${MODEL}/cases/1352).

## Approvals of the last 90 days

The score is the share of *one's own* orders among those that one approved. See the [policy](https://example.org/policy), and
~~last year's~~ [not this](javascript:alert(1)).

| Who | Approved | Of these one's own | Score |
|---|--:|--:|--:|
| Magdalena Predutta | 11 | 5 | 31.2 |
| Karel de Groot & Sons | 8 | 0 | 0 |

1. Look at the order.
2. Ask both:
   - who created it
   - who approved it

> Nobody approves what they have ordered.

\`\`\`
SELECT * FROM "AuditViolations"
\`\`\`

<script>alert(1)</script>
`;

/** Brings all of it in; returns what pages need to be found. */
export async function fill(url, workspace, receiver) {
  const pool = await history(url, workspace);
  await subscriptions(url, receiver);
  await timePasses(url);
  await pushJobs(url, pool);
  await dataJobs(url, pool);
  await models(url);
  await flows(url, receiver);
  await call(url, "PUT", "/api/v1/pages/compliance", { title: "Compliance", text: COMPLIANCE });
  await jobs(workspace);
  await access(url, pool);
  return addresses(url, workspace, pool);
}

/** The example, up to the day on which its history ends. */
export async function history(url, workspace) {
  const folder = await mkdtemp(join(tmpdir(), "loopwright-fill-"));
  const file = join(folder, "events.csv");
  const packed = await readFile(join(EXAMPLES, "purchase-to-pay/events.csv.gz"));
  const [head, ...lines] = gunzipSync(packed).toString().trim().split("\n");
  await writeFile(file, [head, ...lines.filter((line) => line.slice(line.lastIndexOf(",") + 1) < "2011-09-26")].join("\n"));
  await command(url, workspace, "push", "--yes", "--create-pool", "purchase-to-pay", "PurchaseEvents", file);
  await rm(folder, { recursive: true });
  await command(url, workspace, "apply", join(EXAMPLES, "purchase-to-pay"));
  const [{ id }] = await call(url, "GET", "/api/v1/pools");
  return id;
}

async function subscribe(url, name, uri) {
  const triggers = `/intelligence/api/knowledge-models/${MODEL}/triggers/LONG_WAIT`;
  const callbackInfo = { uri, protocol: "HTTPS", headers: {} };
  const { id } = await call(url, "POST", `${triggers}/subscriptions`, { name, callbackInfo, configurations: [] });
  return id;
}

async function subscriptions(url, receiver) {
  await subscribe(url, "Late orders, to the warehouse", `${receiver.url}/takes`);
  const failing = await subscribe(url, "Late orders, to the archive", `${receiver.url}/refuses`);
  await call(url, "PATCH", `/api/v1/subscriptions/${failing}/delivery`, { retryPausesMs: [50], probeFirstMs: 86_400_000, probeMaxMs: 86_400_000 });
  const paused = await subscribe(url, "Late orders, to a colleague", `${receiver.url}/takes/too`);
  await call(url, "PATCH", `/intelligence/api/subscriptions/${paused}/pause`);
}

/** Moves the model's process clock; what becomes true on the way is evaluated before this returns. */
export const setClock = (url, now) => call(url, "POST", `/api/v1/models/${MODEL}/clock`, { now, speed: 0 });

/** Orders become late because time passes; a job scores each, and its advice comes back. */
async function timePasses(url) {
  await setClock(url, "2011-09-27T00:00:00Z");
  await until("the runs of the signals end", async () => {
    const { signals, runs } = await call(url, "GET", "/api/v1/status");
    return signals > 0 && runs.succeeded + runs.warning + runs.failed >= signals;
  });
}

async function push(url, pool, settings, csv, execute = true) {
  const jobs = `/integration/api/v1/data-push/${pool}/jobs/`;
  const { id } = await call(url, "POST", jobs, { dataPoolId: pool, type: "REPLACE", fileType: "CSV", ...settings });
  const form = new FormData();
  form.append("file", new Blob([csv]), `${settings.targetName}.csv`);
  await call(url, "POST", `${jobs}${id}/chunks/upserted`, form);
  if (!execute) return id;
  await call(url, "POST", `${jobs}${id}`);
  await until("a push job ends", async () => ["DONE", "ERROR"].includes((await call(url, "GET", `${jobs}${id}`)).status));
  return id;
}

/** One push that went well, one that was refused, one that nobody has executed. */
async function pushJobs(url, pool) {
  const columns = [
    { columnName: "vendor", columnType: "STRING" },
    { columnName: "rating", columnType: "INTEGER" },
  ];
  const tableSchema = { tableName: "Vendors", columns };
  const vendors = { targetName: "Vendors", keys: ["vendor"], tableSchema };
  await push(url, pool, vendors, "vendor,rating\nAlbers GmbH,3\nBergmann KG,5\nCosta SpA,4\n");
  await push(url, pool, { ...vendors, type: "DELTA" }, "vendor,rating\nDuval SA,very good\n");
  await push(url, pool, { ...vendors, type: "DELTA" }, "vendor,rating\nEkström AB,2\n", false);
}

async function dataJobs(url, pool) {
  const at = `/api/v1/pools/${pool}/data-jobs`;
  const sql = "CREATE OR REPLACE TABLE steps AS SELECT activity, count(*) AS times FROM PurchaseEvents GROUP BY activity";
  const wrong = "INSERT INTO steps SELECT activity FROM NoSuchTable";
  for (const [name, statements] of [
    ["Steps per activity", sql],
    ["Steps of last year", `${sql};\n${wrong}`],
  ]) {
    const job = await call(url, "POST", at, { name, transformations: [{ name: "Count", sql: statements }] });
    const run = await call(url, "POST", `${at}/${job.id}/run`);
    await until("a data job ends", async () => (await call(url, "GET", `${at}/${job.id}/runs/${run.id}`)).endedAt);
  }
  await call(url, "PUT", `/api/v1/pools/${pool}/sources/prices`, {
    table: "Prices",
    url: { address: "http://127.0.0.1:9/prices.csv", format: "CSV" },
    schedule: { everySeconds: 86400 },
  });
  const looks = async () => (await call(url, "GET", `/api/v1/pools/${pool}/sources`))[0];
  await until("the source has looked once", async () => (await looks()).lastRunAt);
  await call(url, "POST", `/api/v1/pools/${pool}/sources/prices/pause`);
}

/** A second draft of the model with a mistake in it, and a model that nobody has published. */
async function models(url) {
  const text = await readFile(join(EXAMPLES, "purchase-to-pay/knowledge-model.yaml"), "utf8");
  await call(url, "PUT", `/api/v1/models/${MODEL}`, text.replace("value: 0.95", "value: 0.9"), "application/yaml");
  const other = text.replace("key: late-steps", "key: rework").replace("displayName: Late steps", "displayName: Rework");
  await call(url, "PUT", "/api/v1/models/purchase-to-pay.rework", other.replace('PU_COUNT("Purchase', 'PU_COUNTS("Purchase'), "application/yaml");
}

/** A flow that ends as it is asked to. */
const EVERY_OUTCOME = `
name: Every outcome
metadata: { scenario: { dlq: true } }
interface:
  input:
    - name: how
      type: select
      label: How it ends
      required: true
      options: [{ value: well }, { value: badly }, { value: stored }, { value: late }]
flow:
  - { id: 1, module: "loopwright:Manual" }
  - id: 2
    module: builtin:BasicRouter
    routes:
      - flow:
          - id: 3
            module: util:ComposeTransformer
            filter: { name: Well, conditions: [[{ a: "{{var.input.how}}", o: "text:equal", b: well }]] }
            mapper: { value: "it went {{var.input.how}}" }
      - flow:
          - id: 4
            module: loopwright:Fail
            filter: { name: Badly, conditions: [[{ a: "{{var.input.how}}", o: "text:equal", b: badly }]] }
            mapper: { message: "the warehouse knows no such order" }
      - flow:
          - id: 5
            module: json:ParseJSON
            filter: { name: Stored, conditions: [[{ a: "{{var.input.how}}", o: "text:equal", b: stored }]] }
            mapper: { json: '{ "order": 4711, ' }
      - flow:
          - id: 6
            module: util:FunctionSleep
            filter: { name: Late, conditions: [[{ a: "{{var.input.how}}", o: "text:equal", b: late }]] }
            mapper: { duration: 300 }
`;

const APPROVAL = `
name: Ask before expediting
interface:
  input: [{ name: order, type: text, label: Order, required: true }]
flow:
  - { id: 1, module: "loopwright:Manual" }
  - id: 2
    module: loopwright:WaitForApproval
    mapper:
      title: "Expedite order {{var.input.order}}?"
      text: "It waits longer than 95 of 100 orders waited in its step."
      fields: [{ name: Order, value: "{{var.input.order}}" }, { name: Costs, value: "40 EUR" }]
      assignee: purchasing
`;

const DELIVERIES = `
name: Deliveries from the warehouse
scheduling: { type: indefinitely, interval: 900 }
flow:
  - { id: 1, module: "gateway:CustomWebHook", parameters: { hook: deliveries, maxResults: 300 } }
  - { id: 2, module: "util:ComposeTransformer", mapper: { value: "{{1.OrderId}}" } }
`;

const BROKEN_CALL = (receiver) => `
name: Tell the archive
metadata: { scenario: { dlq: true } }
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "http:ActionSendData", version: 3, mapper: { url: "${receiver.url}/refuses", method: post } }
`;

async function flows(url, receiver) {
  for (const [key, text] of [
    ["every-outcome", EVERY_OUTCOME],
    ["ask-before-expediting", APPROVAL],
    ["deliveries", DELIVERIES],
    ["tell-the-archive", BROKEN_CALL(receiver)],
  ]) {
    await call(url, "PUT", `/api/v1/flows/${key}`, text, "application/yaml");
    if (key !== "tell-the-archive") await call(url, "POST", `/api/v1/flows/${key}/publish`, { note: "As agreed" });
  }
  await call(url, "POST", "/api/v1/flows/deliveries/activate");
  const run = async (flow, body) => (await call(url, "POST", `/api/v1/flows/${flow}/run`, body)).id;
  const standing = async (id) => (await call(url, "GET", `/api/v1/runs/${id}`)).status;
  const as = (id, status) => until(`a run is ${status}`, async () => (await standing(id)) === status);
  await as(await run("every-outcome", { how: "well" }), "success");
  await as(await run("every-outcome", { how: "badly" }), "error");
  await as(await run("every-outcome", { how: "stored" }), "warning");
  await as(await run("tell-the-archive", {}), "warning");
  const cancelled = await run("every-outcome", { how: "late" });
  await as(cancelled, "sleeping");
  await call(url, "POST", `/api/v1/runs/${cancelled}/cancel`);
  await as(cancelled, "cancelled");
  await as(await run("every-outcome", { how: "late" }), "sleeping");
  const answered = await run("ask-before-expediting", { order: "4711" });
  await as(answered, "sleeping");
  const [task] = (await call(url, "GET", "/api/v1/tasks?state=open")).filter(({ run }) => run === answered);
  await call(url, "POST", `/api/v1/tasks/${task.id}/answer`, { decision: "approve", comment: "They are a good customer." });
  await as(answered, "success");
  await as(await run("ask-before-expediting", { order: "4712" }), "sleeping");
}

/** Beside the job that the flow starts: one that fails. */
async function jobs(workspace) {
  const content = Buffer.from("print('looking')\nraise SystemExit('nothing is there')\n").toString("base64");
  await work(workspace, "POST", "/api/2.0/workspace/import", { path: "/Shared/look.py", format: "AUTO", content, overwrite: true });
  const task = { task_key: "look", spark_python_task: { python_file: "/Shared/look.py" } };
  const more = { task_key: "tell", depends_on: [{ task_key: "look" }], spark_python_task: { python_file: "/Shared/look.py" } };
  const made = await work(workspace, "POST", "/api/2.1/jobs/create", { name: "look-for-orders", tasks: [task, more] });
  const job = /"job_id":(\d+)/.exec(made)[1];
  const run = /"run_id":(\d+)/.exec(await work(workspace, "POST", "/api/2.1/jobs/run-now", `{"job_id":${job}}`))[1];
  const ended = /"life_cycle_state":"(TERMINATED|INTERNAL_ERROR|SKIPPED)"/;
  await until("the job ends", async () => ended.test((await work(workspace, "GET", `/api/2.1/jobs/runs/get?run_id=${run}`)).split('"tasks"')[0]));
}

async function access(url, pool) {
  const { id } = await call(url, "POST", "/api/v1/app-keys", { name: "the warehouse" });
  for (const permission of ["use-pool", "data-push"]) {
    await call(url, "POST", "/api/v1/permissions", { subject: id, permission, pool });
  }
  const { id: old } = await call(url, "POST", "/api/v1/app-keys", { name: "the old warehouse" });
  await call(url, "DELETE", `/api/v1/app-keys/${old}`);
}

/** The ids that stand in addresses, by what is meant with them. */
async function addresses(url, workspace, pool) {
  const at = (path) => call(url, "GET", path);
  const { runs } = await at("/api/v1/runs?limit=200");
  const runOf = (flow, status) => runs.find((run) => run.flow === flow && run.status === status)?.id;
  const jobs = await at(`/api/v1/pools/${pool}/push-jobs`);
  const dataJobs = await at(`/api/v1/pools/${pool}/data-jobs`);
  const { content } = await at("/intelligence/api/subscriptions?pageSize=50");
  const tasks = await at("/api/v1/tasks");
  const { events } = await at(`/api/v1/triggers/${MODEL}/LONG_WAIT/events?after=0`);
  const listed = await work(workspace, "GET", "/api/2.1/jobs/runs/list?limit=20");
  const jobRuns = [...listed.matchAll(/"job_id":(\d+)[^{]*?"run_id":(\d+)/g)].map(([, job, run]) => ({ job, run }));
  return {
    pool,
    runs: Object.fromEntries(
      [
        ["signal", "score-late-order", "success"],
        ["success", "every-outcome", "success"],
        ["error", "every-outcome", "error"],
        ["warning", "every-outcome", "warning"],
        ["cancelled", "every-outcome", "cancelled"],
        ["sleeping", "every-outcome", "sleeping"],
        ["waiting", "ask-before-expediting", "sleeping"],
      ].map(([name, flow, status]) => [name, runOf(flow, status)]),
    ),
    push: Object.fromEntries(["DONE", "ERROR", "NEW"].map((status) => [status, jobs.find((job) => job.status === status)?.id])),
    dataJobs: Object.fromEntries(dataJobs.map((job) => [job.name, job.id])),
    subscriptions: Object.fromEntries(content.map((subscription) => [subscription.status, subscription.id])),
    tasks: Object.fromEntries(tasks.map((task) => [task.state, task.id])),
    lateCase: events[0].body.event.identifier,
    jobRuns,
  };
}
