// What can be mapped into a field: the modules that lie before it, each with the
// fields that it gave last, or that it is known to give.

import { before, find } from "../edits";
import type { FlowDocument, ModuleNode } from "../document";
import type { ModuleKind, OutputField, Sample } from "../types";
import { writeJson } from "../../../api/exact";
import type { Known } from "./known";

/** A value that can be put into a field. */
export interface Item {
  /** As it is written between braces: `2.data.run_id`. */
  path: string;
  /** As the bundle has it. */
  name: string;
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
  /** The values are real ones: of its last run, or pasted. */
  real: boolean;
  /** Somebody pasted them. */
  pasted: boolean;
  /** It can be run without the others. */
  alone: boolean;
  /** What it gave last; absent before a first run. */
  bundle?: unknown;
  items: Item[];
}

const NOTHING_KNOWN: Known = new Map();
const DEPTH_MAX = 8;
const ITEMS_MAX = 200;

/** Lists what can be used at a module, the nearest first; `inside`, at the end of what it repeats. */
export function sourcesFor(
  document: FlowDocument,
  id: number,
  kinds: Map<string, ModuleKind>,
  samples: Record<number, Sample>,
  inside = false,
  known: Known = NOTHING_KNOWN,
): Source[] {
  const repeated = inside ? (find(document, id)?.module.flow ?? []) : [];
  return [...before(document, id), ...repeated]
    .filter((module) => gives(kinds.get(module.module), samples[module.id]))
    .map((module) => sourceOf(module, kinds.get(module.module), samples[module.id], known.get(module.id)))
    .reverse();
}

const GIVING = new Set(["start", "action", "effect", "loop", "aggregator"]);
const ALONE = new Set(["action", "effect", "loop"]);

function gives(kind: ModuleKind | undefined, sample: Sample | undefined): boolean {
  return sample !== undefined || (kind !== undefined && (GIVING.has(kind.kind) || kind.outputs.length > 0));
}

/** Whether a kind of module can be run without the others. */
export function runsAlone(kind: ModuleKind | undefined): boolean {
  return kind !== undefined && ALONE.has(kind.kind);
}

function sourceOf(module: ModuleNode, kind: ModuleKind | undefined, sample: Sample | undefined, known: OutputField[] | undefined): Source {
  const path = String(module.id);
  const last = sample?.bundles.at(-1);
  const real = typeof last === "object" && last !== null;
  const outputs = known ?? kind?.outputs ?? [];
  const items = real ? itemsOfValue(last as object, path, 0) : outputs.map((field) => itemOfField(field, path));
  const labels = new Map(outputs.map((field) => [field.name, field.label]));
  for (const item of items) item.label = labels.get(item.name) ?? item.label;
  const name = module.metadata?.designer?.name ?? kind?.label ?? module.module;
  const source = { id: module.id, name, colour: kind?.colour ?? "#555", real, pasted: sample?.pasted === true, alone: runsAlone(kind), items };
  return real ? { ...source, bundle: last } : source;
}

/** The items of one place of a list, counted from one. */
export function itemsAt(list: Item, place: number): Item[] {
  const one = Array.isArray(list.value) ? (list.value[place - 1] as unknown) : undefined;
  return typeof one === "object" && one !== null && !Array.isArray(one) ? itemsOfValue(one, `${list.path}[${place}]`, 1) : [];
}

/** What every item of a list has, as lists of their own. */
export function itemsOfAll(list: Item): Item[] {
  return list.inside
    .filter(({ kind }) => kind !== "array" && kind !== "collection")
    .map((item) => ({ ...item, path: `map(${list.path}; "${item.name.replaceAll('"', '""')}")`, kind: "array", value: allOf(list.value, item.name), inside: [] }));
}

function allOf(list: unknown, name: string): unknown {
  if (!Array.isArray(list)) return undefined;
  return list.map((one: unknown) => (typeof one === "object" && one !== null ? (one as Record<string, unknown>)[name] : undefined)).filter((value) => value !== undefined);
}

/** The items of a collection that stands at a path. */
export function itemsOf(value: object, path: string): Item[] {
  return itemsOfValue(value, path, 0);
}

function itemsOfValue(value: object, path: string, depth: number): Item[] {
  if (depth >= DEPTH_MAX) return [];
  return Object.entries(value)
    .slice(0, ITEMS_MAX)
    .map(([name, inner]) => itemOfValue(name, inner, `${path}.${quoted(name)}`, depth));
}

function itemOfValue(name: string, value: unknown, path: string, depth: number): Item {
  if (Array.isArray(value)) {
    // Lists count from one; the items of the first stand for all.
    const [first] = value;
    const inner = typeof first === "object" && first !== null ? itemsOfValue(first as object, `${path}[1]`, depth + 1) : [];
    return { path, name, label: name, kind: "array", value, inside: inner };
  }
  if (typeof value === "object" && value !== null) {
    return { path, name, label: name, kind: "collection", value, inside: itemsOfValue(value, path, depth + 1) };
  }
  const kind = typeof value === "number" || typeof value === "bigint" ? "number" : typeof value === "boolean" ? "boolean" : "text";
  return { path, name, label: name, kind, value, inside: [] };
}

function itemOfField(field: OutputField, above: string): Item {
  const path = `${above}.${quoted(field.name)}`;
  const within = field.kind === "array" ? `${path}[1]` : path;
  return { path, name: field.name, label: field.label ?? field.name, kind: field.kind, inside: (field.fields ?? []).map((inner) => itemOfField(inner, within)) };
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
export function inALine(value: unknown, max = 60): string {
  if (value === undefined) return "";
  const text = typeof value === "string" ? value : writeJson(value);
  return text.length > max ? `${text.slice(0, max - 1)}…` : text;
}
