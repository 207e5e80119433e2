// What a page tells people who do not see it, as text that can be compared, and
// its pictures. What differs from one walk to the next is masked: ids, times,
// durations, counts, addresses of this machine.

import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { PICTURES, accessible } from "./walker.mjs";

const SNAPSHOTS = join(import.meta.dirname, "snapshots");
/** `write` writes what is seen, `compare` compares it; else only that it was written once is looked at. */
const SNAPSHOTS_ARE = process.env.LOOPWRIGHT_TEST_SNAPSHOTS ?? "there";
const PATIENCE_MS = 8000;
const NARROW = { width: 390, height: 844 };

const MONTHS = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*";
const MASKS = [
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "ID"],
  [/\b[0-9a-f]{8}\b/g, "ID"],
  [/127\.0\.0\.1:\d+/g, "HERE"],
  [/\/hooks\/[\w-]{20,}/g, "/hooks/SECRET"],
  [new RegExp(`${MONTHS} \\d+(, \\d{4})?(,? (at )?\\d+:\\d+(:\\d+)?( [AP]M)?)?`, "g"), "TIME"],
  [/\d{4}-\d{2}-\d{2}T[\d:.]+Z/g, "TIME"],
  [/\d+:\d+(:\d+)?( [AP]M)?/g, "TIME"],
  [/(in )?\d+ (second|minute|hour|day)s?( ago)?|\bnow\b|yesterday|tomorrow/g, "WHEN"],
  [/\d[\d.,]*( \d+)? ?(µs|ms|s|min|h|d|KB|kB|MB|B|bytes)\b( \d+ (s|min|h)\b)?/g, "SIZE"],
  [/-?\d[\d.,]*/g, "#"],
  // What looks like a number is quoted, which ids do by chance.
  [/"(ID|#)"/g, "$1"],
];

/** The accessibility tree of an element, without what varies. */
export async function told(element) {
  const tree = await element.ariaSnapshot();
  return `${MASKS.reduce((text, [from, to]) => text.replace(from, to), tree)}\n`;
}

/** Waits until nothing on a page is still being read. */
export async function settled(page) {
  await page.locator("main h1").first().waitFor();
  await page.waitForFunction(() => !/(Reading|Loading) …/.test(document.querySelector("main")?.innerText ?? ""));
  await page.evaluate(() => document.fonts.ready);
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
}

/** Compares a page with what it told when somebody last looked, or writes that down. */
export async function asBefore(page, name) {
  const file = join(SNAPSHOTS, `${name}.yaml`);
  const main = page.locator("main");
  if (SNAPSHOTS_ARE === "write") {
    await mkdir(SNAPSHOTS, { recursive: true });
    return writeFile(file, await told(main));
  }
  const before = await readFile(file, "utf8").catch(() => "");
  assert.notEqual(before, "", `${name} has a tree under snapshots (LOOPWRIGHT_TEST_SNAPSHOTS=write writes it)`);
  if (SNAPSHOTS_ARE !== "compare") return;
  const end = Date.now() + PATIENCE_MS;
  let now = await told(main);
  // Live parts may come a moment later than the page.
  while (now !== before && Date.now() < end) {
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(drawn)));
    now = await told(main);
  }
  if (now !== before) await writeFile(join(PICTURES, `${name}.yaml`), now);
  assert.equal(now, before, `${name} tells what it told before (LOOPWRIGHT_TEST_SNAPSHOTS=write takes it as it is now)`);
}

const inColours = (page, theme) => page.evaluate((chosen) => (document.documentElement.dataset.theme = chosen), theme);

/** Looks at a page as everybody sees it: in both colours, wide and narrow, and by ear. */
export async function looked(page, name) {
  const wide = page.viewportSize();
  await settled(page);
  await asBefore(page, name);
  for (const theme of ["light", "dark"]) {
    await inColours(page, theme);
    // Colours are all that is different in the dark.
    await accessible(page, `${name} in ${theme}`, theme === "dark" ? ["color-contrast"] : undefined);
    await page.screenshot({ path: join(PICTURES, `${name}-${theme}.png`), animations: "disabled" });
  }
  await page.setViewportSize(NARROW);
  await page.screenshot({ path: join(PICTURES, `${name}-narrow-dark.png`), animations: "disabled" });
  await inColours(page, "light");
  await page.screenshot({ path: join(PICTURES, `${name}-narrow.png`), animations: "disabled" });
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  await page.setViewportSize(wide);
  assert.ok(over <= 0, `${name} needs no scrolling sideways on a telephone, but is ${over} pixels too wide`);
}
