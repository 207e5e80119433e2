// Changes of a flow: each takes a document and gives another one. Ids stay
// unique, and no module is lost except those that were to be removed: what
// would hang in the air lies beside the flow, where it can be connected again.

import type { Branch, Condition, Designer, Filter, FlowDocument, ModuleNode, Route } from "./document";
import { renumberIn } from "./references";
import { find, freeId, isInside, modules, orphans, places, placesInside, rewriteLists, withOrphans, type Owner } from "./tree";

export { before, find, freeId, modules, orphans, places } from "./tree";

export const ROUTER = "builtin:BasicRouter";
export const IF_ELSE = "builtin:BasicIfElse";
export const MERGE = "builtin:BasicMerge";
export const REPEAT_UNTIL = "loopwright:RepeatUntil";

/** A module as it is when it is put on the canvas. */
export function newModule(id: number, name: string, version?: number): ModuleNode {
  const module: ModuleNode = { id, module: name, ...(version === undefined ? {} : { version }), parameters: {}, mapper: {} };
  if (name === ROUTER) return { ...module, mapper: null, routes: [{ flow: [] }, { flow: [] }] };
  if (name === IF_ELSE) {
    const branches: Branch[] = [
      { type: "condition", conditions: [], flow: [] },
      { type: "else", flow: [] },
    ];
    return { ...module, mapper: null, branches };
  }
  if (name === MERGE) return { ...module, mapper: null, outputs: [] };
  if (name === REPEAT_UNTIL) return { ...module, mapper: { repeats: 20 }, flow: [], until: { conditions: [] } };
  return module;
}

/** Changes one module where it is. */
export function update(document: FlowDocument, id: number, change: (module: ModuleNode) => ModuleNode): FlowDocument {
  return rewriteLists(document, (list) => {
    const index = list.findIndex((module) => module.id === id);
    if (index < 0) return list;
    const next = change(list[index]!);
    return next === list[index] ? list : list.with(index, next);
  });
}

/** Puts one thing in the place of another, with the same number; what hangs on it stays. */
export function replace(document: FlowDocument, id: number, name: string, version?: number): FlowDocument {
  return update(document, id, (module) => {
    const next = newModule(id, name, version);
    const { filter, onerror, metadata, routes, branches, flow } = module;
    return {
      ...next,
      ...(filter === undefined ? {} : { filter }),
      ...(onerror === undefined ? {} : { onerror }),
      ...(metadata?.designer === undefined ? {} : { metadata: { designer: metadata.designer } }),
      ...(routes === undefined ? {} : { routes }),
      ...(branches === undefined ? {} : { branches }),
      ...(flow === undefined ? {} : { flow }),
    };
  });
}

/** Puts the first module into an empty flow, or a new start before the others. */
export function insertFirst(document: FlowDocument, module: ModuleNode): FlowDocument {
  return { ...document, flow: [module, ...document.flow] };
}

/**
 * Puts a module behind another one; behind a router it gets a route of its own,
 * and what stands behind an if-else stands behind its merge.
 */
export function insertAfter(document: FlowDocument, id: number, module: ModuleNode): FlowDocument {
  const found = find(document, id);
  if (found === null) return document;
  if (found.module.module === ROUTER) return addRoute(document, id, [module]);
  if (found.module.module !== IF_ELSE) return insertBehind(document, id, [module]);
  const all = (found.module.branches ?? []).reduce((next, _, index) => setBranch(next, id, index, { merge: true }), document);
  if (module.module === MERGE) return insertBehind(all, id, [module]);
  // Behind a merge that is there already, or behind one of its own.
  const merge = mergeBehind(all, id);
  if (merge !== null) return insertBehind(all, merge, [module]);
  const own = newModule(Math.max(freeId(all), module.id + 1), MERGE);
  return insertBehind(all, id, [own, module]);
}

/** The merge at which the branches of an if-else come back. */
function mergeBehind(document: FlowDocument, ifElse: number): number | null {
  const found = find(document, ifElse);
  const next = found?.list[found.index + 1];
  return next?.module === MERGE ? next.id : null;
}

/** Lets a branch come back at the merge behind the if-else, which is put there if it is missing; or lets it end. */
export function setComesBack(document: FlowDocument, ifElse: number, index: number, merge: boolean): FlowDocument {
  const next = setBranch(document, ifElse, index, { merge });
  if (!merge || mergeBehind(next, ifElse) !== null) return next;
  return insertBehind(next, ifElse, [newModule(freeId(next), MERGE)]);
}

/** Puts modules behind another one in the same list, also behind a router. */
function insertBehind(document: FlowDocument, id: number, added: ModuleNode[]): FlowDocument {
  return rewriteLists(document, (list) => {
    const index = list.findIndex((module) => module.id === id);
    return index < 0 ? list : list.toSpliced(index + 1, 0, ...added);
  });
}

/** Puts a module on the wire that leads to another one. The filter stays with the module that it was before. */
export function insertOnWire(document: FlowDocument, to: number, module: ModuleNode): FlowDocument {
  return rewriteLists(document, (list) => {
    const index = list.findIndex((other) => other.id === to);
    return index < 0 ? list : list.toSpliced(index, 0, module);
  });
}

/** Puts a module at the end of a list: of a route, a branch, a body, an error route. */
export function append(document: FlowDocument, owner: Owner, ...added: ModuleNode[]): FlowDocument {
  const at = (module: ModuleNode): ModuleNode => {
    switch (owner.kind) {
      case "route":
        return { ...module, routes: grown(module.routes ?? [], owner.index, added) };
      case "branch":
        return { ...module, branches: grown(module.branches ?? [], owner.index, added) };
      case "onerror":
        return { ...module, onerror: [...(module.onerror ?? []), ...added] };
      case "body":
        return { ...module, flow: [...(module.flow ?? []), ...added] };
      default:
        return module;
    }
  };
  if (owner.kind === "flow") return { ...document, flow: [...document.flow, ...added] };
  if (owner.kind === "orphan") {
    const pieces = orphans(document);
    const grownPiece = [...(pieces[owner.index] ?? []), ...added];
    return withOrphans(document, pieces[owner.index] === undefined ? [...pieces, grownPiece] : pieces.with(owner.index, grownPiece));
  }
  return update(document, owner.of, at);
}

function grown<T extends { flow?: ModuleNode[] }>(ways: T[], index: number, added: ModuleNode[]): T[] {
  return ways.map((way, place) => (place === index ? { ...way, flow: [...(way.flow ?? []), ...added] } : way));
}

/** Takes one module out. What followed it moves up; the error route goes with it. */
export function remove(document: FlowDocument, id: number): FlowDocument {
  let loose: ModuleNode[][] = [];
  const without = rewriteLists(document, (list) => {
    const index = list.findIndex((module) => module.id === id);
    if (index < 0) return list;
    const [inside, ...others] = waysOut(list[index]!);
    loose = others;
    return list.toSpliced(index, 1, ...(inside ?? []));
  });
  return loose.length === 0 ? without : withOrphans(without, [...orphans(without), ...loose]);
}

export function removeAll(document: FlowDocument, ids: Iterable<number>): FlowDocument {
  let next = document;
  for (const id of ids) next = remove(next, id);
  return next;
}

/** What remains of a module that goes: the first way that has modules takes its place, the others lie beside. */
function waysOut(module: ModuleNode): ModuleNode[][] {
  const ways = [
    module.flow ?? [],
    ...(module.routes ?? []).map((route) => route.flow ?? []),
    ...(module.branches ?? []).map((branch) => branch.flow ?? []),
  ];
  return ways.filter((way) => way.length > 0);
}

/** Moves one module behind another one. */
export function moveAfter(document: FlowDocument, id: number, after: number): FlowDocument {
  return moved(document, id, after, (without, module) => insertAfter(without, after, module));
}

/** Moves one module onto the wire that leads to another one. */
export function moveOnWire(document: FlowDocument, id: number, to: number): FlowDocument {
  return moved(document, id, to, (without, module) => insertOnWire(without, to, module));
}

function moved(
  document: FlowDocument,
  id: number,
  beside: number,
  put: (without: FlowDocument, module: ModuleNode) => FlowDocument,
): FlowDocument {
  const found = find(document, id);
  if (found === null || id === beside || isInside(found.module, beside)) return document;
  const without = rewriteLists(document, (list) => (list.includes(found.module) ? list.filter((other) => other !== found.module) : list));
  return find(without, beside) === null ? document : put(without, found.module);
}

/** Cuts the wire to a module: it lies beside the flow then, with what follows it. */
export function disconnect(document: FlowDocument, to: number): FlowDocument {
  const found = find(document, to);
  if (found === null || (found.owner.kind === "orphan" && found.index === 0)) return document;
  if (found.owner.kind === "flow" && found.index === 0) return document;
  const [without, piece] = cut(document, to);
  return withOrphans(without, [...orphans(without), piece]);
}

/** Takes a module out with all that follows it in its list. */
function cut(document: FlowDocument, id: number): [FlowDocument, ModuleNode[]] {
  let piece: ModuleNode[] = [];
  const without = rewriteLists(document, (list) => {
    const index = list.findIndex((module) => module.id === id);
    if (index < 0) return list;
    piece = list.slice(index);
    return list.slice(0, index);
  });
  return [without, piece];
}

/**
 * Draws a wire. What begins at `to` goes on behind `from`; where something
 * follows there already, a router sends bundles both ways.
 */
export function connect(document: FlowDocument, from: number, to: number): FlowDocument {
  const [start, end] = [find(document, from), find(document, to)];
  if (start === null || end === null || from === to) return document;
  if (start.list[start.index + 1]?.id === to) return document;
  if (end.owner.kind === "flow" && end.index === 0) return document;
  const [without, piece] = cut(document, to);
  const place = find(without, from);
  // A wire back to what comes before would be a circle.
  if (place === null) return document;
  if (place.module.module === ROUTER) return addRoute(without, from, piece);
  const behind = place.list.slice(place.index + 1);
  if (behind.length === 0) return insertBehind(without, from, piece);
  if (behind[0]!.module === ROUTER) return addRoute(without, behind[0]!.id, piece);
  const [alone, rest] = cut(without, behind[0]!.id);
  const router: ModuleNode = { ...newModule(freeId(document), ROUTER, 1), routes: [{ flow: rest }, { flow: piece }] };
  return insertBehind(alone, from, [router]);
}

/** Gives a router one more route. An empty route that is there is filled first. */
export function addRoute(document: FlowDocument, router: number, flow: ModuleNode[] = []): FlowDocument {
  return update(document, router, (module) => {
    const routes = module.routes ?? [];
    const empty = flow.length === 0 ? -1 : routes.findIndex((route) => (route.flow ?? []).length === 0);
    return { ...module, routes: empty < 0 ? [...routes, { flow }] : routes.with(empty, { ...routes[empty]!, flow }) };
  });
}

/** Takes a route away; its modules lie beside the flow then. */
export function removeRoute(document: FlowDocument, router: number, index: number): FlowDocument {
  const route = find(document, router)?.module.routes?.[index];
  if (route === undefined) return document;
  const next = update(document, router, (module) => ({
    ...module,
    routes: (module.routes ?? []).toSpliced(index, 1),
    ...fallback(module, (place) => (place === index ? null : place > index ? place - 1 : place)),
  }));
  return route.flow.length === 0 ? next : withOrphans(next, [...orphans(next), route.flow]);
}

/** Changes the order of the routes, which is the order in which they are taken. */
export function moveRoute(document: FlowDocument, router: number, from: number, to: number): FlowDocument {
  return update(document, router, (module) => {
    const routes = module.routes ?? [];
    const route = routes[from];
    if (route === undefined || to < 0 || to >= routes.length || from === to) return module;
    const order = routes.map((_, place) => place).toSpliced(from, 1).toSpliced(to, 0, from);
    return { ...module, routes: order.map((place) => routes[place]!) as Route[], ...fallback(module, (place) => order.indexOf(place)) };
  });
}

/** Keeps naming the same fallback route when the numbers of the routes change. */
function fallback(module: ModuleNode, next: (place: number) => number | null): Partial<ModuleNode> {
  const now = module.parameters?.["else"];
  if (typeof now !== "number") return {};
  const after = next(now);
  const { else: _, ...others } = module.parameters ?? {};
  return { parameters: after === null ? others : { ...others, else: after } };
}

/** Says which route is taken where no other was; null for none. */
export function setFallback(document: FlowDocument, router: number, index: number | null): FlowDocument {
  return update(document, router, (module) => {
    const { else: _, ...others } = module.parameters ?? {};
    return { ...module, parameters: index === null ? others : { ...others, else: index } };
  });
}

/** Puts a condition on the wire to a module, or takes it off. */
export function setFilter(document: FlowDocument, to: number, filter: Filter | null): FlowDocument {
  return update(document, to, (module) => {
    if (filter !== null) return { ...module, filter };
    const { filter: _, ...rest } = module;
    return rest as ModuleNode;
  });
}

export function addBranch(document: FlowDocument, ifElse: number): FlowDocument {
  return withBranch(document, ifElse, { type: "condition", conditions: [], flow: [] });
}

/** Adds what is taken where no branch is, as the last one; once only. */
export function addElse(document: FlowDocument, ifElse: number): FlowDocument {
  const hasOne = find(document, ifElse)?.module.branches?.some(({ type }) => type === "else") === true;
  return hasOne ? document : withBranch(document, ifElse, { type: "else", flow: [] });
}

/** Puts a branch before the else; where others come back, it does, too. */
function withBranch(document: FlowDocument, ifElse: number, { flow, ...rest }: Branch): FlowDocument {
  return update(document, ifElse, (module) => {
    const branches = module.branches ?? [];
    const before = branches.findIndex((branch) => branch.type === "else");
    const comesBack = branches.some(({ merge }) => merge === true);
    const branch: Branch = { ...rest, ...(comesBack ? { merge: true } : {}), flow: flow ?? [] };
    return { ...module, branches: branches.toSpliced(before < 0 ? branches.length : before, 0, branch) };
  });
}

export function setBranch(document: FlowDocument, ifElse: number, index: number, change: Partial<Branch>): FlowDocument {
  return update(document, ifElse, (module) => ({
    ...module,
    branches: (module.branches ?? []).map((branch, place) => (place === index ? { ...branch, ...change } : branch)),
  }));
}

/** Changes the order in which branches are asked; the else stays the last. */
export function moveBranch(document: FlowDocument, ifElse: number, from: number, to: number): FlowDocument {
  return update(document, ifElse, (module) => {
    const branches = module.branches ?? [];
    const [branch, other] = [branches[from], branches[to]];
    if (branch === undefined || other === undefined || branch.type === "else" || other.type === "else") return module;
    return { ...module, branches: branches.toSpliced(from, 1).toSpliced(to, 0, branch) };
  });
}

/** Takes a branch away; its modules lie beside the flow then. */
export function removeBranch(document: FlowDocument, ifElse: number, index: number): FlowDocument {
  const branch = find(document, ifElse)?.module.branches?.[index];
  if (branch === undefined) return document;
  const next = update(document, ifElse, (module) => ({ ...module, branches: (module.branches ?? []).toSpliced(index, 1) }));
  const left = branch.flow ?? [];
  return left.length === 0 ? next : withOrphans(next, [...orphans(next), left]);
}

/** Says when a repeat-until ends. */
export function setUntil(document: FlowDocument, id: number, conditions: Condition[][]): FlowDocument {
  return update(document, id, (module) => ({ ...module, until: { ...(Array.isArray(module.until) ? {} : module.until), conditions } }));
}

/** Says what happens when a module fails; an empty list takes the error route away. */
export function setErrorRoute(document: FlowDocument, id: number, onerror: ModuleNode[]): FlowDocument {
  return update(document, id, (module) => {
    if (onerror.length > 0) return { ...module, onerror };
    const { onerror: _, ...rest } = module;
    return rest as ModuleNode;
  });
}

/** Remembers something about how a module is drawn: its position, its name. */
export function setDesigner(document: FlowDocument, id: number, change: Partial<Designer>): FlowDocument {
  return update(document, id, (module) => designed(module, change));
}

function designed(module: ModuleNode, change: Partial<Designer>): ModuleNode {
  const designer: Designer = { ...module.metadata?.designer, ...change };
  if (designer.name === "") delete designer.name;
  return { ...module, metadata: { ...module.metadata, designer } };
}

/** Remembers where many modules are. */
export function setPositions(document: FlowDocument, positions: ReadonlyMap<number, { x: number; y: number }>): FlowDocument {
  return rewriteLists(document, (list) => {
    if (!list.some((module) => positions.has(module.id))) return list;
    return list.map((module) => {
      const place = positions.get(module.id);
      return place === undefined ? module : designed(module, { x: Math.round(place.x), y: Math.round(place.y) });
    });
  });
}

/**
 * Takes copies of modules, the way the format keeps copied ones: connected
 * pieces beside each other. What is inside a copied module comes with it.
 */
export function copied(document: FlowDocument, ids: ReadonlySet<number>): ModuleNode[][] {
  const inside = new Set<number>();
  for (const { module } of places(document)) {
    if (ids.has(module.id)) for (const { module: inner } of placesInside(module)) inside.add(inner.id);
  }
  const pieces: ModuleNode[][] = [];
  let last: { list: ModuleNode[]; index: number } | null = null;
  for (const { module, list, index } of places(document)) {
    if (!ids.has(module.id) || inside.has(module.id)) continue;
    if (last !== null && last.list === list && last.index === index - 1) pieces.at(-1)!.push(module);
    else pieces.push([module]);
    last = { list, index };
  }
  return pieces;
}

/**
 * Puts copies in: with new ids, which the copies' texts then name. The first
 * piece goes behind `after` if one is named; else all lie beside the flow, or
 * are the flow where it is empty.
 */
export function paste(document: FlowDocument, pieces: ModuleNode[][], after: number | null): [FlowDocument, number[]] {
  const numbers = new Map<number, number>();
  let next = freeId(document);
  for (const piece of pieces) {
    for (const { module } of places({ flow: piece })) numbers.set(module.id, next++);
  }
  const fresh = pieces.filter((piece) => piece.length > 0).map((piece) => piece.map((module) => numbered(module, numbers)));
  const ids = fresh.flat().map(({ id }) => id);
  const [first, ...others] = fresh;
  if (first === undefined) return [document, []];
  if (document.flow.length === 0) {
    const begun = { ...document, flow: first };
    return [others.length === 0 ? begun : withOrphans(begun, [...orphans(document), ...others]), ids];
  }
  const target = after === null ? null : find(document, after);
  if (target === null) return [withOrphans(document, [...orphans(document), ...fresh]), ids];
  const put = target.module.module === ROUTER ? addRoute(document, target.module.id, first) : insertBehind(document, target.module.id, first);
  return [others.length === 0 ? put : withOrphans(put, [...orphans(put), ...others]), ids];
}

/** Gives a module, and what is inside it, other numbers. */
function numbered(module: ModuleNode, numbers: ReadonlyMap<number, number>): ModuleNode {
  const renamed = rewriteLists({ flow: [renumberIn(module, numbers)] }, (list) =>
    list.map((inner) => {
      const feeder = inner.parameters?.["feeder"];
      const parameters =
        typeof feeder === "number" && numbers.has(feeder) ? { ...inner.parameters, feeder: numbers.get(feeder) } : inner.parameters;
      return { ...inner, id: numbers.get(inner.id) ?? inner.id, ...(parameters === inner.parameters ? {} : { parameters }) };
    }),
  );
  return renamed.flow[0]!;
}

/** Gives modules other numbers throughout a document. */
export function renumbered(document: FlowDocument, numbers: ReadonlyMap<number, number>): FlowDocument {
  const flow = document.flow.map((module) => numbered(module, numbers));
  const pieces = orphans(document).map((piece) => piece.map((module) => numbered(module, numbers)));
  return pieces.length === 0 ? { ...document, flow } : withOrphans({ ...document, flow }, pieces);
}

/** Moves copies a little, so that they do not lie on what they were copied from. */
export function shifted(pieces: ModuleNode[][], by: number): ModuleNode[][] {
  const at = new Map<number, { x: number; y: number }>();
  for (const piece of pieces) {
    for (const module of modules({ flow: piece })) {
      const { x, y } = module.metadata?.designer ?? {};
      if (typeof x === "number" && typeof y === "number") at.set(module.id, { x: x + by, y: y + by });
    }
  }
  return pieces.map((piece) => setPositions({ flow: piece }, at).flow);
}
