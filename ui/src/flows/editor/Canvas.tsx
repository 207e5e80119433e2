// The canvas: modules and wires, and all that hands do with them.

import { memo, useCallback, useEffect, useMemo, useRef, useState } from "react";
import {
  Background,
  BackgroundVariant,
  Controls,
  ReactFlow,
  SelectionMode,
  useReactFlow,
  useStore as useFlowStore,
  type Connection,
  type EdgeChange,
  type NodeChange,
  type NodeTypes,
  type EdgeTypes,
} from "@xyflow/react";
import "@xyflow/react/dist/base.css";

import { join } from "./acts";
import { ContextMenu } from "./ContextMenu";
import { setPositions } from "./edits";
import type { Graph } from "./graph";
import { useKeys } from "./keys";
import { gently, settled, SIZE, type Point } from "./layout";
import { FarFlow, moduleAt, SmallMap, useFit } from "./far";
import { ModuleShape } from "./ModuleShape";
import { setNote } from "./notes";
import { ClockShape, EndShape, FrameShape, NoteShape } from "./OtherShapes";
import { useShown, type ShownNode, type WireEdge } from "./shown";
import { useEditor, useEditorStore } from "./store";
import { WireShape } from "./WireShape";

const NODE_TYPES: NodeTypes = { module: ModuleShape, end: EndShape, frame: FrameShape, note: NoteShape, clock: ClockShape };
const EDGE_TYPES: EdgeTypes = { wire: WireShape };
const NONE: ReadonlyMap<string, Point> = new Map();
const NO_WIRES: WireEdge[] = [];
const NO_NODES: ShownNode[] = [];
const MAP_FROM = 25;
/** Bigger flows are drawn where one looks only; smaller ones are there for Tab and screen readers as a whole. */
const PLAIN_FROM = 150;
/** From so far away nobody reads names; leaving them out keeps panning smooth. */
const FAR = 0.34;
const isFar = (state: { transform: [number, number, number] }) => state.transform[2] < FAR;

export const Canvas = memo(function Canvas() {
  const store = useEditorStore();
  const document = useEditor((editor) => editor.document);
  const kinds = useEditor((editor) => editor.kinds);
  const notices = useEditor((editor) => editor.notices);
  const picked = useEditor((editor) => editor.picked);
  const selection = useEditor((editor) => editor.selection);
  const readonly = useEditor((editor) => editor.readonly);
  const [dragged, setDragged] = useState(NONE);
  const { graph, nodes, edges } = useShown({ document, kinds, notices, picked, selection, dragged, readonly });
  const canvas = useReactFlow();
  const far = useFlowStore(isFar);
  const plain = far && graph.modules.length > PLAIN_FROM;
  const frame = useRef<HTMLDivElement>(null);
  useKeys(frame, graph);

  useSelectedInView(frame, graph);
  const colours = useMemo(() => new Map([...kinds].map(([name, kind]) => [name, kind.colour])), [kinds]);
  const fit = useFit();
  // Who only looks has moved nothing that another width of the window should leave as it is.
  const width = useFlowStore((state) => state.width);
  const whole = useRef(graph);
  whole.current = graph;
  useEffect(() => {
    if (readonly && width > 0) fit(whole.current);
  }, [readonly, width, fit]);
  // What is too big to be drawn whole is placed by where its modules are.
  const [big] = useState(() => graph.modules.length > PLAIN_FROM);

  const changeNodes = useCallback(
    (changes: NodeChange<ShownNode>[]) => {
      const moves = changes.filter((change) => change.type === "position" && change.position !== undefined && change.dragging === true);
      if (moves.length > 0) {
        setDragged((before) => {
          const next = new Map(before);
          for (const move of moves) if (move.type === "position" && move.position !== undefined) next.set(move.id, move.position);
          return next;
        });
      }
      const picks = changes.filter((change) => change.type === "select");
      if (picks.length > 0) {
        const next = new Set(store.getState().picked);
        for (const change of picks) {
          if (change.type !== "select" || !/^\d+$/.test(change.id)) continue;
          if (change.selected) next.add(Number(change.id));
          else next.delete(Number(change.id));
        }
        const before = store.getState().picked;
        if (next.size !== before.size || [...next].some((id) => !before.has(id))) {
          if (next.size === 0 && store.getState().selection?.kind === "wire") return;
          store.getState().pick(next);
        }
      }
    },
    [store],
  );

  const changeEdges = useCallback(
    (changes: EdgeChange<WireEdge>[]) => {
      for (const change of changes) {
        if (change.type !== "select" || !change.selected) continue;
        const to = canvas.getEdge(change.id)?.target;
        if (to !== undefined && /^\d+$/.test(to)) store.getState().select({ kind: "wire", to: Number(to) });
      }
    },
    [store, canvas],
  );

  const dropped = useCallback(
    (_: unknown, __: unknown, moved: ShownNode[]) => {
      const places = new Map<number, Point>();
      for (const node of moved) {
        if (node.type === "module") places.set(Number(node.id), node.position);
        if (node.type === "note") {
          const { index } = node.data;
          const [x, y] = [Math.round(node.position.x), Math.round(node.position.y)];
          store.getState().edit("Move a note", (before) => setNote(before, index, { designer: { x, y } }));
        }
      }
      if (places.size > 0) store.getState().edit(places.size === 1 ? "Move a module" : `Move ${places.size} modules`, (before) => setPositions(settled(before), places));
      setDragged(NONE);
    },
    [store],
  );

  const connected = useCallback(
    ({ source, target, sourceHandle }: Connection) => {
      if (!/^\d+$/.test(source) || !/^\d+$/.test(target) || sourceHandle === "error") return;
      join(store, Number(source), Number(target));
    },
    [store],
  );

  const connectEnded = useCallback(
    (event: MouseEvent | TouchEvent, state: { fromNode: { id: string } | null; fromHandle: { id?: string | null } | null; isValid: boolean | null }) => {
      store.getState().setConnecting(false);
      if (state.isValid === true || state.fromNode === null || !/^\d+$/.test(state.fromNode.id)) return;
      const at = "clientX" in event ? { x: event.clientX, y: event.clientY } : { x: 200, y: 200 };
      const id = Number(state.fromNode.id);
      const { ask } = store.getState();
      if (state.fromHandle?.id === "error") ask({ place: { kind: "error", of: id }, at });
      else if (state.fromHandle?.id === "out") ask({ place: { kind: "after", id }, at });
    },
    [store],
  );

  const handlers = useMemo(
    () => ({
      onNodeDoubleClick: (_: unknown, node: ShownNode) => node.type === "module" && store.getState().setOpen(true),
      onNodeClick: (event: React.MouseEvent, node: ShownNode) => {
        if (node.type !== "module" || event.shiftKey || event.ctrlKey || event.metaKey) return;
        store.getState().select({ kind: "module", id: Number(node.id) });
        store.getState().setOpen(true);
      },
      onEdgeClick: (_: unknown, edge: WireEdge) => {
        if (!/^\d+$/.test(edge.target) || edge.source === "clock") return;
        store.getState().select({ kind: "wire", to: Number(edge.target) });
        store.getState().setOpen(true);
      },
      onPaneClick: (event: React.MouseEvent) => {
        const hit = plain ? moduleAt(graph, canvas.screenToFlowPosition({ x: event.clientX, y: event.clientY })) : null;
        if (hit !== null) {
          store.getState().select({ kind: "module", id: hit });
          store.getState().setOpen(true);
          return;
        }
        store.getState().select(null);
        store.getState().setOpen(false);
      },
      onDoubleClick: (event: React.MouseEvent) => {
        if (!(event.target as Element).classList.contains("react-flow__pane") || store.getState().readonly || plain) return;
        const { x, y } = canvas.screenToFlowPosition({ x: event.clientX, y: event.clientY });
        store.getState().ask({ place: { kind: "loose", x, y }, at: { x: event.clientX, y: event.clientY } });
      },
    }),
    [store, canvas, graph, plain],
  );

  return (
    <div className={far ? "canvas far" : "canvas"} ref={frame}>
      <ReactFlow<ShownNode, WireEdge>
        nodes={plain ? NO_NODES : nodes}
        edges={plain ? NO_WIRES : edges}
        nodeTypes={NODE_TYPES}
        edgeTypes={EDGE_TYPES}
        onNodesChange={changeNodes}
        onEdgesChange={changeEdges}
        onNodeDragStop={dropped}
        onSelectionDragStop={(event, moved) => dropped(event, null, moved)}
        onConnect={connected}
        onConnectStart={() => store.getState().setConnecting(true)}
        onConnectEnd={connectEnded}
        onMove={(event) => event !== null && frame.current?.classList.add("moving")}
        onMoveEnd={() => frame.current?.classList.remove("moving")}
        {...handlers}
        onlyRenderVisibleElements={graph.modules.length > PLAIN_FROM}
        disableKeyboardA11y
        deleteKeyCode={null}
        selectionMode={SelectionMode.Partial}
        multiSelectionKeyCode={["Control", "Meta", "Shift"]}
        selectionKeyCode="Shift"
        zoomOnDoubleClick={false}
        nodesConnectable={!readonly}
        elevateNodesOnSelect={false}
        nodeDragThreshold={4}
        minZoom={0.1}
        maxZoom={2}
        fitView={!big}
        {...(big ? { defaultViewport: { x: 0, y: 0, zoom: 0.1 } } : {})}
        onInit={() => big && fit(graph)}
        fitViewOptions={{ maxZoom: 1, padding: 0.2 }}
        ariaLabelConfig={{ "node.a11yDescription.default": "Arrow keys go to the next module, Enter opens its settings, Delete removes it.", "edge.a11yDescription.default": "Enter opens the filter, Delete cuts the wire." }}
      >
        {/* From far away the dots are a grey haze, and they were most of the work of a frame. */}
        {!plain && <Background variant={BackgroundVariant.Dots} gap={24} size={1.2} />}
        <Controls showInteractive={false} showFitView={false} position="top-left" />
        {graph.modules.length >= MAP_FROM && <SmallMap graph={graph} />}
        {plain && <FarFlow graph={graph} colours={colours} />}
      </ReactFlow>
      <ContextMenu />
    </div>
  );
});

/** When the panel opens beside the canvas, what it is about stays in sight. */
function useSelectedInView(frame: React.RefObject<HTMLDivElement | null>, graph: Graph): void {
  const canvas = useReactFlow();
  const open = useEditor((editor) => editor.open);
  const selection = useEditor((editor) => editor.selection);
  const id = !open || selection === null ? null : selection.kind === "module" ? selection.id : selection.to;
  const shown = useRef(graph);
  shown.current = graph;
  useEffect(() => {
    if (id === null) return;
    const asked = requestAnimationFrame(() => {
      const node = shown.current.modules.find((module) => module.id === id);
      const box = frame.current?.getBoundingClientRect();
      if (node === undefined || box === undefined) return;
      const { x, y } = canvas.flowToScreenPosition(node.at);
      const size = SIZE * canvas.getZoom();
      const inSight = x > box.left + 10 && x + size < box.right - 10 && y > box.top + 10 && y + size < box.bottom - 110;
      if (!inSight) void canvas.setCenter(node.at.x + SIZE / 2, node.at.y + SIZE / 2, { zoom: canvas.getZoom(), duration: gently(200) });
    });
    return () => cancelAnimationFrame(asked);
  }, [canvas, frame, id]);
}
