// Document 1 as a person does it: from an empty system, with mouse and keyboard,
// a flow that starts a Databricks job every hour, waits for its run and tells of
// it, and that tells of it when the token is broken.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer as createHttp } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";

import { essence } from "../blueprint.mjs";
import { SETTINGS, until } from "../filling.mjs";
import { TOKEN, accessible, call, pictures, signIn } from "../walker.mjs";

export const title = "a flow that starts a job, from nothing";
export const settings = SETTINGS;

const EXAMPLE = join(import.meta.dirname, "../../../examples/action-flows/databricks-wait.blueprint.json");
const NOTEBOOK = "# Databricks notebook source\nprint(dbutils.widgets.get('threshold_days'), dbutils.widgets.get('case_id'))\n";
const LISTENING = { host: "127.0.0.1", port: 0 };

async function asked(workspace, method, path, body) {
  const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
  const answer = await fetch(workspace + path, { method, headers, body: JSON.stringify(body) });
  assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.text();
}

/** Makes a job in the local workspace, as its users do; returns its id. */
async function makeJob(workspace) {
  const content = Buffer.from(NOTEBOOK).toString("base64");
  await asked(workspace, "POST", "/api/2.0/workspace/mkdirs", { path: "/Shared" });
  await asked(workspace, "POST", "/api/2.0/workspace/import", { path: "/Shared/score", format: "SOURCE", language: "PYTHON", content, overwrite: true });
  const task = { task_key: "score", notebook_task: { notebook_path: "/Shared/score" } };
  // Ids of jobs are longer than the numbers of this language are exact.
  return /"job_id":(\d+)/.exec(await asked(workspace, "POST", "/api/2.1/jobs/create", { name: "score", tasks: [task] }))[1];
}

/** The id of the workspace's newest run, digit by digit. */
const lastRun = async (workspace) => /"run_id":(\d+)/.exec(await asked(workspace, "GET", "/api/2.1/jobs/runs/list?limit=1"))[1];

/** Takes messages as Slack does. */
async function startSlack() {
  const messages = [];
  const server = createHttp(async (request, answer) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    messages.push(JSON.parse(Buffer.concat(parts).toString()));
    answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ ok: true, channel: "C1", ts: "1.2" }));
  });
  await new Promise((ready) => server.listen(LISTENING, ready));
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { messages, url: `http://127.0.0.1:${server.address().port}/api`, stop };
}

/** Takes mails, line by line as RFC 5321 has it. */
async function startMailServer() {
  const mails = [];
  const server = createServer((socket) => {
    let [rest, mail] = ["", null];
    const say = (line) => socket.write(`${line}\r\n`);
    say("220 walk");
    socket.on("error", () => {});
    socket.on("data", (data) => {
      const lines = (rest + data.toString()).split("\r\n");
      rest = lines.pop();
      for (const line of lines) {
        if (mail !== null && line !== ".") mail.push(line);
        else if (mail !== null) {
          mails.push(mail.join("\n"));
          mail = null;
          say("250 taken");
        } else if (/^DATA/i.test(line)) {
          mail = [];
          say("354 go on");
        } else if (/^QUIT/i.test(line)) {
          say("221 bye");
          socket.end();
        } else say("250 walk");
      }
    });
  });
  await new Promise((ready) => server.listen(LISTENING, ready));
  return { mails, port: server.address().port, stop: () => server.close() };
}

/** Chooses a module in the search that is open. */
async function choose(page, words, name) {
  const search = page.getByRole("combobox", { name: "Search modules" });
  await search.fill(words);
  await page.getByRole("option", { name }).first().waitFor();
  await page.keyboard.press("Enter");
  // A router has nothing to set; whatever else was chosen is set up now.
  if (words !== "Router") await side(page).getByRole("heading", { level: 2, name }).waitFor();
}

const saved = (page) => page.getByRole("toolbar", { name: "Flow" }).getByRole("button", { name: "Saved", exact: true }).waitFor();
const side = (page, name = "Settings of the module") => page.getByRole("complementary", { name });
const add = (page, after) => page.getByRole("button", { name: after }).click();

async function open(page, name) {
  await page.getByRole("group", { name }).first().focus();
  await page.keyboard.press("Enter");
}

async function header(page, number, name, value) {
  await side(page).getByRole("button", { name: "Add item to Headers" }).click();
  const item = side(page).getByRole("group", { name: `Headers, item ${number}` });
  await item.getByLabel(/^name/i).fill(name);
  await item.getByLabel(/^value/i).fill(value);
}

/** Sets up a filter: a click on the wire, a value from the tree, an operator in words. */
async function filter(page, wire, label, value, operator, right) {
  await open(page, wire);
  const panel = side(page, "Filter on the wire");
  await panel.getByLabel("Label").fill(label);
  await panel.getByRole("textbox", { name: "Value", exact: true }).click();
  for (const name of value.slice(0, -1)) await panel.getByRole("button", { name: `Unfold ${name}` }).first().click();
  await panel.getByRole("button", { name: value.at(-1), exact: true }).first().click();
  await panel.getByLabel("Operator", { exact: true }).selectOption(operator);
  await panel.getByLabel("Compared with").fill(right);
}

/** Sets how often and how long it waits. */
async function waits(page, repeats, seconds) {
  await open(page, /^Repeater/);
  await side(page).getByLabel("Repeats").fill(repeats);
  await open(page, /^Sleep/);
  await side(page).getByLabel("Seconds").fill(seconds);
  await saved(page);
}

export const steps = [
  [
    "an empty list of flows says what to do, and makes one",
    async ({ page, url, workspace, memory }) => {
      memory.job = await makeJob(workspace);
      memory.slack = await startSlack();
      memory.mail = await startMailServer();
      await signIn(page, url);
      await page.getByRole("link", { name: "Flows" }).click();
      await page.getByRole("heading", { name: "Flows", exact: true }).waitFor();
      await accessible(page, "the empty list of flows");
      await pictures(page, "flows-empty");
      await page.getByRole("button", { name: "New flow" }).first().click();
      await page.getByLabel("Name", { exact: true }).fill("Start a job");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "What starts this flow?" }).waitFor();
      await accessible(page, "the empty editor");
      await pictures(page, "editor-empty");
    },
  ],
  [
    "a timer starts it every hour, and a request follows that typing HTTP finds",
    async ({ page }) => {
      await page.getByRole("button", { name: /^Schedule/ }).first().click();
      await page.getByRole("button", { name: /^Schedule: / }).first().click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel(/^Run/).first().selectOption("indefinitely");
      await dialog.getByLabel(/^Minutes/).fill("60");
      await dialog.getByRole("button", { name: /^(Save|OK|Set|Done)/ }).click();
      await page.getByRole("button", { name: "Schedule: Every hour. Change it" }).first().waitFor();
      await page.getByRole("button", { name: "Add a module", exact: true }).click();
      await choose(page, "HTTP", /Make a request/);
    },
  ],
  [
    "the request is set up: address, method, headers, body",
    async ({ page, workspace, memory }) => {
      await side(page).getByLabel("Name", { exact: true }).first().fill("Start the job");
      await side(page).getByLabel(/^URL/).fill(`${workspace}/api/2.1/jobs/run-now`);
      await side(page).getByLabel("Method").selectOption("post");
      await header(page, 1, "Authorization", `Bearer ${TOKEN}`);
      await header(page, 2, "Content-Type", "application/json");
      await side(page).getByLabel("Body type").selectOption("raw");
      await side(page).getByLabel("Content type").fill("application/json");
      const { mapper } = JSON.parse(await readFile(EXAMPLE, "utf8")).flow[0];
      await side(page).getByLabel(/^Request content|^Data|^Body$/).last().fill(mapper.data.replace("12345", memory.job));
      await side(page).getByRole("radiogroup", { name: "Parse response" }).getByLabel("Yes").check();
      await saved(page);
      await accessible(page, "the settings of a request");
      await pictures(page, "editor-request");
    },
  ],
  [
    "run once: the 200 and the run's id are seen in the bubble",
    async ({ page, workspace }) => {
      await page.getByRole("button", { name: "Run once" }).click();
      await page.getByRole("button", { name: /^Module 1: 1 operation, .*status 200/ }).click();
      // The very digits of the run that the workspace knows.
      await page.getByRole("group", { name: "Output" }).getByText(await lastRun(workspace), { exact: true }).first().waitFor();
      await accessible(page, "a bubble");
      await pictures(page, "editor-bubble");
      await page.keyboard.press("Escape");
    },
  ],
  [
    "a router sends the 200 one way, where it is looked at the run again and again",
    async ({ page, workspace }) => {
      await add(page, "Add a module after Start the job");
      await choose(page, "Router", /Router/);
      await add(page, "Add a module to route 1 of module 2");
      await choose(page, "Repeater", /Repeater/);
      await filter(page, /^Wire from Router to Repeater/, "Success", ["Status code"], "number:equal", "200");
      await accessible(page, "a filter");
      await pictures(page, "editor-filter");
      await add(page, "Add a module after Repeater");
      await choose(page, "Sleep", /Sleep/);
      await add(page, "Add a module after Sleep");
      await choose(page, "HTTP", /Make a request/);
      await side(page).getByLabel("Name", { exact: true }).first().fill("Look at the run");
      const address = side(page).getByLabel(/^URL/);
      await address.fill(`${workspace}/api/2.1/jobs/runs/get?run_id=`);
      await page.keyboard.press("End");
      // The id is picked from what the first call gave.
      const mapping = side(page).getByRole("region", { name: "Map a value" });
      await mapping.getByRole("button", { name: "Unfold Data" }).last().click();
      await mapping.getByRole("button", { name: "run_id", exact: true }).last().click();
      await side(page).getByLabel("Method").selectOption("get");
      await header(page, 1, "Authorization", `Bearer ${TOKEN}`);
      await side(page).getByRole("radiogroup", { name: "Parse response" }).getByLabel("Yes").check();
      await waits(page, "5", "1");
    },
  ],
  [
    "when the run is done a message goes to the channel; before it was seen, the field is typed",
    async ({ page, memory }) => {
      await add(page, "Add a module after Look at the run");
      await choose(page, "Router", /Router/);
      await add(page, "Add a module to route 1 of module 6");
      await choose(page, "Slack", /Create a message/);
      await side(page).getByRole("button", { name: "Add for Connection" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Name", { exact: true }).fill("slack");
      await dialog.getByLabel("Bot token").fill("xoxb-right");
      await dialog.getByLabel("Address of the methods").fill(memory.slack.url);
      await accessible(page, "a new connection");
      await dialog.getByRole("button", { name: "Store" }).click();
      await dialog.waitFor({ state: "detached" });
      await side(page).getByLabel("Channel", { exact: true }).fill("C0PROCESS");
      await side(page).getByLabel("Text", { exact: true }).fill("Job run {{1.data.run_id}} is done after look {{3.i}}: {{5.data.state.result_state}}");
      await open(page, /^Wire from Router to Create a message/);
      const panel = side(page, "Filter on the wire");
      await panel.getByLabel("Label").fill("Job Done");
      await panel.getByRole("textbox", { name: "Value", exact: true }).fill("{{5.data.state.life_cycle_state}}");
      await panel.getByLabel("Operator", { exact: true }).selectOption("text:equal");
      await panel.getByLabel("Compared with").fill("TERMINATED");
      await saved(page);
    },
  ],
  [
    "anything but 200 goes the other way, and is mailed",
    async ({ page, memory }) => {
      await page.getByRole("button", { name: "Fit the flow into the window" }).click();
      await add(page, "Add a module to route 2 of module 2");
      await choose(page, "email", /Send an email/);
      await side(page).getByRole("button", { name: "Add for Connection" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Name", { exact: true }).fill("mail");
      await dialog.getByLabel("Host").fill("127.0.0.1");
      await dialog.getByLabel("Port").fill(String(memory.mail.port));
      await dialog.getByLabel("Protection").selectOption("none");
      await dialog.getByLabel("From").fill("flows@example.com");
      await dialog.getByRole("button", { name: "Store" }).click();
      await dialog.waitFor({ state: "detached" });
      await side(page).getByRole("button", { name: "Add item to To" }).click();
      await side(page).getByLabel(/^To, item 1|^Item 1/).fill("operations@example.com");
      await side(page).getByLabel("Subject").fill("The job was not started");
      await side(page).getByLabel("Content type").selectOption("text");
      await side(page).getByLabel("Text", { exact: true }).fill("{{1.statusCode}}: {{1.data.message}}");
      await filter(page, /^Wire from Router to Send an email/, "Failure", ["Status code"], "number:notequal", "200");
      await saved(page);
      await pictures(page, "editor-document-1");
    },
  ],
  [
    "run once: it waits, sees the end, and tells the channel; nothing is mailed",
    async ({ page, workspace, memory }) => {
      await page.getByRole("button", { name: "Run once" }).click();
      await page.getByRole("button", { name: /^Module 5: 5 operations, / }).waitFor();
      const run = await lastRun(workspace);
      const told = memory.slack.messages.map(({ channel, text }) => `${channel} ${text}`);
      assert.match(told[0], new RegExp(`^C0PROCESS Job run ${run} is done after look \\d: SUCCESS$`));
      assert.deepEqual(memory.mail.mails, []);
      // The notebook was given what the body says.
      assert.match(await asked(workspace, "GET", `/api/2.1/jobs/runs/get?run_id=${run}`), /"threshold_days","value":"5"|"threshold_days":"5"/);
      await pictures(page, "editor-waited");
    },
  ],
  [
    "the token is broken: the 401 is seen on the failure route, and the mail comes",
    async ({ page, memory }) => {
      await open(page, /^Start the job/);
      const value = side(page).getByRole("group", { name: "Headers, item 1" }).getByLabel(/^value/i);
      await value.fill("Bearer dapi-broken");
      await saved(page);
      await page.getByRole("button", { name: "Run once" }).click();
      await page.getByRole("button", { name: /^Module 1: 1 operation, .*status 401/ }).waitFor();
      await page.getByRole("button", { name: /^Module 8: 1 operation, / }).waitFor();
      await until("the mail comes", () => memory.mail.mails.length === 1);
      assert.match(memory.mail.mails[0], /Subject: The job was not started[\s\S]*401: /);
      await pictures(page, "editor-401");
      await value.fill(`Bearer ${TOKEN}`);
      await saved(page);
    },
  ],
  [
    "ten minutes of patience; published, switched on, and its runs are in the list",
    async ({ page }) => {
      await waits(page, "20", "30");
      await page.getByRole("button", { name: "Publish", exact: true }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("What is different now").fill("It starts the job and waits for it");
      await dialog.getByRole("button", { name: /^Publish/ }).click();
      await page.getByText("Published", { exact: true }).first().waitFor();
      await page.getByRole("switch", { name: "Inactive" }).click();
      await page.getByRole("switch", { name: "Active" }).waitFor();
      await page.getByRole("link", { name: "Runs" }).first().click();
      await page.getByRole("heading", { name: "Runs", exact: true }).waitFor();
      await page.getByRole("link", { name: /./ }).filter({ hasText: "Start a job" }).first().waitFor();
      await accessible(page, "the list of runs");
      await pictures(page, "runs");
    },
  ],
  [
    "what was built is the example, module by module",
    async ({ url, workspace, memory }) => {
      const example = (await readFile(EXAMPLE, "utf8"))
        .replaceAll("https://adb-1234567890123456.7.azuredatabricks.net", workspace)
        .replaceAll("dapi00000000000000000000000000000000", TOKEN)
        .replace("12345,", `${memory.job},`);
      const built = await call(url, "GET", "/api/v1/flows/start-a-job/blueprint?format=json&of=published");
      assert.deepEqual(essence(built), essence(JSON.parse(example)));
      assert.deepEqual(built.scheduling, JSON.parse(example).scheduling);
      memory.slack.stop();
      memory.mail.stop();
    },
  ],
];
