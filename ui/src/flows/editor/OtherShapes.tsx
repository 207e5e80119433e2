import { memo, useState } from "react";
import { type NodeProps } from "@xyflow/react";
import { Clock, Plus, X } from "lucide-react";

import { StandIns } from "./ModuleShape";
import { noteText, removeNote, setNote } from "./notes";
import type { ClockNode, EndNode, FrameNode, NoteNode } from "./shown";
import { useEditor, useEditorStore } from "./store";

/** An end that leads nowhere yet. */
export const EndShape = memo(function EndShape({ data: { end } }: NodeProps<EndNode>) {
  const store = useEditorStore();
  const readonly = useEditor((editor) => editor.readonly);
  return (
    <>
      <StandIns />
      <button
        type="button"
        className="open-end nodrag nopan"
        disabled={readonly}
        aria-label={`Add a module to ${end.label} of module ${end.from}`}
        onClick={(event) => store.getState().ask({ place: { kind: "end", owner: end.owner }, at: { x: event.clientX, y: event.clientY } })}
      >
        <Plus aria-hidden="true" size={15} />
      </button>
    </>
  );
});

/** What is repeated until a condition holds. */
export const FrameShape = memo(function FrameShape({ data: { name } }: NodeProps<FrameNode>) {
  return (
    <div className="frame">
      <span>{name}</span>
    </div>
  );
});

/** What starts a flow that nothing else starts. */
export const ClockShape = memo(function ClockShape({ data: { words, last } }: NodeProps<ClockNode>) {
  const store = useEditorStore();
  return (
    <div className="module clock">
      <button type="button" className="module-round nodrag nopan" aria-label={`Schedule: ${words}. Change it`} onClick={() => openSchedule()}>
        <Clock aria-hidden="true" size={30} />
      </button>
      {last && (
        <button
          type="button"
          className="module-add nodrag nopan"
          aria-label="Add a module"
          onClick={(event) => store.getState().ask({ place: { kind: "start" }, at: { x: event.clientX, y: event.clientY } })}
        >
          <Plus aria-hidden="true" size={15} />
        </button>
      )}
      <div className="module-name">
        <strong>Schedule</strong>
        <span>{words}</span>
      </div>
      <StandIns />
    </div>
  );
});

/** The toolbar listens for it, and opens the dialog of the schedule. */
export const OPEN_SCHEDULE = "loopwright:open-schedule";

export function openSchedule(): void {
  window.dispatchEvent(new Event(OPEN_SCHEDULE));
}

/** A note on the canvas. */
export const NoteShape = memo(function NoteShape({ data: { index, note } }: NodeProps<NoteNode>) {
  const store = useEditorStore();
  const readonly = useEditor((editor) => editor.readonly);
  const [text, setText] = useState<string | null>(null);
  const said = noteText(note);
  const leave = () => {
    if (text !== null && text !== said) store.getState().edit("Write a note", (document) => setNote(document, index, { content: text }));
    setText(null);
  };
  return (
    <div className="note">
      <textarea
        className="nodrag nowheel"
        aria-label={`Note ${index + 1}`}
        placeholder="Write a note"
        value={text ?? said}
        readOnly={readonly}
        rows={Math.min(9, Math.max(2, (text ?? said).split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / 24)), 0)))}
        onChange={(event) => setText(event.target.value)}
        onBlur={leave}
        onKeyDown={(event) => event.stopPropagation()}
      />
      {!readonly && (
        <button
          type="button"
          className="icon nodrag"
          aria-label={`Remove note ${index + 1}`}
          onClick={() => store.getState().edit("Remove a note", (document) => removeNote(document, index))}
        >
          <X aria-hidden="true" size={14} />
        </button>
      )}
    </div>
  );
});
