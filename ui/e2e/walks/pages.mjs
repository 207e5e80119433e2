// Every page, on an empty system and on one with something in every place.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { MODEL, SETTINGS, fill, startReceiver } from "../filling.mjs";
import { looked } from "../seen.mjs";
import { TOKEN, signIn } from "../walker.mjs";

export const title = "every page";
export const settings = SETTINGS;
/** One page that is wrong does not hide the others. */
export const goesOn = true;

/** What there is to see while nothing is there: the picture's name, the route, the address. */
const EMPTY = [
  ["home", "/", "/"],
  ["flows", "/flows", "/flows"],
  ["runs", "/runs", "/runs"],
  ["inbox", "/inbox", "/inbox"],
  ["pages", "/pages", "/pages"],
  ["pools", "/pools", "/pools"],
  ["models", "/models", "/models"],
  ["subscriptions", "/subscriptions", "/subscriptions"],
  ["connections", "/connections", "/connections"],
  ["hooks", "/webhooks", "/webhooks"],
  ["app-keys", "/app-keys", "/app-keys"],
  ["nothing-here", "*", "/no-such-page"],
  ["flow-unknown", "/flows/:flow", "/flows/no-such-flow"],
  ["run-unknown", "/runs/:run", "/runs/no-such-run"],
  ["page-unknown", "/pages/:page", "/pages/no-such-page"],
];

/** The same where there is something; addresses are made of what the filling found. */
const FILLED = [
  ["home", "/", () => "/"],
  ["flows", "/flows", () => "/flows"],
  ["flow", "/flows/:flow", () => "/flows/every-outcome"],
  ["flow-of-the-example", "/flows/:flow", () => "/flows/score-late-order"],
  ["run-flow", "/flows/:flow/run", () => "/flows/every-outcome/run"],
  ["incomplete", "/flows/:flow/incomplete", () => "/flows/every-outcome/incomplete"],
  ["runs", "/runs", () => "/runs"],
  ["runs-narrowed", "/runs", () => "/runs?status=error,warning"],
  ["run-of-a-signal", "/runs/:run", ({ runs }) => `/runs/${runs.signal}`],
  ["run-success", "/runs/:run", ({ runs }) => `/runs/${runs.success}`],
  ["run-error", "/runs/:run", ({ runs }) => `/runs/${runs.error}`],
  ["run-warning", "/runs/:run", ({ runs }) => `/runs/${runs.warning}?show=ways`],
  ["run-cancelled", "/runs/:run", ({ runs }) => `/runs/${runs.cancelled}?show=modules`],
  ["run-sleeping", "/runs/:run", ({ runs }) => `/runs/${runs.sleeping}?show=input`],
  ["run-waiting", "/runs/:run", ({ runs }) => `/runs/${runs.waiting}`],
  ["inbox", "/inbox", () => "/inbox"],
  ["inbox-answered", "/inbox", () => "/inbox?show=answered"],
  ["task", "/inbox/:task", ({ tasks }) => `/inbox/${tasks.open}`],
  ["pages", "/pages", () => "/pages"],
  ["page", "/pages/:page", () => "/pages/compliance"],
  ["pools", "/pools", () => "/pools"],
  ["pool-tables", "/pools/:pool", ({ pool }) => `/pools/${pool}`],
  ["pool-push-jobs", "/pools/:pool", ({ pool }) => `/pools/${pool}?tab=push-jobs`],
  ["pool-data-jobs", "/pools/:pool", ({ pool }) => `/pools/${pool}?tab=data-jobs`],
  ["pool-sql", "/pools/:pool", ({ pool }) => `/pools/${pool}?tab=sql`],
  ["pool-sources", "/pools/:pool", ({ pool }) => `/pools/${pool}?tab=sources`],
  ["pool-permissions", "/pools/:pool", ({ pool }) => `/pools/${pool}?tab=permissions`],
  ["table", "/pools/:pool/tables/:table", ({ pool }) => `/pools/${pool}/tables/PurchaseEvents`],
  ["push-job-done", "/pools/:pool/push-jobs/:job", ({ pool, push }) => `/pools/${pool}/push-jobs/${push.DONE}`],
  ["push-job-failed", "/pools/:pool/push-jobs/:job", ({ pool, push }) => `/pools/${pool}/push-jobs/${push.ERROR}`],
  ["push-job-new", "/pools/:pool/push-jobs/:job", ({ pool, push }) => `/pools/${pool}/push-jobs/${push.NEW}`],
  ["data-job", "/pools/:pool/data-jobs/:job", ({ pool, dataJobs }) => `/pools/${pool}/data-jobs/${dataJobs["Steps per activity"]}`],
  ["data-job-failed", "/pools/:pool/data-jobs/:job", ({ pool, dataJobs }) => `/pools/${pool}/data-jobs/${dataJobs["Steps of last year"]}`],
  ["app-keys", "/app-keys", () => "/app-keys"],
  ["models", "/models", () => "/models"],
  ["model-triggers", "/models/:model", () => `/models/${MODEL}`],
  ["model-process", "/models/:model", () => `/models/${MODEL}?tab=process`],
  ["model-cases", "/models/:model", () => `/models/${MODEL}?tab=cases`],
  ["model-draft", "/models/:model", () => `/models/${MODEL}?tab=draft`],
  ["model-versions", "/models/:model", () => `/models/${MODEL}?tab=versions`],
  ["model-unpublished", "/models/:model", () => "/models/purchase-to-pay.rework"],
  ["trigger-fired", "/models/:model/triggers/:trigger", () => `/models/${MODEL}/triggers/LONG_WAIT`],
  ["trigger-outcomes", "/models/:model/triggers/:trigger", () => `/models/${MODEL}/triggers/LONG_WAIT?tab=outcomes`],
  ["trigger-matched", "/models/:model/triggers/:trigger", () => `/models/${MODEL}/triggers/LONG_WAIT?tab=matched`],
  ["trigger-held", "/models/:model/triggers/:trigger", () => `/models/${MODEL}/triggers/LONG_WAIT?tab=held`],
  ["trigger-shadows", "/models/:model/triggers/:trigger", () => `/models/${MODEL}/triggers/LONG_WAIT?tab=shadows`],
  ["trigger-why", "/models/:model/triggers/:trigger", ({ lateCase }) => `/models/${MODEL}/triggers/LONG_WAIT?tab=why&case=${lateCase}`],
  ["case", "/models/:model/cases/:case", ({ lateCase }) => `/models/${MODEL}/cases/${lateCase}`],
  ["subscriptions", "/subscriptions", () => "/subscriptions"],
  ["subscription-active", "/subscriptions/:id", ({ subscriptions }) => `/subscriptions/${subscriptions.active}`],
  ["subscription-failed", "/subscriptions/:id", ({ subscriptions }) => `/subscriptions/${subscriptions.failed}`],
  ["subscription-paused", "/subscriptions/:id", ({ subscriptions }) => `/subscriptions/${subscriptions.paused}?tab=settings`],
  ["connections", "/connections", () => "/connections"],
  ["connection", "/connections/:connection", () => "/connections/this-loopwright"],
  ["hooks", "/webhooks", () => "/webhooks"],
];

/** The pages of the local workspace, by the words of its own router. */
const WORKSPACE = [
  ["workspace-jobs", "jobs", () => "/jobs"],
  ["workspace-job", "job", ({ jobRuns }) => `/jobs/${jobRuns.at(-1).job}`],
  ["workspace-runs", "runs", () => "/runs"],
  ["workspace-run", "run", ({ jobRuns }) => `/jobs/${jobRuns.at(-1).job}/runs/${jobRuns.at(-1).run}`],
  ["workspace-run-failed", "run", ({ jobRuns }) => `/jobs/${jobRuns[0].job}/runs/${jobRuns[0].run}`],
  ["workspace-tokens", "tokens", () => "/settings/tokens"],
  ["workspace-nothing-here", "unknown", () => "/jobs/none"],
];

const SOURCE = join(import.meta.dirname, "../../src");
const routes = [...(await readFile(join(SOURCE, "shell/routes.tsx"), "utf8")).matchAll(/path: "([^"]+)"/g)].map((match) => match[1]);
const places = [...(await readFile(join(SOURCE, "workspace/place.ts"), "utf8")).matchAll(/\| \{ page: "(\w+)"/g)].map((match) => match[1]);

/** Pages that are not built are not visited. */
const built = ([, route]) => routes.includes(route) || route === "/" || route === "*";

export const steps = [
  [
    "each page that there is stands in this walk",
    async () => {
      const visited = new Set(FILLED.map(([, route]) => route));
      assert.deepEqual(routes.filter((route) => !visited.has(route)), [], "routes that no step visits");
      const seen = new Set(WORKSPACE.map(([, place]) => place));
      assert.deepEqual(places.filter((place) => !seen.has(place)), [], "pages of the workspace that no step visits");
    },
  ],
  [
    "the door",
    async ({ page, url }) => {
      await page.goto(url);
      await looked(page, "sign-in");
      await signIn(page, url);
    },
  ],
  ...EMPTY.filter(built).map(([name, , path]) => [
    `while nothing is there: ${name}`,
    async ({ page, url, errors }) => {
      await page.goto(url + path);
      await looked(page, `empty-${name}`);
      // The browser itself writes a line about every 404.
      if (name.endsWith("unknown")) errors.splice(0, errors.length, ...errors.filter((error) => !error.includes("404")));
    },
  ]),
  [
    "something is brought into every place",
    async ({ page, url, workspace, memory }) => {
      await page.goto("about:blank");
      memory.receiver = await startReceiver();
      memory.seen = await fill(url, workspace, memory.receiver);
    },
  ],
  ...FILLED.filter(built).map(([name, , path]) => [
    name,
    async ({ page, url, memory }) => {
      const address = path(memory.seen);
      assert.ok(!address.includes("undefined"), `the filling has made what ${address} shows`);
      await page.goto(url + address);
      await looked(page, name);
    },
  ]),
  [
    "the door of the workspace",
    async ({ page, workspace }) => {
      await page.goto(workspace);
      await looked(page, "workspace-sign-in");
      await page.getByLabel(/token/i).fill(TOKEN);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Jobs" }).waitFor();
    },
  ],
  ...WORKSPACE.map(([name, , path]) => [
    name,
    async ({ page, workspace, memory }) => {
      await page.goto(workspace + path(memory.seen));
      await looked(page, name);
    },
  ]),
  ["and the receiver goes", async ({ memory }) => memory.receiver.stop()],
];
