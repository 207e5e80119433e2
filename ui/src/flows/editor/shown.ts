// The graph as React Flow takes it. What did not change stays the same object,
// so that of a thousand modules only those are drawn again that changed.

import { useMemo, useRef } from "react";
import { MarkerType, Position, type Edge, type Node, type NodeHandle } from "@xyflow/react";

import type { FlowDocument } from "./document";
import { graphOf, nameOf, type Frame, type Graph, type OpenEnd, type ShownModule, type Wire } from "./graph";
import { SIZE, STEP, type Point } from "./layout";
import { noteAt, notesOf, type Note } from "./notes";
import { scheduleWords } from "./starts";
import type { Notice } from "./store";
import type { ModuleKind, Selection } from "./types";

export type ModuleData = { shown: ShownModule; kind: ModuleKind | null; name: string; notice: "error" | "warning" | null; notices: string; badge: string | null };
export type ModuleShapeNode = Node<ModuleData, "module">;
export type EndNode = Node<{ end: OpenEnd }, "end">;
export type FrameNode = Node<{ frame: Frame; name: string }, "frame">;
export type NoteNode = Node<{ index: number; note: Note }, "note">;
export type ClockNode = Node<{ words: string; last: boolean }, "clock">;
export type ShownNode = ModuleShapeNode | EndNode | FrameNode | NoteNode | ClockNode;
export type WireEdge = Edge<{ wire: Wire; colour: string }, "wire">;

const handle = (type: "source" | "target", position: Position, x: number, y: number, id: string): NodeHandle => ({
  id,
  type,
  position,
  x,
  y,
  width: 1,
  height: 1,
});

const MODULE_HANDLES = [
  handle("target", Position.Left, 0, SIZE / 2, "in"),
  handle("source", Position.Right, SIZE, SIZE / 2, "out"),
  handle("source", Position.Bottom, SIZE / 2, SIZE, "error"),
];
const END = 28;
const NOTE = 190;
const END_HANDLES = [handle("target", Position.Left, 0, END / 2, "in")];
const CLOCK_HANDLES = [handle("source", Position.Right, SIZE, SIZE / 2, "out")];

/** Sizes are known, so nothing has to be measured before it is shown. */
const sized = (width: number, height: number) => ({ width, height, measured: { width, height } });

export const CLOCK = "clock";

interface Given {
  document: FlowDocument;
  kinds: Map<string, ModuleKind>;
  notices: Notice[];
  picked: ReadonlySet<number>;
  selection: Selection;
  /** Where modules are while they are dragged. */
  dragged: ReadonlyMap<string, Point>;
  readonly: boolean;
}

export interface Shown {
  graph: Graph;
  nodes: ShownNode[];
  edges: WireEdge[];
}

/** Whether something else than a schedule starts the flow. */
export function startsItself(document: FlowDocument, kinds: Map<string, ModuleKind>): boolean {
  const first = document.flow[0];
  return first !== undefined && kinds.get(first.module)?.kind === "start";
}

export function useShown(given: Given): Shown {
  const { document, kinds, notices, picked, selection, dragged, readonly } = given;
  const graph = useMemo(() => graphOf(document), [document]);
  const nodesBefore = useRef(new Map<string, ShownNode>());
  const edgesBefore = useRef(new Map<string, WireEdge>());

  const byModule = useMemo(() => {
    const map = new Map<number, Notice[]>();
    for (const notice of notices) if (notice.module !== null) map.set(notice.module, [...(map.get(notice.module) ?? []), notice]);
    return map;
  }, [notices]);

  const nodes = useMemo(() => {
    const next = new Map<string, ShownNode>();
    const keep = (node: ShownNode) => {
      const before = nodesBefore.current.get(node.id);
      next.set(node.id, before !== undefined && sameNode(before, node) ? before : node);
    };
    const at = (id: string, point: Point) => dragged.get(id) ?? point;
    const clock = !startsItself(document, kinds) && (document.flow.length > 0 || document.scheduling !== undefined);
    for (const frame of graph.frames) keep(frameNode(frame));
    for (const shown of graph.modules) {
      const kind = kinds.get(shown.module.module) ?? null;
      const said = byModule.get(shown.id) ?? [];
      const data: ModuleData = {
        shown,
        kind,
        name: nameOf(shown.module, kind?.label),
        notice: said.some(({ severity }) => severity === "error") ? "error" : said.length > 0 ? "warning" : null,
        notices: said.map(({ text }) => text).join("\n"),
        badge: shown.start && !clock && document.scheduling !== undefined ? scheduleWords(document.scheduling) : null,
      };
      const id = String(shown.id);
      keep({
        id,
        type: "module",
        position: at(id, shown.at),
        data,
        selected: picked.has(shown.id),
        ...sized(SIZE, SIZE),
        handles: MODULE_HANDLES,
        draggable: !readonly,
        ariaLabel: spoken(data),
        zIndex: 2,
      });
    }
    for (const end of graph.ends) {
      const position = { x: end.at.x + 8, y: end.at.y + (SIZE - END) / 2 };
      keep({ id: end.key, type: "end", position, data: { end }, ...sized(END, END), handles: END_HANDLES, draggable: false, selectable: false, focusable: false, zIndex: 2 });
    }
    const positions = new Map(graph.modules.map((shown) => [shown.id, shown.at]));
    notesOf(document).forEach((note, index) => {
      const id = `note-${index}`;
      keep({ id, type: "note", position: at(id, noteAt(note, index, positions)), data: { index, note }, width: NOTE, measured: { width: NOTE, height: 60 }, selectable: false, focusable: false, draggable: !readonly, zIndex: 1 });
    });
    if (clock) {
      const first = graph.modules[0];
      const position = first === undefined ? { x: 0, y: 0 } : { x: at(String(first.id), first.at).x - STEP, y: at(String(first.id), first.at).y };
      const words = scheduleWords(document.scheduling);
      keep({ id: CLOCK, type: "clock", position, data: { words, last: first === undefined }, ...sized(SIZE, SIZE), handles: CLOCK_HANDLES, draggable: false, selectable: false, focusable: false });
    }
    nodesBefore.current = next;
    return [...next.values()];
  }, [graph, kinds, byModule, picked, dragged, readonly, document]);

  const edges = useMemo(() => {
    const next = new Map<string, WireEdge>();
    const colours = new Map(graph.modules.map(({ id, module }) => [id, kinds.get(module.module)?.colour ?? ""]));
    const names = new Map(graph.modules.map(({ id, module }) => [id, nameOf(module, kinds.get(module.module)?.label)]));
    for (const wire of graph.wires) {
      const selected = selection?.kind === "wire" && selection.to === wire.to;
      const edge = wireEdge(wire, colours.get(wire.from) ?? "", selected, names);
      const before = edgesBefore.current.get(edge.id);
      next.set(edge.id, before !== undefined && sameEdge(before, edge) ? before : edge);
    }
    const first = document.flow[0];
    if (first !== undefined && !startsItself(document, kinds)) {
      const wire: Wire = { key: CLOCK, from: -1, to: first.id, kind: "plain", label: first.filter?.name ?? null, filtered: false, fallback: false, disabled: false, route: null };
      const edge: WireEdge = { ...wireEdge(wire, "", false, names), id: CLOCK, source: CLOCK, focusable: false, selectable: false };
      const before = edgesBefore.current.get(CLOCK);
      next.set(CLOCK, before !== undefined && sameEdge(before, edge) ? before : edge);
    }
    edgesBefore.current = next;
    return [...next.values()];
  }, [graph, kinds, selection, document]);

  return { graph, nodes, edges };
}

function frameNode(frame: Frame): FrameNode {
  return {
    id: `frame-${frame.of}`,
    type: "frame",
    position: frame.at,
    data: { frame, name: "Repeat until" },
    ...sized(frame.width, frame.height),
    draggable: false,
    selectable: false,
    focusable: false,
    zIndex: -1,
  };
}

function wireEdge(wire: Wire, colour: string, selected: boolean, names: Map<number, string>): WireEdge {
  const from = names.get(wire.from) ?? "the start";
  const to = typeof wire.to === "number" ? `${names.get(wire.to)}` : "an open end";
  const kind = wire.kind === "error" ? "Error route" : wire.kind === "back" ? "Way back" : "Wire";
  const filter = wire.filtered && wire.label !== null ? `, filter ${wire.label}` : wire.filtered ? ", with a filter" : "";
  const route = wire.route === null ? "" : `, route ${wire.route[0]} of ${wire.route[1]}${wire.fallback ? ", the fallback" : ""}`;
  return {
    id: wire.key,
    type: "wire",
    source: String(wire.from),
    target: String(wire.to),
    sourceHandle: wire.kind === "error" ? "error" : "out",
    targetHandle: "in",
    data: { wire, colour },
    selected,
    selectable: typeof wire.to === "number",
    focusable: typeof wire.to === "number",
    ariaLabel: `${kind} from ${from} to ${to}${route}${filter}`,
    ...(wire.kind === "error" ? { markerEnd: { type: MarkerType.ArrowClosed, width: 14, height: 14, color: "var(--bad)" } } : {}),
  };
}

function spoken({ shown, kind, name, notices, badge }: ModuleData): string {
  const what = kind === null ? shown.module.module : kind.label === name ? kind.appName : `${kind.appName}, ${kind.label}`;
  const said = [`${name}, ${what}, module ${shown.id}`];
  if (shown.start) said.push("starts the flow");
  if (badge !== null) said.push(badge);
  if (shown.loose) said.push("not connected");
  if (notices !== "") said.push(notices.replaceAll("\n", "; "));
  return said.join(", ");
}

function sameNode(a: ShownNode, b: ShownNode): boolean {
  if (a.position.x !== b.position.x || a.position.y !== b.position.y || a.selected !== b.selected || a.draggable !== b.draggable) return false;
  if (a.width !== b.width || a.height !== b.height || a.ariaLabel !== b.ariaLabel) return false;
  if (a.type === "module" && b.type === "module") {
    const [x, y] = [a.data, b.data];
    return x.shown.module === y.shown.module && x.shown.last === y.shown.last && x.kind === y.kind && x.notices === y.notices && x.badge === y.badge;
  }
  if (a.type === "note" && b.type === "note") return a.data.note === b.data.note;
  if (a.type === "end" && b.type === "end") return a.data.end.label === b.data.end.label;
  if (a.type === "clock" && b.type === "clock") return a.data.words === b.data.words && a.data.last === b.data.last;
  return a.type === "frame";
}

function sameEdge(a: WireEdge, b: WireEdge): boolean {
  const [x, y] = [a.data!.wire, b.data!.wire];
  return (
    a.selected === b.selected &&
    a.ariaLabel === b.ariaLabel &&
    a.source === b.source &&
    a.data!.colour === b.data!.colour &&
    x.label === y.label &&
    x.filtered === y.filtered &&
    x.kind === y.kind &&
    x.disabled === y.disabled
  );
}

