// Walks through the UI in a real browser, as a person would.
//
// Each walk has a program of its own on a fresh folder and free ports; the
// browser is the one that LOOPWRIGHT_TEST_CHROMIUM names. Any error on the
// browser's console fails a walk, except the ones that a step announces. A word
// after the command picks walks by their titles.

import assert from "node:assert/strict";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";

import { chromium } from "playwright-core";

import { PICTURES, startProgram } from "./walker.mjs";

/** How long every answer is held back; a walk that passes only on a fast machine is found so. */
const LATENCY_MS = Number(process.env.LOOPWRIGHT_TEST_LATENCY_MS ?? 0);

const wanted = process.argv[2] ?? "";
const files = (await readdir(join(import.meta.dirname, "walks"))).filter((name) => name.endsWith(".mjs")).sort();
const walks = await Promise.all(files.map((name) => import(`./walks/${name}`)));

await mkdir(PICTURES, { recursive: true });
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

const count = { passed: 0, failed: 0 };
for (const { title, steps, settings, goesOn } of walks) {
  if (!title.includes(wanted)) continue;
  console.log(`\n${title}`);
  await walk(steps, settings, goesOn);
}
await browser.close();
console.log(`\n${count.passed} passed, ${count.failed} failed`);
process.exitCode = count.failed === 0 ? 0 : 1;

async function walk(steps, settings, goesOn = false) {
  const { url, workspace, crash, stop } = await startProgram(settings);
  // The policy of the pages forbids foreign scripts; the checker is one.
  const context = await browser.newContext({
    colorScheme: "light",
    // What moves on its own is clicked beside.
    reducedMotion: "reduce",
    viewport: { width: 1440, height: 900 },
    bypassCSP: true,
  });
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: url });
  const page = await context.newPage();
  if (LATENCY_MS > 0) await delay(page, LATENCY_MS);
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(`${message.text()} (${message.location().url})`));
  page.on("pageerror", (error) => errors.push(String(error)));
  /** What steps tell the ones after them. */
  const memory = {};
  for (const [name, step] of steps) {
    const begun = performance.now();
    try {
      await step({ page, url, workspace, crash, errors, memory });
      assert.deepEqual(errors, [], "no error on the console");
      count.passed += 1;
      console.log(`ok   ${name} (${((performance.now() - begun) / 1000).toFixed(1)} s)`);
    } catch (error) {
      count.failed += 1;
      console.error(`FAIL ${name}\n`, error);
      await page.screenshot({ path: join(PICTURES, "failed.png") });
      if (!goesOn) break;
      errors.splice(0);
    }
  }
  await context.close();
  await stop();
}

async function delay(page, latency) {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.emulateNetworkConditions", { offline: false, latency, downloadThroughput: -1, uploadThroughput: -1 });
}
