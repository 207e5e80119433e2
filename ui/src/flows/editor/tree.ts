// The tree of modules: every list in which modules follow each other, and what
// owns it. All changes go through `rewriteLists`, which keeps every part that
// did not change as the same object, so that nothing else is drawn again.

import type { Branch, FlowDocument, ModuleNode, Route } from "./document";

/** Whose list it is. */
export type Owner =
  | { kind: "flow" }
  | { kind: "orphan"; index: number }
  | { kind: "route"; of: number; index: number }
  | { kind: "branch"; of: number; index: number }
  | { kind: "onerror"; of: number }
  | { kind: "body"; of: number };

/** Where a module is. */
export interface Found {
  module: ModuleNode;
  owner: Owner;
  list: ModuleNode[];
  index: number;
}

type Change = (list: ModuleNode[], owner: Owner) => ModuleNode[];

/** Changes lists, the inner ones first. */
export function rewriteLists(document: FlowDocument, change: Change): FlowDocument {
  const flow = rewriteList(document.flow, { kind: "flow" }, change);
  const before = orphans(document);
  const after = before.map((list, index) => rewriteList(list, { kind: "orphan", index }, change));
  const kept = after.filter((list) => list.length > 0);
  const same = kept.length === before.length && kept.every((list, index) => list === before[index]);
  const changed = flow === document.flow ? document : { ...document, flow };
  return same ? changed : withOrphans(changed, kept);
}

function rewriteList(list: ModuleNode[], owner: Owner, change: Change): ModuleNode[] {
  const inner = mapSame(list, (module) => rewriteInside(module, change));
  return change(inner, owner);
}

function rewriteInside(module: ModuleNode, change: Change): ModuleNode {
  const of = module.id;
  let next = module;
  if (module.routes !== undefined) {
    const routes = mapSame(module.routes, (route: Route, index) => {
      const flow = rewriteList(route.flow ?? [], { kind: "route", of, index }, change);
      return flow === route.flow ? route : { ...route, flow };
    });
    if (routes !== module.routes) next = { ...next, routes };
  }
  if (module.branches !== undefined) {
    const branches = mapSame(module.branches, (branch: Branch, index) => {
      const before = branch.flow ?? [];
      const flow = rewriteList(before, { kind: "branch", of, index }, change);
      return flow === before ? branch : { ...branch, flow };
    });
    if (branches !== module.branches) next = { ...next, branches };
  }
  if (module.onerror !== undefined) {
    const onerror = rewriteList(module.onerror, { kind: "onerror", of }, change);
    if (onerror !== module.onerror) next = withoutEmpty({ ...next, onerror });
  }
  if (module.flow !== undefined) {
    const flow = rewriteList(module.flow, { kind: "body", of }, change);
    if (flow !== module.flow) next = { ...next, flow };
  }
  return next;
}

/** A module without an error route says nothing of one. */
function withoutEmpty(module: ModuleNode): ModuleNode {
  if (module.onerror === undefined || module.onerror.length > 0) return module;
  const { onerror: _, ...rest } = module;
  return rest as ModuleNode;
}

function mapSame<T>(list: T[], change: (item: T, index: number) => T): T[] {
  let changed = false;
  const next = list.map((item, index) => {
    const after = change(item, index);
    if (after !== item) changed = true;
    return after;
  });
  return changed ? next : list;
}

/** Pieces that lie on the canvas and are connected to nothing; they never run. */
export function orphans(document: FlowDocument): ModuleNode[][] {
  const designer = document.metadata?.["designer"] as { orphans?: unknown } | undefined;
  return Array.isArray(designer?.orphans) ? (designer.orphans as ModuleNode[][]) : [];
}

export function withOrphans(document: FlowDocument, pieces: ModuleNode[][]): FlowDocument {
  const designer = { ...(document.metadata?.["designer"] as object | undefined), orphans: pieces };
  return { ...document, metadata: { ...document.metadata, designer } };
}

/** Goes through all modules with their places, in the order in which they stand. */
export function* places(document: FlowDocument): Generator<Found> {
  yield* placesIn(document.flow, { kind: "flow" });
  for (const [index, list] of orphans(document).entries()) yield* placesIn(list, { kind: "orphan", index });
}

function* placesIn(list: ModuleNode[], owner: Owner): Generator<Found> {
  for (const [index, module] of list.entries()) {
    yield { module, owner, list, index };
    yield* placesInside(module);
  }
}

/** Goes through what a module holds: routes, branches, body, error route. */
export function* placesInside(module: ModuleNode): Generator<Found> {
  const of = module.id;
  for (const [index, route] of (module.routes ?? []).entries()) yield* placesIn(route.flow ?? [], { kind: "route", of, index });
  for (const [index, branch] of (module.branches ?? []).entries())
    yield* placesIn(branch.flow ?? [], { kind: "branch", of, index });
  if (module.flow !== undefined) yield* placesIn(module.flow, { kind: "body", of });
  if (module.onerror !== undefined) yield* placesIn(module.onerror, { kind: "onerror", of });
}

/** Finds a module by its id. */
export function find(document: FlowDocument, id: number): Found | null {
  for (const found of places(document)) if (found.module.id === id) return found;
  return null;
}

/** All modules, in the order in which they stand. */
export function modules(document: FlowDocument): ModuleNode[] {
  return [...places(document)].map(({ module }) => module);
}

/** An id that no module has. */
export function freeId(document: FlowDocument): number {
  return modules(document).reduce((top, { id }) => Math.max(top, id), 0) + 1;
}

/** Whether a module is inside another one. */
export function isInside(module: ModuleNode, id: number): boolean {
  for (const { module: inner } of placesInside(module)) if (inner.id === id) return true;
  return false;
}

/** Modules whose values one can use: all that every bundle passes on its way to it, the first ones first. */
export function before(document: FlowDocument, id: number): ModuleNode[] {
  return wayTo(document.flow, id) ?? orphans(document).map((list) => wayTo(list, id)).find((way) => way !== null) ?? [];
}

function wayTo(list: ModuleNode[], id: number): ModuleNode[] | null {
  const passed: ModuleNode[] = [];
  for (const module of list) {
    if (module.id === id) return passed;
    const lists = [
      ...(module.routes ?? []).map((route) => route.flow ?? []),
      ...(module.branches ?? []).map((branch) => branch.flow ?? []),
      module.flow ?? [],
      module.onerror ?? [],
    ];
    for (const inner of lists) {
      const way = wayTo(inner, id);
      if (way !== null) return [...passed, module, ...way];
    }
    // What ran in a branch that comes back, or in a repetition, can be read behind it.
    passed.push(module);
    for (const branch of module.branches ?? []) if (branch.merge === true) passed.push(...(branch.flow ?? []));
    passed.push(...(module.flow ?? []));
  }
  return null;
}
