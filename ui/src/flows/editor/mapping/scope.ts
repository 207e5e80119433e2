// What a field can see: the modules before it, and the variables of the flow.
// Says of each path what it is, for pills, completion and the live result.

import type { Source } from "./outputs";
import type { Reference, Step } from "./template";

export interface Scope {
  /** The nearest first. */
  sources: Source[];
  /** Of the flow: `var.flow.name`. */
  variables: Record<string, unknown>;
}

export const NOTHING_IN_SCOPE: Scope = { sources: [], variables: {} };

/** What a path means. */
export interface Meant {
  /** `lost`: its module does not come before the field. */
  kind: "value" | "unseen" | "lost" | "name";
  label: string;
  /** From the module on, in words. */
  trail: string;
  /** Of the module; null for a name of the language. */
  source: Source | null;
  /** The last real one, of a `value`. */
  value?: unknown;
}

/** Says what a path means in a field. */
export function meaning(reference: Reference, scope: Scope): Meant {
  const { root, path } = reference;
  if (typeof root === "string") return meaningOfName(root, path, scope);
  const source = scope.sources.find(({ id }) => id === root);
  const label = labelOf(path, source) ?? `Module ${root}`;
  if (source === undefined) return { kind: "lost", label, trail: `Module ${root}`, source: null };
  const trail = [source.name, ...path.map((step, place) => (place === 0 ? (titleOf(step, source) ?? stepText(step)) : stepText(step)))].join(" › ");
  if (source.bundle === undefined) return { kind: "unseen", label, trail, source };
  const value = valueAt(source.bundle, path);
  return value === undefined ? { kind: "unseen", label, trail, source } : { kind: "value", label, trail, source, value };
}

function meaningOfName(root: string, path: Step[], scope: Scope): Meant {
  const trail = [root, ...path.map(stepText)].join(".");
  const isVariable = root === "var" && path.length >= 2 && "name" in path[0]! && path[0].name === "flow";
  const value = isVariable ? valueAt(scope.variables, path.slice(1)) : undefined;
  const label = path.length === 0 ? root : (labelOf(path, undefined) ?? root);
  return { kind: value === undefined ? "name" : "value", label, trail, source: null, value };
}

/** The last name of a path, with the list that it is in. */
function labelOf(path: Step[], source: Source | undefined): string | null {
  const last = path.findLastIndex((step) => "name" in step);
  if (last < 0) return null;
  const behind = path.slice(last + 1).map(stepText).join("");
  const name = (last === 0 && source !== undefined ? titleOf(path[0]!, source) : null) ?? stepText(path[last]!);
  const list = path.slice(0, last).findLastIndex((step) => "index" in step);
  if (list < 1) return name + behind;
  return `${stepText(path[list - 1]!)}${stepText(path[list]!)} › ${name}${behind}`;
}

function titleOf(step: Step, source: Source): string | null {
  if (!("name" in step)) return null;
  return source.items.find(({ name }) => name === step.name)?.label ?? null;
}

const stepText = (step: Step) => ("name" in step ? step.name : `[${step.index ?? ""}]`);

/** Follows a path as the mapping language does; undefined where it leads nowhere. */
export function valueAt(value: unknown, path: readonly Step[]): unknown {
  let at: unknown = value;
  for (const [place, step] of path.entries()) {
    if ("name" in step) {
      if (typeof at !== "object" || at === null || Array.isArray(at)) return undefined;
      at = Object.hasOwn(at, step.name) ? (at as Record<string, unknown>)[step.name] : undefined;
    } else if (Array.isArray(at)) {
      // `[]` at the end is the list itself.
      if (step.index === null) at = place === path.length - 1 ? at : (at[0] as unknown);
      else at = at.at(step.index > 0 ? step.index - 1 : step.index) as unknown;
    } else return undefined;
  }
  return at;
}

/** Of what sort a value is, in a word. */
export function sortOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 1 ? "list of 1 item" : `list of ${value.length} items`;
  if (typeof value === "bigint") return "number";
  return { string: "text", number: "number", boolean: "yes or no", object: "collection" }[typeof value as string] ?? "value";
}
