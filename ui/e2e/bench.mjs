// What the editor costs: bytes of a first visit, time until it can be used, work
// of the main thread per frame while a flow of 1,000 modules is panned, and the
// tab's memory after minutes of it. Beside it the same 1,000 points and wires
// drawn by the canvas library alone, without anything of ours, as the floor.

import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";

import { build } from "vite";
import { chromium } from "playwright-core";

import { KEY, call, startProgram } from "./walker.mjs";

const quick = process.argv.includes("--quick");
const MODULES = 1000;
const PAN_SECONDS = 10;
const STAY_MINUTES = quick ? 0.5 : 5;

const median = (values) => percentile(values, 0.5);
function percentile(values, part) {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** A flow of many modules: routers of ten routes with modules in a row. */
function bigFlow() {
  let id = 1;
  const row = (length) =>
    Array.from({ length }, () => ({
      id: ++id,
      module: "util:SetVariable2",
      version: 1,
      mapper: { name: `v${id}`, scope: "roundtrip", value: "{{1.order}}" },
      metadata: { designer: {} },
    }));
  const routes = 40;
  const length = Math.floor((MODULES - 2) / routes);
  return {
    name: "A big flow",
    flow: [
      { id: 1, module: "loopwright:Manual", metadata: { designer: {} } },
      { id: ++id, module: "builtin:BasicRouter", routes: Array.from({ length: routes }, () => ({ flow: row(length) })) },
    ],
  };
}

/** Pans with the mouse for some seconds, and returns the work of the main thread per frame in milliseconds. */
async function panned(page, selector) {
  const session = await page.context().newCDPSession(page);
  const events = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...value));
  const done = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
  await session.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: { includedCategories: ["disabled-by-default-devtools.timeline", "devtools.timeline", "toplevel"] },
  });
  await pan(page, selector, PAN_SECONDS);
  await session.send("Tracing.end");
  await done;
  await session.detach();
  return framesOf(events);
}

async function pan(page, selector, seconds) {
  const box = await page.locator(selector).first().boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const end = Date.now() + seconds * 1000;
  let turn = 0;
  while (Date.now() < end) {
    await page.mouse.move(x, y);
    await page.mouse.down();
    for (let step = 1; step <= 30; step++) {
      const side = turn % 2 === 0 ? 1 : -1;
      await page.mouse.move(x + side * step * 12, y + side * step * 6);
    }
    await page.mouse.up();
    turn += 1;
  }
}

/** Sums the tasks of the page's main thread from one frame to the next. */
function framesOf(events) {
  const names = new Map();
  for (const event of events) {
    if (event.name === "thread_name") names.set(`${event.pid}/${event.tid}`, event.args.name);
  }
  const count = new Map();
  for (const event of events) {
    const thread = `${event.pid}/${event.tid}`;
    if (names.get(thread) === "CrRendererMain" && event.name === "RunTask") count.set(thread, (count.get(thread) ?? 0) + 1);
  }
  const [main] = [...count].sort(([, one], [, other]) => other - one)[0] ?? [];
  const own = events.filter((event) => `${event.pid}/${event.tid}` === main);
  // Each frame that the main thread hands over is put into layers once.
  const handed = own.filter((event) => event.name === "Layerize");
  const begins = handed.map((event) => event.ts).sort((one, other) => one - other);
  const work = new Array(Math.max(0, begins.length - 1)).fill(0);
  for (const task of own.filter((event) => event.name === "RunTask" && event.ph === "X")) {
    let at = begins.findIndex((begin) => begin > task.ts) - 1;
    if (at < 0) continue;
    work[at] += task.dur / 1000;
  }
  return work;
}

/** Megabytes that the tab holds: its own process, as the system counts it. */
async function tabMegabytes(browser, page) {
  const session = await browser.newBrowserCDPSession();
  await page.evaluate(() => globalThis.gc?.());
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const renderers = processInfo.filter((process) => process.type === "renderer").map((process) => process.id);
  const sizes = renderers.map((pid) => {
    const status = execFileSync("cat", [`/proc/${pid}/status`], { encoding: "utf8" });
    return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
  });
  await session.detach();
  return Math.max(...sizes);
}

function launch() {
  return chromium.launch({
    executablePath: process.env.LOOPWRIGHT_TEST_CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-quic", "--js-flags=--expose-gc"],
  });
}

/** The canvas library alone, with the same number of plain points. */
async function floor() {
  const root = join(import.meta.dirname, "floor");
  const out = join(import.meta.dirname, "../../target/floor");
  await build({ root, logLevel: "error", build: { outDir: out, emptyOutDir: true, assetsInlineLimit: 0 } });
  const server = createServer(async (request, answer) => {
    const [asked] = request.url.split("?");
    const path = asked === "/" ? "/index.html" : asked;
    const kind = { html: "text/html", js: "text/javascript", css: "text/css" }[path.split(".").pop()] ?? "text/plain";
    try {
      const body = await readFile(join(out, path));
      answer.writeHead(200, { "content-type": kind }).end(body);
    } catch {
      answer.writeHead(404).end();
    }
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return { url: `http://127.0.0.1:${server.address().port}/?points=${MODULES}`, stop: () => server.close() };
}

async function measured(url, selector, before) {
  const browser = await launch();
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await before?.(page);
  const opened = [];
  for (let turn = 0; turn < (quick ? 3 : 10); turn++) {
    const start = performance.now();
    await page.goto(url);
    await page.locator(selector).first().waitFor();
    // Usable: a frame was drawn and the main thread is free again.
    await page.evaluate(() => new Promise((free) => requestAnimationFrame(() => requestIdleCallback(free))));
    opened.push(performance.now() - start);
  }
  const frames = await panned(page, selector.split(" ")[0]);
  await pan(page, selector.split(" ")[0], STAY_MINUTES * 60);
  const megabytes = await tabMegabytes(browser, page);
  await browser.close();
  return { opened: median(opened), frames, megabytes };
}

const line = (name, own, peer, unit) =>
  console.log(
    `${name.padEnd(52)} ${own.toFixed(1).padStart(8)} ${peer.toFixed(1).padStart(8)} ${unit.padEnd(3)} ${(own / peer).toFixed(2).padStart(6)}`,
  );

console.log(execFileSync("node", [join(import.meta.dirname, "budget.mjs")], { encoding: "utf8" }));
const { url, stop } = await startProgram();
const document = bigFlow();
await call(url, "PUT", "/api/v1/flows/big", document);
const bare = await floor();
const ours = await measured(`${url}/flows/big`, ".react-flow .far-flow", async (page) => {
  await page.goto(url);
  await page.getByLabel("App key").fill(KEY);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "The loop" }).waitFor();
});
const alone = await measured(bare.url, ".react-flow .react-flow__node");
console.log(`${"a flow of 1,000 modules".padEnd(52)} ${"ours".padStart(8)} ${"bare".padStart(8)}     ${"ratio".padStart(6)}`);
line("opened and usable, median", ours.opened, alone.opened, "ms");
line("work of the main thread per frame, median", median(ours.frames), median(alone.frames), "ms");
line("work of the main thread per frame, p95 (goal 8)", percentile(ours.frames, 0.95), percentile(alone.frames, 0.95), "ms");
line(`memory of the tab after ${STAY_MINUTES} min of panning (goal 200)`, ours.megabytes, alone.megabytes, "MB");
console.log(`${ours.frames.length} and ${alone.frames.length} frames in ${PAN_SECONDS} s of panning`);
bare.stop();
await stop();
