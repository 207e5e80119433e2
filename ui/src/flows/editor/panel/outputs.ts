// What can be mapped into a field: the modules that lie before it, each with the
// fields that it gave last, or that it is known to give.

import { before } from "../edits";
import type { FlowDocument, ModuleNode } from "../document";
import type { ModuleKind, OutputField, Sample } from "../types";
import { writeJson } from "../../../api/exact";

/** A value that can be put into a field. */
export interface Item {
  /** As it is written between braces: `2.data.run_id`. */
  path: string;
  label: string;
  kind: string;
  /** The last real value; absent before a first run. */
  value?: unknown;
  inside: Item[];
}

/** A module whose values can be used. */
export interface Source {
  id: number;
  name: string;
  colour: string;
  /** The values are real ones, from its last run. */
  real: boolean;
  items: Item[];
}

const DEPTH_MAX = 8;
const ITEMS_MAX = 200;

/** Lists what can be used at a module, the nearest first. */
export function sourcesFor(
  document: FlowDocument,
  id: number,
  kinds: Map<string, ModuleKind>,
  samples: Record<number, Sample>,
): Source[] {
  return before(document, id)
    .map((module) => sourceOf(module, kinds.get(module.module), samples[module.id]))
    .filter((source) => source.items.length > 0)
    .reverse();
}

function sourceOf(module: ModuleNode, kind: ModuleKind | undefined, sample: Sample | undefined): Source {
  const path = String(module.id);
  const last = sample?.bundles.at(-1);
  const real = typeof last === "object" && last !== null;
  const items = real ? itemsOfValue(last as object, path, 0) : (kind?.outputs ?? []).map((field) => itemOfField(field, path));
  const labels = new Map((kind?.outputs ?? []).map((field) => [field.name, field.label]));
  for (const item of items) item.label = labels.get(item.label) ?? item.label;
  const name = module.metadata?.designer?.name ?? kind?.label ?? module.module;
  return { id: module.id, name, colour: kind?.colour ?? "#555", real, items };
}

function itemsOfValue(value: object, path: string, depth: number): Item[] {
  if (depth >= DEPTH_MAX) return [];
  return Object.entries(value)
    .slice(0, ITEMS_MAX)
    .map(([name, inner]) => itemOfValue(name, inner, `${path}.${quoted(name)}`, depth));
}

function itemOfValue(label: string, value: unknown, path: string, depth: number): Item {
  if (Array.isArray(value)) {
    // Lists count from one; the items of the first stand for all.
    const [first] = value;
    const inner = typeof first === "object" && first !== null ? itemsOfValue(first as object, `${path}[1]`, depth + 1) : [];
    return { path, label, kind: "array", value, inside: inner };
  }
  if (typeof value === "object" && value !== null) {
    return { path, label, kind: "collection", value, inside: itemsOfValue(value, path, depth + 1) };
  }
  const kind = typeof value === "number" || typeof value === "bigint" ? "number" : typeof value === "boolean" ? "boolean" : "text";
  return { path, label, kind, value, inside: [] };
}

function itemOfField(field: OutputField, above: string): Item {
  const path = `${above}.${quoted(field.name)}`;
  const within = field.kind === "array" ? `${path}[1]` : path;
  return { path, label: field.label ?? field.name, kind: field.kind, inside: (field.fields ?? []).map((inner) => itemOfField(inner, within)) };
}

/** Names that are not plain words stand in back-ticks. */
function quoted(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : `\`${name.replaceAll("`", "")}\``;
}

/** Keeps what has the words in its label or path, with what lies above it. */
export function matching(items: Item[], words: string): Item[] {
  const wanted = words.trim().toLowerCase();
  if (wanted === "") return items;
  return items.flatMap((item) => {
    if (item.label.toLowerCase().includes(wanted) || item.path.toLowerCase().includes(wanted)) return [item];
    const inside = matching(item.inside, words);
    return inside.length > 0 ? [{ ...item, inside }] : [];
  });
}

/** Shows a value in a line. */
export function inALine(value: unknown): string {
  if (value === undefined) return "";
  const text = typeof value === "string" ? value : writeJson(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
