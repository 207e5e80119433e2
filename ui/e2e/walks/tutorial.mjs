// Document by document as a person does it: a flow that starts a Databricks job
// is built from an empty system with mouse and keyboard, run once, and its
// token broken.

import assert from "node:assert/strict";

import { TOKEN, accessible, pictures, signIn } from "../walker.mjs";

export const title = "a flow that starts a job, from nothing";

/** Makes a job in the local workspace, as its users do; returns its id. */
async function makeJob(workspace) {
  const asked = async (method, path, body) => {
    const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
    const answer = await fetch(workspace + path, { method, headers, body: JSON.stringify(body) });
    assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
    return answer.text();
  };
  const content = Buffer.from("print('scored')\n").toString("base64");
  await asked("POST", "/api/2.0/workspace/mkdirs", { path: "/Shared" });
  await asked("POST", "/api/2.0/workspace/import", { path: "/Shared/score.py", format: "AUTO", content, overwrite: true });
  const task = { task_key: "score", spark_python_task: { python_file: "/Shared/score.py" } };
  // Ids of jobs are longer than the numbers of this language are exact.
  return /"job_id":(\d+)/.exec(await asked("POST", "/api/2.1/jobs/create", { name: "score", tasks: [task] }))[1];
}

/** The id of the workspace's newest run, digit by digit. */
async function lastRun(workspace) {
  const answer = await fetch(`${workspace}/api/2.1/jobs/runs/list?limit=1`, { headers: { authorization: `Bearer ${TOKEN}` } });
  return /"run_id":(\d+)/.exec(await answer.text())[1];
}

/** Chooses a module in the search that is open. */
async function choose(page, words, name) {
  const search = page.getByRole("combobox", { name: "Search modules" });
  await search.fill(words);
  await page.getByRole("option", { name }).first().waitFor();
  await page.keyboard.press("Enter");
}

const saved = (page) => page.getByRole("toolbar", { name: "Flow" }).getByRole("button", { name: "Saved", exact: true }).waitFor();
const panel = (page, name) => page.getByRole("complementary", { name });

export const steps = [
  [
    "an empty list of flows says what to do, and makes one",
    async ({ page, url, workspace, memory }) => {
      memory.job = await makeJob(workspace);
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
    "it starts by hand, and a request follows that typing HTTP finds",
    async ({ page }) => {
      await page.getByRole("button", { name: /^Manual/ }).click();
      await page.getByRole("button", { name: /^Add a module after/ }).first().click();
      await choose(page, "HTTP", /Make a request/);
      await panel(page, "Settings of the module").getByRole("heading", { name: "Make a request" }).waitFor();
    },
  ],
  [
    "the request is set up: address, method, headers, body",
    async ({ page, workspace, memory }) => {
      const side = panel(page, "Settings of the module");
      await side.getByLabel("Name", { exact: true }).first().fill("Start the job");
      await side.getByLabel(/^URL/).fill(`${workspace}/api/2.1/jobs/run-now`);
      await side.getByLabel("Method").selectOption("post");
      await side.getByRole("button", { name: "Add item to Headers" }).click();
      const header = side.getByRole("group", { name: "Headers, item 1" });
      await header.getByLabel(/^name/i).fill("Authorization");
      await header.getByLabel(/^value/i).fill(`Bearer ${TOKEN}`);
      await side.getByLabel("Body type").selectOption("raw");
      await side.getByLabel("Content type").fill("application/json");
      await side.getByLabel(/^Request content|^Data|^Body$/).last().fill(`{"job_id": ${memory.job}}`);
      await side.getByRole("radiogroup", { name: "Parse response" }).getByLabel("Yes").check();
      await saved(page);
      await accessible(page, "the settings of a request");
      await pictures(page, "editor-request");
    },
  ],
  [
    "run once: the 200 and the run's id are seen in the bubble",
    async ({ page, workspace }) => {
      await page.getByRole("button", { name: "Run once" }).click();
      const bubble = page.getByRole("button", { name: /^Module 2: 1 operation, .*status 200/ });
      await bubble.click();
      // The very digits of the run that the workspace knows.
      await page.getByRole("group", { name: "Output" }).getByText(await lastRun(workspace), { exact: true }).first().waitFor();
      await accessible(page, "a bubble");
      await pictures(page, "editor-bubble");
      await page.keyboard.press("Escape");
    },
  ],
  [
    "a router sends the 200 one way and everything else the other",
    async ({ page }) => {
      await page.getByRole("button", { name: "Add a module after Start the job" }).click();
      await choose(page, "Router", /Router/);
      for (const [name, operator] of [
        ["Success", "number:equal"],
        ["Failure", "number:notequal"],
      ]) {
        await page.getByRole("button", { name: /^Add a route to/ }).first().click();
        await choose(page, "Compose", /Compose a string/);
        const settings = panel(page, "Settings of the module");
        await settings.getByLabel("Name", { exact: true }).first().fill(`Tell of ${name.toLowerCase()}`);
        await settings.getByLabel(/^Text/).fill(`${name}: {{2.statusCode}}`);
        // A click on the wire that leads there.
        await page.getByRole("group", { name: new RegExp(`^Wire from Router to Tell of ${name.toLowerCase()}`) }).focus();
        await page.keyboard.press("Enter");
        const filter = panel(page, "Filter on the wire");
        await filter.getByLabel("Label").fill(name);
        await filter.getByRole("textbox", { name: "Value", exact: true }).click();
        await filter.getByRole("button", { name: "Status code" }).first().click();
        await filter.getByLabel("Operator", { exact: true }).selectOption(operator);
        await filter.getByLabel("Compared with").fill("200");
        await saved(page);
      }
      await accessible(page, "a filter");
      await pictures(page, "editor-filter");
    },
  ],
  [
    "run once more: the 200 goes to success, and nothing to failure",
    async ({ page }) => {
      await page.getByRole("button", { name: "Run once" }).click();
      await page.getByRole("button", { name: /^Module 4: 1 operation, / }).waitFor();
      await page.getByRole("button", { name: /^Module 5: .*nothing passed/ }).waitFor();
    },
  ],
  [
    "the token is broken, and the 401 is seen on the failure route",
    async ({ page }) => {
      await page.getByRole("group", { name: /^Start the job/ }).focus();
      await page.keyboard.press("Enter");
      const header = panel(page, "Settings of the module").getByRole("group", { name: "Headers, item 1" });
      await header.getByLabel(/^value/i).fill("Bearer dapi-broken");
      await saved(page);
      await page.getByRole("button", { name: "Run once" }).click();
      await page.getByRole("button", { name: /^Module 2: 1 operation, .*status 401/ }).waitFor();
      await page.getByRole("button", { name: /^Module 5: 1 operation, / }).waitFor();
      await pictures(page, "editor-401");
    },
  ],
  [
    "publish: the chip says so, and the runs are in the list",
    async ({ page }) => {
      await page.getByRole("button", { name: "Publish", exact: true }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("What is different now").fill("It starts the job");
      await dialog.getByRole("button", { name: /^Publish/ }).click();
      await page.getByText("Published", { exact: true }).first().waitFor();
      await page.getByRole("link", { name: "Runs" }).first().click();
      await page.getByRole("heading", { name: "Runs", exact: true }).waitFor();
      await page.getByRole("link", { name: /./ }).filter({ hasText: "Start a job" }).first().waitFor();
      await accessible(page, "the list of runs");
      await pictures(page, "runs");
    },
  ],
];
