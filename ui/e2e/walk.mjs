// Walks through the UI in a real browser, as a person would.
//
// The program is started on a fresh folder and free ports; the browser is the
// one that LOOPWRIGHT_TEST_CHROMIUM names. Any error on the browser's console
// fails the walk, except the ones that a step announces.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, mkdir, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { chromium } from "playwright-core";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const KEY = "walker:a-key-for-the-walk-only";
const PICTURES = join(import.meta.dirname, "../../target/pictures");

/** Starts the program and returns its address and a way to end it. */
async function startProgram() {
  const data = await mkdtemp(join(tmpdir(), "loopwright-walk-"));
  const program = spawn(
    process.env.LOOPWRIGHT_TEST_PROGRAM,
    ["serve", "--data", data, "--listen", "127.0.0.1:0", "--workspace-listen", "off"],
    { env: { ...process.env, LOOPWRIGHT_BOOTSTRAP_APP_KEY: KEY }, stdio: ["ignore", "pipe", "inherit"] },
  );
  const lines = createInterface({ input: program.stdout });
  const ended = once(program, "exit").then(([code]) => {
    throw new Error(`the program ended with ${code} before it was ready`);
  });
  ended.catch(() => {});
  const ready = (async () => {
    for await (const line of lines) {
      if (line.startsWith("listening on ")) return line.slice("listening on ".length);
    }
  })();
  const url = await Promise.race([ready, ended]);
  const stop = async () => {
    const gone = once(program, "exit");
    program.kill("SIGTERM");
    const [code] = await gone;
    await rm(data, { recursive: true, force: true });
    assert.equal(code, 0, "the program ends cleanly on SIGTERM");
  };
  return { url, stop };
}

const authorization = { authorization: `AppKey ${Buffer.from(KEY).toString("base64")}` };

async function call(url, method, path, body, type = "application/json") {
  const answer = await fetch(url + path, {
    method,
    headers: { ...authorization, ...(body instanceof FormData ? {} : { "content-type": type }) },
    body: body instanceof FormData || body === undefined ? body : JSON.stringify(body),
  });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
  const text = await answer.text();
  return text === "" ? null : JSON.parse(text);
}

/** Pushes three rows as any client of the Data Push API does. */
async function pushThreeRows(url) {
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

async function accessible(page, where) {
  await page.addScriptTag({ path: AXE });
  const found = await page.evaluate(() => window.axe.run());
  const serious = found.violations.map((violation) => `${violation.id}: ${violation.help}`);
  assert.deepEqual(serious, [], `${where} is accessible`);
}

const steps = [
  [
    "the sign-in page asks for a key",
    async ({ page, url }) => {
      await page.goto(url);
      await page.getByRole("heading", { name: "Sign in" }).waitFor();
      await accessible(page, "the sign-in page");
    },
  ],
  [
    "a wrong key is told in words",
    async ({ page, errors }) => {
      await page.getByLabel("App key").fill("nobody:nothing");
      await page.keyboard.press("Enter");
      await page.getByRole("alert").getByText("This key is not known here").waitFor();
      // The browser itself writes a line about every 401.
      const announced = errors.splice(0).filter((error) => !error.includes("401"));
      assert.deepEqual(announced, []);
    },
  ],
  [
    "the right key opens the loop, and an empty one says what to do",
    async ({ page }) => {
      await page.getByLabel("App key").fill(KEY);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "The loop" }).waitFor();
      await page.getByText("Nothing has come in yet").waitFor();
      await page.screenshot({ path: join(PICTURES, "home-empty.png") });
      await accessible(page, "the empty home page");
    },
  ],
  [
    "rows that come in are seen without a reload",
    async ({ page, url }) => {
      await pushThreeRows(url);
      const station = page.getByRole("listitem").filter({ hasText: "Rows in" });
      await station.getByText("3", { exact: true }).waitFor();
      await page.getByText("Nothing has come in yet").waitFor({ state: "detached" });
      await page.screenshot({ path: join(PICTURES, "home-light.png") });
    },
  ],
  [
    "dark colours are one key away and stay after a reload",
    async ({ page }) => {
      await page.getByRole("button", { name: "Switch to dark colours" }).click();
      await page.reload();
      await page.getByRole("heading", { name: "The loop" }).waitFor();
      assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
      await page.screenshot({ path: join(PICTURES, "home-dark.png") });
      await accessible(page, "the dark home page");
    },
  ],
  [
    "signing out leads back to the door",
    async ({ page }) => {
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByRole("heading", { name: "Sign in" }).waitFor();
    },
  ],
];

await mkdir(PICTURES, { recursive: true });
const { url, stop } = await startProgram();
const browser = await chromium.launch({
  executablePath: process.env.LOOPWRIGHT_TEST_CHROMIUM,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
// The policy of the pages forbids foreign scripts; the checker is one.
const page = await browser.newPage({
  colorScheme: "light",
  viewport: { width: 1280, height: 800 },
  bypassCSP: true,
});
const errors = [];
page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
page.on("pageerror", (error) => errors.push(String(error)));

let failed = 0;
for (const [name, walk] of steps) {
  try {
    await walk({ page, url, errors });
    assert.deepEqual(errors, [], "no error on the console");
    console.log(`ok   ${name}`);
  } catch (error) {
    failed += 1;
    console.error(`FAIL ${name}\n`, error);
    await page.screenshot({ path: join(PICTURES, "failed.png") });
    break;
  }
}
await browser.close();
await stop();
console.log(`${steps.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
