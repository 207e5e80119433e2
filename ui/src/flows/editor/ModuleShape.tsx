import { memo, useState } from "react";
import { Handle, Position, type NodeProps } from "@xyflow/react";
import { CircleAlert, Clock, Plus, Puzzle, Repeat2, Split, TriangleAlert, Merge as MergeIcon, Waypoints } from "lucide-react";

import { RunBubble } from "../../runs/once";
import { SHAPES } from "./graph";
import type { ModuleShapeNode } from "./shown";
import { useEditor, useEditorStore } from "./store";

const OWN_ICONS = { router: Waypoints, "if-else": Split, merge: MergeIcon, repeat: Repeat2 };

/** A module: a round thing in the colour of its app, its name below. */
export const ModuleShape = memo(function ModuleShape({ data, selected }: NodeProps<ModuleShapeNode>) {
  const { shown, kind, name, notice, notices, badge } = data;
  const store = useEditorStore();
  const done = useEditor((editor) => editor.done[shown.id]);
  const readonly = useEditor((editor) => editor.readonly);
  const connecting = useEditor((editor) => editor.connecting);
  const [near, setNear] = useState(false);
  const shape = SHAPES[shown.module.module];
  const grows = shown.last || shape === "router";
  const classes = ["module", shape ?? "", shown.loose ? "loose" : "", kind === null ? "unknown" : "", done === undefined ? "" : `done-${done.status}`];
  return (
    <div
      className={classes.join(" ").trim()}
      style={kind === null ? undefined : ({ "--app": kind.colour } as React.CSSProperties)}
      onPointerEnter={() => setNear(true)}
      onPointerLeave={() => setNear(false)}
    >
      <div className="module-round">
        <Icon svg={kind?.icon} shape={shape} />
      </div>
      <span className="module-id" aria-hidden="true">
        {shown.id}
      </span>
      {badge !== null && (
        <span className="module-clock" title={badge} aria-hidden="true">
          <Clock size={13} />
        </span>
      )}
      {notice !== null && (
        <span className={`module-notice ${notice}`} title={notices} aria-hidden="true">
          {notice === "error" ? <CircleAlert size={15} /> : <TriangleAlert size={14} />}
        </span>
      )}
      {grows && !readonly && (
        <button
          type="button"
          className="module-add nodrag nopan"
          tabIndex={-1}
          aria-label={shape === "router" ? `Add a route to ${name}` : `Add a module after ${name}`}
          onClick={(event) => {
            event.stopPropagation();
            store.getState().ask({ place: { kind: "after", id: shown.id }, at: { x: event.clientX, y: event.clientY } });
          }}
        >
          <Plus aria-hidden="true" size={15} />
        </button>
      )}
      <div className="module-name" aria-hidden="true">
        <strong>{name}</strong>
        {kind !== null && kind.appName !== name && <span>{kind.label === name ? kind.appName : kind.label}</span>}
        {kind === null && <span>not known here</span>}
      </div>
      {done !== undefined && <RunBubble module={shown.id} done={done} />}
      {near || selected || connecting ? <Handles /> : <StandIns />}
    </div>
  );
});

/** Where wires begin and end. They are there when they can be used: each of them follows every move of the canvas. */
function Handles() {
  return (
    <>
      <Handle type="target" position={Position.Left} id="in" className="module-handle" />
      <Handle type="source" position={Position.Right} id="out" className="module-handle" />
      <Handle type="source" position={Position.Bottom} id="error" className="module-handle error" title="Drag from here to what happens when it fails" />
    </>
  );
}

/** What stands in their place otherwise, so that the canvas knows where wires begin and end. */
export const StandIns = memo(function StandIns() {
  return (
    <>
      <i className="react-flow__handle react-flow__handle-left module-handle target" data-handleid="in" data-handlepos="left" />
      <i className="react-flow__handle react-flow__handle-right module-handle source" data-handleid="out" data-handlepos="right" />
      <i className="react-flow__handle react-flow__handle-bottom module-handle source error" data-handleid="error" data-handlepos="bottom" />
    </>
  );
});

function Icon({ svg, shape }: { svg: string | undefined; shape: keyof typeof OWN_ICONS | undefined }) {
  if (shape !== undefined) {
    const Own = OWN_ICONS[shape];
    return <Own aria-hidden="true" size={30} />;
  }
  if (svg === undefined || svg === "") return <Puzzle aria-hidden="true" size={30} />;
  // The program's own drawing of the app, not something that people write.
  return <span className="module-icon" aria-hidden="true" dangerouslySetInnerHTML={{ __html: svg }} />;
}
