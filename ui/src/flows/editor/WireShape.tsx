import { memo } from "react";
import { getBezierPath, type EdgeProps } from "@xyflow/react";

import type { WireEdge } from "./shown";
import { useEditorStore } from "./store";

const FUNNEL = "M-6 -5.5h12l-4.6 5.4v5l-2.8 1.6v-6.6z";

/** A wire of dots; what it lets through, and a + to put a module on it. */
export const WireShape = memo(function WireShape(props: EdgeProps<WireEdge>) {
  const { sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, selected, data, markerEnd } = props;
  const store = useEditorStore();
  const { wire, colour } = data!;
  const [path, x, y] = getBezierPath({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition });
  const real = typeof wire.to === "number";
  const classes = ["wire", wire.kind, selected === true ? "selected" : "", wire.disabled ? "disabled" : ""].join(" ").trim();
  const words = wire.label ?? (wire.fallback ? "fallback" : null);
  const insert = (event: React.MouseEvent) => {
    event.stopPropagation();
    store.getState().ask({ place: { kind: "wire", to: wire.to as number }, at: { x: event.clientX, y: event.clientY } });
  };
  return (
    <g className={classes} style={colour === "" ? undefined : ({ "--app": colour } as React.CSSProperties)}>
      <path className="wire-line" d={path} fill="none" markerEnd={markerEnd} />
      <path className="react-flow__edge-interaction" d={path} fill="none" strokeOpacity={0} strokeWidth={26} />
      {(wire.filtered || (selected === true && real)) && wire.kind !== "error" && wire.kind !== "back" && real && (
        <g className={wire.filtered ? "wire-funnel on" : "wire-funnel"} transform={`translate(${x} ${y})`}>
          <circle r={12} />
          <path d={FUNNEL} />
        </g>
      )}
      {words !== null && wire.kind !== "back" && (
        <text className="wire-label" x={x} y={y + (wire.filtered ? 27 : -9)} textAnchor="middle">
          {words.length > 26 ? `${words.slice(0, 25)}…` : words}
        </text>
      )}
      {real && wire.kind !== "back" && (
        <g
          className="wire-add nopan"
          transform={`translate(${wire.filtered || selected === true ? x + 26 : x} ${y})`}
          onClick={insert}
          aria-hidden="true"
        >
          <circle r={11} />
          <path d="M-5 0h10M0 -5v10" />
        </g>
      )}
    </g>
  );
});
