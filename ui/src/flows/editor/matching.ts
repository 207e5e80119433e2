// Which modules a search finds, the best first: whoever types HTTP means
// "Make a request".

import type { ModuleKind } from "./types";

/** Modules that fit every word, the nearest first. */
export function matching(kinds: Iterable<ModuleKind>, text: string): ModuleKind[] {
  const words = text.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const found: [number, ModuleKind][] = [];
  for (const kind of kinds) {
    const scores = words.map((word) => score(kind, word));
    if (!scores.every((each) => each > 0)) continue;
    const whole = kind.label.toLowerCase() === words.join(" ") ? 20 : 0;
    found.push([(kind.older === true ? -30 : 0) + whole + scores.reduce((sum, each) => sum + each, 0) + (FIRST.has(kind.name) ? 0.5 : 0), kind]);
  }
  return found.sort(([a, x], [b, y]) => b - a || x.appName.localeCompare(y.appName) || x.label.localeCompare(y.label)).map(([, kind]) => kind);
}

/** Of several that fit alike, those that are mostly meant. */
const FIRST = new Set(["http:ActionSendData", "builtin:BasicRouter", "json:ParseJSON", "json:CreateJSON", "csv:CreateCSVAdvanced"]);

function score({ label, appName, name, words, description }: ModuleKind, word: string): number {
  const label_ = label.toLowerCase();
  if (label_ === word) return 12;
  if (appName.toLowerCase() === word) return 9;
  if (label_.startsWith(word)) return 8;
  if (label_.includes(` ${word}`)) return 6;
  if (appName.toLowerCase().startsWith(word)) return 5;
  if (words.some((other) => other.toLowerCase().startsWith(word))) return 4;
  if (label_.includes(word) || name.toLowerCase().includes(word)) return 3;
  if (description.toLowerCase().includes(word)) return 1;
  return 0;
}
