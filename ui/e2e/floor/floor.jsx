// The canvas library as it comes: plain points in rows, each wired to the next.

import { createRoot } from "react-dom/client";
import { ReactFlow } from "@xyflow/react";
import "@xyflow/react/dist/style.css";

const points = Number(new URLSearchParams(location.search).get("points"));
const nodes = Array.from({ length: points }, (_, place) => ({
  id: String(place),
  data: { label: `Point ${place}` },
  position: { x: (place % 25) * 200, y: Math.floor(place / 25) * 120 },
}));
const edges = nodes.slice(1).map((node, place) => ({ id: `w${place}`, source: String(place), target: node.id }));

createRoot(document.getElementById("root")).render(
  <div style={{ width: "100vw", height: "100vh" }}>
    <ReactFlow defaultNodes={nodes} defaultEdges={edges} onlyRenderVisibleElements minZoom={0.05} />
  </div>,
);
