// What a first visit loads: the scripts that the first page names, and all that
// they import at once. More than the budget fails.

import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const BUDGET_BYTES = 250 * 1024;
const DIST = join(import.meta.dirname, "../dist");

/** The scripts that are loaded before anything is clicked, by their names in `dist`. */
async function firstLoad(page) {
  const html = await readFile(join(DIST, page), "utf8");
  const waiting = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)].map((match) => match[1]);
  const seen = new Set();
  while (waiting.length > 0) {
    const name = waiting.pop();
    if (seen.has(name)) continue;
    seen.add(name);
    const code = await readFile(join(DIST, name), "utf8");
    // Only imports that stand at the head; what `import(…)` names comes later.
    const imports = [...code.matchAll(/(?:^|[;\n}])\s*import\s*(?:[^"'();]*?from\s*)?["']\.\/([^"']+\.js)["']/g)];
    waiting.push(...imports.map((match) => `assets/${match[1]}`));
  }
  return seen;
}

const sizes = new Map();
for (const name of await readdir(join(DIST, "assets"))) {
  if (!name.endsWith(".js")) continue;
  sizes.set(`assets/${name}`, gzipSync(await readFile(join(DIST, "assets", name)), { level: 9 }).length);
}
const kilobytes = (bytes) => `${(bytes / 1024).toFixed(1)} KB`;
let failed = false;
for (const page of ["index.html", "workspace.html"]) {
  const names = [...(await firstLoad(page))];
  const sum = names.reduce((all, name) => all + sizes.get(name), 0);
  console.log(`${page}: first load ${kilobytes(sum)} of scripts, gzip, of ${kilobytes(BUDGET_BYTES)}`);
  failed ||= sum > BUDGET_BYTES || names.length === 0;
}
const later = [...sizes].sort(([, one], [, other]) => other - one).slice(0, 8);
console.log(later.map(([name, size]) => `  ${kilobytes(size).padStart(9)}  ${name}`).join("\n"));
process.exitCode = failed ? 1 : 0;
