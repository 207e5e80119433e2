// What every walk needs: the program on a fresh folder and free ports, calls of
// its API as any client makes them, and a look at what a page tells people who
// do not see it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { startFront } from "./front.mjs";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
export const KEY = "walker:a-key-for-the-walk-only";
export const TOKEN = "dapi0123456789abcdef0123456789abcdef";
export const PICTURES = join(import.meta.dirname, "../../target/pictures");

/** Starts the program and returns its addresses and ways to end it; `settings` are environment variables. */
export async function startProgram(settings = {}) {
  const data = await mkdtemp(join(tmpdir(), "loopwright-walk-"));
  let { program, ...own } = await serve(data, settings, "127.0.0.1:0", "127.0.0.1:0");
  const { fronts, url, workspace } = await fronted(own);
  const ended = async (signal) => {
    const gone = once(program, "exit");
    program.kill(signal);
    return (await gone)[0];
  };
  /** Ends it as a power failure would, and starts it again where it was. */
  const crash = async () => {
    await ended("SIGKILL");
    ({ program } = await serve(data, settings, new URL(own.url).host, new URL(own.workspace).host));
  };
  const stop = async () => {
    fronts.forEach((front) => front.stop());
    const code = await ended("SIGTERM");
    await rm(data, { recursive: true, force: true });
    assert.equal(code, 0, "the program ends cleanly on SIGTERM");
  };
  return { url, workspace, crash, stop };
}

/** Starts a process of the program, and waits until it listens. */
async function serve(data, settings, listen, workspaceListen) {
  const program = spawn(process.env.LOOPWRIGHT_TEST_PROGRAM, ["serve", "--data", data, "--listen", listen, "--workspace-listen", workspaceListen], {
    env: { ...process.env, ...settings, LOOPWRIGHT_BOOTSTRAP_APP_KEY: KEY, LOOPWRIGHT_WORKSPACE_BOOTSTRAP_TOKEN: TOKEN },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: program.stdout });
  const ended = once(program, "exit").then(([code]) => {
    throw new Error(`the program ended with ${code} before it was ready`);
  });
  ended.catch(() => {});
  const ready = (async () => {
    const addresses = [];
    for await (const line of lines) {
      if (!line.startsWith("listening on ")) continue;
      addresses.push(line.slice("listening on ".length));
      // The program's own first, then its local workspace.
      if (addresses.length === 2) return { program, url: addresses[0], workspace: addresses[1] };
    }
    throw new Error("the program ended before it was ready");
  })();
  return Promise.race([ready, ended]);
}

/** The program's addresses, or those of another UI before it. */
async function fronted(own) {
  const folder = process.env.LOOPWRIGHT_TEST_UI;
  if (folder === undefined) return { ...own, fronts: [] };
  const fronts = [await startFront(own.url, folder, "index.html"), await startFront(own.workspace, folder, "workspace.html")];
  return { url: fronts[0].url, workspace: fronts[1].url, fronts };
}

const authorization = { authorization: `AppKey ${Buffer.from(KEY).toString("base64")}` };

/** Calls the API; anything but 2xx fails the walk. */
export async function call(url, method, path, body, type = "application/json") {
  const answer = await fetch(url + path, {
    method,
    headers: { ...authorization, ...(body instanceof FormData ? {} : { "content-type": type }) },
    body: body instanceof FormData || body === undefined || typeof body === "string" ? body : JSON.stringify(body),
  });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
  const text = await answer.text();
  return text === "" ? null : JSON.parse(text);
}

/** Pushes three rows as any client of the Data Push API does. */
export async function pushThreeRows(url) {
  const { id: pool } = await call(url, "POST", "/api/v1/pools", { name: "walk" });
  const jobs = `/integration/api/v1/data-push/${pool}/jobs/`;
  const job = await call(url, "POST", jobs, {
    dataPoolId: pool,
    targetName: "Visits",
    type: "DELTA",
    fileType: "CSV",
  });
  const form = new FormData();
  form.append("file", new Blob(["id,place\n1,Ulm\n2,Bonn\n3,Kiel\n"]), "visits.csv");
  await call(url, "POST", `${jobs}${job.id}/chunks/upserted`, form);
  await call(url, "POST", `${jobs}${job.id}`);
}

/** Waits for that many elements; more fail the walk. */
export async function exactly(count, elements) {
  await elements.nth(count - 1).waitFor();
  assert.equal(await elements.count(), count);
}

/** Fails if axe-core finds anything on the page; `rules` are those that count, if not all do. */
export async function accessible(page, where, rules) {
  if (!(await page.evaluate(() => "axe" in window))) await page.addScriptTag({ path: AXE });
  const found = await page.evaluate((only) => window.axe.run(only === undefined ? {} : { runOnly: { type: "rule", values: only } }), rules);
  const serious = found.violations.map(
    (violation) => `${violation.id}: ${violation.help} (${violation.nodes.map((node) => node.target).join(", ")})`,
  );
  assert.deepEqual(serious, [], `${where} is accessible`);
}

/** Takes a page's picture in both colours. */
export async function pictures(page, name) {
  for (const theme of ["light", "dark"]) {
    await page.evaluate((chosen) => (document.documentElement.dataset.theme = chosen), theme);
    await page.screenshot({ path: join(PICTURES, `${name}-${theme}.png`) });
  }
  await page.evaluate(() => (document.documentElement.dataset.theme = "light"));
}

/** Signs in as the walker. */
export async function signIn(page, url) {
  await page.goto(url);
  await page.getByLabel("App key").fill(KEY);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "The loop" }).waitFor();
}
