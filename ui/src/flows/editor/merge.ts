// Two people changed one flow. Changes are told by module, and both are kept
// where they are about different modules; where they are about the same one, a
// person chooses. Nothing that either of them put in is lost unseen.

import type { FlowDocument, ModuleNode } from "./document";
import { append, freeId, renumbered, setPositions } from "./edits";
import { drawnAt, type Point } from "./layout";
import { find, places, rewriteLists, withOrphans, orphans, type Found, type Owner } from "./tree";
import { writeJson } from "../../api/exact";

export interface Change {
  /** A module, or null for a setting of the flow as a whole. */
  module: number | null;
  /** The setting, where it is one of the flow. */
  setting: string | null;
  what: "added" | "removed" | "changed" | "moved";
  /** What is other now, as `mapper.url`. */
  fields: string[];
  /** The module, or as it was before it went. */
  node: ModuleNode | null;
}

export type Side = "mine" | "theirs";

/** What identifies a change: the same on both sides if they are about the same thing. */
export const about = (change: Change): string => (change.module === null ? `setting ${change.setting}` : String(change.module));

/** Tells what became of each module, and of the settings of the flow. Where a module is drawn does not count. */
export function changes(before: FlowDocument, after: FlowDocument): Change[] {
  const [old, now] = [byId(before), byId(after)];
  const moved = movedIds(old, now);
  const found: Change[] = [];
  for (const [id, { module }] of now) {
    const was = old.get(id);
    const change = (what: Change["what"], fields: string[]) => found.push({ module: id, setting: null, what, fields, node: module });
    if (was === undefined) change("added", []);
    else {
      const fields = differing(own(was.module), own(module));
      if (moved.has(id)) change("moved", fields);
      else if (fields.length > 0) change("changed", fields);
    }
  }
  for (const [id, { module }] of old) {
    if (!now.has(id)) found.push({ module: id, setting: null, what: "removed", fields: [], node: module });
  }
  for (const field of differing(settings(before), settings(after), 1)) {
    found.push({ module: null, setting: field, what: "changed", fields: [field], node: null });
  }
  return found;
}

/** What both sides changed: here somebody has to choose. */
export function contested(base: FlowDocument, mine: FlowDocument, theirs: FlowDocument): string[] {
  const here = new Map(changes(base, mine).map((change) => [about(change), change]));
  return changes(base, theirs)
    .filter((change) => {
      const other = here.get(about(change));
      return other !== undefined && !sameChange(other, change, mine, theirs);
    })
    .map(about);
}

function sameChange(a: Change, b: Change, mine: FlowDocument, theirs: FlowDocument): boolean {
  if (a.what !== b.what) return false;
  if (a.what === "removed") return true;
  if (a.module === null) return same(settings(mine)[a.setting!], settings(theirs)[a.setting!]);
  // Two new modules that happen to have the same number are two.
  return a.what === "changed" && a.node !== null && b.node !== null && same(own(a.node), own(b.node));
}

/** Brings both together: theirs, and on it what I changed, except where theirs is preferred. */
export function merged(base: FlowDocument, mine: FlowDocument, theirs: FlowDocument, prefers: (about: string) => Side): FlowDocument {
  const there = new Set(changes(base, theirs).map(about));
  const renamed = apart(base, mine, theirs);
  let result = theirs;
  for (const change of changes(base, renamed)) {
    if (there.has(about(change)) && prefers(about(change)) === "theirs") continue;
    result = change.module === null ? withSetting(result, renamed, change.setting!) : withChange(result, renamed, change, change.module);
  }
  return setPositions(result, movedPoints(base, renamed));
}

/** Gives my new modules other numbers where theirs have the same. */
function apart(base: FlowDocument, mine: FlowDocument, theirs: FlowDocument): FlowDocument {
  const [old, here, there] = [byId(base), byId(mine), byId(theirs)];
  let next = Math.max(freeId(mine), freeId(theirs));
  const numbers = new Map<number, number>();
  for (const id of here.keys()) if (!old.has(id) && there.has(id)) numbers.set(id, next++);
  return numbers.size === 0 ? mine : renumbered(mine, numbers);
}

function withChange(result: FlowDocument, mine: FlowDocument, change: Change, id: number): FlowDocument {
  const there = find(result, id);
  if (change.what === "removed") return there === null ? result : takenOut(result, id, there.module);
  const here = find(mine, id)!;
  const module = there === null ? shell(here.module) : withOwn(there.module, here.module);
  if (there !== null && change.what === "changed") return replaced(result, id, module);
  const without = there === null ? result : rewriteLists(result, (list) => without1(list, id));
  return placed(without, module, here);
}

/** Takes a module out; what theirs put into it stays. */
function takenOut(document: FlowDocument, id: number, module: ModuleNode): FlowDocument {
  const left = [...(module.routes ?? []), ...(module.branches ?? []), { flow: module.flow ?? [] }].map(({ flow }) => flow ?? []);
  const next = rewriteLists(document, (list) => without1(list, id));
  const pieces = left.filter((list) => list.length > 0);
  return pieces.length === 0 ? next : withOrphans(next, [...orphans(next), ...pieces]);
}

function without1(list: ModuleNode[], id: number): ModuleNode[] {
  return list.some((module) => module.id === id) ? list.filter((module) => module.id !== id) : list;
}

function replaced(document: FlowDocument, id: number, next: ModuleNode): FlowDocument {
  return rewriteLists(document, (list) => (list.some((module) => module.id === id) ? list.map((m) => (m.id === id ? next : m)) : list));
}

/** Puts a module where it stands with me: behind the nearest module before it that is there. */
function placed(document: FlowDocument, module: ModuleNode, here: Found): FlowDocument {
  for (const before of here.list.slice(0, here.index).reverse()) {
    const at = find(document, before.id);
    if (at !== null) {
      return rewriteLists(document, (list) => {
        const index = list.findIndex(({ id }) => id === before.id);
        return index < 0 ? list : list.toSpliced(index + 1, 0, module);
      });
    }
  }
  const { owner } = here;
  if (owner.kind === "flow") return { ...document, flow: [module, ...document.flow] };
  if (owner.kind === "orphan" || !hasPlace(document, owner)) return withOrphans(document, [...orphans(document), [module]]);
  const grown = append(document, owner, module);
  return rewriteLists(grown, (list, at) => (sameOwner(at, owner) ? [module, ...list.filter((other) => other !== module)] : list));
}

function hasPlace(document: FlowDocument, owner: Exclude<Owner, { kind: "flow" } | { kind: "orphan" }>): boolean {
  const module = find(document, owner.of)?.module;
  if (module === undefined) return false;
  if (owner.kind === "route") return module.routes?.[owner.index] !== undefined;
  if (owner.kind === "branch") return module.branches?.[owner.index] !== undefined;
  return true;
}

function sameOwner(a: Owner, b: Owner): boolean {
  return writeJson(a) === writeJson(b);
}

/** A module without the modules that it holds. */
function shell(module: ModuleNode): ModuleNode {
  const { onerror: _, ...rest } = module;
  return {
    ...rest,
    ...(module.routes === undefined ? {} : { routes: module.routes.map((route) => ({ ...route, flow: [] })) }),
    ...(module.branches === undefined ? {} : { branches: module.branches.map((branch) => ({ ...branch, flow: [] })) }),
    ...(module.flow === undefined ? {} : { flow: [] }),
  } as ModuleNode;
}

/** My settings of a module, with the modules that theirs holds. */
function withOwn(theirs: ModuleNode, mine: ModuleNode): ModuleNode {
  const next = shell(mine);
  if (next.routes !== undefined) next.routes = next.routes.map((route, index) => ({ ...route, flow: theirs.routes?.[index]?.flow ?? [] }));
  if (next.branches !== undefined) {
    next.branches = next.branches.map((branch, index) => ({ ...branch, flow: theirs.branches?.[index]?.flow ?? [] }));
  }
  if (next.flow !== undefined) next.flow = theirs.flow ?? [];
  if (theirs.onerror !== undefined) next.onerror = theirs.onerror;
  return next;
}

/** What a module says itself: neither what it holds, nor where it is drawn. */
function own(module: ModuleNode): Record<string, unknown> {
  const { id: _, metadata, ...rest } = shell(module);
  const { x: _x, y: _y, ...designer } = metadata?.designer ?? {};
  return { ...rest, metadata: { ...metadata, designer } };
}

function settings(document: FlowDocument): Record<string, unknown> {
  const { flow: _, metadata, ...rest } = document;
  const { orphans: _orphans, ...designer } = (metadata?.["designer"] ?? {}) as Record<string, unknown>;
  const { designer: _designer, ...others } = metadata ?? {};
  const under = Object.fromEntries(Object.entries(others).map(([key, value]) => [`metadata.${key}`, value]));
  return { ...rest, ...under, ...(Object.keys(designer).length === 0 ? {} : { "metadata.designer": designer }) };
}

function withSetting(document: FlowDocument, mine: FlowDocument, setting: string): FlowDocument {
  const value = settings(mine)[setting];
  if (!setting.startsWith("metadata.")) return withKey(document, setting, value);
  const key = setting.slice("metadata.".length);
  const kept = key === "designer" ? { ...(value as object), orphans: orphans(document) } : value;
  return { ...document, metadata: withKey(document.metadata ?? {}, key, kept) };
}

function withKey<T extends Record<string, unknown>>(object: T, key: string, value: unknown): T {
  if (value !== undefined) return { ...object, [key]: value };
  const { [key]: _, ...rest } = object;
  return rest as T;
}

function byId(document: FlowDocument): Map<number, Found> {
  return new Map([...places(document)].map((found) => [found.module.id, found]));
}

/** Modules that stand in another list, or in another order among those that were there before. */
function movedIds(old: Map<number, Found>, now: Map<number, Found>): Set<number> {
  const moved = new Set<number>();
  const listOf = ({ owner }: Found) => (owner.kind === "orphan" ? "orphan" : writeJson(owner));
  const before = (found: Found, other: Map<number, Found>) =>
    found.list.slice(0, found.index).findLast(({ id }) => other.has(id) && listOf(other.get(id)!) === listOf(found))?.id;
  for (const [id, found] of now) {
    const was = old.get(id);
    if (was === undefined) continue;
    if (listOf(was) !== listOf(found) || before(was, now) !== before(found, old)) moved.add(id);
  }
  return moved;
}

function movedPoints(base: FlowDocument, mine: FlowDocument): Map<number, Point> {
  const old = byId(base);
  const points = new Map<number, Point>();
  for (const { module } of places(mine)) {
    const at = drawnAt(module);
    const was = old.get(module.id)?.module;
    if (at !== null && (was === undefined || !same(drawnAt(was), at))) points.set(module.id, at);
  }
  return points;
}

/** Names what differs, down to the fields of mapper and parameters. */
export function differing(a: Record<string, unknown>, b: Record<string, unknown>, depth = 2): string[] {
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return keys.flatMap((key) => {
    const [before, after] = [a[key], b[key]];
    if (same(before, after)) return [];
    if (depth > 1 && isObject(before) && isObject(after)) return differing(before, after, depth - 1).map((inner) => `${key}.${inner}`);
    return [key];
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** Whether two values say the same, whatever the order of their keys. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, index) => same(item, b[index]));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && same(a[key], b[key]));
}
