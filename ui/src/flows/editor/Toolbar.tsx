// The bar below the canvas: run once, when it runs, and what is done most.

import { useEffect, useState } from "react";
import { Link } from "wouter";
import { useReactFlow } from "@xyflow/react";
import { useQueryClient } from "@tanstack/react-query";
import { AlignHorizontalDistributeCenter, Check, Clock, CloudUpload, LoaderCircle, Maximize, Play, Redo2, Search, Square, StickyNote, TriangleAlert, Undo2 } from "lucide-react";

import { useMay } from "../../api/status";
import { Chip } from "../../kit/Chip";
import { say, warn } from "../../kit/toasts";
import { activate, deactivate, type FlowShown } from "../api";
import { align } from "./acts";
import { useRunOnce } from "../../runs/once";
import { ScheduleDialog } from "./panel";
import { OPEN_SEARCH } from "./keys";
import { useFit } from "./far";
import { graphOf } from "./graph";
import { addNote } from "./notes";
import { OPEN_SCHEDULE } from "./OtherShapes";
import { storeAll, storeNow } from "./saving";
import { Shortcuts } from "./ShortcutsDialog";
import { scheduleWords } from "./starts";
import { useEditor, useEditorStore } from "./store";

export function Toolbar({ flow }: { flow: FlowShown }) {
  return (
    <div className="toolbar" role="toolbar" aria-label="Flow">
      <Start flow={flow} />
      {flow.version !== null && (
        <Chip tone="published" title={flow.draftAhead ? "The draft has changes that are not published" : "The draft is what runs"}>
          Published{flow.draftAhead ? " · draft ahead" : ""}
        </Chip>
      )}
      <span className="toolbar-gap" aria-hidden="true" />
      <Clockwork flow={flow} />
      <span className="toolbar-gap" aria-hidden="true" />
      <Tools />
    </div>
  );
}

/** Whoever may not change the draft starts what is published, by its form. */
function Start({ flow }: { flow: FlowShown }) {
  const readonly = useEditor((editor) => editor.readonly);
  const may = useMay();
  if (!readonly) return <RunOnceButton flow={flow.key} />;
  if (may?.runFlows !== true || flow.version === null) return null;
  return (
    <Link href={`/flows/${encodeURIComponent(flow.key)}/run`} className="button run-once primary">
      <Play aria-hidden="true" size={15} /> Run
    </Link>
  );
}

function RunOnceButton({ flow }: { flow: string }) {
  const store = useEditorStore();
  const once = useRunOnce(flow);
  const { done } = once;
  const empty = useEditor((editor) => editor.document.flow.length === 0);
  useEffect(() => store.getState().setDone(done), [store, done]);
  const start = async () => {
    if (await storeAll(store)) once.start();
    else warn("The draft could not be stored, so it was not run. Your changes are kept here.");
  };
  return (
    <>
      {once.running && once.stop !== undefined ? (
        <button type="button" className="run-once" onClick={() => once.stop?.()}>
          <Square aria-hidden="true" size={14} /> Stop
        </button>
      ) : (
        <button type="button" className="run-once primary" disabled={empty || once.running} onClick={() => void start()}>
          <Play aria-hidden="true" size={15} /> {once.running ? "Running" : "Run once"}
        </button>
      )}
      {once.dialog}
    </>
  );
}

/** Whether schedule or hook starts it, and when. */
function Clockwork({ flow }: { flow: FlowShown }) {
  const queries = useQueryClient();
  const scheduling = useEditor((editor) => editor.document.scheduling);
  const readonly = useEditor((editor) => editor.readonly);
  const [busy, setBusy] = useState(false);
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const listen = () => setOpen(true);
    window.addEventListener(OPEN_SCHEDULE, listen);
    return () => window.removeEventListener(OPEN_SCHEDULE, listen);
  }, []);
  const active = flow.state === "active";
  const turn = async () => {
    setBusy(true);
    try {
      if (active) await deactivate(flow.key);
      else {
        const { notices } = await activate(flow.key);
        say(notices.length === 0 ? "Active: it runs as scheduled" : `Active. ${notices.map(({ text }) => text).join(" ")}`);
      }
      await queries.invalidateQueries({ queryKey: ["flow", flow.key] });
      await queries.invalidateQueries({ queryKey: ["flows"] });
    } catch (error) {
      warn(error);
    }
    setBusy(false);
  };
  const why = flow.version === null ? "Publish it first: only a published flow can be activated" : undefined;
  return (
    <>
      <button
        type="button"
        role="switch"
        aria-checked={active}
        className="switch"
        disabled={busy || readonly || (flow.version === null && !active)}
        title={why}
        onClick={() => void turn()}
      >
        <span className="switch-track" aria-hidden="true" />
        {active ? "Active" : "Inactive"}
      </button>
      <button type="button" className="quiet toolbar-clock" onClick={() => setOpen(true)} aria-label={`Schedule: ${scheduleWords(scheduling)}. Change it`}>
        <Clock aria-hidden="true" size={16} /> <span className="toolbar-words">{scheduleWords(scheduling)}</span>
      </button>
      {open && <ScheduleDialog onClose={() => setOpen(false)} />}
    </>
  );
}

function Tools() {
  const store = useEditorStore();
  const canvas = useReactFlow();
  const canUndo = useEditor((editor) => editor.canUndo);
  const canRedo = useEditor((editor) => editor.canRedo);
  const undoWords = useEditor((editor) => editor.history.past.at(-1)?.words);
  const redoWords = useEditor((editor) => editor.history.future.at(-1)?.words);
  const readonly = useEditor((editor) => editor.readonly);
  const fit = useFit();
  const note = () => {
    const { document, selection, edit } = store.getState();
    const box = window.document.querySelector(".canvas")?.getBoundingClientRect();
    const middle = canvas.screenToFlowPosition({ x: (box?.left ?? 0) + (box?.width ?? 600) / 2, y: (box?.top ?? 0) + 90 });
    const about = selection?.kind === "module" ? [selection.id] : [];
    edit("Add a note", (before) => addNote(before, about, middle));
    if (document !== store.getState().document) requestAnimationFrame(() => [...window.document.querySelectorAll<HTMLElement>(".note textarea")].at(-1)?.focus());
  };
  return (
    <>
      <SaveState />
      <button type="button" className="icon" aria-label={undoWords === undefined ? "Undo" : `Undo: ${undoWords}`} title={undoWords === undefined ? "Undo (Ctrl+Z)" : `Undo: ${undoWords} (Ctrl+Z)`} disabled={!canUndo || readonly} onClick={() => store.getState().undo()}>
        <Undo2 aria-hidden="true" size={18} />
      </button>
      <button type="button" className="icon" aria-label={redoWords === undefined ? "Redo" : `Redo: ${redoWords}`} title={redoWords === undefined ? "Redo (Ctrl+Y)" : `Redo: ${redoWords} (Ctrl+Y)`} disabled={!canRedo || readonly} onClick={() => store.getState().redo()}>
        <Redo2 aria-hidden="true" size={18} />
      </button>
      <button
        type="button"
        className="icon"
        aria-label="Align automatically"
        title="Align automatically"
        disabled={readonly}
        onClick={() => {
          align(store);
          fit(graphOf(store.getState().document), 200);
        }}
      >
        <AlignHorizontalDistributeCenter aria-hidden="true" size={18} />
      </button>
      <button type="button" className="icon" aria-label="Fit the flow into the window" title="Fit the flow into the window" onClick={() => fit(graphOf(store.getState().document), 200)}>
        <Maximize aria-hidden="true" size={18} />
      </button>
      <button type="button" className="icon" aria-label="Search in this flow" title="Search in this flow (/)" onClick={() => window.dispatchEvent(new Event(OPEN_SEARCH))}>
        <Search aria-hidden="true" size={18} />
      </button>
      <button type="button" className="icon" aria-label="Add a note" title="Add a note" disabled={readonly} onClick={note}>
        <StickyNote aria-hidden="true" size={18} />
      </button>
      <Shortcuts />
    </>
  );
}

/** Says whether everything is stored, and stores it when it is pressed. */
function SaveState() {
  const store = useEditorStore();
  const saving = useEditor((editor) => editor.saving);
  const [Icon, words] = {
    stored: [Check, "Saved"] as const,
    unsaved: [CloudUpload, "Save"] as const,
    storing: [LoaderCircle, "Saving"] as const,
    conflict: [TriangleAlert, "Not saved"] as const,
  }[saving];
  return (
    <button type="button" className={`quiet save-state ${saving}`} disabled={saving === "storing"} onClick={() => void storeNow(store)} aria-label={words === "Saved" ? "Saved" : `${words} the draft`}>
      <Icon aria-hidden="true" size={16} /> <span className="toolbar-words">{words}</span>
    </button>
  );
}
