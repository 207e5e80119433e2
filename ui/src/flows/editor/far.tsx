// What is seen of big flows as a whole: a small map, and the flow as one drawing
// instead of a thousand things, so that the canvas moves without a stutter.

import { memo, useCallback, useMemo, useRef } from "react";
import { getViewportForBounds, useReactFlow, useStore, useStoreApi, ViewportPortal, type Rect } from "@xyflow/react";

import type { Graph, ShownModule } from "./graph";
import { gently, SIZE, type Point } from "./layout";
import { CLOCK } from "./shown";
import { useEditor } from "./store";

const WIDTH = 190;
const HEIGHT = 130;
const EDGE = 80;

type Flow = { transform: [number, number, number]; width: number; height: number };
const seen = ({ transform: [x, y, zoom], width, height }: Flow) => `${-x / zoom} ${-y / zoom} ${width / zoom} ${height / zoom}`;

/** The flow in small; a press goes there. */
export const SmallMap = memo(function SmallMap({ graph }: { graph: Graph }) {
  const canvas = useReactFlow();
  const [left, top, width, height] = useStore(seen).split(" ").map(Number) as [number, number, number, number];
  const svg = useRef<SVGSVGElement>(null);
  const [box, path] = useMemo(() => {
    const [xs, ys] = [graph.modules.map(({ at }) => at.x), graph.modules.map(({ at }) => at.y)];
    const x = Math.min(...xs) - EDGE;
    const y = Math.min(...ys) - EDGE;
    const whole = { x, y, width: Math.max(...xs) + SIZE + EDGE - x, height: Math.max(...ys) + SIZE + EDGE - y };
    return [whole, dots(graph.modules)];
  }, [graph]);
  const go = (event: React.PointerEvent) => {
    if (event.buttons !== 1) return;
    const matrix = svg.current?.getScreenCTM();
    if (matrix == null) return;
    const to = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    void canvas.setCenter(to.x, to.y, { zoom: canvas.getZoom() });
  };
  return (
    <div className="small-map" aria-hidden="true">
      <svg ref={svg} width={WIDTH} height={HEIGHT} viewBox={`${box.x} ${box.y} ${box.width} ${box.height}`} onPointerDown={go} onPointerMove={go}>
        <path className="modules" d={path} strokeWidth={Math.max(SIZE, box.width / 120)} />
        <rect className="seen" x={left} y={top} width={width} height={height} strokeWidth={box.width / 150} />
      </svg>
    </div>
  );
});

/** The smallest rectangle around all modules. */
export function boundsOf(graph: Graph, clock?: Point): Rect {
  const all = [...graph.modules, ...graph.ends].map(({ at }) => at);
  if (clock !== undefined) all.push(clock);
  const [xs, ys] = [all.map(({ x }) => x), all.map(({ y }) => y)];
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, width: Math.max(...xs) + SIZE - x, height: Math.max(...ys) + 2 * SIZE - y };
}

/** Moves the canvas so that the whole flow is seen; it need not be drawn for that. */
export function useFit(): (graph: Graph, duration?: number) => void {
  const canvas = useReactFlow();
  const store = useStoreApi();
  return useCallback(
    (graph, duration = 0) => {
      if (graph.modules.length === 0) return;
      const { width, height, minZoom } = store.getState();
      void canvas.setViewport(getViewportForBounds(boundsOf(graph, canvas.getNode(CLOCK)?.position), width, height, minZoom, 1, 0.2), { duration: gently(duration) });
    },
    [canvas, store],
  );
}

/** The module under a place of the flow, if there is one. */
export function moduleAt(graph: Graph, { x, y }: Point): number | null {
  const half = SIZE / 2;
  const near = graph.modules.find(({ at }) => Math.hypot(at.x + half - x, at.y + half - y) <= half * 1.3);
  return near?.id ?? null;
}

/** A dot for each of some modules, as one path: lines without a length have round ends. */
const dots = (modules: ShownModule[]) => modules.map(({ at }) => `M${at.x + SIZE / 2} ${at.y + SIZE / 2}h0`).join("");

/** The whole flow as a handful of paths: wires, modules by colour, and rings around those that something is said of. */
export const FarFlow = memo(function FarFlow({ graph, colours }: { graph: Graph; colours: ReadonlyMap<string, string> }) {
  const wires = useMemo(() => {
    const at = new Map(graph.modules.map((shown) => [shown.id as number | string, shown.at]));
    return graph.wires
      .map(({ from, to }) => {
        const [a, b] = [at.get(from), at.get(to)];
        return a === undefined || b === undefined ? "" : `M${a.x + SIZE} ${a.y + SIZE / 2}L${b.x} ${b.y + SIZE / 2}`;
      })
      .join("");
  }, [graph]);
  const rounds = useMemo(() => {
    const colourOf = ({ module }: ShownModule) => colours.get(module.module) ?? "";
    const all = new Set(graph.modules.map(colourOf));
    return [...all].map((colour) => [colour, dots(graph.modules.filter((shown) => colourOf(shown) === colour))] as const);
  }, [graph, colours]);
  return (
    <ViewportPortal>
      <svg className="far-flow" aria-hidden="true">
        <path className="wires" d={wires} />
        <Rings graph={graph} />
        {rounds.map(([colour, path]) => (
          <path key={colour} className="round" d={path} style={colour === "" ? undefined : { stroke: colour }} />
        ))}
      </svg>
    </ViewportPortal>
  );
});

function Rings({ graph }: { graph: Graph }) {
  const picked = useEditor((editor) => editor.picked);
  const selection = useEditor((editor) => editor.selection);
  const done = useEditor((editor) => editor.done);
  const ring = (className: string, is: (shown: ShownModule) => boolean) => {
    const path = dots(graph.modules.filter(is));
    return path === "" ? null : <path className={`ring ${className}`} d={path} />;
  };
  const status = (id: number) => done[id]?.status;
  return (
    <>
      {ring("good", ({ id }) => status(id) === "success")}
      {ring("warn", ({ id }) => status(id) === "warning" || status(id) === "held")}
      {ring("bad", ({ id }) => status(id) === "error")}
      {ring("busy", ({ id }) => status(id) === "running")}
      {ring("picked", ({ id }) => picked.has(id) || (selection?.kind === "module" && selection.id === id))}
    </>
  );
}
