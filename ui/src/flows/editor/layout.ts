// Where modules are drawn. A flow is a tree, and its routes have an order, so
// it is laid out as one: lists go to the right, ways out lie below each other
// in their order, error routes below what they belong to.

import type { FlowDocument, ModuleNode } from "./document";
import { find, orphans, places, placesInside, type Owner } from "./tree";
import { setPositions } from "./edits";

export interface Point {
  x: number;
  y: number;
}

/** Diameter of a module. */
export const SIZE = 72;
/** From module to module. */
export const STEP = 180;
export const ROW = 150;

interface Block {
  at: Map<number, Point>;
  /** Ends that lead nowhere yet, by module and number of the way. */
  ends: Map<string, Point>;
  /** Above and below the line of its first module. */
  top: number;
  bottom: number;
  width: number;
}

/** Lays out the whole flow. */
export function layout(document: FlowDocument): Map<number, Point> {
  return laidOutWhole(document).at;
}

/** The same with its open ends. */
export function laidOutWhole(document: FlowDocument): { at: Map<number, Point>; ends: Map<string, Point> } {
  const all = new Map<number, Point>();
  const ends = new Map<string, Point>();
  let below = 0;
  for (const [index, list] of [document.flow, ...orphans(document)].entries()) {
    const block = laidOut(list);
    const y = index === 0 ? 0 : below - block.top + ROW;
    for (const [id, point] of block.at) all.set(id, { x: point.x, y: point.y + y });
    for (const [key, point] of block.ends) ends.set(key, { x: point.x, y: point.y + y });
    below = y + block.bottom;
  }
  return { at: all, ends };
}

function laidOut(list: ModuleNode[]): Block {
  const block: Block = { at: new Map(), ends: new Map(), top: 0, bottom: 0, width: 0 };
  let x = 0;
  for (const module of list) {
    block.at.set(module.id, { x, y: 0 });
    const ways = [...(module.routes ?? []), ...(module.branches ?? [])].map((way) => laidOut(way.flow ?? []));
    if (ways.length > 0) x = stack(block, module.id, ways, x + STEP);
    else if (module.flow !== undefined) {
      const body = laidOut(module.flow);
      put(block, body, x + STEP, 0);
      x += STEP * 1.4 + Math.max(body.width, STEP);
    } else x += STEP;
  }
  block.width = x;
  for (const module of list) if (module.onerror !== undefined) hang(block, module);
  return block;
}

/** Puts ways below each other, around the line that they come from. */
function stack(block: Block, id: number, ways: Block[], x: number): number {
  const lines: number[] = [];
  let y = 0;
  for (const way of ways) {
    y -= way.top;
    lines.push(y);
    y += way.bottom + ROW;
  }
  const middle = (lines[0]! + lines.at(-1)!) / 2;
  ways.forEach((way, index) => {
    if (way.at.size === 0) block.ends.set(endKey(id, index), { x, y: lines[index]! - middle });
    put(block, way, x, lines[index]! - middle);
  });
  return x + Math.max(STEP, ...ways.map(({ width }) => width));
}

/** What an open end of a module is called here. */
export function endKey(id: number, way: number): string {
  return `${id} ${way}`;
}

/** Puts an error route below its module, where there is room. */
function hang(block: Block, module: ModuleNode): void {
  const route = laidOut(module.onerror ?? []);
  const from = block.at.get(module.id)!;
  const taken = [...block.at.values(), ...block.ends.values()];
  let y = ROW;
  const meets = () =>
    [...route.at.values()].some((point) =>
      taken.some((other) => Math.abs(other.x - point.x - from.x - STEP) < STEP && Math.abs(other.y - point.y - y) < ROW),
    );
  while (meets()) y += ROW / 2;
  put(block, route, from.x + STEP, y - route.top);
  block.width = Math.max(block.width, from.x + STEP + route.width);
}

function put(block: Block, part: Block, x: number, y: number): void {
  for (const [id, point] of part.at) block.at.set(id, { x: point.x + x, y: point.y + y });
  for (const [key, point] of part.ends) block.ends.set(key, { x: point.x + x, y: point.y + y });
  block.top = Math.min(block.top, y + part.top);
  block.bottom = Math.max(block.bottom, y + part.bottom);
}

/** Where a person, or the last layout, put a module. */
export function drawnAt(module: ModuleNode): Point | null {
  const { x, y } = module.metadata?.designer ?? {};
  return typeof x === "number" && typeof y === "number" ? { x, y } : null;
}

/** Where every module is: as remembered, else beside the one that it follows. */
export function positions(document: FlowDocument): Map<number, Point> {
  const all = new Map<number, Point>();
  let laid: Map<number, Point> | null = null;
  for (const { module, owner, list, index } of places(document)) {
    const remembered = drawnAt(module);
    if (remembered !== null) {
      all.set(module.id, remembered);
      continue;
    }
    laid ??= layout(document);
    const own = laid.get(module.id)!;
    const before = index > 0 ? list[index - 1]!.id : ownerOf(owner);
    const [seen, meant] = before === null ? [undefined, undefined] : [all.get(before), laid.get(before)];
    all.set(module.id, seen === undefined || meant === undefined ? own : { x: seen.x + own.x - meant.x, y: seen.y + own.y - meant.y });
  }
  return all;
}

/** Remembers of every module where it is, so that it stays there whatever happens beside it. */
export function settled(document: FlowDocument): FlowDocument {
  const unplaced = [...places(document)].filter(({ module }) => drawnAt(module) === null);
  if (unplaced.length === 0) return document;
  const all = positions(document);
  return setPositions(document, new Map(unplaced.map(({ module: { id } }) => [id, all.get(id)!])));
}

export function ownerOf(owner: Owner): number | null {
  return "of" in owner ? owner.of : null;
}

/** Finds a free place for a module that was just put in, and moves what follows it out of its way. */
export function makeRoom(document: FlowDocument, id: number): FlowDocument {
  const found = find(document, id);
  if (found === null) return document;
  const now = positions(document);
  const from = found.index > 0 ? found.list[found.index - 1]!.id : ownerOf(found.owner);
  const next = found.list[found.index + 1];
  const [before, behind] = [from === null ? undefined : now.get(from), next === undefined ? undefined : now.get(next.id)];
  if (before === undefined && behind === undefined) return setPositions(document, new Map([[id, now.get(id)!]]));
  const beside = before ?? { x: behind!.x - STEP, y: behind!.y };
  const moves = new Map<number, Point>();
  let place: Point;
  if (next !== undefined && behind !== undefined) {
    place = before === undefined ? { x: behind.x, y: behind.y } : { x: before.x + STEP, y: (before.y + behind.y) / 2 };
    if (Math.abs(behind.y - beside.y) < ROW && behind.x - place.x < STEP) {
      const by = STEP - (behind.x - place.x);
      for (const other of found.list.slice(found.index + 1)) {
        for (const { id: inner } of [other, ...[...placesInside(other)].map(({ module }) => module)]) {
          const point = now.get(inner)!;
          moves.set(inner, { x: point.x + by, y: point.y });
        }
      }
    } else if (before !== undefined) place = { x: (before.x + behind.x) / 2, y: (before.y + behind.y) / 2 };
  } else {
    place = { x: beside.x + STEP, y: beside.y + (found.owner.kind === "onerror" && found.index === 0 ? ROW : 0) };
  }
  const taken = [...now].filter(([other]) => other !== id && !moves.has(other)).map(([, point]) => point);
  while (taken.some((point) => Math.abs(point.x - place.x) < SIZE && Math.abs(point.y - place.y) < ROW - 20)) {
    place = { x: place.x, y: place.y + ROW };
  }
  moves.set(id, place);
  return setPositions(document, moves);
}

/** How long the canvas takes to move, in milliseconds: no time at all for those who want nothing to move. */
export function gently(duration: number): number {
  return matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : duration;
}
