// What is seen of big flows as a whole: a small map, and wires as one drawing
// instead of a thousand, so that the canvas moves without a stutter.

import { memo, useMemo, useRef } from "react";
import { useReactFlow, useStore, ViewportPortal } from "@xyflow/react";

import type { Graph } from "./graph";
import { SIZE } from "./layout";

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
    return [whole, graph.modules.map(({ at }) => `M${at.x + SIZE / 2} ${at.y + SIZE / 2}h0`).join("")];
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

/** All wires as one path. */
export const FarWires = memo(function FarWires({ graph }: { graph: Graph }) {
  const path = useMemo(() => {
    const at = new Map(graph.modules.map((shown) => [shown.id as number | string, shown.at]));
    return graph.wires
      .map(({ from, to }) => {
        const [a, b] = [at.get(from), at.get(to)];
        return a === undefined || b === undefined ? "" : `M${a.x + SIZE} ${a.y + SIZE / 2}L${b.x} ${b.y + SIZE / 2}`;
      })
      .join("");
  }, [graph]);
  return (
    <ViewportPortal>
      <svg className="far-wires" aria-hidden="true">
        <path d={path} />
      </svg>
    </ViewportPortal>
  );
});
