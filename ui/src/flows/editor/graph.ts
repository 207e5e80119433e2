// What is drawn: a node per module, a wire to each, an open end per way that
// leads nowhere yet, and a frame around what a repeat-until repeats. It is made
// of the document by looking at it, and remembers nothing.

import type { FlowDocument, ModuleNode } from "./document";
import { IF_ELSE, MERGE, REPEAT_UNTIL, ROUTER } from "./edits";
import { endKey, laidOutWhole, positions, ROW, SIZE, STEP, type Point } from "./layout";
import { orphans, type Owner } from "./tree";

export interface ShownModule {
  id: number;
  module: ModuleNode;
  at: Point;
  /** Nothing follows it: its + adds to the end. */
  last: boolean;
  start: boolean;
  /** It is connected to nothing, and never runs. */
  loose: boolean;
}

/** An end at which something can be put. */
export interface OpenEnd {
  key: string;
  owner: Owner;
  from: number;
  at: Point;
  /** What the way is called. */
  label: string;
}

export interface Wire {
  key: string;
  /** A module, or the key of an open end. */
  from: number;
  to: number | string;
  kind: "plain" | "error" | "loop" | "back";
  /** What stands on it. */
  label: string | null;
  filtered: boolean;
  /** Taken only where no other route was. */
  fallback: boolean;
  disabled: boolean;
  /** The place of its route, counted from 1, and how many there are. */
  route: [number, number] | null;
}

export interface Frame {
  of: number;
  at: Point;
  width: number;
  height: number;
}

export interface Graph {
  modules: ShownModule[];
  wires: Wire[];
  ends: OpenEnd[];
  frames: Frame[];
}

/** Looks at a document and tells what is to be drawn. */
export function graphOf(document: FlowDocument): Graph {
  const graph: Graph = { modules: [], wires: [], ends: [], frames: [] };
  const at = positions(document);
  const look: Look = { graph, at, document, laid: null };
  list(look, document.flow, { kind: "flow" }, null);
  orphans(document).forEach((piece, index) => list(look, piece, { kind: "orphan", index }, null));
  return graph;
}

interface Look {
  graph: Graph;
  at: Map<number, Point>;
  document: FlowDocument;
  /** How all would be laid out; made when it is first needed. */
  laid: ReturnType<typeof laidOutWhole> | null;
}

/** Where the next module of a list gets its wire from; several after an if-else that is merged. */
interface Entrance {
  from: number;
  kind: Wire["kind"];
  label?: string | null;
  fallback?: boolean;
  disabled?: boolean;
  route?: [number, number];
}

/** Draws a list; gives what would lead to the module behind it. */
function list(look: Look, modules: ModuleNode[], owner: Owner, entrance: Entrance | null): Entrance[] {
  let entrances = entrance === null ? [] : [entrance];
  for (const [index, module] of modules.entries()) {
    for (const way of entrances) look.graph.wires.push(wireTo(module, way));
    const last = index === modules.length - 1;
    look.graph.modules.push({
      id: module.id,
      module,
      at: look.at.get(module.id)!,
      last,
      start: owner.kind === "flow" && index === 0,
      loose: owner.kind === "orphan",
    });
    entrances = inside(look, module, modules[index + 1] ?? null);
  }
  return entrances;
}

function wireTo(module: ModuleNode, way: Entrance): Wire {
  const filter = module.filter ?? null;
  const conditions = filter?.conditions ?? [];
  return {
    key: `${way.from}>${module.id}`,
    from: way.from,
    to: module.id,
    kind: way.kind,
    label: way.label ?? filter?.name ?? null,
    filtered: conditions.some((group) => group.length > 0) || way.label != null,
    fallback: way.fallback ?? false,
    disabled: way.disabled ?? false,
    route: way.route ?? null,
  };
}

/** Draws what a module holds; gives what leads on from it. */
function inside(look: Look, module: ModuleNode, next: ModuleNode | null): Entrance[] {
  const { id } = module;
  const here: Entrance = { from: id, kind: "plain" };
  if (module.onerror !== undefined) list(look, module.onerror, { kind: "onerror", of: id }, { from: id, kind: "error" });
  if (module.flow !== undefined) {
    const behind = list(look, module.flow, { kind: "body", of: id }, { from: id, kind: "loop" });
    if (module.flow.length === 0) open(look, id, { kind: "body", of: id }, "repeated", 0, 1, { from: id, kind: "loop" });
    look.graph.frames.push(frameOf(look, module));
    return module.flow.length === 0 ? [here] : behind.map((way) => ({ ...way, kind: "plain" }));
  }
  if (module.routes !== undefined) {
    const fallback = module.parameters?.["else"];
    const count = module.routes.length;
    module.routes.forEach((route, index) => {
      const way: Entrance = {
        ...here,
        fallback: fallback === index,
        disabled: route["disabled"] === true,
        route: [index + 1, count],
      };
      list(look, route.flow ?? [], { kind: "route", of: id, index }, way);
      if ((route.flow ?? []).length === 0) open(look, id, { kind: "route", of: id, index }, `route ${index + 1}`, index, count, way);
    });
    return next === null ? [] : [here];
  }
  if (module.branches !== undefined) {
    const count = module.branches.length;
    const merged: Entrance[] = [];
    module.branches.forEach((branch, index) => {
      const label = (branch.label || null) ?? (branch.type === "else" ? "else" : `branch ${index + 1}`);
      const way: Entrance = { ...here, label, fallback: branch.type === "else", disabled: branch.disabled === true, route: [index + 1, count] };
      const flow = branch.flow ?? [];
      const ends = list(look, flow, { kind: "branch", of: id, index }, way);
      const comesBack = branch.merge === true && next !== null;
      if (flow.length === 0) {
        const key = open(look, id, { kind: "branch", of: id, index }, label, index, count, way);
        if (comesBack) look.graph.wires.push({ ...wireTo(next, { from: id, kind: "back" }), key: `${key}>${next.id}`, from: id });
      } else if (comesBack) merged.push(...ends.map((end) => ({ from: end.from, kind: "back" as const })));
    });
    const direct = next !== null && module.branches.every((branch) => branch.merge !== true);
    return direct ? [here] : merged;
  }
  return [here];
}

function open(look: Look, from: number, owner: Owner, label: string, index: number, count: number, way: Entrance): string {
  const key = `end-${from}-${owner.kind}-${index}`;
  const start = look.at.get(from)!;
  look.laid ??= laidOutWhole(look.document);
  const [own, meant] = [look.laid.at.get(from), look.laid.ends.get(endKey(from, index))];
  const away = own === undefined || meant === undefined ? (index - (count - 1) / 2) * ROW : meant.y - own.y;
  const at = { x: start.x + STEP, y: start.y + away };
  // The ways beside it may have been moved: an end keeps clear of them, and of the names below them.
  const taken = [...look.at.values()];
  while (taken.some((other) => Math.abs(other.x - at.x) < SIZE && at.y - other.y > -SIZE && at.y - other.y < SIZE + NAMES)) at.y += ROW / 4;
  look.graph.ends.push({ key, owner, from, at, label });
  look.graph.wires.push({
    key: `${from}>${key}`,
    from,
    to: key,
    kind: way.kind,
    label: way.label ?? null,
    filtered: false,
    fallback: way.fallback ?? false,
    disabled: way.disabled ?? false,
    route: way.route ?? null,
  });
  return key;
}

const PADDING = 34;
/** What a module's two lines of names take below it. */
const NAMES = 44;

function frameOf(look: Look, module: ModuleNode): Frame {
  const own = look.at.get(module.id)!;
  const points = [own, ...within(module.flow ?? []).map(({ id }) => look.at.get(id)!)];
  if ((module.flow ?? []).length === 0) points.push({ x: own.x + STEP, y: own.y });
  const [left, top] = [Math.min(...points.map(({ x }) => x)), Math.min(...points.map(({ y }) => y))];
  const [right, bottom] = [Math.max(...points.map(({ x }) => x)), Math.max(...points.map(({ y }) => y))];
  return {
    of: module.id,
    at: { x: left - PADDING, y: top - PADDING },
    width: right - left + SIZE + 2 * PADDING,
    height: bottom - top + SIZE + 2 * PADDING + 32,
  };
}

function within(modules: ModuleNode[]): ModuleNode[] {
  return modules.flatMap((module) => [
    module,
    ...within(module.flow ?? []),
    ...within(module.onerror ?? []),
    ...(module.routes ?? []).flatMap((route) => within(route.flow ?? [])),
    ...(module.branches ?? []).flatMap((branch) => within(branch.flow ?? [])),
  ]);
}

/** What a module is called: as a person named it, else as its kind is. */
export function nameOf(module: ModuleNode, label: string | undefined): string {
  return module.metadata?.designer?.name ?? label ?? module.module;
}

/** Kinds that this editor draws in a way of their own. */
export const SHAPES: Record<string, "router" | "if-else" | "merge" | "repeat"> = {
  [ROUTER]: "router",
  [IF_ELSE]: "if-else",
  [MERGE]: "merge",
  [REPEAT_UNTIL]: "repeat",
};

/** The module to which an arrow key leads from another one. */
export function neighbour(graph: Graph, from: number, key: string): number | null {
  const here = graph.modules.find(({ id }) => id === from);
  if (here === undefined) return graph.modules[0]?.id ?? null;
  if (key === "ArrowLeft") return graph.wires.find(({ to, kind }) => to === from && kind !== "back")?.from ?? nearest(graph, here, -1, 0);
  if (key === "ArrowRight") {
    const next = graph.wires.find((wire) => wire.from === from && wire.kind !== "error" && typeof wire.to === "number");
    return (next?.to as number | undefined) ?? nearest(graph, here, 1, 0);
  }
  const error = graph.wires.find((wire) => wire.from === from && wire.kind === "error");
  if (key === "ArrowDown" && error !== undefined) return error.to as number;
  return nearest(graph, here, 0, key === "ArrowUp" ? -1 : 1);
}

function nearest(graph: Graph, here: ShownModule, right: number, down: number): number | null {
  let best: { id: number; far: number } | null = null;
  for (const { id, at } of graph.modules) {
    const [x, y] = [at.x - here.at.x, at.y - here.at.y];
    const along = x * right + y * down;
    if (along < SIZE / 2) continue;
    const far = along + 2 * Math.abs(right === 0 ? x : y);
    if (best === null || far < best.far) best = { id, far };
  }
  return best?.id ?? null;
}
