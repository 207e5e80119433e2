// Words for what the mapping language has, and the search in it.

import type { MappingFunction } from "./api";

const GROUPS: Record<string, string> = { general: "General functions", math: "Math", text: "Text", date: "Dates", array: "Lists" };
const ORDER = Object.keys(GROUPS);

/** What people call a group of functions. */
export function groupWords(group: string): string {
  return GROUPS[group] ?? group;
}

/** Where a group stands among the others; unknown ones come last. */
export function groupRank(group: string): number {
  return ORDER.includes(group) ? ORDER.indexOf(group) : ORDER.length;
}

/** The functions that have the words in their name or summary, by group; a name counts more. */
export function foundFunctions(functions: MappingFunction[], words: string): [group: string, functions: MappingFunction[]][] {
  const wanted = words.trim().toLowerCase();
  const named = functions.filter(({ name }) => name.toLowerCase().includes(wanted));
  const told = wanted === "" ? [] : functions.filter((one) => !named.includes(one) && one.summary.toLowerCase().includes(wanted));
  const groups = new Map<string, MappingFunction[]>();
  for (const one of [...named, ...told]) groups.set(one.group, [...(groups.get(one.group) ?? []), one]);
  return [...groups].sort(([a], [b]) => groupRank(a) - groupRank(b));
}
